//! FAT12, FAT16 and FAT32 with long names ([Microsoft FAT specification] 1.03): the files of a volume.
//!
//! Left out on purpose: times, deleted entries, the second copy of the table.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::bytes::{index, length, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

use super::disk::{ENTRIES, File, Listing, Path, cut};

/// The name of the tree.
const TREE: &str = "FAT";

/// Attributes of an entry (6).
const VOLUME: u8 = 0x08;
const FOLDER: u8 = 0x10;
const LONG: u8 = 0x0f;

/// Size of an entry.
const ENTRY: usize = 32;

/// How often the clusters of a volume may be gone through for all chains together, and so many of them in a small one:
/// above it chains share clusters, as only bombs do.
const OVERLAP: u32 = 4;
const LEAST_STEPS: u32 = 1 << 16;

/// Long names have at most twenty pieces of thirteen characters.
const PIECES: usize = 20;

/// A volume by its boot sector (3).
struct Volume<'a> {
    data: &'a [u8],
    table: usize,
    cluster: usize,
    first: usize,
    clusters: u32,
    root: Range<usize>,
    root_cluster: u32,
    /// Clusters that chains may still go through.
    steps: Cell<u32>,
}

/// Lists every file; none where there is no such volume. Fails out of time only.
pub fn list(data: &[u8], budget: &Budget) -> Result<Option<Listing>, Halt> {
    let Some(volume) = Volume::read(data) else {
        return Ok(None);
    };
    let mut listing = Listing::default();
    let root = if volume.root_cluster == 0 {
        let len = data.len();
        if volume.root.end > len {
            listing.miss(len, "the root folder lies behind the end of the image");
        }
        let there = volume.root.start.min(len)..volume.root.end.min(len);
        vec![there]
    } else {
        volume.chain(volume.root_cluster, u64::MAX, &mut listing, budget)?
    };
    let mut waiting = vec![(root, Path::Text(String::new()))];
    let mut seen = BTreeSet::from([0, volume.root_cluster]);
    // Ends because a folder is entered once, by its first cluster.
    while let Some((extents, path)) = waiting.pop() {
        let mut bytes = Vec::new();
        for range in extents {
            budget.tick()?;
            bytes.extend_from_slice(data.get(range).unwrap_or_default());
        }
        volume.folder(&bytes, &path, &mut listing, &mut waiting, &mut seen, budget)?;
        listing.full |= listing.files.len() >= ENTRIES;
        if listing.full {
            break;
        }
    }
    Ok(Some(listing))
}

impl<'a> Volume<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let sector = usize::from(u16_at(data, 11)?);
        let per_cluster = usize::from(*data.get(13)?);
        let reserved = usize::from(u16_at(data, 14)?);
        let tables = usize::from(*data.get(16)?);
        let root_entries = usize::from(u16_at(data, 17)?);
        let total = u32::from(u16_at(data, 19)?).max(u32_at(data, 32)?);
        let short = usize::from(u16_at(data, 22)?);
        let table_sectors = if short == 0 {
            index(u32_at(data, 36)?)
        } else {
            short
        };
        let fits = matches!(sector, 512 | 1024 | 2048 | 4096)
            && per_cluster.is_power_of_two()
            && reserved > 0
            && matches!(tables, 1 | 2)
            && table_sectors > 0
            && total > 0;
        if !fits {
            return None;
        }
        let root_at = tables.checked_mul(table_sectors)?.checked_add(reserved)?;
        let root_bytes = root_entries.checked_mul(ENTRY)?;
        let first = root_at.checked_add(root_bytes.div_ceil(sector))?;
        let clusters = index(total).checked_sub(first)? / per_cluster;
        let clusters = u32::try_from(clusters).ok()?;
        let root_at = root_at.checked_mul(sector)?;
        Some(Self {
            data,
            table: reserved.checked_mul(sector)?,
            cluster: per_cluster.checked_mul(sector)?,
            first: first.checked_mul(sector)?,
            clusters,
            steps: Cell::new(clusters.saturating_mul(OVERLAP).saturating_add(LEAST_STEPS)),
            root: root_at..root_at.checked_add(root_bytes)?,
            root_cluster: if short == 0 { u32_at(data, 44)? } else { 0 },
        })
    }

    /// The entry of a cluster in the table: the kind of table goes by the number of clusters (3.5).
    fn next(&self, cluster: u32) -> Option<u32> {
        let number = index(cluster);
        let at = |offset: usize| self.table.checked_add(offset);
        let (next, end) = if self.root_cluster != 0 {
            let entry = u32_at(self.data, at(number.checked_mul(4)?)?)?;
            (entry & 0x0fff_ffff, 0x0fff_fff7)
        } else if self.clusters < 4085 {
            let pair = u16_at(self.data, at(number.checked_add(number / 2)?)?)?;
            let entry = if number.is_multiple_of(2) {
                pair & 0xfff
            } else {
                pair >> 4
            };
            (u32::from(entry), 0xff7)
        } else {
            (
                u32::from(u16_at(self.data, at(number.checked_mul(2)?)?)?),
                0xfff7,
            )
        };
        (next >= 2 && next < end).then_some(next)
    }

    /// Where the bytes of a chain lie, neighbours joined, up to `size` bytes.
    fn chain(
        &self,
        start: u32,
        size: u64,
        listing: &mut Listing,
        budget: &Budget,
    ) -> Result<Vec<Range<usize>>, Halt> {
        let mut extents: Vec<Range<usize>> = Vec::new();
        let mut cluster = Some(start);
        let mut left = size;
        let mut steps = 0u32;
        // Ends because no chain is longer than the volume has clusters.
        while let Some(number) = cluster.filter(|_| left > 0) {
            budget.tick()?;
            let Some(all) = self.steps.get().checked_sub(1) else {
                listing.full = true;
                break;
            };
            self.steps.set(all);
            steps = steps.saturating_add(1);
            if steps > self.clusters {
                listing.odd(
                    self.table,
                    format!("the chain of cluster {start} is a loop"),
                );
                break;
            }
            let place = length(index(number).saturating_sub(2))
                .saturating_mul(length(self.cluster))
                .saturating_add(length(self.first));
            let (range, missing) = cut(place, length(self.cluster).min(left), self.data.len());
            // What files lack is told with their names.
            if missing > 0 && size == u64::MAX {
                listing.miss(index(place), "a folder lies behind the end of the image");
            }
            left = left.saturating_sub(length(self.cluster));
            match extents.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ if range.is_empty() => break,
                _ => extents.push(range),
            }
            cluster = self.next(number);
        }
        Ok(extents)
    }

    fn folder(
        &self,
        bytes: &[u8],
        path: &Path,
        listing: &mut Listing,
        waiting: &mut Vec<(Vec<Range<usize>>, Path)>,
        seen: &mut BTreeSet<u32>,
        budget: &Budget,
    ) -> Result<(), Halt> {
        let mut long = LongName::default();
        for entry in bytes.chunks_exact(ENTRY) {
            budget.tick()?;
            let (Some(&first), Some(&attributes)) = (entry.first(), entry.get(11)) else {
                break;
            };
            if first == 0 {
                break;
            }
            if first == 0xe5 {
                long = LongName::default();
                continue;
            }
            if attributes & 0x3f == LONG {
                long.add(entry);
                continue;
            }
            let name = std::mem::take(&mut long).name(entry);
            if attributes & VOLUME != 0 || first == b'.' {
                continue;
            }
            let short = short_name(entry);
            let path = match name {
                Some(name) => path.join(&Path::Text(name)),
                None => path.join(&short),
            };
            let high = u32::from(u16_at(entry, 20).unwrap_or(0));
            let low = u32::from(u16_at(entry, 26).unwrap_or(0));
            let start = if self.root_cluster == 0 {
                low
            } else {
                high << 16 | low
            };
            if attributes & FOLDER != 0 {
                if start >= 2 && seen.insert(start) {
                    let extents = self.chain(start, u64::MAX, listing, budget)?;
                    waiting.push((extents, path));
                } else if start >= 2 {
                    listing.odd(self.root.start, "a folder that was read before");
                }
                continue;
            }
            let size = u64::from(u32_at(entry, 28).unwrap_or(0));
            let extents = self.chain(start, size, listing, budget)?;
            let there: usize = extents.iter().map(ExactSizeIterator::len).sum();
            let mut paths = vec![path];
            paths.extend((!matches!(paths.first(), Some(Path::Raw(_)))).then_some(short));
            listing.files.push(File {
                paths,
                extents,
                missing: size.saturating_sub(length(there)),
                tree: TREE,
            });
            if listing.files.len() >= ENTRIES || listing.full {
                break;
            }
        }
        Ok(())
    }
}

/// The 8.3 name (6.1) in the charset of the machine that wrote it.
fn short_name(entry: &[u8]) -> Path {
    let part = |range: Range<usize>| {
        let part = entry.get(range).unwrap_or_default();
        part.trim_ascii_end().to_vec()
    };
    let (mut name, mut extension) = (part(0..8), part(8..11));
    if let Some(first) = name.first_mut()
        && *first == 0x05
    {
        *first = 0xe5;
    }
    // Windows keeps in two bits that a part is in lower case.
    let case = entry.get(12).copied().unwrap_or(0);
    if case & 0x08 != 0 {
        name.make_ascii_lowercase();
    }
    if case & 0x10 != 0 {
        extension.make_ascii_lowercase();
    }
    if !extension.is_empty() {
        name.push(b'.');
        name.extend(extension);
    }
    Path::Raw(name)
}

/// The pieces of a long name (7), last first, until its entry comes.
#[derive(Default)]
struct LongName {
    pieces: Vec<(u8, Vec<u16>)>,
    checksum: u8,
}

impl LongName {
    fn add(&mut self, entry: &[u8]) {
        let order = entry.first().copied().unwrap_or(0);
        if order & 0x40 != 0 {
            self.pieces.clear();
        }
        if self.pieces.len() >= PIECES {
            return;
        }
        self.checksum = entry.get(13).copied().unwrap_or(0);
        let units = [1..11, 14..26, 28..32].into_iter().flat_map(|range| {
            let part = entry.get(range).unwrap_or_default();
            part.chunks_exact(2).filter_map(|pair| u16_at(pair, 0))
        });
        self.pieces.push((order & 0x3f, units.collect()));
    }

    /// The name, where it belongs to the entry: Windows takes the short one where the checksum differs.
    fn name(mut self, entry: &[u8]) -> Option<String> {
        let short = slice(entry, 0, 11)?;
        let sum = short
            .iter()
            .fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        if self.pieces.is_empty() || sum != self.checksum {
            return None;
        }
        self.pieces.sort_by_key(|(order, _)| *order);
        let units: Vec<u16> = self
            .pieces
            .into_iter()
            .flat_map(|(_, units)| units)
            .take_while(|unit| *unit != 0)
            .collect();
        Some(String::from_utf16_lossy(&units))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::Limits;

    /// A FAT12 volume of clusters of 512 bytes with one file behind a long name, in a folder that leads to itself.
    pub(crate) fn volume(name: &str, data: &[u8]) -> Vec<u8> {
        let clusters = data.len().div_ceil(512);
        let mut out = vec![0; 512];
        out[..3].copy_from_slice(&[0xeb, 0x3c, 0x90]);
        out[11..13].copy_from_slice(&512u16.to_le_bytes());
        out[13] = 1;
        out[14] = 1;
        out[16] = 1;
        out[17] = 16;
        out[19..21].copy_from_slice(&2000u16.to_le_bytes());
        out[21] = 0xf8;
        out[22] = 6;
        let mut table = vec![0u8; 6 * 512];
        let mut set = |number: usize, value: u16| {
            let at = number + number / 2;
            let old = u16::from_le_bytes([table[at], table[at + 1]]);
            let new = if number.is_multiple_of(2) {
                old & 0xf000 | value
            } else {
                old & 0xf | value << 4
            };
            table[at..at + 2].copy_from_slice(&new.to_le_bytes());
        };
        set(2, 0xfff);
        for number in 0..clusters {
            let next = if number + 1 == clusters {
                0xfff
            } else {
                4 + number
            };
            set(3 + number, u16::try_from(next).unwrap());
        }
        out.extend(table);
        let entry = |name: &[u8; 11], attributes: u8, start: u16, size: usize| {
            let mut entry = vec![0; 32];
            entry[..11].copy_from_slice(name);
            entry[11] = attributes;
            entry[26..28].copy_from_slice(&start.to_le_bytes());
            entry[28..].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
            entry
        };
        let mut root = entry(b"FOLDER     ", FOLDER, 2, 0);
        root.resize(512, 0);
        out.extend(root);
        let short = b"LONGNA~1EXE";
        let sum = short
            .iter()
            .fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte));
        let mut units: Vec<u16> = name.encode_utf16().chain([0]).collect();
        units.resize(units.len().next_multiple_of(13), 0xffff);
        let mut folder = Vec::new();
        let count = units.len() / 13;
        for number in (0..count).rev() {
            let piece: Vec<u8> = units[number * 13..(number + 1) * 13]
                .iter()
                .flat_map(|unit| unit.to_le_bytes())
                .collect();
            let last = if number + 1 == count { 0x40 } else { 0 };
            folder.push(u8::try_from(number + 1).unwrap() | last);
            folder.extend(&piece[..10]);
            folder.extend([LONG, 0, sum]);
            folder.extend(&piece[10..22]);
            folder.extend([0, 0]);
            folder.extend(&piece[22..]);
        }
        folder.extend(entry(short, 0, 3, data.len()));
        folder.extend(entry(b"LOOP       ", FOLDER, 2, 0));
        folder.resize(512, 0);
        out.extend(folder);
        out.extend(data);
        out.resize(out.len().next_multiple_of(512), 0);
        out
    }

    /// A FAT16 volume of a folder and of files or folders in it, all of whose chains go through every cluster, of which
    /// no two are neighbours.
    fn shared(clusters: u16, attributes: u8) -> Vec<u8> {
        let sectors = (usize::from(clusters) * 2 + 4).div_ceil(512);
        let mut out = vec![0; 512];
        out[11..17].copy_from_slice(&[0, 2, 1, 1, 0, 1]);
        out[17] = 16;
        let total = 2 + sectors + usize::from(clusters);
        out[32..36].copy_from_slice(&u32::try_from(total).unwrap().to_le_bytes());
        out[22..24].copy_from_slice(&u16::try_from(sectors).unwrap().to_le_bytes());
        let last = clusters + 2;
        let order: Vec<u16> = (2..last).step_by(2).chain((3..last).step_by(2)).collect();
        let mut table = vec![0; sectors * 512];
        for pair in order.windows(2) {
            let at = usize::from(pair[0]) * 2;
            table[at..at + 2].copy_from_slice(&pair[1].to_le_bytes());
        }
        out.extend(table);
        let entry = |attributes: u8, start: u16| {
            let mut entry = b"NAME    EXT".to_vec();
            entry.resize(32, 0);
            entry[11] = attributes;
            entry[26..28].copy_from_slice(&start.to_le_bytes());
            let size = u32::from(clusters) * 512;
            entry[28..].copy_from_slice(&size.to_le_bytes());
            entry
        };
        let mut root = entry(FOLDER, order[0]);
        root.resize(512, 0);
        out.extend(root);
        let starts = (0..usize::from(clusters) * 16).map(|at| order[at % order.len() / 2]);
        out.extend(starts.flat_map(|start| entry(attributes, start)));
        out
    }

    #[test]
    fn chains_that_share_their_clusters_end_at_a_ceiling() {
        let cost = |clusters: u16, attributes: u8| {
            let data = shared(clusters, attributes);
            let budget = Budget::new(Limits::default(), None);
            let listing = list(&data, &budget).unwrap().unwrap();
            assert!(listing.full);
            let extents: usize = listing.files.iter().map(|file| file.extents.len()).sum();
            let steps = usize::from(clusters) * 4 + (1 << 16);
            assert!(extents <= steps, "{extents} of {steps}");
            budget.steps()
        };
        for attributes in [0, FOLDER] {
            let (small, large) = (cost(5000, attributes), cost(20_000, attributes));
            assert!(large < 5 * small, "{small} {large}");
        }
    }

    fn listed(data: &[u8]) -> Listing {
        list(data, &Budget::new(Limits::default(), None))
            .unwrap()
            .unwrap()
    }

    #[test]
    fn files_in_folders_have_their_long_names() {
        let content: Vec<u8> = (0..1500u32)
            .map(|n| u8::try_from(n % 251).unwrap())
            .collect();
        let name = "四半期の売上報告書をお送りします.exe";
        let data = volume(name, &content);
        let listing = listed(&data);
        let file = &listing.files[0];
        assert_eq!(file.paths[0], Path::Text(format!("FOLDER/{name}")));
        let bytes: Vec<u8> = file
            .extents
            .iter()
            .flat_map(|range| data[range.clone()].to_vec())
            .collect();
        assert_eq!(bytes, content);
        assert_eq!((listing.unread.len(), listing.deviations.len()), (0, 1));
    }

    #[test]
    fn a_cut_volume_and_a_looped_chain_end() {
        let data = volume("a.exe", &[b'x'; 5000]);
        let listing = listed(&data[..data.len() - 2000]);
        assert!(listing.files[0].missing > 1000);
        let mut looped = data.clone();
        // Cluster 4 leads back to 3.
        let at = 512 + 6;
        looped[at] = 3;
        looped[at + 1] &= 0xf0;
        let listing = listed(&looped);
        let total: usize = listing.files[0]
            .extents
            .iter()
            .map(ExactSizeIterator::len)
            .sum();
        assert!(total <= 5000);
    }

    #[test]
    fn other_bytes_are_no_volume() {
        let budget = Budget::new(Limits::default(), None);
        assert_eq!(list(&[0; 600], &budget).unwrap(), None);
        assert_eq!(list(b"short", &budget).unwrap(), None);
    }
}
