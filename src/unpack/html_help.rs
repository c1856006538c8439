//! Pages of HTML Help that start a program: the control's command `ShortCut`, which a script of the page may press.
//!
//! The control takes `Item1` as window class, program and arguments with commas between them; the program and its
//! arguments become a child of their own.

use crate::formats::html;
use crate::model::{Artifact, Kind, Trouble};
use crate::text;

use super::{Child, Nest};

/// Kinds that are looked into.
pub(super) const KINDS: &[Kind] = &[Kind::Html];

/// The class of the control (hhctrl.ocx).
const CONTROL: &str = "adb880a6-d8ff-11cf-9377-00aa003b7a11";

/// Pushes the command lines of the page's controls.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let control = CONTROL.as_bytes();
    // A page without the class is not read twice.
    let named = |part: &[u8]| part.eq_ignore_ascii_case(control);
    let dash = memchr::memchr_iter(b'-', &artifact.data);
    let mut starts = dash.filter_map(|at| at.checked_sub(8));
    let wide = artifact.data.starts_with(b"\xff\xfe") || artifact.data.starts_with(b"\xfe\xff");
    let near = |start: usize| {
        let end = start.checked_add(control.len())?;
        artifact.data.get(start..end)
    };
    if !wide && !starts.any(|start| near(start).is_some_and(named)) {
        return Ok(());
    }
    let source = text::to_utf8(&artifact.data);
    let mut inside = false;
    let mut item = None;
    let mut starts_program = false;
    for tag in html::tags(&source) {
        nest.tick()?;
        match tag.name.as_ref() {
            "object" => {
                let class = tag.attribute("classid").unwrap_or_default();
                inside = class.to_ascii_lowercase().contains(CONTROL);
                item = None;
                starts_program = false;
            }
            "param" if inside => {
                let name = tag.attribute("name").unwrap_or_default();
                let value = tag.attribute("value").unwrap_or_default();
                if name.eq_ignore_ascii_case("command") {
                    starts_program = value.to_ascii_lowercase().contains("shortcut");
                } else if name.eq_ignore_ascii_case("item1") {
                    item = Some(command(&value));
                }
            }
            _ => {}
        }
        if starts_program && let Some(command) = item.take() {
            nest.push(Child::new("help-shortcut", command.into_bytes()).of_kind(Kind::Bat))?;
        }
    }
    Ok(())
}

/// Program and arguments as one command line.
fn command(item: &str) -> String {
    let program = item.split_once(',').map_or(item, |(_, program)| program);
    program.replacen(',', " ", 1).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use crate::model::Kind;

    const PAGE: &str = "<html><body><OBJECT id=x type=\"application/x-oleobject\" classid=\"clsid:ADB880A6-D8FF-11CF-9377-00AA003B7A11\" width=1>\
        <PARAM name=\"Command\" value=\"COMMAND\"><PARAM name=\"Item1\" value=\",cmd.exe,/c calc, now\"></OBJECT></body></html>";

    #[test]
    fn the_command_of_a_shortcut_is_a_child() {
        let page = PAGE.replace("COMMAND", "ShortCut");
        let (children, _) = opened("html_help", page.as_bytes());
        assert_eq!(children.len(), 1);
        assert_eq!(children[0].kind, Kind::Bat);
        assert_eq!(&children[0].data[..], b"cmd.exe /c calc, now");
    }

    #[test]
    fn links_to_topics_are_no_commands() {
        let page = PAGE.replace("COMMAND", "Related Topics");
        let (children, _) = opened("html_help", page.as_bytes());
        assert!(children.is_empty());
    }
}
