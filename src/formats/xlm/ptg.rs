//! Formulas as tokens ([MS-XLS] 2.5.198, "Rgce"; BIFF5 as Excel 5 wrote it; [MS-XLSB] 2.5.97.18), turned into text.
//!
//! Tokens stand in reverse Polish order. Where they break off or make no sense, what was understood is given, and the
//! answer says that it is not all: a formula that cannot be read whole must still show its calls.

use std::collections::BTreeMap;

use super::formula::{Formula, Node, NodeId, Operator, column_name, sheet_prefix};
use super::functions;
use crate::bytes::{Reader, Short};

/// Tokens of one formula in bytes: Excel writes 16,385 at the most ([MS-XLSB] 2.5.97.3).
const TOKENS: usize = 16_385;

/// Text of one formula in bytes.
const TEXT: usize = 64 * 1024;

/// Which layout the tokens have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Biff {
    /// Excel 5 and 95; texts are in the code page of the number.
    Five(u16),
    /// Excel 97 to 2003.
    Eight,
    /// Binary workbooks of Excel 2007 and later.
    Twelve,
}

/// What the numbers in tokens stand for.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Defined names; tokens count them from 1.
    pub defined: Vec<String>,
    /// Names of sheets in their order, for BIFF5.
    pub sheets: Vec<String>,
    /// What stands before the mark in a reference to another sheet, by its number.
    pub externs: Vec<String>,
    /// Names of the supporting link of a reference: by its number and the name's, from 1.
    pub extern_names: BTreeMap<(usize, usize), String>,
}

/// A formula without its equals sign, for the cell at (row, column), and whether all of its tokens were understood.
///
/// `rgce` are its tokens, `rgcb` what stands behind them for arrays.
pub fn formula_text(
    rgce: &[u8],
    rgcb: &[u8],
    biff: Biff,
    cell: (u32, u32),
    names: &Names,
) -> (String, bool) {
    let cut = rgce.get(..TOKENS).unwrap_or(rgce);
    let mut decoder = Decoder {
        tokens: Reader::new(cut),
        arrays: Reader::new(rgcb),
        biff,
        cell,
        names,
        formula: Formula::default(),
        stack: Vec::new(),
        whole: cut.len() == rgce.len(),
    };
    if decoder.run().is_err() {
        decoder.whole = false;
    }
    decoder.finish()
}

/// A token that is none, or whose operands are not there.
struct Unknown;

impl From<Short> for Unknown {
    fn from(_: Short) -> Self {
        Self
    }
}

struct Decoder<'d> {
    tokens: Reader<'d>,
    arrays: Reader<'d>,
    biff: Biff,
    cell: (u32, u32),
    names: &'d Names,
    formula: Formula,
    stack: Vec<NodeId>,
    whole: bool,
}

impl Decoder<'_> {
    fn finish(mut self) -> (String, bool) {
        let Some(mut root) = self.stack.first().copied() else {
            return (String::new(), self.whole);
        };
        self.whole &= self.stack.len() == 1;
        for node in self.stack.iter().skip(1) {
            root = self
                .formula
                .push(Node::Binary(Operator::Union, root, *node));
        }
        self.formula.set_root(root);
        (self.formula.text(root, TEXT), self.whole)
    }

    fn run(&mut self) -> Result<(), Unknown> {
        // Ends because every token takes at least its own byte.
        while !self.tokens.is_empty() {
            let token = self.tokens.u8("token")?;
            self.token(token)?;
        }
        Ok(())
    }

    fn add(&mut self, node: Node) {
        let id = self.formula.push(node);
        self.stack.push(id);
    }

    fn word(&mut self, word: impl Into<String>) {
        self.add(Node::Word(word.into()));
    }

    /// The topmost operand; a missing one is told by a word.
    fn pop(&mut self) -> NodeId {
        self.stack.pop().unwrap_or_else(|| {
            self.whole = false;
            self.formula.push(Node::Missing)
        })
    }

    fn binary(&mut self, operator: Operator) {
        let right = self.pop();
        let left = self.pop();
        self.add(Node::Binary(operator, left, right));
    }

    fn token(&mut self, token: u8) -> Result<(), Unknown> {
        match token {
            // PtgExp, PtgTbl: a cell of a shared or array formula, whose own record has it.
            0x01 | 0x02 => {
                self.tokens.skip("shared formula", 4)?;
                self.word("{shared}");
            }
            0x03..=0x11 => self.operator(token),
            0x12 | 0x13 => {
                let operand = self.pop();
                self.add(Node::Prefix(if token == 0x12 { '+' } else { '-' }, operand));
            }
            0x14 => {
                let operand = self.pop();
                self.add(Node::Percent(operand));
            }
            0x15 => {
                let inner = self.pop();
                self.add(Node::Group(inner));
            }
            0x16 => self.add(Node::Missing),
            0x17 => {
                let text = self.text()?;
                self.add(Node::Text(text));
            }
            0x18 => self.extended()?,
            0x19 => self.attribute()?,
            0x1c => {
                let code = self.tokens.u8("error")?;
                self.word(error_name(code));
            }
            0x1d => {
                let value = self.tokens.u8("logical value")?;
                self.add(Node::Logical(value != 0));
            }
            0x1e => {
                let number = self.tokens.u16("integer")?;
                self.add(Node::Number(f64::from(number)));
            }
            0x1f => {
                let number = f64::from_le_bytes(self.tokens.array("number")?);
                self.add(Node::Number(number));
            }
            0x20..=0x7f => self.classed(token & 0x1f)?,
            _ => return Err(Unknown),
        }
        Ok(())
    }

    fn operator(&mut self, token: u8) {
        const OPERATORS: [Operator; 15] = [
            Operator::Add,
            Operator::Subtract,
            Operator::Multiply,
            Operator::Divide,
            Operator::Power,
            Operator::Concat,
            Operator::Less,
            Operator::LessEqual,
            Operator::Equal,
            Operator::GreaterEqual,
            Operator::Greater,
            Operator::NotEqual,
            Operator::Intersection,
            Operator::Union,
            Operator::Range,
        ];
        let at = usize::from(token.saturating_sub(3));
        self.binary(OPERATORS.get(at).copied().unwrap_or(Operator::Union));
    }

    fn text(&mut self) -> Result<String, Unknown> {
        let text = match self.biff {
            Biff::Five(page) => {
                let len = usize::from(self.tokens.u8("text length")?);
                crate::text::decode(
                    format!("windows-{page}").as_bytes(),
                    self.tokens.take("text", len)?,
                )
            }
            Biff::Eight => {
                let len = usize::from(self.tokens.u8("text length")?);
                let wide = self.tokens.u8("text flags")? & 1 == 1;
                unicode(
                    self.tokens
                        .take("text", if wide { len.saturating_mul(2) } else { len })?,
                    wide,
                )
            }
            Biff::Twelve => {
                let len = usize::from(self.tokens.u16("text length")?);
                unicode(self.tokens.take("text", len.saturating_mul(2))?, true)
            }
        };
        Ok(text)
    }

    /// PtgElf and its kin, PtgList (2.5.198.28 and following; [MS-XLSB] 2.5.97.73).
    fn extended(&mut self) -> Result<(), Unknown> {
        let kind = self.tokens.u8("extended token")?;
        let len = if kind == 0x19 { 12 } else { 4 };
        self.tokens.skip("extended token", len)?;
        self.word("#EXTENDED");
        Ok(())
    }

    /// PtgAttr*: hints for the evaluation, but for the sum (2.5.198.31 and following).
    fn attribute(&mut self) -> Result<(), Unknown> {
        let kind = self.tokens.u8("attribute")?;
        let operand = self.tokens.u16("attribute operand")?;
        if kind & 0x04 != 0 {
            let jumps = usize::from(operand).saturating_add(1).saturating_mul(2);
            self.tokens.skip("jump table", jumps)?;
        } else if kind & 0x10 != 0 {
            let operand = self.pop();
            self.add(Node::Call("SUM".to_owned(), vec![operand]));
        }
        Ok(())
    }

    /// Tokens of three classes: reference, value, array.
    fn classed(&mut self, token: u8) -> Result<(), Unknown> {
        let (five, twelve) = (
            matches!(self.biff, Biff::Five(_)),
            self.biff == Biff::Twelve,
        );
        let sized = |other: usize, for_five: usize, for_twelve: usize| {
            if five {
                for_five
            } else if twelve {
                for_twelve
            } else {
                other
            }
        };
        match token {
            0x00 => {
                self.tokens.skip("array", sized(7, 7, 14))?;
                let array = self.constant_array();
                self.word(array);
            }
            0x01 => {
                let number = self.tokens.u16("function")?;
                let count = functions::arity(number);
                self.whole &= count.is_some();
                self.function(number, count.unwrap_or(1));
            }
            0x02 => {
                let count = usize::from(self.tokens.u8("argument count")? & 0x7f);
                let number = self.tokens.u16("function")?;
                self.function(number, count);
            }
            0x03 => {
                let number = usize::from(self.tokens.u16("name")?);
                self.tokens.skip("name", sized(2, 12, 2))?;
                let name = number
                    .checked_sub(1)
                    .and_then(|at| self.names.defined.get(at));
                self.word(name.cloned().unwrap_or_else(|| format!("#NAME{number}")));
            }
            0x04 | 0x0c => {
                let (row, column) = self.point(token == 0x0c)?;
                self.add(cell(None, row, column));
            }
            0x05 | 0x0d => {
                let area = self.area(token == 0x0d)?;
                self.push_area(None, area);
            }
            // PtgMemArea, PtgMemErr, PtgMemNoMem: the tokens of the reference follow.
            0x06..=0x08 => self.tokens.skip("memory area", 6)?,
            0x09 | 0x0e | 0x0f => self.tokens.skip("memory function", 2)?,
            0x0a => self.lost_reference(sized(4, 3, 6))?,
            0x0b => self.lost_reference(sized(8, 6, 12))?,
            0x19 => self.extern_name()?,
            0x1a => {
                let sheet = self.sheet()?;
                let (row, column) = self.point(false)?;
                self.add(cell(Some(sheet), row, column));
            }
            0x1b => {
                let sheet = self.sheet()?;
                let area = self.area(false)?;
                self.push_area(Some(sheet), area);
            }
            0x1c => self.lost_reference(sized(6, 17, 8))?,
            0x1d => self.lost_reference(sized(10, 20, 14))?,
            _ => return Err(Unknown),
        }
        Ok(())
    }

    fn lost_reference(&mut self, len: usize) -> Result<(), Unknown> {
        self.tokens.skip("lost reference", len)?;
        self.word("#REF!");
        Ok(())
    }

    fn function(&mut self, number: u16, count: usize) {
        let missing = count.saturating_sub(self.stack.len());
        self.whole &= missing == 0;
        let start = self.stack.len().saturating_sub(count);
        let mut arguments = self.stack.split_off(start);
        let name = if number & 0x8000 != 0 {
            let number = number & 0x7fff;
            functions::command(number).map_or_else(|| format!("COMMAND{number}"), str::to_owned)
        } else if number == 0xff {
            // A function of somebody else: its name is the first operand.
            let name = if arguments.is_empty() {
                self.pop()
            } else {
                arguments.remove(0)
            };
            let name = self.formula.text(name, 255);
            name.strip_prefix("_xlfn.").unwrap_or(&name).to_owned()
        } else {
            functions::name(number).map_or_else(|| format!("FUNCTION{number}"), str::to_owned)
        };
        self.add(Node::Call(name, arguments));
    }

    /// Row and column of a reference; `relative` where they count from the cell.
    fn point(&mut self, relative: bool) -> Result<(u32, u32), Unknown> {
        let (row, column) = match self.biff {
            Biff::Five(_) => {
                let row = self.tokens.u16("row")?;
                (u32::from(row), u32::from(self.tokens.u8("column")?))
            }
            Biff::Eight => (
                u32::from(self.tokens.u16("row")?),
                u32::from(self.tokens.u16("column")?),
            ),
            Biff::Twelve => (
                self.tokens.u32("row")?,
                u32::from(self.tokens.u16("column")?),
            ),
        };
        Ok(self.placed(row, column, relative))
    }

    fn area(&mut self, relative: bool) -> Result<[(u32, u32); 2], Unknown> {
        let tokens = &mut self.tokens;
        let (rows, columns) = match self.biff {
            Biff::Five(_) => {
                let rows = [tokens.u16("row")?, tokens.u16("row")?].map(u32::from);
                (
                    rows,
                    [tokens.u8("column")?, tokens.u8("column")?].map(u32::from),
                )
            }
            Biff::Eight => {
                let rows = [tokens.u16("row")?, tokens.u16("row")?].map(u32::from);
                (
                    rows,
                    [tokens.u16("column")?, tokens.u16("column")?].map(u32::from),
                )
            }
            Biff::Twelve => {
                let rows = [tokens.u32("row")?, tokens.u32("row")?];
                (
                    rows,
                    [tokens.u16("column")?, tokens.u16("column")?].map(u32::from),
                )
            }
        };
        let ([first, last], [left, right]) = (rows, columns);
        Ok([
            self.placed(first, left, relative),
            self.placed(last, right, relative),
        ])
    }

    /// Takes the bits of a reference apart and adds the cell where a coordinate is relative to it.
    fn placed(&self, row: u32, column: u32, relative: bool) -> (u32, u32) {
        let (flags, rows, columns) = match self.biff {
            Biff::Five(_) => (row, 0x4000, 0x100),
            Biff::Eight => (column, 0x1_0000, 0x100),
            Biff::Twelve => (column, 0x10_0000, 0x4000),
        };
        let (row, column) = match self.biff {
            Biff::Five(_) => (row & 0x3fff, column),
            Biff::Eight => (row, column & 0xff),
            Biff::Twelve => (row, column & 0x3fff),
        };
        let moved = |value: u32, base: u32, size: u32| {
            value
                .wrapping_add(base)
                .checked_rem(size)
                .unwrap_or_default()
        };
        let row = if relative && flags & 0x8000 != 0 {
            moved(row, self.cell.0, rows)
        } else {
            row
        };
        let column = if relative && flags & 0x4000 != 0 {
            moved(column, self.cell.1, columns)
        } else {
            column
        };
        (row, column)
    }

    fn push_area(&mut self, sheet: Option<String>, [first, last]: [(u32, u32); 2]) {
        let rows = self.biff == Biff::Twelve && last.0 == 0xf_ffff
            || self.biff != Biff::Twelve && last.0 == 0xffff;
        if rows && first.0 == 0 {
            let sheet = sheet.map(|sheet| sheet_prefix(&sheet)).unwrap_or_default();
            self.word(format!(
                "{sheet}{}:{}",
                column_name(first.1),
                column_name(last.1)
            ));
            return;
        }
        self.add(cell(sheet, first.0, first.1));
        self.add(cell(None, last.0, last.1));
        self.binary(Operator::Range);
    }

    /// The sheet of a three-dimensional reference.
    fn sheet(&mut self) -> Result<String, Unknown> {
        let number = self.tokens.u16("sheet")?;
        if !matches!(self.biff, Biff::Five(_)) {
            let known = self.names.externs.get(usize::from(number));
            return Ok(known.cloned().unwrap_or_else(|| format!("#SHEET{number}")));
        }
        // BIFF5: a negative number stands for a sheet of this workbook, a positive one for an external sheet.
        self.tokens.skip("reserved", 8)?;
        let first = self.tokens.u16("first sheet")?;
        self.tokens.skip("last sheet", 2)?;
        let known = if number & 0x8000 != 0 {
            self.names.sheets.get(usize::from(first))
        } else {
            usize::from(number)
                .checked_sub(1)
                .and_then(|at| self.names.externs.get(at))
        };
        Ok(known.cloned().unwrap_or_else(|| format!("#SHEET{first}")))
    }

    fn extern_name(&mut self) -> Result<(), Unknown> {
        let link = self.tokens.u16("link")?;
        if matches!(self.biff, Biff::Five(_)) {
            self.tokens.skip("reserved", 8)?;
        }
        let number = usize::from(self.tokens.u16("name")?);
        self.tokens.skip(
            "reserved",
            if matches!(self.biff, Biff::Five(_)) {
                12
            } else {
                2
            },
        )?;
        let name = self.names.extern_names.get(&(usize::from(link), number));
        self.word(name.cloned().unwrap_or_else(|| format!("#EXTERN{number}")));
        Ok(())
    }

    /// An array of constants (2.5.198.8): columns less one, rows less one, the values.
    fn constant_array(&mut self) -> String {
        let mut out = "{".to_owned();
        if self.array_values(&mut out).is_err() {
            out.push('…');
        }
        out.push('}');
        out
    }

    fn array_values(&mut self, out: &mut String) -> Result<(), Unknown> {
        if self.biff == Biff::Twelve || self.arrays.is_empty() {
            return Err(Unknown);
        }
        let columns = usize::from(self.arrays.u8("columns")?).saturating_add(1);
        let rows = usize::from(self.arrays.u16("rows")?).saturating_add(1);
        for at in 0..rows.saturating_mul(columns) {
            if at > 0 {
                out.push(if at.checked_rem(columns) == Some(0) {
                    ';'
                } else {
                    ','
                });
            }
            match self.arrays.u8("value kind")? {
                1 => out.push_str(&f64::from_le_bytes(self.arrays.array("number")?).to_string()),
                2 => {
                    let mut inner = Decoder {
                        tokens: Reader::new(self.arrays.peek()),
                        arrays: Reader::new(&[]),
                        formula: Formula::default(),
                        stack: Vec::new(),
                        ..*self
                    };
                    let text = if self.biff == Biff::Eight {
                        inner.long_text()?
                    } else {
                        inner.text()?
                    };
                    let taken = inner.tokens.offset();
                    self.arrays.skip("text", taken)?;
                    out.push_str(&super::formula::quoted(&text));
                }
                4 => out.push_str(
                    if u64::from_le_bytes(self.arrays.array("logical value")?) & 1 == 1 {
                        "TRUE"
                    } else {
                        "FALSE"
                    },
                ),
                _ => self.arrays.skip("value", 8)?,
            }
        }
        Ok(())
    }

    /// A text whose length has two bytes.
    fn long_text(&mut self) -> Result<String, Unknown> {
        let len = usize::from(self.tokens.u16("text length")?);
        let wide = self.tokens.u8("text flags")? & 1 == 1;
        Ok(unicode(
            self.tokens
                .take("text", if wide { len.saturating_mul(2) } else { len })?,
            wide,
        ))
    }
}

fn cell(sheet: Option<String>, row: u32, column: u32) -> Node {
    Node::Cell(super::formula::Address { sheet, row, column })
}

/// Characters of one byte (the low half of UTF-16) or two.
pub(crate) fn unicode(bytes: &[u8], wide: bool) -> String {
    if !wide {
        return bytes.iter().map(|byte| char::from(*byte)).collect();
    }
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// An error value (2.5.10).
fn error_name(code: u8) -> &'static str {
    match code {
        0x00 => "#NULL!",
        0x07 => "#DIV/0!",
        0x0f => "#VALUE!",
        0x17 => "#REF!",
        0x1d => "#NAME?",
        0x24 => "#NUM!",
        0x2a => "#N/A",
        _ => "#ERROR!",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eight(rgce: &[u8]) -> (String, bool) {
        let names = Names {
            defined: vec!["start".to_owned()],
            externs: vec!["Sheet2".to_owned()],
            ..Names::default()
        };
        formula_text(rgce, &[], Biff::Eight, (4, 2), &names)
    }

    #[test]
    fn tokens_of_biff8_are_written_as_a_formula() {
        let exec = [0x17, 4, 0, b'c', b'a', b'l', b'c', 0x42, 1, 110, 0];
        assert_eq!(eight(&exec), ("EXEC(\"calc\")".to_owned(), true));
        let joined = [
            0x1e, 7, 0, 0x41, 111, 0, 0x24, 2, 0, 3, 0xc0, 0x08, 0x17, 1, 1, 0x42, 0x30, 0x08,
        ];
        assert_eq!(eight(&joined), ("CHAR(7)&D3&\"あ\"".to_owned(), true));
        assert_eq!(
            eight(&[0x3a, 0, 0, 0, 0, 1, 0, 0x23, 1, 0, 0, 0, 0x42, 2, 53, 0]).0,
            "GOTO(Sheet2!B1,start)"
        );
        // A relative reference of a shared formula: one row up, in the same column.
        assert_eq!(eight(&[0x2c, 0xff, 0xff, 0, 0xc0]).0, "C4");
        assert_eq!(eight(&[0x42, 0, 0, 0x80]), ("BEEP()".to_owned(), true));
    }

    #[test]
    fn what_breaks_off_shows_what_came_before() {
        let cut = [0x17, 1, 0, b'a', 0x42, 1, 110, 0, 0x17, 200, 0, b'x'];
        assert_eq!(eight(&cut), ("EXEC(\"a\")".to_owned(), false));
        assert_eq!(eight(&[0x42, 9, 110, 0]), ("EXEC()".to_owned(), false));
        assert_eq!(eight(&[0xff]), (String::new(), false));
        assert!(!eight(&[0x1e, 1, 0, 0x1e, 2, 0]).1);
    }

    #[test]
    fn biff12_and_biff5_have_their_own_widths() {
        let names = Names {
            externs: vec!["M".to_owned()],
            ..Names::default()
        };
        let twelve = [
            0x3a, 0, 0, 9, 0, 0, 0, 1, 0xc0, 0x17, 2, 0, b'h', 0, b'i', 0, 0x08,
        ];
        assert_eq!(
            formula_text(&twelve, &[], Biff::Twelve, (0, 0), &names).0,
            "M!B10&\"hi\""
        );
        let five = [0x44, 1, 0xc0, 2, 0x17, 1, 0x82, 0x08];
        assert_eq!(
            formula_text(&five, &[], Biff::Five(1252), (0, 0), &names).0,
            "C2&\"‚\""
        );
    }
}
