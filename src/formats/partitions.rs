//! Partitions of a disk: master boot record with its chain of extended ones, GUID partition table (UEFI 5.2, 5.3), and
//! Apple partition map.

use std::ops::Range;

use crate::bytes::{Deviation, index, length, slice, u16_at, u32_at, u64_at};

use super::disk::cut;

/// Sector sizes that are tried for a GUID partition table.
const SECTORS: [usize; 2] = [512, 4096];

/// Partitions of one disk, at the most.
const MOST: usize = 256;

/// System ids of extended partitions, and of the one that stands for a GUID partition table.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
const PROTECTIVE: u8 = 0xee;

/// Where the partitions of a disk lie.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partitions {
    /// Each of them as far as it is there, by where they start.
    pub partitions: Vec<Range<usize>>,
    /// What could not be read.
    pub unread: Vec<Deviation>,
}

/// Lists the partitions of a disk.
pub fn list(data: &[u8]) -> Partitions {
    let mut found = Partitions::default();
    for sector in SECTORS {
        if slice(data, sector, 8) == Some(b"EFI PART") {
            guids(data, sector, &mut found);
        }
    }
    records(data, &mut found);
    apple(data, &mut found);
    found
        .partitions
        .sort_by_key(|range| (range.start, range.end));
    found.partitions.dedup();
    found.partitions.truncate(MOST);
    found
}

impl Partitions {
    fn add(&mut self, data: &[u8], start: u64, size: u64) {
        let (range, missing) = cut(start, size, data.len());
        if missing > 0 {
            let what = format!("partition: {missing} bytes are missing");
            self.unread.push(Deviation::new(index(start), what));
        }
        if !range.is_empty() && self.partitions.len() < MOST * 2 {
            self.partitions.push(range);
        }
    }
}

/// The entries of a GUID partition table (5.3.3).
fn guids(data: &[u8], sector: usize, found: &mut Partitions) {
    let header = data.get(sector..).unwrap_or_default();
    let (Some(table), Some(count), Some(size)) =
        (u64_at(header, 72), u32_at(header, 80), u32_at(header, 84))
    else {
        return;
    };
    let start = index(table).saturating_mul(sector);
    for number in 0..index(count).min(MOST) {
        let at = start.saturating_add(number.saturating_mul(index(size).max(128)));
        let Some(entry) = slice(data, at, 128) else {
            break;
        };
        let (Some(first), Some(last)) = (u64_at(entry, 32), u64_at(entry, 40)) else {
            break;
        };
        if entry.iter().take(16).all(|byte| *byte == 0) || last < first {
            continue;
        }
        let bytes = |sectors: u64| sectors.saturating_mul(length(sector));
        let size = last.saturating_sub(first).saturating_add(1);
        found.add(data, bytes(first), bytes(size));
    }
}

/// The entries of an Apple partition map ("Inside Macintosh: Devices", 3), in blocks of the size in front or of 512.
fn apple(data: &[u8], found: &mut Partitions) {
    let word = |at: usize| {
        slice(data, at, 2).map(|raw| {
            raw.iter()
                .fold(0usize, |sum, byte| sum << 8 | usize::from(*byte))
        })
    };
    let long = |at: usize| slice(data, at, 4)?.try_into().ok().map(u32::from_be_bytes);
    let named = data.starts_with(b"ER").then(|| word(2)).flatten();
    for block in [512, named.unwrap_or(512)] {
        let mut count = 1usize;
        let mut number = 1usize;
        // Ends because the count is bounded.
        while number <= count.min(MOST) && (512..=4096).contains(&block) {
            let at = number.saturating_mul(block);
            number = number.saturating_add(1);
            if slice(data, at, 2) != Some(b"PM") {
                break;
            }
            let (Some(entries), Some(start), Some(size)) = (
                long(at.saturating_add(4)),
                long(at.saturating_add(8)),
                long(at.saturating_add(12)),
            ) else {
                break;
            };
            count = count.max(index(entries));
            let kind = slice(data, at.saturating_add(48), 32).unwrap_or_default();
            let is_volume = !kind.starts_with(b"Apple_partition_map")
                && !kind.starts_with(b"Apple_Free")
                && !kind.starts_with(b"Apple_Void");
            if is_volume && size > 0 {
                let bytes = |blocks: u32| u64::from(blocks).saturating_mul(length(block));
                found.add(data, bytes(start), bytes(size));
            }
        }
        if named.is_none_or(|block| block == 512) {
            break;
        }
    }
}

/// The entries of the master boot record, and of the chain behind an extended one.
fn records(data: &[u8], found: &mut Partitions) {
    const SECTOR: u64 = 512;
    let mut waiting = vec![(0u64, None)];
    let mut read = 0usize;
    // Ends because records are counted.
    while let Some((at, chain)) = waiting.pop() {
        read = read.saturating_add(1);
        let place = index(at.saturating_mul(SECTOR));
        if read > MOST || u16_at(data, place.saturating_add(510)) != Some(0xaa55) {
            continue;
        }
        for number in 0..4usize {
            let offset = place
                .saturating_add(446)
                .saturating_add(number.saturating_mul(16));
            let Some(entry) = slice(data, offset, 16) else {
                break;
            };
            let (Some(&system), Some(start), Some(size)) =
                (entry.get(4), u32_at(entry, 8), u32_at(entry, 12))
            else {
                break;
            };
            let (start, size) = (u64::from(start), u64::from(size));
            if EXTENDED.contains(&system) {
                // Links of the chain count from its first record.
                let first = chain.unwrap_or(0);
                let next = start.saturating_add(first);
                waiting.push((next, Some(chain.unwrap_or(next))));
            } else if system != 0 && system != PROTECTIVE && size > 0 {
                let start = start.saturating_add(at);
                found.add(
                    data,
                    start.saturating_mul(SECTOR),
                    size.saturating_mul(SECTOR),
                );
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A disk of one partition with these bytes, from sector 1 on.
    pub(crate) fn disk(inside: &[u8]) -> Vec<u8> {
        let mut out = vec![0; 512];
        let sectors = u32::try_from(inside.len().div_ceil(512)).unwrap();
        out[446 + 4] = 6;
        out[446 + 8] = 1;
        out[446 + 12..446 + 16].copy_from_slice(&sectors.to_le_bytes());
        out[510..].copy_from_slice(&[0x55, 0xaa]);
        out.extend(inside);
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }

    #[test]
    fn records_and_their_chain_are_followed_and_loops_end() {
        let mut data = disk(&[0; 4096]);
        // An extended partition at sector 2, whose record leads to a partition and to itself.
        data[446 + 16 + 4] = 5;
        data[446 + 16 + 8] = 2;
        data[446 + 16 + 12] = 6;
        let at = 2 * 512;
        data[at + 446 + 4] = 6;
        data[at + 446 + 8] = 1;
        data[at + 446 + 12] = 2;
        data[at + 446 + 16 + 4] = 5;
        data[at + 446 + 16 + 12] = 1;
        data[at + 510..at + 512].copy_from_slice(&[0x55, 0xaa]);
        let found = list(&data);
        assert_eq!(found.partitions, [512..512 * 9, 512 * 3..512 * 5]);
        assert_eq!(found.unread, []);
    }

    #[test]
    fn a_guid_table_is_read_and_a_lying_size_is_told() {
        let mut data = vec![0; 512 * 10];
        data[512..520].copy_from_slice(b"EFI PART");
        data[512 + 72] = 2;
        data[512 + 80] = 4;
        data[512 + 84] = 128;
        data[1024] = 1;
        data[1024 + 32] = 5;
        data[1024 + 40] = 200;
        let found = list(&data);
        assert_eq!(found.partitions.len(), 1);
        assert_eq!(found.partitions[0], 512 * 5..512 * 10);
        assert_eq!(found.unread.len(), 1);
    }
}
