//! Scripts of the Windows Script Encoder (`.vbe`, `.jse`, `VBScript.Encode` in pages), decoded.
//!
//! The encoder has no specification. A block is `#@~^`, the length as four bytes in base64 (six characters and `==`), the
//! text, a checksum likewise and `^#~@`. Each character of ASCII stands for another one by one of three alphabets, which
//! follow each other in an order of 64 steps; line ends, angle brackets and the at sign are written with an at sign.
//! Other bytes stand for themselves. The checksum is not compared: the interpreter of Windows does, but later versions
//! of a damaged block are still worth reading.

use std::ops::Range;

/// What stands for each character from the tab (in the place of 31) to 127, in three alphabets; a zero where an escape
/// is used instead.
const ALPHABETS: [&[u8; 97]; 3] = [
    b"dP\"Ja^][B`#e_~ORz!F &c*vG%,)i\0'\0g\0bAZf2sMCq9|SH1rnpI?Kj.\x7f(5}$-T7{=l4mN+0otkL3V:xWw;D/YE\\h6Xy\tu8UQ",
    b"7~ZE:yY'vcbMQSR &Tq+f*X\x7f{01lI\0x\0_\0)$/93o!u(BFJ\\H6K}]jPi#\tpet,wD?m|C8^[nWL4r%VshUG25.dO;-Aaz\"`kN=g",
    b"i,er[fuLEv*C3B cJZ8y2Wl+FRO=p\0{\0Q\0z~;GAwV_&xndtg}h5\"U:`jqoI\\]'Y%|#m(19\x7f6T4bN0^s\tKa$MkD!7SXH.P-)?/",
];

/// Which alphabet each of 64 characters in a row is written with.
const ORDER: &[u8; 64] = b"1201202002021020102011200210200211020201011201021020112001120102";

/// Blocks of one file at the most.
const BLOCKS: usize = 256;

/// One encoded block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its bytes in the file, marks included.
    pub span: Range<usize>,
    /// What it says.
    pub text: Vec<u8>,
    /// Whether its end is there.
    pub whole: bool,
}

/// The encoded blocks of a file. Linear in its length.
pub fn blocks(data: &[u8]) -> Vec<Block> {
    let mut found = Vec::new();
    let mut at = 0usize;
    // Made for the first block only: most texts have none.
    let mut decoders = None;
    // Ends because each round goes on behind the mark that it found.
    while let Some(start) = data
        .get(at..)
        .and_then(|rest| memchr::memmem::find(rest, b"#@~^"))
        .and_then(|skip| at.checked_add(skip))
        && found.len() < BLOCKS
    {
        let Some(body) = start.checked_add(12) else {
            break;
        };
        at = start.saturating_add(4);
        if data.get(body.saturating_sub(2)..body) != Some(b"==") {
            continue;
        }
        let rest = data.get(body..).unwrap_or_default();
        let mark = memchr::memmem::find(rest, b"==^#~@");
        // Six characters of the checksum stand in front of the mark.
        let (len, end) = match mark {
            Some(mark) => (mark.saturating_sub(6), mark.saturating_add(6)),
            None => (rest.len(), rest.len()),
        };
        let end = body.saturating_add(end);
        found.push(Block {
            span: start..end,
            text: decode(
                rest.get(..len).unwrap_or_default(),
                decoders.get_or_insert_with(|| ALPHABETS.map(decoder)),
            ),
            whole: mark.is_some(),
        });
        at = end;
    }
    found
}

fn decode(text: &[u8], decoders: &[[u8; 128]; 3]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut order = ORDER.iter().cycle();
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if !byte.is_ascii() {
            out.push(byte);
            continue;
        }
        let alphabet = order.next().map_or(0, |digit| usize::from(digit & 3));
        if byte == b'@' {
            out.extend(match bytes.next() {
                Some(b'&') => Some(b'\n'),
                Some(b'#') => Some(b'\r'),
                Some(b'*') => Some(b'>'),
                Some(b'!') => Some(b'<'),
                Some(b'$') => Some(b'@'),
                other => other,
            });
            continue;
        }
        let decoder = decoders.get(alphabet);
        let plain = decoder.and_then(|table| table.get(usize::from(byte)));
        out.push(plain.copied().filter(|plain| *plain != 0).unwrap_or(byte));
    }
    out
}

/// What each byte stands for in an alphabet; zero where it stands for itself.
fn decoder(alphabet: &[u8; 97]) -> [u8; 128] {
    let mut table = [0; 128];
    for (plain, byte) in (31u8..).zip(alphabet).filter(|(_, byte)| **byte != 0) {
        if let Some(slot) = table.get_mut(usize::from(*byte)) {
            *slot = if plain == 31 { b'\t' } else { plain };
        }
    }
    table
}

/// A text as the encoder writes it, for tests.
#[cfg(test)]
pub(crate) fn encoded(text: &str) -> Vec<u8> {
    let mut out = b"#@~^AAAAAA==".to_vec();
    let mut order = ORDER.iter().cycle();
    for byte in text.bytes() {
        let alphabet = ALPHABETS[usize::from(order.next().unwrap() & 3)];
        match byte {
            b'\n' => out.extend(b"@&"),
            b'\r' => out.extend(b"@#"),
            b'>' => out.extend(b"@*"),
            b'<' => out.extend(b"@!"),
            b'@' => out.extend(b"@$"),
            b'\t' => out.push(alphabet[0]),
            plain => out.push(alphabet[usize::from(plain) - 31]),
        }
    }
    out.extend(b"AAAAAA==^#~@");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_and_every_alphabet_is_whole() {
        let all: String = (32u8..127).map(char::from).collect();
        let text = format!("\t{all}\r\n{all}\n{all}");
        let found = blocks(&encoded(&text));
        assert_eq!(String::from_utf8_lossy(&found[0].text), text);
        assert!(found[0].whole);
        for alphabet in ALPHABETS {
            let mut bytes: Vec<u8> = alphabet.iter().copied().filter(|byte| *byte != 0).collect();
            bytes.sort_unstable();
            bytes.dedup();
            assert_eq!(bytes.len(), 94);
        }
    }

    #[test]
    fn what_the_encoder_wrote_is_read() {
        // Made by the encoder of Windows.
        let data = b"<%#@~^IAAAAA==~U+.7+MR?1Db2Y:kh+KEO~{PFZT!Z!!,DwoAAA==^#~@%>";
        let found = blocks(data);
        assert_eq!(found[0].text, b" Server.ScriptTimeout = 1000000 ");
        assert_eq!(found[0].span, 2..data.len() - 2);
    }

    #[test]
    fn a_block_that_breaks_off_is_read_as_far_as_it_goes() {
        let whole = encoded("MsgBox 1\r\nMsgBox 2");
        for len in 0..whole.len() {
            let _ = blocks(&whole[..len]);
        }
        let found = blocks(&whole[..whole.len() - 12]);
        assert!(found[0].text.starts_with(b"MsgBox 1") && !found[0].whole);
    }
}
