//! Virtual disks of Hyper-V and Virtual PC: VHD ("Virtual Hard Disk Image Format Specification" 1.0), fixed and
//! dynamic, and VHDX ([MS-VHDX]).
//!
//! Of a disk that holds the differences to another one, what it holds is read, and told to be not all. Left out on
//! purpose: what stands in the log of a VHDX (told), checksums.

use std::io::Read;
use std::ops::Range;

use crate::bytes::{Deviation, Short, be32_at, be64_at, index, length, slice, u32_at, u64_at};

/// Size of the footer of a VHD, and of a sector.
const SECTOR: usize = 512;

/// Blocks of one disk, at the most: 2 MiB each is the rule.
const BLOCKS: usize = 1 << 20;

/// The disk behind the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// It lies in the file as it is.
    Plain(Range<usize>),
    /// It is put together from blocks.
    Blocks(Vec<Block>),
}

/// A run of bytes of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where it lies in the file; none: zeros.
    pub at: Option<usize>,
    /// Its size.
    pub size: usize,
}

/// A virtual disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What it holds.
    pub content: Content,
    /// Blocks that lie beyond the file.
    pub missing: Option<Deviation>,
    /// Whether it holds only what differs from another disk: what that has is zero here.
    pub is_child: bool,
}

/// Reads a virtual disk of either form.
pub fn read(data: &[u8]) -> Result<Disk, Short> {
    if data.starts_with(b"vhdxfile") {
        return vhdx(data);
    }
    let end = data.len().saturating_sub(SECTOR);
    // A dynamic disk has a copy of its footer in front.
    let footer = [end, end.saturating_add(1), 0]
        .into_iter()
        .filter_map(|at| data.get(at..))
        .find(|footer| footer.starts_with(b"conectix"))
        .ok_or(short("footer", end))?;
    let kind = be32_at(footer, 60).ok_or(short("disk type", end))?;
    match kind {
        2 => Ok(Disk {
            content: Content::Plain(0..end),
            missing: None,
            is_child: false,
        }),
        3 => dynamic(data, footer),
        _ => dynamic(data, footer).map(|disk| Disk {
            is_child: true,
            ..disk
        }),
    }
}

fn short(field: &'static str, offset: usize) -> Short {
    Short::number(field, 4, offset)
}

/// A dynamic disk: a table of the sectors at which its blocks start, each behind a bitmap.
fn dynamic(data: &[u8], footer: &[u8]) -> Result<Disk, Short> {
    let at = index(be64_at(footer, 16).ok_or(short("data offset", 16))?);
    let header = data
        .get(at..)
        .filter(|header| header.starts_with(b"cxsparse"));
    let header = header.ok_or(short("dynamic disk header", at))?;
    let table = index(be64_at(header, 16).ok_or(short("table offset", at))?);
    let count = index(be32_at(header, 28).ok_or(short("table entries", at))?).min(BLOCKS);
    let size = index(be32_at(header, 32).ok_or(short("block size", at))?);
    if !(SECTOR..=1 << 30).contains(&size) {
        return Err(short("block size", at.saturating_add(32)));
    }
    let bitmap = (size / SECTOR).div_ceil(8).next_multiple_of(SECTOR);
    let starts = (0..count).map_while(|number| {
        let entry = be32_at(data, table.saturating_add(number.saturating_mul(4)))?;
        let start = index(entry).saturating_mul(SECTOR).saturating_add(bitmap);
        Some((entry != u32::MAX).then_some(start))
    });
    Ok(gathered(data, starts, size))
}

/// Blocks of one size by where they start; zeros at the end are left out.
fn gathered(data: &[u8], starts: impl Iterator<Item = Option<usize>>, size: usize) -> Disk {
    let mut blocks: Vec<Block> = Vec::new();
    let mut missing = None;
    for start in starts {
        let at = start.filter(|start| *start < data.len());
        if let Some(start) = start.filter(|start| start.saturating_add(size) > data.len()) {
            let what = format!("block at {start}: lies beyond the end of the file");
            missing.get_or_insert(Deviation::new(start, what));
        }
        blocks.push(Block { at, size });
    }
    while blocks.last().is_some_and(|block| block.at.is_none()) {
        blocks.pop();
    }
    Disk {
        content: Content::Blocks(blocks),
        missing,
        is_child: false,
    }
}

/// Ids of regions and metadata ([MS-VHDX] 2.2.3, 2.6), in their byte order in the file.
pub(crate) const REGION_BAT: [u8; 16] = [
    0x66, 0x77, 0xc2, 0x2d, 0x23, 0xf6, 0x00, 0x42, 0x9d, 0x64, 0x11, 0x5e, 0x9b, 0xfd, 0x4a, 0x08,
];
pub(crate) const REGION_METADATA: [u8; 16] = [
    0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e,
];
pub(crate) const FILE_PARAMETERS: [u8; 16] = [
    0x37, 0x67, 0xa1, 0xca, 0x36, 0xfa, 0x43, 0x4d, 0xb3, 0xb6, 0x33, 0xf0, 0xaa, 0x44, 0xe7, 0x6b,
];
pub(crate) const DISK_SIZE: [u8; 16] = [
    0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8,
];
pub(crate) const SECTOR_SIZE: [u8; 16] = [
    0x1d, 0xbf, 0x41, 0x81, 0x6f, 0xa9, 0x09, 0x47, 0xba, 0x47, 0xf2, 0x33, 0xa8, 0xfa, 0xab, 0x5f,
];

/// The offset of an entry by its id in a table of 32-byte entries.
fn entry<'a>(table: &'a [u8], first: usize, id: &[u8; 16]) -> Option<&'a [u8]> {
    let entries = table.get(first..)?.chunks_exact(32).take(2048);
    entries.into_iter().find(|entry| entry.starts_with(id))
}

fn vhdx(data: &[u8]) -> Result<Disk, Short> {
    const TABLES: [usize; 2] = [192 << 10, 256 << 10];
    let regions = TABLES
        .into_iter()
        .filter_map(|at| data.get(at..))
        .find(|table| table.starts_with(b"regi"))
        .ok_or(short("region table", 192 << 10))?;
    let region = |id: &[u8; 16]| -> Option<usize> {
        let found = entry(regions, 16, id)?;
        u64_at(found, 16).map(index)
    };
    let table = region(&REGION_BAT).ok_or(short("BAT region", 192 << 10))?;
    let at = region(&REGION_METADATA).ok_or(short("metadata region", 192 << 10))?;
    let metadata = data.get(at..).ok_or(short("metadata region", at))?;
    let item = |id: &[u8; 16]| -> Option<&[u8]> {
        let found = entry(metadata, 32, id)?;
        metadata.get(index(u32_at(found, 16)?)..)
    };
    let parameters = item(&FILE_PARAMETERS).ok_or(short("file parameters", at))?;
    let size = index(u32_at(parameters, 0).ok_or(short("block size", at))?);
    if !(1 << 20..=1 << 28).contains(&size) || !size.is_power_of_two() {
        return Err(short("block size", at));
    }
    let whole = item(&DISK_SIZE).and_then(|item| u64_at(item, 0));
    let whole = whole.ok_or(short("virtual disk size", at))?;
    let sector = item(&SECTOR_SIZE)
        .and_then(|item| u32_at(item, 0))
        .unwrap_or(512);
    // Behind so many blocks stands the entry of a bitmap (2.5).
    let ratio = ((1u64 << 23).saturating_mul(sector.into()) / length(size)).max(1);
    let count = whole.div_ceil(length(size)).min(length(BLOCKS));
    let starts = (0..count).map_while(|number| {
        let number = index(number.saturating_add(number / ratio));
        let entry = u64_at(data, table.saturating_add(number.saturating_mul(8)))?;
        // Fully or partly there (2.5.1.1).
        let there = matches!(entry & 7, 6 | 7);
        Some(there.then(|| index((entry >> 20).saturating_mul(1 << 20))))
    });
    let mut disk = gathered(data, starts, size);
    let last =
        index(count.saturating_sub(1)).saturating_add(index(count.saturating_sub(1) / ratio));
    let end = table.saturating_add(last.saturating_add(1).saturating_mul(8));
    if end > data.len() {
        let what = "the table of blocks is cut";
        disk.missing.get_or_insert(Deviation::new(table, what));
    }
    disk.is_child = parameters.get(4).is_some_and(|flags| flags & 2 != 0);
    if has_log(data) {
        let what = "changes in the log are not made";
        disk.missing.get_or_insert(Deviation::new(64 << 10, what));
    }
    Ok(disk)
}

/// Whether the current header names a log: whoever opens the disk makes its changes first (2.2.2, 2.3).
fn has_log(data: &[u8]) -> bool {
    const HEADERS: [usize; 2] = [64 << 10, 128 << 10];
    let headers = HEADERS.into_iter().filter_map(|at| slice(data, at, 4096));
    let headers = headers.filter(|header| header.starts_with(b"head"));
    let current = headers.max_by_key(|header| u64_at(header, 8));
    let log = current.and_then(|header| slice(header, 48, 16));
    log.is_some_and(|id| id.iter().any(|byte| *byte != 0))
}

/// Reads the disk that blocks make.
#[derive(Debug)]
pub struct Blocks<'a> {
    data: &'a [u8],
    blocks: &'a [Block],
    inside: usize,
}

impl<'a> Blocks<'a> {
    /// A reader from the first block on.
    pub fn new(data: &'a [u8], blocks: &'a [Block]) -> Self {
        Self {
            data,
            blocks,
            inside: 0,
        }
    }
}

impl Read for Blocks<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let Some((block, rest)) = self.blocks.split_first() else {
            return Ok(0);
        };
        let len = block.size.saturating_sub(self.inside).min(out.len());
        let from = block.at.map(|at| at.saturating_add(self.inside));
        let there = from
            .and_then(|from| self.data.get(from..))
            .unwrap_or_default();
        let there = there.get(..len).unwrap_or(there);
        let (known, empty) = out.split_at_mut(there.len());
        known.copy_from_slice(there);
        let zeros = len.saturating_sub(there.len());
        empty.get_mut(..zeros).unwrap_or_default().fill(0);
        self.inside = self.inside.saturating_add(len);
        if self.inside >= block.size {
            self.blocks = rest;
            self.inside = 0;
        }
        Ok(len)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn footer(kind: u8) -> Vec<u8> {
        let mut out = vec![0; SECTOR];
        out[..8].copy_from_slice(b"conectix");
        out[22] = 2;
        out[63] = kind;
        out
    }

    /// A fixed disk.
    pub(crate) fn fixed(disk: &[u8]) -> Vec<u8> {
        [disk, &footer(2)].concat()
    }

    /// A dynamic disk of blocks of 4,096 bytes, the first of which is not there.
    pub(crate) fn dynamic(second: &[u8]) -> Vec<u8> {
        let mut out = footer(3);
        let mut header = vec![0; 1024];
        header[..8].copy_from_slice(b"cxsparse");
        header[22..24].copy_from_slice(&[8, 0]);
        header[31] = 3;
        header[34] = 0x10;
        out.extend(header);
        out.resize(2048, 0);
        out.extend([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff]);
        out.resize(5 * SECTOR, 0);
        out.extend([0xff; SECTOR]);
        out.extend(second);
        out.resize(6 * SECTOR + 4096, 0);
        out.extend(footer(3));
        out
    }

    #[test]
    fn fixed_disks_lie_as_they_are_and_dynamic_ones_are_put_together() {
        let disk = read(&fixed(&[1; 2048])).unwrap();
        assert_eq!(disk.content, Content::Plain(0..2048));
        let data = dynamic(b"second block");
        let Content::Blocks(blocks) = read(&data).unwrap().content else {
            panic!()
        };
        assert_eq!(blocks.len(), 2);
        let mut out = vec![0; 5000];
        let mut reader = Blocks::new(&data, &blocks);
        assert_eq!(reader.read(&mut out).unwrap(), 4096);
        assert_eq!(reader.read(&mut out).unwrap(), 4096);
        assert!(out.starts_with(b"second block"));
        assert_eq!(reader.read(&mut out).unwrap(), 0);
    }

    #[test]
    fn a_cut_disk_and_a_lying_block_size_are_told() {
        let data = dynamic(b"x");
        let disk = read(&data[..data.len() - 3000]).unwrap();
        assert!(disk.missing.is_some());
        let mut lying = data.clone();
        lying[512 + 34] = 0;
        assert!(read(&lying).is_err());
        assert!(read(b"vhdxfile and nothing else").is_err());
        assert_eq!(read(&fixed(&[])).unwrap().content, Content::Plain(0..0));
    }
}
