//! Which decoded bytes are worth a child.

use crate::model::{Family, Kind};

/// What is worth a child: programs, containers, documents, scripts, pages. Certificates, pictures, fonts, plain text and data are not.
pub(in crate::unpack) fn counts(kind: Kind) -> bool {
    match kind.family() {
        Family::Executable
        | Family::Shortcut
        | Family::Installer
        | Family::Archive
        | Family::Disk
        | Family::Script
        | Family::Ole
        | Family::Ooxml
        | Family::Odf
        | Family::OneNote
        | Family::Vba
        | Family::Compressed => !matches!(kind, Kind::OleStream | Kind::OleNative),
        Family::Pdf | Family::Web => true,
        Family::Mail => kind != Kind::Eml,
        _ => kind == Kind::Rtf,
    }
}

/// Two bytes are found among numbers of all kinds: a gzip member has deflate behind them, and no reserved flag
/// (RFC 1952, section 2.3.1).
pub(super) fn is_chance(kind: Kind, decoded: &[u8]) -> bool {
    kind == Kind::Gz && !matches!(decoded, [_, _, 8, flags, ..] if flags & 0xe0 == 0)
}

/// Whether a run may decode to something that counts: by its first bytes.
pub(super) fn promising(head: &[u8]) -> bool {
    const MARKS: &[&[u8]] = &[
        b"MZ",
        // Pairs of bytes swapped.
        b"ZM\0",
        b"\x7fELF",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\xd0\xcf\x11\xe0",
        b"\x4c\0\0\0\x01\x14\x02",
        b"MSCF",
        b"\x1f\x8b",
        b"Rar!",
        b"7z\xbc\xaf",
        b"%PDF-",
        b"{\\rt",
        b"\xcf\xfa\xed\xfe",
        b"\xca\xfe\xba\xbe",
        b"ActiveMime",
        b"ITSF",
        b"#@~^",
        b"BZh",
        b"\xfd7zXZ",
        b"dex\n",
        b"\xe4\x52\x5c\x7b",
        b"!BDN",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
    ];
    if MARKS.iter().any(|mark| head.starts_with(mark)) {
        return true;
    }
    // The head of a zlib stream with the window that everybody takes.
    if matches!(head, [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]) {
        return true;
    }
    // A tar: the name of its first member, filled up with zeros.
    let name = head.iter().take_while(|byte| byte.is_ascii_graphic());
    let (name, filling) = head.split_at(name.count());
    if !name.is_empty() && filling.len() >= 12 && filling.iter().all(|byte| *byte == 0) {
        return true;
    }
    // Text, of one or two bytes a character: a script or a page.
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let pairs = head.as_chunks::<2>().0;
    head.len() >= 16
        && (head.iter().all(plain) || pairs.iter().all(|[low, high]| plain(low) && *high == 0))
}
