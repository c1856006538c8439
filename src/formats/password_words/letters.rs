//! Letters as a reader sees them: without those that show nothing, turned round where a mark turns them (Unicode Standard
//! Annex 9, 2.2 "Explicit Directional Overrides"), half-width for full-width, plain for those of mathematics.

/// What is looked through of a text, at most `most` bytes, without the characters that nobody sees in it.
pub(super) fn visible(text: &str, most: usize) -> String {
    let unseen = |c: &char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}' | '\u{202b}' | '\u{202d}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let end = text.floor_char_boundary(most.min(text.len()));
    let text = text.get(..end).unwrap_or_default();
    let mut out = String::with_capacity(text.len());
    let mut turned: Option<String> = None;
    for c in text.chars().filter(|c| !unseen(c)) {
        match (c, &mut turned) {
            ('\u{202e}', None) => turned = Some(String::new()),
            ('\u{202e}', Some(_)) | ('\u{202c}', None) => {}
            ('\u{202c}' | '\n', Some(inner)) => {
                out.extend(inner.chars().rev());
                turned = None;
                if c == '\n' {
                    out.push(c);
                }
            }
            (c, Some(inner)) => inner.push(c),
            (c, None) => out.push(c),
        }
    }
    out.extend(turned.iter().flat_map(|inner| inner.chars().rev()));
    out
}

/// Half-width letters for full-width ones, and plain ones for raised, lowered and mathematical ones.
pub(in crate::formats) fn fold(c: char) -> char {
    let of = |first: char, c: char, most: u32| {
        let code = u32::from(c).checked_sub(most)?;
        char::from_u32(u32::from(first).checked_add(code)?)
    };
    let folded = match c {
        '\u{ff01}'..='\u{ff5e}' => of('!', c, 0xff01),
        '\u{3000}' | '\u{a0}' => Some(' '),
        // JIS X 0201 has them in the place of these.
        '\u{a5}' => Some('\\'),
        '\u{203e}' => Some('~'),
        '\u{b2}' => Some('2'),
        '\u{b3}' => Some('3'),
        '\u{b9}' => Some('1'),
        '\u{2070}' => Some('0'),
        '\u{2074}'..='\u{2079}' => of('4', c, 0x2074),
        '\u{2080}'..='\u{2089}' => of('0', c, 0x2080),
        // Thirteen alphabets of both cases, and five rows of digits.
        '\u{1d400}'..='\u{1d6a3}' => {
            let place = u32::from(c).saturating_sub(0x1d400) % 52;
            let first = if place < 26 { 'A' } else { 'a' };
            char::from_u32(u32::from(first).saturating_add(place % 26))
        }
        '\u{1d7ce}'..='\u{1d7ff}' => {
            char::from_u32((u32::from(c).saturating_sub(0x1d7ce) % 10).saturating_add(48))
        }
        _ => None,
    };
    folded.unwrap_or(c)
}

/// Digits and letters in circles, and digits of Chinese and Japanese, which are those of no sentence where four or more
/// stand in a row: what they say.
pub(super) fn odd_digits(text: &str) -> Vec<String> {
    const SHORTEST: usize = 4;
    let mut found = Vec::new();
    let mut run = String::new();
    for c in text.chars().chain(['\n']) {
        let code = u32::from(c);
        let plain = match c {
            '\u{2460}'..='\u{2468}' => char::from_digit(code.saturating_sub(0x245f), 10),
            '\u{24ea}' | '〇' | '零' => Some('0'),
            '\u{24b6}'..='\u{24cf}' => char::from_u32(code.saturating_sub(0x24b6 - 65)),
            '\u{24d0}'..='\u{24e9}' => char::from_u32(code.saturating_sub(0x24d0 - 97)),
            c => "一二三四五六七八九"
                .chars()
                .position(|digit| digit == c)
                .and_then(|at| char::from_digit(u32::try_from(at).ok()?.checked_add(1)?, 10)),
        };
        match plain {
            Some(plain) => run.push(plain),
            None if run.len() >= SHORTEST => found.push(std::mem::take(&mut run)),
            None => run.clear(),
        }
    }
    found.truncate(4);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_turned_is_read_as_it_is_shown() {
        let of = |text: &str| visible(text, 1000);
        assert_eq!(of("pw: \u{202e}cba\u{202c} end"), "pw: abc end");
        assert_eq!(of("pw: \u{202e}cba\nnext"), "pw: abc\nnext");
        assert_eq!(of("pw: \u{202e}cba"), "pw: abc");
        assert_eq!(of("a\u{200b}b\u{2066}c\u{2069}"), "abc");
    }

    #[test]
    fn odd_letters_are_plain_ones() {
        let of = |text: &str| text.chars().map(fold).collect::<String>();
        assert_eq!(of("Ａｂ１　\u{b9}\u{2074}\u{2081}"), "Ab1 141");
        assert_eq!(of("\u{1d400}\u{1d41a}\u{1d7ce}\u{1d7ff}\u{1d4d0}"), "Aa09A");
        assert_eq!(of("①二パス"), "①二パス");
        assert_eq!(odd_digits("パスワードは④⑤②①です"), ["4521"]);
        assert_eq!(odd_digits("四五二一、ⓐⒷ①②"), ["4521", "aB12"]);
        assert!(odd_digits("一二三、①資料").is_empty());
    }
}
