//! A disk put together from grains: runs of bytes that lie in the file, packed or as they are, or that are zeros.
//!
//! What the maps of VMDK, QCOW and their like come to.

use std::io::Read;

use crate::bytes::{Deviation, length};

/// Grains of one disk, at the most: a disk of 64 GiB has as many of 64 KiB.
pub(super) const GRAINS: usize = 1 << 20;

/// Bytes of one grain.
pub(super) const LARGEST: usize = 64 << 20;

/// How a grain is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Stored,
    /// Deflate without a head.
    Deflate,
    /// Deflate with the head of zlib.
    Zlib,
    /// Zstandard.
    Zstd,
}

/// A run of bytes of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grain {
    /// Its size on the disk.
    pub size: usize,
    /// Where it starts in the file; none: zeros.
    pub at: Option<usize>,
    /// Its bytes in the file.
    pub len: usize,
    /// How they are packed.
    pub packing: Packing,
}

impl Grain {
    /// One that lies as it is.
    pub fn stored(at: usize, size: usize) -> Self {
        Self {
            size,
            at: Some(at),
            len: size,
            packing: Packing::Stored,
        }
    }

    /// Zeros.
    pub fn zeros(size: usize) -> Self {
        Self {
            size,
            at: None,
            len: 0,
            packing: Packing::Stored,
        }
    }
}

/// A disk as its map tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Map {
    /// Its grains in order.
    pub grains: Vec<Grain>,
    /// What of it is not in the file.
    pub unread: Vec<Deviation>,
    /// What keeps it from being the whole disk, in words.
    pub other: Option<String>,
}

impl Map {
    /// Adds a grain, up to the bound of grains; says whether another one has room.
    pub(super) fn push(&mut self, grain: Grain, file: usize) -> bool {
        let cut = grain.at.is_some_and(|at| {
            let stored = grain.packing == Packing::Stored;
            at.saturating_add(if stored { grain.len } else { 1 }) > file
        });
        if cut && self.unread.is_empty() {
            let at = grain.at.unwrap_or_default();
            let what = format!("grain at {at}: lies beyond the end of the file");
            self.unread.push(Deviation::new(at, what));
        }
        self.grains.push(grain);
        self.grains.len() < GRAINS
    }

    /// The map without the zeros at its end, cut to the size of the disk.
    #[must_use]
    pub(super) fn trimmed(mut self, disk: u64) -> Self {
        let mut rest = disk;
        self.grains.retain_mut(|grain| {
            let size = length(grain.size).min(rest);
            rest = rest.saturating_sub(size);
            grain.size = usize::try_from(size).unwrap_or(grain.size);
            grain.size > 0
        });
        while self.grains.last().is_some_and(|last| last.at.is_none()) {
            self.grains.pop();
        }
        self
    }
}

/// Reads the disk that grains make.
#[derive(Debug)]
pub struct Grains<'a> {
    data: &'a [u8],
    grains: std::slice::Iter<'a, Grain>,
    left: usize,
    from: Option<usize>,
    open: Vec<u8>,
    taken: usize,
    /// The first grain that could not be decoded.
    pub broken: Option<usize>,
}

impl<'a> Grains<'a> {
    /// A reader from the first grain on.
    pub fn new(data: &'a [u8], grains: &'a [Grain]) -> Self {
        Self {
            data,
            grains: grains.iter(),
            left: 0,
            from: None,
            open: Vec::new(),
            taken: 0,
            broken: None,
        }
    }

    /// Goes to the next grain; false behind the last.
    fn next(&mut self) -> bool {
        let Some(grain) = self.grains.next() else {
            return false;
        };
        self.left = grain.size;
        self.from = None;
        self.open.clear();
        self.taken = 0;
        let Some(at) = grain.at else {
            return true;
        };
        if grain.packing == Packing::Stored {
            self.from = Some(at);
            return true;
        }
        let packed = self.data.get(at..).unwrap_or_default();
        let packed = packed.get(..grain.len).unwrap_or(packed);
        let most = length(grain.size);
        let ended = match grain.packing {
            Packing::Stored => Ok(0),
            Packing::Deflate => {
                let decoder = flate2::bufread::DeflateDecoder::new(packed);
                std::io::copy(&mut decoder.take(most), &mut self.open)
            }
            Packing::Zlib => {
                let decoder = flate2::bufread::ZlibDecoder::new(packed);
                std::io::copy(&mut decoder.take(most), &mut self.open)
            }
            Packing::Zstd => zstd::stream::read::Decoder::with_buffer(packed)
                .and_then(|decoder| std::io::copy(&mut decoder.take(most), &mut self.open)),
        };
        // What follows is padding up to a sector, at which a decoder may stumble: only a grain that is short is broken.
        drop(ended);
        if self.open.len() < grain.size && self.broken.is_none() {
            self.broken = Some(at);
        }
        true
    }
}

impl Read for Grains<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // Ends because each turn takes a grain.
        while self.left == 0 {
            if !self.next() {
                return Ok(0);
            }
        }
        let len = self.left.min(out.len());
        let there = match self.from {
            Some(from) => self.data.get(from.saturating_add(self.taken)..),
            None => self.open.get(self.taken..),
        };
        let there = there.unwrap_or_default();
        let there = there.get(..len).unwrap_or(there);
        let (known, empty) = out.split_at_mut(there.len());
        known.copy_from_slice(there);
        let zeros = len.saturating_sub(there.len());
        empty.get_mut(..zeros).unwrap_or_default().fill(0);
        self.taken = self.taken.saturating_add(len);
        self.left = self.left.saturating_sub(len);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grains_come_out_in_order_and_what_is_broken_is_zeros_and_told() {
        let mut data = b"stored!!".to_vec();
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packer, &[7; 8]).unwrap();
        let packed = packer.finish().unwrap();
        data.extend(&packed);
        let grains = [
            Grain::stored(0, 8),
            Grain::zeros(4),
            Grain {
                size: 8,
                at: Some(8),
                len: packed.len(),
                packing: Packing::Zlib,
            },
            Grain {
                size: 4,
                at: Some(0),
                len: 8,
                packing: Packing::Zlib,
            },
        ];
        let mut reader = Grains::new(&data, &grains);
        let mut out = Vec::new();
        std::io::copy(&mut reader, &mut out).unwrap();
        assert_eq!(
            out,
            b"stored!!\0\0\0\0\x07\x07\x07\x07\x07\x07\x07\x07\0\0\0\0"
        );
        assert_eq!(reader.broken, Some(0));
    }

    #[test]
    fn a_map_ends_where_the_disk_does_and_tells_what_is_cut() {
        let mut map = Map::default();
        assert!(map.push(Grain::stored(0, 8), 12));
        map.push(Grain::stored(8, 8), 12);
        map.push(Grain::zeros(8), 12);
        let map = map.trimmed(20);
        assert_eq!(
            map.grains,
            [
                Grain::stored(0, 8),
                Grain {
                    size: 8,
                    ..Grain::stored(8, 8)
                }
            ]
        );
        assert_eq!(map.unread.len(), 1);
    }
}
