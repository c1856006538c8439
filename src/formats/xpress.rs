//! XPRESS with codes ([MS-XCA] 2.2, "LZ77+Huffman"), a chunk at a time as Windows images have it.

use super::huffman::{Code, Words, repeat};

/// Bytes of the table of lengths in front, two of them in each.
const TABLE: usize = 256;
/// Symbols of literals; the rest are matches.
const LITERALS: usize = 256;
/// The shortest match.
const SHORTEST: usize = 3;

/// Why a chunk could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Too many symbols, or bits that are no code.
    #[error("XPRESS: a code that tells nothing apart")]
    Code,
    /// A match that reaches behind the start, or beyond the end.
    #[error("XPRESS: a match that leaves its chunk")]
    Match,
    /// The data ends before the chunk does.
    #[error("XPRESS: the data ends inside of a chunk")]
    Cut,
}

/// Decodes a chunk of `size` bytes.
///
/// # Errors
/// The data is none of XPRESS's, or too short.
pub fn chunk(data: &[u8], size: usize) -> Result<Vec<u8>, Broken> {
    let table = data.get(..TABLE).ok_or(Broken::Cut)?;
    let lengths: Vec<u8> = table
        .iter()
        .flat_map(|byte| [byte & 15, byte >> 4])
        .collect();
    let code = Code::new(&lengths, 11).ok_or(Broken::Code)?;
    let mut words = Words::new(data.get(TABLE..).unwrap_or_default());
    let mut out = Vec::with_capacity(size.min(1 << 16));
    // Ends because each turn appends a byte, or fails at the end of the data.
    while out.len() < size {
        let symbol = code.read(&mut words).ok_or(Broken::Code)?;
        if words.overrun() {
            return Err(Broken::Cut);
        }
        let Some(symbol) = symbol.checked_sub(LITERALS) else {
            out.push(u8::try_from(symbol).unwrap_or_default());
            continue;
        };
        let mut len = symbol & 15;
        let bits = u32::try_from(symbol >> 4).unwrap_or_default();
        if len == 15 {
            let more = words.byte().ok_or(Broken::Cut)?;
            len = len.saturating_add(usize::from(more));
            if more == u8::MAX {
                let (low, high) = (words.byte(), words.byte());
                let (low, high) = (low.ok_or(Broken::Cut)?, high.ok_or(Broken::Cut)?);
                len = usize::from(u16::from_le_bytes([low, high]));
            }
        }
        len = len.saturating_add(SHORTEST);
        let offset = crate::bytes::index(words.take(bits) | 1 << bits);
        if len > size.saturating_sub(out.len()) {
            return Err(Broken::Match);
        }
        repeat(&mut out, offset, len).ok_or(Broken::Match)?;
    }
    if words.overrun() {
        return Err(Broken::Cut);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_decoded() {
        // [MS-XCA] 3.2: the alphabet once.
        let mut data = vec![0; TABLE];
        data[0x30..0x40].copy_from_slice(&[
            0x50, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x45, 0x44, 0x04, 0,
            0,
        ]);
        data[0x80] = 0x04;
        data.extend([
            0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f, 0xf9, 0xd6, 0x7c, 0xdf,
            0x8d, 0x04, 0, 0, 0, 0,
        ]);
        assert_eq!(chunk(&data, 26), Ok(b"abcdefghijklmnopqrstuvwxyz".to_vec()));
        for cut in 0..TABLE + 8 {
            assert!(chunk(&data[..cut], 26).is_err(), "{cut}");
        }
        assert_eq!(chunk(&[0x11; 300], 26), Err(Broken::Code));
    }
}
