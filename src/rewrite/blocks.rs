//! Blocks of uuencode (its base64 form too) and yEnc with other bytes: the line with the name stays, everything behind it
//! is written anew.

use std::borrow::Cow;

use super::disarm::with_extension;
use super::mail::base64;
use crate::formats::zip::crc32;

/// Bytes of a line of uuencode, and characters of a line of yEnc.
const UU_LINE: usize = 45;
const YENC_LINE: usize = 128;

/// The block with new bytes, and a name with another extension where one goes with them. None for a piece of a file.
pub(super) fn filled(block: &[u8], new: &[u8], extension: Option<&str>) -> Option<Vec<u8>> {
    let end = memchr::memchr(b'\n', block)?;
    let line = block.get(..end)?;
    let (line, eol): (&[u8], &[u8]) = match line.strip_suffix(b"\r") {
        Some(line) => (line, b"\r\n"),
        None => (line, b"\n"),
    };
    if line.starts_with(b"=ybegin ") {
        return yenc(line, new, extension, eol);
    }
    let line = match extension {
        Some(extension) => Cow::Owned(renamed(line, b' ', extension)?),
        None => Cow::Borrowed(line),
    };
    let mut out = [&line, eol].concat();
    if line.starts_with(b"begin-base64 ") {
        // The last line break and the end behind it are not in the block.
        out.extend(base64(new, eol));
        out.pop();
        return Some(out);
    } else if line.starts_with(b"begin ") {
        uuencode(new, eol, &mut out);
    } else {
        return None;
    }
    out.extend_from_slice(eol);
    Some(out)
}

/// A line with another extension for the name behind the last `mark`, where it reads as text.
fn renamed(line: &[u8], mark: u8, extension: &str) -> Option<Vec<u8>> {
    // `begin 644 name with blanks`: the name is behind the second one.
    let at = match mark {
        b' ' => memchr::memchr_iter(b' ', line).nth(1)?,
        _ => memchr::memrchr(mark, line)?,
    };
    let (head, name) = line.split_at_checked(at.checked_add(1)?)?;
    let dot = memchr::memrchr(b'.', name).unwrap_or(name.len());
    match std::str::from_utf8(name) {
        Ok(name) => Some([head, with_extension(name, extension).as_bytes()].concat()),
        // Whatever its charset is, a dot and what is behind it are the same in all of mail.
        Err(_) => Some([head, name.get(..dot)?, b".", extension.as_bytes()].concat()),
    }
}

/// Lines of data, one without any, and the end (POSIX `uuencode`, historical algorithm); no blanks, which mail loses.
fn uuencode(new: &[u8], eol: &[u8], out: &mut Vec<u8>) {
    let sign = |six: u8| match six & 0x3f {
        0 => b'`',
        six => six.saturating_add(0x20),
    };
    for line in new.chunks(UU_LINE) {
        out.push(sign(u8::try_from(line.len()).unwrap_or_default()));
        for three in line.chunks(3) {
            let byte = |at: usize| three.get(at).copied().unwrap_or_default();
            let (a, b, c) = (byte(0), byte(1), byte(2));
            out.extend([a >> 2, a << 4 | b >> 4, b << 2 | c >> 6, c].map(sign));
        }
        out.extend_from_slice(eol);
    }
    out.extend_from_slice(b"`");
    out.extend_from_slice(eol);
    out.extend_from_slice(b"end");
}

/// yEnc draft 1.3; a piece of a file has its place in the whole, which is no longer known.
fn yenc(line: &[u8], new: &[u8], extension: Option<&str>, eol: &[u8]) -> Option<Vec<u8>> {
    if memchr::memmem::find(line, b" part=").is_some() {
        return None;
    }
    let at = memchr::memmem::find(line, b" name=")?;
    let name = line.get(at..)?;
    let name = match extension {
        Some(extension) => Cow::Owned(renamed(name, b'=', extension)?),
        None => Cow::Borrowed(name),
    };
    let size = new.len();
    let mut out = format!("=ybegin line={YENC_LINE} size={size}").into_bytes();
    out.extend_from_slice(&name);
    out.extend_from_slice(eol);
    let mut width = 0usize;
    for byte in new {
        let byte = byte.wrapping_add(42);
        let critical = matches!(byte, 0 | b'\n' | b'\r' | b'=')
            || width == 0 && matches!(byte, b'.' | b'-' | b'F')
            || matches!(byte, b' ' | b'\t');
        if critical {
            out.extend([b'=', byte.wrapping_add(64)]);
            width = width.saturating_add(2);
        } else {
            out.push(byte);
            width = width.saturating_add(1);
        }
        if width >= YENC_LINE {
            out.extend_from_slice(eol);
            width = 0;
        }
    }
    if width > 0 {
        out.extend_from_slice(eol);
    }
    let sum = crc32(new);
    out.extend_from_slice(format!("=yend size={size} crc32={sum:08x}").as_bytes());
    out.extend_from_slice(eol);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::{uuencode, yenc};

    #[test]
    fn what_is_encoded_decodes_to_itself() {
        for len in [1usize, 2, 3, 44, 45, 46, 1000] {
            let new: Vec<u8> = (0..=255u8).rev().cycle().take(len).collect();
            for begin in ["begin 644 old name.docm", "begin-base64 600 old name.docm"] {
                for eol in ["\n", "\r\n"] {
                    let old = format!("{begin}{eol}#0V%T{eol}`{eol}end{eol}");
                    let text = filled(old.as_bytes(), &new, Some("docx")).unwrap();
                    let whole = [&text, "\n====\n".as_bytes()].concat();
                    let block = uuencode::next(&whole, 0).unwrap();
                    assert_eq!(block.data, new, "{begin} {len}");
                    assert_eq!(block.name, b"old name.docx");
                    assert_eq!((block.range.len(), block.cut), (text.len(), false));
                }
            }
            let old = b"=ybegin line=128 size=3 name=a b.bin\r\nm\x8b\x9e\r\n=yend size=3\r\n";
            let text = filled(old, &new, None).unwrap();
            let block = yenc::next(&text, 0).unwrap();
            assert_eq!((block.data, block.name), (new, b"a b.bin".to_vec()));
        }
    }

    #[test]
    fn a_piece_of_a_file_and_another_text_take_nothing() {
        let piece = b"=ybegin part=1 line=128 size=3 name=a\n=ypart begin=1 end=3\nm\n";
        assert_eq!(filled(piece, b"x", None), None);
        assert_eq!(filled(b"beginning\n", b"x", None), None);
    }
}
