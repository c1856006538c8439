//! Excel 4 macros of workbook streams, in compound files and by themselves ([MS-XLS]), and of SYLK files: their formulas
//! as text are a child. Hidden sheets and links to the outside are facts on the workbook.

use crate::formats::biff::{self, Reach};
use crate::formats::ole::ObjectType;
use crate::formats::sylk;
use crate::formats::xlm::{Link, SheetKind, Update, Visibility, Workbook};
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Hiding, Kind, Name, Role, Trouble};
use crate::text;

use super::{Child, Nest};

/// How the formulas of a workbook are reached.
const FORMULAS: &str = "xlm-formulas";

/// How the formulas of a SYLK file are.
const SYLK: &str = "sylk-formulas";

/// Facts of one kind about one workbook that are noted.
const NOTED: usize = 64;

/// Reads every workbook stream of a compound file, wherever it stands.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if !mentions_book(&artifact.data) {
        return Ok(());
    }
    let mut ole = super::ole::open(artifact, nest)?;
    for position in 0..ole.entries().len() {
        nest.tick()?;
        let Some(entry) = ole.entries().get(position) else {
            break;
        };
        let is_book =
            entry.name.eq_ignore_ascii_case("Workbook") || entry.name.eq_ignore_ascii_case("Book");
        if entry.object_type != ObjectType::Stream || !is_book || entry.size == 0 {
            continue;
        }
        let path = ole.path(position);
        let stream = match ole.stream(position) {
            Ok(stream) => stream,
            Err(halt @ Halt::Ceiling(_)) => {
                nest.note(Fact::Limit { halt, what: path });
                return Ok(());
            }
            Err(halt) => return Err(halt.into()),
        };
        if let Some((book, Reach::Whole)) = biff::read(&stream.data, nest.budget())? {
            tell(&book, &path, FORMULAS, nest)?;
            super::doc::note_pictures(&stream.data, nest)?;
        }
    }
    Ok(())
}

/// Reads a workbook stream that stands by itself.
pub(super) fn run_stream(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    match biff::read(&artifact.data, nest.budget())? {
        None => Err(Trouble::NotThis("no workbook stream".to_owned())),
        // Its document tells it.
        Some((_, Reach::Locked)) if artifact.via == Some("ole-stream") => Ok(()),
        Some((_, Reach::Locked)) => {
            nest.note(Fact::Locked {
                scheme: "workbook encryption".to_owned(),
                what: None,
            });
            Ok(())
        }
        Some((book, Reach::Whole)) => tell(&book, "sheet", FORMULAS, nest),
    }
}

/// Reads a SYLK file.
pub(super) fn run_sylk(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let book = sylk::read(&artifact.data, nest.budget())?;
    tell(&book, "SYLK", SYLK, nest)
}

/// Whether any name in the file may be that of a workbook stream: a look at the bytes is cheaper than one at the directory.
fn mentions_book(data: &[u8]) -> bool {
    [b"o\0o\0k\0", b"O\0O\0K\0"]
        .iter()
        .any(|end| memchr::memmem::find(data, end.as_slice()).is_some())
}

/// Notes what a workbook has, and pushes its macros where it has any.
pub(super) fn tell(
    book: &Workbook,
    place: &str,
    via: &'static str,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    for deviation in book.deviations.iter().take(NOTED) {
        let what = text::excerpt(&format!(
            "{place}: {} (at {} of it)",
            deviation.what, deviation.at
        ));
        nest.note(Fact::Deviation { at: None, what });
    }
    for unread in book.unread.iter().take(NOTED) {
        let what = text::excerpt(&format!("{place}: {}", unread.what));
        nest.note(Fact::Unread { at: None, what });
    }
    let hidden = book.sheets.iter().filter_map(|sheet| {
        let how = match sheet.visibility {
            Visibility::Visible => return None,
            Visibility::Hidden => Hiding::Hidden,
            Visibility::VeryHidden => Hiding::VeryHidden,
        };
        let kind = if sheet.kind == SheetKind::Macro {
            "macro sheet "
        } else {
            ""
        };
        Some(Fact::HiddenSheet {
            name: format!("{kind}{}", sheet.name),
            how,
        })
    });
    let links = book.links.iter().flat_map(link_facts);
    for fact in hidden.take(NOTED).chain(links.take(NOTED)) {
        // A file may hold the same workbook for two versions of Excel.
        if !nest.facts.contains(&fact) {
            nest.note(fact);
        }
    }
    if book.has_macros() {
        let child = Child::new(via, book.source().into_bytes())
            .named(Name::of("Excel 4 macros"))
            .of_kind(Kind::XlmSource);
        nest.push(child)?;
    }
    Ok(())
}

fn link_facts(link: &Link) -> Vec<Fact> {
    let external = |role, target: &String| {
        vec![Fact::External {
            at: None,
            role,
            target: target.clone(),
        }]
    };
    match link {
        Link::File(path) => external(Role::Workbook, path),
        Link::Object(path) => external(Role::OleObject, path),
        Link::Click(target) => external(Role::Link, target),
        Link::Exchange {
            service,
            topic,
            items,
        } => {
            let items = items.iter().filter(|(item, _)| item != "StdDocumentName");
            let mut facts: Vec<Fact> = items
                .take(NOTED)
                .map(|(item, update)| Fact::Dde {
                    at: None,
                    command: format!("{service} {topic} {item}"),
                    automatic: *update == Update::Automatic,
                })
                .collect();
            if facts.is_empty() {
                facts.push(Fact::Dde {
                    at: None,
                    command: format!("{service} {topic}"),
                    automatic: false,
                });
            }
            facts
        }
    }
}
