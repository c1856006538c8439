//! What unpackers could not read, or read all the same: their facts as findings of the group containers.

use crate::limits::Halt;
use crate::model::Fact;

use super::{Analyzer, Findings, Found, Look, Sees};

/// The row of this analyzer.
pub(super) const ROW: Analyzer = Analyzer {
    name: "containers",
    kinds: &[],
    // Facts are whole only once every other analyzer and the rules have run.
    sees: Sees::Place,
    findings: &[
        "archive-bomb",
        "limit-exceeded",
        "malformed-container",
        "container-irregular",
        "unsupported-container",
        "polyglot",
        "scanner-crashed",
    ],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    // What is true of equal bytes is said at the first of them.
    if look.artifact.same_as.is_some() {
        return;
    }
    look.artifact
        .facts
        .iter()
        .filter_map(judge)
        .for_each(|found| findings.report(found));
}

fn judge(fact: &Fact) -> Option<Found> {
    let found = match fact {
        Fact::Deviation { at, what } => placed(Found::new("container-irregular", what), *at),
        Fact::Unread { at, what } => placed(Found::new("malformed-container", what), *at),
        Fact::Limit {
            halt: Halt::Ratio,
            what,
        } => Found::new("archive-bomb", &met(Halt::Ratio, what)),
        Fact::Limit { halt, what } => Found::new("limit-exceeded", &met(*halt, what)),
        Fact::NoReader { what } => Found::new("unsupported-container", what),
        Fact::Polyglot { kind, at } => Found::new(
            "polyglot",
            &format!("also reads as {} ({kind})", kind.describe()),
        )
        .at(*at),
        Fact::Crashed { by, what } => Found::new("scanner-crashed", &format!("{by}: {what}")),
        _ => return None,
    };
    Some(found)
}

fn met(halt: Halt, place: &str) -> String {
    if place.is_empty() {
        halt.to_string()
    } else {
        format!("{halt}: {place}")
    }
}

fn placed(found: Found, at: Option<usize>) -> Found {
    match at {
        Some(at) => found.at(at),
        None => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_not_having_seen_all_is_a_finding_and_a_claim_is_none() {
        let unread = Fact::Unread {
            at: Some(7),
            what: "stream cut".to_owned(),
        };
        assert!(judge(&unread).is_some());
        assert!(
            judge(&Fact::Limit {
                halt: Halt::Depth,
                what: String::new()
            })
            .is_some()
        );
        assert!(
            judge(&Fact::VbaStorage {
                modules: 1,
                with_code: 0
            })
            .is_none()
        );
        assert_eq!(met(Halt::Ratio, "bomb.bin"), "max-ratio: bomb.bin");
    }
}
