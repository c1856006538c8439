//! Consoles of the Microsoft Management Console (`.msc`): script in their texts, and tasks that run a command.
//!
//! The console shows pages in a program that may start others: a text of the console that is a script, or the address
//! of a page of Windows that runs a script given to it, is enough. A page from elsewhere may do the same with what the
//! console hands to it, once it is shown.

use super::place::percent_decoded;
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::{base64, command_line, xml};
use crate::model::{IocType, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "console",
    kinds: &[Kind::Msc],
    sees: Sees::Content,
    findings: &["msc-console"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let knowledge = &look.knowledge.commands;
    for element in xml::elements(&text::to_utf8(&look.artifact.data)) {
        let values = element.attributes.iter().map(|(_, value)| value);
        for value in values.clone().chain([&element.text]) {
            let plain = unescaped(value);
            if let Some(at) = script_in(&plain, &knowledge.console_scripts) {
                let found = Found::new("msc-console", plain.get(at..).unwrap_or_default());
                findings.report(found.at(element.at));
                break;
            }
            if let Some(address) = address(plain.trim()) {
                let found = Found::new("msc-console", address).variant("address");
                findings.report(found.at(element.at));
                break;
            }
        }
        if element.name.eq_ignore_ascii_case("binary")
            && let Some(address) = stored_address(&element.text)
        {
            let found = Found::new("msc-console", &address).variant("address");
            findings.report(found.at(element.at));
        }
        // A task of a taskpad: its command line stands in two attributes.
        let of = |name: &str| element.attribute(name).unwrap_or_default();
        let line = format!("{} {}", of("command"), of("params"));
        let program = command_line::program(of("command"));
        if knowledge.interpreters.contains(&program) {
            findings.ioc(IocType::Command, line.trim());
            findings.report(Found::new("msc-console", line.trim()).at(element.at));
        }
    }
}

/// References and percent signs resolved, as often as a page that is handed on may need it.
fn unescaped(value: &str) -> String {
    let mut plain = value.to_owned();
    for _ in 0..3 {
        let next = percent_decoded(&xml::unescape(&plain));
        if next == plain {
            break;
        }
        plain = next;
    }
    plain
}

/// The text where it is the address of a page and nothing else; names of schemas are told apart by what they name.
fn address(text: &str) -> Option<&str> {
    let lower = text
        .get(..text.floor_char_boundary(40))?
        .to_ascii_lowercase();
    let page = ["http://", "https://", "file://", "\\\\"]
        .iter()
        .any(|start| lower.len() > start.len() && lower.starts_with(start));
    let schema = lower.starts_with("http://schemas.") || lower.starts_with("http://www.w3.org/");
    (page && !schema && !text.contains(char::is_whitespace)).then_some(text)
}

/// The address of a page in what a snap-in keeps: base64 of its stream, with texts in UTF-16.
fn stored_address(text: &str) -> Option<String> {
    let stored = base64::decode(text.as_bytes()).data;
    let at = memchr::memmem::find(&stored, b"h\0t\0t\0p\0")?;
    let (pairs, _) = stored.get(at..)?.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_le_bytes(*pair));
    let units: Vec<u16> = units.take_while(|unit| *unit > 32).take(1024).collect();
    let found = String::from_utf16_lossy(&units);
    address(&found).map(str::to_owned)
}

/// Where a text starts to be script.
fn script_in(text: &str, marks: &[String]) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    marks
        .iter()
        .filter_map(|mark| lower.find(mark.as_str()))
        .min()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    #[test]
    fn consoles_with_script_or_a_command_are_found_and_others_are_not() {
        let found = |inner: &str| {
            let xml = format!(
                "<?xml version=\"1.0\"?><MMC_ConsoleFile ConsoleVersion=\"3.0\">{inner}</MMC_ConsoleFile>"
            );
            findings_of("console", &[holding(Kind::Msc, xml.as_bytes())]).len()
        };
        assert_eq!(
            found(
                "<StringTables><Strings><String ID=\"1\">res://apds.dll/redirect.html?target=javascript:eval(x)</String></Strings></StringTables>"
            ),
            1
        );
        assert_eq!(
            found("<String>&lt;script language=&quot;VBScript&quot;&gt;x&lt;/script&gt;</String>"),
            1
        );
        assert_eq!(
            found(
                "<Task Type=\"CommandLine\" Command=\"C:\\Windows\\System32\\cmd.exe\"><x Params=\"/c calc\"/></Task>"
            ),
            1
        );
        for page in [
            "<String ID=\"5\" Refs=\"2\"> http&#58;//example.invalid/a.html </String>",
            "<String ID=\"5\">\\\\example.invalid\\s\\a.html</String>",
            // A byte, the address in UTF-16, a zero.
            "<Binary Name=\"a\">AWgAdAB0AHAAOgAvAC8AYQAuAGkAbgB2AGEAbABpAGQALwAAAA==</Binary>",
        ] {
            assert_eq!(found(page), 1, "{page}");
        }
        for text in [
            "<String>See http://example.invalid/ for help</String>",
            "<x xmlns=\"http://schemas.microsoft.com/mmc\"/>",
            "<Binary>AAEAAgADAAQABQAGAAcACAA=</Binary>",
        ] {
            assert_eq!(found(text), 0, "{text}");
        }
        assert_eq!(
            found(
                "<String>Favorites</String><String>Event Viewer (Local)</String><Task Command=\"eventvwr.exe\"/>"
            ),
            0
        );
    }
}
