//! ACE archives (technical information of Marcel Lemke on ACE 1.2): headers only. Nobody publishes how its methods work.

use std::ops::Range;

use super::zip::crc32;
use crate::bytes::{Reader, Short, index};

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<'a> {
    /// Its name, raw.
    pub name: &'a [u8],
    /// Where it lies, as far as it is there.
    pub data: Range<usize>,
    /// Bytes of it that are not there.
    pub missing: usize,
    /// Bytes once decoded.
    pub size: u64,
    /// How it is compressed; 0: not at all.
    pub method: u8,
    /// Whether a password locks it.
    pub locked: bool,
    /// Whether it begins or goes on in another volume.
    pub is_split: bool,
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Checksum of its bytes once decoded.
    pub crc: u32,
}

/// The files of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing<'a> {
    /// They, in order.
    pub files: Vec<File<'a>>,
    /// Where the list ends early, and why.
    pub cut: Option<(usize, String)>,
    /// The first header whose checksum does not hold.
    pub wrong: Option<usize>,
}

/// The checksum of a file: CRC-32 without its last step. That of a header is its lower half.
pub fn checksum(data: &[u8]) -> u32 {
    !crc32(data)
}

/// Reads the headers.
pub fn read(data: &[u8]) -> Listing<'_> {
    let mut listing = Listing::default();
    let mut at = 0;
    // Ends because each turn takes at least the head of a block.
    while at < data.len() {
        match block(data, at) {
            Ok((file, end, holds)) => {
                listing.files.extend(file);
                if !holds {
                    listing.wrong = listing.wrong.or(Some(at));
                }
                at = end;
            }
            Err(short) => {
                listing.cut = Some((at, short.to_string()));
                break;
            }
        }
    }
    listing
}

/// The block at `at`: a file, where it is one, the first byte behind it, and whether its checksum holds.
fn block(data: &[u8], at: usize) -> Result<(Option<File<'_>>, usize, bool), Short> {
    const FILE: u8 = 1;
    let mut reader = Reader::at(data, at);
    let stored = reader.u16("checksum of a header")?;
    let len = usize::from(reader.u16("length of a header")?);
    let start = reader.offset().saturating_add(len);
    let mut header = reader.sub("header", len)?;
    let holds = u32::from(stored) == checksum(header.peek()) & 0xffff;
    let kind = header.u8("type of a header")?;
    let flags = header.u16("flags of a header")?;
    let added = match flags & 1 {
        0 => 0,
        _ => header.u32("length behind a header")?,
    };
    let end = start.saturating_add(index(added));
    let there = start..end.min(data.len());
    if kind != FILE {
        return Ok((None, there.end, holds));
    }
    let size = u64::from(header.u32("size of a file")?);
    header.skip("time", 4)?;
    let attributes = header.u32("attributes")?;
    let crc = header.u32("checksum of a file")?;
    let method = header.u8("method")?;
    header.skip("quality, parameters, reserved", 5)?;
    let name = usize::from(header.u16("length of a name")?);
    let file = File {
        name: header.take("name", name)?,
        missing: end.saturating_sub(there.end),
        data: there,
        size,
        method,
        locked: flags & 0x4000 != 0,
        is_split: flags & 0x3000 != 0,
        is_folder: attributes & 0x10 != 0,
        crc,
    };
    let end = file.data.end;
    Ok((Some(file), end, holds))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An archive of files with their names, methods and bytes.
    pub(crate) fn archive(files: &[(&[u8], u8, &[u8])]) -> Vec<u8> {
        let sized = |body: Vec<u8>| {
            let len = u16::try_from(body.len()).unwrap().to_le_bytes();
            let sum = u16::try_from(checksum(&body) & 0xffff).unwrap();
            [&sum.to_le_bytes(), len.as_slice(), &body].concat()
        };
        let word = |number: u32| number.to_le_bytes();
        let mut main = vec![0, 0, 0];
        main.extend(b"**ACE**\x14\x14\x02\0");
        main.resize(27, 0);
        let mut out = sized(main);
        for (name, method, packed) in files {
            let len = u32::try_from(packed.len()).unwrap().to_le_bytes();
            let mut body = vec![1, 1, 0];
            body.extend(len);
            body.extend(len);
            body.extend([0, 0, 0, 0, 0x20, 0, 0, 0]);
            body.extend(word(checksum(packed)));
            body.extend([*method, 3, 0, 0, 0, 0]);
            body.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            body.extend(*name);
            out.extend(sized(body));
            out.extend(*packed);
        }
        out
    }

    #[test]
    fn files_are_listed_as_far_as_they_are_there() {
        let whole = archive(&[(b"a.exe", 0, b"MZ"), (b"b.txt", 1, b"packed")]);
        let found = read(&whole);
        assert_eq!(found.cut, None);
        let names: Vec<_> = found
            .files
            .iter()
            .map(|file| (file.name, file.method))
            .collect();
        assert_eq!(names, [(b"a.exe".as_slice(), 0), (b"b.txt", 1)]);
        for len in 1..whole.len() {
            let found = read(&whole[..len]);
            let missing = found.files.iter().any(|file| file.missing > 0);
            assert!(
                found.cut.is_some() || missing || found.files.len() < 2,
                "{len}"
            );
        }
    }
}
