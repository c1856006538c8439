//! What the program of an InstallShield installer has behind its end (no specification is published; seen in files):
//! one file after the other, each behind its name, path, version and length as texts that end with a zero.
//!
//! Left out: the form of installers for Windows Installer packages, in which files are scrambled, and the cabinets of
//! InstallShield themselves.

use std::ops::Range;

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
        let ended = crate::bytes::slice(data, end.checked_sub(2)?, 2)? == [0, 0];
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
}
