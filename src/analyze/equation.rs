//! Formulas of the Equation Editor, told from data that takes the editor over.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::{Fact, Formula};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "equation",
    kinds: &[],
    sees: Sees::Place,
    findings: &["equation-object"],
    run,
};

/// The class of Equation Editor 3, for objects without any data of the editor in them.
const CLASS: &str = "{0002ce02-0000-0000-c000-000000000046}";

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let by_itself = || {
        let loads = |fact: &Fact| matches!(fact, Fact::LoadedOnOpening);
        std::iter::once(look.artifact)
            .chain(look.ancestors())
            .any(|artifact| artifact.facts.iter().any(loads))
    };
    for fact in &look.artifact.facts {
        let (variant, what) = match fact {
            Fact::Equation(Formula::Overflow(what)) => (Some("overflow"), what.as_str()),
            Fact::Equation(Formula::Invalid(what)) => (Some("invalid"), what.as_str()),
            Fact::Equation(Formula::WellFormed) => (None, "a well-formed formula"),
            Fact::StorageClass { class } if class == CLASS && !has_formula(look) => {
                (None, "an object of class Equation.3 without a formula")
            }
            _ => continue,
        };
        let found = Found::new("equation-object", what);
        findings.report(match variant {
            Some(variant) => found.variant(variant),
            None if by_itself() => found.variant("objupdate"),
            None => found,
        });
    }
}

/// Whether a stream of the compound file holds a formula: it is told there.
fn has_formula(look: &Look<'_>) -> bool {
    let is_formula = |fact: &Fact| matches!(fact, Fact::Equation(_));
    look.children()
        .iter()
        .any(|child| child.facts.iter().any(is_formula))
}
