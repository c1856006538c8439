//! Letters of other scripts that look like those of ASCII (Unicode Technical Standard 39, "Confusable Detection").
//!
//! Only what a name's extension may be written with: full-width letters, and the Cyrillic, Greek and Armenian letters
//! whose small forms no usual font tells from the Latin ones.

/// Letters, and what they look like.
const ALIKE: &[(&str, char)] = &[
    ("аɑα", 'a'),
    ("ЬƄ", 'b'),
    ("сϲ", 'c'),
    ("ԁ", 'd'),
    ("еҽ", 'e'),
    ("ց", 'g'),
    ("һհ", 'h'),
    ("іıι", 'i'),
    ("јϳ", 'j'),
    ("κк", 'k'),
    ("ӏⅼ", 'l'),
    ("м", 'm'),
    ("ոп", 'n'),
    ("оοօ", 'o'),
    ("рρ", 'p'),
    ("ԛ", 'q'),
    ("г", 'r'),
    ("ѕ", 's'),
    ("тτ", 't'),
    ("սυ", 'u'),
    ("νѵ", 'v'),
    ("ԝω", 'w'),
    ("хχ", 'x'),
    ("уγ", 'y'),
];

/// A text with ASCII letters in place of those that look like them, in lower case.
pub fn plain_letters(text: &str) -> String {
    text.chars()
        .flat_map(char::to_lowercase)
        .map(plain)
        .collect()
}

fn plain(c: char) -> char {
    match c {
        c if c.is_ascii() => c,
        '\u{ff01}'..='\u{ff5e}' => {
            let code = u32::from(c).saturating_sub(0xfee0);
            char::from_u32(code).map_or(c, |c| c.to_ascii_lowercase())
        }
        c => ALIKE
            .iter()
            .find(|(letters, _)| letters.contains(c))
            .map_or(c, |(_, plain)| *plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_ascii_reads_as_ascii() {
        assert_eq!(plain_letters("рdf"), "pdf");
        assert_eq!(plain_letters("ｐＤＦ"), "pdf");
        assert_eq!(plain_letters("ԁосх"), "docx");
        assert_eq!(plain_letters("報告.DOC"), "報告.doc");
    }
}
