//! Windows shortcuts: what they start, and how they hide it.

use super::internet_shortcut::last_step;
use super::place::{Place, Reach, plain as written};
use super::{Analyzer, Findings, Found, Look, Sees, dde};
use crate::formats::command_line;
use crate::knowledge::CommandKnowledge;
use crate::model::{Fact, IocType, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "shortcut",
    kinds: &[Kind::Lnk],
    sees: Sees::Content,
    findings: &["shortcut-lnk"],
    run,
};

/// Characters of the arguments that the properties of a shortcut show; what stands behind them is not seen.
const SHOWN: usize = 260;

/// Blanks in a row from which they are there to hide what follows.
const PADDING: usize = 24;

/// Ends of files that run when the file manager opens them.
const RUNS: &[&str] = &[
    ".exe", ".com", ".scr", ".bat", ".cmd", ".js", ".jse", ".vbs", ".vbe", ".wsf", ".hta", ".msi",
    ".lnk", ".ps1", ".cpl", ".pif", ".url", ".dll",
];

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let mut plain = true;
    let mut command = String::new();
    for fact in &artifact.facts {
        let Fact::Shortcut {
            targets,
            arguments,
            icon,
            ..
        } = fact
        else {
            continue;
        };
        // Fetched when the folder is shown, with the user's sign-in where it lies on a share.
        if let Some(icon) = icon.as_deref().map(written) {
            match Place::of(&icon, &look.knowledge.links) {
                Place::Web => findings.ioc(IocType::Url, &icon),
                Place::Share(_) => findings.ioc(IocType::Unc, &icon),
                Place::Local | Place::Harmless | Place::Moniker => {}
            }
        }
        let target = targets.first().map(String::as_str).unwrap_or("(no target)");
        command = format!("{target} {}", squeezed(arguments))
            .trim()
            .to_owned();
        let known = &look.knowledge.commands;
        let runs = targets.iter().find(|target| {
            let program = command_line::program(target);
            known.interpreters.contains(&program)
                || known.targets.contains(&program)
                || program == "explorer" && runs_something(arguments, known)
        });
        if runs.is_some() {
            plain = false;
            findings.report(Found::new("shortcut-lnk", &command).variant("interpreter-target"));
        }
        let outside = targets.iter().find(|target| {
            let target = written(target);
            let place = Place::of(&target, &look.knowledge.links);
            place == Place::Share(Reach::Outside)
                && dde::runs(&last_step(&target).to_lowercase(), look.knowledge)
        });
        if outside.is_some() {
            plain = false;
            findings.report(Found::new("shortcut-lnk", &command).variant("remote-program"));
        }
        if is_padded(arguments) {
            plain = false;
            let what = format!("{} characters: {command}", arguments.chars().count());
            findings.report(Found::new("shortcut-lnk", &what).variant("padded-arguments"));
        }
    }
    let appended = look
        .children()
        .iter()
        .find(|child| child.via == Some("appended"));
    if let Some(child) = appended {
        plain = false;
        let what = format!(
            "{} bytes behind its end: {}",
            child.data.len(),
            child.kind.describe()
        );
        let found = Found::new("shortcut-lnk", &what).variant("appended-payload");
        findings.report(match &child.at {
            Some(at) => found.at(at.start),
            None => found,
        });
    }
    if plain {
        findings.report(Found::new("shortcut-lnk", &command));
    }
}

/// Whether what the file manager is given is more than a folder or document to show: a program, a namespace, a host.
fn runs_something(arguments: &str, known: &CommandKnowledge) -> bool {
    let lower = arguments.trim().to_lowercase();
    let shown = lower.trim_start_matches("/root,").trim_matches('"');
    let elsewhere = ["http:", "https:", "shell:", "\\\\", "::{", "search-ms:"];
    let program = command_line::program(shown);
    elsewhere.iter().any(|start| shown.starts_with(start))
        || known.interpreters.contains(&program)
        || RUNS.iter().any(|end| shown.ends_with(end))
}

/// Runs of blanks as one.
fn squeezed(text: &str) -> String {
    text.split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn is_padded(arguments: &str) -> bool {
    let mut run = 0usize;
    for c in arguments.chars() {
        let blank = c.is_whitespace() || c.is_control() || crate::text::is_deceptive(c);
        run = if blank { run.saturating_add(1) } else { 0 };
        if run >= PADDING {
            return true;
        }
    }
    arguments.chars().count() > SHOWN
}

#[cfg(test)]
mod tests {
    use super::super::tests::{artifact, findings_of};
    use super::*;

    fn found(target: &str, arguments: &str) -> Vec<&'static str> {
        let mut file = artifact(Kind::Lnk);
        file.facts = vec![Fact::Shortcut {
            targets: vec![target.to_owned()],
            arguments: arguments.to_owned(),
            minimized: false,
            icon: None,
        }];
        findings_of("shortcut", &[file])
            .into_iter()
            .map(|(_, severity)| severity)
            .collect()
    }

    #[test]
    fn an_ordinary_shortcut_is_medium_and_one_to_an_interpreter_critical() {
        assert_eq!(found("C:\\Windows\\notepad.exe", "C:\\a b.txt"), ["medium"]);
        assert_eq!(found("D:\\報告書.docx", ""), ["medium"]);
        let explorer = "C:\\Windows\\explorer.exe";
        assert_eq!(found(explorer, "C:\\報告"), ["medium"]);
        assert_eq!(found(explorer, "\"\\\\192.0.2.1\\a\""), ["critical"]);
        assert_eq!(found(explorer, "/root,\"a\\b.exe\""), ["critical"]);
        assert_eq!(found("xcopy.exe", "a b"), ["critical"]);
        assert_eq!(found("\\\\203.0.113.5\\s\\setup.exe", ""), ["critical"]);
        assert_eq!(found("\\\\host.example@SSL\\a\\b.js", ""), ["critical"]);
        assert_eq!(found("\\\\fileserver\\s\\setup.exe", ""), ["medium"]);
        assert_eq!(found("\\\\203.0.113.5\\s\\list.xlsx", ""), ["medium"]);
        assert_eq!(found("%ComSpec%", "/c echo"), ["critical"]);
        assert_eq!(found("C:\\Windows\\System32\\mshta.exe", ""), ["critical"]);
        assert_eq!(
            found("notepad.exe", &format!("{}x", " ".repeat(200))),
            ["critical"]
        );
        assert_eq!(found("notepad.exe", &"x".repeat(300)), ["critical"]);
    }
}
