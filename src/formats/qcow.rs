//! Virtual disks of QEMU: QCOW version 1, 2 and 3 ("qcow2" in the interoperability documents of QEMU) and QED.
//!
//! Left out on purpose: snapshots, bitmaps, reference counts. A backing file, an external data file, clusters in parts and
//! encryption are told.

use crate::bytes::{Short, be32_at, be64_at, index, length, u32_at, u64_at};

use super::grains::{Grain, LARGEST, Map, Packing};

/// Bits of a cluster's size, at the least and at the most.
const BITS: std::ops::RangeInclusive<u32> = 9..=22;

/// Where the table of tables and its entries lie, and how an entry is read.
struct Tables {
    first: usize,
    count: usize,
    /// Entries of a table of the second level.
    entries: usize,
    /// Size of a cluster.
    cluster: usize,
    disk: u64,
}

fn short(field: &'static str, offset: usize) -> Short {
    Short::number(field, 8, offset)
}

/// Reads the map of a disk of any of these forms.
pub fn read(data: &[u8]) -> Result<Map, Short> {
    if data.starts_with(b"QED\0") {
        return qed(data);
    }
    match be32_at(data, 4) {
        Some(1) => first_version(data),
        _ => later_version(data),
    }
}

fn later_version(data: &[u8]) -> Result<Map, Short> {
    let bits = be32_at(data, 20).filter(|bits| BITS.contains(bits));
    let bits = bits.ok_or(short("cluster bits", 20))?;
    let disk = be64_at(data, 24).ok_or(short("size", 24))?;
    let count = be32_at(data, 36).ok_or(short("size of the first table", 36))?;
    let first = be64_at(data, 40).ok_or(short("first table", 40))?;
    let is_third = be32_at(data, 4) >= Some(3);
    let features = is_third.then(|| be64_at(data, 72)).flatten().unwrap_or(0);
    let packing = match (features & 8 != 0, data.get(104)) {
        (true, Some(1)) => Packing::Zstd,
        _ => Packing::Deflate,
    };
    let cluster = 1usize << bits;
    // Entries of twice the size tell of parts of clusters.
    let entry = if features & 16 != 0 { 16 } else { 8 };
    let tables = Tables {
        first: index(first),
        count: index(count),
        entries: cluster / entry,
        cluster,
        disk,
    };
    let offset_bits = 62u32.saturating_sub(bits.saturating_sub(8));
    let cluster_of = |number: u64| -> Grain {
        if number & (1 << 62) != 0 {
            let at = index(number & ((1u64 << offset_bits) - 1));
            let sectors = (number & ((1u64 << 62) - 1)) >> offset_bits;
            let end = index(sectors).saturating_add(1).saturating_mul(512);
            return Grain {
                size: cluster,
                at: Some(at),
                len: end.saturating_sub(at % 512),
                packing,
            };
        }
        let at = index(number & 0x00ff_ffff_ffff_fe00);
        let zeros = is_third && entry == 8 && number & 1 != 0;
        match at {
            0 => Grain::zeros(cluster),
            _ if zeros => Grain::zeros(cluster),
            at => Grain::stored(at, cluster),
        }
    };
    let table_at = |number: u64| index(number & 0x00ff_ffff_ffff_fe00);
    let mut map = gathered(data, &tables, entry, be64_at, table_at, cluster_of);
    let crypt = be32_at(data, 32).unwrap_or(0);
    map.other = match crypt {
        1.. => Some("encrypted virtual disk".to_owned()),
        0 if features & 4 != 0 => Some("virtual disk whose data is in another file".to_owned()),
        0 if be64_at(data, 8).is_some_and(|at| at > 0) => Some(BACKED.to_owned()),
        0 if features & 16 != 0 => Some("virtual disk with clusters in parts".to_owned()),
        0 => None,
    };
    Ok(map)
}

/// What a disk says that only holds differences.
const BACKED: &str = "differences to another virtual disk";

fn first_version(data: &[u8]) -> Result<Map, Short> {
    let disk = be64_at(data, 24).ok_or(short("size", 24))?;
    let bits = data.get(32).copied().map(u32::from);
    let bits = bits.filter(|bits| BITS.contains(bits));
    let bits = bits.ok_or(short("cluster bits", 32))?;
    let second = data.get(33).copied().filter(|bits| (6..=16).contains(bits));
    let second = second.ok_or(short("bits of the second table", 33))?;
    let first = be64_at(data, 40).ok_or(short("first table", 40))?;
    let cluster = 1usize << bits;
    let entries = 1usize << second;
    let covered = length(cluster).saturating_mul(length(entries));
    let tables = Tables {
        first: index(first),
        count: index(disk.div_ceil(covered.max(1))),
        entries,
        cluster,
        disk,
    };
    let offset_bits = 63u32.saturating_sub(bits);
    let cluster_of = |number: u64| -> Grain {
        if number >> 63 != 0 {
            let number = number & (u64::MAX >> 1);
            return Grain {
                size: cluster,
                at: Some(index(number & ((1u64 << offset_bits) - 1))),
                len: index(number >> offset_bits),
                packing: Packing::Deflate,
            };
        }
        match index(number) {
            0 => Grain::zeros(cluster),
            at => Grain::stored(at, cluster),
        }
    };
    let mut map = gathered(data, &tables, 8, be64_at, index, cluster_of);
    if be32_at(data, 36).is_some_and(|method| method > 0) {
        map.other = Some("encrypted virtual disk".to_owned());
    } else if be64_at(data, 8).is_some_and(|at| at > 0) {
        map.other = Some(BACKED.to_owned());
    }
    Ok(map)
}

fn qed(data: &[u8]) -> Result<Map, Short> {
    let cluster = u32_at(data, 4).map(index);
    let cluster = cluster.filter(|size| size.is_power_of_two() && (4096..=LARGEST).contains(size));
    let cluster = cluster.ok_or(short("cluster size", 4))?;
    let size = u32_at(data, 8).map(index);
    let size = size.filter(|size| (1..=16).contains(size));
    let size = size.ok_or(short("table size", 8))?;
    let entries = size.saturating_mul(cluster) / 8;
    let first = u64_at(data, 40).ok_or(short("first table", 40))?;
    let disk = u64_at(data, 48).ok_or(short("size", 48))?;
    let tables = Tables {
        first: index(first),
        count: entries,
        entries,
        cluster,
        disk,
    };
    let cluster_of = |number: u64| match number {
        0 | 1 => Grain::zeros(cluster),
        at => Grain::stored(index(at), cluster),
    };
    let mut map = gathered(data, &tables, 8, u64_at, index, cluster_of);
    if u64_at(data, 16).is_some_and(|features| features & 1 != 0) {
        map.other = Some(BACKED.to_owned());
    }
    Ok(map)
}

/// Walks the tables of both levels. Ends because grains are counted; a table that is not there is one grain of zeros.
fn gathered(
    data: &[u8],
    tables: &Tables,
    entry: usize,
    number_at: fn(&[u8], usize) -> Option<u64>,
    table_at: impl Fn(u64) -> usize,
    grain_of: impl Fn(u64) -> Grain,
) -> Map {
    let mut map = Map::default();
    let covered = tables.cluster.saturating_mul(tables.entries);
    let needed = tables.disk.div_ceil(length(covered).max(1));
    'tables: for number in 0..tables.count.min(index(needed)) {
        let at = tables.first.saturating_add(number.saturating_mul(8));
        let Some(second) = number_at(data, at) else {
            map.push(Grain::stored(at.max(data.len()), 1), data.len());
            break;
        };
        let second = table_at(second);
        if second == 0 {
            if !map.push(Grain::zeros(covered), data.len()) {
                break;
            }
            continue;
        }
        for number in 0..tables.entries {
            let at = second.saturating_add(number.saturating_mul(entry));
            let Some(found) = number_at(data, at) else {
                map.push(
                    Grain::stored(at.max(data.len()), tables.cluster),
                    data.len(),
                );
                break;
            };
            if !map.push(grain_of(found), data.len()) {
                break 'tables;
            }
        }
    }
    map.trimmed(tables.disk)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::grains::Grains;
    use super::*;

    /// A disk of version 2 with clusters of 512 bytes: zeros, one that lies as it is, one that is packed.
    pub(crate) fn disk(second: &[u8], third: &[u8]) -> Vec<u8> {
        let mut out = b"QFI\xfb\0\0\0\x02".to_vec();
        out.resize(20, 0);
        out.extend(9u32.to_be_bytes());
        out.extend(2048u64.to_be_bytes());
        out.extend([0; 4]);
        out.extend(1u32.to_be_bytes());
        out.extend(512u64.to_be_bytes());
        out.resize(512, 0);
        out.extend((1024u64 | (1 << 63)).to_be_bytes());
        out.resize(1024 + 8, 0);
        out.extend((1536u64 | (1 << 63)).to_be_bytes());
        out.extend(((2048u64 + 16) | (1 << 62)).to_be_bytes());
        out.resize(1536, 0);
        out.extend(second);
        out.resize(2048 + 16, 0);
        let mut packer = flate2::write::DeflateEncoder::new(out, flate2::Compression::best());
        std::io::Write::write_all(&mut packer, third).unwrap();
        std::io::Write::write_all(&mut packer, &vec![0; 512 - third.len()]).unwrap();
        let mut out = packer.finish().unwrap();
        out.resize(2560, 0);
        out
    }

    #[test]
    fn clusters_come_out_where_the_tables_say() {
        let data = disk(b"second", b"third");
        let map = read(&data).unwrap();
        assert_eq!((map.unread.len(), &map.other), (0, &None));
        let mut out = Vec::new();
        let mut reader = Grains::new(&data, &map.grains);
        std::io::copy(&mut reader, &mut out).unwrap();
        assert_eq!(reader.broken, None);
        assert_eq!(out.len(), 1536);
        assert!(out[512..].starts_with(b"second\0"));
        assert!(out[1024..].starts_with(b"third\0"));
    }

    #[test]
    fn what_is_cut_lies_or_stands_elsewhere_is_told() {
        let data = disk(b"second", b"third");
        assert!(!read(&data[..1600]).unwrap().unread.is_empty());
        assert!(!read(&data[..1028]).unwrap().unread.is_empty());
        assert!(!read(&data[..512]).unwrap().unread.is_empty());
        let mut lying = data.clone();
        lying[23] = 40;
        assert!(read(&lying).is_err());
        let mut huge = data.clone();
        huge[24] = 0xff;
        huge[36] = 0xff;
        assert!(read(&huge).unwrap().grains.len() <= super::super::grains::GRAINS);
        let mut backed = data;
        backed[15] = 1;
        assert_eq!(read(&backed).unwrap().other.as_deref(), Some(BACKED));
    }
}
