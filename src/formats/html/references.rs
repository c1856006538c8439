//! Character references as browsers read them (HTML Standard, 13.2.5.72 to 13.2.5.80): numbers also without a semicolon,
//! and of the names those of signs that addresses and scripts are made of; other names stay as they are.

use std::borrow::Cow;

use crate::formats::xml;

/// Characters of a reference that are looked at: no name here and no number of a character is longer.
const LONGEST: usize = 16;

/// Names with what they stand for; case counts. `nbsp` is left out: who shows words replaces it.
const NAMES: &[(&str, char)] = &[
    ("colon", ':'),
    ("sol", '/'),
    ("period", '.'),
    ("lpar", '('),
    ("rpar", ')'),
    ("quest", '?'),
    ("equals", '='),
    ("num", '#'),
    ("percnt", '%'),
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("commat", '@'),
    ("lowbar", '_'),
    ("semi", ';'),
    ("comma", ','),
    ("excl", '!'),
    ("dollar", '$'),
    ("plus", '+'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("rcub", '}'),
    ("rbrace", '}'),
    ("grave", '`'),
    ("bsol", '\\'),
    ("ast", '*'),
    ("verbar", '|'),
    ("shy", '\u{ad}'),
    ("zwnj", '\u{200c}'),
    ("zwj", '\u{200d}'),
    ("ZeroWidthSpace", '\u{200b}'),
];

/// A text with its references resolved.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    let mut next = memchr::memchr(b'&', raw.as_bytes());
    if next.is_none() {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    // Ends because each turn takes at least the ampersand.
    while let Some((before, behind)) = next.and_then(|at| rest.split_at_checked(at)) {
        out.push_str(before);
        let behind = behind.get(1..).unwrap_or_default();
        let (c, len) = reference(behind).unwrap_or(('&', 0));
        out.push(c);
        rest = behind.get(len..).unwrap_or_default();
        next = memchr::memchr(b'&', rest.as_bytes());
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of the reference that a text behind an ampersand begins with, and the length of it.
fn reference(behind: &str) -> Option<(char, usize)> {
    let near = behind
        .get(..behind.floor_char_boundary(LONGEST))
        .unwrap_or_default();
    if let Some(number) = near.strip_prefix('#') {
        let (digits, radix, mark) = match number.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 2usize),
            None => (number, 10, 1),
        };
        let end = digits.find(|c: char| !c.is_digit(radix));
        let len = end.unwrap_or(digits.len());
        let code = u32::from_str_radix(digits.get(..len)?, radix).ok()?;
        let closed = digits.get(len..)?.starts_with(';');
        let len = mark.saturating_add(len).saturating_add(usize::from(closed));
        return Some((char::from_u32(code)?, len));
    }
    let (name, _) = near.split_once(';')?;
    let mut names = NAMES.iter();
    let known = names.find(|(known, _)| *known == name).map(|(_, c)| *c);
    Some((
        known.or_else(|| xml::entity(name))?,
        name.len().checked_add(1)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_as_browsers_do() {
        for (raw, text) in [
            ("&#104ttps&colon;&sol;&sol;a", "https://a"),
            ("&#x68;&#X74t&#0112s", "https"),
            ("a&amp;b&lt;&nbsp;&c=1;&", "a&b<&nbsp;&c=1;&"),
            ("&tab;&Tab;", "&tab;\t"),
            ("&#;&#x;&#99999999;", "&#;&#x;&#99999999;"),
            ("plain", "plain"),
        ] {
            assert_eq!(unescape(raw), text, "{raw}");
        }
    }
}
