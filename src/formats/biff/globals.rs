//! The first substream of a workbook: sheets, names, links ([MS-XLS] 2.1.7.20.3).

use super::strings::{characters, short};
use super::{BOFS, Records, position};
use crate::bytes::{Deviation, Reader, Short, u16_at};
use crate::formats::xlm::{
    Biff, DefinedName, Link, Names, SheetKind, Update, Visibility, Workbook, formula_text,
};
use crate::limits::{Budget, Halt};

/// Names, sheets and links of one workbook that are read.
const LISTED: usize = 20_000;

/// A sheet as the globals list it (2.4.28).
#[derive(Debug, Clone)]
pub(super) struct Bound {
    pub(super) offset: usize,
    pub(super) name: String,
    pub(super) kind: SheetKind,
    pub(super) visibility: Visibility,
}

/// A name and the tokens of its formula.
#[derive(Debug, Clone)]
struct Label {
    at: usize,
    name: String,
    hidden: bool,
    tokens: Vec<u8>,
}

/// A supporting link (2.4.271) with its names.
#[derive(Debug, Clone, Default)]
struct Supporting {
    path: Path,
    names: Vec<(String, Update)>,
    /// Whether its names are those of linked objects.
    object: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Path {
    /// This workbook.
    #[default]
    Own,
    /// Functions of an add-in.
    AddIn,
    /// A path as it stands in the record, encoded.
    Other(String),
}

/// What the globals say.
#[derive(Debug, Clone)]
pub(super) struct Globals {
    pub(super) biff: Biff,
    pub(super) sheets: Vec<Bound>,
    /// What numbers in tokens stand for.
    pub(super) names: Names,
    /// Offset of the table of shared strings.
    pub(super) strings: Option<usize>,
    /// Where the substream ends.
    pub(super) end: usize,
    labels: Vec<Label>,
    supporting: Vec<Supporting>,
    references: Vec<(u16, u16)>,
    deviations: Vec<Deviation>,
}

impl Globals {
    /// Reads the substream that starts at an offset; `None` where it is encrypted.
    pub(super) fn read(
        stream: &[u8],
        at: usize,
        biff: Biff,
        budget: &Budget,
    ) -> Result<Option<Self>, Halt> {
        let mut globals = Self {
            biff,
            sheets: Vec::new(),
            names: Names::default(),
            strings: None,
            end: stream.len(),
            labels: Vec::new(),
            supporting: Vec::new(),
            references: Vec::new(),
            deviations: Vec::new(),
        };
        for record in Records::at(stream, at).skip(1) {
            budget.tick()?;
            globals.end = record
                .at
                .saturating_add(record.body.len())
                .saturating_add(4);
            let short = match record.id {
                0x002f => return Ok(None),
                0x000a => break,
                // A sheet begins: the globals lack their end.
                id if BOFS.contains(&id) && !globals.sheets.is_empty() => {
                    globals.end = record.at;
                    break;
                }
                0x0042 => {
                    if let (Biff::Five(_), Some(page)) = (globals.biff, u16_at(record.body, 0)) {
                        globals.biff = Biff::Five(page);
                    }
                    Ok(())
                }
                0x0085 if globals.sheets.len() < LISTED => globals.sheet(record.body),
                0x0018 if globals.labels.len() < LISTED => globals.label(record.at, record.body),
                0x0017 => globals.extern_sheet(record.body),
                0x01ae if globals.supporting.len() < LISTED => globals.link(record.body),
                0x0023 => globals.extern_name(record.body),
                0x00fc => {
                    globals.strings = Some(record.at);
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(short) = short {
                globals
                    .deviations
                    .push(Deviation::new(record.at, short.to_string()));
            }
        }
        globals.settle();
        Ok(Some(globals))
    }

    fn sheet(&mut self, body: &[u8]) -> Result<(), Short> {
        let mut reader = Reader::new(body);
        let offset = position(reader.u32("position of the sheet")?);
        let visibility = match reader.u8("state of the sheet")? & 3 {
            0 => Visibility::Visible,
            1 => Visibility::Hidden,
            _ => Visibility::VeryHidden,
        };
        let kind = match reader.u8("kind of the sheet")? {
            0 => SheetKind::Worksheet,
            1 => SheetKind::Macro,
            _ => SheetKind::Other,
        };
        let name = short(&mut reader, self.biff)?;
        self.sheets.push(Bound {
            offset,
            name,
            kind,
            visibility,
        });
        Ok(())
    }

    /// Lbl (2.4.150).
    fn label(&mut self, at: usize, body: &[u8]) -> Result<(), Short> {
        let mut reader = Reader::new(body);
        let flags = reader.u16("flags of the name")?;
        reader.skip("shortcut key", 1)?;
        let len = usize::from(reader.u8("length of the name")?);
        let tokens = usize::from(reader.u16("size of its formula")?);
        reader.skip("sheet of the name", 8)?;
        let name = characters(&mut reader, len, self.biff)?;
        let built_in = flags & 0x20 != 0;
        let tokens = match reader.take("formula of the name", tokens) {
            Ok(tokens) => tokens,
            Err(_) => reader.rest(),
        };
        self.labels.push(Label {
            at,
            name: if built_in { built_in_name(&name) } else { name },
            hidden: flags & 1 != 0,
            tokens: tokens.to_vec(),
        });
        Ok(())
    }

    /// ExternSheet (2.4.106); in BIFF5 a name for each sheet, in BIFF8 a table.
    fn extern_sheet(&mut self, body: &[u8]) -> Result<(), Short> {
        let mut reader = Reader::new(body);
        if let Biff::Five(_) = self.biff {
            // The length does not count the mark in front; nothing else stands in the record.
            reader.skip("text length", 1)?;
            let len = reader.remaining();
            let name = characters(&mut reader, len, self.biff)?;
            let own = name.strip_prefix('\u{3}').map(str::to_owned);
            self.names
                .externs
                .push(own.clone().unwrap_or_else(|| file_name(&name)));
            if own.is_none() && name.chars().count() > 1 {
                self.supporting.push(Supporting {
                    path: Path::Other(name),
                    ..Supporting::default()
                });
            }
            return Ok(());
        }
        let count = usize::from(reader.u16("references")?);
        for _ in 0..count {
            let (link, first) = (reader.u16("link")?, reader.u16("first sheet")?);
            reader.skip("last sheet", 2)?;
            self.references.push((link, first));
        }
        Ok(())
    }

    /// SupBook (2.4.271).
    fn link(&mut self, body: &[u8]) -> Result<(), Short> {
        let mut reader = Reader::new(body);
        reader.skip("count of sheets", 2)?;
        let len = reader.u16("length of the path")?;
        let path = match len {
            0x0401 => Path::Own,
            0x3a01 => Path::AddIn,
            len => Path::Other(characters(&mut reader, usize::from(len), self.biff)?),
        };
        self.supporting.push(Supporting {
            path,
            ..Supporting::default()
        });
        Ok(())
    }

    /// ExternName (2.4.105): a name of the link before it.
    fn extern_name(&mut self, body: &[u8]) -> Result<(), Short> {
        let mut reader = Reader::new(body);
        let flags = reader.u16("flags of the name")?;
        reader.skip("options of the name", 4)?;
        let name = short(&mut reader, self.biff)?;
        let update = if flags & 2 != 0 {
            Update::Automatic
        } else {
            Update::Manual
        };
        if let Some(link) = self
            .supporting
            .last_mut()
            .filter(|link| link.names.len() < LISTED)
        {
            link.names.push((name, update));
            link.object |= flags & 0x10 != 0;
        }
        Ok(())
    }

    /// Puts together what numbers in tokens stand for.
    fn settle(&mut self) {
        self.names.defined = self.labels.iter().map(|label| label.name.clone()).collect();
        self.names.sheets = self.sheets.iter().map(|sheet| sheet.name.clone()).collect();
        for (number, (link, first)) in self.references.iter().enumerate() {
            let supporting = self.supporting.get(usize::from(*link));
            let own = self.names.sheets.get(usize::from(*first));
            let name = match supporting.map(|link| &link.path) {
                Some(Path::Own) => own.cloned().unwrap_or_else(|| "#REF".to_owned()),
                Some(Path::AddIn) => "[add-in]".to_owned(),
                Some(Path::Other(path)) => {
                    format!("[{}]", file_name(path).trim_matches(['[', ']']))
                }
                None => "#REF".to_owned(),
            };
            self.names.externs.push(name);
            for (at, (name, _)) in supporting
                .iter()
                .flat_map(|link| link.names.iter().enumerate())
            {
                if self.names.extern_names.len() < LISTED {
                    self.names
                        .extern_names
                        .insert((number, at.saturating_add(1)), name.clone());
                }
            }
        }
        let labels = self.labels.iter().enumerate();
        for (number, (link, _)) in self.references.iter().enumerate() {
            if self
                .supporting
                .get(usize::from(*link))
                .is_some_and(|link| link.path == Path::Own)
                && self.names.extern_names.len() < LISTED
            {
                let own = labels
                    .clone()
                    .map(|(at, label)| ((number, at.saturating_add(1)), label.name.clone()));
                self.names.extern_names.extend(own.take(LISTED));
            }
        }
    }

    /// Hands names and links to the workbook.
    pub(super) fn finish(&self, book: &mut Workbook) {
        for label in &self.labels {
            let (formula, whole) = formula_text(&label.tokens, &[], self.biff, (0, 0), &self.names);
            if !whole {
                let what = format!("name {}: its formula breaks off", label.name);
                book.deviations.push(Deviation::new(label.at, what));
            }
            book.names.push(DefinedName {
                name: label.name.clone(),
                formula,
                visibility: if label.hidden {
                    Visibility::Hidden
                } else {
                    Visibility::Visible
                },
            });
        }
        for link in &self.supporting {
            if let Path::Other(path) = &link.path {
                book.links.extend(target(path, link));
            }
        }
        book.deviations.extend(self.deviations.iter().cloned());
    }
}

/// What a path leads to: a conversation has its program and topic on both sides of a mark, a file starts with one.
fn target(path: &str, link: &Supporting) -> Option<Link> {
    let both = path.split_once('\u{3}');
    if let Some((service, topic)) =
        both.filter(|(service, _)| !service.is_empty() && !service.starts_with('\u{1}'))
    {
        if link.object {
            return Some(Link::Object(file_name(topic)));
        }
        return Some(Link::Exchange {
            service: service.to_owned(),
            topic: topic.to_owned(),
            items: link.names.clone(),
        });
    }
    let file = file_name(path);
    (!file.trim().is_empty()).then_some(Link::File(file))
}

/// The names that Excel builds in (2.5.114), by their English words.
fn built_in_name(name: &str) -> String {
    const NAMES: [&str; 14] = [
        "Consolidate_Area",
        "Auto_Open",
        "Auto_Close",
        "Extract",
        "Database",
        "Criteria",
        "Print_Area",
        "Print_Titles",
        "Recorder",
        "Data_Form",
        "Auto_Activate",
        "Auto_Deactivate",
        "Sheet_Title",
        "_FilterDatabase",
    ];
    let number = name
        .chars()
        .next()
        .and_then(|c| usize::try_from(u32::from(c)).ok());
    match number.and_then(|number| NAMES.get(number)) {
        Some(known) => (*known).to_owned(),
        None => name.to_owned(),
    }
}

/// A virtual path (2.5.277) as a path or an address.
fn file_name(path: &str) -> String {
    let Some(encoded) = path.strip_prefix('\u{1}') else {
        return path.to_owned();
    };
    // A long path stands there as it is, behind its length.
    if let Some(plain) = encoded.strip_prefix('\u{5}') {
        return plain.chars().skip(1).collect();
    }
    let mut out = String::new();
    let mut characters = encoded.chars();
    while let Some(c) = characters.next() {
        match c {
            '\u{1}' => match characters.next() {
                Some('@') => out.push_str("\\\\"),
                Some(drive) => out.extend([drive, ':', '\\']),
                None => {}
            },
            '\u{2}' | '\u{3}' => out.push('\\'),
            '\u{4}' => out.push_str("..\\"),
            // The folders of Excel itself.
            '\u{6}'..='\u{8}' => {}
            c => out.push(c),
        }
    }
    out
}
