//! Virtual disks with one table of blocks: those of VirtualBox (VDI 1.1) and of Parallels ("Parallels Expandable Image
//! File Format" in the documents of QEMU).
//!
//! Left out on purpose: version 0 of VDI, bitmaps and format extensions of Parallels. Differences to another disk are told.

use crate::bytes::{Short, index, length, u32_at, u64_at};

use super::grains::{Grain, LARGEST, Map};

/// Bytes of a sector.
const SECTOR: usize = 512;

/// Where the signature of VDI stands.
const MARK: usize = 64;

fn short(field: &'static str, offset: usize) -> Short {
    Short::number(field, 4, offset)
}

/// Whether it is a disk of VirtualBox.
pub fn is_vdi(data: &[u8]) -> bool {
    u32_at(data, MARK) == Some(0xbeda_107f)
}

/// Whether it is a disk of Parallels.
pub fn is_parallels(data: &[u8]) -> bool {
    data.starts_with(b"WithoutFreeSpace") || data.starts_with(b"WithouFreSpacExt")
}

/// Reads the map of a disk of either form.
pub fn read(data: &[u8]) -> Result<Map, Short> {
    if is_parallels(data) {
        return parallels(data);
    }
    let number = |field, at| u32_at(data, at).ok_or(short(field, at));
    if number("version", 68)? >> 16 != 1 {
        return Err(short("version", 68));
    }
    let kind = number("type", 76)?;
    let table = index(number("blocks", 340)?);
    let start = index(number("data", 344)?);
    let disk = u64_at(data, 368).ok_or(short("size", 368))?;
    let block = index(number("block size", 376)?);
    if !(SECTOR..=LARGEST).contains(&block) {
        return Err(short("block size", 376));
    }
    let extra = index(number("extra of a block", 380)?);
    let count = index(number("number of blocks", 384)?);
    let step = block.saturating_add(extra);
    let grain = |entry: u32| match entry {
        0xffff_fffe.. => Grain::zeros(block),
        entry => {
            let at = index(entry).saturating_mul(step).saturating_add(extra);
            Grain::stored(start.saturating_add(at), block)
        }
    };
    let mut map = gathered(data, table, count, block, grain).trimmed(disk);
    if matches!(kind, 3 | 4) {
        map.other = Some("differences to another virtual disk".to_owned());
    }
    Ok(map)
}

fn parallels(data: &[u8]) -> Result<Map, Short> {
    let number = |field, at| u32_at(data, at).ok_or(short(field, at));
    let tracks = index(number("sectors of a block", 28)?);
    let block = tracks.saturating_mul(SECTOR);
    if !(SECTOR..=LARGEST).contains(&block) {
        return Err(short("sectors of a block", 28));
    }
    let count = index(number("entries", 32)?);
    let disk = u64_at(data, 36).ok_or(short("size", 36))?;
    // The older form counts sectors, the newer one blocks.
    let unit = match data.starts_with(b"WithouFreSpacExt") {
        true => block,
        false => SECTOR,
    };
    let grain = |entry: u32| match entry {
        0 => Grain::zeros(block),
        entry => Grain::stored(index(entry).saturating_mul(unit), block),
    };
    let map = gathered(data, MARK, count, block, grain);
    Ok(map.trimmed(disk.saturating_mul(length(SECTOR))))
}

/// Blocks by a table of numbers. Ends because grains are counted.
fn gathered(
    data: &[u8],
    table: usize,
    count: usize,
    block: usize,
    grain: impl Fn(u32) -> Grain,
) -> Map {
    let mut map = Map::default();
    for number in 0..count {
        let at = table.saturating_add(number.saturating_mul(4));
        let Some(entry) = u32_at(data, at) else {
            map.push(Grain::stored(at.max(data.len()), block), data.len());
            break;
        };
        if !map.push(grain(entry), data.len()) {
            break;
        }
    }
    map
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::grains::Grains;
    use super::*;

    /// A disk of blocks of 512 bytes, the first of which is zeros.
    pub(crate) fn disk(second: &[u8]) -> Vec<u8> {
        let mut out = b"<<< a disk >>>\n".to_vec();
        out.resize(MARK, 0);
        for number in [0xbeda_107f_u32, 0x0001_0001, 400, 1] {
            out.extend(number.to_le_bytes());
        }
        out.resize(340, 0);
        out.extend(512u32.to_le_bytes());
        out.extend(1024u32.to_le_bytes());
        out.resize(368, 0);
        out.extend(1500u64.to_le_bytes());
        for number in [512u32, 0, 3, 1] {
            out.extend(number.to_le_bytes());
        }
        out.resize(512, 0);
        for number in [u32::MAX, 0, u32::MAX - 1] {
            out.extend(number.to_le_bytes());
        }
        out.resize(1024, 0);
        out.extend(second);
        out.resize(1536, 0);
        out
    }

    /// One of Parallels, in its older form.
    fn expandable(second: &[u8]) -> Vec<u8> {
        let mut out = b"WithoutFreeSpace".to_vec();
        for number in [2u32, 1, 1, 1, 2, 2, 0] {
            out.extend(number.to_le_bytes());
        }
        out.resize(MARK + 4, 0);
        out.extend(2u32.to_le_bytes());
        out.resize(1024, 0);
        out.extend(second);
        out.resize(1536, 0);
        out
    }

    #[test]
    fn blocks_come_out_where_the_table_says() {
        for data in [disk(b"second"), expandable(b"second")] {
            let map = read(&data).unwrap();
            assert_eq!((map.unread.len(), &map.other), (0, &None));
            let mut out = Vec::new();
            std::io::copy(&mut Grains::new(&data, &map.grains), &mut out).unwrap();
            assert_eq!(out.len(), 1024);
            assert!(out[512..].starts_with(b"second\0"));
        }
    }

    #[test]
    fn what_is_cut_lies_or_stands_elsewhere_is_told() {
        let data = disk(b"second");
        assert!(!read(&data[..1100]).unwrap().unread.is_empty());
        assert!(!read(&data[..514]).unwrap().unread.is_empty());
        assert!(read(&data[..300]).is_err());
        let mut lying = data.clone();
        lying[376..380].fill(0xff);
        assert!(read(&lying).is_err());
        let mut huge = data.clone();
        huge[384..388].fill(0xff);
        assert!(read(&huge).unwrap().grains.len() <= super::super::grains::GRAINS);
        let mut child = data;
        child[76] = 4;
        assert!(read(&child).unwrap().other.is_some());
    }
}
