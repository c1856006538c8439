//! Compressed files of HFS+ (decmpfs): an attribute, and for longer ones blocks in the resource fork. No specification
//! is published; the layout is as Apple's open kernel sources have it.

use std::io::{Error, ErrorKind, Read};
use std::ops::Range;

use crate::bytes::{index, length, slice, u32_at, u64_at};

use super::lzfse;

/// Bytes of a block once decoded.
const BLOCK: usize = 64 << 10;

/// Bytes of the head of the attribute.
const HEAD: usize = 16;

/// Blocks of one file.
const BLOCKS: usize = 1 << 20;

/// Why a file is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A method that has no decoder here.
    Method(u32),
    /// Head or table of blocks end too early.
    Cut,
}

/// The content of a file.
#[derive(Debug)]
pub struct Content<'a> {
    data: &'a [u8],
    blocks: std::vec::IntoIter<Range<usize>>,
    waiting: Vec<u8>,
    taken: usize,
    size: u64,
    given: u64,
    packing: Packing,
}

/// Opens the value of the attribute `com.apple.decmpfs` and the resource fork beside it.
///
/// # Errors
/// A method without a decoder, or a head that is cut.
pub fn open<'a>(attribute: &'a [u8], resource: &'a [u8]) -> Result<Content<'a>, Refused> {
    let (Some(method), Some(size)) = (u32_at(attribute, 4), u64_at(attribute, 8)) else {
        return Err(Refused::Cut);
    };
    let inline = || HEAD.min(attribute.len())..attribute.len();
    let packing = match method {
        1 => Packing::Stored,
        3 | 4 => Packing::Zlib,
        7 | 8 => Packing::Lzvn,
        11 | 12 => Packing::Lzfse,
        other => return Err(Refused::Method(other)),
    };
    let (data, blocks) = match method {
        4 => (resource, blocks(resource).ok_or(Refused::Cut)?),
        8 | 12 => (resource, offsets(resource).ok_or(Refused::Cut)?),
        _ => (attribute, vec![inline()]),
    };
    Ok(Content {
        data,
        blocks: blocks.into_iter(),
        waiting: Vec::new(),
        taken: 0,
        size,
        given: 0,
        packing,
    })
}

/// The blocks of a resource fork: its head says where its data starts, which is a table of offsets and sizes.
fn blocks(resource: &[u8]) -> Option<Vec<Range<usize>>> {
    let start: [u8; 4] = slice(resource, 0, 4)?.try_into().ok()?;
    let base = index(u32::from_be_bytes(start)).checked_add(4)?;
    let count = index(u32_at(resource, base)?).min(BLOCKS);
    let table = resource.get(base.checked_add(4)?..)?;
    let blocks = table.chunks_exact(8).take(count).map(|entry| {
        let at = index(u32_at(entry, 0).unwrap_or_default()).saturating_add(base);
        let len = index(u32_at(entry, 4).unwrap_or_default());
        let start = at.min(resource.len());
        start..start.saturating_add(len).min(resource.len())
    });
    Some(blocks.collect())
}

/// The blocks of a resource fork that is nothing but offsets, and blocks behind them.
fn offsets(resource: &[u8]) -> Option<Vec<Range<usize>>> {
    let len = index(u32_at(resource, 0)?);
    let table = resource.get(..len)?.chunks_exact(4).take(BLOCKS);
    let offsets: Vec<usize> = table
        .filter_map(|entry| Some(index(u32_at(entry, 0)?).min(resource.len())))
        .collect();
    let pairs = offsets.iter().zip(offsets.iter().skip(1));
    Some(pairs.map(|(start, end)| *start..*end).collect())
}

/// How blocks are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Stored,
    Zlib,
    Lzvn,
    Lzfse,
}

impl Content<'_> {
    /// Bytes that the whole is said to have.
    pub fn size(&self) -> u64 {
        self.size
    }

    fn decode(&self, raw: &[u8]) -> std::io::Result<Vec<u8>> {
        let stored = |data: &[u8]| Ok(data.get(..BLOCK).unwrap_or(data).to_vec());
        let decoded = |(data, broken): (Vec<u8>, Option<lzfse::Broken>)| match broken {
            Some(broken) if data.is_empty() => Err(Error::new(ErrorKind::InvalidData, broken)),
            _ => Ok(data),
        };
        let rest = raw.get(1..).unwrap_or_default();
        // A block that starts as none that is packed is stored.
        match (self.packing, raw.first()) {
            (Packing::Stored, _) => return stored(raw),
            (Packing::Lzvn, Some(0x06)) | (Packing::Lzfse, Some(0xff)) => return stored(rest),
            (Packing::Lzvn, _) => return decoded(lzfse::lzvn(raw, BLOCK)),
            (Packing::Lzfse, _) => return decoded(lzfse::decode(raw, BLOCK)),
            (Packing::Zlib, Some(first)) if first & 0x0f == 0x0f => return stored(rest),
            (Packing::Zlib, _) => {}
        }
        let mut out = Vec::new();
        let decoder = flate2::bufread::ZlibDecoder::new(raw);
        std::io::copy(&mut decoder.take(length(BLOCK)), &mut out)?;
        Ok(out)
    }
}

impl Read for Content<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // Ends because each turn takes a block.
        while self.taken >= self.waiting.len() {
            if self.given >= self.size {
                return Ok(0);
            }
            let Some(range) = self.blocks.next() else {
                return Ok(0);
            };
            let raw = self.data.get(range).unwrap_or_default();
            if raw.is_empty() {
                return Err(Error::new(ErrorKind::InvalidData, "a block of no bytes"));
            }
            (self.waiting, self.taken) = (self.decode(raw)?, 0);
        }
        let rest = self.waiting.get(self.taken..).unwrap_or_default();
        let left = index(self.size.saturating_sub(self.given));
        let len = rest.len().min(out.len()).min(left);
        for (place, byte) in out.iter_mut().zip(rest).take(len) {
            *place = *byte;
        }
        self.taken = self.taken.saturating_add(len);
        self.given = self.given.saturating_add(length(len));
        Ok(len)
    }
}
