//! P-code: what Office compiled a module to and keeps before its source ([MS-OVBA] 2.3.4.3, PerformanceCache).
//!
//! The specification calls the cache opaque; its layout was learned from files: a head whose words lead to tables of
//! names, and a list of lines behind the mark 0xcafe, each with its instructions. A line that does not come out even,
//! or that names what is not there, is counted as damaged and left out.

use crate::bytes::{Reader, index, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

use super::identifiers::{Identifier, Identifiers};
use super::opcodes::{Does, Form, On, Opcode, opcode};

/// Where the head leads to the lines, and how far behind that they start.
const LINES: (usize, usize) = (0x19, 0x3c);

/// Where the head leads to the table of records.
const RECORDS: usize = 0x11;

/// Where the head leads to the table of objects, and how far behind that it starts.
const OBJECTS: (usize, usize) = (5, 0x8a);

/// The mark before the lines.
const MARK: u16 = 0xcafe;

/// Bytes of an entry in the list of lines.
const LINE: usize = 12;

/// The compiled code of one module.
#[derive(Debug, Clone)]
pub struct Pcode<'a> {
    pub(super) names: &'a Identifiers<'a>,
    /// The instructions of all lines.
    code: &'a [u8],
    /// Where each line starts in them, and its length in bytes.
    lines: Vec<(usize, usize)>,
    pub(super) records: &'a [u8],
    pub(super) objects: &'a [u8],
    pub(super) declarations: &'a [u8],
}

/// What a line uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use<'a> {
    /// It starts a procedure of this name.
    Procedure(&'a [u8]),
    /// It calls or indexes this name.
    Call(&'a [u8]),
    /// It names this otherwise.
    Name(&'a [u8]),
    /// It holds this string.
    Text(&'a [u8]),
}

impl<'a> Use<'a> {
    /// The bytes of the name or string.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Procedure(bytes) | Self::Call(bytes) | Self::Name(bytes) | Self::Text(bytes) => {
                bytes
            }
        }
    }
}

/// One instruction of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Instruction<'a> {
    pub(super) opcode: &'static Opcode,
    /// The bits above its number: a type, a scope, a flag.
    pub(super) kind: u16,
    /// Its name, as a number.
    pub(super) name: Option<u16>,
    /// Its other operands, as one little-endian number.
    pub(super) number: u64,
    /// The bytes it carries.
    pub(super) text: &'a [u8],
}

impl<'a> Pcode<'a> {
    /// Reads the cache of a module's stream; none where there is none that is understood.
    pub fn read(
        stream: &'a [u8],
        names: &'a Identifiers<'a>,
        budget: &Budget,
    ) -> Result<Option<Self>, Halt> {
        let Some(mut reader) = lines(stream) else {
            return Ok(None);
        };
        let Ok(count) = reader.u16("p-code lines") else {
            return Ok(None);
        };
        let mut entries = Vec::new();
        for _ in 0..count {
            budget.tick()?;
            let Ok(entry) = reader.take("p-code line", LINE) else {
                return Ok(None);
            };
            let len = u16_at(entry, 4).map_or(0, usize::from);
            entries.push((u32_at(entry, 8).map_or(0, index), len));
        }
        let Ok(()) = reader.skip("p-code", 10) else {
            return Ok(None);
        };
        // A 64-bit head has two more pointers of four bytes.
        let wider = if names.wide { 4 } else { 0 };
        let declarations = 0x3fusize.saturating_add(wider);
        let records = u32_at(stream, RECORDS).map_or(usize::MAX, index);
        let records = records.saturating_add(if names.wide { 12 } else { 10 });
        let objects = u32_at(stream, OBJECTS.0).map_or(usize::MAX, index);
        Ok(Some(Self {
            names,
            code: reader.rest(),
            lines: entries,
            records: table(stream, records),
            objects: table(stream, objects.saturating_add(OBJECTS.1)),
            declarations: table(stream, declarations),
        }))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The instructions of each line in their order; `None` for a damaged one.
    pub(super) fn lines(&self) -> impl Iterator<Item = Option<Vec<Instruction<'a>>>> + '_ {
        self.lines.iter().map(|&(at, len)| self.line(at, len))
    }

    fn line(&self, at: usize, len: usize) -> Option<Vec<Instruction<'a>>> {
        // A blank line lies nowhere.
        let code = if len == 0 {
            Some(&[][..])
        } else {
            slice(self.code, at, len)
        };
        let mut reader = Reader::new(code?);
        let mut line = Vec::new();
        // Ends because every instruction takes at least two bytes.
        while !reader.is_empty() {
            line.push(self.instruction(&mut reader)?);
        }
        Some(line)
    }

    fn instruction(&self, reader: &mut Reader<'a>) -> Option<Instruction<'a>> {
        let word = reader.u16("instruction").ok()?;
        let opcode = opcode(word & 0x3ff, self.names.wide)?;
        let mut out = Instruction {
            opcode,
            kind: word >> 10,
            name: None,
            number: 0,
            text: &[],
        };
        let mut shift = 0u32;
        for operand in opcode.operands.bytes() {
            match operand {
                b'n' => out.name = Some(reader.u16("name").ok()?),
                b's' => {
                    let len = usize::from(reader.u16("length").ok()?);
                    out.text = reader.take("text", len).ok()?;
                    // The padding of a line's last text may be left out.
                    let _ = reader.skip("padding", len & 1);
                }
                b'w' | b'i' => {
                    let word = u64::from(reader.u16("word").ok()?);
                    out.number |= word.checked_shl(shift).unwrap_or_default();
                    shift = shift.saturating_add(16);
                }
                wide => {
                    let word = u64::from(reader.u32("record").ok()?);
                    out.number |= word.checked_shl(shift).unwrap_or_default();
                    shift = shift.saturating_add(32);
                    let rest = match wide {
                        b'c' if self.names.wide => 4,
                        b'v' if out.kind & 0x10 != 0 => 2,
                        _ => 0,
                    };
                    reader.skip("rest of record", rest).ok()?;
                }
            }
        }
        Some(out)
    }

    /// The name that an instruction means: its operand, or the one its record holds.
    pub(super) fn name(&self, one: &Instruction<'a>) -> Option<Identifier<'a>> {
        let operand = match one.opcode.form {
            Form::OnError | Form::Resume if one.kind != 0 => return None,
            Form::Procedure | Form::Variable | Form::Type => {
                u16_at(self.records, index(one.number).checked_add(2)?)?
            }
            _ => one.name?,
        };
        self.names.name(operand)
    }

    /// Tells what every line uses, and gives the number of damaged lines.
    ///
    /// Words that Visual Basic reserves are left out, and what a comment or a line that was not compiled holds.
    pub fn uses(&self, budget: &Budget, see: &mut dyn FnMut(Use<'a>)) -> Result<usize, Halt> {
        let mut damaged = 0usize;
        for line in self.lines() {
            budget.tick()?;
            let used = line.and_then(|line| {
                let used = line.iter().map(|one| self.used(one));
                used.collect::<Option<Vec<_>>>()
            });
            match used {
                Some(used) => used.into_iter().flatten().for_each(&mut *see),
                None => damaged = damaged.saturating_add(1),
            }
        }
        Ok(damaged)
    }

    /// What one instruction uses; `None` where it names what is not there.
    fn used(&self, one: &Instruction<'a>) -> Option<Option<Use<'a>>> {
        if one.opcode.form == Form::Text {
            return Some(Some(Use::Text(one.text)));
        }
        // Labels may be numbers, and tell nothing.
        let label = matches!(
            one.opcode.form,
            Form::Jump(..) | Form::OnError | Form::Resume
        );
        let names = one.name.is_some() && !label;
        let holds = matches!(
            one.opcode.form,
            Form::Procedure | Form::Variable | Form::Type
        );
        if !names && !holds {
            return Some(None);
        }
        Some(match self.name(one)? {
            Identifier::Reserved(_) => None,
            Identifier::Own(name) => Some(match one.opcode.form {
                Form::Procedure => Use::Procedure(name),
                Form::Access(_, Does::Call) | Form::Access(On::Name | On::Member, Does::Load) => {
                    Use::Call(name)
                }
                _ => Use::Name(name),
            }),
        })
    }
}

/// A reader behind the mark of the lines, where the head says it is.
fn lines(stream: &[u8]) -> Option<Reader<'_>> {
    let told = u32_at(stream, LINES.0).map(|to| index(to).saturating_add(LINES.1));
    let told = told.filter(|&at| u16_at(stream, at) == Some(MARK))?;
    Some(Reader::at(stream, told.checked_add(4)?))
}

/// The table at `at`, which starts with its length; empty where it is not there whole.
fn table(stream: &[u8], at: usize) -> &[u8] {
    let len = u32_at(stream, at).map(index);
    let start = at.checked_add(4);
    let found = len
        .zip(start)
        .and_then(|(len, start)| slice(stream, start, len));
    found.unwrap_or_default()
}

#[cfg(test)]
mod tests;
