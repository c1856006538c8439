//! OneNote revision stores ([MS-ONESTORE]): the files in them, wherever they stand, and the names they go by.
//!
//! Embedded files are found by the marks around them, whether or not a page leads to them: a damaged section gives
//! what it holds all the same.

use std::ops::Range;

use crate::bytes::{index, slice};

/// `guidHeader` of a FileDataStoreObject (2.6.13).
const HEADER: &[u8] = &[
    0xe7, 0x16, 0xe3, 0xbd, 0x65, 0x26, 0x11, 0x45, 0xa4, 0xc4, 0x8d, 0x4d, 0x0b, 0x7a, 0x9e, 0xac,
];

/// `guidFooter` of it.
const FOOTER: &[u8] = &[
    0x22, 0xa7, 0xfb, 0x71, 0x79, 0x0f, 0x0b, 0x4a, 0xbb, 0x13, 0x89, 0x92, 0x56, 0x42, 0x6b, 0x24,
];

/// `guidFileFormat` of a section that is packed for transfer ([MS-ONESTORE] 2.8.1).
const PACKED: &[u8] = &[
    0x2f, 0xe9, 0x8d, 0x63, 0xd4, 0xa6, 0xc1, 0x4b, 0x9a, 0x36, 0xb3, 0xfc, 0x25, 0x11, 0xa5, 0xb7,
];

/// Bytes between the start of the header and the data.
const LEAD: usize = 36;

/// Names found in one section at the most.
const NAMES: usize = 1000;

/// An embedded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub data: Range<usize>,
    /// Whether it claims more bytes than there are.
    pub cut: bool,
}

/// The length that the header tells (2.3.1); one packed for transfer ends with its packaging.
pub fn end(data: &[u8]) -> Option<usize> {
    if is_packed(data) {
        return super::fsshttpb::end(data);
    }
    let end = index(crate::bytes::u64_at(data, 196)?);
    (end > 0).then_some(end)
}

/// The embedded files in order of their places.
pub fn files(data: &[u8]) -> Vec<File> {
    let mut files = Vec::new();
    let ends: Vec<usize> = memchr::memmem::find_iter(data, FOOTER).collect();
    let mut from = 0;
    for at in memchr::memmem::find_iter(data, HEADER) {
        // Inside of a file that was found: the file's own matter.
        if at < from {
            continue;
        }
        let start = at.saturating_add(LEAD);
        let len = slice(data, at.saturating_add(16), 8).and_then(|raw| raw.try_into().ok());
        let (Some(len), true) = (len.map(u64::from_le_bytes), start <= data.len()) else {
            continue;
        };
        let end = start.saturating_add(index(len));
        let cut = end > data.len();
        let end = if cut {
            let next = ends.partition_point(|end| *end < start);
            ends.get(next).copied().unwrap_or(data.len())
        } else {
            end
        };
        from = end;
        files.push(File {
            data: start..end,
            cut,
        });
    }
    files
}

/// Whether the section is in the form that services send, in which files stand without marks.
pub fn is_packed(data: &[u8]) -> bool {
    slice(data, 48, 16) == Some(PACKED)
}

/// What looks like the value of a file name (2.6.7: length, then UTF-16 with its zero), each once, in order.
pub fn names(data: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    // A dot and the first character of an ending, both below 256.
    for at in memchr::memmem::find_iter(data, b".\0") {
        if names.len() >= NAMES {
            break;
        }
        if let Some(name) = name_around(data, at)
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// The name whose last dot stands at `at`.
fn name_around(data: &[u8], at: usize) -> Option<String> {
    /// Longest name and ending in characters.
    const LONGEST: usize = 255;
    const ENDING: usize = 8;
    let behind = data.get(at.checked_add(2)?..)?;
    let pairs = behind.as_chunks::<2>().0;
    let ending = pairs
        .iter()
        .take(ENDING.saturating_add(1))
        .take_while(|[low, high]| *high == 0 && low.is_ascii_alphanumeric())
        .count();
    if !(1..=ENDING).contains(&ending) || pairs.get(ending) != Some(&[0, 0]) {
        return None;
    }
    let end = at.checked_add(2)?.checked_add(ending.checked_mul(2)?)?;
    // The length counts the zero at the end.
    (1..=LONGEST).find_map(|before| {
        let start = at.checked_sub(before.checked_mul(2)?)?;
        let len = slice(data, start.checked_sub(4)?, 4)?;
        let len = index(u64::from(u32::from_le_bytes(len.try_into().ok()?)));
        if len != end.checked_sub(start)?.checked_add(2)? {
            return None;
        }
        let raw = data.get(start..end)?;
        let units: Vec<u16> = raw
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_le_bytes(*pair))
            .collect();
        String::from_utf16(&units)
            .ok()
            .filter(|name| !name.contains(['/', '\\', '\0', ':']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(data: &[u8], claimed: u64) -> Vec<u8> {
        [HEADER, &claimed.to_le_bytes(), &[0; 12], data, FOOTER].concat()
    }

    #[test]
    fn files_are_found_by_their_marks_and_cut_ones_told() {
        let data = [b"head".as_slice(), &file(b"one", 3), &file(b"two", 9999)].concat();
        let found = files(&data);
        let bytes: Vec<&[u8]> = found.iter().map(|file| &data[file.data.clone()]).collect();
        assert_eq!(bytes, [b"one".as_slice(), b"two"]);
        assert_eq!(
            found.iter().map(|file| file.cut).collect::<Vec<_>>(),
            [false, true]
        );
        assert!(files(HEADER).is_empty());
    }

    #[test]
    fn names_are_values_with_their_length() {
        let value = |name: &str| {
            let units: Vec<u8> = name
                .encode_utf16()
                .chain([0])
                .flat_map(u16::to_le_bytes)
                .collect();
            [
                &u32::try_from(units.len()).unwrap().to_le_bytes(),
                units.as_slice(),
            ]
            .concat()
        };
        let data = [
            value("請求書.pdf.js"),
            value("no ending"),
            value("請求書.pdf.js"),
            value("b.txt"),
        ]
        .concat();
        assert_eq!(names(&data), ["請求書.pdf.js", "b.txt"]);
        assert!(names(&b".\0".repeat(1000)).is_empty());
    }
}
