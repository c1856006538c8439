//! Locked containers: recognised by their unpackers, told apart here into archives and documents.

use crate::model::{Fact, Family};

use super::{Analyzer, Findings, Found, Look, Sees};

/// The row of this analyzer.
pub(super) const ROW: Analyzer = Analyzer {
    name: "encrypted",
    kinds: &[],
    sees: Sees::Place,
    findings: &[
        "encrypted-archive",
        "encrypted-document",
        "decrypted-with-known-password",
    ],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    if look.artifact.same_as.is_some() {
        return;
    }
    let id = match look.artifact.kind.family() {
        Family::Ole | Family::Ooxml | Family::Odf | Family::OneNote => "encrypted-document",
        _ => "encrypted-archive",
    };
    for fact in &look.artifact.facts {
        if let Fact::Unlocked {
            scheme,
            what,
            origin,
            word,
        } = fact
        {
            let place = what.as_ref().map(|what| format!("{what}: "));
            let place = place.unwrap_or_default();
            let mut found = Found::new(
                "decrypted-with-known-password",
                &format!("{place}{scheme}; {origin}"),
            );
            if let Some(word) = word {
                found = found.decoded(word);
            }
            findings.report(found);
        }
        if let Fact::Locked { scheme, what } = fact {
            let evidence = match what {
                Some(what) => format!("{what}: {scheme}"),
                None => scheme.clone(),
            };
            findings.report(Found::new(id, &evidence));
        }
    }
}
