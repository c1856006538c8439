//! UTF-7 (RFC 2152): ASCII with runs of UTF-16 in base64 between `+` and what is no base64.

/// Whether a label means it.
pub fn is_label(label: &[u8]) -> bool {
    const LABELS: [&[u8]; 5] = [
        b"utf-7",
        b"utf7",
        b"unicode-1-1-utf-7",
        b"x-unicode-2-0-utf-7",
        b"csunicode11utf7",
    ];
    let label = label.trim_ascii();
    LABELS.iter().any(|known| label.eq_ignore_ascii_case(known))
}

/// The text. Bytes that do not belong into it are taken as those of Latin-1.
pub fn decode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    // Ends because each turn takes at least one byte.
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        if *byte != b'+' {
            out.push(char::from(*byte));
            continue;
        }
        let len = rest.iter().take_while(|byte| six(**byte).is_some()).count();
        let (run, behind) = rest.split_at(len);
        rest = behind.strip_prefix(b"-").unwrap_or(behind);
        if run.is_empty() {
            out.push('+');
        }
        let units = char::decode_utf16(units(run));
        out.extend(units.map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)));
    }
    out
}

fn units(run: &[u8]) -> impl Iterator<Item = u16> {
    let mut bits = 0u32;
    let mut count = 0u32;
    run.iter()
        .filter_map(|byte| six(*byte))
        .filter_map(move |six| {
            bits = bits << 6 | u32::from(six);
            count = count.saturating_add(6);
            let left = count.checked_sub(16)?;
            count = left;
            u16::try_from(bits >> left & 0xffff).ok()
        })
}

fn six(character: u8) -> Option<u8> {
    Some(match character {
        b'A'..=b'Z' => character.wrapping_sub(b'A'),
        b'a'..=b'z' => character.wrapping_sub(b'a').wrapping_add(26),
        b'0'..=b'9' => character.wrapping_sub(b'0').wrapping_add(52),
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_base64_are_characters() {
        assert_eq!(decode(b"Hi Mom -+Jjo--!"), "Hi Mom -\u{263a}-!");
        assert_eq!(decode(b"A+ImIDkQ."), "A\u{2262}\u{391}.");
        assert_eq!(decode(b"+ZeVnLIqe-"), "日本語");
        assert_eq!(decode(b"+ADw-script+AD4-"), "<script>");
        assert_eq!(decode(b"1 +- 1, +2D3eAA"), "1 + 1, \u{1f600}");
        assert_eq!(decode(b"a+"), "a+");
        assert!(is_label(b" UTF-7") && !is_label(b"utf-8"));
    }
}
