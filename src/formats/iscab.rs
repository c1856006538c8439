//! Cabinets of InstallShield: the header, which lists files and says in which volume they lie, and their data. No
//! specification is published; the layout is as open tools describe it.
//!
//! Left out: components and groups of files, checksums.

use std::io::{Error, ErrorKind, Read};
use std::ops::Range;

use crate::bytes::{index, length, slice, u16_at, u32_at};

/// What a header and every volume start with.
pub const MAGIC: &[u8; 4] = b"ISc(";

/// Bytes of a description of a file since version 6.
const FILE: usize = 0x57;

/// Files of one cabinet that are read.
const FILES: usize = 100_000;

/// Bits of a description.
const SPLIT: u16 = 1;
const OBFUSCATED: u16 = 2;
const COMPRESSED: u16 = 4;
const INVALID: u16 = 8;

/// The file is another one's copy.
const PREVIOUS: u8 = 1;

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path, raw; in UTF-16, decoded, where `is_wide`.
    pub name: Vec<u8>,
    /// Whether the name is text in UTF-8.
    pub is_wide: bool,
    /// Its bytes once decoded, and as they are kept.
    pub size: u64,
    /// Its bytes in the volumes.
    pub packed: u64,
    number: u32,
    flags: u16,
    at: u64,
    /// Number of the volume in which it starts, from 1.
    pub volume: usize,
}

/// What a header lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Files that hold anything.
    pub files: Vec<File>,
    /// Whether descriptions were missing.
    pub is_cut: bool,
}

/// Whether it is a header, and not a volume whose header is elsewhere.
pub fn is_header(data: &[u8]) -> bool {
    data.starts_with(MAGIC) && u32_at(data, 16).is_some_and(|size| size > 0)
}

fn version(data: &[u8]) -> u32 {
    let number = u32_at(data, 4).unwrap_or_default();
    match number >> 24 {
        1 => number >> 12 & 0xf,
        _ => (number & 0xffff) / 100,
    }
}

/// Lists the files of a header.
pub fn list(data: &[u8]) -> Listing {
    let mut listing = Listing::default();
    let start = index(u32_at(data, 12).unwrap_or_default());
    let word = |at: usize| u32_at(data, start.saturating_add(at)).map(index);
    let (Some(table), Some(folders), Some(count), Some(behind)) =
        (word(0x0c), word(0x1c), word(0x28), word(0x2c))
    else {
        listing.is_cut = true;
        return listing;
    };
    let table = start.saturating_add(table);
    let version = version(data);
    let text = |offset: u32| -> Option<(Vec<u8>, bool)> {
        let rest = data.get(table.saturating_add(index(offset))..)?;
        text(rest, version >= 17)
    };
    let offset = |number: usize| u32_at(data, table.checked_add(number.checked_mul(4)?)?);
    let mut entries = Vec::new();
    for number in 0..count.min(FILES) {
        let entry = if version >= 6 {
            let at = number
                .saturating_mul(FILE)
                .saturating_add(behind)
                .saturating_add(table);
            slice(data, at, FILE).and_then(new_entry)
        } else {
            let place = offset(folders.saturating_add(number));
            let place = place.map(|place| table.saturating_add(index(place)));
            place
                .and_then(|at| slice(data, at, 0x2e))
                .and_then(old_entry)
        };
        listing.is_cut |= entry.is_none();
        entries.push(entry);
        if listing.is_cut {
            break;
        }
    }
    listing.is_cut |= count > FILES;
    for (number, entry) in entries.iter().enumerate() {
        let Some(entry) = entry.as_ref().filter(|entry| entry.is_there()) else {
            continue;
        };
        let original = entry
            .copy_of
            .and_then(|previous| entries.get(index(previous))?.as_ref())
            .filter(|previous| previous.is_there())
            .unwrap_or(entry);
        let folder = offset(usize::try_from(entry.folder).unwrap_or(usize::MAX)).and_then(text);
        let folder = folder
            .filter(|_| index(entry.folder) < folders)
            .unwrap_or_default()
            .0;
        let (name, is_wide) = text(entry.name).unwrap_or_default();
        let slash: &[u8] = if folder.is_empty() { b"" } else { b"/" };
        listing.files.push(File {
            name: [folder.as_slice(), slash, &name].concat(),
            is_wide,
            size: original.size.into(),
            packed: original.packed.into(),
            number: entry
                .copy_of
                .unwrap_or(u32::try_from(number).unwrap_or(u32::MAX)),
            flags: original.flags,
            at: original.at.into(),
            volume: usize::from(original.volume).max(1),
        });
    }
    listing
}

struct Entry {
    flags: u16,
    size: u32,
    packed: u32,
    at: u32,
    name: u32,
    folder: u32,
    copy_of: Option<u32>,
    volume: u16,
}

impl Entry {
    fn is_there(&self) -> bool {
        self.flags & INVALID == 0 && self.name != 0 && self.at != 0 && self.size > 0
    }
}

fn new_entry(raw: &[u8]) -> Option<Entry> {
    let is_copy = raw.get(84)? & PREVIOUS != 0;
    Some(Entry {
        flags: u16_at(raw, 0)?,
        size: u32_at(raw, 2)?,
        packed: u32_at(raw, 10)?,
        at: u32_at(raw, 18)?,
        name: u32_at(raw, 58)?,
        folder: u16_at(raw, 62)?.into(),
        copy_of: is_copy.then(|| u32_at(raw, 76)).flatten(),
        volume: u16_at(raw, 85)?,
    })
}

fn old_entry(raw: &[u8]) -> Option<Entry> {
    Some(Entry {
        flags: u16_at(raw, 8)?,
        size: u32_at(raw, 10)?,
        packed: u32_at(raw, 14)?,
        at: u32_at(raw, 38)?,
        name: u32_at(raw, 0)?,
        folder: u32_at(raw, 4)?,
        copy_of: None,
        volume: 1,
    })
}

/// A text up to its zero, and whether it is UTF-8 now.
fn text(data: &[u8], is_wide: bool) -> Option<(Vec<u8>, bool)> {
    /// Longest name, in characters.
    const LONGEST: usize = 1024;
    if !is_wide {
        let head = data.get(..LONGEST).unwrap_or(data);
        let len = memchr::memchr(0, head)?;
        return Some((head.get(..len)?.to_vec(), false));
    }
    let pairs = data.as_chunks::<2>().0.iter().take(LONGEST);
    let units: Vec<u16> = pairs
        .map(|pair| u16::from_le_bytes(*pair))
        .take_while(|unit| *unit != 0)
        .collect();
    Some((String::from_utf16_lossy(&units).into_bytes(), true))
}

/// Where the data of a file lies: numbers of volumes, from 1, and ranges in them. The error is the number of a volume
/// that is not there or too short.
pub fn places<'v>(
    file: &File,
    volume: impl Fn(usize) -> Option<&'v [u8]>,
) -> Result<Vec<(usize, Range<usize>)>, usize> {
    let mut places = Vec::new();
    let (mut number, mut left) = (file.volume, file.stored());
    // Ends because each turn takes another volume, or gives up.
    while left > 0 {
        let data = volume(number).ok_or(number)?;
        let word = |at: usize| u32_at(data, at).unwrap_or_default();
        let (at, size) = match file.flags & SPLIT != 0 {
            // The volume's own head says which part of a file it starts and ends with.
            true if word(28) == file.number => (word(32), word(48)),
            true if word(32) == file.number => (word(56), word(72)),
            _ => (u32::try_from(file.at).unwrap_or(u32::MAX), u32::MAX),
        };
        let size = u64::from(size).min(left);
        let start = index(at);
        let end = start.saturating_add(index(size));
        if size == 0 || end > data.len() {
            return Err(number);
        }
        places.push((number, start..end));
        left = left.saturating_sub(size);
        number = number.saturating_add(1);
    }
    Ok(places)
}

impl File {
    /// Bytes that it takes in the volumes.
    fn stored(&self) -> u64 {
        match self.flags & COMPRESSED != 0 {
            true => self.packed,
            false => self.size,
        }
    }

    /// A reader of its content out of the data that it takes in the volumes.
    pub fn content<'d>(&self, data: &'d [u8]) -> Content<'d> {
        Content {
            data,
            at: 0,
            is_packed: self.flags & COMPRESSED != 0,
            is_obfuscated: self.flags & OBFUSCATED != 0,
            left: self.size,
            waiting: Vec::new(),
            taken: 0,
        }
    }
}

/// The content of a file: blocks behind their lengths, each deflated by itself, or plain bytes.
#[derive(Debug)]
pub struct Content<'d> {
    data: &'d [u8],
    at: usize,
    is_packed: bool,
    is_obfuscated: bool,
    left: u64,
    waiting: Vec<u8>,
    taken: usize,
}

impl Content<'_> {
    /// The next bytes in clear; the key runs over all of the file's data.
    fn clear(&mut self, len: usize) -> Vec<u8> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let raw = rest.get(..len).unwrap_or(rest);
        let at = self.at;
        self.at = at.saturating_add(raw.len());
        if !self.is_obfuscated {
            return raw.to_vec();
        }
        let bytes = raw.iter().zip(at..);
        let clear = bytes.map(|(byte, at)| {
            let step = u8::try_from(at % 0x47).unwrap_or_default();
            (byte ^ 0xd5).rotate_right(2).wrapping_sub(step)
        });
        clear.collect()
    }

    fn fill(&mut self) -> std::io::Result<()> {
        const PLAIN: usize = 64 << 10;
        /// Bytes of one block once inflated: writers take 32 KiB.
        const BLOCK: u64 = 1 << 20;
        self.taken = 0;
        if !self.is_packed {
            self.waiting = self.clear(PLAIN);
            return Ok(());
        }
        let head = self.clear(2);
        let len = u16_at(&head, 0).map_or(0, usize::from);
        let block = self.clear(len);
        if len == 0 || block.len() < len {
            return Err(Error::from(ErrorKind::UnexpectedEof));
        }
        let mut out = Vec::new();
        let mut decoder = flate2::bufread::DeflateDecoder::new(block.as_slice()).take(BLOCK);
        let ended = std::io::copy(&mut decoder, &mut out);
        // Writers leave the end of the last block out.
        if let Err(error) = ended
            && out.is_empty()
        {
            return Err(error);
        }
        self.waiting = out;
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // Ends because each turn takes a block.
        while self.taken >= self.waiting.len() {
            if self.left == 0 || self.at >= self.data.len() {
                return Ok(0);
            }
            self.fill()?;
        }
        let rest = self.waiting.get(self.taken..).unwrap_or_default();
        let len = rest.len().min(out.len()).min(index(self.left));
        for (place, byte) in out.iter_mut().zip(rest).take(len) {
            *place = *byte;
        }
        self.taken = self.taken.saturating_add(len);
        self.left = self.left.saturating_sub(length(len));
        Ok(len)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use super::*;

    /// Blocks, each behind its length, which has sixteen bits.
    fn deflated(data: &[u8]) -> Vec<u8> {
        let block = |part: &[u8]| {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
            encoder.write_all(part).unwrap();
            let block = encoder.finish().unwrap();
            let len = u16::try_from(block.len()).unwrap();
            [len.to_le_bytes().as_slice(), &block].concat()
        };
        data.chunks(1 << 16).flat_map(block).collect()
    }

    fn obfuscated(data: &[u8]) -> Vec<u8> {
        let step = |at: usize| u8::try_from(at % 0x47).unwrap();
        let bytes = data.iter().enumerate();
        let out = bytes.map(|(at, byte)| byte.wrapping_add(step(at)).rotate_left(2) ^ 0xd5);
        out.collect()
    }

    /// Header and volume of a cabinet of version 9: one file packed, one obfuscated, a copy of the first.
    pub(crate) fn cabinet(first: &[u8], second: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut volume = b"ISc(\0\x95\0\x01".to_vec();
        volume.resize(512, 0);
        let (packed, plain) = (deflated(first), obfuscated(second));
        let starts = [volume.len(), volume.len() + packed.len()];
        volume.extend(&packed);
        volume.extend(&plain);
        let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let mut texts = number(4).to_vec();
        let names: [&[u8]; 4] = [
            b"folder",
            &encoding_rs::SHIFT_JIS.encode("見積書.exe").0,
            b"b.txt",
            b"copy.exe",
        ];
        let mut offsets = Vec::new();
        for name in names {
            offsets.push(texts.len());
            texts.extend(name);
            texts.push(0);
        }
        let behind = texts.len();
        let entry = |flags: u16, size: usize, packed: usize, at: usize, name: usize, copy: bool| {
            let mut out = flags.to_le_bytes().to_vec();
            for field in [size, packed, at] {
                out.extend(number(field));
                out.extend([0; 4]);
            }
            out.resize(58, 0);
            out.extend(number(offsets[name]));
            out.resize(84, 0);
            out.extend([u8::from(copy), 1, 0]);
            out
        };
        texts.extend(entry(
            COMPRESSED,
            first.len(),
            packed.len(),
            starts[0],
            1,
            false,
        ));
        texts.extend(entry(
            OBFUSCATED,
            second.len(),
            second.len(),
            starts[1],
            2,
            false,
        ));
        texts.extend(entry(
            COMPRESSED,
            first.len(),
            packed.len(),
            starts[0],
            3,
            true,
        ));
        let mut header = b"ISc(\0\x95\0\x01\0\0\0\0".to_vec();
        header.extend([number(32), number(0x40 + texts.len())].concat());
        header.resize(32 + 0x0c, 0);
        header.extend(number(0x40));
        header.resize(32 + 0x1c, 0);
        header.extend(number(1));
        header.resize(32 + 0x28, 0);
        header.extend([number(3), number(behind)].concat());
        header.resize(32 + 0x40, 0);
        header.extend(texts);
        (header, volume)
    }

    /// The same with so many copies of the first file beside it.
    pub(crate) fn copies(first: &[u8], count: usize) -> (Vec<u8>, Vec<u8>) {
        let (mut header, volume) = cabinet(first, b"");
        let entry = header.len() - 87..header.len();
        for _ in 1..count {
            header.extend_from_within(entry.clone());
        }
        let number = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let len = number(header.len() - 32);
        header[16..20].copy_from_slice(&len);
        header[32 + 0x28..32 + 0x2c].copy_from_slice(&number(2 + count));
        (header, volume)
    }

    #[test]
    fn files_are_listed_and_decoded() {
        let (header, volume) = cabinet(b"MZ content content", b"plain words");
        let listing = list(&header);
        assert!(!listing.is_cut && is_header(&header) && !is_header(&volume));
        let contents: Vec<Vec<u8>> = listing
            .files
            .iter()
            .map(|file| {
                let places = places(file, |_| Some(&volume)).unwrap();
                let mut out = Vec::new();
                std::io::copy(&mut file.content(&volume[places[0].1.clone()]), &mut out).unwrap();
                out
            })
            .collect();
        assert_eq!(
            contents,
            [
                b"MZ content content".as_slice(),
                b"plain words",
                b"MZ content content"
            ]
        );
        let name = encoding_rs::SHIFT_JIS
            .decode(&listing.files[0].name)
            .0
            .into_owned();
        assert_eq!(name, "folder/見積書.exe");
    }

    #[test]
    fn what_is_cut_is_told() {
        let (header, volume) = cabinet(b"MZ content content", b"plain words");
        assert!(list(&header[..header.len() - 1]).is_cut);
        assert!(list(b"ISc(").is_cut);
        let file = &list(&header).files[1];
        assert_eq!(places(file, |_| Some(&volume[..520])), Err(1));
        assert_eq!(places(file, |_| None), Err(1));
    }
}
