//! Whether an artifact is a storage for macros with code in it. A storage without code is no finding: a third of
//! the business files that have a storage hold none.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::Fact;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "vba",
    kinds: &[],
    sees: Sees::Content,
    findings: &["vba-macro"],
    run,
};

/// Reports `vba-macro`.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let with_code = look.artifact.facts.iter().map(|fact| match fact {
        Fact::VbaStorage { with_code, .. } => *with_code,
        _ => 0,
    });
    match with_code.max().unwrap_or(0) {
        0 => {}
        1 => findings.report(Found::new("vba-macro", "1 module with code")),
        count => findings.report(Found::new(
            "vba-macro",
            &format!("{count} modules with code"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;
    use crate::model::Kind;

    #[test]
    fn storage_counts_only_with_code_in_it() {
        let mut project = testing::holding(Kind::VbaProject, b"");
        project.facts.push(Fact::VbaStorage {
            modules: 3,
            with_code: 2,
        });
        let (found, _) = testing::run(run, &[project.clone()]);
        assert_eq!(found.first().unwrap().evidence.text, "2 modules with code");
        project.facts = vec![Fact::VbaStorage {
            modules: 3,
            with_code: 0,
        }];
        assert!(testing::run(run, &[project]).0.is_empty());
    }
}
