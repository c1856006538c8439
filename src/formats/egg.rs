//! EGG archives (ALZip; "EGG Specification" of ESTsoft): headers one behind the other, each file in blocks.
//!
//! Left out: volumes, solid archives, AZO and LZMA.

use std::ops::Range;

use super::alz::Method;
use crate::bytes::{Reader, Short, index};

/// Marks of headers and fields.
const ARCHIVE: u32 = 0x4147_4745;
const FILE: u32 = 0x0a85_90e3;
const BLOCK: u32 = 0x02b5_0c13;
const NAME: u32 = 0x0a85_91ac;
const ENCRYPTION: u32 = 0x08d1_470f;
const SOLID: u32 = 0x24e5_a060;
const SPLIT: u32 = 0x24f5_a262;
const END: u32 = 0x08e2_8222;

/// One block of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// How it is compressed.
    pub method: Method,
    /// Where it lies, as far as it is there.
    pub data: Range<usize>,
    /// Bytes of it that are not there.
    pub missing: usize,
    /// Bytes once decoded.
    pub size: u64,
    /// CRC-32 of them.
    pub crc: u32,
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct File<'a> {
    /// Its name, raw.
    pub name: &'a [u8],
    /// Whether the name is in the code page of its writer; UTF-8 where not.
    pub is_local: bool,
    /// Bytes once decoded, as it says.
    pub size: u64,
    /// Whether a password locks it.
    pub locked: bool,
    /// Its blocks.
    pub blocks: Vec<Block>,
}

/// The files of an archive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing<'a> {
    /// They, in order.
    pub files: Vec<File<'a>>,
    /// All files are one stream.
    pub is_solid: bool,
    /// The archive is in several volumes.
    pub is_split: bool,
    /// Where the list ends early, and why.
    pub cut: Option<(usize, String)>,
}

/// Reads the headers.
pub fn read(data: &[u8]) -> Listing<'_> {
    let mut listing = Listing::default();
    let mut at = 0;
    // Ends because each turn takes a mark.
    while at < data.len() {
        match next(data, at, &mut listing) {
            Ok(Some(behind)) => at = behind,
            Ok(None) => {
                listing.cut = Some((at, "no header that is known".to_owned()));
                break;
            }
            Err(short) => {
                listing.cut = Some((at, short.to_string()));
                break;
            }
        }
    }
    listing
}

/// Reads one header or field; gives the first byte behind it.
fn next<'a>(data: &'a [u8], at: usize, listing: &mut Listing<'a>) -> Result<Option<usize>, Short> {
    let mut reader = Reader::at(data, at);
    match reader.u32("mark of a header")? {
        ARCHIVE => reader.skip("version, id, reserved", 10)?,
        END => {}
        FILE => {
            reader.skip("number of a file", 4)?;
            let size = reader.u64("size of a file")?;
            listing.files.push(File {
                size,
                ..File::default()
            });
        }
        BLOCK => {
            let block = block(&mut reader, data)?;
            let end = block.data.end;
            if let Some(file) = listing.files.last_mut() {
                file.blocks.push(block);
            }
            return Ok(Some(end));
        }
        mark => {
            let flags = reader.u8("flags of a field")?;
            let len = match flags & 1 {
                0 => usize::from(reader.u16("length of a field")?),
                _ => index(reader.u32("length of a field")?),
            };
            let mut field = reader.sub("field", len)?;
            match mark {
                SOLID => listing.is_solid = true,
                SPLIT => listing.is_split = true,
                ENCRYPTION => {
                    if let Some(file) = listing.files.last_mut() {
                        file.locked = true;
                    }
                }
                NAME => {
                    if flags & 8 != 0 {
                        field.skip("code page", 2)?;
                    }
                    if flags & 16 != 0 {
                        field.skip("folder", 4)?;
                    }
                    if let Some(file) = listing.files.last_mut() {
                        file.name = field.rest();
                        file.is_local = flags & 8 != 0;
                        file.locked |= flags & 4 != 0;
                    }
                }
                // Comments, times, attributes, and what is not known: all have their length.
                _ if at == 0 => return Ok(None),
                _ => {}
            }
        }
    }
    Ok(Some(reader.offset()))
}

fn block(reader: &mut Reader<'_>, data: &[u8]) -> Result<Block, Short> {
    let method = match reader.u8("method")? {
        0 => Method::Stored,
        1 => Method::Deflate,
        2 => Method::Bzip2,
        other => Method::Other(other),
    };
    reader.skip("hint", 1)?;
    let size = u64::from(reader.u32("size of a block")?);
    let packed = reader.u32("compressed size of a block")?;
    let crc = reader.u32("checksum")?;
    // Fields may stand before the end of the header; each has its length.
    loop {
        match reader.u32("end of the header of a block")? {
            END => break,
            _ => {
                let flags = reader.u8("flags of a field")?;
                let len = match flags & 1 {
                    0 => usize::from(reader.u16("length of a field")?),
                    _ => index(reader.u32("length of a field")?),
                };
                reader.skip("field", len)?;
            }
        }
    }
    let start = reader.offset();
    let end = start.saturating_add(index(packed));
    Ok(Block {
        method,
        data: start..end.min(data.len()),
        missing: end.saturating_sub(data.len()),
        size,
        crc,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An archive of files with their names, methods and bytes, each in one block.
    pub(crate) fn archive(files: &[(&str, u8, &[u8], usize)]) -> Vec<u8> {
        let word = |number: u32| number.to_le_bytes();
        let mut out = b"EGGA\0\x01".to_vec();
        out.extend([7; 4]);
        out.extend([0; 4]);
        out.extend(word(END));
        for (number, (name, method, packed, size)) in (0u32..).zip(files) {
            out.extend(word(FILE));
            out.extend(word(number));
            out.extend(u64::try_from(*size).unwrap().to_le_bytes());
            out.extend(word(NAME));
            out.push(0);
            out.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
            out.extend(name.bytes());
            out.extend(word(END));
            out.extend(word(BLOCK));
            out.extend([*method, 0]);
            out.extend(word(u32::try_from(*size).unwrap()));
            out.extend(word(u32::try_from(packed.len()).unwrap()));
            out.extend(crate::formats::alz::tests::checksum(*method == 1, packed));
            out.extend(word(END));
            out.extend_from_slice(packed);
        }
        out.extend(word(END));
        out
    }

    #[test]
    fn files_have_names_and_blocks() {
        let whole = archive(&[("견적서.exe", 0, b"MZ", 2), ("b.txt", 3, b"x", 9)]);
        let found = read(&whole);
        assert_eq!(found.cut, None);
        let names: Vec<_> = found
            .files
            .iter()
            .map(|file| String::from_utf8_lossy(file.name))
            .collect();
        assert_eq!(names, ["견적서.exe", "b.txt"]);
        assert_eq!(&whole[found.files[0].blocks[0].data.clone()], b"MZ");
        assert_eq!(found.files[1].blocks[0].method, Method::Other(3));
        for len in 0..whole.len() {
            let _ = read(&whole[..len]);
        }
    }
}
