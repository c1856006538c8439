//! Installers of NSIS (its sources, `Source/exehead/fileform.h`): the head behind the program, the blocks behind that, and
//! the names that its script gives to files.
//!
//! Left out: the script itself, bzip2 as NSIS changed it, what filters change.

use std::collections::BTreeMap;

use crate::bytes::{index, slice, u16_at, u32_at};

use super::zip::crc32;

/// What the head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Its first byte.
    pub at: usize,
    /// Bytes of the script's tables, decoded.
    pub header: usize,
    /// First byte behind the head.
    pub start: usize,
    /// First byte behind all blocks.
    pub end: usize,
    /// Whether the blocks reach beyond the end.
    pub is_cut: bool,
}

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// Deflate without a head.
    Deflate,
    /// LZMA: five bytes of properties, then the stream.
    Lzma,
    /// LZMA behind a filter for programs.
    Filtered,
    /// bzip2, changed.
    Bzip2,
}

/// The head, wherever it stands from byte `from` on.
pub fn find(data: &[u8], from: usize) -> Option<Head> {
    const MARK: &[u8] = b"\xef\xbe\xad\xdeNullsoftInst";
    let behind = data.get(from..)?;
    let at = memchr::memmem::find(behind, MARK)?.saturating_add(from);
    // Flags stand before the mark.
    let at = at.checked_sub(4)?;
    let start = at.checked_add(28)?;
    let all = index(u32_at(data, at.checked_add(24)?)?);
    let end = at.saturating_add(all);
    Some(Head {
        at,
        header: index(u32_at(data, at.checked_add(20)?)?),
        start,
        end: end.min(data.len()).max(start.min(data.len())),
        is_cut: end > data.len(),
    })
}

/// Whether the checksum holds that stands behind the blocks: over the program but its first 512 bytes, the head and the
/// blocks. It does where none is compared (`FH_FLAGS_NO_CRC`), and where it is cut off.
pub fn checksum_holds(data: &[u8], head: &Head) -> bool {
    const NO_CRC: u32 = 4;
    const FORCE_CRC: u32 = 8;
    const LEFT_OUT: usize = 512;
    let flags = u32_at(data, head.at).unwrap_or_default();
    if head.is_cut || flags & NO_CRC != 0 && flags & FORCE_CRC == 0 {
        return true;
    }
    let Some(at) = head.end.checked_sub(4).filter(|at| *at >= head.start) else {
        return true;
    };
    data.get(LEFT_OUT..at)
        .is_none_or(|summed| u32_at(data, at) == Some(crc32(summed)))
}

/// How the blocks are compressed, and whether all of them are one stream.
pub fn method(blocks: &[u8]) -> (Method, bool) {
    let lzma = |at: usize| {
        let head = slice(blocks, at, 7);
        head.is_some_and(|head| head.starts_with(&[0x5d, 0, 0]) && head.get(5) == Some(&0))
    };
    let filtered =
        |at: usize| blocks.get(at).is_some_and(|flag| *flag <= 1) && lzma(at.saturating_add(1));
    let bzip2 = |at: usize| matches!(slice(blocks, at, 2), Some([0x31, 0..=13]));
    // Properties of LZMA may look like a size.
    if lzma(0) {
        return (Method::Lzma, true);
    }
    if filtered(0) {
        return (Method::Filtered, true);
    }
    let is_packed = blocks.get(3) == Some(&0x80);
    let at = if is_packed { 4 } else { 0 };
    let method = match () {
        () if lzma(at) => Method::Lzma,
        () if filtered(at) => Method::Filtered,
        () if bzip2(at) => Method::Bzip2,
        () => Method::Deflate,
    };
    (method, !is_packed && method_is_certain(method, blocks))
}

/// Deflate of one stream and a size of a table that is stored look alike; small sizes have zeros on top.
fn method_is_certain(method: Method, blocks: &[u8]) -> bool {
    method != Method::Deflate || blocks.get(3) != Some(&0)
}

/// Places of files behind the tables, and the names that the script gives them.
pub fn names(header: &[u8]) -> BTreeMap<usize, String> {
    // Heads of the blocks of tables: where they start, and how many entries they have; wider in 64-bit installers.
    [8usize, 12]
        .into_iter()
        .find_map(|width| {
            let head = |number: usize| {
                let at = 4usize.saturating_add(number.saturating_mul(width));
                let start = u32_at(header, at).map(index)?;
                let count =
                    u32_at(header, at.saturating_add(width).saturating_sub(4)).map(index)?;
                Some((start, count))
            };
            let ((entries, count), (strings, _)) = (head(2)?, head(3)?);
            let fits = entries.checked_add(count.checked_mul(ENTRY)?)? == strings && count > 0;
            fits.then(|| files(header, entries, count, strings))
        })
        .unwrap_or_default()
}

/// Bytes of an entry of the script: what it does, and six parameters.
const ENTRY: usize = 28;

fn files(header: &[u8], entries: usize, count: usize, strings: usize) -> BTreeMap<usize, String> {
    /// EW_EXTRACTFILE.
    const EXTRACT: u32 = 20;
    let texts = header.get(strings..).unwrap_or_default();
    // The first text is empty.
    let is_wide = u16_at(texts, 0) == Some(0);
    let mut names = BTreeMap::new();
    for number in 0..count {
        let at = entries.saturating_add(number.saturating_mul(ENTRY));
        let field = |number: usize| u32_at(header, at.saturating_add(number.saturating_mul(4)));
        let (Some(does), Some(name), Some(place)) = (field(0), field(2), field(3)) else {
            break;
        };
        if does == EXTRACT
            && let Some(name) = text(texts, index(name), is_wide)
        {
            names.entry(index(place)).or_insert(name);
        }
    }
    names
}

/// A text of the script, its variables left out.
fn text(texts: &[u8], number: usize, is_wide: bool) -> Option<String> {
    /// Longest text that is read, in characters.
    const LONGEST: usize = 1024;
    if is_wide {
        let raw = texts.get(number.checked_mul(2)?..)?;
        let mut units = raw
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_le_bytes(*pair));
        let mut out = Vec::new();
        while let Some(unit) = units.next().filter(|unit| *unit != 0)
            && out.len() < LONGEST
        {
            match unit {
                // The number of a variable follows.
                1..=3 | 0xe001..=0xe003 => drop(units.next()),
                4 | 0xe000 => out.extend(units.next()),
                unit => out.push(unit),
            }
        }
        return named(&String::from_utf16_lossy(&out));
    }
    let mut bytes = texts.get(number..)?.iter().copied();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next().filter(|byte| *byte != 0)
        && out.len() < LONGEST
    {
        match byte {
            1..=3 | 0xfd..=0xff => {
                bytes.next();
                bytes.next();
            }
            4 | 0xfc => out.extend(bytes.next()),
            byte => out.push(byte),
        }
    }
    named(&crate::text::name_readings(&out).swap_remove(0))
}

/// A path without what variables left at its front.
fn named(path: &str) -> Option<String> {
    let name = path.trim_start_matches(['\\', '/']).replace('\\', "/");
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Tables of a script that writes one file, whose text is in the ANSI or the Unicode form.
    pub(crate) fn header(name: &str, place: u32, is_wide: bool) -> Vec<u8> {
        let strings = 4 + 8 * 8 + ENTRY;
        let mut out = vec![0; strings];
        for (number, start, count) in [(2, strings - ENTRY, 1u32), (3, strings, 0)] {
            let at = 4 + number * 8;
            out[at..at + 4].copy_from_slice(&u32::try_from(start).unwrap().to_le_bytes());
            out[at + 4..at + 8].copy_from_slice(&count.to_le_bytes());
        }
        let at = strings - ENTRY;
        for (number, value) in [(0, 20u32), (2, 1), (3, place)] {
            out[at + number * 4..at + number * 4 + 4].copy_from_slice(&value.to_le_bytes());
        }
        if is_wide {
            let units = [0u16, 3, 0x8015]
                .into_iter()
                .chain(name.encode_utf16())
                .chain([0]);
            out.extend(units.flat_map(u16::to_le_bytes));
        } else {
            let name = encoding_rs::SHIFT_JIS.encode(name).0;
            out.extend([0, 0xfd, 0x95, 0x80]);
            out.extend_from_slice(&name);
            out.push(0);
        }
        out
    }

    /// What stands behind the program: the head, and everything as one deflated stream or each block by itself.
    pub(crate) fn installer(header: &[u8], files: &[&[u8]], is_solid: bool) -> Vec<u8> {
        let deflated = |data: &[u8]| {
            use std::io::Write as _;
            let mut encoder =
                flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(data).unwrap();
            encoder.finish().unwrap()
        };
        let sized = |data: &[u8], flag: u32| {
            let len = u32::try_from(data.len()).unwrap() | flag;
            [len.to_le_bytes().as_slice(), data].concat()
        };
        let parts = std::iter::once(header).chain(files.iter().copied());
        let blocks: Vec<u8> = if is_solid {
            deflated(&parts.flat_map(|part| sized(part, 0)).collect::<Vec<u8>>())
        } else {
            parts
                .flat_map(|part| sized(&deflated(part), 1 << 31))
                .collect()
        };
        // Without a checksum.
        let mut out = vec![4, 0, 0, 0];
        out.extend(b"\xef\xbe\xad\xdeNullsoftInst");
        out.extend(u32::try_from(header.len()).unwrap().to_le_bytes());
        out.extend(u32::try_from(28 + blocks.len()).unwrap().to_le_bytes());
        out.extend(blocks);
        out
    }

    #[test]
    fn a_checksum_is_compared_where_there_is_one() {
        let blocks = installer(&header("\\a", 0, true), &[b"words"], true);
        let mut data = [vec![7; 600], blocks].concat();
        let sized = data.len() - 600 + 4;
        data[624..628].copy_from_slice(&u32::try_from(sized).unwrap().to_le_bytes());
        data[600] = 0;
        let sum = crc32(&data[512..]);
        data.extend(sum.to_le_bytes());
        let holds = |data: &[u8]| checksum_holds(data, &find(data, 0).unwrap());
        assert!(holds(&data));
        // The first bytes of a program are not summed.
        for (at, expected) in [(5, true), (520, false), (640, false)] {
            let mut other = data.clone();
            other[at] ^= 1;
            assert_eq!(holds(&other), expected, "{at}");
        }
        let mut unsummed = data.clone();
        (unsummed[600], unsummed[640]) = (4, 9);
        assert!(holds(&unsummed));
        unsummed[600] = 12;
        assert!(!holds(&unsummed));
        assert!(holds(&data[..data.len() - 1]));
    }

    #[test]
    fn names_of_both_forms_are_read() {
        for is_wide in [false, true] {
            let found = names(&header("\\見積書.exe", 77, is_wide));
            assert_eq!(found, BTreeMap::from([(77, "見積書.exe".to_owned())]));
        }
        let whole = header("\\見積書.exe", 77, false);
        for len in 0..whole.len() {
            let _ = names(&whole[..len]);
        }
    }

    #[test]
    fn methods_are_told_by_their_first_bytes() {
        let of = |bytes: &[u8]| method(bytes);
        assert_eq!(of(&[0x5d, 0, 0, 0x80, 0, 0, 0x68, 0]), (Method::Lzma, true));
        assert_eq!(
            of(&[9, 1, 0, 0x80, 0x5d, 0, 0, 0x80, 0, 0, 0x68]),
            (Method::Lzma, false)
        );
        assert_eq!(
            of(&[0, 0x5d, 0, 0, 0x80, 0, 0, 0x68, 0]),
            (Method::Filtered, true)
        );
        assert_eq!(
            of(&[9, 1, 0, 0x80, 0x31, 3, 1, 1, 1, 1]),
            (Method::Bzip2, false)
        );
        assert_eq!(
            of(&[9, 1, 0, 0x80, 0xed, 3, 1, 1, 1, 1]),
            (Method::Deflate, false)
        );
        assert_eq!(of(&[0xed, 3, 1, 1, 1, 1]), (Method::Deflate, true));
    }
}
