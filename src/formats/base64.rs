//! Base64 (RFC 4648 section 4, RFC 2045 section 6.8) as mail readers read it: what does not belong is passed over.
//!
//! Decoders differ on dirty input, so what was passed over is told; a caller for whom the difference matters looks
//! at both readings.

/// What lenient decoding gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base64 {
    /// The bytes.
    pub data: Vec<u8>,
    /// Characters that are neither of the alphabet nor white space nor padding, passed over.
    pub junk: usize,
    /// Offset in `data` of what came after the first padding, where anything did: some readers stop there.
    pub after_padding: Option<usize>,
    /// Whether the last group lacked characters and padding.
    pub unpadded: bool,
}

const JUNK: u8 = 0xff;
const BLANK: u8 = 0xfe;
const PADDING: u8 = 0xfd;

/// Six bits of each character, or one of the marks above. The URL-safe alphabet (RFC 4648 section 5) is read too.
const VALUES: [u8; 256] = values();

#[expect(
    clippy::indexing_slicing,
    reason = "constants, evaluated at compile time"
)]
const fn values() -> [u8; 256] {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [JUNK; 256];
    let mut at = 0;
    let mut value = 0u8;
    while at < alphabet.len() {
        table[alphabet[at] as usize] = value;
        value = value.wrapping_add(1);
        at += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table[b' ' as usize] = BLANK;
    table[b'\t' as usize] = BLANK;
    table[b'\r' as usize] = BLANK;
    table[b'\n' as usize] = BLANK;
    table[b'=' as usize] = PADDING;
    table
}

fn value(byte: u8) -> u8 {
    VALUES.get(usize::from(byte)).copied().unwrap_or(JUNK)
}

/// Whether a byte is of the alphabet (either of the two), without padding.
pub fn is_base64(byte: u8) -> bool {
    value(byte) < 64
}

/// Encodes without line ends.
pub fn encode(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |bits: u32| DIGITS.get(crate::bytes::index(bits & 63)).copied();
    let mut out = String::with_capacity(data.len().div_ceil(3).saturating_mul(4));
    for group in data.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        let digits = [bits >> 18, bits >> 12, bits >> 6, bits];
        for (at, bits) in digits.into_iter().enumerate() {
            let there = at <= group.len();
            let digit = if there { digit(bits) } else { Some(b'=') };
            out.extend(digit.map(char::from));
        }
    }
    out
}

/// Decodes leniently: white space and junk are passed over, padding ends a group but not the text, the last group
/// may be short. Never fails; output is at most three quarters of the input.
pub fn decode(text: &[u8]) -> Base64 {
    let mut out = Base64 {
        data: Vec::with_capacity(text.len() / 4 * 3 + 3),
        ..Base64::default()
    };
    let mut bits = 0u32;
    let mut held = 0u32;
    let mut padded = false;
    let mut rest = text;
    loop {
        // The fast path: four characters of the alphabet at a group's start.
        while held == 0
            && let Some((quad, tail)) = rest.split_first_chunk::<4>()
        {
            let [a, b, c, d] = quad.map(value);
            if (a | b | c | d) >= 64 {
                break;
            }
            if padded && out.after_padding.is_none() {
                out.after_padding = Some(out.data.len());
            }
            out.data
                .extend_from_slice(&[a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d]);
            rest = tail;
        }
        let Some((&byte, tail)) = rest.split_first() else {
            break;
        };
        rest = tail;
        match value(byte) {
            BLANK => {}
            JUNK => out.junk = out.junk.saturating_add(1),
            PADDING => {
                flush(&mut out.data, bits, held);
                (bits, held, padded) = (0, 0, true);
            }
            six => {
                if padded && out.after_padding.is_none() {
                    out.after_padding = Some(out.data.len());
                }
                bits = bits << 6 | u32::from(six);
                held += 1;
                if held == 4 {
                    flush(&mut out.data, bits, held);
                    (bits, held) = (0, 0);
                }
            }
        }
    }
    out.unpadded = held != 0;
    flush(&mut out.data, bits, held);
    out
}

/// Writes the whole bytes that `held` characters make.
fn flush(data: &mut Vec<u8>, bits: u32, held: u32) {
    let missing = 4u32.saturating_sub(held);
    let [_, bytes @ ..] = (bits << (6 * missing)).to_be_bytes();
    let whole = match held {
        4 => 3,
        3 => 2,
        2 => 1,
        _ => 0,
    };
    data.extend(bytes.iter().take(whole));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_as_the_specification_has_it() {
        // RFC 4648 section 10.
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
        }
    }

    #[test]
    fn clean_text_decodes_without_a_word() {
        let decoded = decode(b"SGVs\r\nbG8g d29ybGQ=");
        assert_eq!(
            decoded,
            Base64 {
                data: b"Hello world".to_vec(),
                ..Base64::default()
            }
        );
    }

    #[test]
    fn junk_is_passed_over_and_counted() {
        let decoded = decode(b"SG*Vsb!G8=");
        assert_eq!(
            (decoded.data.as_slice(), decoded.junk),
            (b"Hello".as_slice(), 2)
        );
    }

    #[test]
    fn what_stands_behind_padding_is_decoded_and_told() {
        let decoded = decode(b"SGk=SGk=");
        assert_eq!(
            (decoded.data.as_slice(), decoded.after_padding),
            (b"HiHi".as_slice(), Some(2))
        );
    }

    #[test]
    fn a_short_last_group_gives_its_whole_bytes() {
        let decoded = decode(b"SGVsbG8");
        assert_eq!(
            (decoded.data.as_slice(), decoded.unpadded),
            (b"Hello".as_slice(), true)
        );
        assert_eq!(decode(b"A").data, b"");
    }
}
