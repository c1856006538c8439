//! yEnc blocks in text (yEnc draft 1.3): found at line starts, read leniently.

use super::uuencode::Block;
use super::zip::crc32;

/// Finds the next block that begins at or behind `from`.
pub fn next(text: &[u8], from: usize) -> Option<Block> {
    let mut at = from;
    loop {
        let found = memchr::memmem::find(text.get(at..)?, b"=ybegin ")?;
        let start = at.checked_add(found)?;
        at = start.checked_add(8)?;
        let before = start.checked_sub(1).and_then(|before| text.get(before));
        if matches!(before, None | Some(b'\n' | b'\r')) {
            return Some(block(text, start));
        }
    }
}

fn block(text: &[u8], start: usize) -> Block {
    let mut at = start;
    let mut name = Vec::new();
    let mut data = Vec::new();
    let mut is_part = false;
    // Ends because every line moves `at` on.
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..len).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let next = at.saturating_add(len).saturating_add(1).min(text.len());
        if line.starts_with(b"=yend") {
            // Of a part, `crc32` is that of the whole file.
            let key: &[u8] = if is_part { b" pcrc32=" } else { b" crc32=" };
            let is_wrong = checksum(line, key).is_some_and(|sum| sum != crc32(&data));
            return Block {
                range: start..next,
                name,
                data,
                cut: false,
                is_wrong,
            };
        }
        if line.starts_with(b"=ybegin ") {
            if at != start {
                // A second block that begins inside the first.
                break;
            }
            name = named(line);
        } else if line.starts_with(b"=ypart ") {
            is_part = true;
        } else {
            decode_line(line, &mut data);
        }
        at = next;
    }
    Block {
        range: start..at,
        name,
        data,
        cut: true,
        is_wrong: false,
    }
}

/// The hexadecimal number behind a key.
fn checksum(line: &[u8], key: &[u8]) -> Option<u32> {
    let at = memchr::memmem::find(line, key)?.checked_add(key.len())?;
    let digits = line.get(at..)?.split(|byte| *byte == b' ').next()?;
    u32::from_str_radix(std::str::from_utf8(digits).ok()?.trim(), 16).ok()
}

fn named(line: &[u8]) -> Vec<u8> {
    match memchr::memmem::find(line, b" name=") {
        Some(at) => line
            .get(at.saturating_add(6)..)
            .unwrap_or_default()
            .trim_ascii()
            .to_vec(),
        None => Vec::new(),
    }
}

fn decode_line(line: &[u8], data: &mut Vec<u8>) {
    data.reserve(line.len());
    let mut escaped = false;
    for &byte in line {
        if escaped {
            data.push(byte.wrapping_sub(64).wrapping_sub(42));
            escaped = false;
        } else if byte == b'=' {
            escaped = true;
        } else {
            data.push(byte.wrapping_sub(42));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_decoded_with_its_escapes() {
        // "Cat" and a zero byte less 42: 0x13 needs no escape, 0xd6 (-42) becomes "=" 0x40.
        let text =
            b"hi\r\n=ybegin line=128 size=4 name=cat pic.bin\r\nm\x8b\x9e=@\r\n=yend size=4\r\n";
        let block = next(text, 0).unwrap();
        assert_eq!(block.data, b"Cat\xd6");
        assert_eq!(block.name, b"cat pic.bin");
        assert!(!block.cut);
    }

    #[test]
    fn a_checksum_that_does_not_hold_is_told() {
        let of = |part: &str, end: &str| {
            let text = format!("=ybegin line=128 size=3 name=x\n{part}");
            let end = format!("\n=yend size=3 {end}\n");
            next(&[text.as_bytes(), b"m\x8b\x9e", end.as_bytes()].concat(), 0)
                .unwrap()
                .is_wrong
        };
        let sum = format!("{:08X}", crc32(b"Cat"));
        assert!(!of("", &format!("crc32={sum}")));
        assert!(!of("", "part=1"));
        assert!(of("", "crc32=00000001"));
        let part = "=ypart begin=1 end=3\n";
        assert!(!of(part, &format!("part=1 pcrc32={sum} crc32=00000001")));
        assert!(of(part, &format!("part=1 pcrc32=1 crc32={sum}")));
    }

    #[test]
    fn a_cut_block_gives_what_is_there() {
        let block = next(
            b"=ybegin part=1 line=128 size=9 name=x\n=ypart begin=1 end=3\nm\x8b",
            0,
        );
        let block = block.unwrap();
        assert_eq!((block.data.as_slice(), block.cut), (b"Ca".as_slice(), true));
        assert_eq!(next(b"see =ybegin line=1", 0), None);
    }
}
