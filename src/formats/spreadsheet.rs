//! Parts of Excel workbooks in XML (ECMA-376 part 1, 18.2, 18.3; macro sheets: [MS-OFFMACRO2] 2.2.1.4), as far as macros
//! go. Read with any prefix; an XML that breaks off gives what came before.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::formats::xlm::{Address, Cell, Content, DefinedName, Formula, Node, Visibility};
use crate::formats::xml::unescape;
use crate::limits::{Budget, Halt};
use crate::text;

/// Sheets, names, texts, cells of one part that are kept.
const LISTED: usize = 200_000;

/// Bytes of shared texts that are kept.
const TEXTS: usize = 16 << 20;

/// A sheet as the workbook part lists it (18.2.19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Whether it is shown.
    pub visibility: Visibility,
    /// The relationship that leads to its part.
    pub relation: String,
}

/// What the workbook part says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Globals {
    /// Its sheets.
    pub sheets: Vec<Listed>,
    /// Its names.
    pub names: Vec<DefinedName>,
}

/// One event of interest.
enum Seen<'e> {
    /// A start tag, by its local name.
    Start(&'e str, &'e BytesStart<'e>),
    /// An end tag, or the end of an empty one.
    End(&'e str),
    /// Text.
    Text(String),
}

/// Hands events to `see` until it says stop, or the XML ends or breaks off.
fn walk(xml: &[u8], budget: &Budget, mut see: impl FnMut(Seen<'_>)) -> Result<(), Halt> {
    let xml = text::to_utf8(xml);
    let mut reader = Reader::from_str(&xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    loop {
        budget.tick()?;
        match reader.read_event() {
            Ok(Event::Start(tag)) => see(Seen::Start(tag.local_name().as_ref(), &tag)),
            Ok(Event::Empty(tag)) => {
                let name = tag.local_name();
                see(Seen::Start(name.as_ref(), &tag));
                see(Seen::End(name.as_ref()));
            }
            Ok(Event::End(tag)) => see(Seen::End(tag.local_name().as_ref())),
            Ok(Event::Text(text)) => see(Seen::Text(unescape(&text).into_owned())),
            Ok(Event::CData(text)) => see(Seen::Text(text.to_string())),
            Ok(Event::GeneralRef(entity)) => see(Seen::Text(
                unescape(&format!("&{};", &*entity)).into_owned(),
            )),
            Ok(Event::Eof) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    attributes.with_checks(false);
    let found = attributes
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name);
    found.map(|attribute| unescape(&attribute.value).into_owned())
}

/// Reads the workbook part.
pub fn workbook(xml: &[u8], budget: &Budget) -> Result<Globals, Halt> {
    let mut globals = Globals::default();
    let mut open: Option<DefinedName> = None;
    walk(xml, budget, |seen| match seen {
        Seen::Start("sheet", tag) if globals.sheets.len() < LISTED => {
            let state = attribute(tag, "state").unwrap_or_default();
            let visibility = match state.trim().to_ascii_lowercase().as_str() {
                "hidden" => Visibility::Hidden,
                "veryhidden" => Visibility::VeryHidden,
                _ => Visibility::Visible,
            };
            let name = attribute(tag, "name").unwrap_or_default();
            globals.sheets.push(Listed {
                name,
                visibility,
                relation: attribute(tag, "id").unwrap_or_default(),
            });
        }
        Seen::Start("definedName", tag) if globals.names.len() < LISTED => {
            let name = attribute(tag, "name").unwrap_or_default();
            let hidden = attribute(tag, "hidden")
                .is_some_and(|hidden| matches!(hidden.trim(), "1" | "true" | "on"));
            open = Some(DefinedName {
                name: name.strip_prefix("_xlnm.").unwrap_or(&name).to_owned(),
                formula: String::new(),
                visibility: if hidden {
                    Visibility::Hidden
                } else {
                    Visibility::Visible
                },
            });
        }
        Seen::Text(text) => {
            if let Some(name) = &mut open {
                name.formula.push_str(&text);
            }
        }
        Seen::End("definedName") => globals.names.extend(open.take()),
        Seen::Start(..) | Seen::End(_) => {}
    })?;
    globals.names.extend(open);
    Ok(globals)
}

/// Whether a part is a macro sheet or a dialog, by its root element.
pub fn root(xml: &[u8]) -> Option<String> {
    let head = xml.get(..4096).unwrap_or(xml);
    let head = text::to_utf8(head);
    let mut reader = Reader::from_str(&head);
    // Ends because every event takes bytes of a short text.
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                return Some(tag.local_name().as_ref().to_owned());
            }
            Ok(Event::Eof) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// The cell that is being read.
#[derive(Debug, Default)]
struct Open {
    place: (u32, u32),
    kind: String,
    value: String,
    formula: String,
    has_formula: bool,
    shared: Option<String>,
}

/// The cells of a sheet part: all, or only those at the places (row, column) named.
pub fn cells(
    xml: &[u8],
    shared: &[String],
    named: Option<&BTreeSet<(u32, u32)>>,
    budget: &Budget,
) -> Result<Vec<Cell>, Halt> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut open = None::<Open>;
    let (mut in_value, mut in_formula) = (false, false);
    let (mut row, mut column) = (0u32, 0u32);
    // Shared formulas by their index: the text and the cell that it stands in.
    let mut formulas: BTreeMap<String, (String, (u32, u32))> = BTreeMap::new();
    walk(xml, budget, |seen| match seen {
        Seen::Start("row", tag) => {
            let number = attribute(tag, "r").and_then(|number| number.trim().parse::<u32>().ok());
            row = number.map_or(row.saturating_add(1), |number| number.saturating_sub(1));
            column = 0;
        }
        Seen::Start("c", tag) => {
            let place = attribute(tag, "r").and_then(|place| address(&place));
            let place = place.unwrap_or((row, column));
            column = place.1.saturating_add(1);
            open = Some(Open {
                place,
                kind: attribute(tag, "t").unwrap_or_default(),
                ..Open::default()
            });
        }
        Seen::Start("f", tag) => {
            in_formula = true;
            if let Some(open) = &mut open {
                open.has_formula = true;
                let shared = attribute(tag, "t").is_some_and(|kind| kind == "shared");
                open.shared = attribute(tag, "si").filter(|_| shared);
            }
        }
        Seen::Start("v" | "t", _) => in_value = true,
        Seen::End("v" | "t") => in_value = false,
        Seen::End("f") => in_formula = false,
        Seen::Text(text) => {
            if let Some(open) = &mut open {
                if in_formula {
                    open.formula.push_str(&text);
                } else if in_value {
                    open.value.push_str(&text);
                }
            }
        }
        Seen::End("c") => {
            (in_value, in_formula) = (false, false);
            if let Some(mut open) = open.take()
                && cells.len() < LISTED
                && named.is_none_or(|named| named.contains(&open.place))
            {
                share(&mut open, &mut formulas);
                let (row, column) = open.place;
                cells.extend(content(open, shared).map(|content| Cell {
                    row,
                    column,
                    content,
                }));
            }
        }
        Seen::Start(..) | Seen::End(_) => {}
    })?;
    Ok(cells)
}

/// Keeps the text of a shared formula, or fills it in; relative references move along.
fn share(open: &mut Open, formulas: &mut BTreeMap<String, (String, (u32, u32))>) {
    let Some(index) = open.shared.clone() else {
        return;
    };
    if !open.formula.is_empty() {
        formulas.insert(index, (open.formula.clone(), open.place));
    } else if let Some((formula, from)) = formulas.get(&index) {
        open.formula = moved(formula, *from, open.place);
    }
}

/// A formula of the cell `from` as it stands in the cell `to`.
fn moved(formula: &str, from: (u32, u32), to: (u32, u32)) -> String {
    let mut read = Formula::read(formula);
    read.move_cells(|address| {
        let shift = |value: u32, from: u32, to: u32| value.saturating_add(to).saturating_sub(from);
        *address = Address {
            sheet: address.sheet.take(),
            row: shift(address.row, from.0, to.0),
            column: shift(address.column, from.1, to.1),
        };
    });
    read.root()
        .map(|root| read.text(root, 64 * 1024))
        .unwrap_or_default()
}

fn content(open: Open, shared: &[String]) -> Option<Content> {
    if open.has_formula {
        let formula = open.formula.trim_start();
        return Some(Content::Formula(
            formula.strip_prefix('=').unwrap_or(formula).to_owned(),
        ));
    }
    let value = open.value;
    match open.kind.as_str() {
        "s" => value
            .trim()
            .parse::<usize>()
            .ok()
            .and_then(|at| shared.get(at))
            .map(|text| Content::Text(text.clone())),
        "str" | "inlineStr" => Some(Content::Text(value)),
        "b" => Some(Content::Logical(
            value.trim() == "1" || value.trim() == "true",
        )),
        "e" => None,
        _ => value.trim().parse().ok().map(Content::Number),
    }
}

/// Row and column of a reference in A1 notation.
fn address(place: &str) -> Option<(u32, u32)> {
    match Formula::read(place).nodes() {
        [Node::Cell(address)] => Some((address.row, address.column)),
        _ => None,
    }
}

/// The texts of the part of shared strings (18.4.8); phonetic ones left out.
pub fn shared_strings(xml: &[u8], budget: &Budget) -> Result<Vec<String>, Halt> {
    let mut texts: Vec<String> = Vec::new();
    let mut size = 0usize;
    let (mut in_text, mut phonetic) = (false, false);
    walk(xml, budget, |seen| match seen {
        Seen::Start("si", _) if texts.len() < LISTED && size < TEXTS => texts.push(String::new()),
        Seen::Start("t", _) => in_text = true,
        Seen::End("t") => in_text = false,
        Seen::Start("rPh", _) => phonetic = true,
        Seen::End("rPh") => phonetic = false,
        Seen::Text(text) if in_text && !phonetic && size < TEXTS => {
            size = size.saturating_add(text.len());
            if let Some(last) = texts.last_mut() {
                last.push_str(&text);
            }
        }
        Seen::Start(..) | Seen::End(_) | Seen::Text(_) => {}
    })?;
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn budget() -> Budget {
        Budget::new(Limits::default(), None)
    }

    #[test]
    fn sheets_and_names_of_the_workbook_are_read() {
        let xml = "<x:workbook xmlns:x='m' xmlns:r='r'><x:sheets><x:sheet name='a&amp;b' state='veryHidden' r:id='rId3'/></x:sheets>\
                   <x:definedNames><x:definedName name='_xlnm.Auto_Open' hidden='1'>'a&amp;b'!$A$1</x:definedName></x:definedNames></x:workbook>";
        let globals = workbook(xml.as_bytes(), &budget()).unwrap();
        let [sheet] = globals.sheets.as_slice() else {
            panic!("one sheet")
        };
        assert_eq!(
            (
                sheet.name.as_str(),
                sheet.visibility,
                sheet.relation.as_str()
            ),
            ("a&b", Visibility::VeryHidden, "rId3")
        );
        let [name] = globals.names.as_slice() else {
            panic!("one name")
        };
        assert_eq!(
            (name.name.as_str(), name.formula.as_str()),
            ("Auto_Open", "'a&b'!$A$1")
        );
    }

    #[test]
    fn cells_of_a_macro_sheet_are_read_with_shared_formulas_and_texts() {
        let xml = "<xm:macrosheet xmlns:xm='e'><sheetData><row r='3'><c r='B3' t='str'><f>EXEC(\"a\"&amp;C3)</f><v>0</v></c>\
                   <c t='s'><v>0</v></c><c r='E3'><f t='shared' si='0'>E4&amp;1</f></c></row>\
                   <row><c r='E4'><f t='shared' si='0'/></c><c r='F4'><v>7</v></c></row></sheetData></xm:macrosheet>";
        assert_eq!(root(xml.as_bytes()).as_deref(), Some("macrosheet"));
        let cells = cells(xml.as_bytes(), &["t".to_owned()], None, &budget()).unwrap();
        let told: Vec<_> = cells
            .into_iter()
            .map(|cell| (cell.row, cell.column, cell.content))
            .collect();
        let formula = |text: &str| Content::Formula(text.to_owned());
        let wanted = [
            (2, 1, formula("EXEC(\"a\"&C3)")),
            (2, 2, Content::Text("t".to_owned())),
            (2, 4, formula("E4&1")),
            (3, 4, formula("E5&1")),
            (3, 5, Content::Number(7.0)),
        ];
        assert_eq!(told, wanted);
    }
}
