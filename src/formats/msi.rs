//! Tables of Windows Installer packages: string pool, columns, rows, and how stream names are packed.
//!
//! No specification is published; the layout is as the Wine and msitools projects describe it. Rows are stored
//! column by column; texts are numbers of a common pool. Those of a transform are stored one by one, as far as they
//! differ. Left out: primary keys of other tables than those that are read here.

use std::collections::BTreeMap;

use crate::bytes::{index, slice, u16_at, u32_at};

/// What a packed name of a table starts with.
const TABLE: char = '\u{4840}';

/// Two characters of a name stand in one of these.
const PACKED: std::ops::Range<u32> = 0x3800..0x4800;
/// One character stands in one of these.
const SINGLE: std::ops::Range<u32> = 0x4800..0x4840;

/// What six bits of a packed name stand for.
const ALPHABET: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._";

/// Types of columns.
const TEXT: u16 = 0x0800;
const NULLABLE: u16 = 0x1000;
const BINARY: u16 = 0x0900;

/// The name of a stream as its writer gave it, and whether it is that of a table.
pub fn stream_name(packed: &str) -> (String, bool) {
    let rest = packed.strip_prefix(TABLE);
    let mut name = String::new();
    for character in rest.unwrap_or(packed).chars() {
        let code = u32::from(character);
        let mut add = |bits: u32| {
            let found = ALPHABET.get(index(bits & 0x3f)).copied();
            name.push(found.map_or('?', char::from));
        };
        if PACKED.contains(&code) {
            add(code.saturating_sub(PACKED.start));
            add(code.saturating_sub(PACKED.start) >> 6);
        } else if SINGLE.contains(&code) {
            add(code.saturating_sub(SINGLE.start));
        } else {
            name.push(character);
        }
    }
    (name, rest.is_some())
}

/// The texts of a package.
#[derive(Debug, Clone, Default)]
pub struct Strings<'a> {
    /// The code page they are in; 0 for none in particular.
    pub code_page: u32,
    texts: Vec<&'a [u8]>,
    /// Bytes of the number of a text in a row.
    width: usize,
    /// Whether a text lies beyond the end of the data.
    pub is_cut: bool,
}

impl<'a> Strings<'a> {
    /// Reads the streams `_StringPool` and `_StringData`; `None` where the pool has no head.
    pub fn read(pool: &[u8], data: &'a [u8]) -> Option<Self> {
        let head = u32_at(pool, 0)?;
        let mut strings = Self {
            code_page: head & 0x7fff_ffff,
            // Number 0 is no text.
            texts: vec![&[]],
            width: if head >> 31 == 0 { 2 } else { 3 },
            is_cut: false,
        };
        let mut entries = pool.get(4..)?.chunks_exact(4);
        let mut at = 0usize;
        while let Some(entry) = entries.next() {
            let (low, count) = (u16_at(entry, 0)?, u16_at(entry, 2)?);
            let len = match (low, count) {
                // The length of a long text stands in the entry behind.
                (0, 1..) => entries.next().and_then(|next| u32_at(next, 0)).map(index),
                (low, _) => Some(usize::from(low)),
            };
            let len = len.unwrap_or_default();
            let text = slice(data, at, len);
            strings.is_cut |= text.is_none();
            let rest = data.get(at..).unwrap_or_default();
            strings.texts.push(text.unwrap_or(rest));
            at = at.saturating_add(len);
        }
        Some(strings)
    }

    /// The text of a number.
    pub fn text(&self, number: u32) -> &'a [u8] {
        self.texts.get(index(number)).copied().unwrap_or_default()
    }
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its name, raw.
    pub name: &'a [u8],
    /// Its type, as the package says.
    pub kind: u16,
}

impl Column<'_> {
    fn width(&self, strings: &Strings<'_>) -> usize {
        match self.kind & !NULLABLE {
            BINARY => 2,
            kind if kind & TEXT != 0 => strings.width,
            kind if kind & 0xff <= 2 => 2,
            _ => 4,
        }
    }

    fn cell<'a>(&self, cell: &[u8], strings: &Strings<'a>) -> Cell<'a> {
        let bytes = cell.iter().rev();
        let value = bytes.fold(0u32, |value, byte| value << 8 | u32::from(*byte));
        if self.kind & TEXT != 0 && cell.len() == strings.width {
            return Cell::Text(strings.text(value));
        }
        let half = if cell.len() == 2 { 0x8000 } else { 0x8000_0000 };
        Cell::Number(match value {
            0 => 0,
            value => i64::from(value).saturating_sub(half),
        })
    }
}

/// One field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A text; empty for none.
    Text(&'a [u8]),
    /// A number; 0 for none.
    Number(i64),
}

impl<'a> Cell<'a> {
    /// The text, raw; empty for a number.
    pub fn text(self) -> &'a [u8] {
        match self {
            Self::Text(text) => text,
            Self::Number(_) => &[],
        }
    }

    /// The number; 0 for a text.
    pub fn number(self) -> i64 {
        match self {
            Self::Text(_) => 0,
            Self::Number(number) => number,
        }
    }
}

/// The columns of every table, in order, from the stream `_Columns`.
pub fn columns<'a>(data: &[u8], strings: &Strings<'a>) -> BTreeMap<&'a [u8], Vec<Column<'a>>> {
    let layout: [Column<'static>; 4] = [
        text(b"Table"),
        number(b"Number", 2),
        text(b"Name"),
        number(b"Type", 2),
    ];
    let mut tables: BTreeMap<&[u8], Vec<(i64, Column<'a>)>> = BTreeMap::new();
    for row in rows(data, &layout, strings) {
        if let [table, number, name, kind] = row.as_slice() {
            let name = name.text();
            // The type is a number of sixteen bits in a field that is shifted by half of its range.
            let kind = u16::try_from(kind.number() & 0xffff).unwrap_or_default();
            let columns = tables.entry(table.text()).or_default();
            columns.push((number.number(), Column { name, kind }));
        }
    }
    let sorted = tables.into_iter().map(|(table, mut columns)| {
        columns.sort_by_key(|(number, _)| *number);
        let columns = columns.into_iter().map(|(_, column)| column);
        (table, columns.collect())
    });
    sorted.collect()
}

/// The rows of a table: column by column, each cell as wide as its column; what is cut off at the end is left out.
pub fn rows<'a>(data: &[u8], columns: &[Column<'_>], strings: &Strings<'a>) -> Vec<Vec<Cell<'a>>> {
    let widths: Vec<usize> = columns.iter().map(|one| one.width(strings)).collect();
    let row = widths.iter().sum::<usize>();
    let count = data.len().checked_div(row).unwrap_or_default();
    let mut rows = vec![Vec::with_capacity(columns.len()); count];
    let mut start = 0usize;
    for (column, width) in columns.iter().zip(widths) {
        let len = count.saturating_mul(width);
        let cells = slice(data, start, len).unwrap_or_default();
        start = start.saturating_add(len);
        for (row, cell) in rows.iter_mut().zip(cells.chunks_exact(width)) {
            row.push(column.cell(cell, strings));
        }
    }
    rows
}

/// Columns that a transform names by their table alone, the first of which is the key.
pub const PROPERTY: &[Column<'static>] = &[text(b"Property"), text(b"Value")];
/// The same of custom actions.
pub const CUSTOM_ACTION: &[Column<'static>] = &[
    text(b"Action"),
    number(b"Type", 2),
    text(b"Source"),
    text(b"Target"),
    number(b"ExtendedType", 4),
];

const fn text(name: &'static [u8]) -> Column<'static> {
    Column { name, kind: TEXT }
}

const fn number(name: &'static [u8], kind: u16) -> Column<'static> {
    Column { name, kind }
}

/// The rows that a transform adds or changes: each behind a mask of its columns. What is not changed is empty.
pub fn changes<'a>(
    data: &[u8],
    columns: &[Column<'_>],
    strings: &Strings<'a>,
) -> Vec<Vec<Cell<'a>>> {
    let mut rows = Vec::new();
    let mut at = 0usize;
    // Ends because each turn takes a mask.
    while let Some(mask) = u16_at(data, at) {
        at = at.saturating_add(2);
        let added = mask & 1 != 0;
        let mut row = Vec::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            let is_there = match added {
                true => place < usize::from(mask >> 8),
                false => place == 0 || mask >> place & 1 != 0,
            };
            let width = if is_there { column.width(strings) } else { 0 };
            let Some(cell) = slice(data, at, width) else {
                return rows;
            };
            at = at.saturating_add(width);
            row.push(column.cell(cell, strings));
        }
        rows.push(row);
    }
    rows
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A name as writers pack it: two characters in one.
    pub(crate) fn packed(name: &str) -> String {
        let bits = |byte: &u8| {
            let at = ALPHABET.iter().position(|one| one == byte).unwrap();
            u32::try_from(at).unwrap()
        };
        let pairs = name.as_bytes().chunks(2).map(|pair| {
            let code = match pair {
                [a, b] => PACKED.start + bits(a) + (bits(b) << 6),
                pair => SINGLE.start + pair.iter().map(bits).sum::<u32>(),
            };
            char::from_u32(code).unwrap()
        });
        pairs.collect()
    }

    #[test]
    fn packed_names_are_read() {
        let table = format!("{TABLE}{}", packed("CustomAction"));
        assert_eq!(stream_name(&table), ("CustomAction".to_owned(), true));
        assert_eq!(
            stream_name(&packed("Binary.ab")),
            ("Binary.ab".to_owned(), false)
        );
        assert_eq!(
            stream_name("\u{5}SummaryInformation").0,
            "\u{5}SummaryInformation"
        );
    }

    #[test]
    fn a_pool_that_lies_gives_what_is_there() {
        let pool = b"\0\0\0\0\x03\0\x01\0\0\0\0\0\0\0\x01\0\x04\0\0\0\xff\xff\x01\0";
        let strings = Strings::read(pool, b"onelong!cut").unwrap();
        assert!(strings.is_cut);
        let texts: Vec<&[u8]> = (0..6).map(|number| strings.text(number)).collect();
        assert_eq!(texts, [b"".as_slice(), b"one", b"", b"long", b"!cut", b""]);
        assert!(Strings::read(b"\0\0", b"").is_none());
        assert!(rows(&[0; 64], &[], &strings).is_empty());
    }
}
