//! The `dir` stream ([MS-OVBA] 2.3.4.2), decompressed: code page, project name, modules.
//!
//! All records are an id, a length and that many bytes, but for one whose length is a lie by specification.
//! A record of unknown id is passed over; where a length leads out of the stream, the next known record is searched.

use crate::bytes::{Deviation, index, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

/// PROJECTVERSION: its length field says 4, and 6 bytes follow (2.3.4.2.1.11).
const PROJECT_VERSION: u16 = 0x0009;

/// Longest name of a module or stream in bytes that a search accepts.
const LONGEST_NAME: usize = 1024;

/// Modules read at the most: PROJECTMODULES counts them in 16 bits (2.3.4.2.3).
const MOST_MODULES: usize = 0xffff;

/// What a `dir` stream says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dir {
    /// PROJECTCODEPAGE, where given.
    pub code_page: Option<u16>,
    /// PROJECTNAME in the code page.
    pub name: Vec<u8>,
    /// PROJECTMODULES: the number of modules as declared.
    pub declared_modules: Option<u16>,
    /// The modules, in their order.
    pub modules: Vec<Module>,
    /// What was odd; offsets count in the decompressed stream.
    pub deviations: Vec<Deviation>,
}

/// One module (2.3.4.2.3.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Module {
    /// MODULENAME in the code page.
    pub name: Vec<u8>,
    /// MODULENAMEUNICODE.
    pub name_unicode: Option<String>,
    /// MODULESTREAMNAME in the code page.
    pub stream_name: Vec<u8>,
    /// Its Unicode half.
    pub stream_name_unicode: Option<String>,
    /// MODULEOFFSET: where the compressed source starts in the stream.
    pub offset: Option<u32>,
    /// MODULETYPE: whether it is procedural (a plain module) or else a document, class or form.
    pub procedural: Option<bool>,
    /// MODULEPRIVATE.
    pub private: bool,
}

impl Module {
    fn is_empty(&self) -> bool {
        self.name.is_empty()
            && self.name_unicode.is_none()
            && self.stream_name.is_empty()
            && self.stream_name_unicode.is_none()
    }

    /// MODULENAMEUNICODE, else MODULENAME in `code_page`, else the stream's name.
    pub fn name(&self, code_page: u16) -> String {
        self.name_unicode
            .clone()
            .or_else(|| text(&self.name, code_page))
            .or_else(|| self.stream_names(code_page).into_iter().next())
            .unwrap_or_default()
    }

    /// Every name that its stream may have, the likeliest first: the two halves may differ.
    pub fn stream_names(&self, code_page: u16) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let readings = [
            self.stream_name_unicode.clone(),
            text(&self.stream_name, code_page),
            self.name_unicode.clone(),
            text(&self.name, code_page),
        ];
        for name in readings.into_iter().flatten() {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

fn text(raw: &[u8], code_page: u16) -> Option<String> {
    let (text, _) = super::encoding(code_page).decode_without_bom_handling(raw);
    (!raw.is_empty()).then(|| text.into_owned())
}

/// Reads a decompressed `dir` stream. Never refuses; a stream of something else has no modules.
pub fn parse(data: &[u8], budget: &Budget) -> Result<Dir, Halt> {
    let mut dir = Dir::default();
    let mut module = Module::default();
    let mut at = 0usize;
    // Ends because every round moves on by at least one byte.
    while at < data.len() {
        budget.tick()?;
        if dir.modules.len() >= MOST_MODULES {
            let what = format!("modules: more than {MOST_MODULES}, the rest is not read");
            dir.deviations.push(Deviation::new(at, what));
            break;
        }
        let Some(record) = Record::at(data, at) else {
            let next = resume(data, at, budget)?;
            let what = match next {
                Some(next) => format!("record at {at} leads out of the stream, read on at {next}"),
                None => format!("record at {at} leads out of the stream, nothing known behind it"),
            };
            dir.deviations.push(Deviation::new(at, what));
            match next {
                Some(next) => at = next,
                None => break,
            }
            continue;
        };
        at = record.end;
        dir.take(&record, &mut module);
    }
    dir.flush(&mut module);
    if let Some(declared) = dir.declared_modules
        && usize::from(declared) != dir.modules.len()
    {
        dir.deviations.push(Deviation::new(
            0,
            format!("modules: expected {declared}, found {}", dir.modules.len()),
        ));
    }
    Ok(dir)
}

impl Dir {
    fn take(&mut self, record: &Record<'_>, module: &mut Module) {
        let data = record.data;
        match record.id {
            0x0003 => self.code_page = u16_at(data, 0),
            0x0004 => self.name = data.to_vec(),
            0x000f => self.declared_modules = u16_at(data, 0),
            0x0019 => {
                self.flush(module);
                module.name = data.to_vec();
            }
            0x0047 => module.name_unicode = Some(utf16(data)),
            0x001a => {
                // A second stream name without a new module: the terminator between them is missing.
                if !module.stream_name.is_empty() {
                    self.flush(module);
                }
                module.stream_name = data.to_vec();
            }
            0x0032 => module.stream_name_unicode = Some(utf16(data)),
            0x0031 => module.offset = u32_at(data, 0),
            0x0021 => module.procedural = Some(true),
            0x0022 => module.procedural = Some(false),
            0x0028 => module.private = true,
            0x002b => self.flush(module),
            _ => {}
        }
    }

    fn flush(&mut self, module: &mut Module) {
        let module = std::mem::take(module);
        if !module.is_empty() {
            self.modules.push(module);
        }
    }
}

/// A record of the stream.
pub(super) struct Record<'a> {
    pub(super) id: u16,
    pub(super) data: &'a [u8],
    /// Where the next one starts.
    pub(super) end: usize,
}

impl<'a> Record<'a> {
    /// The record at `at`; `None` where its length leads out of the stream.
    pub(super) fn at(data: &'a [u8], at: usize) -> Option<Self> {
        let id = u16_at(data, at)?;
        let declared = index(u32_at(data, at.checked_add(2)?)?);
        let len = if id == PROJECT_VERSION { 6 } else { declared };
        let start = at.checked_add(6)?;
        Some(Self {
            id,
            data: slice(data, start, len)?,
            end: start.checked_add(len)?,
        })
    }

    /// Whether this is surely a record of the modules part, for the search: a module's or stream's name, followed
    /// by another known record or the end.
    fn starts_module(&self, data: &[u8]) -> bool {
        let plausible = matches!(self.id, 0x0019 | 0x001a)
            && (1..=LONGEST_NAME).contains(&self.data.len())
            && !self.data.contains(&0);
        let next = u16_at(data, self.end);
        plausible && next.is_none_or(|id| matches!(id, 0x0047 | 0x001a | 0x0032 | 0x001c | 0x0031))
    }
}

/// The next place behind `at` where the records of a module start.
fn resume(data: &[u8], at: usize, budget: &Budget) -> Result<Option<usize>, Halt> {
    for next in at.saturating_add(1)..data.len() {
        budget.tick()?;
        if Record::at(data, next).is_some_and(|record| record.starts_module(data)) {
            return Ok(Some(next));
        }
    }
    Ok(None)
}

fn utf16(raw: &[u8]) -> String {
    let (text, _) = encoding_rs::UTF_16LE.decode_without_bom_handling(raw);
    text.trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn record(id: u16, data: &[u8]) -> Vec<u8> {
        let mut out = id.to_le_bytes().to_vec();
        out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        out.extend(data);
        out
    }

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn module(name: &str, offset: u32) -> Vec<u8> {
        let (narrow, _, _) = encoding_rs::SHIFT_JIS.encode(name);
        [
            record(0x19, &narrow),
            record(0x47, &wide(name)),
            record(0x1a, &narrow),
            record(0x32, &wide(name)),
            record(0x1c, b""),
            record(0x48, b""),
            record(0x31, &offset.to_le_bytes()),
            record(0x1e, &[0; 4]),
            record(0x2c, &[0xff; 2]),
            record(0x21, b""),
            record(0x2b, b""),
        ]
        .concat()
    }

    fn project(between: &[u8]) -> Vec<u8> {
        let mut version = record(0x09, &[0; 4]);
        version.extend([7, 0]);
        [
            record(0x01, &[1, 0, 0, 0]),
            record(0x03, &932u16.to_le_bytes()),
            record(0x04, b"VBAProject"),
            version,
            between.to_vec(),
            record(0x0f, &[2, 0]),
            record(0x13, &[0xff; 2]),
            module("標準モジュール", 77),
            module("Sheet1", 1234),
            record(0x10, b""),
        ]
        .concat()
    }

    fn read(data: &[u8]) -> Dir {
        parse(data, &Budget::new(Limits::default(), None)).unwrap()
    }

    fn offsets(dir: &Dir) -> Vec<(String, Option<u32>)> {
        let page = dir.code_page.unwrap_or(1252);
        dir.modules
            .iter()
            .map(|module| (module.name(page), module.offset))
            .collect()
    }

    #[test]
    fn modules_are_read_with_both_halves_of_their_names() {
        let dir = read(&project(b""));
        assert_eq!(dir.code_page, Some(932));
        assert_eq!(dir.name, b"VBAProject");
        assert_eq!(dir.deviations, []);
        assert_eq!(
            offsets(&dir),
            [
                ("標準モジュール".to_owned(), Some(77)),
                ("Sheet1".to_owned(), Some(1234))
            ]
        );
        assert_eq!(dir.modules[0].stream_names(932), ["標準モジュール"]);
        assert_eq!(dir.modules[0].procedural, Some(true));
    }

    #[test]
    fn a_record_of_unknown_id_is_passed_over() {
        let dir = read(&project(&record(0x4711, b"whatever")));
        assert_eq!(dir.modules.len(), 2);
        assert_eq!(dir.deviations, []);
    }

    #[test]
    fn a_length_that_leads_out_is_searched_around() {
        let mut lying = record(0x16, b"stdole");
        lying[2..6].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
        let dir = read(&project(&lying));
        assert_eq!(offsets(&dir).len(), 2);
        assert_eq!(dir.deviations.len(), 1, "{:?}", dir.deviations);
    }

    #[test]
    fn a_cut_stream_keeps_the_modules_before_the_cut() {
        let whole = project(b"");
        let dir = read(&whole[..whole.len() - 60]);
        assert_eq!(dir.modules[0].offset, Some(77));
        assert!(!dir.deviations.is_empty());
        for len in 0..whole.len() {
            read(&whole[..len]);
        }
    }

    #[test]
    fn a_wrong_number_of_modules_is_told() {
        let mut data = project(b"");
        let at = memchr::memmem::find(&data, &record(0x0f, &[2, 0])).unwrap();
        data[at + 6] = 9;
        let dir = read(&data);
        assert_eq!(dir.modules.len(), 2);
        assert_eq!(
            dir.deviations,
            [Deviation::new(0, "modules: expected 9, found 2")]
        );
    }
}
