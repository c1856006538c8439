//! UDF (ECMA-167, OSTA UDF 1.02 to 2.60): the files of the volumes that Windows mounts.
//!
//! Partition maps of type 1, sparable and metadata ones are followed; a virtual one (recordable discs) is told as
//! unread. Left out on purpose: times, owners, named streams, checksums of descriptors.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;

use encoding_rs::UTF_16BE;

use crate::bytes::{index, length, slice, u16_at, u32_at, u64_at};
use crate::limits::{Budget, Halt};

use super::disk::{ENTRIES, File, Listing, Path, cut};

/// The name of the tree.
const TREE: &str = "UDF";

/// Block sizes that are tried, the usual one of discs first.
const BLOCKS: [usize; 3] = [2048, 512, 4096];

/// Descriptors of a sequence, and extents of a file, at the most.
const DESCRIPTORS: u32 = 64;
const EXTENTS: usize = 65_536;

/// How often the bytes of an image may be gone through for all folders together: above it they share them.
const OVERLAP: usize = 4;

/// Tags of descriptors (ECMA-167 3/7.2, 4/7.2).
const ANCHOR: u16 = 2;
const PARTITION: u16 = 5;
const LOGICAL_VOLUME: u16 = 6;
const TERMINATOR: u16 = 8;
const FILE_SET: u16 = 256;
const FILE_IDENTIFIER: u16 = 257;
const FILE_ENTRY: u16 = 261;
const EXTENDED_FILE_ENTRY: u16 = 266;

/// A volume: where its partitions start, in blocks.
struct Volume<'a> {
    data: &'a [u8],
    block: usize,
    /// Number and first block of each partition.
    partitions: Vec<(u16, u32)>,
    /// First block of what each partition map stands for; for metadata, the extents of its file.
    maps: Vec<Map>,
    file_set: (u32, u16),
    /// Descriptors of extents that may still be read for all files together.
    extents: Cell<usize>,
}

#[derive(Clone)]
enum Map {
    Plain(u32),
    /// Extents, each behind its first byte in the file.
    Metadata(Vec<(usize, Range<usize>)>),
    Unknown,
}

impl Map {
    fn metadata(extents: Vec<Range<usize>>) -> Self {
        let from = extents.into_iter().scan(0usize, |next, range| {
            let from = *next;
            *next = from.saturating_add(range.len());
            Some((from, range))
        });
        Self::Metadata(from.collect())
    }
}

/// A file's own descriptor.
struct Entry<'a> {
    is_folder: bool,
    size: u64,
    extents: Vec<Range<usize>>,
    inline: Option<Range<usize>>,
    data: &'a [u8],
}

/// Names of one file that are kept.
const NAMES: usize = 64;

/// Lists every file; none where there is no volume. Fails out of time only.
pub fn list(data: &[u8], budget: &Budget) -> Result<Option<Listing>, Halt> {
    let mut listing = Listing::default();
    let Some(volume) = BLOCKS
        .into_iter()
        .find_map(|block| Volume::read(data, block, &mut listing))
    else {
        return Ok(None);
    };
    let root = volume
        .at(volume.file_set)
        .filter(|set| u16_at(set, 0) == Some(FILE_SET))
        .and_then(|set| address(set, 400));
    let Some(root) = root else {
        listing.miss(0, "UDF: no file set descriptor where the volume says");
        return Ok(Some(listing));
    };
    let mut waiting = vec![(root, Path::Text(String::new()))];
    // With the number of the file, where it is one.
    let mut seen: BTreeMap<(u32, u16), Option<usize>> = BTreeMap::new();
    let mut folders = 0usize;
    // Ends because a descriptor is entered once.
    while let Some((place, path)) = waiting.pop() {
        budget.tick()?;
        if let Some(known) = seen.get(&place) {
            let file = known.and_then(|number| listing.files.get_mut(number));
            if let Some(file) = file.filter(|file| file.paths.len() < NAMES) {
                file.paths.push(path);
            }
            continue;
        }
        seen.insert(place, None);
        let Some(entry) = volume.entry(place, &mut listing) else {
            let name = format!("UDF: {}: its file entry cannot be read", shown(&path));
            listing.miss(index(place.0).saturating_mul(volume.block), name);
            continue;
        };
        if entry.is_folder {
            let mut bytes = Vec::new();
            for range in entry.ranges() {
                budget.tick()?;
                bytes.extend_from_slice(data.get(range).unwrap_or_default());
                // Extents of a lying folder may overlap.
                if bytes.len() > data.len() {
                    break;
                }
            }
            bytes.truncate(index(entry.size));
            folders = folders.saturating_add(bytes.len());
            listing.full |= folders > data.len().saturating_mul(OVERLAP);
            identifiers(&bytes, &path, &mut waiting, &mut listing, budget)?;
        } else {
            let extents = entry.ranges();
            let there: usize = extents.iter().map(ExactSizeIterator::len).sum();
            seen.insert(place, Some(listing.files.len()));
            listing.files.push(File {
                paths: vec![path],
                extents,
                missing: entry.size.saturating_sub(length(there)),
                tree: TREE,
            });
        }
        listing.full |= listing.files.len() >= ENTRIES || waiting.len() >= ENTRIES;
        if listing.full {
            break;
        }
    }
    Ok(Some(listing))
}

fn shown(path: &Path) -> String {
    match path {
        Path::Text(text) => text.clone(),
        Path::Raw(_) => String::new(),
    }
}

/// The block and partition of a long_ad (4/14.14.2) at an offset.
fn address(data: &[u8], at: usize) -> Option<(u32, u16)> {
    let block = u32_at(data, at.checked_add(4)?)?;
    Some((block, u16_at(data, at.checked_add(8)?)?))
}

/// The file identifiers of a folder (4/14.4).
fn identifiers(
    bytes: &[u8],
    path: &Path,
    waiting: &mut Vec<((u32, u16), Path)>,
    listing: &mut Listing,
    budget: &Budget,
) -> Result<(), Halt> {
    const FIXED: usize = 38;
    const DELETED: u8 = 1 << 2;
    const PARENT: u8 = 1 << 3;
    let mut at = 0usize;
    // Ends because each round goes forward.
    while let Some(raw) = bytes.get(at..).filter(|raw| raw.len() >= FIXED) {
        budget.tick()?;
        if u16_at(raw, 0) != Some(FILE_IDENTIFIER) {
            if raw.iter().any(|byte| *byte != 0) {
                listing.miss(at, format!("UDF: {}: folder breaks off", shown(path)));
            }
            break;
        }
        let flags = raw.get(18).copied().unwrap_or(0);
        let name_len = usize::from(raw.get(19).copied().unwrap_or(0));
        let use_len = usize::from(u16_at(raw, 36).unwrap_or(0));
        let name_at = FIXED.saturating_add(use_len);
        let name = slice(raw, name_at, name_len).map(compressed_unicode);
        if let (Some(name), Some(place)) = (name, address(raw, 20))
            && flags & (DELETED | PARENT) == 0
        {
            waiting.push((place, path.join(&Path::Text(name))));
        }
        at = at.saturating_add(name_at.saturating_add(name_len).next_multiple_of(4));
    }
    Ok(())
}

/// A name in OSTA Compressed Unicode (UDF 2.1.1).
fn compressed_unicode(raw: &[u8]) -> String {
    match raw.split_first() {
        Some((16 | 255, rest)) => UTF_16BE.decode_without_bom_handling(rest).0.into_owned(),
        Some((_, rest)) => rest.iter().map(|byte| char::from(*byte)).collect(),
        None => String::new(),
    }
}

impl<'a> Volume<'a> {
    fn read(data: &'a [u8], block: usize, listing: &mut Listing) -> Option<Self> {
        let last = (data.len() / block).checked_sub(1)?;
        let anchors = [256, last, last.saturating_sub(256), 512];
        let tagged = |number: usize| {
            let bytes = slice(data, number.checked_mul(block)?, 512)?;
            let own = index(u32_at(bytes, 12)?) == number;
            (u16_at(bytes, 0) == Some(ANCHOR) && own).then_some(bytes)
        };
        let anchor = anchors.into_iter().find_map(tagged)?;
        let mut volume = Self {
            data,
            block,
            partitions: Vec::new(),
            maps: Vec::new(),
            file_set: (0, 0),
            // No descriptor is shorter than eight bytes: what has more of them goes through the same ones again.
            extents: Cell::new((data.len() / 8).saturating_add(EXTENTS)),
        };
        let mut logical = None;
        // The main sequence, then the reserve one.
        for at in [16, 24] {
            let (Some(len), Some(start)) = (u32_at(anchor, at), u32_at(anchor, at + 4)) else {
                continue;
            };
            let blocks = (len / u32::try_from(block).ok()?).min(DESCRIPTORS);
            for number in 0..blocks {
                let place = index(start.saturating_add(number)).saturating_mul(block);
                let Some(descriptor) = slice(data, place, block.min(4096)) else {
                    break;
                };
                match u16_at(descriptor, 0) {
                    Some(PARTITION) => {
                        let number = u16_at(descriptor, 22)?;
                        let start = u32_at(descriptor, 188)?;
                        volume.partitions.push((number, start));
                    }
                    Some(LOGICAL_VOLUME) => logical = logical.or(Some(descriptor)),
                    Some(TERMINATOR) | None => break,
                    Some(_) => {}
                }
            }
        }
        let Some(logical) = logical else {
            listing.miss(0, "UDF: no logical volume descriptor");
            return None;
        };
        volume.file_set = address(logical, 248)?;
        volume.read_maps(logical, listing);
        Some(volume)
    }

    /// The partition maps behind a logical volume descriptor (3/10.7, UDF 2.2.8 to 2.2.10).
    fn read_maps(&mut self, logical: &'a [u8], listing: &mut Listing) {
        let count = u32_at(logical, 268).unwrap_or(0).min(16);
        let mut at = 440usize;
        for _ in 0..count {
            let Some(map) = logical.get(at..) else { break };
            let (Some(&kind), Some(&len)) = (map.first(), map.get(1)) else {
                break;
            };
            let number = match kind {
                1 => u16_at(map, 4),
                _ => u16_at(map, 38),
            };
            let start = self
                .partitions
                .iter()
                .find(|(known, _)| Some(*known) == number)
                .map(|(_, start)| *start);
            let name = slice(map, 5, 23).unwrap_or_default();
            let map = match (kind, start) {
                (_, None) => Map::Unknown,
                (1, Some(start)) => Map::Plain(start),
                (_, Some(start)) if name.starts_with(b"*UDF Metadata") => {
                    let place = u32_at(map, 40).unwrap_or(0);
                    self.maps.push(Map::Plain(start));
                    let own = u16::try_from(self.maps.len().saturating_sub(1)).unwrap_or(0);
                    let file = self.entry((place, own), listing);
                    self.maps.pop();
                    file.map_or(Map::Unknown, |file| Map::metadata(file.ranges()))
                }
                (_, Some(start)) if name.starts_with(b"*UDF Sparable") => Map::Plain(start),
                (_, Some(_)) => {
                    listing.miss(at, "UDF: virtual partition of a recordable disc");
                    Map::Unknown
                }
            };
            self.maps.push(map);
            at = at.saturating_add(usize::from(len).max(6));
        }
    }

    /// Where a block of a partition lies in the image.
    fn offset(&self, (block, map): (u32, u16)) -> Option<usize> {
        match self.maps.get(usize::from(map))? {
            Map::Plain(start) => index(start.checked_add(block)?).checked_mul(self.block),
            Map::Metadata(extents) => {
                let wanted = index(block).checked_mul(self.block)?;
                let behind = extents.partition_point(|(from, _)| *from <= wanted);
                let (from, range) = extents.get(behind.checked_sub(1)?)?;
                let at = wanted.checked_sub(*from).filter(|at| *at < range.len())?;
                range.start.checked_add(at)
            }
            Map::Unknown => None,
        }
    }

    fn at(&self, place: (u32, u16)) -> Option<&'a [u8]> {
        slice(self.data, self.offset(place)?, self.block)
    }

    /// The descriptor of a file (4/14.9, 4/14.17) with the extents of its bytes.
    fn entry(&self, place: (u32, u16), listing: &mut Listing) -> Option<Entry<'a>> {
        let base = self.offset(place)?;
        let raw = slice(self.data, base, self.block)?;
        let (sizes, fixed) = match u16_at(raw, 0)? {
            FILE_ENTRY => (168usize, 176usize),
            EXTENDED_FILE_ENTRY => (208, 216),
            _ => return None,
        };
        let attributes = index(u32_at(raw, sizes)?);
        let len = index(u32_at(raw, sizes.checked_add(4)?)?);
        let start = fixed.checked_add(attributes)?;
        let descriptors = slice(raw, start, len)?;
        let mut entry = Entry {
            is_folder: raw.get(27) == Some(&4),
            size: u64_at(raw, 56)?,
            extents: Vec::new(),
            inline: None,
            data: self.data,
        };
        let form = u16_at(raw, 34)? & 7;
        if form == 3 {
            let from = base.checked_add(start)?;
            entry.inline = Some(from..from.checked_add(len)?);
        } else {
            self.allocations(descriptors, form, place.1, &mut entry, listing);
        }
        Some(entry)
    }

    /// Allocation descriptors (4/14.14), and the extents in which they go on.
    fn allocations(
        &self,
        descriptors: &[u8],
        form: u16,
        map: u16,
        entry: &mut Entry<'_>,
        listing: &mut Listing,
    ) {
        let size = match form {
            0 => 8usize,
            1 => 16,
            _ => return listing.miss(0, "UDF: extended allocation descriptors"),
        };
        let mut left = entry.size;
        let mut list = descriptors.to_vec();
        let mut at = 0usize;
        // Ends because extents are counted.
        for _ in 0..EXTENTS {
            let Some(all) = self.extents.get().checked_sub(1) else {
                listing.full = true;
                break;
            };
            self.extents.set(all);
            let Some(raw) = slice(&list, at, size) else {
                break;
            };
            at = at.saturating_add(size);
            let (Some(field), Some(block)) = (u32_at(raw, 0), u32_at(raw, 4)) else {
                break;
            };
            let map = if form == 1 {
                u16_at(raw, 8).unwrap_or(map)
            } else {
                map
            };
            let (kind, len) = (field >> 30, u64::from(field & 0x3fff_ffff));
            if len == 0 {
                break;
            }
            if kind == 3 {
                // What follows stands behind a descriptor of 24 bytes in another block.
                let Some(next) = self.at((block, map)) else {
                    break;
                };
                let len = u32_at(next, 20).map_or(0, index);
                list = slice(next, 24, len.min(self.block.saturating_sub(24)))
                    .unwrap_or_default()
                    .to_vec();
                at = 0;
                continue;
            }
            let take = len.min(left);
            left = left.saturating_sub(take);
            // Extents that are not recorded read as zeros: nothing to look at.
            if kind == 0
                && take > 0
                && let Some(from) = self.offset((block, map))
            {
                let (range, _) = cut(length(from), take, self.data.len());
                entry.extents.push(range);
            }
        }
    }
}

impl Entry<'_> {
    /// Where the bytes lie, as far as they are there.
    fn ranges(&self) -> Vec<Range<usize>> {
        match &self.inline {
            Some(range) => {
                let end = range.start.saturating_add(index(self.size)).min(range.end);
                let there = range.start..end.min(self.data.len());
                std::iter::once(there).collect()
            }
            None => self.extents.clone(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::Limits;

    const BLOCK: usize = 2048;
    /// First block of the partition.
    const START: u32 = 300;

    fn put(image: &mut Vec<u8>, block: u32, bytes: &[u8]) {
        let at = usize::try_from(block).unwrap() * BLOCK;
        image.resize(image.len().max(at + BLOCK), 0);
        image[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn tag(id: u16, number: u32, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        out[..2].copy_from_slice(&id.to_le_bytes());
        out[12..16].copy_from_slice(&number.to_le_bytes());
        out
    }

    fn write(out: &mut [u8], at: usize, number: u32) {
        out[at..at + 4].copy_from_slice(&number.to_le_bytes());
    }

    fn entry(kind: u8, size: usize, block: u32) -> Vec<u8> {
        let mut out = tag(FILE_ENTRY, 0, BLOCK);
        out[27] = kind;
        write(&mut out, 56, u32::try_from(size).unwrap());
        write(&mut out, 172, 8);
        write(&mut out, 176, u32::try_from(size).unwrap());
        write(&mut out, 180, block);
        out
    }

    fn identifier(name: &str, block: u32) -> Vec<u8> {
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let mut out = tag(FILE_IDENTIFIER, 0, 38);
        out[19] = u8::try_from(units.len() + 1).unwrap();
        write(&mut out, 24, block);
        out.push(16);
        out.extend(units);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    /// A volume of one file, and a folder that is the root again.
    pub(crate) fn image(name: &str, data: &[u8]) -> Vec<u8> {
        image_of(&[name], data)
    }

    /// The same of files that share their data.
    pub(crate) fn image_of(names: &[&str], data: &[u8]) -> Vec<u8> {
        let mut image = Vec::new();
        for (number, id) in ["BEA01", "NSR02", "TEA01"].iter().enumerate() {
            let at = u32::try_from(16 + number).unwrap();
            put(&mut image, at, &[b"\0", id.as_bytes()].concat());
        }
        let mut anchor = tag(ANCHOR, 256, 512);
        write(&mut anchor, 16, u32::try_from(4 * BLOCK).unwrap());
        write(&mut anchor, 20, 32);
        put(&mut image, 256, &anchor);
        let mut partition = tag(PARTITION, 32, 512);
        write(&mut partition, 188, START);
        put(&mut image, 32, &partition);
        let mut logical = tag(LOGICAL_VOLUME, 33, 512);
        write(&mut logical, 268, 1);
        logical[440..442].copy_from_slice(&[1, 6]);
        put(&mut image, 33, &logical);
        put(&mut image, 34, &tag(TERMINATOR, 34, 512));
        let mut set = tag(FILE_SET, 0, 512);
        write(&mut set, 404, 1);
        put(&mut image, START, &set);
        let files = (3u32..).zip(names).map(|(at, name)| identifier(name, at));
        let list = files.chain([identifier("again", 1)]).collect::<Vec<_>>();
        let list = list.concat();
        put(&mut image, START + 1, &entry(4, list.len(), 2));
        put(&mut image, START + 2, &list);
        let first = 3 + u32::try_from(names.len()).unwrap();
        for at in 3..first {
            put(&mut image, START + at, &entry(5, data.len(), first));
        }
        for (at, part) in (START + first..).zip(data.chunks(BLOCK)) {
            put(&mut image, at, part);
        }
        image
    }

    fn listed(data: &[u8]) -> Option<Listing> {
        list(data, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn files_are_listed_and_a_folder_in_itself_ends() {
        let data = image("見積書.exe", &[b'x'; 5000]);
        let listing = listed(&data).unwrap();
        assert_eq!(listing.unread, []);
        let file = &listing.files[0];
        assert_eq!(file.paths, [Path::Text("見積書.exe".to_owned())]);
        let total: usize = file.extents.iter().map(ExactSizeIterator::len).sum();
        assert_eq!((total, file.missing), (5000, 0));
    }

    #[test]
    fn a_file_of_several_names_has_them_all() {
        let mut data = image_of(&["readme.txt", "見積書.bat"], b"content");
        // Both lead to the entry of the first.
        let list = (usize::try_from(START).unwrap() + 2) * BLOCK;
        let second = list + identifier("readme.txt", 3).len();
        data[second + 24] = 3;
        let listing = listed(&data).unwrap();
        let mut names: Vec<String> = listing.files[0].paths.iter().map(shown).collect();
        names.sort();
        assert_eq!(names, ["readme.txt", "見積書.bat"]);
        assert_eq!(listing.files.len(), 1);
    }

    #[test]
    fn files_that_share_a_list_of_extents_end_at_a_ceiling() {
        let names: Vec<String> = (0..20).map(|at| format!("file {at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut data = image_of(&names, b"words");
        let block = |number: u32| usize::try_from(START + number).unwrap() * BLOCK;
        // The list goes on in a block whose last descriptor leads to it again.
        let list: u32 = 3 + 20;
        for at in 3..list {
            write(&mut data, block(at) + 56, u32::MAX);
            write(&mut data, block(at) + 176, 3 << 30 | 2048);
            write(&mut data, block(at) + 180, list);
        }
        let start = block(list);
        data.resize(start + BLOCK, 0);
        write(&mut data, start + 20, 2024);
        for at in 0..253 {
            let (kind, len) = if at == 252 { (3 << 30, 2048) } else { (0, 1) };
            write(&mut data, start + 24 + 8 * at, kind | len);
            write(&mut data, start + 28 + 8 * at, list);
        }
        let listing = listed(&data).unwrap();
        let extents: usize = listing.files.iter().map(|file| file.extents.len()).sum();
        assert!(listing.full && extents > EXTENTS, "{extents}");
        assert!(extents < data.len() / 8 + EXTENTS, "{extents}");
    }

    #[test]
    fn a_cut_volume_says_what_is_missing_and_other_bytes_are_none() {
        let data = image("a.txt", &[b'x'; 5000]);
        let listing = listed(&data[..data.len() - BLOCK]).unwrap();
        assert!(listing.files[0].missing > 0);
        let start = usize::try_from(START).unwrap() * BLOCK;
        assert!(!listed(&data[..start]).unwrap().unread.is_empty());
        assert_eq!(listed(&[0; 4096]), None);
    }
}
