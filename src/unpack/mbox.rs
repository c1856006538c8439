//! Mailboxes in one file: each message becomes a child of kind eml. Ranges stay slices: `>From ` lines are not
//! unquoted, since that changes no attachment and would cost a copy of every message.

use super::{Child, Nest};
use crate::formats::mbox::Messages;
use crate::model::{Artifact, Kind, Trouble};

/// Opens a mailbox.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    for range in Messages::new(&artifact.data) {
        nest.tick()?;
        let message = Child::new("mbox-message", artifact.data.slice(range.clone()))
            .at(range)
            .of_kind(Kind::Eml);
        nest.push(message)?;
    }
    if nest.is_empty() {
        return Err(Trouble::NotThis("no postmark with a header".to_owned()));
    }
    Ok(())
}
