//! Texts written as a list of character codes, in an array or in a text that a loop takes apart.
//!
//! No specification: whatever the language, such a list is numbers with the same separator between them. Codes of
//! printable characters alone are read; shifted or masked ones are not.

/// Codes of one list at the least.
const SHORTEST: usize = 16;

/// Lists of one script at the most.
const LISTS: usize = 32;

/// Bytes between two numbers at the most.
const GAP: usize = 12;

/// The texts, in the order of the source.
pub fn code_texts(source: &str) -> Vec<String> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut text = String::new();
    // What stood between the numbers of the list so far.
    let mut between: Option<&[u8]> = None;
    let mut at = 0usize;
    // Ends because each round goes over at least a byte.
    while let Some(byte) = bytes.get(at) {
        if !byte.is_ascii_digit() {
            at = at.saturating_add(1);
            continue;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let (number, len) = number(rest);
        let end = at.saturating_add(len);
        let gap = gap(bytes.get(end..).unwrap_or_default());
        if let Some(c) = number.filter(|_| starts_number(bytes, at)) {
            text.push(c);
        } else {
            keep(&mut found, &mut text);
            between = None;
        }
        if gap.is_none() || between.is_some() && between != gap {
            keep(&mut found, &mut text);
        }
        between = gap.filter(|_| !text.is_empty());
        at = end.saturating_add(gap.map_or(0, <[u8]>::len));
    }
    keep(&mut found, &mut text);
    found
}

fn keep(found: &mut Vec<String>, text: &mut String) {
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    if text.len() >= SHORTEST && letters.saturating_mul(2) >= text.len() && found.len() < LISTS {
        found.push(std::mem::take(text));
    }
    text.clear();
}

/// Whether a number starts here and no piece of a name.
fn starts_number(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The character of a number in decimal or hexadecimal digits, and the bytes that it takes.
fn number(rest: &[u8]) -> (Option<char>, usize) {
    let hex = rest.starts_with(b"0x") || rest.starts_with(b"0X");
    let skip = if hex { 2 } else { 0 };
    let digits = rest.get(skip..).unwrap_or_default();
    let len = digits
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_hexdigit() && (hex || byte.is_ascii_digit()))
        .count();
    let code = digits
        .get(..len)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u8::from_str_radix(digits, if hex { 16 } else { 10 }).ok());
    let plain = |code: &u8| matches!(code, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let taken = skip.saturating_add(len).max(1);
    (code.filter(plain).map(char::from), taken)
}

/// What stands in front of the next number: signs and blanks alone, and the next number behind them.
fn gap(rest: &[u8]) -> Option<&[u8]> {
    let len = rest
        .iter()
        .take(GAP.saturating_add(1))
        .take_while(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii())
        .count();
    let next = rest.get(len).is_some_and(u8::is_ascii_digit);
    rest.get(..len).filter(|gap| next && !gap.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_codes_are_read_whatever_separates_them() {
        let text = "WScript.Echo(\"it is\")";
        for between in [",", " ", ", ", "|", "~"] {
            let codes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
            let source = format!("x = [{}] y = 1", codes.join(between));
            assert_eq!(code_texts(&source), [text], "{between}");
        }
        let codes: Vec<String> = text.bytes().map(|byte| format!("0x{byte:02X}")).collect();
        assert_eq!(code_texts(&codes.join(", ")), [text]);
    }

    #[test]
    fn other_numbers_are_no_text() {
        for source in [
            "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20",
            "a = [200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216]",
            "40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60",
            "72 101, 108 108; 111 44, 32 119; 111 114, 108 100; 33",
            "",
        ] {
            assert_eq!(code_texts(source), Vec::<String>::new(), "{source}");
        }
    }
}
