//! Whether an artifact is a storage for macros with code in it. A storage without code is no finding: a third of
//! the business files that have a storage hold none.

use super::{Findings, Found, Look};
use crate::model::Fact;

/// Reports `vba-macro`.
pub(super) fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let with_code = look.artifact.facts.iter().map(|fact| match fact {
        Fact::VbaStorage { with_code, .. } => *with_code,
        _ => 0,
    });
    match with_code.max().unwrap_or(0) {
        0 => {}
        1 => findings.report(Found::new("vba-macro", "1 module with code")),
        count => findings.report(Found::new("vba-macro", &format!("{count} modules with code"))),
    }
}
