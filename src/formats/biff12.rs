//! Parts of binary workbooks of Excel 2007 and later ([MS-XLSB], BIFF12), as far as macros and links go.
//!
//! Numbers and sizes of records are in sevens of bits (2.1.4). Records are walked by their sizes, whatever stands in them.

use std::collections::BTreeSet;

use crate::bytes::{Deviation, Reader, Short, index};
use crate::formats::biff::rk;
use crate::formats::xlm::{
    Biff, Cell, Content, DefinedName, Link, Names, Update, Visibility, formula_text, unicode,
};
use crate::limits::{Budget, Halt};

/// Sheets, names, texts, cells of one part that are kept.
const LISTED: usize = 200_000;

/// Bytes of shared texts that are kept.
const TEXTS: usize = 16 << 20;

/// Records of a part. Ends because every record takes at least two bytes.
struct Records<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Records<'a> {
    type Item = (usize, u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.reader.offset();
        let low = self.reader.u8("record").ok()?;
        let id = if low & 0x80 == 0 {
            u16::from(low)
        } else {
            let high = self.reader.u8("record").ok()?;
            u16::from(low & 0x7f) | u16::from(high & 0x7f) << 7
        };
        let mut size = 0usize;
        for shift in [0u32, 7, 14, 21] {
            let byte = self.reader.u8("record size").ok()?;
            size |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let body = match self.reader.take("record body", size) {
            Ok(body) => body,
            Err(_) => self.reader.rest(),
        };
        Some((at, id, body))
    }
}

fn records(part: &[u8]) -> Records<'_> {
    Records {
        reader: Reader::new(part),
    }
}

/// What becomes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// It stays, byte for byte.
    Keep,
    /// It goes.
    Drop,
    /// Another one takes its place: its number and its body.
    Replace(u16, Vec<u8>),
}

/// A part with some of its records changed.
pub fn edited(
    part: &[u8],
    budget: &Budget,
    mut edit: impl FnMut(u16, &[u8]) -> Edit,
) -> Result<Vec<u8>, Halt> {
    let mut out = Vec::with_capacity(part.len());
    let mut records = records(part);
    while let Some((at, id, body)) = records.next() {
        budget.tick()?;
        match edit(id, body) {
            Edit::Keep => {
                let whole = part.get(at..records.reader.offset());
                out.extend_from_slice(whole.unwrap_or_default());
            }
            Edit::Drop => {}
            Edit::Replace(id, body) => write_record(&mut out, id, &body),
        }
    }
    Ok(out)
}

/// Number and size in sevens of bits, then the body (2.1.4).
fn write_record(out: &mut Vec<u8>, id: u16, body: &[u8]) {
    let [low, high] = id.to_le_bytes();
    if id < 0x80 {
        out.push(low);
    } else {
        out.push(low | 0x80);
        out.push((high << 1 | low >> 7) & 0x7f);
    }
    let mut size = body.len() & 0x0fff_ffff;
    // Ends because every turn takes seven bits away.
    loop {
        let byte = u8::try_from(size & 0x7f).unwrap_or_default();
        size >>= 7;
        if size == 0 {
            out.push(byte);
            break;
        }
        out.push(byte | 0x80);
    }
    out.extend_from_slice(body);
}

/// A sheet as the workbook part lists it (2.4.313).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// Its name.
    pub name: String,
    /// Whether it is shown.
    pub visibility: Visibility,
    /// The relationship that leads to its part.
    pub relation: String,
}

/// What the workbook part says.
#[derive(Debug, Clone, Default)]
pub struct Globals {
    /// Its sheets.
    pub sheets: Vec<Bundle>,
    /// Its names.
    pub names: Vec<DefinedName>,
    /// What numbers in tokens stand for.
    pub tokens: Names,
    /// What was odd.
    pub deviations: Vec<Deviation>,
}

/// Reads the workbook part.
pub fn workbook(part: &[u8], budget: &Budget) -> Result<Globals, Halt> {
    let mut globals = Globals::default();
    let mut labels: Vec<(usize, Label)> = Vec::new();
    let mut own = Vec::new();
    let mut references = Vec::new();
    for (at, id, body) in records(part) {
        budget.tick()?;
        let mut reader = Reader::new(body);
        let read = match id {
            156 if globals.sheets.len() < LISTED => {
                bundle(&mut reader).map(|bundle| globals.sheets.push(bundle))
            }
            39 if labels.len() < LISTED => label(&mut reader).map(|label| labels.push((at, label))),
            // BrtSupSelf, BrtSupSame, BrtSupAddin, BrtSupBookSrc: the links in their order.
            357 | 358 => {
                own.push(true);
                Ok(())
            }
            355 | 667 => {
                own.push(false);
                Ok(())
            }
            362 => extern_sheets(&mut reader, &mut references),
            _ => Ok(()),
        };
        if let Err(short) = read {
            globals
                .deviations
                .push(Deviation::new(at, short.to_string()));
        }
    }
    globals.tokens.defined = labels.iter().map(|(_, label)| label.name.clone()).collect();
    globals.tokens.sheets = globals
        .sheets
        .iter()
        .map(|sheet| sheet.name.clone())
        .collect();
    for (link, first) in references {
        let sheet = globals
            .tokens
            .sheets
            .get(index(first))
            .filter(|_| own.get(index(link)) != Some(&false));
        let name = sheet.cloned().unwrap_or_else(|| format!("[{link}]"));
        globals.tokens.externs.push(name);
    }
    for (at, label) in labels {
        let (formula, whole) =
            formula_text(&label.tokens, &[], Biff::Twelve, (0, 0), &globals.tokens);
        if !whole {
            globals.deviations.push(Deviation::new(
                at,
                format!("name {}: its formula breaks off", label.name),
            ));
        }
        globals.names.push(DefinedName {
            name: label.name,
            formula,
            visibility: label.visibility,
        });
    }
    Ok(globals)
}

struct Label {
    name: String,
    visibility: Visibility,
    tokens: Vec<u8>,
}

fn bundle(reader: &mut Reader<'_>) -> Result<Bundle, Short> {
    let visibility = match reader.u32("state of the sheet")? & 3 {
        0 => Visibility::Visible,
        1 => Visibility::Hidden,
        _ => Visibility::VeryHidden,
    };
    reader.skip("sheet id", 4)?;
    let relation = text(reader)?;
    let name = text(reader)?;
    Ok(Bundle {
        name,
        visibility,
        relation,
    })
}

/// BrtName (2.4.710).
fn label(reader: &mut Reader<'_>) -> Result<Label, Short> {
    let flags = reader.u32("flags of the name")?;
    reader.skip("shortcut key, sheet", 5)?;
    let name = text(reader)?;
    // Built-in names stand there by their words, some behind a prefix.
    let name = name.strip_prefix("_xlnm.").unwrap_or(&name).to_owned();
    let size = index(reader.u32("size of the formula")?);
    let tokens = match reader.take("formula", size) {
        Ok(tokens) => tokens,
        Err(_) => reader.rest(),
    };
    let visibility = if flags & 1 != 0 {
        Visibility::Hidden
    } else {
        Visibility::Visible
    };
    Ok(Label {
        name,
        visibility,
        tokens: tokens.to_vec(),
    })
}

/// BrtExternSheet (2.4.673).
fn extern_sheets(reader: &mut Reader<'_>, references: &mut Vec<(u32, u32)>) -> Result<(), Short> {
    let count = reader.u32("references")?;
    for _ in 0..count {
        let (link, first) = (reader.u32("link")?, reader.u32("first sheet")?);
        reader.skip("last sheet", 4)?;
        references.push((link, first));
    }
    Ok(())
}

/// XLWideString (2.5.168); an absent one has the length -1.
pub fn text(reader: &mut Reader<'_>) -> Result<String, Short> {
    let len = reader.u32("text length")?;
    if len == u32::MAX {
        return Ok(String::new());
    }
    Ok(unicode(
        reader.take("text", index(len).saturating_mul(2))?,
        true,
    ))
}

/// The cells of a sheet part: all, or only those at the places (row, column) named. Also whether formulas broke off.
pub fn cells(
    part: &[u8],
    tokens: &Names,
    shared: &[String],
    named: Option<&BTreeSet<(u32, u32)>>,
    budget: &Budget,
) -> Result<(Vec<Cell>, usize), Halt> {
    let mut cells: Vec<Cell> = Vec::new();
    let mut broken = 0usize;
    let mut row = 0u32;
    for (_, id, body) in records(part) {
        budget.tick()?;
        let mut reader = Reader::new(body);
        match id {
            0 => row = reader.u32("row").unwrap_or(row),
            2..=11 if cells.len() < LISTED => {
                let column = reader.u32("column").unwrap_or_default();
                if named.is_some_and(|named| !named.contains(&(row, column))) {
                    continue;
                }
                let mut at = Formulas {
                    cell: (row, column),
                    tokens,
                    broken: &mut broken,
                };
                if let Ok(Some(content)) = content(id, &mut reader, shared, &mut at) {
                    cells.push(Cell {
                        row,
                        column,
                        content,
                    });
                }
            }
            // BrtArrFmla, BrtShrFmla: the formula of the cell before and of others.
            426 | 427 => {
                if let Some(last) = cells.last_mut().filter(
                    |cell| matches!(&cell.content, Content::Formula(text) if text == SHARED),
                ) {
                    let mut at = Formulas {
                        cell: (last.row, last.column),
                        tokens,
                        broken: &mut broken,
                    };
                    let skipped = reader.skip("range, flags", if id == 426 { 17 } else { 16 });
                    if let Ok(formula) = skipped.and_then(|()| at.formula(&mut reader)) {
                        last.content = Content::Formula(formula);
                    }
                }
            }
            _ => {}
        }
    }
    Ok((cells, broken))
}

/// What the token of a cell with a shared formula is written as.
const SHARED: &str = "{shared}";

/// Turns tokens of the cell at hand into text.
struct Formulas<'f> {
    cell: (u32, u32),
    tokens: &'f Names,
    broken: &'f mut usize,
}

impl Formulas<'_> {
    fn formula(&mut self, reader: &mut Reader<'_>) -> Result<String, Short> {
        let size = index(reader.u32("size of the formula")?);
        let tokens = match reader.take("formula", size) {
            Ok(tokens) => tokens,
            Err(_) => reader.rest(),
        };
        let (text, whole) = formula_text(tokens, &[], Biff::Twelve, self.cell, self.tokens);
        if !whole {
            *self.broken = self.broken.saturating_add(1);
        }
        Ok(text)
    }
}

fn content(
    id: u16,
    reader: &mut Reader<'_>,
    shared: &[String],
    formulas: &mut Formulas<'_>,
) -> Result<Option<Content>, Short> {
    reader.skip("format", 4)?;
    Ok(match id {
        2 => Some(Content::Number(rk(reader.u32("number")?))),
        4 => Some(Content::Logical(reader.u8("value")? != 0)),
        5 => Some(Content::Number(f64::from_le_bytes(reader.array("number")?))),
        6 => Some(Content::Text(text(reader)?)),
        7 => shared
            .get(index(reader.u32("string")?))
            .map(|text| Content::Text(text.clone())),
        8..=11 => {
            match id {
                8 => drop(text(reader)?),
                9 => reader.skip("number", 8)?,
                _ => reader.skip("value", 1)?,
            }
            reader.skip("flags of the formula", 2)?;
            Some(Content::Formula(formulas.formula(reader)?))
        }
        _ => None,
    })
}

/// The texts of the part of shared strings (2.4.822).
pub fn shared_strings(part: &[u8], budget: &Budget) -> Result<Vec<String>, Halt> {
    let mut texts = Vec::new();
    let mut size = 0usize;
    for (_, id, body) in records(part) {
        budget.tick()?;
        if id != 19 {
            continue;
        }
        let mut reader = Reader::new(body);
        let read = reader.skip("flags", 1).and_then(|()| text(&mut reader));
        let read = read.unwrap_or_default();
        size = size.saturating_add(read.len());
        if size > TEXTS || texts.len() >= LISTED {
            break;
        }
        texts.push(read);
    }
    Ok(texts)
}

/// What an external link part leads to (2.4.297): a conversation, or the relationship of a workbook or object.
pub fn external_link(part: &[u8], budget: &Budget) -> Result<Option<(Link, bool)>, Halt> {
    let mut link = None;
    let mut names: Vec<(String, Update)> = Vec::new();
    for (_, id, body) in records(part) {
        budget.tick()?;
        let mut reader = Reader::new(body);
        match id {
            360 if link.is_none() => {
                let read = reader
                    .u16("kind of the link")
                    .and_then(|kind| Ok((kind, text(&mut reader)?, text(&mut reader)?)));
                link = read.ok();
            }
            577 if names.len() < 1000 => {
                if let Ok(name) = text(&mut reader) {
                    names.push((name, Update::Manual));
                }
            }
            // BrtSupNameBits: fWantAdvise.
            586 => {
                if let (Some(last), Ok(bits)) = (names.last_mut(), reader.u16("flags of the name"))
                {
                    last.1 = if bits & 2 != 0 {
                        Update::Automatic
                    } else {
                        Update::Manual
                    };
                }
            }
            _ => {}
        }
    }
    Ok(link.map(|(kind, first, second)| match kind {
        1 => (
            Link::Exchange {
                service: first,
                topic: second,
                items: names,
            },
            false,
        ),
        2 => (Link::Object(first), true),
        _ => (Link::File(first), true),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn record(id: u16, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if id < 128 {
            out.push(u8::try_from(id).unwrap());
        } else {
            out.push(u8::try_from(id & 0x7f).unwrap() | 0x80);
            out.push(u8::try_from(id >> 7).unwrap());
        }
        out.push(u8::try_from(body.len() & 0x7f).unwrap() | 0x80);
        out.push(u8::try_from(body.len() >> 7).unwrap());
        out.extend_from_slice(body);
        out
    }

    fn wide(text: &str) -> Vec<u8> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut out = u32::try_from(units.len()).unwrap().to_le_bytes().to_vec();
        out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        out
    }

    fn budget() -> Budget {
        Budget::new(Limits::default(), None)
    }

    #[test]
    fn sheets_names_and_cells_are_read() {
        let sheet = [
            &2u32.to_le_bytes()[..],
            &[1, 0, 0, 0],
            &wide("rId1"),
            &wide("マクロ"),
        ]
        .concat();
        let reference = [
            1u32.to_le_bytes(),
            0u32.to_le_bytes(),
            0u32.to_le_bytes(),
            0u32.to_le_bytes(),
        ]
        .concat();
        let name = [
            &[1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            &wide("_xlnm.Auto_Open")[..],
            &9u32.to_le_bytes(),
            &[0x3a, 0, 0, 4, 0, 0, 0, 0, 0],
        ]
        .concat();
        let part = [
            record(156, &sheet),
            record(357, &[]),
            record(362, &reference),
            record(39, &name),
        ]
        .concat();
        let globals = workbook(&part, &budget()).unwrap();
        let [sheet] = globals.sheets.as_slice() else {
            panic!("one sheet")
        };
        assert_eq!(
            (sheet.name.as_str(), sheet.visibility),
            ("マクロ", Visibility::VeryHidden)
        );
        let [name] = globals.names.as_slice() else {
            panic!("one name")
        };
        assert_eq!(
            (name.name.as_str(), name.formula.as_str()),
            ("Auto_Open", "マクロ!A5")
        );
        let formula = [0x17, 1, 0, b'x', 0, 0x42, 1, 110, 0];
        let cell = [
            &[3, 0, 0, 0, 0, 0, 0, 0][..],
            &[0],
            &[0, 0],
            &9u32.to_le_bytes(),
            &formula,
            &[0; 4],
        ]
        .concat();
        let text = [&[4, 0, 0, 0, 0, 0, 0, 0][..], &[0; 4]].concat();
        let part = [
            record(0, &[6, 0, 0, 0]),
            record(10, &cell),
            record(7, &text),
        ]
        .concat();
        let (cells, broken) =
            cells(&part, &globals.tokens, &["one".to_owned()], None, &budget()).unwrap();
        assert_eq!(broken, 0);
        assert_eq!(
            cells.first(),
            Some(&Cell {
                row: 6,
                column: 3,
                content: Content::Formula("EXEC(\"x\")".to_owned())
            })
        );
        assert_eq!(
            cells.get(1).map(|cell| &cell.content),
            Some(&Content::Text("one".to_owned()))
        );
    }

    #[test]
    fn records_stay_as_they_are_or_change() {
        // A size in more bytes than it needs stays so.
        let part = [
            record(9, &[1]),
            record(355, &wide("rId1")),
            record(427, &[7; 200]),
        ]
        .concat();
        let same = edited(&part, &budget(), |_, _| Edit::Keep).unwrap();
        assert_eq!(same, part);
        let other = edited(&part, &budget(), |id, body| match id {
            9 => Edit::Drop,
            355 => Edit::Replace(5, vec![0; 3]),
            _ => Edit::Replace(id, body.to_vec()),
        });
        let shorter = [&[5, 3, 0, 0, 0][..], &record(427, &[7; 200])].concat();
        assert_eq!(other.unwrap(), shorter);
    }

    #[test]
    fn a_conversation_is_told_with_its_items() {
        let begin = [&1u16.to_le_bytes()[..], &wide("cmd"), &wide("/c calc.exe")].concat();
        let part = [record(360, &begin), record(577, &wide("A0"))].concat();
        let link = external_link(&part, &budget()).unwrap();
        let items = vec![("A0".to_owned(), Update::Manual)];
        assert_eq!(
            link,
            Some((
                Link::Exchange {
                    service: "cmd".to_owned(),
                    topic: "/c calc.exe".to_owned(),
                    items
                },
                false
            ))
        );
    }
}
