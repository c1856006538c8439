//! Virtual disks of VMware ("Virtual Disk Format 5.0"): sparse extents, packed ones as they stream, those of ESX, and the
//! text that names the extents of a disk.
//!
//! Left out on purpose: the redundant tables, change tracking, the newer sparse form of ESX.

use crate::bytes::{Short, index, length, slice, u16_at, u32_at, u64_at};

use super::grains::{Grain, Map, Packing};

/// Bytes of a sector.
const SECTOR: usize = 512;

/// Sectors of a grain, at the most.
const LARGEST: u64 = 1 << 15;

/// Extents of one disk.
const EXTENTS: usize = 256;

/// Bytes of a description that are read.
const DESCRIPTION: usize = 64 << 10;

/// The header says that the table of tables is described again at the end.
const AT_END: u64 = u64::MAX;

/// Flags of a header: an entry of 1 is a grain of zeros; grains are packed; they stand between markers.
const ZEROED: u32 = 1 << 2;
const PACKED: u32 = 1 << 16;
const MARKED: u32 = 1 << 17;

/// How a description says that the disk builds on none.
const NO_PARENT: &str = "ffffffff";

/// One extent of a disk, as its description names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Its size on the disk, in bytes.
    pub size: usize,
    /// Whether the file is the extent as it is, from this byte on; otherwise it has a map. None: zeros.
    pub flat: Option<usize>,
    /// The file's name; empty for zeros.
    pub file: String,
}

fn short(field: &'static str, offset: usize) -> Short {
    Short::number(field, 8, offset)
}

/// Reads the map of a sparse extent.
pub fn read(data: &[u8]) -> Result<Map, Short> {
    if data.starts_with(b"COWD") {
        return esx(data);
    }
    let flags = u32_at(data, 8).ok_or(short("flags", 8))?;
    let disk = u64_at(data, 12).ok_or(short("capacity", 12))?;
    let grain = u64_at(data, 20).filter(|size| (1..=LARGEST).contains(size));
    let grain = grain.ok_or(short("grain size", 20))?;
    let grain = index(grain).saturating_mul(SECTOR);
    let entries = u32_at(data, 44).filter(|count| (1..=1 << 16).contains(count));
    let entries = index(entries.ok_or(short("entries of a table", 44))?);
    let mut directory = u64_at(data, 56).ok_or(short("grain directory", 56))?;
    if directory == AT_END {
        let footer = data.len().checked_sub(2 * SECTOR);
        let footer = footer.and_then(|at| slice(data, at, SECTOR));
        let footer = footer.filter(|footer| footer.starts_with(b"KDMV"));
        directory = footer.and_then(|footer| u64_at(footer, 56)).unwrap_or(0);
    }
    let sparse = Sparse {
        directory: sectors(directory),
        disk: disk.saturating_mul(length(SECTOR)),
        grain,
        entries,
        is_packed: flags & PACKED != 0 && u16_at(data, 77) == Some(1),
        zeroed: flags & ZEROED != 0,
    };
    let mut map = if directory == 0 && flags & MARKED != 0 {
        let start = u64_at(data, 64).ok_or(short("overhead", 64))?;
        streamed(data, sectors(start), &sparse)
    } else {
        sparse.map(data)
    };
    let at = u64_at(data, 28).map_or(0, sectors);
    if let Some(text) = (at > 0).then(|| data.get(at..)).flatten()
        && is_child(text)
    {
        map.other = Some("differences to another virtual disk".to_owned());
    }
    Ok(map)
}

fn sectors(number: u64) -> usize {
    index(number).saturating_mul(SECTOR)
}

/// What the header of a sparse extent says.
struct Sparse {
    directory: usize,
    disk: u64,
    grain: usize,
    entries: usize,
    is_packed: bool,
    zeroed: bool,
}

impl Sparse {
    /// Walks both levels of tables. Ends because grains are counted.
    fn map(&self, data: &[u8]) -> Map {
        let mut map = Map::default();
        let covered = self.grain.saturating_mul(self.entries);
        let tables = index(self.disk.div_ceil(length(covered).max(1)));
        let entry = |table: usize, number: usize| {
            u32_at(data, table.saturating_add(number.saturating_mul(4)))
        };
        'tables: for number in 0..tables {
            let Some(table) = entry(self.directory, number) else {
                map.push(Grain::stored(self.directory.max(data.len()), 1), data.len());
                break;
            };
            let table = sectors(table.into());
            if table == 0 {
                if !map.push(Grain::zeros(covered), data.len()) {
                    break;
                }
                continue;
            }
            for number in 0..self.entries {
                let Some(found) = entry(table, number) else {
                    map.push(Grain::stored(table.max(data.len()), self.grain), data.len());
                    break;
                };
                if !map.push(self.grain_of(data, found), data.len()) {
                    break 'tables;
                }
            }
        }
        map.trimmed(self.disk)
    }

    fn grain_of(&self, data: &[u8], entry: u32) -> Grain {
        let at = sectors(entry.into());
        match entry {
            0 => Grain::zeros(self.grain),
            1 if self.zeroed => Grain::zeros(self.grain),
            _ if self.is_packed => self.packed(data, at),
            _ => Grain::stored(at, self.grain),
        }
    }

    /// A packed grain has its first sector and its length in front.
    fn packed(&self, data: &[u8], at: usize) -> Grain {
        let len = u32_at(data, at.saturating_add(8)).unwrap_or(0);
        Grain {
            size: self.grain,
            at: Some(at.saturating_add(12)),
            len: index(len),
            packing: Packing::Zlib,
        }
    }
}

/// Walks an extent without a table from marker to marker. Ends because each turn goes on by a sector at least.
fn streamed(data: &[u8], start: usize, sparse: &Sparse) -> Map {
    let mut map = Map::default();
    let mut at = start;
    let mut next = 0u64;
    while let (Some(value), Some(size)) = (u64_at(data, at), u32_at(data, at.saturating_add(8))) {
        if size == 0 {
            let kind = u32_at(data, at.saturating_add(12));
            if kind == Some(0) || kind.is_none() {
                break;
            }
            let skipped = sectors(value.min(1 << 24));
            at = at.saturating_add(SECTOR).saturating_add(skipped);
            continue;
        }
        let place = value.saturating_mul(length(SECTOR));
        if place < next {
            break;
        }
        let gap = index(place.saturating_sub(next));
        let full = gap > 0 && !map.push(Grain::zeros(gap), data.len());
        if full || !map.push(sparse.packed(data, at), data.len()) {
            break;
        }
        next = place.saturating_add(length(sparse.grain));
        let len = index(size).saturating_add(12).next_multiple_of(SECTOR);
        at = at.saturating_add(len);
    }
    map.trimmed(sparse.disk)
}

/// The sparse extents of ESX: tables of 4,096 entries.
fn esx(data: &[u8]) -> Result<Map, Short> {
    let number = |field, at| u32_at(data, at).ok_or(short(field, at));
    let disk = u64::from(number("sectors", 12)?);
    let grain = u64::from(number("grain size", 16)?);
    if !(1..=LARGEST).contains(&grain) {
        return Err(short("grain size", 16));
    }
    let sparse = Sparse {
        directory: sectors(number("grain directory", 20)?.into()),
        disk: disk.saturating_mul(length(SECTOR)),
        grain: sectors(grain),
        entries: 4096,
        is_packed: false,
        zeroed: false,
    };
    Ok(sparse.map(data))
}

fn described(data: &[u8]) -> String {
    let text = data.get(..DESCRIPTION).unwrap_or(data);
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// Whether a description names a disk on which this one builds.
pub fn is_child(data: &[u8]) -> bool {
    let text = described(data);
    let parent = text
        .lines()
        .find_map(|line| line.strip_prefix("parentCID="));
    parent.is_some_and(|id| !id.trim().eq_ignore_ascii_case(NO_PARENT))
}

/// The extents that a description names: access, sectors, type, name, first sector.
pub fn extents(data: &[u8]) -> Vec<Extent> {
    let text = described(data);
    let extent = |line: &str| -> Option<Extent> {
        let mut words = line.trim().splitn(4, ' ');
        if !matches!(words.next()?, "RW" | "RDONLY" | "NOACCESS") {
            return None;
        }
        let size = sectors(words.next()?.parse().ok()?);
        let kind = words.next()?;
        let mut rest = words.next().unwrap_or_default().split('"');
        let file = rest.nth(1).unwrap_or_default().to_owned();
        let first = rest.next().unwrap_or_default().trim().parse().unwrap_or(0);
        Some(match kind {
            "ZERO" => Extent {
                size,
                flat: None,
                file: String::new(),
            },
            "FLAT" | "VMFS" => Extent {
                size,
                flat: Some(sectors(first)),
                file,
            },
            _ => Extent {
                size,
                flat: None,
                file,
            },
        })
    };
    text.lines().filter_map(extent).take(EXTENTS).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::grains::Grains;
    use super::*;

    /// A sparse extent with grains of one sector: zeros, and one that holds something.
    pub(crate) fn sparse(second: &[u8]) -> Vec<u8> {
        let mut out = b"KDMV\x01\0\0\0\x03\0\0\0".to_vec();
        for number in [4u64, 1, 0, 0] {
            out.extend(number.to_le_bytes());
        }
        out.extend(512u32.to_le_bytes());
        for number in [0u64, 1, 6] {
            out.extend(number.to_le_bytes());
        }
        out.resize(SECTOR, 0);
        out.extend(2u32.to_le_bytes());
        out.resize(2 * SECTOR + 4, 0);
        out.extend(6u32.to_le_bytes());
        out.resize(6 * SECTOR, 0);
        out.extend(second);
        out.resize(7 * SECTOR, 0);
        out
    }

    /// An extent whose grains are packed and stand between markers.
    pub(crate) fn stream(grain: &[u8]) -> Vec<u8> {
        let mut out = sparse(b"");
        out[8..12].copy_from_slice(&(3 | PACKED | MARKED).to_le_bytes());
        out[56..64].copy_from_slice(&AT_END.to_le_bytes());
        out[64..72].copy_from_slice(&1u64.to_le_bytes());
        out[77] = 1;
        out.truncate(SECTOR);
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packer, grain).unwrap();
        std::io::Write::write_all(&mut packer, &vec![0; SECTOR - grain.len()]).unwrap();
        let packed = packer.finish().unwrap();
        out.extend(1u64.to_le_bytes());
        out.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        out.extend(packed);
        out.resize(3 * SECTOR, 0);
        out
    }

    fn disk_of(data: &[u8]) -> Vec<u8> {
        let map = read(data).unwrap();
        assert_eq!((map.unread.len(), &map.other), (0, &None));
        let mut out = Vec::new();
        std::io::copy(&mut Grains::new(data, &map.grains), &mut out).unwrap();
        out
    }

    #[test]
    fn sparse_and_streamed_extents_come_out() {
        for data in [sparse(b"second"), stream(b"second")] {
            let out = disk_of(&data);
            assert_eq!(out.len(), 2 * SECTOR);
            assert!(out[SECTOR..].starts_with(b"second\0"));
        }
    }

    #[test]
    fn what_is_cut_and_what_lies_is_told() {
        let data = sparse(b"second");
        assert!(!read(&data[..6 * SECTOR + 9]).unwrap().unread.is_empty());
        assert!(!read(&data[..SECTOR]).unwrap().unread.is_empty());
        let mut lying = data.clone();
        lying[20..28].fill(0xff);
        assert!(read(&lying).is_err());
        let mut huge = data;
        huge[12..20].fill(0xff);
        assert!(read(&huge).unwrap().grains.len() <= super::super::grains::GRAINS);
    }

    #[test]
    fn a_description_names_extents_and_a_parent() {
        let text = b"# Disk DescriptorFile\nCID=1\nparentCID=ffffffff\nRW 4 FLAT \"\xe3\x81\x82 b-flat.vmdk\" 2\n\
                     RW 8 SPARSE \"c.vmdk\"\nRW 1 ZERO\nno extent\n";
        assert!(!is_child(text));
        let found = extents(text);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].file, "あ b-flat.vmdk");
        assert_eq!((found[0].size, found[0].flat), (2048, Some(1024)));
        assert_eq!((found[1].file.as_str(), found[1].flat), ("c.vmdk", None));
        assert_eq!(found[2].file, "");
        assert!(is_child(b"# Disk DescriptorFile\nparentCID=12345678\n"));
    }
}
