//! Small XML files of Windows that run something: configurations of Windows Sandbox, types and formats of PowerShell.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::xml;
use crate::model::{IocType, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "xml_commands",
    kinds: &[Kind::Xml],
    sees: Sees::Place,
    findings: &["script"],
    run,
};

/// Bytes that are read: such files are written by hand.
const LONGEST: usize = 1 << 20;

/// Elements that are read.
const ELEMENTS: usize = 4096;

/// Elements of PowerShell's files that hold code (about_Types.ps1xml, about_Format.ps1xml), in lower case.
const CODE: &[&str] = &["scriptblock", "getscriptblock", "setscriptblock"];

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let data = &look.artifact.data;
    let lower = data.get(..LONGEST).unwrap_or(data).to_ascii_lowercase();
    let has = |word: &str| memchr::memmem::find(&lower, word.as_bytes()).is_some();
    let (sandbox, shell) = (has("<logoncommand"), has("scriptblock>"));
    if !sandbox && !shell {
        return;
    }
    let source = text::to_utf8(data.get(..LONGEST).unwrap_or(data));
    let elements = xml::elements(&source, ELEMENTS);
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
    }
}
