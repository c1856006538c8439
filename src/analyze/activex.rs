//! Controls that a document loads: those of Office's own forms told from others.

use std::collections::BTreeSet;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::knowledge::Standing;
use crate::model::Fact;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "activex",
    kinds: &[],
    sees: Sees::Place,
    findings: &["activex-control"],
    run,
};

/// Reports each class once.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let mut told = BTreeSet::new();
    for fact in &look.artifact.facts {
        let (class, is_control) = match fact {
            Fact::Control { class } => (class.as_str(), true),
            Fact::StorageClass { class } => (class.as_str(), false),
            Fact::Object { class, .. } => (class.as_str(), false),
            _ => continue,
        };
        let known = look.knowledge.objects.class(class);
        let abused = matches!(known, Some((_, Standing::Abused)));
        // Any other class is an object as documents hold them.
        if !is_control && !abused || !told.insert(class) {
            continue;
        }
        let what = match known {
            Some((name, _)) if class.starts_with('{') => format!("{name} {class}"),
            Some(_) => class.to_owned(),
            None if class.is_empty() => "a control without a class".to_owned(),
            None => class.to_owned(),
        };
        let found = Found::new("activex-control", &what);
        findings.report(match known {
            Some((_, Standing::Forms)) => found,
            _ => found.variant("unknown-class"),
        });
    }
}
