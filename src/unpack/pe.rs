//! Windows programs: what they call themselves. Not unpacked here.

use crate::formats::pe_version;
use crate::model::{Artifact, Fact, Trouble};

use super::Nest;

/// Notes the version information, where there is one.
#[expect(clippy::unnecessary_wraps, reason = "a row of the table")]
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if let Some(version) = pe_version::read(&artifact.data) {
        nest.note(Fact::Version {
            original: version.original,
            internal: version.internal,
            product: version.product,
        });
    }
    Ok(())
}
