//! OneNote sections as services send them ([MS-ONESTORE] 2.8, [MS-FSSHTTPB] 2.2.1): stream objects one behind the other,
//! with the files in objects of their own.
//!
//! Left out: what leads from a page to its files; each is found wherever it stands.

use std::ops::Range;

use crate::bytes::{index, slice, u16_at, u32_at, u64_at};

/// First byte of the packaging, behind the header of the file.
const START: usize = 68;

/// Types of stream objects: a file of its own, and an object that may be a small file.
const BLOB: u32 = 0x02;
const OBJECT: u32 = 0x16;

/// The length that says that a longer one follows.
const LARGE: u32 = 0x7fff;

/// Content of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its bytes, as far as they are there.
    pub data: Range<usize>,
    /// Whether it is a file for certain.
    pub is_file: bool,
    /// Whether it claims more bytes than there are.
    pub cut: bool,
}

/// Content of the objects of a section, in order, and where the objects end early.
pub fn items(data: &[u8]) -> (Vec<Item>, Option<usize>) {
    let mut items = Vec::new();
    let mut at = START;
    // Ends because each turn takes the head or the end of an object.
    while let Some(first) = data.get(at) {
        let head = match first & 3 {
            // The end of an object.
            1 => {
                at = at.saturating_add(1);
                continue;
            }
            3 => {
                at = at.saturating_add(2);
                continue;
            }
            0 => short(data, at),
            _ => long(data, at),
        };
        let Some((kind, start, len)) = head else {
            return (items, Some(at));
        };
        let end = start.saturating_add(len);
        let found = match kind {
            BLOB => item(data, start, true),
            OBJECT => skip_ids(data, start).and_then(|start| item(data, start, false)),
            _ => None,
        };
        items.extend(found);
        if end > data.len() {
            return (items, Some(at));
        }
        at = end;
    }
    (items, None)
}

/// Behind the end of the packaging, which holds all other objects.
pub fn end(data: &[u8]) -> Option<usize> {
    /// The bit of a head that says that objects of its own follow, up to its end.
    const HOLDS: u8 = 4;
    let mut at = START;
    let mut open = 0usize;
    // Ends because each turn takes the head or the end of an object.
    loop {
        let first = data.get(at)?;
        at = match first & 3 {
            1 | 3 => {
                open = open.checked_sub(1)?;
                at.checked_add(usize::from(first & 3).div_ceil(2))?
            }
            kind => {
                let head = if kind == 0 {
                    short(data, at)
                } else {
                    long(data, at)
                };
                let (_, start, len) = head?;
                if first & HOLDS != 0 {
                    open = open.checked_add(1)?;
                }
                start.checked_add(len)?
            }
        };
        if open == 0 {
            return (at <= data.len()).then_some(at);
        }
    }
}

/// The head of 16 bits: type, first byte, length.
fn short(data: &[u8], at: usize) -> Option<(u32, usize, usize)> {
    let head = u16_at(data, at)?;
    let kind = u32::from(head >> 3 & 0x3f);
    Some((kind, at.checked_add(2)?, usize::from(head >> 9)))
}

/// The head of 32 bits.
fn long(data: &[u8], at: usize) -> Option<(u32, usize, usize)> {
    let head = u32_at(data, at)?;
    let kind = head >> 3 & 0x3fff;
    let start = at.checked_add(4)?;
    match head >> 17 {
        LARGE => {
            let (len, start) = number(data, start)?;
            Some((kind, start, index(len)))
        }
        len => Some((kind, start, index(len))),
    }
}

/// A compact number (2.2.1.1) and the first byte behind it.
fn number(data: &[u8], at: usize) -> Option<(u64, usize)> {
    let first = *data.get(at)?;
    let zeros = first.trailing_zeros();
    match zeros {
        8 => Some((0, at.checked_add(1)?)),
        7 => Some((u64_at(data, at.checked_add(1)?)?, at.checked_add(9)?)),
        zeros => {
            let width = index(zeros).saturating_add(1);
            let raw = slice(data, at, width)?;
            let whole = raw
                .iter()
                .rev()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
            Some((whole >> width, at.checked_add(width)?))
        }
    }
}

/// A length and so many bytes (2.2.1.3).
fn item(data: &[u8], at: usize, is_file: bool) -> Option<Item> {
    let (len, start) = number(data, at)?;
    let end = start.saturating_add(index(len));
    Some(Item {
        data: start.min(data.len())..end.min(data.len()),
        is_file,
        cut: end > data.len(),
    })
}

/// Passes over the arrays of ids in front of the content of an object (2.2.1.8, 2.2.1.11).
fn skip_ids(data: &[u8], at: usize) -> Option<usize> {
    /// Ids of one object at the most.
    const IDS: u64 = 1 << 16;
    let (count, at) = number(data, at)?;
    let mut at = (0..count.min(IDS)).try_fold(at, |at, _| skip_id(data, at))?;
    let (cells, behind) = number(data, at)?;
    at = behind;
    (0..cells.min(IDS).saturating_mul(2)).try_fold(at, |at, _| skip_id(data, at))
}

/// Passes over an extended id (2.2.1.7).
fn skip_id(data: &[u8], at: usize) -> Option<usize> {
    let first = *data.get(at)?;
    let len = match first {
        0 => 1usize,
        first if first & 7 == 4 => 17,
        first if first & 63 == 32 => 18,
        first if first & 127 == 64 => 19,
        128 => 21,
        _ => return None,
    };
    at.checked_add(len).filter(|end| *end <= data.len())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn compact(number: usize) -> Vec<u8> {
        // Four bytes: 28 bits.
        u32::try_from(number << 4 | 8)
            .unwrap()
            .to_le_bytes()
            .to_vec()
    }

    fn object(kind: u32, content: &[u8]) -> Vec<u8> {
        let mut out = (2 | kind << 3 | LARGE << 17).to_le_bytes().to_vec();
        out.extend(compact(content.len()));
        out.extend(content);
        out
    }

    /// A section with a name and files, the first of them in an object of its own, the others inside of objects.
    pub(crate) fn section(name: &str, files: &[&[u8]]) -> Vec<u8> {
        let mut out = vec![
            0xe4, 0x52, 0x5c, 0x7b, 0x8c, 0xd8, 0xa7, 0x4d, 0xae, 0xb1, 0x53, 0x78, 0xd0, 0x29,
            0x96, 0xd3,
        ];
        out.resize(48, 0);
        out.extend([
            0x2f, 0xe9, 0x8d, 0x63, 0xd4, 0xa6, 0xc1, 0x4b, 0x9a, 0x36, 0xb3, 0xfc, 0x25, 0x11,
            0xa5, 0xb7,
        ]);
        out.extend([0; 4]);
        // The start of the packaging: an object that is not closed before the end, with an id and a schema.
        out.extend((2u32 | 4 | 0x7a << 3 | 33 << 17).to_le_bytes());
        out.push(4);
        out.extend([9; 32]);
        let units: Vec<u8> = name
            .encode_utf16()
            .chain([0])
            .flat_map(u16::to_le_bytes)
            .collect();
        let text = [
            u32::try_from(units.len()).unwrap().to_le_bytes().as_slice(),
            &units,
        ]
        .concat();
        let inside = |content: &[u8]| {
            let id = [&[4u8][..], &[7; 16]].concat();
            [&[3], id.as_slice(), &[0], &compact(content.len()), content].concat()
        };
        out.extend(object(OBJECT, &inside(&text)));
        for (at, file) in files.iter().enumerate() {
            let mut object = match at {
                0 => object(BLOB, &[&compact(file.len()), *file].concat()),
                _ => object(OBJECT, &inside(file)),
            };
            // With objects of its own, of which there are none.
            object[0] |= 4;
            out.extend(object);
            out.push(1);
        }
        out.extend([0xd7, 3]);
        out
    }

    #[test]
    fn content_of_objects_is_found_and_what_is_cut_told() {
        let whole = section("請求書.js", &[b"the first", b"the second"]);
        let (found, cut) = items(&whole);
        let bytes: Vec<_> = found
            .iter()
            .map(|item| (&whole[item.data.clone()], item.is_file))
            .collect();
        assert_eq!(
            bytes[1..],
            [(b"the first".as_slice(), true), (b"the second", false)]
        );
        assert_eq!(cut, None);
        let (_, cut) = items(&whole[..whole.len() - 9]);
        assert!(cut.is_some());
        for len in 0..whole.len() {
            let _ = items(&whole[..len]);
        }
    }

    #[test]
    fn compact_numbers_are_as_long_as_they_say() {
        assert_eq!(number(&[0], 0), Some((0, 1)));
        assert_eq!(number(&[0xff], 0), Some((127, 1)));
        assert_eq!(number(&[0x06, 0x01], 0), Some((0x41, 2)));
        assert_eq!(number(&[0x80, 1, 0, 0, 0, 0, 0, 0, 0], 0), Some((1, 9)));
        assert_eq!(number(&[0x80, 1], 0), None);
    }
}
