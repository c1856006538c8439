//! What the program of an InstallShield installer has behind its end (no specification is published; seen in files):
//! one file after the other, each behind its name, path, version and length as texts that end with a zero.
//!
//! Installers for Windows Installer packages have a head and descriptions of fixed length there, and files that are
//! scrambled by their names. Left out: the stream form of those (told).

use std::ops::Range;

use crate::bytes::{index, slice, u16_at, u32_at};

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub name: String,
    /// Whether the texts are in UTF-16.
    pub is_wide: bool,
    /// Its bytes.
    pub data: Range<usize>,
}

/// The files behind a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// They, in order.
    pub files: Vec<File>,
    /// First byte behind the last.
    pub end: usize,
    /// Whether the last one claims more bytes than there are.
    pub is_cut: bool,
}

/// Reads the files from byte `from` on.
pub fn files(data: &[u8], from: usize) -> Listing {
    let mut listing = Listing {
        files: Vec::new(),
        end: from.min(data.len()),
        is_cut: false,
    };
    let is_wide = data
        .get(from..)
        .is_some_and(|rest| matches!(rest, [first, 0, ..] if *first != 0));
    // Ends because each turn takes texts that are not empty.
    while let Some((name, start, len)) = head(data, listing.end, is_wide) {
        let end = start.saturating_add(len);
        listing.is_cut = end > data.len();
        listing.end = end.min(data.len());
        listing.files.push(File {
            name,
            is_wide,
            data: start..listing.end,
        });
    }
    listing
}

/// A file that is scrambled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrambled {
    /// Its name, raw: the key too.
    pub name: Vec<u8>,
    /// Its bytes as they lie there.
    pub data: Range<usize>,
    /// Whether they are scrambled, and whether the key starts anew each 1,024 bytes.
    flags: u32,
}

/// The form in which files are scrambled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setup {
    /// They, in order.
    pub files: Vec<Scrambled>,
    /// First byte behind the last.
    pub end: usize,
    /// Whether one of them claims more bytes than there are, or a description is cut.
    pub is_cut: bool,
    /// Whether they are in the form that no reader here knows.
    pub is_stream: bool,
}

/// Reads the scrambled files that follow byte `from`; none where there is no head of them near it.
pub fn scrambled(data: &[u8], from: usize) -> Option<Setup> {
    /// Bytes in which the head stands: records for debuggers may come first.
    const NEAR: usize = 4096;
    /// Bytes of the head, of a description, and of the name in front of it.
    const HEAD: usize = 46;
    const FILE: usize = 312;
    const NAME: usize = 260;
    let near = data.get(from..)?;
    let near = near.get(..NEAR).unwrap_or(near);
    if memchr::memmem::find(near, b"ISSetupStream\0").is_some() {
        return Some(Setup {
            end: from,
            is_stream: true,
            ..Setup::default()
        });
    }
    let start = memchr::memmem::find(near, b"InstallShield\0")?.checked_add(from)?;
    let count = u16_at(data, start.checked_add(14)?)?;
    let mut setup = Setup {
        end: start.checked_add(HEAD)?,
        ..Setup::default()
    };
    for _ in 0..count {
        let Some(head) = slice(data, setup.end, FILE) else {
            setup.is_cut = true;
            break;
        };
        let len = memchr::memchr(0, head.get(..NAME)?)?;
        let start = setup.end.checked_add(FILE)?;
        let end = start.saturating_add(index(u32_at(head, 268)?));
        setup.is_cut = end > data.len();
        setup.end = end.min(data.len());
        setup.files.push(Scrambled {
            name: head.get(..len)?.to_vec(),
            data: start..setup.end,
            flags: u32_at(head, NAME)?,
        });
    }
    Some(setup)
}

impl Scrambled {
    /// The bytes in clear; most are a zlib stream then.
    pub fn clear(&self, data: &[u8]) -> Vec<u8> {
        const SCRAMBLED: u32 = 6;
        const ANEW: u32 = 4;
        const PERIOD: usize = 1024;
        const MASK: [u8; 4] = [0xec, 0xca, 0x79, 0xf8];
        let raw = data.get(self.data.clone()).unwrap_or_default();
        if self.flags & SCRAMBLED == 0 || self.name.is_empty() {
            return raw.to_vec();
        }
        let mask = MASK.iter().cycle();
        let key: Vec<u8> = self
            .name
            .iter()
            .zip(mask)
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        let period = if self.flags & ANEW == 0 {
            raw.len().max(1)
        } else {
            PERIOD
        };
        let blocks = raw.chunks(period);
        let bytes = blocks.flat_map(|block| block.iter().zip(key.iter().cycle()));
        bytes.map(|(byte, key)| key ^ byte.rotate_left(4)).collect()
    }
}

/// The path of the file at `at`, its first byte and its length.
fn head(data: &[u8], at: usize, is_wide: bool) -> Option<(String, usize, usize)> {
    let (name, at) = text(data, at, is_wide)?;
    let (path, at) = text(data, at, is_wide)?;
    let (version, at) = text(data, at, is_wide)?;
    let (len, at) = text(data, at, is_wide)?;
    // The path ends in the name, the version is numbers and dots.
    let ends = path.rsplit(['\\', '/']).next()?.eq_ignore_ascii_case(&name);
    let numbers = version
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let len = len.parse().ok()?;
    (ends && numbers && !name.is_empty()).then(|| (path.replace('\\', "/"), at, len))
}

/// The text at `at`, and the first byte behind its end.
fn text(data: &[u8], at: usize, is_wide: bool) -> Option<(String, usize)> {
    /// Longest text, in characters.
    const LONGEST: usize = 1024;
    let rest = data.get(at..)?;
    if is_wide {
        let units = rest
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_le_bytes(*pair));
        let units: Vec<u16> = units.take(LONGEST).take_while(|unit| *unit != 0).collect();
        let len = units.len().checked_mul(2)?;
        let end = at.checked_add(len)?.checked_add(2)?;
        let ended = slice(data, end.checked_sub(2)?, 2)? == [0, 0];
        return ended.then(|| (String::from_utf16_lossy(&units), end));
    }
    let len = memchr::memchr(0, rest.get(..LONGEST).unwrap_or(rest))?;
    let text = crate::text::name_readings(rest.get(..len)?).swap_remove(0);
    Some((text, at.checked_add(len)?.checked_add(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_follow_each_other() {
        let mut data = b"MZprogram".to_vec();
        data.extend(b"a.exe\0Disk1\\a.exe\x001.0\x003\0MZx");
        let (text, _, _) =
            encoding_rs::SHIFT_JIS.encode("資料.txt\0Disk1\\資料.txt\x001.0\x0010\0short");
        data.extend_from_slice(&text);
        let found = files(&data, 9);
        let names: Vec<_> = found
            .files
            .iter()
            .map(|file| (file.name.as_str(), &data[file.data.clone()]))
            .collect();
        assert_eq!(
            names,
            [
                ("Disk1/a.exe", b"MZx".as_slice()),
                ("Disk1/資料.txt", b"short")
            ]
        );
        assert!(found.is_cut);
        assert!(files(b"a.exe\0other\x001\x003\0MZx", 0).files.is_empty());
        let wide: Vec<u8> = "a.exe\0a.exe\x001.0\x002\0"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let found = files(&[wide.as_slice(), b"MZ"].concat(), 0);
        assert_eq!(found.files.len(), 1);
    }

    #[test]
    fn scrambled_files_are_cleared_by_their_names() {
        let name = b"setup.ini";
        let content: Vec<u8> = (0..3000u32).map(|at| at.to_le_bytes()[0]).collect();
        let key: Vec<u8> = name
            .iter()
            .zip([0xec, 0xca, 0x79, 0xf8].iter().cycle())
            .map(|(byte, mask)| byte ^ mask)
            .collect();
        let packed = content
            .chunks(1024)
            .flat_map(|block| block.iter().zip(key.iter().cycle()));
        let packed: Vec<u8> = packed
            .map(|(byte, key)| (byte ^ key).rotate_left(4))
            .collect();
        let mut data = b"MZ and records of a debugger".to_vec();
        data.extend(b"InstallShield\0\x01\0");
        data.resize(28 + 46, 0);
        data.extend(name);
        data.resize(28 + 46 + 260, 0);
        data.extend([6, 0, 0, 0, 0, 0, 0, 0]);
        data.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
        data.resize(28 + 46 + 312, 0);
        data.extend(&packed);
        let found = scrambled(&data, 2).unwrap();
        assert!(!found.is_cut && !found.is_stream);
        assert_eq!(found.files[0].name, name);
        assert_eq!(found.files[0].clear(&data), content);
        assert!(scrambled(&data[..data.len() - 1], 2).unwrap().is_cut);
        assert!(scrambled(&data[..300], 2).unwrap().is_cut);
        assert!(scrambled(b"MZISSetupStream\0", 2).unwrap().is_stream);
        assert_eq!(scrambled(b"MZ and nothing", 2), None);
    }
}
