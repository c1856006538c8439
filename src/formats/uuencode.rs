//! uuencoded blocks in text (POSIX `uuencode`, historical algorithm): found anywhere, read leniently.
//!
//! The base64 variant (`begin-base64`) and XXencode, whose lines have another alphabet, are read too. Checksums behind the data of a line are passed over.

use std::ops::Range;

use super::base64;

/// One block from the line that begins it to the line that ends it, or as far as its lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The whole block in the text.
    pub range: Range<usize>,
    /// The name in the first line, raw.
    pub name: Vec<u8>,
    /// The bytes.
    pub data: Vec<u8>,
    /// Whether the block ends without its last line.
    pub cut: bool,
    /// Whether that line has a checksum of the bytes that does not hold; those of uuencode have none.
    pub is_wrong: bool,
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
        match uu_lines(text, body) {
            Some(block @ (.., false)) => Some(block),
            // Its lines are read as those of the other alphabet hardly ever, and then not to the end.
            cut => xx_lines(text, body).or(cut),
        }
    };
    let (end, data, cut) = lines?;
    Some(Block {
        range: start..end,
        name,
        data,
        cut,
        is_wrong: false,
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

/// The same of XXencode: every line is as long as its first character says, or has one more for a checksum.
fn xx_lines(text: &[u8], mut at: usize) -> Option<(usize, Vec<u8>, bool)> {
    let mut data = Vec::new();
    let mut is_full = false;
    while let Some((line, next)) = line(text, at) {
        let line = line.trim_ascii_end();
        if line == b"end" && !data.is_empty() {
            return Some((next, data, false));
        }
        if !line.is_empty() && line != b"+" && !xx_line(line, &mut data) {
            break;
        }
        is_full |= line.len() >= 61;
        at = next;
    }
    // One short line without an end may be a word.
    is_full.then_some((at, data, true))
}

/// Whether it is a line of XXencode that holds something.
pub fn is_xx_line(line: &[u8]) -> bool {
    xx_line(line, &mut Vec::new())
}

fn xx_line(line: &[u8], data: &mut Vec<u8>) -> bool {
    let Some((count, body)) = line.split_first() else {
        return false;
    };
    let count = usize::from(xx_six(*count).unwrap_or(0));
    let wanted = count.div_ceil(3).saturating_mul(4);
    if count == 0 || !(wanted..=wanted.saturating_add(1)).contains(&body.len()) {
        return false;
    }
    let start = data.len();
    for group in body.as_chunks::<4>().0.iter().take(wanted / 4) {
        let mut bits = 0u32;
        for character in group {
            let Some(six) = xx_six(*character) else {
                data.truncate(start);
                return false;
            };
            bits = bits << 6 | u32::from(six);
        }
        data.extend_from_slice(bits.to_be_bytes().get(1..).unwrap_or_default());
    }
    data.truncate(start.saturating_add(count));
    true
}

/// `+-0123456789A…Za…z` count from 0.
fn xx_six(character: u8) -> Option<u8> {
    Some(match character {
        b'+' => 0,
        b'-' => 1,
        b'0'..=b'9' => character.wrapping_sub(b'0').wrapping_add(2),
        b'A'..=b'Z' => character.wrapping_sub(b'A').wrapping_add(12),
        b'a'..=b'z' => character.wrapping_sub(b'a').wrapping_add(38),
        _ => return None,
    })
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
    fn lines_of_the_other_alphabet_are_read() {
        // "Cat" and what a line holds at the most.
        let block = next(b"x\nbegin 644 cat.txt\n1Eq3o\n+\nend\n", 0).unwrap();
        assert_eq!((block.data.as_slice(), block.cut), (&b"Cat"[..], false));
        let line = format!("h{}", "Eq3o".repeat(15));
        let cut = format!("begin 644 cats\r\n{line}\r\n{line}\r\nno line");
        let block = next(cut.as_bytes(), 0).unwrap();
        assert_eq!((block.data, block.cut), (b"Cat".repeat(30), true));
        assert!(is_xx_line(line.as_bytes()) && !is_xx_line(b"hello"));
        assert_eq!(next(b"begin 644 x\n1Eq3\nend\n", 0), None);
        assert_eq!(next(b"begin 644 x\n1Eq3o\nno end", 0), None);
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
