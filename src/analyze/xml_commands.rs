//! Small XML files that run something: configurations of Windows Sandbox, types and formats of PowerShell; of macOS settings
//! of the Terminal with a command, and links to places (`.webloc`) that are no pages.

use std::sync::LazyLock;

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
    findings: &["script", "internet-shortcut"],
    run,
};

/// Bytes that are read: such files are written by hand.
const LONGEST: usize = 1 << 20;

/// Elements that are read.
const ELEMENTS: usize = 4096;

/// Elements of PowerShell's files that hold code (about_Types.ps1xml, about_Format.ps1xml), in lower case.
const CODE: &[&str] = &["scriptblock", "getscriptblock", "setscriptblock"];

/// What such files have, in lower case.
static MARKS: LazyLock<AnyOf> =
    LazyLock::new(|| AnyOf::new(&["<logoncommand", "scriptblock>", "<plist"]));

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let data = &look.artifact.data;
    let lower = data.get(..LONGEST).unwrap_or(data).to_ascii_lowercase();
    if !MARKS.is_in(&lower) {
        return;
    }
    let has = |word: &str| memchr::memmem::find(&lower, word.as_bytes()).is_some();
    let (sandbox, shell) = (has("<logoncommand"), has("scriptblock>"));
    let list = has("<plist") && (has("<key>commandstring</key>") || has("<key>url</key>"));
    if !sandbox && !shell && !list {
        return;
    }
    let source = text::to_utf8(data.get(..LONGEST).unwrap_or(data));
    let elements = xml::elements(&source, ELEMENTS);
    if list {
        properties(look, &elements, findings);
    }
    let root = elements
        .first()
        .map(|one| one.name.as_str())
        .unwrap_or_default();
    if sandbox && root == "configuration" {
        // Within the command that is run at the start of the sandbox, which reads the folders that it is given.
        let mut commands = elements.iter().skip_while(|one| one.name != "logoncommand");
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
    if shell && matches!(root, "types" | "configuration") {
        let code = elements
            .iter()
            .find(|one| CODE.contains(&one.name.as_str()) && !one.text.trim().is_empty());
        if let Some(code) = code {
            let shown = format!("PowerShell types: {}", code.text.trim());
            findings.report(Found::new("script", &shown).at(code.at));
        }
    }
}

/// Property lists of macOS: a command that the Terminal runs when it opens its settings, a link that opens a file or a share.
fn properties(look: &Look<'_>, elements: &[xml::Element], findings: &mut Findings<'_>) {
    let keys = elements.iter().filter(|one| one.name == "key").count();
    for pair in elements.windows(2) {
        let [key, value] = pair else {
            continue;
        };
        let text = value.text.trim();
        if key.name != "key" || value.name != "string" || text.is_empty() {
            continue;
        }
        match key.text.trim() {
            "CommandString" => {
                findings.ioc(IocType::Command, text);
                let found = Found::new("script", &format!("Terminal: {text}"));
                findings.report(found.variant("starts-process").at(value.at));
            }
            // A link has no other property.
            "URL" if keys == 1 => {
                let target = plain(text);
                let place = Place::of(&target, &look.knowledge.links);
                if matches!(place, Place::Share(_) | Place::Local | Place::Moniker) {
                    let found = Found::new("internet-shortcut", &format!("URL={target}"));
                    findings.report(found.variant("remote-file").at(value.at));
                }
            }
            _ => {}
        }
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
