//! Shell links ([MS-SHLLINK] 2): what a shortcut starts, with which arguments, and where the link ends.
//!
//! Written by hand: the crate for it refuses a whole link for one block it does not know, reads only files with a path
//! and wants the code page told. Read as Explorer reads: lengths that do not fit end one structure and not the link,
//! unknown blocks are passed over. Times, hot keys and icons are left out.

use std::ops::Range;

use crate::bytes::{Deviation, Reader, Short, index, slice, u16_at, u32_at};
use crate::text;

/// Items of one list, and blocks behind the strings, at the most: real links have a dozen.
const CEILING: usize = 256;

/// Size of the header, and its first field ([MS-SHLLINK] 2.1).
const HEADER: usize = 0x4c;

/// LinkFlags ([MS-SHLLINK] 2.1.1).
const HAS_ID_LIST: u32 = 1;
const HAS_LINK_INFO: u32 = 1 << 1;
const HAS_NAME: u32 = 1 << 2;
const HAS_RELATIVE_PATH: u32 = 1 << 3;
const HAS_WORKING_DIR: u32 = 1 << 4;
const HAS_ARGUMENTS: u32 = 1 << 5;
const HAS_ICON: u32 = 1 << 6;
const IS_UNICODE: u32 = 1 << 7;

/// Signature of the EnvironmentVariableDataBlock ([MS-SHLLINK] 2.5.4).
const ENVIRONMENT: u32 = 0xa000_0001;

/// A shell link. Texts are as they stand; ANSI texts are decoded by their likeliest code page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Where it leads, the structure that Windows prefers first: item list, link information, environment, relative path.
    pub targets: Vec<String>,
    /// What stands behind the target on the command line.
    pub arguments: Option<String>,
    /// Folder in which the target starts.
    pub working_dir: Option<String>,
    /// Description that is shown to the user.
    pub name: Option<String>,
    /// File with the icon.
    pub icon: Option<String>,
    /// How the window shows: 1 normal, 3 maximized, 7 minimized.
    pub show: u32,
    /// Offset behind the terminal block, or behind what could be read.
    pub end: usize,
    /// What was odd.
    pub deviations: Vec<Deviation>,
    /// What could not be read, where the link breaks off.
    pub cut: Option<Short>,
}

/// Reads a link; the error says why the bytes are none.
pub fn read(data: &[u8]) -> Result<Link, Short> {
    let mut reader = Reader::new(data);
    let header = reader.take("ShellLinkHeader", HEADER)?;
    let flags = u32_at(header, 20).unwrap_or_default();
    let mut link = Link {
        show: u32_at(header, 60).unwrap_or_default(),
        ..Link::default()
    };
    if let Err(short) = link.body(&mut reader, flags) {
        // A string or list that breaks off: what came before it stands.
        link.cut = Some(short);
    }
    link.end = reader.offset();
    Ok(link)
}

impl Link {
    fn body(&mut self, reader: &mut Reader<'_>, flags: u32) -> Result<(), Short> {
        let mut id_path = None;
        if flags & HAS_ID_LIST != 0 {
            let size = reader.u16("IDListSize")?;
            let list = reader.take("IDList", usize::from(size))?;
            id_path = id_list(list);
        }
        if flags & HAS_LINK_INFO != 0 {
            self.link_info(reader)?;
        }
        // A list that starts in a folder without a path of its own says less than the link information.
        let absolute = |path: &String| path.contains(":\\") || path.starts_with("\\\\");
        if let Some(path) = id_path {
            let at = if absolute(&path) {
                0
            } else {
                self.targets.len()
            };
            if !self.targets.contains(&path) {
                self.targets.insert(at, path);
            }
        }
        let wide = flags & IS_UNICODE != 0;
        let mut string = |flag: u32, field| -> Result<Option<String>, Short> {
            if flags & flag == 0 {
                return Ok(None);
            }
            string_data(reader, field, wide).map(Some)
        };
        self.name = string(HAS_NAME, "NAME_STRING")?;
        let relative = string(HAS_RELATIVE_PATH, "RELATIVE_PATH")?;
        self.working_dir = string(HAS_WORKING_DIR, "WORKING_DIR")?;
        self.arguments = string(HAS_ARGUMENTS, "COMMAND_LINE_ARGUMENTS")?;
        self.icon = string(HAS_ICON, "ICON_LOCATION")?;
        let blocks = self.extra_data(reader);
        self.targets
            .extend(relative.filter(|path| !path.is_empty()));
        blocks
    }

    /// LinkInfo ([MS-SHLLINK] 2.3).
    fn link_info(&mut self, reader: &mut Reader<'_>) -> Result<(), Short> {
        let at = reader.offset();
        let size = index(u32_at(reader.peek(), 0).unwrap_or_default());
        if size < 0x1c || size > reader.remaining() {
            self.deviations.push(Deviation::new(
                at,
                format!(
                    "LinkInfoSize: expected 28 to {}, found {size}",
                    reader.remaining()
                ),
            ));
            // Without a size there is no way to what follows.
            let taken = size.clamp(4, reader.remaining().max(4));
            return reader.skip("LinkInfo", taken);
        }
        let info = reader.take("LinkInfo", size)?;
        let offset = |at: usize| u32_at(info, at).map(index).filter(|offset| *offset != 0);
        let header = offset(4).unwrap_or_default();
        let flags = u32_at(info, 8).unwrap_or_default();
        let unicode = |at: usize| {
            let offset = offset(at).filter(|_| header >= 0x24)?;
            wide_at(info, offset).filter(|path| !path.is_empty())
        };
        let ansi = |at: usize| offset(at).and_then(|offset| ansi_at(info, offset));
        let suffix = unicode(0x20).or_else(|| ansi(0x18)).unwrap_or_default();
        let local = unicode(0x1c).or_else(|| ansi(0x10));
        let share = offset(0x14)
            .filter(|_| flags & 2 != 0)
            .and_then(|at| info.get(at..))
            .and_then(network_share);
        for base in [local.filter(|_| flags & 1 != 0), share]
            .into_iter()
            .flatten()
        {
            let path = if suffix.is_empty() || base.ends_with('\\') {
                format!("{base}{suffix}")
            } else {
                format!("{base}\\{suffix}")
            };
            if !path.is_empty() && !self.targets.contains(&path) {
                self.targets.push(path);
            }
        }
        Ok(())
    }

    /// Blocks behind the strings ([MS-SHLLINK] 2.5), to the terminal block: a size below 4.
    fn extra_data(&mut self, reader: &mut Reader<'_>) -> Result<(), Short> {
        for _ in 0..CEILING {
            if reader.is_empty() {
                // Many writers leave the terminal block out.
                return Ok(());
            }
            let at = reader.offset();
            let size = index(reader.u32("BlockSize")?);
            if size < 4 {
                return Ok(());
            }
            let Some(len) = size.checked_sub(4).filter(|len| *len <= reader.remaining()) else {
                self.deviations.push(Deviation::new(
                    at,
                    format!(
                        "BlockSize: expected at most {}, found {size}",
                        reader.remaining()
                    ),
                ));
                reader.rest();
                return Ok(());
            };
            let block = reader.take("ExtraData", len)?;
            if u32_at(block, 0) == Some(ENVIRONMENT) {
                let wide = wide_at(block, 264).filter(|path| !path.is_empty());
                let path = wide.or_else(|| ansi_at(block, 4));
                if let Some(path) = path.filter(|path| !path.is_empty()) {
                    self.targets.push(path);
                }
            }
        }
        Ok(())
    }
}

/// One StringData structure ([MS-SHLLINK] 2.4): a count of characters and the characters.
fn string_data(reader: &mut Reader<'_>, field: &'static str, wide: bool) -> Result<String, Short> {
    let count = usize::from(reader.u16(field)?);
    if wide {
        let raw = reader.take(field, count.saturating_mul(2))?;
        return Ok(utf16(raw));
    }
    Ok(ansi(reader.take(field, count)?))
}

fn ansi(raw: &[u8]) -> String {
    text::name_readings(raw)
        .into_iter()
        .next()
        .unwrap_or_default()
}

fn utf16(raw: &[u8]) -> String {
    let units = raw
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// The text of one byte a character from `at` to its zero.
fn ansi_at(data: &[u8], at: usize) -> Option<String> {
    let rest = data.get(at..)?;
    let len = memchr::memchr(0, rest).unwrap_or(rest.len()).min(4096);
    rest.get(..len).map(ansi)
}

/// The UTF-16 text from `at` to its zero.
fn wide_at(data: &[u8], at: usize) -> Option<String> {
    let rest = data.get(at..)?;
    let pairs = rest.as_chunks::<2>().0;
    let len = pairs
        .iter()
        .take(4096)
        .take_while(|pair| **pair != [0, 0])
        .count();
    rest.get(..len.saturating_mul(2)).map(utf16)
}

/// The share of a CommonNetworkRelativeLink ([MS-SHLLINK] 2.3.2).
fn network_share(link: &[u8]) -> Option<String> {
    let offset = index(u32_at(link, 8)?);
    let unicode = (offset > 0x14)
        .then(|| u32_at(link, 20).and_then(|at| wide_at(link, index(at))))
        .flatten();
    unicode
        .or_else(|| ansi_at(link, offset))
        .filter(|share| !share.is_empty())
}

/// The path that a list of item identifiers spells ([MS-SHLLINK] 2.2.1; the items are those of the shell's own folders).
fn id_list(list: &[u8]) -> Option<String> {
    let mut path = String::new();
    let mut at = 0usize;
    for _ in 0..CEILING {
        let size = usize::from(u16_at(list, at)?);
        if size < 3 {
            break;
        }
        let Some(item) = slice(list, at, size.min(list.len().saturating_sub(at))) else {
            break;
        };
        if let Some(part) = item_name(item) {
            if !path.is_empty() && !path.ends_with('\\') {
                path.push('\\');
            }
            path.push_str(&part);
        }
        at = at.saturating_add(size);
    }
    (!path.is_empty()).then_some(path)
}

/// The name in one item: a drive, a server or share, a folder or file with its long name where it has one.
fn item_name(item: &[u8]) -> Option<String> {
    match item.get(2)? {
        0x20..=0x2f => ansi_at(item, 3).filter(|name| name.get(1..2) == Some(":")),
        kind @ (0x30..=0x3f | 0xb0..=0xbf) => long_name(item).or_else(|| {
            let short = if kind & 4 != 0 {
                wide_at(item, 14)
            } else {
                ansi_at(item, 14)
            };
            short.filter(|name| !name.is_empty())
        }),
        0x40..=0x4f => ansi_at(item, 5).filter(|name| !name.is_empty()),
        _ => None,
    }
}

/// The long name of a file in the extension block 0xBEEF0004 of its item.
fn long_name(item: &[u8]) -> Option<String> {
    let range = extension_block(item)?;
    let block = item.get(range)?;
    let offset = match u16_at(block, 2)? {
        0..3 => return None,
        3..7 => 20,
        7 => 38,
        8 => 42,
        _ => 46,
    };
    wide_at(block, offset).filter(|name| !name.is_empty())
}

fn extension_block(item: &[u8]) -> Option<Range<usize>> {
    let at = memchr::memmem::find(item, &0xbeef_0004u32.to_le_bytes())?.checked_sub(4)?;
    Some(at..item.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(text: &str) -> Vec<u8> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut out = u16::try_from(units.len()).unwrap().to_le_bytes().to_vec();
        out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        out
    }

    fn link(flags: u32, body: &[u8]) -> Vec<u8> {
        let mut out = vec![0; HEADER];
        out[0] = 0x4c;
        out[20..24].copy_from_slice(&flags.to_le_bytes());
        out[60] = 7;
        out.extend_from_slice(body);
        out
    }

    #[test]
    fn arguments_and_the_end_are_found_behind_an_unknown_block() {
        let mut body = [string("..\\cmd.exe"), string("/c echo 完了")].concat();
        body.extend_from_slice(&[12, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde, 1, 2, 3, 4, 0, 0, 0, 0]);
        let whole = link(HAS_RELATIVE_PATH | HAS_ARGUMENTS | IS_UNICODE, &body);
        let mut data = whole.clone();
        data.extend_from_slice(b"MZ payload");
        let read = read(&data).unwrap();
        assert_eq!(read.arguments.as_deref(), Some("/c echo 完了"));
        assert_eq!(read.targets, ["..\\cmd.exe"]);
        assert_eq!((read.end, read.show, read.cut), (whole.len(), 7, None));
    }

    #[test]
    fn the_environment_block_names_a_target() {
        let mut block = vec![0; 0x314];
        block[..4].copy_from_slice(&0x314u32.to_le_bytes());
        block[4..8].copy_from_slice(&ENVIRONMENT.to_le_bytes());
        block[8..8 + 9].copy_from_slice(b"%ComSpec%");
        let read = read(&link(0, &block)).unwrap();
        assert_eq!(read.targets, ["%ComSpec%"]);
    }

    #[test]
    fn a_link_that_breaks_off_keeps_what_came_before() {
        let body = [string("x"), vec![0xff, 0xff, 1, 2]].concat();
        let read = read(&link(HAS_RELATIVE_PATH | HAS_ARGUMENTS | IS_UNICODE, &body)).unwrap();
        assert_eq!(
            read.cut.map(|short| short.field),
            Some("COMMAND_LINE_ARGUMENTS")
        );
        assert_eq!(read.arguments, None);
    }

    #[test]
    fn item_lists_spell_a_path_with_long_names() {
        let drive = [&[25u8, 0, 0x2f][..], b"C:\\", &[0; 19]].concat();
        let file = [
            &[22u8, 0, 0x32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..],
            b"cmd.exe\0",
        ]
        .concat();
        let list = [drive, file, vec![0, 0]].concat();
        assert_eq!(id_list(&list).as_deref(), Some("C:\\cmd.exe"));
    }
}
