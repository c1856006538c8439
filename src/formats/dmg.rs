//! Disk images of macOS (UDIF): the trailer, the property list of block tables, and the blocks of a partition as one
//! stream. No specification is published; the layout is as open tools describe it.
//!
//! Left out: images in several segments (told), checksums.

use std::io::Read;

use crate::bytes::{be32_at, be64_at, index, length, slice};

use super::{base64, lzfse, xml};

/// Bytes of the trailer, and of a sector.
const TRAILER: usize = 512;
const SECTOR: u64 = 512;

/// Bytes of a block table in front of its chunks, and of one of these.
const TABLE: usize = 204;
const CHUNK: usize = 40;

/// Bytes of one packed chunk: writers take a MiB or two.
const LARGEST: u64 = 32 << 20;

/// Tables of one image.
const TABLES: usize = 1024;

/// An image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Its partitions, and the structures between them.
    pub parts: Vec<Part>,
    /// What could not be read, in words.
    pub unread: Vec<String>,
}

/// A run of sectors of the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Part {
    /// What its writer calls it.
    pub name: String,
    /// Its chunks in order.
    pub chunks: Vec<Chunk>,
}

/// Some sectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    method: u32,
    /// First byte in the partition.
    start: u64,
    /// Bytes once decoded.
    size: u64,
    /// First byte in the file.
    at: u64,
    /// Bytes in the file.
    len: u64,
}

/// Reads the tables; none where there is no trailer.
pub fn read(data: &[u8]) -> Option<Image> {
    let end = data.len().checked_sub(TRAILER)?;
    // Older writers put it in front.
    let trailer = [end, 0]
        .into_iter()
        .find_map(|at| slice(data, at, TRAILER).filter(|trailer| trailer.starts_with(b"koly")))?;
    let mut image = Image::default();
    if be32_at(trailer, 0x3c).is_some_and(|segments| segments > 1) {
        image.unread.push("one of several segments".to_owned());
    }
    let fork = be64_at(trailer, 0x18)?;
    let (at, len) = (
        index(be64_at(trailer, 0xd8)?),
        index(be64_at(trailer, 0xe0)?),
    );
    let Some(list) = slice(data, at, len).filter(|list| !list.is_empty()) else {
        image
            .unread
            .push("the list of partitions is not there".to_owned());
        return Some(image);
    };
    let tables = tables(&String::from_utf8_lossy(list));
    if tables.len() >= TABLES {
        image.unread.push(format!("more than {TABLES} partitions"));
    }
    for (name, table) in tables {
        match part(&table, fork) {
            Some(chunks) => image.parts.push(Part { name, chunks }),
            None => image
                .unread
                .push(format!("{name}: the table of blocks is cut")),
        }
    }
    if image.parts.is_empty() && image.unread.is_empty() {
        image.unread.push("no partition is listed".to_owned());
    }
    Some(image)
}

/// Names and data below the key `blkx`.
fn tables(list: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    let mut within = false;
    let mut key = String::new();
    let (mut name, mut table) = (String::new(), None);
    for element in xml::elements(list) {
        match element.name.as_str() {
            "key" => {
                key = element.text.trim().to_owned();
                // Other resources follow in arrays of their own.
                if matches!(key.as_str(), "blkx" | "plst" | "cSum" | "nsiz" | "size") {
                    within = key == "blkx";
                }
            }
            "dict" if within => {
                found.extend(table.take().map(|table| (std::mem::take(&mut name), table)));
                name.clear();
            }
            "data" if within && key == "Data" => {
                table = Some(base64::decode(element.text.as_bytes()).data);
            }
            "string" if within && (key == "Name" || name.is_empty() && key == "CFName") => {
                name = element.text.trim().to_owned();
            }
            _ => {}
        }
        if found.len() >= TABLES {
            break;
        }
    }
    found.extend(table.map(|table| (name, table)));
    found
}

/// The chunks of a block table.
fn part(table: &[u8], fork: u64) -> Option<Vec<Chunk>> {
    if !table.starts_with(b"mish") {
        return None;
    }
    let base = be64_at(table, 24)?.saturating_add(fork);
    let count = index(be32_at(table, 200)?);
    let entries = table.get(TABLE..)?;
    let mut chunks = Vec::new();
    for entry in entries.chunks_exact(CHUNK).take(count) {
        let method = be32_at(entry, 0)?;
        match method {
            END => return Some(chunks),
            COMMENT => continue,
            _ => {}
        }
        chunks.push(Chunk {
            method,
            start: be64_at(entry, 8)?.saturating_mul(SECTOR),
            size: be64_at(entry, 16)?.saturating_mul(SECTOR),
            at: be64_at(entry, 24)?.saturating_add(base),
            len: be64_at(entry, 32)?,
        });
    }
    (entries.len() / CHUNK >= count).then_some(chunks)
}

/// Methods of chunks.
const ZERO: u32 = 0;
const RAW: u32 = 1;
const FREE: u32 = 2;
const COMMENT: u32 = 0x7fff_fffe;
const ADC: u32 = 0x8000_0004;
const ZLIB: u32 = 0x8000_0005;
const BZIP2: u32 = 0x8000_0006;
const LZFSE: u32 = 0x8000_0007;
const XZ: u32 = 0x8000_0008;
const END: u32 = 0xffff_ffff;

impl Part {
    /// Bytes of the partition up to its last chunk that is not free.
    pub fn size(&self) -> u64 {
        let used = self.chunks.iter().filter(|chunk| !chunk.is_free());
        let ends = used.map(|chunk| chunk.start.saturating_add(chunk.size));
        ends.max().unwrap_or_default()
    }

    /// Bytes that its chunks claim of the file which lie there as they are.
    pub fn stored(&self) -> u64 {
        let raw = self.chunks.iter().filter(|chunk| chunk.method == RAW);
        raw.fold(0, |sum, chunk| {
            sum.saturating_add(chunk.len.min(chunk.size))
        })
    }

    /// The name of a method that has no decoder here, where one of its chunks has one.
    pub fn unknown(&self) -> Option<String> {
        let known = |method| matches!(method, ZERO | RAW | FREE | ADC | ZLIB | BZIP2 | LZFSE | XZ);
        let found = self.chunks.iter().find(|chunk| !known(chunk.method))?;
        Some(format!("method {:#010x}", found.method))
    }
}

impl Chunk {
    fn is_free(&self) -> bool {
        matches!(self.method, ZERO | FREE)
    }

    /// The chunk decoded; shorter where its data breaks off. The error says what was wrong.
    fn decode(&self, data: &[u8]) -> (Vec<u8>, Option<String>) {
        let start = index(self.at).min(data.len());
        let end = start.saturating_add(index(self.len)).min(data.len());
        let raw = data.get(start..end).unwrap_or_default();
        // Decoded at once, before it is paid for: what claims to be larger is told as cut.
        let most = self.size.min(LARGEST);
        let mut out = Vec::new();
        let result = match self.method {
            RAW => {
                out.extend_from_slice(raw.get(..index(self.size)).unwrap_or(raw));
                Ok(())
            }
            ADC => {
                out = adc(raw, index(most));
                out.truncate(index(most));
                Ok(())
            }
            LZFSE => {
                let (decoded, broken) = lzfse::decode(raw, index(most));
                out = decoded;
                broken.map_or(Ok(()), |broken| Err(broken.to_string()))
            }
            ZLIB => gather(flate2::bufread::ZlibDecoder::new(raw), most, &mut out),
            BZIP2 => gather(bzip2::bufread::BzDecoder::new(raw), most, &mut out),
            XZ => {
                let reader = lzma_rust2::XzReader::new_mem_limit(raw, false, 128 << 10);
                gather(reader, most, &mut out)
            }
            _ => Err("no decoder".to_owned()),
        };
        let short = length(out.len()) < self.size;
        (
            out,
            result
                .err()
                .or_else(|| short.then(|| "the data is cut".to_owned())),
        )
    }
}

fn gather(reader: impl Read, most: u64, out: &mut Vec<u8>) -> Result<(), String> {
    let copied = std::io::copy(&mut reader.take(most), out);
    copied.map(drop).map_err(|error| error.to_string())
}

/// Apple Data Compression: literals, and matches with a short or a long distance.
fn adc(data: &[u8], most: usize) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    let mut at = 0usize;
    // Ends because each turn takes a byte.
    while let Some(first) = data.get(at).copied()
        && out.len() < most
    {
        let byte = |place: usize| data.get(at.saturating_add(place)).copied().map(usize::from);
        let low = usize::from(first & 0x3f);
        let (taken, len, distance) = if first & 0x80 != 0 {
            let len = usize::from(first & 0x7f).saturating_add(1);
            let Some(literals) = slice(data, at.saturating_add(1), len) else {
                return out;
            };
            out.extend_from_slice(literals);
            at = at.saturating_add(len).saturating_add(1);
            continue;
        } else if first & 0x40 != 0 {
            let (Some(high), Some(rest)) = (byte(1), byte(2)) else {
                return out;
            };
            (3, low.saturating_add(4), high << 8 | rest)
        } else {
            let Some(rest) = byte(1) else {
                return out;
            };
            (2, (low >> 2).saturating_add(3), (low & 3) << 8 | rest)
        };
        at = at.saturating_add(taken);
        for _ in 0..len {
            let from = out.len().checked_sub(distance.saturating_add(1));
            let Some(byte) = from.and_then(|from| out.get(from).copied()) else {
                return out;
            };
            out.push(byte);
        }
    }
    out
}

/// A partition as one stream: what a chunk lacks, and what lies between two of them, is zeros.
#[derive(Debug)]
pub struct Stream<'a> {
    data: &'a [u8],
    chunks: &'a [Chunk],
    size: u64,
    given: u64,
    waiting: Vec<u8>,
    taken: usize,
    /// What was wrong with the first chunk that could not be decoded whole.
    pub broken: Option<String>,
}

impl<'a> Stream<'a> {
    /// The stream of a partition of an image.
    pub fn new(data: &'a [u8], part: &'a Part) -> Self {
        Self {
            data,
            chunks: &part.chunks,
            size: part.size(),
            given: 0,
            waiting: Vec::new(),
            taken: 0,
            broken: None,
        }
    }

    fn blame(&mut self, chunk: &Chunk, what: &str) {
        if self.broken.is_none() {
            self.broken = Some(format!("sectors from {}: {what}", chunk.start / SECTOR));
        }
    }

    /// Takes the next chunk where the stream is at its start; false where zeros come first.
    fn next(&mut self) -> bool {
        let Some((chunk, rest)) = self.chunks.split_first() else {
            return false;
        };
        if chunk.start > self.given {
            return false;
        }
        self.chunks = rest;
        if chunk.start < self.given {
            self.blame(chunk, "they overlap others");
        } else if !chunk.is_free() && chunk.size > 0 {
            let (data, error) = chunk.decode(self.data);
            if let Some(error) = error {
                self.blame(chunk, &error);
            }
            (self.waiting, self.taken) = (data, 0);
        }
        true
    }
}

impl Read for Stream<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // Ends because each turn takes a chunk.
        while self.taken >= self.waiting.len() && self.next() {}
        let rest = self.waiting.get(self.taken..).unwrap_or_default();
        if !rest.is_empty() {
            let len = rest.len().min(out.len());
            let from = rest.get(..len).unwrap_or_default();
            out.get_mut(..len).unwrap_or_default().copy_from_slice(from);
            self.taken = self.taken.saturating_add(len);
            self.given = self.given.saturating_add(length(len));
            return Ok(len);
        }
        let until = self
            .chunks
            .first()
            .map_or(self.size, |chunk| chunk.start.min(self.size));
        let zeros = index(until.saturating_sub(self.given)).min(out.len());
        out.get_mut(..zeros).unwrap_or_default().fill(0);
        self.given = self.given.saturating_add(length(zeros));
        Ok(zeros)
    }
}
