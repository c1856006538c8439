//! Quoted-printable (RFC 2045 section 6.7) as mail readers read it: what is not an escape stands for itself.

/// What lenient decoding gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QuotedPrintable {
    /// The bytes.
    pub data: Vec<u8>,
    /// Equal signs that began no escape and were kept as they stand.
    pub junk: usize,
}

/// Decodes leniently: escapes in either case, soft line breaks with blanks before the line's end, blanks at the end
/// of a line dropped (section 6.7, rule 3). Never fails; output is never longer than the input.
pub fn decode(text: &[u8]) -> QuotedPrintable {
    let mut out = QuotedPrintable {
        data: Vec::with_capacity(text.len()),
        junk: 0,
    };
    let mut rest = text;
    while !rest.is_empty() {
        let end = memchr::memchr2(b'=', b'\n', rest).unwrap_or(rest.len());
        let (plain, tail) = rest.split_at(end);
        match tail.split_first() {
            Some((b'=', tail)) => {
                out.data.extend_from_slice(plain);
                rest = escape(tail, &mut out);
            }
            _ => {
                let (kept, line_end) = without_blanks(plain);
                out.data.extend_from_slice(kept);
                out.data.extend_from_slice(line_end);
                out.data.extend(tail.first());
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out
}

/// A line without the blanks at its end, and the carriage return that stood behind them.
fn without_blanks(line: &[u8]) -> (&[u8], &[u8]) {
    let bare = line.strip_suffix(b"\r").unwrap_or(line);
    let line_end = line.get(bare.len()..).unwrap_or_default();
    let blanks = bare
        .iter()
        .rev()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let kept = bare.len().saturating_sub(blanks);
    (bare.get(..kept).unwrap_or_default(), line_end)
}

/// Reads what stands behind an equal sign and gives what is left.
fn escape<'a>(tail: &'a [u8], out: &mut QuotedPrintable) -> &'a [u8] {
    if let [high, low, rest @ ..] = tail
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        out.data.push(high << 4 | low);
        return rest;
    }
    // A soft break; blanks before the line's end are tolerated, but never searched for over more than a line's length.
    let blanks = tail
        .iter()
        .take(1000)
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    match tail.get(blanks..).unwrap_or_default() {
        [b'\r', b'\n', rest @ ..] | [b'\n' | b'\r', rest @ ..] => rest,
        [] => &[],
        _ => {
            out.data.push(b'=');
            out.junk = out.junk.saturating_add(1);
            tail
        }
    }
}

/// The value of a hexadecimal digit of either case.
pub fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a' - 10),
        b'A'..=b'F' => digit.checked_sub(b'A' - 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_soft_breaks_and_blanks_at_line_ends() {
        let decoded = decode(b"caf=C3=a9 is=\r\n good  \r\nend= \t\n.\t");
        assert_eq!(decoded.data, "café is good\r\nend.".as_bytes());
        assert_eq!(decoded.junk, 0);
    }

    #[test]
    fn an_equal_sign_without_an_escape_stands_for_itself() {
        let decoded = decode(b"a=zz b==41 c=");
        assert_eq!(
            (decoded.data.as_slice(), decoded.junk),
            (b"a=zz b=A c".as_slice(), 2)
        );
    }
}
