//! Files on the pages of OneNote sections; pictures are the page itself.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::{Family, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "onenote",
    kinds: &[Kind::One, Kind::Onetoc2],
    sees: Sees::Place,
    findings: &["onenote-embedded-file"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    // What equal bytes hold is said at the first of them.
    if look.artifact.same_as.is_some() {
        return;
    }
    for child in look.children() {
        if child.via != Some("onenote-file") || child.kind.family() == Family::Image {
            continue;
        }
        let what = match child.label() {
            "" => child.kind.describe().to_owned(),
            name => format!("{name} ({})", child.kind.describe()),
        };
        let found = Found::new("onenote-embedded-file", &what);
        findings.report(match &child.at {
            Some(at) => found.at(at.start),
            None => found,
        });
    }
}
