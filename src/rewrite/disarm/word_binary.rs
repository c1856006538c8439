//! Word 97 to 2003 ([MS-DOC]): what the streams of a document keep of macros, templates and links. Everything is put
//! over what was there at equal length, so that no offset moves.

use super::asked::{COMMANDS, Log, MACROS, OBJECTS, OUTSIDE, PACKAGES, PROGRAMS, SHEETS};
use super::compound::{self, Wanted, leads_outside, put};
use super::{Disarmer, FindingId, Refusal};
use crate::bytes::{Reader, index, u16_at, u32_at};
use crate::formats::fields::Fields;
use crate::formats::word::{self, Unit};
use crate::limits::{Budget, Halt};
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "word_binary",
    kinds: &[Kind::Doc, Kind::OleWord],
    findings: &[
        MACROS, SHEETS, COMMANDS, PACKAGES, PROGRAMS, OBJECTS, OUTSIDE,
    ],
    run: compound::run,
};

/// Places among the pairs of FibRgFcLcb97 (2.5.6): the command table, the names of macros, the associated strings.
const CMDS: usize = 24;
const STTBF_MCR: usize = 26;
const STTBF_ASSOC: usize = 32;

/// The tables of fields with the story that each is of, by its place among the lengths of FibRgLw97 (2.5.4).
const PLC_FLD: [(usize, usize); 7] = [
    (16, 0),
    (18, 1),
    (17, 2),
    (19, 4),
    (48, 5),
    (57, 6),
    (59, 7),
];

/// Stories in FibRgLw97: their lengths stand from the fourth number on.
const STORIES: usize = 8;
const FIRST_STORY: usize = 3;

/// Place of the attached template in SttbfAssoc (2.9.271).
const ASSOC_DOT: u16 = 1;

/// The keyword and the number (2.9.90) of a field that nothing computes: data of an add-in, its result is kept.
const INERT: &str = " ADDIN";
const INERT_TYPE: u8 = 0x51;

/// The streams of a document.
pub(super) struct Streams {
    pub(super) document: Vec<u8>,
    pub(super) table: Vec<u8>,
}

/// Edits the streams of a document; false where nothing of what has to go is there.
pub(super) fn edit(
    streams: &mut Streams,
    wanted: &Wanted,
    path: &str,
    log: &mut Log,
    budget: &Budget,
) -> Result<bool, Refusal> {
    let anything = wanted.macros.is_some()
        || wanted.template.is_some()
        || wanted.exchange.is_some()
        || wanted.links.is_some();
    if !anything {
        return Ok(false);
    }
    let is_97 = word::table_name(&streams.document).is_some();
    if is_97 && u16_at(&streams.document, 10).is_some_and(|flags| flags & 0x0100 != 0) {
        return Err(Refusal::Locked);
    }
    let mut edited = false;
    if is_97 {
        if let Some(finding) = &wanted.macros {
            edited |= streams.forget(CMDS, &format!("{path}: command table"), finding, log);
            edited |= streams.forget(STTBF_MCR, &format!("{path}: names of macros"), finding, log);
        }
        if let Some(finding) = &wanted.template
            && streams.detach_template().is_some()
        {
            log.add(finding, &format!("{path}: attached template"));
            edited = true;
        }
    }
    if wanted.exchange.is_some() || wanted.links.is_some() {
        edited |= fields(streams, wanted, path, log, budget)?;
    }
    Ok(edited)
}

impl Streams {
    /// Sets a pair of the FIB to nothing.
    fn forget(&mut self, place: usize, what: &str, finding: &FindingId, log: &mut Log) -> bool {
        let Some(at) = word::pair_at(&self.document, place) else {
            return false;
        };
        let size = at.checked_add(4).and_then(|at| u32_at(&self.document, at));
        let (Some(start), Some(size)) = (u32_at(&self.document, at), size) else {
            return false;
        };
        if size == 0 {
            return false;
        }
        put(&mut self.document, at, &[0; 8]);
        let start = index(start);
        let end = start.saturating_add(index(size)).min(self.table.len());
        if let Some(bytes) = self.table.get_mut(start..end) {
            bytes.fill(0);
        }
        log.add(finding, what);
        true
    }

    /// Empties the name of the attached template where it leads outside.
    fn detach_template(&mut self) -> Option<()> {
        let pair = word::pair_at(&self.document, STTBF_ASSOC)?;
        let start = index(u32_at(&self.document, pair)?);
        let size = index(u32_at(&self.document, pair.checked_add(4)?)?);
        let strings = self.table.get(start..)?;
        let strings = strings.get(..size.min(strings.len()))?;
        let mut reader = Reader::new(strings);
        let width = if reader.u16("fExtend").ok()? == 0xffff {
            2
        } else {
            1
        };
        let count = reader.u16("cData").ok()?;
        let extra = usize::from(reader.u16("cbExtra").ok()?);
        for at in 0..count {
            let length_at = reader.offset();
            let units = usize::from(reader.u16("cchData").ok()?);
            let name = reader.take("Data", units.checked_mul(width)?).ok()?;
            if at == ASSOC_DOT {
                let name = name_text(name, width);
                if !leads_outside(name.trim_matches('\0')) {
                    return None;
                }
                // The strings behind it move up; what is left over at the end is zeros.
                let mut shorter = strings.get(..length_at)?.to_vec();
                shorter.extend([0, 0]);
                shorter.extend(reader.rest());
                let new_size = u32::try_from(shorter.len()).ok()?;
                shorter.resize(strings.len(), 0);
                put(&mut self.table, start, &shorter);
                put(
                    &mut self.document,
                    pair.checked_add(4)?,
                    &new_size.to_le_bytes(),
                );
                return Some(());
            }
            reader.skip("ExtraData", extra).ok()?;
        }
        None
    }

    /// Sets the type of the fields that begin at these units of the text, in the tables of fields (2.8.25).
    fn retype(&mut self, begins: &[usize]) -> Option<()> {
        let mut fib = Reader::at(&self.document, 32);
        let csw = usize::from(fib.u16("csw").ok()?);
        fib.skip("fibRgW", csw.checked_mul(2)?).ok()?;
        let cslw = usize::from(fib.u16("cslw").ok()?);
        let mut lengths = Vec::new();
        for _ in 0..cslw {
            lengths.push(index(fib.u32("fibRgLw").ok()?));
        }
        let story = |number: usize| lengths.get(FIRST_STORY.saturating_add(number)).copied();
        for (place, number) in PLC_FLD {
            if number >= STORIES {
                continue;
            }
            let base = (0..number)
                .filter_map(story)
                .fold(0usize, usize::saturating_add);
            let Some(pair) = word::pair_at(&self.document, place) else {
                continue;
            };
            let start = index(u32_at(&self.document, pair)?);
            let size = index(u32_at(&self.document, pair.checked_add(4)?)?);
            let count = size.saturating_sub(4) / 6;
            for at in 0..count {
                let cp_at = start.checked_add(at.checked_mul(4)?)?;
                let Some(cp) = u32_at(&self.table, cp_at) else {
                    break;
                };
                let fld = count.checked_add(1)?.checked_mul(4)?;
                let fld = start.checked_add(fld)?.checked_add(at.checked_mul(2)?)?;
                let begins_here = self.table.get(fld).is_some_and(|ch| ch & 0x1f == 0x13);
                let unit = base.saturating_add(index(cp));
                if begins_here && begins.binary_search(&unit).is_ok() {
                    put(&mut self.table, fld.checked_add(1)?, &[INERT_TYPE]);
                }
            }
        }
        Some(())
    }
}

fn name_text(name: &[u8], width: usize) -> String {
    if width == 1 {
        return name.iter().map(|byte| char::from(*byte)).collect();
    }
    let units = name.chunks_exact(2).filter_map(|pair| u16_at(pair, 0));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// A field as its marks stand among the units of the text.
#[derive(Debug, Clone, Copy)]
struct Span {
    begin: usize,
    /// Where its code ends.
    separator: usize,
}

/// Makes fields inert that exchange data or lead outside; their results stay.
fn fields(
    streams: &mut Streams,
    wanted: &Wanted,
    path: &str,
    log: &mut Log,
    budget: &Budget,
) -> Result<bool, Refusal> {
    if memchr::memchr(0x13, &streams.document).is_none() {
        return Ok(false);
    }
    let units = word::units(&streams.document, &streams.table, budget).map_err(Refusal::Limit)?;
    let Some(units) = units else {
        let what = format!("{path}: no piece table");
        return Err(Refusal::Broken(what));
    };
    let (spans, found) = walk(&units, budget).map_err(Refusal::Limit)?;
    let mut begins = Vec::new();
    for field in found {
        let finding = match field.keyword.as_str() {
            "dde" | "ddeauto" => &wanted.exchange,
            _ if field.arguments.iter().any(|target| leads_outside(target)) => &wanted.links,
            _ => &None,
        };
        let (Some(finding), Some(span)) = (finding, spans.get(field.at)) else {
            continue;
        };
        let code = units.get(span.begin.saturating_add(1)..span.separator);
        blank(&mut streams.document, code.unwrap_or_default());
        log.add(finding, &format!("{path}: field {}", field.keyword));
        begins.push(span.begin);
    }
    begins.sort_unstable();
    // A document without these tables has none to change.
    let _ = streams.retype(&begins);
    Ok(!begins.is_empty())
}

/// The fields of a text: where each stands, and those that name something outside, by their number.
fn walk(
    units: &[Unit],
    budget: &Budget,
) -> Result<(Vec<Span>, Vec<crate::formats::fields::Field>), Halt> {
    let mut spans: Vec<Span> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut fields = Fields::default();
    for (at, unit) in units.iter().enumerate() {
        budget.tick()?;
        match unit.value {
            0x13 => {
                fields.begin(spans.len());
                open.push(spans.len());
                spans.push(Span {
                    begin: at,
                    separator: units.len(),
                });
            }
            0x14 => {
                fields.separate();
                let last = open.last().and_then(|span| spans.get_mut(*span));
                if let Some(span) = last.filter(|span| span.separator == units.len()) {
                    span.separator = at;
                }
            }
            0x15 => {
                fields.end();
                let last = open.pop().and_then(|span| spans.get_mut(span));
                if let Some(span) = last.filter(|span| span.separator == units.len()) {
                    span.separator = at;
                }
            }
            _ if fields.is_open() => {
                let mut buffer = [0; 4];
                fields.text(unit.character().encode_utf8(&mut buffer));
            }
            _ => {}
        }
    }
    let (found, _) = fields.finish();
    Ok((spans, found))
}

/// Puts the inert keyword over the code of a field, and spaces over the rest; marks of nested fields stay.
fn blank(document: &mut [u8], code: &[Unit]) {
    let mut keyword = INERT.bytes();
    for unit in code {
        if matches!(unit.value, 0x01 | 0x13..=0x15) {
            continue;
        }
        let [low, high] = u16::from(keyword.next().unwrap_or(b' ')).to_le_bytes();
        let bytes = [low, high];
        put(
            document,
            unit.at,
            bytes.get(..unit.width).unwrap_or_default(),
        );
    }
}
