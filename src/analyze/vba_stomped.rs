//! Whether the macros that would run are other ones than those that are shown.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::Fact;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "vba_stomped",
    kinds: &[],
    sees: Sees::Content,
    findings: &["vba-stomped"],
    run,
};

/// Reports `vba-stomped`: Office writes source from compiled code when it saves, so that the two agree unless
/// somebody saw to it that they do not.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    for fact in &look.artifact.facts {
        let evidence = match fact {
            Fact::PcodeDiffers { module, what } => {
                format!("{module}: only the compiled code has {what}")
            }
            Fact::HiddenModule { module } => format!("{module}: not listed in the editor"),
            _ => continue,
        };
        findings.report(Found::new("vba-stomped", &evidence));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;
    use crate::model::Kind;

    #[test]
    fn what_only_compiled_code_has_is_told_with_its_module() {
        let mut project = testing::holding(Kind::VbaProject, b"");
        project.facts.push(Fact::VbaStorage {
            modules: 1,
            with_code: 1,
        });
        assert!(testing::run(run, &[project.clone()]).0.is_empty());
        project.facts.push(Fact::PcodeDiffers {
            module: "Module1".to_owned(),
            what: "AutoOpen, Shell".to_owned(),
        });
        project.facts.push(Fact::HiddenModule {
            module: "Module2".to_owned(),
        });
        let (found, _) = testing::run(run, &[project]);
        let shown: Vec<_> = found.iter().map(|one| one.evidence.text.as_str()).collect();
        assert_eq!(
            shown,
            [
                "Module1: only the compiled code has AutoOpen, Shell",
                "Module2: not listed in the editor"
            ]
        );
    }
}
