//! LZNT1 ([MS-XCA] 2.5): chunks of 4 KiB, as NTFS compresses files.

use super::huffman::repeat;
use crate::bytes::u16_at;

/// Bytes of a chunk, decoded.
const CHUNK: usize = 4096;

/// Decodes up to `size` bytes; what is broken ends it early.
pub fn decode(data: &[u8], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(size.min(1 << 16));
    let mut at = 0usize;
    // Ends because each turn takes at least the head of a chunk.
    while out.len() < size
        && let Some(head) = u16_at(data, at).filter(|head| *head != 0)
    {
        let len = usize::from(head & 0x0fff).saturating_add(1);
        let start = at.saturating_add(2);
        let end = start.saturating_add(len);
        let Some(packed) = data.get(start..end.min(data.len())) else {
            break;
        };
        at = end;
        if head & 0x8000 == 0 {
            out.extend_from_slice(packed);
        } else if chunk(packed, &mut out).is_none() {
            break;
        }
        // Each chunk but the last stands for 4 KiB.
        if at < data.len() && u16_at(data, at).is_some_and(|next| next != 0) {
            out.resize(out.len().next_multiple_of(CHUNK), 0);
        }
    }
    out.truncate(size);
    out
}

/// Decodes one chunk; `None` where a match leads nowhere.
fn chunk(packed: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let start = out.len();
    let mut at = 0usize;
    // Ends because each turn takes a byte of flags.
    while let Some(flags) = packed.get(at) {
        at = at.saturating_add(1);
        for bit in 0..8 {
            let made = out.len().saturating_sub(start);
            if made >= CHUNK {
                return Some(());
            }
            if flags >> bit & 1 == 0 {
                let Some(literal) = packed.get(at) else {
                    return Some(());
                };
                out.push(*literal);
                at = at.saturating_add(1);
                continue;
            }
            let Some(token) = u16_at(packed, at) else {
                return Some(());
            };
            at = at.saturating_add(2);
            // The more was decoded, the more bits the distance takes.
            let back = made.checked_sub(1)?;
            let wide = usize::BITS.saturating_sub((back >> 4).leading_zeros());
            let lengths = 12u32.checked_sub(wide)?;
            let len = usize::from(token & (0x0fff >> wide)).saturating_add(3);
            let distance = usize::from(token >> lengths).saturating_add(1);
            if distance > made {
                return None;
            }
            repeat(out, distance, len.min(CHUNK.saturating_sub(made)))?;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_specification_is_decoded() {
        // [MS-XCA] 3.3.
        let data = [
            0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00, 0x10, 0xa2,
            0x47, 0x01, 0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01, 0x50, 0x79, 0x00, 0xc0,
            0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4, 0x02, 0x4a, 0x44, 0xef, 0x03, 0x58,
            0x02, 0x8c, 0x09, 0x16, 0x01, 0x48, 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01,
            0x18, 0x90, 0x00,
        ];
        let want = "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E F# \
                    G F# E D E A F# F# G A A G F# E D D E F# E D D\0";
        assert_eq!(decode(&data, 4096), want.as_bytes());
        for cut in 0..data.len() {
            assert!(decode(&data[..cut], 4096).len() <= want.len());
        }
        assert_eq!(decode(&data, 2), b"F#");
        assert_eq!(decode(&[3, 0xb0, 1, 0xff, 0xff, 0], 99), b"");
    }
}
