//! tar (POSIX.1-2017, pax, "ustar Interchange Format"): whether bytes are one, by the checksum of the first header.
//!
//! Members are read by the tar crate; old archives have no magic number, so the checksum is all there is to go by.

use crate::bytes::slice;

const HEADER_LEN: usize = 512;

/// Whether the first 512 bytes are a tar header: its checksum (field of 8 bytes at 148, octal) is right, summed
/// unsigned or signed, and there is a name.
pub fn is_tar(data: &[u8]) -> bool {
    let Some(header) = slice(data, 0, HEADER_LEN) else {
        return false;
    };
    let Some(stated) = slice(header, 148, 8).and_then(octal) else {
        return false;
    };
    if header.first() == Some(&0) {
        return false;
    }
    let in_checksum = |at: usize| (148..156).contains(&at);
    let mut unsigned = 0i64;
    let mut signed = 0i64;
    for (at, &byte) in header.iter().enumerate() {
        let byte = if in_checksum(at) { b' ' } else { byte };
        unsigned = unsigned.saturating_add(i64::from(byte));
        // Old writers summed signed characters.
        signed = signed.saturating_add(i64::from(i8::from_ne_bytes([byte])));
    }
    stated == unsigned || stated == signed
}

/// An octal number between blanks and zero bytes.
fn octal(field: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    i64::from_str_radix(digits.split(['\0', ' ']).next()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_decides() {
        let mut header = tar::Header::new_old();
        header.set_path("a.txt").unwrap();
        header.set_size(0);
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        assert!(is_tar(&bytes));
        assert!(!is_tar(&bytes[..511]));
        bytes[0] ^= 1;
        assert!(!is_tar(&bytes));
        assert!(!is_tar(&[0; 1024]));
    }
}
