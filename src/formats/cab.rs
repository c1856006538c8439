//! Cabinets ([MS-CAB]): headers, folders and files. Decoding is the caller's.

use crate::bytes::{Reader, Short, index};

/// `cbCFHeader` and the others are there.
const RESERVE: u16 = 4;

/// The cabinet goes on from another one, or in another one.
const PREVIOUS: u16 = 1;
const NEXT: u16 = 2;

/// A cabinet's directory.
#[derive(Debug, Clone, Default)]
pub struct Cabinet<'a> {
    /// The folders: streams that files lie in.
    pub folders: Vec<Folder>,
    /// The files in order.
    pub files: Vec<File<'a>>,
    /// Bytes of application data before each block's data.
    pub block_reserve: usize,
    /// The set it belongs to, and its number in that.
    pub set: (u16, u16),
    /// What ended the reading of the file list early.
    pub cut: Option<String>,
}

/// One folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// First byte of its first block.
    pub start: usize,
    /// Number of its blocks.
    pub blocks: u16,
    /// How they are compressed.
    pub method: Method,
}

/// How blocks are compressed (CFFOLDER.typeCompress).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Stored,
    /// MSZIP.
    MsZip,
    /// Quantum with a window of this power of two.
    Quantum(u8),
    /// LZX with a window of this power of two.
    Lzx(u8),
    /// None of them.
    Other(u16),
}

/// Where a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this folder.
    Folder(usize),
    /// It begins in the cabinet before.
    Before,
    /// It goes on in the next cabinet; the folder here is the last.
    Behind,
    /// Both: the folder here is the only one.
    Through,
}

impl Place {
    /// Whether it begins in the cabinet before.
    pub fn begins_before(self) -> bool {
        matches!(self, Self::Before | Self::Through)
    }

    /// Whether it goes on in the next cabinet.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Behind | Self::Through)
    }
}

impl Cabinet<'_> {
    /// Whether its first folder begins in the cabinet before.
    pub fn is_continued(&self) -> bool {
        self.files.iter().any(|file| file.place.begins_before())
    }

    /// Whether its last folder goes on in the next cabinet.
    pub fn goes_on(&self) -> bool {
        self.files.iter().any(|file| file.place.goes_on())
    }
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<'a> {
    /// Its name, raw.
    pub name: &'a [u8],
    /// Whether the name is UTF-8.
    pub is_utf8: bool,
    /// Its length in bytes.
    pub size: u32,
    /// Its first byte in the folder.
    pub offset: u32,
    /// Where it lies.
    pub place: Place,
}

/// One block of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// Compressed bytes.
    pub data: &'a [u8],
    /// Bytes once decoded; 0 where it goes on in the next cabinet.
    pub size: u16,
    /// First byte behind it.
    pub end: usize,
    /// Whether it has a checksum that does not hold.
    pub is_wrong: bool,
}

/// Reads the directory.
///
/// # Errors
/// The header or the folders do not fit into the data.
pub fn read(data: &[u8]) -> Result<Cabinet<'_>, Short> {
    let mut reader = Reader::new(data);
    reader.skip("signature, reserved, size, reserved", 16)?;
    let files_at = reader.u32("offset of the files")?;
    reader.skip("reserved, version", 6)?;
    let folders = reader.u16("number of folders")?;
    let files = reader.u16("number of files")?;
    let flags = reader.u16("flags")?;
    let set = (reader.u16("set")?, reader.u16("number in the set")?);
    let mut cabinet = Cabinet {
        set,
        ..Cabinet::default()
    };
    let (mut header_reserve, mut folder_reserve) = (0, 0);
    if flags & RESERVE != 0 {
        header_reserve = reader.u16("reserve of the header")?;
        folder_reserve = reader.u8("reserve of a folder")?;
        cabinet.block_reserve = usize::from(reader.u8("reserve of a block")?);
    }
    reader.skip("reserve of the header", usize::from(header_reserve))?;
    for flag in [PREVIOUS, NEXT] {
        if flags & flag != 0 {
            zero_ended(&mut reader)?;
            zero_ended(&mut reader)?;
        }
    }
    for _ in 0..folders {
        let start = index(u64::from(reader.u32("offset of a folder")?));
        let blocks = reader.u16("blocks of a folder")?;
        let method = method(reader.u16("compression of a folder")?);
        reader.skip("reserve of a folder", usize::from(folder_reserve))?;
        cabinet.folders.push(Folder {
            start,
            blocks,
            method,
        });
    }
    let mut reader = Reader::at(data, index(u64::from(files_at)));
    for _ in 0..files {
        match file(&mut reader) {
            Ok(file) => cabinet.files.push(file),
            Err(short) => {
                cabinet.cut = Some(short.to_string());
                break;
            }
        }
    }
    Ok(cabinet)
}

fn file<'a>(reader: &mut Reader<'a>) -> Result<File<'a>, Short> {
    let size = reader.u32("size of a file")?;
    let offset = reader.u32("offset of a file")?;
    let place = match reader.u16("folder of a file")? {
        0xfffd => Place::Before,
        0xffff => Place::Through,
        0xfffe => Place::Behind,
        folder => Place::Folder(usize::from(folder)),
    };
    reader.skip("date, time", 4)?;
    let attributes = reader.u16("attributes of a file")?;
    Ok(File {
        name: zero_ended(reader)?,
        is_utf8: attributes & 0x80 != 0,
        size,
        offset,
        place,
    })
}

fn method(number: u16) -> Method {
    let parameter = u8::try_from((number >> 8) & 0x1f).unwrap_or_default();
    match number & 0x0f {
        0 => Method::Stored,
        1 => Method::MsZip,
        2 => Method::Quantum(parameter),
        3 => Method::Lzx(parameter),
        _ => Method::Other(number),
    }
}

/// The block at `at`.
///
/// # Errors
/// It does not fit into the data.
pub fn block<'a>(data: &'a [u8], at: usize, reserve: usize) -> Result<Block<'a>, Short> {
    let mut reader = Reader::at(data, at);
    let stored = reader.u32("checksum of a block")?;
    let packed = reader.u16("compressed size of a block")?;
    let size = reader.u16("size of a block")?;
    reader.skip("reserve of a block", reserve)?;
    let data = reader.take("block", usize::from(packed))?;
    // Readers differ on whether the reserve counts, and zero is none.
    let is_checked = stored != 0 && reserve == 0;
    let sizes = u32::from(size) << 16 | u32::from(packed);
    Ok(Block {
        data,
        size,
        end: reader.offset(),
        is_wrong: is_checked && checksum(data) ^ sizes != stored,
    })
}

/// The checksum of the data of a block ([MS-CAB] section 3.1): its words by exclusive or, what is left from the most
/// significant byte on.
pub fn checksum(data: &[u8]) -> u32 {
    let (words, rest) = data.as_chunks::<4>();
    let sum = words
        .iter()
        .fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
    let rest = rest
        .iter()
        .fold(0, |word, byte| word << 8 | u32::from(*byte));
    sum ^ rest
}

fn zero_ended<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    /// Longest name (CFFILE.szName).
    const LONGEST: usize = 1024;
    let rest = reader.peek();
    let len = memchr::memchr(0, rest.get(..LONGEST).unwrap_or(rest)).unwrap_or(rest.len());
    let text = reader.take("name", len)?;
    reader.skip("end of a name", 1)?;
    Ok(text)
}
