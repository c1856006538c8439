//! Passwords that a mail puts together: a word, a plus sign, and what is described; and what stands in a mail as digits
//! with a hyphen between.

use super::{Day, NAMED, Spelling, lengths};

/// Characters on either side of a plus sign that are looked at.
const NEAR: usize = 40;

/// Letters of a word beside a plus sign.
const WORD: std::ops::RangeInclusive<usize> = 2..=24;

/// Ways to write a day that are tried beside a word.
const FORMS: usize = 3;

/// `tanaka＋本日の日付`, `「tanaka」+電話番号の下4桁`, `日付(8桁)＋tanaka`: each word with what is described beside it.
pub(super) fn words(
    text: &str,
    phones: &[String],
    days: &[Day],
    spelling: &Spelling<'_>,
) -> Vec<String> {
    let mut found = Vec::new();
    for (at, plus) in text.match_indices('+').take(NAMED) {
        let before = text.get(..at).unwrap_or_default();
        let before = before.lines().next_back().unwrap_or_default();
        let before = last(before, NEAR);
        let behind = text.get(at.saturating_add(plus.len())..);
        let behind = behind
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default();
        let behind: String = behind.chars().take(NEAR).collect();
        if let Some(word) = word_at_end(before) {
            let all = described(&behind, phones, days, spelling);
            found.extend(all.into_iter().map(|rest| format!("{word}{rest}")));
        }
        if let Some(word) = word_at_start(&behind) {
            let all = described(before, phones, days, spelling);
            found.extend(all.into_iter().map(|rest| format!("{rest}{word}")));
        }
    }
    found
}

/// The last characters of a text.
fn last(text: &str, count: usize) -> &str {
    let start = text.char_indices().rev().take(count).last();
    start.map_or(text, |(at, _)| text.get(at..).unwrap_or_default())
}

fn is_quote(c: char) -> bool {
    matches!(
        c,
        ' ' | '"'
            | '\''
            | '「'
            | '」'
            | '『'
            | '』'
            | '【'
            | '】'
            | '“'
            | '”'
            | '('
            | ')'
            | '['
            | ']'
    )
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '#' | '!')
}

fn word_at_end(text: &str) -> Option<&str> {
    let text = text.trim_end_matches(is_quote);
    let word = text.trim_end_matches(is_of_word).len();
    text.get(word..).filter(|word| WORD.contains(&word.len()))
}

fn word_at_start(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(is_quote);
    let rest = text.trim_start_matches(is_of_word).len();
    let word = text.get(..text.len().saturating_sub(rest))?;
    WORD.contains(&word.len()).then_some(word)
}

/// What a part of a sentence describes, in letters.
fn described(part: &str, phones: &[String], days: &[Day], spelling: &Spelling<'_>) -> Vec<String> {
    let lower = part.to_lowercase();
    let says = |words: &[String]| words.iter().any(|word| lower.contains(word.as_str()));
    let asked = lengths(part, spelling);
    let fits = |word: &String| asked.is_empty() || asked.contains(&word.len());
    let mut found = Vec::new();
    if says(spelling.phone) {
        for digits in phones.iter().take(2) {
            let four = digits.get(digits.len().saturating_sub(4)..);
            let both = [four.unwrap_or_default().to_owned(), digits.clone()];
            found.extend(both.into_iter().filter(fits));
        }
    }
    if says(spelling.date) {
        for day in days.iter().take(2) {
            let forms = day.forms(spelling).into_iter();
            found.extend(forms.filter(fits).take(FORMS));
        }
    }
    found
}

/// Postal codes, `100-0001`: without the hyphen, and as they stand.
pub(super) fn postal_codes(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let is_part = |c: &char| c.is_ascii_digit() || matches!(c, '-' | '‐' | '−' | 'ー');
    let runs = text
        .split(|c: char| !is_part(&c))
        .filter(|run| !run.is_empty());
    for run in runs {
        let digits: String = run.chars().filter(char::is_ascii_digit).collect();
        let parted =
            run.chars().count() == 8 && run.chars().nth(3).is_some_and(|c| !c.is_ascii_digit());
        if digits.len() == 7 && parted && found.len() < 2 * NAMED {
            let (area, town) = digits.split_at(3);
            found.push(digits.clone());
            found.push(format!("{area}-{town}"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postal_codes_are_seven_digits_in_two_parts() {
        let codes = postal_codes("〒100-0001 東京都 TEL 03-1234-5678 1234567 12-34567");
        assert_eq!(codes, ["1000001", "100-0001"]);
    }

    #[test]
    fn words_stand_right_beside_the_sign() {
        assert_eq!(word_at_end("パスワードは「tanaka」"), Some("tanaka"));
        assert_eq!(word_at_end("パスワードは"), None);
        assert_eq!(word_at_start(" kaisha です"), Some("kaisha"));
        assert_eq!(word_at_start("本日の日付"), None);
        assert_eq!(last("あいう", 2), "いう");
    }
}
