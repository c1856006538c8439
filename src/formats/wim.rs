//! Windows images ([MS-WIM], as far as it is published, and what wimlib's documentation tells of it): header, table of
//! resources, chunks, and the folders of an image.
//!
//! Left out: LZMS, parts of a set, security, integrity tables.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Read};

use super::disk::ENTRIES;
use super::{lzx, xpress};
use crate::bytes::{Reader, Short, index, length, slice, u16_at, u32_at, u64_at};
use crate::limits::{Budget, Halt};

/// Flags of a resource.
const METADATA: u8 = 2;
const COMPRESSED: u8 = 4;
const SPANNED: u8 = 8;
const SOLID: u8 = 16;

/// What the size of a solid resource says in the table.
const SOLID_SIZE: u64 = 1 << 32;

/// Bytes of one chunk at the most.
const CHUNK: u32 = 64 << 20;

/// Bytes of an entry of the table.
const ENTRY: usize = 50;

/// Folders within folders.
const DEPTH: usize = 64;

/// The digest that names a stream.
pub type Digest = [u8; 20];

/// How chunks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// XPRESS.
    Xpress,
    /// LZX.
    Lzx,
    /// LZMS.
    Lzms,
    /// None of them.
    Other(u32),
}

/// Where bytes lie and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resource {
    /// First byte.
    pub at: usize,
    /// Bytes there.
    pub packed: usize,
    /// Bytes once decoded.
    pub size: u64,
    flags: u8,
}

impl Resource {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Short> {
        let packed = reader.u64("size and flags of a resource")?;
        let flags = u8::try_from(packed >> 56).unwrap_or_default();
        Ok(Self {
            packed: index(packed & 0x00ff_ffff_ffff_ffff),
            flags,
            at: index(reader.u64("offset of a resource")?),
            size: reader.u64("original size of a resource")?,
        })
    }
}

/// One entry of the table of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// Where it lies; inside of a solid resource, which comes before it, the offset there.
    pub resource: Resource,
    /// Its digest.
    pub digest: Digest,
    /// Whether it lies inside of the solid resources that came before.
    pub is_solid: bool,
}

impl Stream {
    /// Whether it is a resource that others lie in.
    pub fn is_holder(&self) -> bool {
        self.is_solid && self.resource.size == SOLID_SIZE
    }

    /// Whether it holds the folders of an image.
    pub fn is_metadata(&self) -> bool {
        self.resource.flags & METADATA != 0
    }
}

/// What the header and the table of resources say.
#[derive(Debug, Clone)]
pub struct Image {
    /// How its chunks are compressed.
    pub method: Method,
    /// Bytes of a chunk once decoded.
    pub chunk: u32,
    /// The number of this part and of all parts.
    pub part: (u16, u16),
    /// The table of resources.
    pub table: Resource,
    /// The description in XML.
    pub description: Resource,
    /// Images that it holds, as it says.
    pub images: u32,
}

/// Reads the header.
///
/// # Errors
/// It is cut off.
pub fn header(data: &[u8]) -> Result<Image, Short> {
    let mut reader = Reader::new(data);
    reader.skip("magic, size of the header, version", 16)?;
    let flags = reader.u32("flags")?;
    let chunk = reader.u32("size of a chunk")?;
    reader.skip("id", 16)?;
    let part = (reader.u16("part")?, reader.u16("parts")?);
    let images = reader.u32("images")?;
    let method = match flags {
        flags if flags & 2 == 0 => Method::Stored,
        flags if flags & 0x0022_0000 != 0 => Method::Xpress,
        flags if flags & 0x0004_0000 != 0 => Method::Lzx,
        flags if flags & 0x0008_0000 != 0 => Method::Lzms,
        flags => Method::Other(flags),
    };
    Ok(Image {
        method,
        chunk: if chunk == 0 { 0x8000 } else { chunk },
        part,
        table: Resource::read(&mut reader)?,
        description: Resource::read(&mut reader)?,
        images,
    })
}

/// The entries of the table of resources, and whether it ends inside of one.
pub fn streams(table: &[u8]) -> (Vec<Stream>, bool) {
    let (entries, rest) = table.as_chunks::<ENTRY>();
    let read = |entry: &[u8; ENTRY]| {
        let mut reader = Reader::new(entry);
        let resource = Resource::read(&mut reader).ok()?;
        reader.skip("part, references", 6).ok()?;
        Some(Stream {
            resource,
            digest: reader.array("digest").ok()?,
            is_solid: resource.flags & SOLID != 0,
        })
    };
    let streams = entries.iter().filter_map(read).collect();
    (streams, !rest.is_empty())
}

/// Bytes of a resource as a reader, chunk by chunk.
#[derive(Debug)]
pub struct Chunks<'a> {
    data: &'a [u8],
    method: Method,
    chunk: u32,
    size: u64,
    /// Where chunks start behind the first, and at last the end; each as wide as the flag says.
    table: &'a [u8],
    /// The table tells sizes, not offsets.
    sizes: bool,
    wide: bool,
    at: usize,
    number: usize,
    given: u64,
    waiting: Vec<u8>,
    taken: usize,
}

/// Why a resource cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closed {
    /// It lies beyond the end: bytes that are there.
    Cut(usize),
    /// It has no reader: why.
    NoReader(String),
    /// It says what cannot be.
    Broken(&'static str),
}

impl<'a> Chunks<'a> {
    /// Opens a resource of an image.
    ///
    /// # Errors
    /// It is not there whole, or nothing here decodes it.
    pub fn open(data: &'a [u8], image: &Image, resource: &Resource) -> Result<Self, Closed> {
        let end = resource.at.saturating_add(resource.packed);
        let held = data
            .get(resource.at..end.min(data.len()))
            .unwrap_or_default();
        if resource.flags & SPANNED != 0 {
            return Err(Closed::NoReader("a resource in several parts".to_owned()));
        }
        let mut chunks = Self {
            data: held,
            method: image.method,
            chunk: image.chunk,
            size: resource.size,
            table: &[],
            sizes: false,
            wide: false,
            at: 0,
            number: 0,
            given: 0,
            waiting: Vec::new(),
            taken: 0,
        };
        if resource.flags & SOLID != 0 {
            chunks.solid_head().ok_or(Closed::Cut(held.len()))?;
        } else if resource.flags & COMPRESSED == 0 {
            chunks.method = Method::Stored;
            if length(held.len()) < resource.size {
                return Err(Closed::Cut(held.len()));
            }
            return Ok(chunks);
        }
        match chunks.method {
            Method::Lzms => return Err(Closed::NoReader("LZMS".to_owned())),
            Method::Other(number) => {
                return Err(Closed::NoReader(format!("compression {number:#x}")));
            }
            _ => {}
        }
        if chunks.chunk == 0 || chunks.chunk > CHUNK {
            return Err(Closed::Broken("the size of a chunk"));
        }
        let count = index(chunks.size.div_ceil(u64::from(chunks.chunk)));
        let entries = if chunks.sizes {
            count
        } else {
            count.saturating_sub(1)
        };
        chunks.wide = !chunks.sizes && chunks.size > u64::from(u32::MAX);
        let width = if chunks.wide { 8usize } else { 4 };
        let table = entries.saturating_mul(width);
        chunks.table = slice(held, chunks.at, table).ok_or(Closed::Cut(held.len()))?;
        chunks.data = held
            .get(chunks.at.saturating_add(table)..)
            .unwrap_or_default();
        chunks.at = 0;
        Ok(chunks)
    }

    /// The head of a solid resource: size, size of a chunk, method.
    fn solid_head(&mut self) -> Option<()> {
        self.size = u64_at(self.data, 0)?;
        self.chunk = u32_at(self.data, 8)?;
        self.method = match u32_at(self.data, 12)? {
            0 => Method::Stored,
            1 => Method::Xpress,
            2 => Method::Lzx,
            3 => Method::Lzms,
            other => Method::Other(other),
        };
        self.sizes = true;
        self.at = 16;
        Some(())
    }

    /// Bytes once decoded.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of the next chunk.
    fn packed(&mut self, size: usize) -> Option<&'a [u8]> {
        let entry = |number: usize| match self.wide {
            true => u64_at(self.table, number.checked_mul(8)?).map(index),
            false => u32_at(self.table, number.checked_mul(4)?).map(index),
        };
        let next = match entry(self.number) {
            Some(size) if self.sizes => self.at.saturating_add(size),
            Some(next) => next,
            None if self.sizes => self.at.saturating_add(size),
            None => self.data.len(),
        };
        let packed = self.data.get(self.at..next)?;
        self.at = next;
        self.number = self.number.saturating_add(1);
        Some(packed)
    }

    fn fill(&mut self) -> std::io::Result<()> {
        let broken = |what: String| Error::new(ErrorKind::InvalidData, what);
        let left = self.size.saturating_sub(self.given);
        let size = index(left.min(u64::from(self.chunk)));
        self.taken = 0;
        let number = self.number;
        let packed = self
            .packed(size)
            .ok_or_else(|| broken(format!("chunk {number} lies beyond the end")))?;
        self.waiting = match self.method {
            _ if packed.len() == size => packed.to_vec(),
            Method::Xpress => {
                xpress::chunk(packed, size).map_err(|error| broken(error.to_string()))?
            }
            Method::Lzx => {
                let window = self.chunk.next_power_of_two().max(0x8000);
                lzx::chunk(packed, size, window).map_err(|error| broken(error.to_string()))?
            }
            _ => return Err(broken(format!("chunk {number} has another length"))),
        };
        self.given = self.given.saturating_add(length(size));
        Ok(())
    }
}

impl Read for Chunks<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.method == Method::Stored && !self.sizes {
            let mut rest = self.data.get(self.at..).unwrap_or_default();
            let len = rest.read(out)?;
            self.at = self.at.saturating_add(len);
            return Ok(len);
        }
        if self.taken >= self.waiting.len() {
            if self.given >= self.size {
                return Ok(0);
            }
            self.fill()?;
        }
        let mut rest = self.waiting.get(self.taken..).unwrap_or_default();
        let len = rest.read(out)?;
        self.taken = self.taken.saturating_add(len);
        Ok(len)
    }
}

/// The names of streams in an image.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// By digest: every path.
    pub paths: BTreeMap<Digest, Vec<String>>,
    /// What could not be read.
    pub cut: Vec<String>,
    /// Whether there were more entries than are looked at.
    pub full: bool,
    entries: usize,
}

impl Names {
    /// Reads the folders of an image from its metadata.
    ///
    /// # Errors
    /// The deadline passed.
    pub fn read(&mut self, metadata: &[u8], budget: &Budget) -> Result<(), Halt> {
        let security = index(u32_at(metadata, 0).unwrap_or_default());
        let root = security.max(8).next_multiple_of(8);
        let Some(first) = u64_at(metadata, root.saturating_add(16)) else {
            self.cut.push("folders of an image".to_owned());
            return Ok(());
        };
        // Folders that were entered, so that none is entered twice.
        let mut seen = std::collections::BTreeSet::new();
        let mut waiting = vec![(index(first), String::new(), 0usize)];
        while let Some((mut at, folder, depth)) = waiting.pop() {
            if at == 0 || depth > DEPTH || !seen.insert(at) {
                continue;
            }
            // Ends because each entry has a length, and their count is bounded.
            while let Some(entry) = entry(metadata, at) {
                budget.tick()?;
                self.entries = self.entries.saturating_add(1);
                if self.entries > ENTRIES {
                    self.full = true;
                    return Ok(());
                }
                let path = match folder.is_empty() {
                    true => entry.name.clone(),
                    false => format!("{folder}/{}", entry.name),
                };
                for (stream, digest) in entry.streams {
                    let path = match stream.is_empty() {
                        true => path.clone(),
                        false => format!("{path}:{stream}"),
                    };
                    self.paths.entry(digest).or_default().push(path);
                }
                if entry.is_folder && entry.children != 0 {
                    let under = match path.len() > super::disk::PATH {
                        true => entry.name,
                        false => path,
                    };
                    waiting.push((entry.children, under, depth.saturating_add(1)));
                }
                at = entry.next;
            }
            // A short length ends a folder.
            if u64_at(metadata, at).is_none_or(|len| len > 8) {
                self.cut
                    .push(crate::text::excerpt(&format!("folder {folder}")));
            }
        }
        Ok(())
    }
}

/// One entry of a folder.
struct Entry {
    name: String,
    is_folder: bool,
    children: usize,
    streams: Vec<(String, Digest)>,
    next: usize,
}

/// The entry at `at`; `None` at the end of its folder, or where it is cut off.
fn entry(metadata: &[u8], at: usize) -> Option<Entry> {
    /// The longest entry without its further streams.
    const LONGEST: usize = 1 << 18;
    let len = index(u64_at(metadata, at)?);
    if !(102..=LONGEST).contains(&len) {
        return None;
    }
    let field = |offset: usize| at.saturating_add(offset);
    let count = u16_at(metadata, field(96))?;
    let name = text(metadata, field(102), u16_at(metadata, field(100))?)?;
    let mut streams = Vec::new();
    let mut add = |name: String, at: usize| -> Option<()> {
        let digest: Digest = slice(metadata, at, 20)?.try_into().ok()?;
        if digest != [0; 20] {
            streams.push((name, digest));
        }
        Some(())
    };
    add(String::new(), field(64))?;
    let mut next = at.saturating_add(len).next_multiple_of(8);
    for _ in 0..count {
        let len = index(u64_at(metadata, next)?);
        let name = text(
            metadata,
            next.saturating_add(38),
            u16_at(metadata, next.saturating_add(36))?,
        )?;
        add(name, next.saturating_add(16))?;
        if len < 38 {
            return None;
        }
        next = next.saturating_add(len).next_multiple_of(8);
    }
    Some(Entry {
        name,
        is_folder: u32_at(metadata, field(8))? & 0x10 != 0,
        children: index(u64_at(metadata, field(16))?),
        streams,
        next,
    })
}

/// A name of so many bytes.
fn text(metadata: &[u8], at: usize, bytes: u16) -> Option<String> {
    let raw = slice(metadata, at, usize::from(bytes))?;
    let units = raw
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair));
    Some(
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or('\u{fffd}'))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn folders_that_lead_to_themselves_end() {
        let mut metadata = vec![0; 8 + 104 + 104 + 8];
        metadata[..4].copy_from_slice(&8u32.to_le_bytes());
        for at in [8, 112] {
            metadata[at..at + 8].copy_from_slice(&104u64.to_le_bytes());
            metadata[at + 8] = 0x10;
            metadata[at + 16..at + 24].copy_from_slice(&112u64.to_le_bytes());
        }
        metadata[112 + 64] = 1;
        let budget = Budget::new(Limits::default(), None);
        let mut names = Names::default();
        names.read(&metadata, &budget).unwrap();
        assert_eq!(names.paths.len(), 1);
        assert!(names.cut.is_empty());
        let mut names = Names::default();
        names.read(&metadata[..150], &budget).unwrap();
        assert_eq!(names.cut.len(), 1);
    }

    #[test]
    fn a_chunk_that_is_not_there_is_told() {
        let image = Image {
            method: Method::Xpress,
            chunk: 0x8000,
            part: (1, 1),
            table: Resource {
                at: 0,
                packed: 0,
                size: 0,
                flags: 0,
            },
            description: Resource {
                at: 0,
                packed: 0,
                size: 0,
                flags: 0,
            },
            images: 0,
        };
        let resource = Resource {
            at: 2,
            packed: 100,
            size: 0x1_8000,
            flags: COMPRESSED,
        };
        let data = [
            &[0; 2],
            5u32.to_le_bytes().as_slice(),
            &9999u32.to_le_bytes(),
            &[7; 20],
        ]
        .concat();
        let mut chunks = Chunks::open(&data, &image, &resource).unwrap();
        assert!(chunks.read(&mut [0; 16]).is_err());
        let huge = Resource {
            size: u64::MAX,
            ..resource
        };
        assert!(matches!(
            Chunks::open(&data, &image, &huge),
            Err(Closed::Cut(_))
        ));
        let lzms = Image {
            method: Method::Lzms,
            ..image
        };
        assert!(matches!(
            Chunks::open(&data, &lzms, &resource),
            Err(Closed::NoReader(_))
        ));
    }
}
