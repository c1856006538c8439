//! Excel 5 to 2003 ([MS-XLS]; BIFF5 and BIFF8): records that stand for macros, macro sheets and conversations with other
//! programs. Macro sheets become empty worksheets, so that no sheet changes its number; links lose their target and
//! keep their place; values that cells show stay. Where records grow or vanish, every offset that counts from the start
//! of the stream follows: those of sheets (2.4.28), of rows (2.4.144) and of shared strings (2.4.107).

use std::collections::BTreeSet;

use super::asked::{COMMANDS, Log, MACROS, OUTSIDE, PACKAGES, PROGRAMS, SHEETS};
use super::compound::{self, Wanted, put};
use super::{Disarmer, FindingId, Refusal};
use crate::bytes::{Reader, index, u16_at, u32_at};
use crate::formats::office_crypt;
use crate::knowledge::passwords;
use crate::limits::Budget;
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "excel_binary",
    kinds: &[Kind::Xls],
    findings: &[
        MACROS,
        SHEETS,
        COMMANDS,
        PACKAGES,
        PROGRAMS,
        OUTSIDE,
        &["hidden-sheet", "equation-object", "activex-control"],
    ],
    run: compound::run,
};

/// Numbers of records (2.3.2).
const BOF: u16 = 0x0809;
const EOF: u16 = 0x000a;
const EXTERN_SHEET: u16 = 0x0017;
const LBL: u16 = 0x0018;
const EXTERN_NAME: u16 = 0x0023;
const FILE_PASS: u16 = 0x002f;
const CONTINUE: u16 = 0x003c;
const XCT: u16 = 0x0059;
const CRN: u16 = 0x005a;
const OBJ: u16 = 0x005d;
const BOUND_SHEET: u16 = 0x0085;
const OB_PROJ: u16 = 0x00d3;
const EXT_SST: u16 = 0x00ff;
const SUP_BOOK: u16 = 0x01ae;
const DIMENSIONS: u16 = 0x0200;
const INDEX: u16 = 0x020b;
const WINDOW2: u16 = 0x023e;

/// Kinds of substreams (2.4.21): a worksheet, a macro sheet.
const WORKSHEET: u16 = 0x0010;
const MACRO_SHEET: u16 = 0x0040;

/// A formula that is an error for good: `#REF!` (2.5.198.27).
const NO_REFERENCE: [u8; 2] = [0x1c, 0x17];

/// Built-in names that start by themselves (2.5.114): on opening, closing, activation.
const AUTOMATIC: [u8; 4] = [1, 2, 10, 11];

/// Parts of an Obj record (2.5.139 to 2.5.150): the first, flags of a picture, the formula behind it, the last. Of the
/// flags: a control, whose data stand in the stream of all controls.
const FT_END: u16 = 0x0000;
const FT_PIO_GRBIT: u16 = 0x0008;
const FT_PICT_FMLA: u16 = 0x0009;
const CONTROL: u16 = 0x0010 | 0x0020;

/// How such names begin where they are spelled out.
const SPELLED: &str = "auto_";

/// A record where it stands.
#[derive(Debug, Clone, Copy)]
struct Record<'a> {
    at: usize,
    id: u16,
    body: &'a [u8],
    /// All of it.
    whole: &'a [u8],
}

/// Versions of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Biff {
    Five,
    Eight,
}

/// Edits a workbook stream; `None` where nothing of what has to go is there.
pub(super) fn edit(
    stream: &[u8],
    wanted: &Wanted,
    path: &str,
    log: &mut Log,
    budget: &Budget,
) -> Result<Option<Vec<u8>>, Refusal> {
    let anything = [
        &wanted.macros,
        &wanted.sheets,
        &wanted.hidden,
        &wanted.exchange,
        &wanted.links,
        &wanted.controls,
    ];
    if anything.iter().all(|finding| finding.is_none()) {
        return Ok(None);
    }
    let records = records(stream, budget)?;
    if records.first().is_none_or(|record| record.id != BOF) {
        return Ok(None);
    }
    if records.iter().any(|record| record.id == FILE_PASS) {
        return Err(Refusal::Locked);
    }
    let listed = records
        .iter()
        .filter(|record| record.id == BOUND_SHEET)
        .filter_map(|record| u32_at(record.body, 0).map(index))
        .collect();
    let has_macro_sheets = records.iter().any(|record| match record.id {
        BOF => u16_at(record.body, 2) == Some(MACRO_SHEET),
        BOUND_SHEET => record.body.get(5) == Some(&1),
        _ => false,
    });
    let wanted = &Wanted {
        sheets: wanted.sheets.clone().filter(|_| has_macro_sheets),
        ..wanted.clone()
    };
    let mut editor = Editor::new(&records, wanted, path, log);
    editor.listed = listed;
    for (at, record) in records.iter().enumerate() {
        budget.tick().map_err(Refusal::Limit)?;
        editor.record(record, records.get(at.saturating_add(1)));
    }
    // What is too short for a record stays behind the last one.
    let read: usize = records.iter().map(|record| record.whole.len()).sum();
    editor.out.extend(stream.get(read..).unwrap_or_default());
    if editor.out == stream {
        return Ok(None);
    }
    editor.settle(budget).map(Some)
}

/// Whether the records of a workbook are locked.
fn is_locked(stream: &[u8], budget: &Budget) -> Result<bool, Refusal> {
    Ok(records(stream, budget)?
        .iter()
        .any(|record| record.id == FILE_PASS))
}

/// A workbook in clear that is locked by a well-known password, so that everybody opens it; `None` for one that is not
/// locked.
pub(super) fn opened(stream: &[u8], budget: &Budget) -> Result<Option<Vec<u8>>, Refusal> {
    if !is_locked(stream, budget)? {
        return Ok(None);
    }
    for word in &passwords().well_known {
        budget.spend(stream.len()).map_err(Refusal::Limit)?;
        if let Some(clear) = office_crypt::workbook(stream, word) {
            return without_lock(&clear, budget).map(Some);
        }
    }
    Err(Refusal::Locked)
}

/// Leaves out the record of the lock, which is blanked in what was opened.
fn without_lock(clear: &[u8], budget: &Budget) -> Result<Vec<u8>, Refusal> {
    let records = records(clear, budget)?;
    let (wanted, mut log) = (Wanted::default(), Log::default());
    let mut editor = Editor::new(&records, &wanted, "Workbook", &mut log);
    let read: usize = records.iter().map(|record| record.whole.len()).sum();
    for record in &records {
        budget.tick().map_err(Refusal::Limit)?;
        if record.id != office_crypt::BLANKED {
            editor.keep(record);
        }
    }
    editor.out.extend(clear.get(read..).unwrap_or_default());
    editor.settle(budget)
}

/// The records of a stream up to its end; what is cut or follows the last one belongs to none.
fn records<'a>(stream: &'a [u8], budget: &Budget) -> Result<Vec<Record<'a>>, Refusal> {
    let mut reader = Reader::new(stream);
    let mut out = Vec::new();
    // Ends because every record takes at least four bytes.
    loop {
        budget.tick().map_err(Refusal::Limit)?;
        let at = reader.offset();
        let (Ok(id), Ok(len)) = (reader.u16("record"), reader.u16("record length")) else {
            break;
        };
        let cut = reader.remaining() < usize::from(len);
        let body = match reader.take("record body", usize::from(len)) {
            Ok(body) => body,
            Err(_) => reader.rest(),
        };
        let whole = stream.get(at..reader.offset()).unwrap_or_default();
        out.push(Record {
            at,
            id,
            body,
            whole,
        });
        if cut {
            break;
        }
    }
    Ok(out)
}

struct Editor<'a, 'l> {
    biff: Biff,
    wanted: &'a Wanted,
    path: &'a str,
    /// Where sheets start, as the globals say.
    listed: BTreeSet<usize>,
    out: Vec<u8>,
    /// Where each record stood and stands, in order.
    moved: Vec<(usize, usize)>,
    /// Substreams that are open.
    depth: usize,
    /// While a macro sheet is passed over: the depth at which it ends.
    passed: Option<usize>,
    /// Whether the link that names belong to has lost its target.
    link_gone: bool,
    /// Whether continuations belong to a record that is no longer there.
    dropped: bool,
    /// Names that were changed.
    names: usize,
    log: &'l mut Log,
}

impl<'a, 'l> Editor<'a, 'l> {
    /// Before the first of some records, which tells the version of all.
    fn new(records: &[Record<'_>], wanted: &'a Wanted, path: &'a str, log: &'l mut Log) -> Self {
        let version = records.first().and_then(|first| u16_at(first.body, 0));
        let size = records.iter().map(|record| record.whole.len()).sum();
        Self {
            biff: match version {
                Some(0x0600) => Biff::Eight,
                _ => Biff::Five,
            },
            wanted,
            path,
            listed: BTreeSet::new(),
            out: Vec::with_capacity(size),
            moved: Vec::with_capacity(records.len()),
            depth: 0,
            passed: None,
            link_gone: false,
            dropped: false,
            names: 0,
            log,
        }
    }

    fn record(&mut self, record: &Record<'_>, next: Option<&Record<'_>>) {
        let depth = self.depth;
        match record.id {
            BOF => self.depth = depth.saturating_add(1),
            EOF => self.depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(ends) = self.passed {
            if record.id == EOF && self.depth <= ends {
                self.passed = None;
            }
            return;
        }
        if record.id == CONTINUE {
            if !self.dropped {
                self.keep(record);
            }
            return;
        }
        self.dropped = false;
        match record.id {
            BOF if u16_at(record.body, 2) == Some(MACRO_SHEET)
                && (depth == 0 || self.listed.contains(&record.at)) =>
            {
                match self.wanted.sheets.clone() {
                    Some(finding) => self.empty_sheet(record, depth, &finding),
                    None => self.keep(record),
                }
            }
            OB_PROJ => match self.wanted.macros.clone() {
                Some(finding) => self.told(&finding, "mark of a macro project"),
                None => self.keep(record),
            },
            BOUND_SHEET => self.bound_sheet(record),
            LBL => self.label(record),
            SUP_BOOK => self.link(record, next),
            EXTERN_SHEET if self.biff == Biff::Five => self.old_link(record),
            EXTERN_NAME if self.link_gone => {
                self.write(record, EXTERN_NAME, &self.no_name());
                self.dropped = true;
            }
            OBJ if self.biff == Biff::Eight => self.drawn(record, next),
            XCT | CRN if self.link_gone => self.dropped = true,
            _ => self.keep(record),
        }
    }

    fn told(&mut self, finding: &FindingId, what: &str) {
        self.log.add(finding, &format!("{}: {what}", self.path));
    }

    fn keep(&mut self, record: &Record<'_>) {
        self.moved.push((record.at, self.out.len()));
        self.out.extend_from_slice(record.whole);
    }

    fn write(&mut self, record: &Record<'_>, id: u16, body: &[u8]) {
        self.moved.push((record.at, self.out.len()));
        self.append(id, body);
    }

    fn append(&mut self, id: u16, body: &[u8]) {
        self.out.extend(id.to_le_bytes());
        let len = u16::try_from(body.len()).unwrap_or(u16::MAX);
        self.out.extend(len.to_le_bytes());
        self.out.extend(body.iter().take(usize::from(len)));
    }

    /// Puts an empty worksheet in the place of a macro sheet.
    fn empty_sheet(&mut self, record: &Record<'_>, depth: usize, finding: &FindingId) {
        let mut bof = record.body.to_vec();
        put(&mut bof, 2, &WORKSHEET.to_le_bytes());
        self.write(record, BOF, &bof);
        let (dimensions, window) = match self.biff {
            Biff::Eight => (14, 18),
            Biff::Five => (10, 10),
        };
        self.append(DIMENSIONS, &vec![0; dimensions]);
        // Grid, headings, zeros and default colours are shown (2.4.346).
        let mut flags = vec![0xb6, 0];
        flags.resize(window, 0);
        self.append(WINDOW2, &flags);
        self.append(EOF, &[]);
        self.told(finding, &format!("macro sheet at {}", record.at));
        self.passed = Some(depth);
    }

    /// Obj (2.4.181): of a control, its picture stays. What a record without an end is, is not known: it stays.
    fn drawn(&mut self, record: &Record<'_>, next: Option<&Record<'_>>) {
        let continued = next.is_some_and(|next| next.id == CONTINUE);
        let Some(finding) = self.wanted.controls.clone().filter(|_| !continued) else {
            return self.keep(record);
        };
        let mut reader = Reader::new(record.body);
        let mut body = Vec::with_capacity(record.body.len());
        let mut is_control = false;
        // Ends because every part takes at least four bytes.
        let ended = loop {
            let (Ok(part), Ok(len)) = (reader.u16("part"), reader.u16("part length")) else {
                break false;
            };
            let Ok(data) = reader.take("part", usize::from(len)) else {
                break false;
            };
            let mut data = data.to_vec();
            match part {
                FT_PIO_GRBIT => {
                    let flags = u16_at(&data, 0).unwrap_or_default();
                    is_control = flags & CONTROL != 0;
                    put(&mut data, 0, &(flags & !CONTROL).to_le_bytes());
                }
                FT_PICT_FMLA if is_control => continue,
                _ => {}
            }
            body.extend(part.to_le_bytes());
            body.extend(len.to_le_bytes());
            body.extend(data);
            if part == FT_END {
                break true;
            }
        };
        if !is_control || !ended {
            return self.keep(record);
        }
        body.extend_from_slice(reader.rest());
        self.write(record, OBJ, &body);
        self.told(&finding, &format!("control at {}", record.at));
    }

    fn bound_sheet(&mut self, record: &Record<'_>) {
        let mut body = record.body.to_vec();
        if let Some(finding) = self.wanted.sheets.clone()
            && body.get(5) == Some(&1)
        {
            put(&mut body, 5, &[0]);
            self.told(&finding, &format!("macro sheet listed at {}", record.at));
        }
        let state = body.get(4).copied().unwrap_or_default();
        if let Some(finding) = self.wanted.hidden.clone().filter(|_| state & 3 != 0) {
            put(&mut body, 4, &[state & !3]);
            self.told(&finding, &format!("hidden sheet listed at {}", record.at));
        }
        self.write(record, BOUND_SHEET, &body);
    }

    /// Lbl (2.4.150): names that start by themselves get another name and no formula; no name is a macro any more.
    fn label(&mut self, record: &Record<'_>) {
        let Some(finding) = self.wanted.sheets.clone() else {
            return self.keep(record);
        };
        let mut body = record.body.to_vec();
        let flags = u16_at(&body, 0).unwrap_or_default();
        if !self.is_automatic(&body, flags) {
            // fFunc, fOB, fProc, fgrp and the shortcut key.
            put(&mut body, 0, &(flags & !0x0fce).to_le_bytes());
            put(&mut body, 2, &[0]);
            return self.write(record, LBL, &body);
        }
        self.names = self.names.saturating_add(1);
        let name = format!("_removed{}", self.names);
        let mut body = vec![1, 0, 0, u8::try_from(name.len()).unwrap_or(0), 2, 0];
        body.extend(record.body.get(6..10).unwrap_or(&[0; 4]));
        body.extend([0; 4]);
        if self.biff == Biff::Eight {
            body.push(0);
        }
        body.extend(name.bytes());
        body.extend(NO_REFERENCE);
        self.write(record, LBL, &body);
        self.dropped = true;
        self.told(&finding, &format!("name at {}", record.at));
    }

    fn is_automatic(&self, body: &[u8], flags: u16) -> bool {
        let len = usize::from(body.get(3).copied().unwrap_or_default());
        let text = body.get(14..).unwrap_or_default();
        let (text, width) = match (self.biff, text.split_first()) {
            (Biff::Eight, Some((high, text))) => (text, if high & 1 == 0 { 1 } else { 2 }),
            _ => (text, 1),
        };
        let characters: Vec<u16> = text
            .chunks(width)
            .take(len)
            .map(|unit| match unit {
                [low, high] => u16::from_le_bytes([*low, *high]),
                _ => unit.first().copied().unwrap_or_default().into(),
            })
            .collect();
        if flags & 0x20 != 0 {
            let number = characters.first().copied().unwrap_or_default();
            return AUTOMATIC.iter().any(|known| u16::from(*known) == number);
        }
        let name = String::from_utf16_lossy(&characters).to_lowercase();
        name.starts_with(SPELLED)
    }

    /// SupBook (2.4.271): one that has to go becomes one that nothing uses (2.5.277).
    fn link(&mut self, record: &Record<'_>, next: Option<&Record<'_>>) {
        let len = u16_at(record.body, 2).unwrap_or_default();
        let high = record.body.get(4).copied().unwrap_or_default() & 1;
        let text = record.body.get(5..).unwrap_or_default();
        let path = if matches!(len, 0x0401 | 0x3a01) {
            String::new()
        } else {
            characters(text, usize::from(len), high != 0)
        };
        let flags = next.filter(|next| next.id == EXTERN_NAME);
        let object = flags.is_some_and(|next| u16_at(next.body, 0).unwrap_or_default() & 0x10 != 0);
        let finding = self.outside(&path, object);
        self.link_gone = finding.is_some();
        match finding {
            Some(finding) => {
                self.told(&finding, &format!("link at {}", record.at));
                self.write(record, SUP_BOOK, &[0, 0, 1, 0, 0, b' ']);
                self.dropped = true;
            }
            None => self.keep(record),
        }
    }

    /// ExternSheet of BIFF5: one that has to go becomes that of functions of add-ins.
    fn old_link(&mut self, record: &Record<'_>) {
        let text = record.body.get(1..).unwrap_or_default();
        let path: String = text.iter().map(|byte| char::from(*byte)).collect();
        let finding = if path.starts_with('\u{3}') {
            None
        } else {
            self.outside(&path, false)
        };
        self.link_gone = finding.is_some();
        match finding {
            Some(finding) => {
                self.told(&finding, &format!("link at {}", record.at));
                self.write(record, EXTERN_SHEET, &[1, 0x3a]);
            }
            None => self.keep(record),
        }
    }

    /// Why a link has to go: a conversation has its program and topic on both sides of a mark, a file starts with one.
    fn outside(&self, path: &str, object: bool) -> Option<FindingId> {
        let service = path.split_once('\u{3}').map(|(service, _)| service);
        let conversation =
            service.is_some_and(|service| !service.is_empty() && !service.starts_with('\u{1}'));
        if conversation && !object {
            return self.wanted.exchange.clone();
        }
        let away = path.contains("://") || path.contains("\u{1}@") || path.contains("\\\\");
        (away || conversation)
            .then(|| self.wanted.links.clone())
            .flatten()
    }

    /// ExternName (2.4.105) without anything.
    fn no_name(&self) -> Vec<u8> {
        let mut body = vec![0, 0, 0, 0, 0, 0, 1];
        if self.biff == Biff::Eight {
            body.push(0);
        }
        body.extend([b'_', 2, 0]);
        body.extend(NO_REFERENCE);
        body
    }

    /// Where a place of the old stream is in the new one.
    fn place(&self, old: u32) -> u32 {
        let old = index(old);
        let behind = self.moved.partition_point(|(from, _)| *from <= old);
        let Some((from, to)) = behind.checked_sub(1).and_then(|at| self.moved.get(at)) else {
            return u32::try_from(old).unwrap_or_default();
        };
        let new = to.saturating_add(old.saturating_sub(*from));
        u32::try_from(new).unwrap_or_default()
    }

    /// Lets every offset follow.
    fn settle(mut self, budget: &Budget) -> Result<Vec<u8>, Refusal> {
        let mut edits: Vec<(usize, u32)> = Vec::new();
        for record in records(&self.out, budget)? {
            let body = record.at.saturating_add(4);
            let mut fix = |at: usize| {
                if let Some(old) = u32_at(record.body, at).filter(|old| *old != 0) {
                    edits.push((body.saturating_add(at), self.place(old)));
                }
            };
            match record.id {
                BOUND_SHEET => {
                    let old = index(u32_at(record.body, 0).unwrap_or_default());
                    let known = self.moved.binary_search_by_key(&old, |(from, _)| *from);
                    if known.is_err() {
                        let what = format!("{}: a sheet at {old} is not there", self.path);
                        return Err(Refusal::Broken(what));
                    }
                    fix(0);
                }
                INDEX => {
                    let first = if self.biff == Biff::Eight { 12 } else { 8 };
                    (first..record.body.len()).step_by(4).for_each(fix);
                }
                EXT_SST => (2..record.body.len()).step_by(8).for_each(fix),
                _ => {}
            }
        }
        for (at, new) in edits {
            put(&mut self.out, at, &new.to_le_bytes());
        }
        Ok(self.out)
    }
}

fn characters(text: &[u8], len: usize, wide: bool) -> String {
    if !wide {
        let bytes = text.iter().take(len);
        return bytes.map(|byte| char::from(*byte)).collect();
    }
    let units = text.chunks_exact(2).take(len);
    let units = units.filter_map(|pair| u16_at(pair, 0));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn record(id: u16, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap();
        [&id.to_le_bytes()[..], &len.to_le_bytes(), body].concat()
    }

    /// A workbook of one sheet in a version of the records, after its first record what is given.
    fn workbook(biff: Biff, lock: &[u8]) -> Vec<u8> {
        let start = |kind: u8| match biff {
            Biff::Eight => record(BOF, &[0, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            Biff::Five => record(BOF, &[0, 5, kind, 0, 0, 0, 0, 0]),
        };
        let name: &[u8] = match biff {
            Biff::Eight => b"\x05\0Sheet",
            Biff::Five => b"\x05Sheet",
        };
        let sheet = start(5).len() + lock.len() + 4 + 6 + name.len() + 4;
        let sheet = u32::try_from(sheet).unwrap().to_le_bytes();
        let listed = [&sheet[..], &[0, 0], name].concat();
        [
            start(5),
            lock.to_vec(),
            record(BOUND_SHEET, &listed),
            record(EOF, &[]),
            start(0x10),
            record(0x0203, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x45, 0x40]),
            record(EOF, &[]),
        ]
        .concat()
    }

    #[test]
    fn a_lock_that_everybody_opens_is_taken_off_and_offsets_follow() {
        let budget = Budget::new(Limits::default(), None);
        for biff in [Biff::Eight, Biff::Five] {
            let plain = workbook(biff, &[]);
            assert_eq!(opened(&plain, &budget), Ok(None));
            for (word, wanted) in [
                ("VelvetSweatshop", Ok(Some(plain))),
                ("kanri-2026", Err(Refusal::Locked)),
            ] {
                let pass = office_crypt::tests::xor_pass(word);
                // The older version does not name the way.
                let pass = match biff {
                    Biff::Eight => &pass[..],
                    Biff::Five => &pass[2..],
                };
                let locked = workbook(biff, &record(FILE_PASS, pass));
                let locked = office_crypt::tests::obscured(&locked, word);
                assert!(office_crypt::workbook(&locked, word).is_some());
                assert_eq!(opened(&locked, &budget), wanted, "{biff:?} {word}");
            }
        }
    }
}
