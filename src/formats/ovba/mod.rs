//! VBA projects ([MS-OVBA]): compression, the `dir` stream, the `PROJECT` stream, compiled code.
//!
//! Made to find every line of source that is there: records nobody knows are passed over, broken ones searched
//! around, and a container that lies gives what it holds. P-code, which the specification calls a cache and does not
//! describe, is read as far as it tells what a module uses; of signatures, whether they hold. Left out on purpose: what
//! user forms show, and what references lead to.

mod compression;
mod dir;
mod identifiers;
mod listing;
mod normalized;
mod opcodes;
mod pcode;
mod project;
mod signature;
mod signed;

pub use compression::{Decompressed, Tail, decompress, find_containers};
pub use dir::{Dir, Module, parse as parse_dir};
pub use identifiers::{Identifier, Identifiers};
pub use normalized::Form;
pub use pcode::{Pcode, Use};
pub use project::{Listed, Project, Protection, parse as parse_project};
pub use signature::{Content, Signature, in_summary, is_signature, read as read_signature};
pub use signed::{Contents, Signable};

use encoding_rs::Encoding;

use crate::bytes::u16_at;

/// The version word of a `_VBA_PROJECT` stream (2.3.4.1): 0xffff says that there is no cache of p-code.
pub fn version(stream: &[u8]) -> Option<u16> {
    u16_at(stream, 0).filter(|&mark| mark == 0x61cc)?;
    u16_at(stream, 2)
}

/// The encoding of a Windows code page; unknown ones read as Windows-1252.
pub fn encoding(code_page: u16) -> &'static Encoding {
    match code_page {
        932 | 10001 => encoding_rs::SHIFT_JIS,
        936 | 10008 => encoding_rs::GBK,
        949 | 10003 => encoding_rs::EUC_KR,
        950 | 10002 => encoding_rs::BIG5,
        54936 => encoding_rs::GB18030,
        51932 => encoding_rs::EUC_JP,
        874 => encoding_rs::WINDOWS_874,
        1250 => encoding_rs::WINDOWS_1250,
        1251 => encoding_rs::WINDOWS_1251,
        1253 => encoding_rs::WINDOWS_1253,
        1254 => encoding_rs::WINDOWS_1254,
        1255 => encoding_rs::WINDOWS_1255,
        1256 => encoding_rs::WINDOWS_1256,
        1257 => encoding_rs::WINDOWS_1257,
        1258 => encoding_rs::WINDOWS_1258,
        10000 => encoding_rs::MACINTOSH,
        10007 => encoding_rs::X_MAC_CYRILLIC,
        20866 => encoding_rs::KOI8_R,
        65001 => encoding_rs::UTF_8,
        _ => encoding_rs::WINDOWS_1252,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_needs_its_mark() {
        assert_eq!(version(&[0xcc, 0x61, 0xb5, 0x00]), Some(0xb5));
        assert_eq!(version(&[0xcc, 0x62, 0xb5, 0x00]), None);
        assert_eq!(version(&[0xcc, 0x61]), None);
    }
}
