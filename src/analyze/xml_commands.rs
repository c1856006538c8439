//! Small XML files that run something: tasks of Windows, configurations of Windows Sandbox, types and formats of PowerShell;
//! of macOS settings of the Terminal with a command, and links to places (`.webloc`) that are no pages.

use std::borrow::Cow;
use std::sync::LazyLock;

use super::command_lines;
use super::place::{Place, plain};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::xml;
use crate::model::{IocType, Kind};
use crate::text::{self, AnyOf};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "xml_commands",
    kinds: &[Kind::Xml],
    sees: Sees::Place,
    findings: &[
        "script",
        "internet-shortcut",
        "powershell-command",
        "lolbin-command",
    ],
    run,
};

/// Elements of PowerShell's files that hold code (about_Types.ps1xml, about_Format.ps1xml), in lower case.
const CODE: &[&str] = &["scriptblock", "getscriptblock", "setscriptblock"];

/// The end of the namespace of tasks.
const TASK: &str = "windows/2004/02/mit/task";

/// What such files have.
static MARKS: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::new(&["LogonCommand", "<plist", TASK]));

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let source = text::to_utf8(&look.artifact.data);
    code(&source, findings);
    if !MARKS.is_in(source.as_bytes()) {
        return;
    }
    let has = |word: &str| memchr::memmem::find(source.as_bytes(), word.as_bytes()).is_some();
    if has("<plist") && (has("CommandString") || has("URL")) {
        properties(look, &source, findings);
    }
    let (sandbox, task) = (has("LogonCommand"), has(TASK));
    if !sandbox && !task {
        return;
    }
    let elements = || xml::elements(&source);
    let root = elements().next().map(|one| one.name).unwrap_or_default();
    if sandbox && root == "configuration" {
        // Within the command that is run at the start of the sandbox, which reads the folders that it is given.
        let mut commands = elements().skip_while(|one| one.name != "logoncommand");
        if let Some(command) =
            commands.find(|one| one.name == "command" && !one.text.trim().is_empty())
        {
            findings.ioc(IocType::Command, command.text.trim());
            let shown = format!("Windows Sandbox: {}", command.text.trim());
            findings.report(
                Found::new("script", &shown)
                    .variant("starts-process")
                    .at(command.at),
            );
        }
    }
    if task && root == "task" {
        let offset = |at| matches!(source, Cow::Borrowed(_)).then_some(at);
        scheduled(look, elements(), offset, findings);
    }
}

/// Code in types and formats of PowerShell, which compares names without their case.
fn code(source: &str, findings: &mut Findings<'_>) {
    let root = xml::elements(source).next().map(|one| one.name);
    if !matches!(root.as_deref(), Some("types" | "configuration")) {
        return;
    }
    let holds =
        |one: &xml::Element| CODE.contains(&one.name.as_str()) && !one.text.trim().is_empty();
    if let Some(code) = xml::elements(source).find(holds) {
        let shown = format!("PowerShell types: {}", code.text.trim());
        findings.report(Found::new("script", &shown).at(code.at));
    }
}

/// Programs that a task starts ([MS-TSCH] 2.5.5, "Exec"): each a command of its own, with its arguments behind it.
fn scheduled(
    look: &Look<'_>,
    elements: impl Iterator<Item = xml::Element>,
    offset: impl Fn(usize) -> Option<usize>,
    findings: &mut Findings<'_>,
) {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for element in elements {
        let text = element.text.trim();
        match (element.name.as_str(), lines.last_mut()) {
            ("command", _) if !text.is_empty() => lines.push((element.at, text.to_owned())),
            ("arguments", Some((_, line))) if !text.is_empty() => {
                line.push(' ');
                line.push_str(text);
            }
            _ => {}
        }
    }
    for (at, line) in &lines {
        findings.ioc(IocType::Command, line);
        let mut found = Found::new("script", &format!("task: {line}"));
        found = match offset(*at) {
            Some(at) => found.at(at),
            None => found,
        };
        findings.report(found);
    }
    command_lines::judge(look, findings, &lines);
}

/// Property lists of macOS: a command that the Terminal runs when it opens its settings, a link that opens a file or a share.
fn properties(look: &Look<'_>, source: &str, findings: &mut Findings<'_>) {
    let mut keys = 0usize;
    let mut key = String::new();
    let mut link = None;
    for value in xml::elements(source) {
        let before = std::mem::take(&mut key);
        let text = value.text.trim();
        match (value.name.as_str(), before.as_str()) {
            ("key", _) => {
                keys = keys.saturating_add(1);
                text.clone_into(&mut key);
            }
            ("string", "CommandString") if !text.is_empty() => {
                findings.ioc(IocType::Command, text);
                let found = Found::new("script", &format!("Terminal: {text}"));
                findings.report(found.variant("starts-process").at(value.at));
            }
            ("string", "URL") => link = Some((plain(text), value.at)),
            _ => {}
        }
    }
    // A link has no other property.
    let Some((target, at)) = link.filter(|_| keys == 1) else {
        return;
    };
    let place = Place::of(&target, &look.knowledge.links);
    if matches!(place, Place::Share(_) | Place::Local | Place::Moniker) {
        let found = Found::new("internet-shortcut", &format!("URL={target}"));
        findings.report(found.variant("remote-file").at(at));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    fn found(source: &str) -> Vec<&'static str> {
        let found = findings_of("xml_commands", &[holding(Kind::Xml, source.as_bytes())]);
        found.into_iter().map(|(_, severity)| severity).collect()
    }

    #[test]
    fn commands_and_code_are_told() {
        assert_eq!(
            found(
                "<Configuration><LogonCommand><Command>cmd.exe /c a.bat</Command></LogonCommand></Configuration>"
            ),
            ["critical"]
        );
        assert!(
            found("<Configuration><VGpu>Disable</VGpu><Command>a</Command></Configuration>")
                .is_empty()
        );
        assert_eq!(
            found(
                "<Types><Type><Members><ScriptProperty><GetScriptBlock>Get-Date</GetScriptBlock></ScriptProperty></Members></Type></Types>"
            ),
            ["medium"]
        );
        let task = |command: &str| {
            found(&format!(
                "<Task xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\"><Actions><Exec>{command}</Exec></Actions></Task>"
            ))
        };
        assert_eq!(task("<Command>C:\\a.exe</Command>"), ["medium"]);
        let hidden =
            "<Command>powershell.exe</Command><Arguments>-w hidden -enc SQBFAFgA</Arguments>";
        assert!(task(hidden).contains(&"critical"));
        assert!(task("<Command/>").is_empty());
        assert!(found("<Task><Exec><Command>a</Command></Exec></Task>").is_empty());
        assert!(found("<doc><GetScriptBlock>is an element</GetScriptBlock></doc>").is_empty());
        let list = |key: &str, value: &str| {
            found(&format!(
                "<plist version=\"1.0\"><dict><key>{key}</key><string>{value}</string></dict></plist>"
            ))
        };
        assert_eq!(list("CommandString", "curl a|sh"), ["critical"]);
        assert_eq!(
            list("URL", "file:///Applications/Utilities/Terminal.app"),
            ["medium"]
        );
        assert_eq!(list("URL", "smb://192.0.2.1/s"), ["medium"]);
        assert!(list("URL", "https://www.example.com/").is_empty());
        assert!(list("CFBundleName", "Terminal").is_empty());
        assert!(list("CommandString", "").is_empty());
    }
}
