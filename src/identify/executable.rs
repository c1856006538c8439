//! Programs: PE (Microsoft PE and COFF specification), DOS, ELF (System V ABI chapter 4), Mach-O, Java class files,
//! and how long a program found inside other bytes is.
//!
//! What a loader refuses late (wrong checksums, odd section names) does not matter here: a program that almost
//! runs is still a program.

use std::ops::Range;

use crate::bytes::{index, slice, u16_at, u32_at, u64_at};
use crate::model::Kind;

/// Sections or segments looked at when a length is computed; loaders stop far below.
const PARTS: usize = 2048;

/// A smaller header of a DOS program would leave no room for itself, in bytes.
const DOS_HEADER: usize = 28;

/// Tells which kind of program the bytes start with.
pub(super) fn identify(data: &[u8]) -> Option<Kind> {
    match data.first_chunk::<4>()? {
        [b'M', b'Z', ..] | [b'Z', b'M', ..] => dos_or_pe(data),
        [0x7f, b'E', b'L', b'F'] => is_elf(data).then_some(Kind::Elf),
        [0xca, 0xfe, 0xba, 0xbe] => class_or_fat(data),
        [0xca, 0xfe, 0xba, 0xbf] => Some(Kind::MachO),
        [0xce | 0xcf, 0xfa, 0xed, 0xfe] | [0xfe, 0xed, 0xfa, 0xce | 0xcf] => Some(Kind::MachO),
        [b'd', b'e', b'x', b'\n'] => Some(Kind::Dex),
        [0, b'a', b's', b'm'] => Some(Kind::Wasm),
        [low, high, b'\r', b'\n'] => {
            is_pyc(u16::from_le_bytes([*low, *high]), data).then_some(Kind::Pyc)
        }
        _ => None,
    }
}

/// A PE header where `e_lfanew` points decides, whatever else is odd; otherwise a plausible DOS header.
fn dos_or_pe(data: &[u8]) -> Option<Kind> {
    if pe_header(data).is_some() {
        return Some(Kind::Pe);
    }
    let (last, pages) = (u16_at(data, 2)?, u16_at(data, 4)?);
    let paragraphs = u16_at(data, 8)?;
    let header = usize::from(paragraphs).saturating_mul(16);
    let whole = usize::from(pages).saturating_mul(512);
    let plausible = last <= 512
        && pages > 0
        && (DOS_HEADER..=whole.max(DOS_HEADER)).contains(&header)
        && header <= data.len()
        // A program for Windows 3 or OS/2 says so behind the header; a plain one fits its pages.
        && (whole.saturating_sub(512) <= data.len() || new_executable(data));
    plausible.then_some(Kind::Dos)
}

fn new_executable(data: &[u8]) -> bool {
    let at = u32_at(data, 0x3c).map_or(usize::MAX, index);
    matches!(slice(data, at, 2), Some(b"NE" | b"LE" | b"LX"))
}

/// Offset of the PE header of a program that starts at byte 0.
fn pe_header(data: &[u8]) -> Option<usize> {
    let at = index(u32_at(data, 0x3c)?);
    (slice(data, at, 4)? == b"PE\0\0").then_some(at)
}

/// Systems differ in what of the identification they check; all of them ask for a type of file behind it, in either order
/// of bytes (System V ABI, chapter 4: relocatable to core, and those of systems and processors).
fn is_elf(data: &[u8]) -> bool {
    let Some(kind) = u16_at(data, 16) else {
        // Too short for a header, and for anything else.
        return true;
    };
    let known = |kind: u16| kind <= 4 || kind >= 0xfe00;
    let marked = matches!(data.get(4..7), Some([1 | 2, 1 | 2, 1]));
    marked || known(kind) || known(kind.swap_bytes())
}

/// A fat binary counts its architectures where a class file has its version, which starts at 45 and has grown by two a
/// year.
fn class_or_fat(data: &[u8]) -> Option<Kind> {
    let second = slice(data, 4, 4).and_then(|bytes| bytes.try_into().ok());
    match second.map(u32::from_be_bytes) {
        Some(0..=44) => Some(Kind::MachO),
        Some(version) if version & 0xffff > 255 => None,
        _ => Some(Kind::Class),
    }
}

/// Version words of CPython (Lib/importlib/_bootstrap_external.py), and a code object behind one of its headers.
fn is_pyc(version: u16, data: &[u8]) -> bool {
    let known = matches!(version, 3000..=3999 | 20_121 | 50_428 | 50_823 | 60_202 | 60_717 | 62_011..=62_311);
    known
        && [8, 12, 16]
            .iter()
            .any(|at| matches!(data.get(*at), Some(b'c' | 0xe3)))
}

/// The program that starts at byte `at`, if its header is that of one: its kind, and the bytes that its own
/// tables account for, never more than there are.
pub fn embedded(data: &[u8], at: usize) -> Option<(Kind, Range<usize>)> {
    let rest = data.get(at..)?;
    let (kind, len) = match rest.first_chunk::<4>()? {
        [b'M', b'Z', ..] => (Kind::Pe, pe_length(rest)?),
        [0x7f, b'E', b'L', b'F'] => (Kind::Elf, elf_length(rest)?),
        [0xce | 0xcf, 0xfa, 0xed, 0xfe] => (Kind::MachO, macho_length(rest)?),
        _ => return None,
    };
    let end = at.saturating_add(len).min(data.len());
    Some((kind, at..end))
}

/// Bytes of a PE that its headers, sections and certificate table account for; `None` where the header is not one.
pub fn pe_length(data: &[u8]) -> Option<usize> {
    /// IMAGE_FILE_HEADER.Machine of the systems that exist, 0 for any.
    const MACHINES: &[u16] = &[
        0, 0x14c, 0x8664, 0xaa64, 0x1c0, 0x1c2, 0x1c4, 0x200, 0xebc, 0x5032, 0x5064,
    ];
    const SECTION: usize = 40;
    let header = pe_header(data)?;
    let coff = header.checked_add(4)?;
    let machine = u16_at(data, coff)?;
    let sections = usize::from(u16_at(data, coff.checked_add(2)?)?);
    let optional = usize::from(u16_at(data, coff.checked_add(16)?)?);
    if !MACHINES.contains(&machine) || sections > PARTS {
        return None;
    }
    let table = coff.checked_add(20)?.checked_add(optional)?;
    let mut end = table.saturating_add(sections.saturating_mul(SECTION));
    // A section's PointerToRawData and SizeOfRawData.
    for number in 0..sections {
        let at = table.saturating_add(number.saturating_mul(SECTION));
        let (Some(size), Some(from)) = (
            u32_at(data, at.saturating_add(16)),
            u32_at(data, at.saturating_add(20)),
        ) else {
            break;
        };
        if size > 0 {
            end = end.max(index(from).saturating_add(index(size)));
        }
    }
    Some(end.max(certificates_end(data, coff.checked_add(20)?)))
}

/// End of the certificate table, the one data directory that counts in file offsets.
fn certificates_end(data: &[u8], optional: usize) -> usize {
    let directories = match u16_at(data, optional) {
        Some(0x10b) => 96,
        Some(0x20b) => 112,
        _ => return 0,
    };
    let at = optional.saturating_add(directories).saturating_add(4 * 8);
    match (u32_at(data, at), u32_at(data, at.saturating_add(4))) {
        (Some(from), Some(size)) if size > 0 => index(from).saturating_add(index(size)),
        _ => 0,
    }
}

fn elf_length(data: &[u8]) -> Option<usize> {
    let &[_, _, _, _, class, order, version] = data.first_chunk::<7>()?;
    let kind = u16_at(data, 16)?;
    let kind = if order == 2 { kind.swap_bytes() } else { kind };
    if !matches!(class, 1 | 2)
        || !matches!(order, 1 | 2)
        || version != 1
        || !(1..=4).contains(&kind)
    {
        return None;
    }
    // Big-endian programs are taken whole: they do not run where mails are read.
    if order == 2 {
        return Some(data.len());
    }
    let (table, entry, count) = if class == 2 {
        (
            index(u64_at(data, 40)?),
            u16_at(data, 58)?,
            u16_at(data, 60)?,
        )
    } else {
        (
            index(u32_at(data, 32)?),
            u16_at(data, 46)?,
            u16_at(data, 48)?,
        )
    };
    let end = table.saturating_add(usize::from(entry).saturating_mul(usize::from(count)));
    // A stripped program may have no section table: what follows is its own then.
    Some(if table == 0 || end > data.len() {
        data.len()
    } else {
        end
    })
}

fn macho_length(data: &[u8]) -> Option<usize> {
    /// LC_SEGMENT and LC_SEGMENT_64 of loader.h.
    const SEGMENT: u32 = 1;
    const SEGMENT_64: u32 = 0x19;
    let wide = data.first() == Some(&0xcf);
    let cpu = u32_at(data, 4)? & 0x00ff_ffff;
    let kind = u32_at(data, 12)?;
    let commands = index(u32_at(data, 16)?);
    if !matches!(cpu, 7 | 12 | 18) || !(1..=12).contains(&kind) || commands == 0 || commands > PARTS
    {
        return None;
    }
    let mut at: usize = if wide { 32 } else { 28 };
    let mut end = at;
    for _ in 0..commands {
        let (Some(command), Some(size)) = (u32_at(data, at), u32_at(data, at.saturating_add(4)))
        else {
            break;
        };
        let part = match command {
            SEGMENT => (
                u32_at(data, at.saturating_add(32)).map(u64::from),
                u32_at(data, at.saturating_add(36)).map(u64::from),
            ),
            SEGMENT_64 => (
                u64_at(data, at.saturating_add(40)),
                u64_at(data, at.saturating_add(48)),
            ),
            _ => (None, None),
        };
        if let (Some(from), Some(len)) = part {
            end = end.max(index(from).saturating_add(index(len)));
        }
        at = at.saturating_add(index(size).max(8));
    }
    Some(end)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A PE of one section that takes 512 bytes in file.
    pub(crate) fn pe() -> Vec<u8> {
        let mut data = vec![0; 1024];
        data[..2].copy_from_slice(b"MZ");
        data[0x3c] = 0x80;
        data[0x80..0x84].copy_from_slice(b"PE\0\0");
        data[0x84..0x86].copy_from_slice(&0x14cu16.to_le_bytes());
        data[0x86] = 1;
        data[0x94] = 0xe0;
        data[0x98..0x9a].copy_from_slice(&0x10bu16.to_le_bytes());
        let section = 0x98 + 0xe0;
        data[section..section + 5].copy_from_slice(b".text");
        data[section + 16..section + 20].copy_from_slice(&512u32.to_le_bytes());
        data[section + 20..section + 24].copy_from_slice(&512u32.to_le_bytes());
        data
    }

    #[test]
    fn a_pe_is_one_by_its_two_signatures_alone() {
        let mut program = pe();
        assert_eq!(identify(&program), Some(Kind::Pe));
        // Sections and machine destroyed.
        program[0x84..0x200].fill(0xff);
        assert_eq!(identify(&program), Some(Kind::Pe));
        program[0x80] = b'Q';
        assert_eq!(identify(&program), None);
    }

    #[test]
    fn the_length_of_an_embedded_program_is_what_its_tables_account_for() {
        let mut data = b"JUNK".to_vec();
        data.extend(pe());
        data.extend([7; 100]);
        assert_eq!(embedded(&data, 4), Some((Kind::Pe, 4..1028)));
        // A section that claims more than there is.
        let section = 4 + 0x98 + 0xe0;
        data[section + 16..section + 20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(embedded(&data, 4), Some((Kind::Pe, 4..1128)));
        assert_eq!(embedded(b"MZ and some text behind it", 0), None);
    }

    #[test]
    fn a_class_file_is_told_from_a_fat_binary() {
        assert_eq!(
            identify(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52, 0]),
            Some(Kind::Class)
        );
        assert_eq!(
            identify(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2, 1, 0, 0, 7]),
            Some(Kind::MachO)
        );
    }

    #[test]
    fn dos_programs_have_a_plausible_header_and_prose_does_not() {
        let mut dos = vec![0; 64];
        dos[..2].copy_from_slice(b"MZ");
        dos[2] = 64;
        dos[4] = 1;
        dos[8] = 2;
        assert_eq!(identify(&dos), Some(Kind::Dos));
        assert_eq!(
            identify(b"MZ is the mark of Mark Zbikowski, who designed the format."),
            None
        );
    }

    #[test]
    fn other_programs() {
        let mut pyc = vec![0; 32];
        pyc[..4].copy_from_slice(&[0x6f, 0x0d, b'\r', b'\n']);
        pyc[16] = 0xe3;
        assert_eq!(identify(&pyc), Some(Kind::Pyc));
        assert_eq!(identify(b"ab\r\nplain text, c is here"), None);
        assert_eq!(identify(b"\x7fELF\x02\x01\x01"), Some(Kind::Elf));
        assert_eq!(identify(b"dex\n035\0"), Some(Kind::Dex));
        assert_eq!(identify(b"\0asm\x01\0\0\0"), Some(Kind::Wasm));
        assert_eq!(
            identify(&[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1]),
            Some(Kind::MachO)
        );
    }

    #[test]
    fn lengths_of_elf_and_macho() {
        let mut elf = vec![0; 200];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        elf[16] = 2;
        elf[40] = 100;
        elf[58] = 10;
        elf[60] = 2;
        assert_eq!(embedded(&elf, 0), Some((Kind::Elf, 0..120)));
        let mut macho = vec![0; 300];
        macho[..8].copy_from_slice(&[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1]);
        macho[12] = 2;
        macho[16] = 1;
        macho[32] = 0x19;
        macho[36] = 72;
        macho[32 + 48] = 250;
        assert_eq!(embedded(&macho, 0), Some((Kind::MachO, 0..250)));
        macho[12] = 99;
        assert_eq!(embedded(&macho, 0), None);
    }
}
