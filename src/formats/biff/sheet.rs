//! The cells of a sheet ([MS-XLS] 2.1.7.20.5): formulas, constants, shared formulas.

use std::collections::{BTreeMap, BTreeSet};

use super::globals::Globals;
use super::strings::{Shared, long};
use super::{BOFS, Records, position};
use crate::bytes::{Reader, Short};
use crate::formats::xlm::{Cell, Content, formula_text};
use crate::limits::{Budget, Halt};

/// Reads the cells of one substream.
pub(super) struct Cells<'r> {
    stream: &'r [u8],
    offset: usize,
    globals: &'r Globals,
    shared: &'r Shared,
    most: usize,
    cells: Vec<Cell>,
    /// Cells whose formula stands in a record of its own: the cell that names it, by the place in `cells`.
    waiting: Vec<(usize, (u32, u32))>,
    /// Shared and array formulas by their first cell.
    formulas: BTreeMap<(u32, u32), (Vec<u8>, Vec<u8>)>,
    cut: usize,
    broken: usize,
    /// Bytes of records that may still be gone through.
    work: usize,
}

impl<'r> Cells<'r> {
    pub(super) fn new(
        stream: &'r [u8],
        offset: usize,
        globals: &'r Globals,
        shared: &'r Shared,
        (most, work): (usize, usize),
    ) -> Self {
        Self {
            stream,
            offset,
            globals,
            shared,
            most,
            cells: Vec::new(),
            waiting: Vec::new(),
            formulas: BTreeMap::new(),
            cut: 0,
            broken: 0,
            work,
        }
    }

    /// Bytes of records that others may still go through.
    pub(super) fn work_left(&self) -> usize {
        self.work
    }

    /// What kept cells from being read, if anything.
    pub(super) fn trouble(&self) -> Option<String> {
        if self.work == 0 {
            return Some("sheets share their records".to_owned());
        }
        if self.cut > 0 {
            return Some(format!("{} cells too many", self.cut));
        }
        (self.broken > 0).then(|| format!("{} formulas break off", self.broken))
    }

    /// Reads the cells: all, or only those named.
    pub(super) fn read(
        &mut self,
        named: Option<&BTreeSet<(u32, u32)>>,
        budget: &Budget,
    ) -> Result<Vec<Cell>, Halt> {
        let mut depth = 0usize;
        let mut last = None;
        for record in Records::at(self.stream, self.offset) {
            budget.tick()?;
            self.work = self
                .work
                .saturating_sub(record.body.len().saturating_add(4));
            if self.work == 0 {
                break;
            }
            match record.id {
                id if BOFS.contains(&id) => depth = depth.saturating_add(1),
                0x000a => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                // Charts within the sheet have no cells of it.
                _ if depth > 1 => {}
                id => {
                    // A record that is cut has no cell.
                    let _ = self.record(id, record.body, named, &mut last);
                }
            }
        }
        self.settle();
        Ok(std::mem::take(&mut self.cells))
    }

    fn record(
        &mut self,
        id: u16,
        body: &[u8],
        named: Option<&BTreeSet<(u32, u32)>>,
        last: &mut Option<(u32, u32)>,
    ) -> Result<(), Short> {
        let mut reader = Reader::new(body);
        match id {
            // ShrFmla (2.4.277), Array (2.4.4).
            0x04bc | 0x0221 => {
                let first = (u32::from(reader.u16("first row")?), {
                    reader.skip("last row", 2)?;
                    u32::from(reader.u8("first column")?)
                });
                reader.skip("last column", if id == 0x04bc { 3 } else { 7 })?;
                let (tokens, rest) = tokens(&mut reader)?;
                self.formulas.insert(first, (tokens.clone(), rest.clone()));
                // A cell may name its own place or the first of the range.
                if let Some(last) = *last {
                    self.formulas.entry(last).or_insert((tokens, rest));
                }
                Ok(())
            }
            0x0006 | 0x0203 | 0x0204 | 0x00d6 | 0x00fd | 0x027e | 0x00bd | 0x0205 => {
                let place = (
                    u32::from(reader.u16("row")?),
                    u32::from(reader.u16("column")?),
                );
                if id == 0x00bd {
                    return self.numbers(place, &mut reader, named);
                }
                reader.skip("format", 2)?;
                if named.is_some_and(|named| !named.contains(&place)) {
                    return Ok(());
                }
                if id == 0x0006 {
                    *last = Some(place);
                }
                let content = self.content(id, place, &mut reader)?;
                self.push(place, content);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn content(
        &mut self,
        id: u16,
        place: (u32, u32),
        reader: &mut Reader<'_>,
    ) -> Result<Option<Content>, Short> {
        Ok(match id {
            0x0006 => {
                reader.skip("value, flags", 14)?;
                let (tokens, rest) = tokens(reader)?;
                if let [0x01, row, row_high, column, column_high] = tokens.as_slice() {
                    let of = (
                        u32::from(u16::from_le_bytes([*row, *row_high])),
                        u32::from(u16::from_le_bytes([*column, *column_high])),
                    );
                    self.waiting.push((self.cells.len(), of));
                    Some(Content::Formula(String::new()))
                } else {
                    Some(Content::Formula(self.formula(&tokens, &rest, place)))
                }
            }
            0x0203 => Some(Content::Number(f64::from_le_bytes(reader.array("number")?))),
            0x00fd => self
                .shared
                .get(position(reader.u32("string")?))
                .map(|text| Content::Text(text.to_owned())),
            0x027e => Some(Content::Number(rk(reader.u32("number")?))),
            0x0205 => {
                let (value, error) = (reader.u8("value")?, reader.u8("kind of value")?);
                (error == 0).then_some(Content::Logical(value != 0))
            }
            _ => Some(Content::Text(long(reader, self.globals.biff)?)),
        })
    }

    /// MulRk (2.4.175): numbers side by side.
    fn numbers(
        &mut self,
        (row, first): (u32, u32),
        reader: &mut Reader<'_>,
        named: Option<&BTreeSet<(u32, u32)>>,
    ) -> Result<(), Short> {
        let mut column = first;
        // Ends because every number takes six bytes; the last two bytes are the last column.
        while reader.remaining() >= 6 {
            reader.skip("format", 2)?;
            let number = rk(reader.u32("number")?);
            if named.is_none_or(|named| named.contains(&(row, column))) {
                self.push((row, column), Some(Content::Number(number)));
            }
            column = column.saturating_add(1);
        }
        Ok(())
    }

    fn push(&mut self, (row, column): (u32, u32), content: Option<Content>) {
        let Some(content) = content else { return };
        if self.cells.len() >= self.most {
            self.cut = self.cut.saturating_add(1);
            return;
        }
        self.cells.push(Cell {
            row,
            column,
            content,
        });
    }

    fn formula(&mut self, tokens: &[u8], rest: &[u8], place: (u32, u32)) -> String {
        let (text, whole) =
            formula_text(tokens, rest, self.globals.biff, place, &self.globals.names);
        if !whole {
            self.broken = self.broken.saturating_add(1);
        }
        text
    }

    /// Gives cells their shared formulas.
    fn settle(&mut self) {
        for (at, of) in std::mem::take(&mut self.waiting) {
            let Some((row, column)) = self.cells.get(at).map(|cell| (cell.row, cell.column)) else {
                continue;
            };
            let Some((tokens, rest)) = self.formulas.get(&of).cloned() else {
                self.broken = self.broken.saturating_add(1);
                continue;
            };
            let text = self.formula(&tokens, &rest, (row, column));
            if let Some(cell) = self.cells.get_mut(at) {
                cell.content = Content::Formula(text);
            }
        }
    }
}

/// Tokens behind their size, and what stands behind them.
fn tokens(reader: &mut Reader<'_>) -> Result<(Vec<u8>, Vec<u8>), Short> {
    let size = usize::from(reader.u16("size of the formula")?);
    let tokens = match reader.take("formula", size) {
        Ok(tokens) => tokens,
        Err(_) => reader.rest(),
    };
    Ok((tokens.to_vec(), reader.rest().to_vec()))
}

/// A number in four bytes (2.5.217).
pub(in crate::formats) fn rk(bits: u32) -> f64 {
    let hundredths = bits & 1 != 0;
    let value = if bits & 2 != 0 {
        f64::from(bits.cast_signed() >> 2)
    } else {
        f64::from_bits(u64::from(bits & 0xffff_fffc) << 32)
    };
    if hundredths { value / 100.0 } else { value }
}
