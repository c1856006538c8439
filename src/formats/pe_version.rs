//! Version information of Windows programs: the resource directory (PE format, "The .rsrc Section") down to
//! VS_VERSIONINFO (Windows, "Version Information Structures").
//!
//! Written by hand: the crates for it want the bytes aligned, or stay busy for a minute over an extreme import table.
//! Sections are looked at only as far as the file reaches; where the directory leads nowhere, the structure is looked
//! for by its key, since editors of resources leave odd directories behind.

use crate::bytes::{index, slice, u16_at, u32_at};

/// Entries of one directory at the most: a version resource has one or two languages.
const ENTRIES: usize = 4096;

/// Sections at the most (PE format, "COFF File Header": the Windows loader takes 96).
const SECTIONS: usize = 96;

/// Longest value that is kept, in UTF-16 units.
const LONGEST: usize = 512;

/// Resource type of version information (RT_VERSION).
const RT_VERSION: u32 = 16;

/// Strings that a program says about itself; the first language that gives one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    /// OriginalFilename: the name that the maker gave the file.
    pub original: Option<String>,
    /// InternalName.
    pub internal: Option<String>,
    /// ProductName.
    pub product: Option<String>,
    /// FileDescription.
    pub description: Option<String>,
    /// CompanyName.
    pub company: Option<String>,
}

/// Reads the version information of a program; `None` where it has none.
pub fn read(data: &[u8]) -> Option<Version> {
    let resource = in_resources(data).or_else(|| by_key(data))?;
    let version = strings(resource);
    (version != Version::default()).then_some(version)
}

/// One section: where it lies in memory and in the file.
#[derive(Debug, Clone, Copy)]
struct Section {
    address: usize,
    size: usize,
    offset: usize,
}

fn in_resources(data: &[u8]) -> Option<&[u8]> {
    let header = index(u32_at(data, 0x3c)?);
    if slice(data, header, 4)? != b"PE\0\0" {
        return None;
    }
    let count = usize::from(u16_at(data, header.checked_add(6)?)?);
    let optional = header.checked_add(24)?;
    let optional_len = usize::from(u16_at(data, header.checked_add(20)?)?);
    // Data directories: behind 96 bytes of a 32-bit header, 112 of a 64-bit one; resources are the third.
    let directories = match u16_at(data, optional)? {
        0x20b => 112usize,
        _ => 96,
    };
    let resources = index(u32_at(
        data,
        optional.checked_add(directories)?.checked_add(16)?,
    )?);
    let table = optional.checked_add(optional_len)?;
    let sections: Vec<Section> = (0..count.min(SECTIONS))
        .map_while(|number| {
            let at = table.checked_add(number.checked_mul(40)?)?;
            let size = u32_at(data, at.checked_add(8)?)?.max(u32_at(data, at.checked_add(16)?)?);
            Some(Section {
                address: index(u32_at(data, at.checked_add(12)?)?),
                size: index(size),
                offset: index(u32_at(data, at.checked_add(20)?)?),
            })
        })
        .collect();
    let in_file = |address: usize| {
        let holds = |section: &&Section| {
            address >= section.address && address.saturating_sub(section.address) < section.size
        };
        let section = sections.iter().find(holds)?;
        section
            .offset
            .checked_add(address.checked_sub(section.address)?)
    };
    let root = in_file(resources).filter(|_| resources != 0)?;
    let kind = child(data, root, root, |id| id == RT_VERSION)?;
    let name = child(data, root, kind, |_| true)?;
    let language = child(data, root, name, |_| true)?;
    let start = in_file(index(u32_at(data, language)?))?;
    let len = index(u32_at(data, language.checked_add(4)?)?);
    data.get(start..start.checked_add(len)?.min(data.len()))
}

/// Where the first entry of a directory leads whose id is wanted: another directory or a data entry.
fn child(data: &[u8], root: usize, at: usize, wanted: impl Fn(u32) -> bool) -> Option<usize> {
    let named = usize::from(u16_at(data, at.checked_add(12)?)?);
    let numbered = usize::from(u16_at(data, at.checked_add(14)?)?);
    (0..named.saturating_add(numbered).min(ENTRIES)).find_map(|number| {
        let entry = at.checked_add(16)?.checked_add(number.checked_mul(8)?)?;
        let target = index(u32_at(data, entry.checked_add(4)?)? & 0x7fff_ffff);
        let id = u32_at(data, entry)?;
        wanted(id).then(|| root.checked_add(target)).flatten()
    })
}

/// The structure behind its key, wherever it stands.
fn by_key(data: &[u8]) -> Option<&[u8]> {
    let key: Vec<u8> = "VS_VERSION_INFO"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let at = memchr::memmem::find(data, &key)?.checked_sub(6)?;
    let len = usize::from(u16_at(data, at)?);
    data.get(at..at.checked_add(len)?.min(data.len()))
}

/// The wanted strings of a VS_VERSIONINFO. Each String structure is a length, a length of the value, a type, the key,
/// zeros to a multiple of four bytes and the value; only the order of key and value is relied upon.
fn strings(resource: &[u8]) -> Version {
    let mut version = Version::default();
    let units: Vec<u16> = resource
        .as_chunks::<2>()
        .0
        .iter()
        .take(1 << 16)
        .map(|pair| u16::from_le_bytes(*pair))
        .collect();
    let mut at = 0usize;
    // Texts between zeros in their order: a key, and behind it its value. Ends because each step takes a unit.
    let mut waiting: Option<&mut Option<String>> = None;
    while let Some(rest) = units.get(at..).filter(|rest| !rest.is_empty()) {
        let len = rest.iter().take_while(|unit| **unit != 0).count();
        let text = rest.get(..len).unwrap_or_default();
        at = at.saturating_add(len).saturating_add(1);
        if text.is_empty() {
            continue;
        }
        if let Some(slot) = waiting.take()
            && !is_header(text)
        {
            let value = text.get(..LONGEST).unwrap_or(text);
            slot.get_or_insert_with(|| String::from_utf16_lossy(value).trim().to_owned());
            continue;
        }
        let word =
            String::from_utf16_lossy(text.get(text.len().saturating_sub(24)..).unwrap_or(text));
        let slot = [
            ("OriginalFilename", &mut version.original),
            ("InternalName", &mut version.internal),
            ("ProductName", &mut version.product),
            ("FileDescription", &mut version.description),
            ("CompanyName", &mut version.company),
        ]
        .into_iter()
        .find(|(key, _)| word.ends_with(key));
        waiting = slot.map(|(_, slot)| slot);
    }
    version
}

/// The three numbers in front of the next String structure: lengths and a type of 1, then its key.
fn is_header(text: &[u16]) -> bool {
    matches!(text, [len, _, 1, ..] if *len < 0x200) && text.len() > 3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(key: &str, value: &str) -> Vec<u8> {
        let wide = |text: &str| -> Vec<u8> {
            let units = text.encode_utf16().chain([0]);
            units.flat_map(u16::to_le_bytes).collect()
        };
        let mut out = vec![0, 0];
        out.extend(u16::try_from(value.len() + 1).unwrap().to_le_bytes());
        out.extend([1, 0]);
        out.extend(wide(key));
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(wide(value));
        let len = u16::try_from(out.len()).unwrap();
        out[..2].copy_from_slice(&len.to_le_bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    #[test]
    fn strings_are_read_by_their_keys() {
        let resource = [
            string("CompanyName", "Example"),
            string("FileDescription", ""),
            string("InternalName", "tool"),
            string("OriginalFilename", "Tool.EXE.MUI"),
            string("ProductName", "Tools of 例"),
        ]
        .concat();
        let version = strings(&resource);
        assert_eq!(version.original.as_deref(), Some("Tool.EXE.MUI"));
        assert_eq!(version.internal.as_deref(), Some("tool"));
        assert_eq!(version.company.as_deref(), Some("Example"));
        assert_eq!(version.product.as_deref(), Some("Tools of 例"));
        assert_eq!(version.description, None);
    }

    #[test]
    fn a_program_without_version_information_has_none() {
        assert_eq!(read(b"MZ"), None);
        let mut data = vec![0; 0x400];
        data[0x3c] = 0x80;
        data[0x80..0x84].copy_from_slice(b"PE\0\0");
        assert_eq!(read(&data), None);
    }

    #[test]
    fn a_directory_that_leads_nowhere_leaves_the_key() {
        let mut data = vec![0; 0x400];
        let strings = string("OriginalFilename", "a.exe");
        let whole: Vec<u8> = "VS_VERSION_INFO"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let len = u16::try_from(6 + whole.len() + 2 + strings.len()).unwrap();
        data.extend(len.to_le_bytes());
        data.extend([52, 0, 0, 0]);
        data.extend(whole);
        data.extend([0, 0]);
        data.extend(strings);
        assert_eq!(read(&data).unwrap().original.as_deref(), Some("a.exe"));
    }
}
