//! yEnc blocks in text (yEnc draft 1.3): found at line starts, read leniently; checksums are not verified.

use super::uuencode::Block;

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
    // Ends because every line moves `at` on.
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        let line = rest.get(..len).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let next = at.saturating_add(len).saturating_add(1).min(text.len());
        if line.starts_with(b"=yend") {
            return Block {
                range: start..next,
                name,
                data,
                cut: false,
            };
        }
        if line.starts_with(b"=ybegin ") {
            if at != start {
                // A second block that begins inside the first.
                break;
            }
            name = named(line);
        } else if !line.starts_with(b"=ypart ") {
            decode_line(line, &mut data);
        }
        at = next;
    }
    Block {
        range: start..at,
        name,
        data,
        cut: true,
    }
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
