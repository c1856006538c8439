//! Passwords that a mail gives in two parts: 前半 and 後半, the first and the second, a list of two.

use super::{Found, bare, first_quoted};

/// What two parts are called.
const PAIRS: &[[&str; 2]] = &[
    ["前半", "後半"],
    ["1つ目", "2つ目"],
    ["一つ目", "二つ目"],
    ["ひとつ目", "ふたつ目"],
    ["その1", "その2"],
    ["①", "②"],
    ["first", "second"],
    ["part 1", "part 2"],
];

/// Numbers of a list: parts only where the text says so.
const LISTS: &[[&str; 2]] = &[["1.", "2."], ["1)", "2)"], ["1:", "2:"]];

/// What says that there are parts to put together.
const SAYS: &[&str] = &[
    "続けて",
    "つなげ",
    "繋げ",
    "連結",
    "結合",
    "分けて",
    "分割",
    "combine",
    "concatenat",
    "two parts",
    "halves",
];

/// Characters behind a part's name in which it stands.
const NEAR: usize = 60;

/// Adds what the parts of a text that speaks of a password come to.
pub(super) fn words(text: &str, phrases: &[String], found: &mut Found) {
    let lower = text.to_ascii_lowercase();
    if !phrases.iter().any(|phrase| lower.contains(phrase.as_str())) {
        return;
    }
    let lists: &[[&str; 2]] = match SAYS.iter().any(|word| lower.contains(word)) {
        true => LISTS,
        false => &[],
    };
    for [first, second] in PAIRS.iter().chain(lists) {
        let Some(start) = lower.find(first).map(|at| at.saturating_add(first.len())) else {
            continue;
        };
        let rest = lower.get(start..).unwrap_or_default();
        let Some(gap) = rest.find(second) else {
            continue;
        };
        let next = start.saturating_add(gap);
        let before = text.get(start..next).unwrap_or_default();
        let behind = text.get(next.saturating_add(second.len())..);
        if let (Some(one), Some(other)) = (part(before), part(behind.unwrap_or_default())) {
            found.add(&format!("{one}{other}"));
        }
    }
}

/// The part that stands behind its name: in quotes, or the last run of ASCII in its line.
fn part(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([':', ' ', '\r', '\n', '.', '=']);
    let line = text.lines().next()?;
    let near = line
        .char_indices()
        .nth(NEAR)
        .map_or(line.len(), |(at, _)| at);
    let line = line.get(..near)?;
    if let Some(quoted) = first_quoted(line) {
        return Some(quoted);
    }
    let runs = line.split(|c: char| !c.is_ascii_graphic());
    runs.map(|run| bare(run.rsplit(':').next().unwrap_or_default()))
        .rfind(|run| run.len() >= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let mut found = Found::default();
        words(
            text,
            &["パスワード".to_owned(), "password".to_owned()],
            &mut found,
        );
        found.words
    }

    #[test]
    fn two_parts_are_put_together() {
        for text in [
            "パスワードの前半:Kx7m\r\n後半:Q2p9",
            "前半4桁は「Kx7m」、後半4桁は「Q2p9」です(パスワード)",
            "パスワードは2つに分けてお知らせします。\r\n1. Kx7m\r\n2. Q2p9\r\n続けて入力してください。",
            "First part of the password: Kx7m\r\nSecond part: Q2p9",
        ] {
            assert_eq!(of(text), ["Kx7mQ2p9"], "{text}");
        }
    }

    #[test]
    fn lists_and_halves_of_something_else_are_none() {
        assert!(of("パスワード:Kx7m\r\n議題\r\n1. 予算\r\n2. 人事").is_empty());
        assert!(of("前半:Kx7m\r\n後半:Q2p9").is_empty());
    }
}
