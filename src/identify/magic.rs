//! Signatures at a fixed place: a table of rows, with a check of the structure behind the ones too short to be
//! trusted alone.
//!
//! Compound files, zips, programs, disk images, ASN.1 and everything in text have files of their own.

use crate::bytes::{slice, u16_at, u32_at};
use crate::model::Kind;

use super::{rare, weak};

/// One signature.
pub(super) struct Row {
    /// Where it stands, in bytes.
    at: usize,
    /// What stands there.
    mark: &'static [u8],
    /// What it means.
    kind: Kind,
    /// What else must be true of the bytes.
    check: fn(&[u8]) -> bool,
}

/// A signature long enough to be trusted alone.
pub(super) const fn row(at: usize, mark: &'static [u8], kind: Kind) -> Row {
    Row {
        at,
        mark,
        kind,
        check: |_| true,
    }
}

/// A signature that needs more to be trusted.
pub(super) const fn weak(
    at: usize,
    mark: &'static [u8],
    kind: Kind,
    check: fn(&[u8]) -> bool,
) -> Row {
    Row {
        at,
        mark,
        kind,
        check,
    }
}

/// Tells what the bytes are by a signature.
pub(super) fn identify(data: &[u8]) -> Option<Kind> {
    let fits =
        |row: &&Row| slice(data, row.at, row.mark.len()) == Some(row.mark) && (row.check)(data);
    let mut rows = TABLE.iter().chain(rare::TABLE);
    rows.find(fits).map(|row| row.kind)
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    // Pictures: by far the most common.
    row(0, b"\x89PNG\r\n\x1a\n", Kind::Png),
    row(0, &[0xff, 0xd8, 0xff], Kind::Jpg),
    row(0, b"GIF87a", Kind::Gif),
    row(0, b"GIF89a", Kind::Gif),
    weak(0, b"BM", Kind::Bmp, weak::bmp),
    row(0, b"II*\0", Kind::Tif),
    row(0, b"MM\0*", Kind::Tif),
    row(0, b"II+\0", Kind::Tif),
    row(0, b"MM\0+", Kind::Tif),
    weak(0, b"RIFF", Kind::Webp, |data| slice(data, 8, 4) == Some(b"WEBP")),
    weak(0, b"RIFF", Kind::Wav, |data| slice(data, 8, 4) == Some(b"WAVE")),
    weak(0, b"RIFF", Kind::Avi, |data| slice(data, 8, 4) == Some(b"AVI ")),
    weak(0, &[0, 0, 1, 0], Kind::Ico, weak::icon),
    weak(0, &[0, 0, 2, 0], Kind::Ico, weak::icon),
    weak(0, &[1, 0, 0, 0], Kind::Emf, |data| slice(data, 40, 4) == Some(b" EMF")),
    row(0, &[0xd7, 0xcd, 0xc6, 0x9a], Kind::Wmf),
    weak(0, &[1, 0, 9, 0, 0], Kind::Wmf, weak::metafile),
    weak(0, &[2, 0, 9, 0, 0], Kind::Wmf, weak::metafile),
    row(0, b"8BPS", Kind::Psd),
    row(0, b"\0\0\0\x0cjP  \r\n\x87\n", Kind::Jp2),
    row(0, &[0xff, 0x4f, 0xff, 0x51], Kind::Jp2),
    weak(4, b"ftyp", Kind::Heic, weak::still_picture),
    row(4, b"ftyp", Kind::Mp4),
    weak(4, b"moov", Kind::Mp4, weak::atom),
    weak(4, b"mdat", Kind::Mp4, weak::atom),
    row(522, &[0x00, 0x11, 0x02, 0xff, 0x0c, 0x00], Kind::Pict),
    // Shortcuts, notes, mail stores.
    row(0, b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46", Kind::Lnk),
    row(0, &[0xe4, 0x52, 0x5c, 0x7b, 0x8c, 0xd8, 0xa7, 0x4d, 0xae, 0xb1, 0x53, 0x78, 0xd0, 0x29, 0x96, 0xd3], Kind::One),
    row(0, &[0xa1, 0x2f, 0xff, 0x43, 0xd9, 0xef, 0x76, 0x4c, 0x9e, 0xe2, 0x10, 0xea, 0x57, 0x22, 0x76, 0x5f], Kind::Onetoc2),
    row(0, b"!BDN", Kind::Pst),
    row(0, &[0xcf, 0xad, 0x12, 0xfe], Kind::Dbx),
    row(0, &[0x78, 0x9f, 0x3e, 0x22], Kind::Tnef),
    row(0, b"ActiveMime", Kind::ActiveMime),
    // Documents and databases.
    // The comment that usually follows the header, where the header was lost: most readers mend that.
    row(0, b"%\xe2\xe3\xcf\xd3", Kind::Pdf),
    // Data of its forms, in the same syntax (ISO 32000-2, 12.7.8), and the header of old (Adobe PDF Reference 1.7, H.3.4.1).
    weak(0, b"%FDF-", Kind::Pdf, |data| data.get(5).is_some_and(u8::is_ascii_digit)),
    weak(0, b"%!PS-Adobe-", Kind::Pdf, |data| slice(data, 14, 5) == Some(b" PDF-")),
    row(0, b"%!PS", Kind::Ps),
    row(0, &[0xc5, 0xd0, 0xd3, 0xc6], Kind::Ps),
    row(0, b"\x1b%-12345X@PJL", Kind::Ps),
    row(0, b"AT&TFORM", Kind::Djvu),
    row(0, b"HWP Document File V", Kind::Hwp),
    row(0, &[0xdb, 0xa5, 0x2d, 0x00], Kind::OleWord),
    row(0, &[0x31, 0xbe, 0x00, 0x00], Kind::OleWord),
    row(0, &[0x9b, 0xa5, 0x21, 0x00], Kind::OleWord),
    row(0, &[0xfe, 0x37, 0x00, 0x1c], Kind::OleWord),
    weak(0, &[0x09, 0x00, 0x04, 0x00], Kind::Xls4, weak::sheet),
    weak(0, &[0x09, 0x02, 0x06, 0x00], Kind::Xls4, weak::sheet),
    weak(0, &[0x09, 0x04, 0x06, 0x00], Kind::Xls4, weak::sheet),
    // A workbook stream without its compound file: Excel opens that too.
    weak(0, &[0x09, 0x08, 0x08, 0x00], Kind::Xls4, weak::sheet),
    weak(0, &[0x09, 0x08, 0x10, 0x00], Kind::Xls4, weak::sheet),
    row(4, b"Standard Jet DB\0", Kind::Mdb),
    row(4, b"Standard ACE DB\0", Kind::Accdb),
    row(4, b"MSISAM Database\0", Kind::Mdb),
    row(0, b"SQLite format 3\0", Kind::Sqlite),
    // Archives.
    row(0, b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
    row(0, b"Rar!\x1a\x07", Kind::Rar),
    weak(0, b"RE~^", Kind::Rar, |data| u16_at(data, 4).is_some_and(|size| (7..1024).contains(&size))),
    row(0, b"MSCF\0\0\0\0", Kind::Cab),
    weak(0, b"ISc(", Kind::IsCab, |data| matches!(data.get(7), Some(1 | 2 | 4))),
    weak(0, &[0x60, 0xea], Kind::Arj, weak::arj),
    weak(2, b"-lh", Kind::Lzh, weak::lzh),
    weak(2, b"-lz", Kind::Lzh, weak::lzh),
    weak(2, b"-pm", Kind::Lzh, weak::lzh),
    row(7, b"**ACE**", Kind::Ace),
    weak(0, &[0x1a], Kind::Arc, weak::arc),
    row(20, &[0xdc, 0xa7, 0xc4, 0xfd], Kind::Zoo),
    weak(0, b"070701", Kind::Cpio, weak::cpio_text),
    weak(0, b"070702", Kind::Cpio, weak::cpio_text),
    weak(0, b"070707", Kind::Cpio, weak::cpio_text),
    weak(0, &[0xc7, 0x71], Kind::Cpio, weak::cpio_binary),
    weak(0, &[0x71, 0xc7], Kind::Cpio, weak::cpio_binary),
    weak(0, b"!<arch>\n", Kind::Deb, |data| slice(data, 8, 13) == Some(b"debian-binary")),
    row(0, b"!<arch>\n", Kind::Ar),
    row(0, &[0xed, 0xab, 0xee, 0xdb], Kind::Rpm),
    weak(0, b"xar!", Kind::Xar, |data| slice(data, 4, 1) == Some(&[0])),
    row(0, b"ITSF", Kind::Chm),
    row(0, b"MSWIM\0\0\0", Kind::Wim),
    row(0, b"WLPWM\0\0\0", Kind::Wim),
    row(0, b"ALZ\x01", Kind::Alz),
    weak(0, b"EGGA", Kind::Egg, |data| slice(data, 4, 2) == Some(&[0, 1])),
    weak(0, b"SIT!", Kind::StuffIt, |data| slice(data, 10, 4) == Some(b"rLau")),
    row(0, b"StuffIt (c)1997-", Kind::StuffIt),
    row(0, b"StuffIt!", Kind::StuffIt),
    row(0, b"Cr24", Kind::Crx),
    row(8, &[0x19, 0x04, 0x00, 0x10], Kind::Sis),
    row(257, b"ustar", Kind::Tar),
    weak(0, b"", Kind::Tar, weak::tar),
    weak(0, &[4, 0, 0, 0], Kind::Asar, crate::formats::asar::is_archive),
    // One compressed stream.
    weak(0, &[0x1f, 0x8b], Kind::Gz, |data| data.len() >= 10),
    weak(0, b"BZh", Kind::Bz2, weak::bzip2),
    row(0, b"\xfd7zXZ\0", Kind::Xz),
    row(0, &[0x28, 0xb5, 0x2f, 0xfd], Kind::Zst),
    row(0, &[0x04, 0x22, 0x4d, 0x18], Kind::Lz4),
    row(0, &[0x02, 0x21, 0x4c, 0x18], Kind::Lz4),
    weak(1, &[0x2a, 0x4d, 0x18], Kind::Zst, |data| matches!(data.first(), Some(0x50..=0x5f))),
    weak(0, &[0x1f, 0x9d], Kind::Z, |data| data.get(2).is_some_and(|flags| (9..=16).contains(&(flags & 0x1f)) && flags & 0x60 == 0)),
    weak(0, &[0x1f, 0xa0], Kind::Z, |data| data.len() > 16),
    weak(0, b"LZIP", Kind::Lzip, |data| matches!(data.get(4), Some(0 | 1))),
    row(0, b"SZDD\x88\xf0\x27\x33", Kind::Szdd),
    row(0, b"SZ \x88\xf0\x27\x33\xd1", Kind::Szdd),
    row(0, b"KWAJ\x88\xf0\x27\xd1", Kind::Kwaj),
    weak(0, &[0x5d, 0, 0], Kind::Lzma, weak::lzma),
    // Disks.
    row(0, b"vhdxfile", Kind::Vhdx),
    row(0, b"conectix", Kind::Vhd),
    row(0, b"KDMV", Kind::Vmdk),
    row(0, b"COWD", Kind::Vmdk),
    row(0, b"# Disk DescriptorFile", Kind::Vmdk),
    row(0, b"QFI\xfb", Kind::Qcow),
    weak(0, b"hsqs", Kind::SquashFs, |data| matches!(u16_at(data, 28), Some(3 | 4))),
    weak(0, b"sqsh", Kind::SquashFs, |data| matches!(slice(data, 28, 2), Some([0, 3 | 4]))),
    row(64, &[0x7f, 0x10, 0xda, 0xbe], Kind::Vdi),
    row(0, b"WithoutFreeSpace", Kind::Vdi),
    row(0, b"WithouFreSpacExt", Kind::Vdi),
    weak(0, b"QED\0", Kind::Qcow, |data| u32_at(data, 4).is_some_and(|size| size.is_power_of_two() && size >= 4096)),
    row(0, b"encrcdsa", Kind::Dmg),
    // Images by older writers have their trailer in front.
    weak(0, b"koly\0\0\0\x04", Kind::Dmg, |data| slice(data, 8, 4) == Some(&[0, 0, 2, 0])),
    weak(32, b"NXSB", Kind::Apfs, |data| u32_at(data, 36).is_some_and(|size| (4096..=65536).contains(&size) && size.is_power_of_two())),
    // Sound, video, fonts.
    row(0, b"ID3", Kind::Mp3),
    row(0, b"OggS", Kind::Ogg),
    row(0, b"fLaC", Kind::Flac),
    row(0, &[0x1a, 0x45, 0xdf, 0xa3], Kind::Mkv),
    row(0, &[0x30, 0x26, 0xb2, 0x75, 0x8e, 0x66, 0xcf, 0x11], Kind::Wmv),
    weak(0, b"FWS", Kind::Swf, weak::flash),
    weak(0, b"CWS", Kind::Swf, weak::flash),
    weak(0, b"ZWS", Kind::Swf, weak::flash),
    row(0, b"MThd\0\0\0", Kind::Midi),
    weak(0, &[0, 1, 0, 0], Kind::Ttf, weak::font),
    weak(0, b"OTTO", Kind::Ttf, weak::font),
    weak(0, b"true", Kind::Ttf, weak::font),
    weak(0, b"ttcf", Kind::Ttf, |data| matches!(slice(data, 4, 4), Some([0, 1 | 2, 0, 0]))),
    weak(34, b"LP", Kind::Ttf, weak::embedded_font),
    row(0, b"wOFF", Kind::Woff),
    row(0, b"wOF2", Kind::Woff),
    weak(0, &[0xff], Kind::Mp3, weak::mpeg_audio),
    // A compiled AutoIt script: behind an identifier of 16 bytes.
    row(16, b"AU3!EA0", Kind::Au3),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every row that is trusted alone fires on its mark at its place, and not one byte beside it.
    #[test]
    fn every_strong_row_fires_on_its_mark() {
        for row in TABLE.iter().filter(|row| row.mark.len() > 2) {
            let mut data = vec![0; row.at + row.mark.len() + 64];
            data[row.at..row.at + row.mark.len()].copy_from_slice(row.mark);
            if (row.check)(&data) {
                let first = TABLE.iter().find(|other| {
                    slice(&data, other.at, other.mark.len()) == Some(other.mark)
                        && (other.check)(&data)
                });
                assert_eq!(identify(&data), first.map(|row| row.kind));
            }
            data.insert(0, b'?');
            assert_ne!(identify(&data), Some(row.kind), "{}", row.kind);
        }
    }

    #[test]
    fn short_marks_need_their_structure() {
        for text in [
            "BMW sells cars to people",
            "FWS is short for something",
            "true or false, that is it",
            "070701 is a number in a list",
            "BZhello",
            "RIFF raff",
            "!<arch",
            "SIT! said the man to the dog",
            "EGGADS",
            "ID:",
        ] {
            assert_eq!(identify(text.as_bytes()), None, "{text}");
        }
    }
}
