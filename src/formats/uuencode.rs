//! uuencoded blocks in text (POSIX `uuencode`, historical algorithm): found anywhere, read leniently.
//!
//! The base64 variant (`begin-base64`) is read too. Checksums behind the data of a line are passed over.

use std::ops::Range;

use super::base64;

/// One block from its `begin` line to its `end` line, or as far as its lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The whole block in the text.
    pub range: Range<usize>,
    /// The name in the `begin` line, raw.
    pub name: Vec<u8>,
    /// The bytes.
    pub data: Vec<u8>,
    /// Whether the block ends without its `end` line.
    pub cut: bool,
}

/// Finds the next block that begins at or behind `from`. Never goes over a byte twice but for the first two lines.
pub fn next(text: &[u8], from: usize) -> Option<Block> {
    let mut at = from;
    loop {
        let found = memchr::memmem::find(text.get(at..)?, b"begin")?;
        let start = at.checked_add(found)?;
        at = start.checked_add(5)?;
        let line_start = start == 0
            || matches!(
                start.checked_sub(1).and_then(|before| text.get(before)),
                Some(b'\n' | b'\r')
            );
        if line_start && let Some(block) = block(text, start) {
            return Some(block);
        }
    }
}

fn block(text: &[u8], start: usize) -> Option<Block> {
    let (line, body) = line(text, start)?;
    let (words, base64) = match line.strip_prefix(b"begin-base64 ") {
        Some(words) => (words, true),
        None => (line.strip_prefix(b"begin ")?, false),
    };
    let words = words.trim_ascii();
    let mode = words
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    if !(1..=7).contains(&mode) {
        return None;
    }
    let name = words.get(mode..)?;
    if !name.is_empty() && !name.starts_with(b" ") && !name.starts_with(b"\t") {
        return None;
    }
    let name = name.trim_ascii().to_vec();
    let lines = if base64 {
        base64_lines(text, body)
    } else {
        uu_lines(text, body)
    };
    let (end, data, cut) = lines?;
    Some(Block {
        range: start..end,
        name,
        data,
        cut,
    })
}

/// A line without its end, and where the next one starts.
fn line(text: &[u8], at: usize) -> Option<(&[u8], usize)> {
    /// Longest line of a block; a longer one is none, and is never searched through again and again.
    const LONGEST: usize = 2000;
    let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    let len = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = rest.get(..len)?;
    let next = at.checked_add(len)?.checked_add(1)?.min(text.len());
    Some((line.strip_suffix(b"\r").unwrap_or(line), next))
}

/// The data of the lines from `at`: where the block ends, its bytes, whether its end line lacks.
/// `None` where not even the first line is one of data.
fn uu_lines(text: &[u8], mut at: usize) -> Option<(usize, Vec<u8>, bool)> {
    let mut data = Vec::new();
    let first = at;
    while let Some((line, next)) = line(text, at) {
        if line.trim_ascii() == b"end" {
            return Some((next, data, false));
        }
        if line.trim_ascii().is_empty() || line == b"`" {
            at = next;
            continue;
        }
        if !uu_line(line, &mut data) {
            break;
        }
        at = next;
    }
    (at > first && !data.is_empty()).then_some((at, data, true))
}

/// Appends the bytes of a line; false where it is none of data. Blanks lost at its end are made up for.
fn uu_line(line: &[u8], data: &mut Vec<u8>) -> bool {
    let Some((&count, body)) = line.split_first() else {
        return false;
    };
    if !(b' '..=b'`').contains(&count) {
        return false;
    }
    let count = usize::from(six(count));
    let wanted = count.div_ceil(3).saturating_mul(4);
    // Shorter than a line whose blanks were trimmed could be, or longer than one with a checksum: ordinary text.
    let excess = body.len().saturating_sub(wanted);
    let tolerable = body.len().saturating_mul(2) >= wanted && excess <= 4;
    let legal = body
        .iter()
        .take(wanted)
        .all(|byte| (b' '..=b'`').contains(byte));
    if count == 0 || !tolerable || !legal {
        return count == 0 && body.len() <= 4;
    }
    let end = data.len().saturating_add(count);
    let mut body = body.iter().take(wanted).copied();
    while data.len() < end {
        let mut bits = 0u32;
        for _ in 0..4 {
            bits = bits << 6 | u32::from(six(body.next().unwrap_or(b' ')));
        }
        let [_, bytes @ ..] = bits.to_be_bytes();
        let missing = end.saturating_sub(data.len());
        data.extend(bytes.iter().take(missing));
    }
    true
}

fn six(character: u8) -> u8 {
    character.wrapping_sub(b' ') & 63
}

fn base64_lines(text: &[u8], at: usize) -> Option<(usize, Vec<u8>, bool)> {
    let rest = text.get(at..)?;
    // Before anything is searched for: a text full of `begin` lines must not be read to its end for each of them.
    let junk = rest
        .iter()
        .take(1000)
        .any(|&byte| !base64::is_base64(byte) && !byte.is_ascii_whitespace() && byte != b'=');
    if junk && memchr::memmem::find(rest.get(..1000).unwrap_or(rest), b"\n====").is_none() {
        return None;
    }
    let (end, cut) = match memchr::memmem::find(rest, b"\n====") {
        Some(end) => (end, false),
        None => (rest.len(), true),
    };
    let body = rest.get(..end)?;
    let data = base64::decode(body).data;
    let end = at.checked_add(end)?;
    (!data.is_empty()).then_some((end, data, cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_in_the_middle_of_text() {
        let text = b"to begin with\nbegin 644 cat.txt\n#0V%T\n`\nend\nbye";
        let block = next(text, 0).unwrap();
        assert_eq!(block.data, b"Cat");
        assert_eq!(block.name, b"cat.txt");
        assert_eq!((block.range, block.cut), (14..44, false));
    }

    #[test]
    fn a_block_without_its_end_and_with_trimmed_blanks_is_read() {
        let block = next(b"begin 644 a b.bin\r\n%    \r\n#0V%T", 0).unwrap();
        assert_eq!(block.data, b"\0\0\0\0\0Cat");
        assert!(block.cut);
        assert_eq!(block.name, b"a b.bin");
    }

    #[test]
    fn the_base64_variant_is_read() {
        let block = next(b"begin-base64 644 x\nQ2F0\n====\n", 0).unwrap();
        assert_eq!(block.data, b"Cat");
    }

    #[test]
    fn ordinary_text_is_no_block() {
        assert_eq!(
            next(b"begin 10 minutes earlier\nand you will see it", 0),
            None
        );
        assert_eq!(next(b"They begin 644 x\n#0V%T\nend", 0), None);
    }
}
