//! Workbook streams of Excel 5 to 2003 ([MS-XLS]; BIFF5 and BIFF8), as far as macros and links go: sheets, names, the
//! cells of macro sheets, and of other sheets only the cells that macros name.
//!
//! Records are walked by their lengths, whatever stands in them. A workbook that is encrypted is read up to the record
//! that says so: what follows is no record content. Left out on purpose: formatting, charts, values of worksheets.

mod globals;
mod sheet;
mod strings;

use std::collections::BTreeSet;

use crate::bytes::{Deviation, Reader, index, u16_at};
use crate::formats::xlm::{self, Biff, Sheet, SheetKind, Workbook};
use crate::limits::{Budget, Halt};

use globals::Globals;
pub(super) use sheet::rk;
use strings::Shared;

/// How often the bytes of a workbook may be gone through for all its sheets: above it they share their records.
const OVERLAP: usize = 4;

/// Cells of one workbook that are kept: macro sheets are small, and each cell is a line of text.
const CELLS: usize = 200_000;

/// BOF of BIFF5 and BIFF8, BIFF4, BIFF3, BIFF2 (2.4.21).
const BOFS: [u16; 4] = [0x0809, 0x0409, 0x0209, 0x0009];

/// A record: where it starts, its number and its body.
#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    at: usize,
    id: u16,
    body: &'a [u8],
}

/// Records from an offset on. Ends because every record takes at least four bytes.
#[derive(Debug, Clone)]
struct Records<'a> {
    reader: Reader<'a>,
}

impl<'a> Records<'a> {
    fn at(stream: &'a [u8], at: usize) -> Self {
        Self {
            reader: Reader::at(stream, at),
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        let at = self.reader.offset();
        let id = self.reader.u16("record").ok()?;
        let len = usize::from(self.reader.u16("record length").ok()?);
        // A record that is cut is what is there of it.
        let body = match self.reader.take("record body", len) {
            Ok(body) => body,
            Err(_) => self.reader.rest(),
        };
        Some(Record { at, id, body })
    }
}

/// How far a stream could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Whole.
    Whole,
    /// Up to the record that says that it is encrypted.
    Locked,
}

/// Reads a workbook stream. `None` where it does not start as one.
pub fn read(stream: &[u8], budget: &Budget) -> Result<Option<(Workbook, Reach)>, Halt> {
    let Some(first) = Records::at(stream, 0)
        .find(|record| BOFS.contains(&record.id))
        .filter(|record| record.at < 64)
    else {
        return Ok(None);
    };
    let version = u16_at(first.body, 0).unwrap_or_default();
    if first.id != BOFS[0] {
        return Ok(Some((old(stream, budget)?, Reach::Whole)));
    }
    let biff = if version == 0x0600 {
        Biff::Eight
    } else {
        Biff::Five(1252)
    };
    let Some(globals) = Globals::read(stream, first.at, biff, budget)? else {
        return Ok(Some((Workbook::default(), Reach::Locked)));
    };
    let mut book = Workbook::default();
    let mut numbers = Vec::new();
    for bound in &globals.sheets {
        numbers.push(bound.offset);
        book.sheets.push(Sheet {
            name: bound.name.clone(),
            kind: bound.kind,
            visibility: bound.visibility,
            cells: Vec::new(),
        });
    }
    unlisted(stream, &globals, &mut book, &mut numbers, budget)?;
    globals.finish(&mut book);
    if book.has_macros() {
        cells(stream, &globals, &mut book, &numbers, budget)?;
    }
    Ok(Some((book, Reach::Whole)))
}

/// Excel 2 to 4: macro sheets are told, their formulas are not decoded.
fn old(stream: &[u8], budget: &Budget) -> Result<Workbook, Halt> {
    let mut book = Workbook::default();
    for record in Records::at(stream, 0) {
        budget.tick()?;
        if BOFS.contains(&record.id)
            && u16_at(record.body, 2) == Some(0x40)
            && book.sheets.len() < 256
        {
            book.unread.push(Deviation::new(
                record.at,
                "macro sheet of Excel 2 to 4: its formulas are not decoded",
            ));
            book.sheets.push(Sheet {
                name: format!("Macro{}", book.sheets.len().saturating_add(1)),
                kind: SheetKind::Macro,
                ..Sheet::default()
            });
        }
    }
    Ok(book)
}

/// Settles the kind of each sheet by its own BOF, and adds sheets that no record of the globals leads to.
fn unlisted(
    stream: &[u8],
    globals: &Globals,
    book: &mut Workbook,
    offsets: &mut Vec<usize>,
    budget: &Budget,
) -> Result<(), Halt> {
    let mut depth = 0usize;
    let listed: BTreeSet<usize> = offsets.iter().copied().collect();
    for (sheet, offset) in book.sheets.iter_mut().zip(offsets.iter()) {
        let start = Records::at(stream, *offset)
            .next()
            .filter(|record| record.id == BOFS[0]);
        match start.and_then(|record| u16_at(record.body, 2)) {
            Some(0x40) => sheet.kind = SheetKind::Macro,
            Some(0x10) if sheet.kind == SheetKind::Worksheet && is_dialog(stream, *offset) => {
                sheet.kind = SheetKind::Dialog;
            }
            Some(_) => {}
            None if sheet.kind == SheetKind::Macro => {
                book.unread.push(Deviation::new(
                    *offset,
                    format!("macro sheet {}: its records are not there", sheet.name),
                ));
            }
            None => {}
        }
    }
    for record in Records::at(stream, globals.end) {
        budget.tick()?;
        match record.id {
            0x0809 => {
                depth = depth.saturating_add(1);
                let sheet = depth == 1 && !listed.contains(&record.at);
                if sheet && u16_at(record.body, 2) == Some(0x40) {
                    book.deviations.push(Deviation::new(
                        record.at,
                        "macro sheet that the workbook does not list",
                    ));
                    book.sheets.push(Sheet {
                        name: format!("unlisted{}", record.at),
                        kind: SheetKind::Macro,
                        ..Sheet::default()
                    });
                    offsets.push(record.at);
                }
            }
            0x000a => depth = depth.saturating_sub(1),
            HYPERLINK if book.links.len() < CLICKS => {
                book.links
                    .extend(clicked(record.body).map(xlm::Link::Click));
            }
            _ => {}
        }
    }
    Ok(())
}

/// HLink (2.4.140), and how many are kept besides other links.
const HYPERLINK: u16 = 0x01b8;
const CLICKS: usize = 256;

/// The class of a moniker of an address ([MS-OSHARED] 2.3.7.6).
const URL_MONIKER: [u8; 16] = [
    0xe0, 0xc9, 0xea, 0x79, 0xf9, 0xba, 0xce, 0x11, 0x8c, 0x82, 0x00, 0xaa, 0x00, 0x4b, 0xa9, 0x0b,
];

/// The address in a hyperlink, where it is of no ordinary kind.
fn clicked(body: &[u8]) -> Option<String> {
    const ORDINARY: &[&str] = &["http", "https", "mailto", "file"];
    let at = memchr::memmem::find(body, &URL_MONIKER)?.checked_add(URL_MONIKER.len())?;
    let (units, _) = body.get(at.checked_add(4)?..)?.as_chunks::<2>();
    let units = units.iter().map(|unit| u16::from_le_bytes(*unit));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    let target = String::from_utf16_lossy(&units);
    let (scheme, _) = target.trim_start().split_once(':')?;
    let ordinary = ORDINARY.iter().any(|one| one.eq_ignore_ascii_case(scheme));
    (!ordinary).then_some(target)
}

/// Whether the flags of a sheet say that it is a dialog (2.4.351, `fDialog`).
fn is_dialog(stream: &[u8], offset: usize) -> bool {
    let records = Records::at(stream, offset).take(60);
    let mut flags = records.filter(|record| record.id == 0x0081);
    flags
        .next()
        .and_then(|record| u16_at(record.body, 0))
        .is_some_and(|flags| flags & 0x10 != 0)
}

/// Reads the cells of the macro sheets, then those of other sheets that macros name.
fn cells(
    stream: &[u8],
    globals: &Globals,
    book: &mut Workbook,
    offsets: &[usize],
    budget: &Budget,
) -> Result<(), Halt> {
    let shared = Shared::of(stream, globals.strings);
    let mut left = CELLS;
    let mut work = stream.len().saturating_mul(OVERLAP).saturating_add(1 << 16);
    for (sheet, offset) in book.sheets.iter_mut().zip(offsets) {
        if sheet.kind == SheetKind::Macro {
            let mut reader = sheet::Cells::new(stream, *offset, globals, &shared, (left, work));
            sheet.cells = reader.read(None, budget)?;
            work = reader.work_left();
            left = left.saturating_sub(sheet.cells.len());
            if let Some(what) = reader.trouble() {
                book.unread.push(Deviation::new(
                    *offset,
                    format!("macro sheet {}: {what}", sheet.name),
                ));
            }
        }
    }
    let named = xlm::named_cells(book, budget)?;
    for (sheet, offset) in book.sheets.iter_mut().zip(offsets) {
        let wanted = named.get(&sheet.name.to_lowercase());
        if let Some(wanted) = wanted.filter(|_| sheet.kind != SheetKind::Macro) {
            let mut reader = sheet::Cells::new(stream, *offset, globals, &shared, (left, work));
            sheet.cells = reader.read(Some(wanted), budget)?;
            work = reader.work_left();
            left = left.saturating_sub(sheet.cells.len());
        }
    }
    Ok(())
}

/// A number of a file as an index.
fn position(number: u32) -> usize {
    index(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn record(id: u16, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_le_bytes();
        [&id.to_le_bytes(), len.as_slice(), body].concat()
    }

    /// A workbook of so many sheets, all of whose records are those of one macro sheet.
    fn shared(sheets: usize, cells: usize) -> Vec<u8> {
        let bof = |kind: u8| record(0x0809, &[&[0, 6, kind, 0], [0; 12].as_slice()].concat());
        let bound = |offset: usize| {
            let offset = u32::try_from(offset).unwrap().to_le_bytes();
            record(0x0085, &[offset.as_slice(), &[0, 1, 1, 0, b'A']].concat())
        };
        let start = bof(5).len() + sheets * bound(0).len() + 4;
        let mut out = bof(5);
        (0..sheets).for_each(|_| out.extend(bound(start)));
        out.extend(record(0x000a, &[]));
        out.extend(bof(0x40));
        out.extend(record(0x0203, &[0; 14]).repeat(cells));
        out.extend(record(0x000a, &[]));
        out
    }

    #[test]
    fn sheets_that_share_their_records_are_read_a_few_times_and_told() {
        let cost = |size: usize| {
            let budget = Budget::new(Limits::default(), None);
            let read = read(&shared(size, size), &budget).unwrap().unwrap();
            (read.0.unread, budget.steps())
        };
        let (told, small) = cost(2000);
        let shares = |one: &Deviation| one.what.contains("sheets share their records");
        assert!(told.iter().any(shares), "{told:?}");
        assert!(cost(8000).1 < 6 * small);
        assert_eq!(cost(1).0, []);
    }
}
