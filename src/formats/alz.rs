//! ALZ archives (ALZip; no specification is published, the layout is as the project unalz describes it).
//!
//! Left out: volumes, the bzip2 that ALZip changed.

use std::ops::Range;

use crate::bytes::{Reader, Short, index};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// Deflate.
    Deflate,
    /// bzip2.
    Bzip2,
    /// None of them: its number.
    Other(u8),
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<'a> {
    /// Its name, raw.
    pub name: &'a [u8],
    /// How it is compressed.
    pub method: Method,
    /// Where it lies, as far as it is there.
    pub data: Range<usize>,
    /// Bytes of it that are not there.
    pub missing: usize,
    /// Bytes once decoded.
    pub size: u64,
    /// Whether a password locks it.
    pub locked: bool,
    /// CRC-32 of its bytes once decoded.
    pub crc: u32,
}

/// The files of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing<'a> {
    /// They, in order.
    pub files: Vec<File<'a>>,
    /// Where the list ends early, and why.
    pub cut: Option<(usize, String)>,
}

/// What a header starts with: a file, the directory, the end.
const FILE: &[u8; 4] = b"BLZ\x01";
const DIRECTORY: &[u8; 4] = b"CLZ\x01";
const END: &[u8; 4] = b"CLZ\x02";

/// Reads the headers.
pub fn read(data: &[u8]) -> Listing<'_> {
    let mut listing = Listing::default();
    // The mark of the archive, and four bytes of its version.
    let mut reader = Reader::at(data, 8);
    // Ends because each turn takes a mark.
    while !reader.is_empty() {
        let at = reader.offset();
        match reader.array::<4>("mark of a header") {
            Ok(mark) if mark == *FILE => {}
            Ok(mark) if mark == *DIRECTORY || mark == *END => return listing,
            Ok(_) => {
                listing.cut = Some((at, "no header of a file".to_owned()));
                return listing;
            }
            Err(short) => {
                listing.cut = Some((at, short.to_string()));
                return listing;
            }
        }
        match file(&mut reader, data) {
            Ok(file) => {
                reader = Reader::at(data, file.data.end);
                listing.files.push(file);
            }
            Err(short) => {
                listing.cut = Some((at, short.to_string()));
                return listing;
            }
        }
    }
    listing.cut = Some((data.len(), "the end is missing".to_owned()));
    listing
}

fn file<'a>(reader: &mut Reader<'a>, data: &[u8]) -> Result<File<'a>, Short> {
    /// Bytes of the head of what a password locks.
    const LOCK: usize = 12;
    let len = reader.u16("length of a name")?;
    reader.skip("attributes, time", 5)?;
    let flags = reader.u8("flags")?;
    reader.skip("reserved", 1)?;
    let (mut method, mut crc, mut packed, mut size) = (Method::Stored, 0, 0u64, 0u64);
    let width = usize::from(flags >> 4).min(8);
    if width > 0 {
        method = match reader.u8("method")? {
            0 => Method::Stored,
            1 => Method::Bzip2,
            2 => Method::Deflate,
            other => Method::Other(other),
        };
        reader.skip("reserved", 1)?;
        crc = reader.u32("checksum")?;
        packed = number(reader.take("compressed size", width)?);
        size = number(reader.take("size", width)?);
    }
    let name = reader.take("name", usize::from(len))?;
    let locked = flags & 1 != 0;
    if locked {
        reader.skip("head of a locked file", LOCK)?;
    }
    let start = reader.offset();
    let end = start.saturating_add(index(packed));
    Ok(File {
        name,
        method,
        data: start..end.min(data.len()),
        missing: end.saturating_sub(data.len()),
        size,
        locked,
        crc,
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// CRC-32 of what is packed, from lower bits to higher.
    pub(crate) fn checksum(is_deflated: bool, packed: &[u8]) -> [u8; 4] {
        let mut content = packed.to_vec();
        if is_deflated {
            let mut out = Vec::new();
            let mut decoder = flate2::read::DeflateDecoder::new(packed);
            #[expect(clippy::disallowed_methods, reason = "it is the test's own")]
            let decoded = std::io::Read::read_to_end(&mut decoder, &mut out);
            decoded.unwrap();
            content = out;
        }
        crate::formats::zip::crc32(&content).to_le_bytes()
    }

    /// An archive of files with their names in EUC-KR, methods and bytes.
    pub(crate) fn archive(files: &[(&str, u8, &[u8], usize)]) -> Vec<u8> {
        let mut out = b"ALZ\x01\x0a\0\0\0".to_vec();
        for (name, method, packed, size) in files {
            let (name, _, _) = encoding_rs::EUC_KR.encode(name);
            out.extend(FILE);
            out.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            out.extend([0x20, 0, 0, 0, 0, 0x40, 0, *method, 0]);
            out.extend(checksum(*method == 2, packed));
            out.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
            out.extend(u32::try_from(*size).unwrap().to_le_bytes());
            out.extend_from_slice(&name);
            out.extend_from_slice(packed);
        }
        out.extend(DIRECTORY);
        out.extend([0; 12]);
        out.extend(END);
        out
    }

    #[test]
    fn files_are_listed_and_what_is_cut_is_told() {
        let whole = archive(&[("견적서.exe", 0, b"MZ", 2), ("b.txt", 2, b"\x03\0", 0)]);
        let found = read(&whole);
        assert_eq!((found.files.len(), &found.cut), (2, &None));
        assert_eq!(
            (found.files[1].name, found.files[1].method),
            (b"b.txt".as_slice(), Method::Deflate)
        );
        let end = whole.len() - 20;
        for len in 8..end {
            let found = read(&whole[..len]);
            let missing = found.files.iter().any(|file| file.missing > 0);
            assert!(found.cut.is_some() || missing, "{len}");
        }
    }
}
