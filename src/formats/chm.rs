//! Compiled help files (ITSF, as described by the chmspec and Matthew Russotto): header, directory, reset table.
//!
//! Every listing chunk is read by its place, whatever chain the header tells. Decoding is the caller's; the index
//! chunks, which only make searching quick, are passed over.

use std::ops::Range;

use crate::bytes::{Reader, Short, index, slice, u32_at, u64_at};

/// Uncompressed bytes of a frame of LZX.
pub const FRAME: usize = 0x8000;

/// Where the compressed section keeps its own things.
pub const CONTENT: &str = "::DataSpace/Storage/MSCompressed/Content";
/// How it is compressed.
pub const CONTROL: &str = "::DataSpace/Storage/MSCompressed/ControlData";
/// The end of the name of the table of frames; a class id stands before it.
pub const RESET_TABLE: &str = "/InstanceData/ResetTable";

/// The directory of a help file.
#[derive(Debug, Clone, Default)]
pub struct Directory<'a> {
    /// First byte of section 0 in the data.
    pub content: usize,
    /// Entries in order.
    pub entries: Vec<Entry<'a>>,
    /// What could not be read: where and why.
    pub faults: Vec<(usize, String)>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its path, raw.
    pub name: &'a [u8],
    /// The section that it lies in: 0 as it is, 1 compressed.
    pub section: u64,
    /// First byte in the section.
    pub offset: u64,
    /// Length in bytes.
    pub size: u64,
}

impl Directory<'_> {
    /// The range of an entry of section 0, cut to what is there.
    pub fn stored(&self, entry: &Entry<'_>, len: usize) -> Range<usize> {
        let start = self.content.saturating_add(index(entry.offset)).min(len);
        start..start.saturating_add(index(entry.size)).min(len)
    }
}

/// Reads header and listing chunks; something may stand in front of the header.
///
/// # Errors
/// Header or directory header are not there.
pub fn read(data: &[u8]) -> Result<Directory<'_>, Short> {
    let head = data.get(..512.min(data.len())).unwrap_or_default();
    let start = memchr::memmem::find(head, b"ITSF").unwrap_or_default();
    let file = data.get(start..).unwrap_or_default();
    let mut reader = Reader::new(file);
    reader.skip("signature", 4)?;
    let version = reader.u32("version")?;
    reader.skip("length, unknown, time, language, class ids", 48)?;
    reader.skip("section of the header", 16)?;
    let directory_at = index(reader.u64("offset of the directory")?);
    let directory_len = index(reader.u64("length of the directory")?);
    let behind = directory_at.saturating_add(directory_len);
    let content = match version {
        3.. => index(reader.u64("offset of the content")?),
        _ => behind,
    };
    let mut reader = Reader::at(file, directory_at);
    reader.skip("signature, version of the directory", 8)?;
    let header_len = index(reader.u32("length of the directory's header")?);
    reader.skip("unknown", 4)?;
    let chunk_len = index(reader.u32("length of a chunk")?);
    reader.skip("density, depth, root, first, last, unknown", 24)?;
    let chunks = reader.u32("number of chunks")?;
    let mut directory = Directory {
        content: start.saturating_add(content),
        ..Directory::default()
    };
    // A shorter chunk has no room for an entry; so the loop is bound by the data.
    let chunk_len = chunk_len.max(64);
    let mut at = directory_at.saturating_add(header_len);
    for number in 0..chunks {
        let Some(chunk) = file.get(at..).filter(|rest| !rest.is_empty()) else {
            let what = format!("chunk {number} of {chunks} is not there");
            directory.faults.push((start.saturating_add(at), what));
            break;
        };
        let chunk = chunk.get(..chunk_len).unwrap_or(chunk);
        if chunk.starts_with(b"PMGL") {
            listing(chunk, start.saturating_add(at), &mut directory);
        }
        at = at.saturating_add(chunk_len);
    }
    Ok(directory)
}

/// The entries of one chunk.
fn listing<'a>(chunk: &'a [u8], place: usize, directory: &mut Directory<'a>) {
    let free = index(u32_at(chunk, 4).unwrap_or_default());
    let end = chunk.len().saturating_sub(free);
    let mut reader = Reader::at(chunk.get(..end).unwrap_or(chunk), 0x14);
    // Ends because an entry takes at least four bytes.
    while !reader.is_empty() {
        match entry(&mut reader) {
            Ok(entry) => directory.entries.push(entry),
            Err(short) => {
                let at = place.saturating_add(short.offset);
                directory.faults.push((at, short.to_string()));
                return;
            }
        }
    }
}

fn entry<'a>(reader: &mut Reader<'a>) -> Result<Entry<'a>, Short> {
    let len = index(number(reader)?);
    Ok(Entry {
        name: reader.take("name", len)?,
        section: number(reader)?,
        offset: number(reader)?,
        size: number(reader)?,
    })
}

/// Seven bits a byte, the highest first; a set top bit says that more follow.
fn number(reader: &mut Reader<'_>) -> Result<u64, Short> {
    let mut value = 0u64;
    // Nine bytes hold 63 bits; no file has longer numbers.
    for _ in 0..9 {
        let byte = reader.u8("number")?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            break;
        }
    }
    Ok(value)
}

/// How the compressed section is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Bytes of the window.
    pub window: u64,
    /// Frames after which the decoder starts anew.
    pub interval: usize,
}

/// Reads `ControlData`; `None` where it is not LZX.
pub fn control(data: &[u8]) -> Option<Control> {
    if slice(data, 4, 4)? != b"LZXC" {
        return None;
    }
    // Version 1 counts bytes, version 2 frames.
    let unit = if u32_at(data, 8)? == 2 { 0x8000 } else { 1 };
    let interval = u64::from(u32_at(data, 12)?).saturating_mul(unit);
    Some(Control {
        interval: index(interval / 0x8000).max(1),
        window: u64::from(u32_at(data, 16)?).saturating_mul(unit),
    })
}

/// The table of frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frames {
    /// Bytes of the section once decoded.
    pub size: u64,
    /// First byte of each frame in the compressed content.
    pub starts: Vec<u64>,
    /// First byte behind the last frame.
    pub end: u64,
}

/// Reads `ResetTable`; frames of another length than 32 KiB are none that a reader knows.
pub fn frames(data: &[u8]) -> Option<Frames> {
    let count = index(u32_at(data, 4)?);
    let header_len = index(u32_at(data, 12)?);
    let frame = u64_at(data, 32)?;
    let table = data.get(header_len..)?;
    if frame != u64::try_from(FRAME).ok()? {
        return None;
    }
    let starts = table.chunks_exact(8).take(count);
    Some(Frames {
        size: u64_at(data, 16)?,
        starts: starts.filter_map(|start| u64_at(start, 0)).collect(),
        end: u64_at(data, 24)?,
    })
}
