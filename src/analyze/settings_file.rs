//! Shortcuts to the settings of Windows (`.settingcontent-ms`): one that names something else than a page of them runs it.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::xml;
use crate::model::{IocType, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "settings_file",
    kinds: &[Kind::SettingContentMs],
    sees: Sees::Content,
    findings: &["settingcontent-command"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    for element in xml::elements(&text::to_utf8(&look.artifact.data)) {
        let command = element.text.trim();
        if element.name == "deeplink" && !is_page(command) {
            findings.ioc(IocType::Command, command);
            findings.report(Found::new("settingcontent-command", command).at(element.at));
        }
    }
}

/// Whether a link opens a page of the settings or the control panel, as those that come with Windows do.
fn is_page(link: &str) -> bool {
    let link = link.to_lowercase();
    let harmless = |text: &str| {
        text.chars()
            .all(|c| c.is_alphanumeric() || " ./:-_{}?=".contains(c))
    };
    let panel = link.strip_prefix("%windir%\\system32\\").unwrap_or(&link);
    if let Some(rest) = link.strip_prefix("ms-settings:") {
        return harmless(rest);
    }
    if let Some(rest) = link.strip_prefix("shell:::") {
        return harmless(rest);
    }
    // Applets by name alone: a path behind `control.exe` is a library that it loads.
    let applet = panel
        .strip_prefix("control.exe")
        .or_else(|| panel.strip_prefix("control "))
        .map(str::trim);
    link.is_empty()
        || applet.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with("/name microsoft.") && harmless(rest)
        })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    #[test]
    fn pages_of_the_settings_are_none_and_commands_are() {
        let found = |link: &str| {
            let xml = format!(
                "<PCSettings><SearchableContent><ApplicationInformation><DeepLink>{link}</DeepLink></ApplicationInformation></SearchableContent></PCSettings>"
            );
            findings_of(
                "settings_file",
                &[holding(Kind::SettingContentMs, xml.as_bytes())],
            )
            .len()
        };
        for link in [
            "ms-settings:display",
            "%windir%\\system32\\control.exe /name Microsoft.Mouse",
            "",
        ] {
            assert_eq!(found(link), 0, "{link}");
        }
        for link in [
            "%windir%\\system32\\cmd.exe /c calc",
            "control.exe \\\\192.0.2.1\\a.cpl",
            "%windir%\\system32\\control.exe /name Microsoft.Mouse &amp; calc",
        ] {
            assert_eq!(found(link), 1, "{link}");
        }
    }
}
