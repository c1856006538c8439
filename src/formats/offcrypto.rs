//! How Office documents say that they are encrypted ([MS-OFFCRYPTO], [MS-XLS] 2.4.117, [MS-DOC] 2.5, [MS-PPT] 2.3).
//!
//! Recognises only; opening them is another matter. Sheet protection and write reservation encrypt nothing and are
//! not told.

use crate::bytes::{Reader, Short, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

/// The scheme of an `EncryptionInfo` stream (2.3.4.5, 2.3.4.6, 2.3.4.10).
pub fn encryption_info(stream: &[u8]) -> String {
    let major = u16_at(stream, 0).unwrap_or_default();
    let minor = u16_at(stream, 2).unwrap_or_default();
    match (major, minor) {
        (4, 4) => agile(stream.get(8..).unwrap_or_default()),
        (2..=4, 2) => {
            // EncryptionHeader stands behind its size: Flags, SizeExtra, AlgID (2.3.2).
            let algorithm = u32_at(stream, 20).unwrap_or_default();
            format!("{} (standard)", algorithm_name(algorithm))
        }
        (3 | 4, 3) => "extensible encryption".to_owned(),
        _ => format!("unknown encryption {major}.{minor}"),
    }
}

/// Cipher and key bits as the `keyData` element names them.
fn agile(xml: &[u8]) -> String {
    let text = String::from_utf8_lossy(xml);
    let attribute = |name: &str| {
        let rest = text.split_once(&format!("{name}=\""))?.1;
        let value = rest.split_once('"')?.0;
        (value.len() <= 32).then(|| value.to_owned())
    };
    match (attribute("cipherAlgorithm"), attribute("keyBits")) {
        (Some(cipher), Some(bits)) => format!("{cipher}-{bits} (agile)"),
        _ => "agile encryption".to_owned(),
    }
}

fn algorithm_name(algorithm: u32) -> &'static str {
    match algorithm {
        0x660e => "AES-128",
        0x660f => "AES-192",
        0x6610 => "AES-256",
        0x6801 => "RC4",
        _ => "CryptoAPI",
    }
}

/// The scheme of a workbook stream's FilePass record, or `None` where it has none ([MS-XLS] 2.4.117).
pub fn workbook(stream: &[u8], budget: &Budget) -> Result<Option<String>, Halt> {
    let mut records = Reader::new(stream);
    let mut biff8 = false;
    // Headers of records stay in clear. Ends because every round takes at least four bytes.
    while let Ok((id, body)) = record(&mut records) {
        budget.tick()?;
        match id {
            // BOF of BIFF5 and BIFF8.
            0x0809 => biff8 = u16_at(body, 0) == Some(0x0600),
            0x002f => return Ok(Some(file_pass(body, biff8))),
            // EOF of the globals: FilePass stands near their start.
            0x000a => break,
            _ => {}
        }
    }
    Ok(None)
}

fn record<'a>(records: &mut Reader<'a>) -> Result<(u16, &'a [u8]), Short> {
    let id = records.u16("record id")?;
    let len = usize::from(records.u16("record length")?);
    let body = records.take("record", len);
    Ok((id, body.unwrap_or_else(|_| records.rest())))
}

fn file_pass(body: &[u8], biff8: bool) -> String {
    if !biff8 || u16_at(body, 0) == Some(0) {
        return "XOR obfuscation".to_owned();
    }
    rc4(body.get(2..).unwrap_or_default())
}

/// An EncryptionVersionInfo (2.1.4) as it starts binary RC4 and CryptoAPI headers.
fn rc4(header: &[u8]) -> String {
    match u16_at(header, 0) {
        Some(1) => "RC4".to_owned(),
        Some(2..=4) => "RC4 CryptoAPI".to_owned(),
        _ => "unknown encryption".to_owned(),
    }
}

/// The scheme of a Word document by its FIB ([MS-DOC] 2.5.2), or `None` where it is not encrypted.
///
/// `table` gives the table stream that the FIB names: `1Table` or `0Table`.
pub fn word<'a>(stream: &[u8], table: impl FnOnce(&'static str) -> &'a [u8]) -> Option<String> {
    let ident = u16_at(stream, 0)?;
    let flags = u16_at(stream, 10)?;
    let (encrypted, obfuscated) = (flags & 0x0100 != 0, flags & 0x8000 != 0);
    if !encrypted {
        return None;
    }
    // Word before 97 knew only XOR.
    if obfuscated || ident != 0xa5ec {
        return Some("XOR obfuscation".to_owned());
    }
    let name = if flags & 0x0200 != 0 {
        "1Table"
    } else {
        "0Table"
    };
    Some(rc4(table(name)))
}

/// The scheme of a presentation by its `Current User` stream ([MS-PPT] 2.3.2) and its records, or `None`.
pub fn presentation(current_user: &[u8], document: &[u8]) -> Option<String> {
    let token = u32_at(current_user, 12) == Some(0xf3d1_c4df);
    // A UserEditAtom with its optional last field refers to the CryptSession10Container (2.3.3).
    let edit = u32_at(current_user, 16).map(crate::bytes::index);
    let session = edit
        .and_then(|edit| slice(document, edit, 40))
        .is_some_and(|atom| {
            u16_at(atom, 2) == Some(0x0ff5)
                && u32_at(atom, 4) == Some(0x20)
                && u32_at(atom, 36) != Some(0)
        });
    (token || session).then(|| "RC4 CryptoAPI".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn biff(records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (id, body) in records {
            out.extend(id.to_le_bytes());
            out.extend(u16::try_from(body.len()).unwrap().to_le_bytes());
            out.extend(*body);
        }
        out
    }

    fn scheme(stream: &[u8]) -> Option<String> {
        workbook(stream, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn a_file_pass_is_told_by_its_version_and_sheet_protection_is_not() {
        let bof8: (u16, &[u8]) = (0x0809, &[0, 6, 5, 0]);
        let end: (u16, &[u8]) = (0x000a, &[]);
        let of = |pass: &[u8]| scheme(&biff(&[bof8, (0x2f, pass), end]));
        assert_eq!(of(&[0, 0, 1, 2, 3, 4]).as_deref(), Some("XOR obfuscation"));
        assert_eq!(of(&[1, 0, 1, 0, 1, 0]).as_deref(), Some("RC4"));
        assert_eq!(of(&[1, 0, 2, 0, 2, 0]).as_deref(), Some("RC4 CryptoAPI"));
        let protected = biff(&[
            bof8,
            (0x12, &[1, 0]),
            (0x13, &[0x34, 0x12]),
            (0x86, &[]),
            end,
        ]);
        assert_eq!(scheme(&protected), None);
        let behind = biff(&[bof8, end, (0x2f, &[0, 0])]);
        assert_eq!(scheme(&behind), None);
        let old = biff(&[(0x0809, &[0, 5, 5, 0]), (0x2f, &[1, 2, 3, 4])]);
        assert_eq!(scheme(&old).as_deref(), Some("XOR obfuscation"));
    }

    #[test]
    fn a_fib_tells_encryption_and_not_write_reservation() {
        let fib = |flags: u16| {
            let mut fib = vec![0xec, 0xa5, 0xc1, 0, 0, 0, 0, 0, 0, 0];
            fib.extend(flags.to_le_bytes());
            fib
        };
        let table = |name: &str| -> &'static [u8] {
            if name == "1Table" {
                &[2, 0, 2, 0]
            } else {
                &[1, 0, 1, 0]
            }
        };
        assert_eq!(word(&fib(0x0800 | 0x1000), table), None);
        assert_eq!(word(&fib(0x0100), table).as_deref(), Some("RC4"));
        assert_eq!(word(&fib(0x0300), table).as_deref(), Some("RC4 CryptoAPI"));
        assert_eq!(
            word(&fib(0x8100), table).as_deref(),
            Some("XOR obfuscation")
        );
    }

    #[test]
    fn encryption_info_names_the_cipher() {
        let mut info = vec![4, 0, 4, 0, 0x40, 0, 0, 0];
        info.extend(br#"<encryption><keyData keyBits="256" cipherAlgorithm="AES"/></encryption>"#);
        assert_eq!(encryption_info(&info), "AES-256 (agile)");
        let mut info = vec![
            3, 0, 2, 0, 0x24, 0, 0, 0, 0x8c, 0, 0, 0, 0x24, 0, 0, 0, 0, 0, 0, 0,
        ];
        info.extend(0x660eu32.to_le_bytes());
        assert_eq!(encryption_info(&info), "AES-128 (standard)");
        assert_eq!(encryption_info(&[]), "unknown encryption 0.0");
    }
}
