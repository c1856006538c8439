//! The header ([MS-CFB] 2.2) and where sectors lie in the file.

use crate::bytes::{Deviation, index, slice, u16_at, u32_at};
use crate::limits::Fault;

/// The signature of a compound file.
pub const SIGNATURE: [u8; 8] = [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1];

/// The signature that beta versions wrote, which Windows still opens.
pub const SIGNATURE_BETA: [u8; 8] = [0x0e, 0x11, 0xfc, 0x0d, 0xd0, 0xcf, 0x11, 0x0e];

/// Streams shorter than this lie in the mini stream. The header has a field for it, but every reader uses this value.
pub(super) const MINI_CUTOFF: u64 = 4096;

/// Bytes up to the list of FAT sectors: with less there is nothing to go by.
const FIXED: usize = 76;

/// FAT sectors that the header itself lists.
const LISTED: usize = 109;

/// The fields of the header that lead to anything.
#[derive(Debug, Clone)]
pub(super) struct Header {
    /// log2 of the sector size.
    pub(super) shift: u32,
    /// log2 of the mini sector size.
    pub(super) mini_shift: u32,
    /// Major version; 3 has 32-bit stream sizes.
    pub(super) major: u16,
    pub(super) fat_sectors: u32,
    pub(super) first_directory: u32,
    pub(super) first_mini_fat: u32,
    pub(super) first_difat: u32,
    /// The FAT sectors listed in the header, with all markers.
    pub(super) difat: Vec<u32>,
}

/// Whether bytes start as a compound file does.
pub fn is_compound(data: &[u8]) -> bool {
    data.starts_with(&SIGNATURE) || data.starts_with(&SIGNATURE_BETA)
}

impl Header {
    /// Reads the header. Version, byte order, shifts and cutoff may be wrong: readers in the field do not ask.
    pub(super) fn read(data: &[u8], deviations: &mut Vec<Deviation>) -> Result<Self, Fault> {
        if !is_compound(data) {
            return Err(Fault::Broken("no compound file signature".to_owned()));
        }
        if data.len() < FIXED {
            return Err(Fault::Broken(format!(
                "compound file header: expected 512 bytes, found {}",
                data.len()
            )));
        }
        let u16_of = |at: usize| u16_at(data, at).unwrap_or_default();
        let u32_of = |at: usize| u32_at(data, at).unwrap_or_default();
        let mut odd = |at: usize, what: String| deviations.push(Deviation::new(at, what));
        let major = u16_of(26);
        if !matches!(major, 3 | 4) {
            odd(26, format!("major version: expected 3 or 4, found {major}"));
        }
        let order = u16_of(28);
        if order != 0xfffe {
            odd(28, format!("byte order: expected 0xfffe, found {order:#x}"));
        }
        let expected = if major == 4 { 12 } else { 9 };
        let mut shift = u32::from(u16_of(30));
        if shift != expected {
            odd(
                30,
                format!("sector shift: expected {expected}, found {shift}"),
            );
            if !(7..=16).contains(&shift) {
                shift = expected;
            }
        }
        let mut mini_shift = u32::from(u16_of(32));
        if mini_shift != 6 {
            odd(
                32,
                format!("mini sector shift: expected 6, found {mini_shift}"),
            );
            if !(4..shift).contains(&mini_shift) {
                mini_shift = 6;
            }
        }
        let cutoff = u32_of(56);
        if u64::from(cutoff) != MINI_CUTOFF {
            odd(
                56,
                format!("mini stream cutoff: expected 4096, found {cutoff}"),
            );
        }
        let listed = slice(data, FIXED, LISTED.saturating_mul(4));
        let listed = listed.unwrap_or_else(|| data.get(FIXED..).unwrap_or_default());
        Ok(Self {
            shift,
            mini_shift,
            major,
            fat_sectors: u32_of(44),
            first_directory: u32_of(48),
            first_mini_fat: u32_of(60),
            first_difat: u32_of(68),
            difat: numbers(listed).collect(),
        })
    }
}

/// The little-endian 32-bit numbers in bytes; a cut last one is left out.
pub(super) fn numbers(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let (whole, _) = bytes.as_chunks::<4>();
    whole.iter().map(|number| u32::from_le_bytes(*number))
}

/// The sectors of a file: number to bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sectors<'a> {
    pub(super) data: &'a [u8],
    pub(super) shift: u32,
}

impl<'a> Sectors<'a> {
    /// Bytes of a whole sector.
    pub(super) fn size(self) -> usize {
        1usize.checked_shl(self.shift).unwrap_or(usize::MAX)
    }

    /// Sectors that are there, the last of which may be short.
    pub(super) fn count(self) -> u32 {
        let behind = self.data.len().saturating_sub(self.size());
        u32::try_from(behind.div_ceil(self.size())).unwrap_or(u32::MAX)
    }

    /// Where a sector starts: the header takes the place of one.
    pub(super) fn offset(self, sector: u32) -> usize {
        index(sector).saturating_add(1).saturating_mul(self.size())
    }

    /// The bytes of a sector, as many as there are; `None` where it lies behind the end.
    pub(super) fn bytes(self, sector: u32) -> Option<&'a [u8]> {
        let start = self.offset(sector);
        if start >= self.data.len() {
            return None;
        }
        let end = start.saturating_add(self.size()).min(self.data.len());
        self.data.get(start..end)
    }
}
