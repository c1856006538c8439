//! PDF (ISO 32000-2): every object that stands anywhere in the file, whatever the cross-reference table says.
//!
//! Readers of PDF repair broken files in different ways, so nothing is left out here: objects behind the end mark,
//! before the header, unreferenced, in object streams, and older ones of a number that was given again.

mod crypt;
mod filters;
mod inline;
mod lexer;
mod pages;
mod references;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use bytes::Bytes;

use crate::bytes::length;
use crate::limits::{Account, Budget, Decoded, Fault, Halt};

pub use crypt::Scheme;
use crypt::Security;
pub use inline::{Inline, inline_pictures};
pub use lexer::{Dict, Name, Object};
use lexer::{Parser, skip_blank};
pub use pages::pages;
pub use references::References;

/// How many times the bytes of the file its objects may be parsed: above it they overlap, as only bombs do.
const OVERLAP: usize = 8;

/// The same of the bytes of a stream of objects, which stand one behind the other.
const PACKED_OVERLAP: usize = 8;

/// Objects at the most.
const OBJECTS: usize = 1_000_000;

/// Keys of streams that are drawn, or say how.
const DRAWN: &[&str] = &[
    "Contents",
    "FontFile",
    "FontFile2",
    "FontFile3",
    "ToUnicode",
    "Metadata",
    "SMask",
    "N",
    "AP",
];

/// Bytes of a stream that are taken at least, however few of what they decode to are asked for.
const HEAD: u64 = 64 << 10;

/// References followed from one to the next.
const HOPS: usize = 16;

/// One indirect object (7.3.10).
#[derive(Debug, Clone)]
pub struct Indirect {
    /// Object number.
    pub number: u32,
    /// Generation number.
    pub generation: u16,
    /// Offset in the file: of itself, or of the object stream that holds it.
    pub at: usize,
    /// The object; of a stream its dictionary.
    pub object: Object,
    /// First byte of a stream's data.
    stream: Option<usize>,
    /// Whether it came out of an object stream: its strings are not encrypted by themselves.
    packed: bool,
    /// Whether it is written as the specification has it, up to its end.
    sound: bool,
}

impl Indirect {
    /// Whether it is a stream.
    pub fn is_stream(&self) -> bool {
        self.stream.is_some()
    }
}

/// A file taken apart.
#[derive(Debug, Clone)]
pub struct Document<'a> {
    data: &'a [u8],
    /// Every object in order of its place.
    pub objects: Vec<Indirect>,
    /// The last object of a number.
    last: BTreeMap<u32, usize>,
    trailers: Vec<Dict>,
    stream_ends: Vec<usize>,
    security: Option<Security>,
    /// What could not be read.
    pub faults: Vec<(usize, String)>,
}

/// Takes a file apart; object streams stay closed until [`Document::open_object_streams`].
///
/// # Errors
/// The time is over.
pub fn read<'a>(data: &'a [u8], budget: &Budget) -> Result<Document<'a>, Halt> {
    let mut document = Document::new(data);
    let mut work = data.len().saturating_mul(OVERLAP).saturating_add(1 << 16);
    for at in memchr::memmem::find_iter(data, b"obj") {
        budget.tick()?;
        let Some((start, number, generation)) = heading(data, at) else {
            continue;
        };
        if document.objects.len() >= OBJECTS {
            document.fault(at, "more objects than any document has");
            break;
        }
        let used = document.push(start, number, generation, at.saturating_add(3), work);
        work = work.saturating_sub(used);
        if work == 0 {
            document.objects.pop();
            document.fault(at, "objects overlap");
            break;
        }
    }
    document.read_trailers(work, budget)?;
    document.number();
    Ok(document)
}

/// Start, number and generation of the object whose keyword `obj` stands at `at`.
fn heading(data: &[u8], at: usize) -> Option<(usize, u32, u16)> {
    /// Longest number and blanks before it.
    const LONGEST: usize = 40;
    let from = at.saturating_sub(LONGEST);
    let before = data.get(from..at)?;
    let trimmed = before.trim_ascii_end();
    let digits = |text: &[u8]| {
        text.iter()
            .rev()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let len = digits(trimmed);
    let (rest, generation) = trimmed.split_at_checked(trimmed.len().checked_sub(len)?)?;
    let blank = rest.trim_ascii_end();
    if len == 0 || blank.len() == rest.len() {
        return None;
    }
    let len = digits(blank);
    let (lead, number) = blank.split_at_checked(blank.len().checked_sub(len)?)?;
    let number = std::str::from_utf8(number).ok()?.parse().ok()?;
    let generation = std::str::from_utf8(generation).ok()?.parse().ok()?;
    Some((from.saturating_add(lead.len()), number, generation))
}

/// First byte of the data where the keyword `stream` stands at `at` (7.3.8.1), however its line ends.
fn stream_start(data: &[u8], at: usize) -> Option<usize> {
    let at = skip_blank(data, at);
    let rest = data.get(at..)?.strip_prefix(b"stream")?;
    let end = match rest {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        _ => 0,
    };
    Some(at.saturating_add(6).saturating_add(end))
}

impl<'a> Document<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            objects: Vec::new(),
            last: BTreeMap::new(),
            trailers: Vec::new(),
            stream_ends: memchr::memmem::find_iter(data, b"endstream").collect(),
            security: None,
            faults: Vec::new(),
        }
    }

    /// Reads the object that is announced at `start` and begins at `from`, and adds it; answers how many bytes it took.
    fn push(
        &mut self,
        start: usize,
        number: u32,
        generation: u16,
        from: usize,
        most: usize,
    ) -> usize {
        let mut parser = Parser::new(self.data, from, most);
        let object = parser.object();
        let behind = skip_blank(self.data, parser.at());
        let stream = matches!(object, Object::Dict(_))
            .then(|| stream_start(self.data, behind))
            .flatten();
        let rest = self.data.get(behind..).unwrap_or_default();
        let ended = stream.is_some() || rest.starts_with(b"endobj");
        self.objects.push(Indirect {
            number,
            generation,
            at: start,
            object,
            stream,
            packed: false,
            sound: ended && parser.is_sound(),
        });
        parser.used()
    }

    /// Reads the trailers, `work` bytes at the most; answers how many of these are left.
    fn read_trailers(&mut self, mut work: usize, budget: &Budget) -> Result<usize, Halt> {
        for at in memchr::memmem::find_iter(self.data, b"trailer") {
            budget.tick()?;
            let mut parser = Parser::new(self.data, at.saturating_add(7), work);
            if let Object::Dict(dict) = parser.object() {
                self.trailers.push(dict);
            }
            work = work.saturating_sub(parser.used());
            if work == 0 {
                self.fault(at, "objects overlap");
                break;
            }
        }
        Ok(work)
    }

    fn fault(&mut self, at: usize, what: &str) {
        self.faults.push((at, what.to_owned()));
    }

    /// Later objects of a number stand for it.
    fn number(&mut self) {
        let numbered = self.objects.iter().enumerate();
        self.last = numbered.map(|(at, object)| (object.number, at)).collect();
    }

    /// The place of the object that a reference names now.
    pub fn find(&self, number: u32) -> Option<usize> {
        self.last.get(&number).copied()
    }

    /// Follows references to an object that is none, and the place of the last one in between.
    pub fn resolve<'o>(&'o self, object: &'o Object) -> (&'o Object, Option<usize>) {
        let (mut object, mut place) = (object, None);
        for _ in 0..HOPS {
            let Object::Ref(number) = object else {
                break;
            };
            let Some(at) = self.find(*number) else {
                return (&Object::Null, place);
            };
            place = Some(at);
            object = self
                .objects
                .get(at)
                .map_or(&Object::Null, |found| &found.object);
        }
        (object, place)
    }

    /// The raw bytes of a stream by the length that its dictionary says, where that fits.
    fn told_range(&self, place: usize) -> Option<Range<usize>> {
        let object = self.objects.get(place)?;
        let (Some(start), Object::Dict(dict)) = (object.stream, &object.object) else {
            return None;
        };
        let len = self.resolve(dict.get("Length")?).0.number()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        let rest = self.data.get(skip_blank(self.data, end)..)?;
        rest.starts_with(b"endstream").then_some(start..end)
    }

    /// The raw bytes of a stream: as long as its dictionary says where that fits, else up to the next end mark.
    fn raw(&self, place: usize) -> Range<usize> {
        if let Some(told) = self.told_range(place) {
            return told;
        }
        let object = self.objects.get(place);
        let Some(start) = object.and_then(|object| object.stream) else {
            return 0..0;
        };
        let next = self.stream_ends.partition_point(|end| *end < start);
        let end = self
            .stream_ends
            .get(next)
            .copied()
            .unwrap_or(self.data.len());
        let body = self.data.get(start..end).unwrap_or_default();
        let line = match body {
            [.., b'\r', b'\n'] => 2,
            [.., b'\r' | b'\n'] => 1,
            _ => 0,
        };
        start..end.saturating_sub(line)
    }

    /// The raw range of a stream in the file.
    pub fn range(&self, place: usize) -> Range<usize> {
        self.raw(place)
    }

    /// Decodes a stream, `most` bytes at the most. What comes of filters for pictures stays as it is.
    pub fn stream(
        &self,
        place: usize,
        most: u64,
        budget: &Budget,
        account: &mut Account,
    ) -> Decoded {
        // Digits and blanks between them may be three for a byte.
        let taken = most.saturating_mul(3).saturating_add(HEAD);
        let taken = usize::try_from(taken).unwrap_or(usize::MAX);
        let Some((raw, filters)) = self.filtered(place, taken) else {
            return Decoded::default();
        };
        filters::decode(raw, &filters, most, budget, account)
    }

    /// The bytes of a stream as its filters take them, decrypted.
    pub fn decrypted(&self, place: usize) -> Option<Bytes> {
        self.filtered(place, usize::MAX).map(|(raw, _)| raw)
    }

    /// The decrypted bytes of a stream, `most` at the most, and the filters for them. Streams may lie in one another,
    /// and whoever looks at the head of each does not pay for all of it.
    fn filtered(&self, place: usize, most: usize) -> Option<(Bytes, Vec<filters::Filter>)> {
        let raw = self.data.get(self.raw(place)).unwrap_or_default();
        let raw = raw.get(..most).unwrap_or(raw);
        let object = self.objects.get(place)?;
        let Object::Dict(dict) = &object.object else {
            return None;
        };
        let filters = filters::chain(self, dict);
        let identity = filters.first().is_some_and(|filter| filter.name == "Crypt");
        let raw = match &self.security {
            Some(security) if !object.packed && !identity && !is_cross_reference(dict) => {
                Bytes::from(security.stream(raw, object.number, object.generation, dict))
            }
            _ => Bytes::copy_from_slice(raw),
        };
        Some((raw, filters))
    }

    /// The bytes of a string in the object at `place`, decrypted.
    pub fn string(&self, text: &[u8], place: usize) -> Vec<u8> {
        match (&self.security, self.objects.get(place)) {
            (Some(security), Some(object)) if !object.packed => {
                security.string(text, object.number, object.generation)
            }
            _ => text.to_vec(),
        }
    }

    /// How the file is encrypted, where it is.
    pub fn scheme(&self) -> Option<Scheme> {
        let (dict, _) = self.encryption()?;
        Some(crypt::scheme(self, dict))
    }

    /// The dictionary of the encryption, and the first part of the file's identifier.
    fn encryption(&self) -> Option<(&Dict, Vec<u8>)> {
        let cross_references = self
            .objects
            .iter()
            .filter_map(|object| match &object.object {
                Object::Dict(dict) if is_cross_reference(dict) => Some(dict),
                _ => None,
            });
        let all: Vec<&Dict> = self.trailers.iter().chain(cross_references).collect();
        let named = all.iter().find_map(|dict| dict.get("Encrypt"))?;
        let Object::Dict(dict) = self.resolve(named).0 else {
            return None;
        };
        let id = all
            .iter()
            .find_map(|dict| match self.resolve(dict.get("ID")?).0 {
                Object::Array(parts) => match self.resolve(parts.first()?).0 {
                    Object::Text(id) => Some(id.clone()),
                    _ => None,
                },
                _ => None,
            });
        Some((dict, id.unwrap_or_default()))
    }

    /// Tries a password; the empty one opens what is only restricted.
    pub fn unlock(&mut self, password: &[u8]) -> bool {
        let security = self
            .encryption()
            .and_then(|(dict, id)| Security::open(self, dict, &id, password));
        self.security = security;
        self.security.is_some()
    }

    /// Places of object streams.
    fn object_streams(&self) -> Vec<usize> {
        let objects = self.objects.iter().enumerate();
        let packed = objects.filter(|(_, object)| match &object.object {
            Object::Dict(dict) => object.is_stream() && dict.is("Type", "ObjStm"),
            _ => false,
        });
        packed.map(|(place, _)| place).collect()
    }

    /// The number at a key of the dictionary of an object; 0 where there is none.
    fn count(&self, place: usize, key: &str) -> usize {
        let object = self.objects.get(place).map(|object| &object.object);
        let Some(Object::Dict(dict)) = object else {
            return 0;
        };
        let number = dict
            .get(key)
            .and_then(|value| self.resolve(value).0.number());
        number
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or_default()
    }

    /// Adds what object streams hold (7.5.7), of each up to `most` bytes; one that is damaged or longer is a fault.
    ///
    /// # Errors
    /// A limit of the whole scan was met.
    pub fn open_object_streams(
        &mut self,
        most: u64,
        budget: &Budget,
        account: &mut Account,
    ) -> Result<(), Halt> {
        let places = self.object_streams();
        let mut found = Vec::new();
        for place in places {
            budget.tick()?;
            let decoded = self.stream(place, most, budget, account);
            let at = self.objects.get(place).map_or(0, |object| object.at);
            if length(decoded.data.len()) >= most {
                self.fault(at, &format!("object stream: {most} bytes or more"));
            }
            match decoded.fault {
                Some(Fault::Halt(halt)) => return Err(halt),
                Some(Fault::Broken(what)) => {
                    self.fault(at, &format!("object stream: {what}"));
                }
                None => {}
            }
            let all = unpack(
                &decoded.data,
                self.count(place, "N"),
                self.count(place, "First"),
                at,
                &mut found,
                budget,
            )?;
            if !all {
                self.fault(at, "object stream: objects overlap");
            }
            if found.len().saturating_add(self.objects.len()) > OBJECTS {
                self.fault(at, "more objects than any document has");
                break;
            }
        }
        self.objects.extend(found);
        self.objects.sort_by_key(|object| object.at);
        self.number();
        Ok(())
    }

    /// Every dictionary with the place of the object it stands in, nested ones too.
    pub fn dicts(&self) -> impl Iterator<Item = (usize, &Dict)> {
        self.objects.iter().enumerate().flat_map(|(place, object)| {
            object
                .object
                .dicts()
                .into_iter()
                .map(move |dict| (place, dict))
        })
    }

    /// Places of objects that something else names as part of a page: their content is drawn.
    pub fn drawn(&self) -> BTreeSet<usize> {
        let mut drawn = BTreeSet::new();
        for (_, dict) in self.dicts() {
            let listed =
                DRAWN
                    .iter()
                    .filter_map(|key| dict.get(key))
                    .flat_map(|value| match value {
                        Object::Array(items) => items.as_slice(),
                        other => std::slice::from_ref(other),
                    });
            drawn.extend(listed.filter_map(|item| match item {
                Object::Ref(number) => self.find(*number),
                _ => None,
            }));
        }
        drawn
    }

    /// Whether there is anything to be opened at all.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The bytes of the file.
    pub fn data(&self) -> &'a [u8] {
        self.data
    }
}

fn is_cross_reference(dict: &Dict) -> bool {
    dict.is("Type", "XRef")
}

/// Numbers and offsets at the head of a decoded object stream.
fn heads(data: &[u8], count: usize, budget: &Budget) -> Result<Vec<(u32, usize)>, Halt> {
    let mut found = Vec::new();
    let mut heads = Parser::new(data, 0, data.len());
    for _ in 0..count.min(data.len()) {
        budget.tick()?;
        let (first, second) = (heads.object(), heads.object());
        let (Some(number), Some(offset)) = (first.number(), second.number()) else {
            break;
        };
        if let (Ok(number), Ok(offset)) = (u32::try_from(number), usize::try_from(offset)) {
            found.push((number, offset));
        }
    }
    Ok(found)
}

/// The objects of a decoded object stream: pairs of number and offset, then the objects. Answers whether all of them
/// were read: more bytes than [`PACKED_OVERLAP`] allows are not.
fn unpack(
    data: &[u8],
    count: usize,
    first: usize,
    at: usize,
    found: &mut Vec<Indirect>,
    budget: &Budget,
) -> Result<bool, Halt> {
    let mut work = data
        .len()
        .saturating_mul(PACKED_OVERLAP)
        .saturating_add(1 << 12);
    for (number, offset) in heads(data, count, budget)? {
        budget.tick()?;
        let mut parser = Parser::new(data, first.saturating_add(offset), work);
        let object = parser.object();
        work = work.saturating_sub(parser.used());
        if work == 0 {
            return Ok(false);
        }
        found.push(Indirect {
            number,
            generation: 0,
            at,
            object,
            stream: None,
            packed: true,
            sound: parser.is_sound(),
        });
    }
    Ok(true)
}

/// The text of a string (7.9.2.2): UTF-16 or UTF-8 by its mark, else as it stands.
pub fn text(raw: &[u8]) -> String {
    let words = |rest: &[u8], order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = rest
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| order(*pair))
            .collect();
        String::from_utf16_lossy(&units)
    };
    match raw {
        [0xfe, 0xff, rest @ ..] => words(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => words(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        _ => crate::text::to_utf8(raw).into_owned(),
    }
}

#[cfg(test)]
mod tests;
