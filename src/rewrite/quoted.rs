//! Text → quoted-printable (RFC 2045 section 6.7) that no program takes for anything else.

/// Characters of a line at the most, without its end.
const WIDTH: usize = 76;

/// Encodes text whose lines end in `\n`; the lines of the result end in `eol`, the last one too.
///
/// A dash, a dot and the word From never stand at the start of a line: none is a delimiter, the end of a message or a
/// postmark.
pub(super) fn encode(text: &str, eol: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len().saturating_mul(2));
    for line in text.lines() {
        encode_line(line.as_bytes(), eol, &mut out);
        out.extend_from_slice(eol);
    }
    out
}

/// Encodes bytes whose lines end in `eol`: those ends stay, every other byte comes back as it was.
pub(super) fn encode_bytes(content: &[u8], eol: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len().saturating_mul(2));
    let mut from = 0usize;
    for at in memchr::memmem::find_iter(content, eol) {
        encode_line(content.get(from..at).unwrap_or_default(), eol, &mut out);
        out.extend_from_slice(eol);
        from = at.saturating_add(eol.len());
    }
    encode_line(content.get(from..).unwrap_or_default(), eol, &mut out);
    out
}

fn encode_line(line: &[u8], eol: &[u8], out: &mut Vec<u8>) {
    let mut width = 0usize;
    let mut rest = line.iter().enumerate().peekable();
    while let Some((at, byte)) = rest.next() {
        let last = rest.peek().is_none();
        let plain = match byte {
            b'=' => false,
            b' ' | b'\t' => !last,
            b'-' | b'.' | b'F' => width > 0,
            b'!'..=b'~' => true,
            _ => false,
        };
        let takes = if plain { 1 } else { 3 };
        // One character is kept for the sign of a soft line break.
        if width.saturating_add(takes) > WIDTH.saturating_sub(1) {
            out.push(b'=');
            out.extend_from_slice(eol);
            width = 0;
        }
        let plain = plain && !(width == 0 && at > 0 && matches!(byte, b'-' | b'.' | b'F'));
        if plain {
            out.push(*byte);
            width = width.saturating_add(1);
        } else {
            out.extend_from_slice(format!("={byte:02X}").as_bytes());
            width = width.saturating_add(3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::quoted_printable;

    #[test]
    fn what_is_encoded_decodes_to_itself_in_short_lines_of_ascii() {
        let long = "長い行 ".repeat(60);
        let text = format!(
            "--boundary\n.\nFrom here\na = b \n{long}x\n{}\n",
            "-".repeat(300)
        );
        let encoded = encode(&text, b"\r\n");
        assert!(encoded.is_ascii());
        for line in encoded.split(|byte| *byte == b'\n') {
            assert!(line.len() <= WIDTH + 1, "{}", line.len());
            assert!(
                !line.starts_with(b"-") && !line.starts_with(b".") && !line.starts_with(b"From")
            );
        }
        let decoded = quoted_printable::decode(&encoded);
        let decoded = String::from_utf8(decoded.data).unwrap();
        assert_eq!(decoded.replace("\r\n", "\n"), text);
    }
}
