//! What V3 signatures of a macro project cover: V3 Content Normalized Data ([MS-OVBA] 2.4.2.5), that is most of `dir`
//! and the sources, and Project Normalized Data (2.4.2.6), that is the `PROJECT` stream with the forms (2.4.2.2).
//!
//! The specification leaves open which paths of references stand in UTF-16; programs whose signatures Office takes widen
//! those of registered libraries, and some the others too: there is a digest of each. Whatever is not of the form that
//! the editor writes has none.

use md5::Digest as _;
use sha2::Sha256;

use super::dir::Record;
use crate::bytes::{index, u32_at};
use crate::limits::{Budget, Halt};

/// Streams of forms are signed in blocks of this size, the last one filled with zeros.
const BLOCK: usize = 1023;

/// Attributes that modules of documents have by themselves, which no V3 signature covers.
const DEFAULT_ATTRIBUTES: &[&[u8]] = &[
    b"Attribute VB_Base = \"0{00020820-0000-0000-C000-000000000046}\"",
    b"Attribute VB_GlobalNameSpace = False",
    b"Attribute VB_Creatable = False",
    b"Attribute VB_PredeclaredId = True",
    b"Attribute VB_Exposed = True",
    b"Attribute VB_TemplateDerived = False",
    b"Attribute VB_Customizable = True",
];

const NAME_ATTRIBUTE: &[u8] = b"Attribute VB_Name = ";

/// Properties that only tell how a project is protected or listed.
const UNSIGNED: &[&[u8]] = &[b"ID", b"Document", b"CMG", b"DPB", b"GC"];

/// The storage of a form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// Its name as `PROJECT` has it.
    pub name: Vec<u8>,
    /// Its streams, normalised.
    pub data: Vec<u8>,
}

impl Form {
    /// Adds a stream, in the order of the storage.
    pub fn add(&mut self, stream: &[u8]) {
        for block in stream.chunks(BLOCK) {
            self.data.extend_from_slice(block);
            let missing = BLOCK.saturating_sub(block.len());
            self.data.extend(std::iter::repeat_n(0, missing));
        }
    }
}

/// Which paths of references stand in UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wide {
    Registered,
    All,
}

/// The digests that a V3 signature of a project may sign.
pub(super) fn digests(
    dir: &[u8],
    sources: &[&[u8]],
    list: &[u8],
    forms: &[Form],
    budget: &Budget,
) -> Result<Vec<[u8; 32]>, Halt> {
    let mut all = Vec::new();
    for wide in [Wide::Registered, Wide::All] {
        let mut out = Normalized {
            sha: Sha256::new(),
            wide,
        };
        let whole = out.content(dir, sources, budget)? && out.project(list, forms, budget)?;
        let digest = out.sha.finalize().into();
        if whole && !all.contains(&digest) {
            all.push(digest);
        }
    }
    Ok(all)
}

/// A module on the way through its records.
#[derive(Default)]
struct Module<'d> {
    name: &'d [u8],
    name_unicode: &'d [u8],
    /// Records that are signed in this order: its type, read-only, private.
    marks: [Option<u16>; 3],
}

struct Normalized {
    sha: Sha256,
    wide: Wide,
}

impl Normalized {
    /// Everything up to the last record of `dir`; false where that is not of the form that the editor writes.
    fn content(&mut self, dir: &[u8], sources: &[&[u8]], budget: &Budget) -> Result<bool, Halt> {
        let mut sources = sources.iter();
        let mut module = Module::default();
        let mut at = 0usize;
        // Ends because every record has at least its six bytes of head.
        while at < dir.len() {
            budget.tick()?;
            let Some(record) = Record::at(dir, at) else {
                return Ok(false);
            };
            let head = dir.get(at..at.saturating_add(6)).unwrap_or_default();
            let (id, size) = head.split_at(2.min(head.len()));
            at = record.end;
            match record.id {
                // Their values are not signed: kind of system, code page, help, counts.
                0x0001 | 0x0003 | 0x0005 | 0x0040 | 0x0006 | 0x003d | 0x0007 | 0x000f | 0x0013 => {
                    self.sha.update(head);
                }
                // Language, names, flags, version, constants, names of references, the end.
                0x0002 | 0x0014 | 0x0004 | 0x0008 | 0x0009 | 0x000c | 0x003c | 0x0016 | 0x003e
                | 0x0010 => {
                    self.sha.update(head);
                    self.sha.update(record.data);
                }
                0x0033 => {
                    self.sha.update(head);
                    self.path(record.data, Wide::All);
                }
                // Records of references have a length that is not signed in front of their own.
                0x000d | 0x000e => {
                    self.sha.update(id);
                    if !self.reference(record.id, record.data) {
                        return Ok(false);
                    }
                }
                0x002f | 0x0030 => {
                    self.sha.update(id);
                    self.sha.update(record.data);
                }
                0x0019 => module.name = record.data,
                0x0047 => module.name_unicode = record.data,
                0x0021 => module.marks[0] = Some(record.id),
                0x0025 => module.marks[1] = Some(record.id),
                0x0028 => module.marks[2] = Some(record.id),
                0x002b => {
                    let Some(source) = sources.next() else {
                        return Ok(false);
                    };
                    if !self.module(&std::mem::take(&mut module), source, budget)? {
                        return Ok(false);
                    }
                }
                // Version of compatibility; stream, description, place, help, cookie and type of a module.
                0x004a | 0x001a | 0x0032 | 0x001c | 0x0048 | 0x0031 | 0x001e | 0x002c | 0x0022 => {}
                _ => return Ok(false),
            }
            // What marks a module has no data.
            if matches!(record.id, 0x0021 | 0x0025 | 0x0028) && size != [0; 4] {
                return Ok(false);
            }
        }
        Ok(sources.next().is_none())
    }

    /// The path of a reference, in UTF-16 where those of `kind` are.
    fn path(&mut self, path: &[u8], kind: Wide) {
        if kind == Wide::Registered || self.wide == Wide::All {
            for byte in path {
                self.sha.update([*byte, 0]);
            }
        } else {
            self.sha.update(path);
        }
    }

    /// A registered library, or another project.
    fn reference(&mut self, id: u16, data: &[u8]) -> bool {
        let Some(len) = u32_at(data, 0).map(index) else {
            return false;
        };
        let Some((path, rest)) = data.get(4..).and_then(|rest| rest.split_at_checked(len)) else {
            return false;
        };
        // In code pages of more bytes a character has no one reading.
        if !path.is_ascii() {
            return false;
        }
        self.sha.update(data.get(..4).unwrap_or_default());
        let kind = if id == 0x000d {
            Wide::Registered
        } else {
            Wide::All
        };
        self.path(path, kind);
        self.sha.update(rest);
        true
    }

    /// The marks, the source and the name of a module.
    fn module(
        &mut self,
        module: &Module<'_>,
        source: &[u8],
        budget: &Budget,
    ) -> Result<bool, Halt> {
        for mark in module.marks.into_iter().flatten() {
            self.sha.update(mark.to_le_bytes());
            self.sha.update([0; 4]);
        }
        let mut named = false;
        let mut rest = source;
        // Ends because each turn takes a line end.
        while !rest.is_empty() {
            budget.tick()?;
            let end = memchr::memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
            let (line, behind) = rest.split_at(end);
            rest = match behind {
                [] => &[],
                [b'\r', b'\n', rest @ ..] => rest,
                _ => return Ok(false),
            };
            let starts = |with: &[u8]| {
                line.get(..with.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(with))
            };
            let unsigned = starts(b"attribute")
                && (starts(NAME_ATTRIBUTE) || DEFAULT_ATTRIBUTES.contains(&line));
            if !unsigned {
                named = true;
                self.sha.update(line);
                self.sha.update(b"\n");
            }
        }
        if named {
            let wide = module.name_unicode;
            self.sha
                .update(if wide.is_empty() { module.name } else { wide });
            self.sha.update(b"\n");
        }
        Ok(true)
    }

    /// The properties of `PROJECT` with the forms, and what extends the host.
    fn project(&mut self, list: &[u8], forms: &[Form], budget: &Budget) -> Result<bool, Halt> {
        const EXTENDERS: &[u8] = b"Host Extender Info";
        let mut forms = forms.iter();
        let mut section: Option<&[u8]> = None;
        for line in list.split(|byte| *byte == b'\n') {
            budget.tick()?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if let Some(name) = line.strip_prefix(b"[") {
                section = name.strip_suffix(b"]");
                if section == Some(EXTENDERS) {
                    self.sha.update(EXTENDERS);
                }
                continue;
            }
            if section.is_some() {
                if section == Some(EXTENDERS) {
                    self.sha.update(line);
                }
                continue;
            }
            let Some(equals) = memchr::memchr(b'=', line) else {
                continue;
            };
            let (name, value) = line.split_at(equals);
            let value = value.get(1..).unwrap_or_default();
            if name.eq_ignore_ascii_case(b"BaseClass") {
                let Some(form) = forms.next().filter(|form| form.name == value) else {
                    return Ok(false);
                };
                self.sha.update(&form.data);
            }
            if !UNSIGNED.contains(&name) {
                let plain = value.strip_prefix(b"\"");
                let plain = plain.and_then(|value| value.strip_suffix(b"\""));
                self.sha.update(name);
                self.sha.update(plain.unwrap_or(value));
            }
        }
        Ok(forms.next().is_none())
    }
}
