//! Words of a mail that may be a password: behind a phrase that announces one, in quotes, alone in their line, of
//! letters and digits. The likeliest first.

mod letters;
mod parts;
mod styles;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

pub(super) use letters::fold;
use letters::{odd_digits, visible};
use styles::{shows_nothing, turns, unseen_names};

/// Bytes of a text that are looked through.
const LONGEST_TEXT: usize = 256 << 10;

/// Characters looked at behind a phrase.
const BEHIND: usize = 160;

/// Words of one text at the most.
const WORDS: usize = 100;

/// Shortest and longest password that anybody writes into a mail.
const SHORTEST: usize = 3;
const LONGEST: usize = 64;

/// The candidates of a text. `phrases` are in lower case and half-width letters, as are the words `leading` from a phrase
/// to the password.
pub fn words(text: &str, phrases: &[String], leading: &[String]) -> Vec<String> {
    let text = visible(text, LONGEST_TEXT);
    let folded: String = text.chars().map(fold).collect();
    let mut found = Found::default();
    announced(&folded, phrases, leading, &mut found);
    parts::words(&folded, phrases, &mut found);
    for word in std::mem::take(&mut found.late).iter().take(4) {
        found.add(word);
    }
    typed_wide(&text, &folded, &mut found);
    in_case(&folded, &mut found);
    quoted(&folded, &mut found);
    for word in odd_digits(&folded) {
        found.add(&word);
    }
    for line in folded.lines() {
        let word = line.trim();
        if word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_graphic()) && mixed(word) {
            found.add(word);
        }
    }
    for word in folded.split(|c: char| !c.is_ascii_graphic()) {
        let word = bare(word);
        if (6..=24).contains(&word.len()) && mixed(word) && !word.contains("://") {
            found.add(word);
        }
    }
    found.words
}

/// Whether a text has one of the words, which are in lower case and half-width letters.
pub fn says(text: &str, words: &[String]) -> bool {
    let text: String = visible(text, LONGEST_TEXT).chars().map(fold).collect();
    let lower = text.to_lowercase();
    words.iter().any(|word| lower.contains(word.as_str()))
}

#[derive(Default)]
struct Found {
    words: Vec<String>,
    known: BTreeSet<String>,
    /// Words behind phrases that are tried after all others.
    late: Vec<String>,
}

impl Found {
    fn add(&mut self, word: &str) {
        // Two characters of Japanese or Chinese are a word.
        let shortest = if word.is_ascii() { SHORTEST } else { 2 };
        let fits = (shortest..=LONGEST).contains(&word.chars().count());
        if fits && self.words.len() < WORDS && self.known.insert(word.to_owned()) {
            self.words.push(word.to_owned());
        }
    }
}

/// The first words as they were typed, where that is not in half-width letters: some archivers take them so.
fn typed_wide(text: &str, folded: &str, found: &mut Found) {
    let first: Vec<String> = found.words.iter().take(4).cloned().collect();
    for word in first {
        let Some((before, _)) = folded.split_once(&word) else {
            continue;
        };
        let before = before.chars().count();
        let typed = text.chars().skip(before).take(word.chars().count());
        found.add(&typed.collect::<String>());
    }
}

/// The first words in the case that the text asks for.
fn in_case(text: &str, found: &mut Found) {
    let first: Vec<String> = found.words.iter().take(4).cloned().collect();
    let lower = text.to_lowercase();
    let asks = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    let upper = asks(&["大文字", "uppercase", "upper case", "upper-case", "capital"]);
    let small = asks(&["小文字", "lowercase", "lower case", "lower-case"]);
    for word in first {
        if upper {
            found.add(&word.to_uppercase());
        }
        if small {
            found.add(&word.to_lowercase());
        }
    }
}

/// What stands behind phrases.
fn announced(text: &str, phrases: &[String], leading: &[String], found: &mut Found) {
    let lower = text.to_lowercase();
    // Lower case of another length would shift everything.
    let lower = if lower.len() == text.len() {
        lower
    } else {
        text.to_ascii_lowercase()
    };
    let Ok(automaton) = aho_corasick::AhoCorasick::builder()
        .match_kind(aho_corasick::MatchKind::LeftmostLongest)
        .build(phrases)
    else {
        return;
    };
    for phrase in automaton.find_iter(&lower).take(WORDS) {
        let rest = text.get(phrase.end()..).unwrap_or_default();
        let rest: String = rest.chars().take(BEHIND).collect();
        behind(&rest, leading, found);
    }
}

/// The words behind one phrase: what is in quotes, else the next run of ASCII, as it stands and without the
/// punctuation around it.
fn behind(rest: &str, leading: &[String], found: &mut Found) {
    if let Some(word) = first_quoted(rest) {
        if let Some(other) = next_quoted(rest, word) {
            found.add(&format!("{word}{other}"));
        }
        found.add(word);
    }
    if let Some(word) = said(rest) {
        found.add(word);
    }
    pieced(rest, found);
    found.late.extend(spaced(rest));
    let mut runs = rest
        .split(|c: char| !c.is_ascii_graphic())
        .filter(|run| run.chars().any(char::is_alphanumeric) || is_of_signs(run))
        // Words of the sentence that lead to it.
        .filter(|run| !leading.iter().any(|word| run.eq_ignore_ascii_case(word)));
    if let Some(run) = runs.next() {
        let led = run.trim_start_matches([':', '=', '>', '-', ';', ',']);
        found.add(led);
        found.add(bare(led));
        for shorter in explained(rest, led) {
            found.add(&shorter);
        }
    }
    if let Some(run) = runs.next() {
        found.add(bare(run));
    }
}

/// A word without what explains its letters, as in `K(大文字)x7`, and without the signs that set it apart.
fn explained(rest: &str, led: &str) -> Vec<String> {
    let mut shorter = Vec::new();
    let line = rest.trim_start_matches([':', '=', '>', ' ', '\r', '\n']);
    let line = line.lines().next().unwrap_or_default();
    if line.contains('(') {
        let mut depth = 0usize;
        let outside = line.chars().filter(|c| {
            depth = match c {
                '(' => depth.saturating_add(1),
                _ => depth,
            };
            let kept = depth == 0;
            depth = match c {
                ')' => depth.saturating_sub(1),
                _ => depth,
            };
            kept
        });
        let outside: String = outside.collect();
        let run = outside.split(|c: char| !c.is_ascii_graphic()).next();
        shorter.extend(run.map(|run| bare(run).to_owned()));
    }
    let set_apart = led.trim_matches(|c: char| c.is_ascii_punctuation());
    let taken = led.len().saturating_sub(set_apart.len());
    if (1..=4).contains(&taken) {
        shorter.push(set_apart.to_owned());
    }
    shorter
}

/// Whether a run of signs alone may be a password: no line drawn with them.
fn is_of_signs(run: &str) -> bool {
    let distinct: BTreeSet<char> = run.chars().collect();
    run.len() >= 6 && distinct.len() >= 5
}

/// A word in Japanese behind a colon or a particle, with letters or digits in it or of kana alone: it may begin like what
/// announces it. What has neither is a word of the sentence.
fn said(rest: &str) -> Option<&str> {
    const LONGEST_KANA: usize = 8;
    const ALONE: usize = 12;
    const ENDS: [&str; 8] = [
        "です",
        "でございます",
        "となります",
        "となっております",
        "になります",
        "を入力",
        "で解凍",
        "で開",
    ];
    let rest = rest.trim_start_matches(' ');
    let behind = ["は", "：", ":", "=", "→", "⇒"]
        .iter()
        .find_map(|mark| rest.strip_prefix(mark))?;
    let behind = behind.trim_start_matches(['、', ',', ' ', ':', '\r', '\n']);
    let end = |c: char| {
        c.is_whitespace() || matches!(c, '、' | '。' | '※' | '(' | '「' | '」' | '『' | '』')
    };
    let word = behind.split(end).next().unwrap_or_default();
    let cut = ENDS.iter().filter_map(|end| word.find(end)).min();
    let word = word.get(..cut.unwrap_or(word.len())).unwrap_or_default();
    let is_kana = |c: char| matches!(c, '\u{3041}'..='\u{309f}' | '\u{30a0}'..='\u{30ff}');
    let has_letters = word.contains(|c: char| c.is_ascii_alphanumeric());
    let of_kana = word.chars().all(is_kana) && word.chars().count() <= LONGEST_KANA;
    let fits = !word.is_ascii() && word.chars().count() <= 24;
    // Behind a colon and alone in its line, whatever it is written in.
    let alone = !rest.starts_with('は')
        && word.chars().count() <= ALONE
        && behind
            .lines()
            .next()
            .is_some_and(|line| line.trim() == word);
    (fits && (has_letters || of_kana || alone)).then_some(word)
}

/// Words with blanks between them that fill the line behind a colon.
fn spaced(rest: &str) -> Option<String> {
    let said = rest.trim_start().strip_prefix([':', '='])?;
    let line = said.trim_start().lines().next()?.trim_end();
    let fits = (6..=LONGEST).contains(&line.len()) && (1..=6).contains(&line.matches(' ').count());
    let plain = line
        .bytes()
        .all(|byte| byte == b' ' || byte.is_ascii_graphic());
    (fits && plain).then(|| line.to_owned())
}

/// A word in pieces: single characters with blanks between them, or two runs with nothing but the end of a line between.
fn pieced(rest: &str, found: &mut Found) {
    let rest = rest.trim_start_matches(|c: char| !c.is_ascii_graphic() || matches!(c, ':' | '='));
    let line = rest.lines().next().unwrap_or_default();
    // What stands between the first two is what stands between all.
    let between = line.chars().nth(1).filter(|c| !c.is_alphanumeric());
    let spaced: String = line
        .split(between.unwrap_or(' '))
        .map(str::trim)
        .filter(|piece| !piece.is_empty())
        .map_while(|piece| {
            let mut chars = piece.chars();
            let only = chars.next().filter(char::is_ascii_graphic);
            let own = |c: char| c.is_ascii_graphic() || c.is_alphanumeric() && c.is_ascii();
            only.filter(|_| !chars.next().is_some_and(own))
        })
        .collect();
    if spaced.len() >= 4 {
        found.add(&spaced);
    }
    let run = |text: &str| {
        let end = text.find(|c: char| !c.is_ascii_graphic());
        end.unwrap_or(text.len())
    };
    let (first, behind) = rest.split_at(run(rest));
    let next = behind.trim_start();
    let broken = behind
        .get(..behind.len().saturating_sub(next.len()))
        .is_some_and(|gap| gap.contains('\n'));
    if broken && !first.is_empty() {
        let second = next.get(..run(next)).unwrap_or_default();
        if !second.is_empty() {
            found.late.push(format!("{first}{second}"));
        }
    }
}

/// A word without quotes, brackets and punctuation around it.
fn bare(word: &str) -> &str {
    word.trim_matches([
        '"', '\'', '(', ')', '[', ']', '<', '>', '{', '}', ',', '.', ';', ':', '`', '*', '|', '=',
    ])
}

const QUOTES: &[(char, char)] = &[
    ('「', '」'),
    ('『', '』'),
    ('【', '】'),
    ('“', '”'),
    ('"', '"'),
    ('\'', '\''),
    ('[', ']'),
    ('<', '>'),
    ('`', '`'),
    ('（', '）'),
    ('(', ')'),
];

fn first_quoted(text: &str) -> Option<&str> {
    let near = text.get(..text.floor_char_boundary(80.min(text.len())))?;
    let (at, open) = near
        .char_indices()
        .find(|(_, c)| QUOTES.iter().any(|(open, _)| open == c))?;
    let close = QUOTES.iter().find(|(quote, _)| *quote == open)?.1;
    let inner = text.get(at.saturating_add(open.len_utf8())..)?;
    let word = inner.get(..inner.find(close)?)?.trim();
    (!word.is_empty() && word.chars().count() <= LONGEST && !word.contains(char::is_whitespace))
        .then_some(word)
}

/// A quoted word that is put behind the first: 「ab」と「12」, "ab" + "12".
fn next_quoted<'t>(text: &'t str, first: &str) -> Option<&'t str> {
    let at = text.find(first)?.checked_add(first.len())?;
    let behind = text.get(at..)?;
    let close = behind.chars().next()?;
    let behind = behind.get(close.len_utf8()..)?.trim_start();
    let joined = ["と", "+", "&", "and "];
    let behind = joined.iter().find_map(|word| behind.strip_prefix(word))?;
    let behind = behind.trim_start();
    let (open, _) = QUOTES.iter().find(|(_, known)| *known == close)?;
    behind.starts_with(*open).then(|| first_quoted(behind))?
}

/// Every quoted word.
fn quoted(text: &str, found: &mut Found) {
    for (open, close) in QUOTES.iter().take(5) {
        let mut rest = text;
        // Ends because each turn takes at least a quote.
        while let Some((_, behind)) = rest.split_once(*open) {
            let near = behind
                .get(..behind.floor_char_boundary(LONGEST.saturating_mul(3).min(behind.len())))
                .unwrap_or_default();
            rest = behind;
            if let Some((word, _)) = near.split_once(*close)
                && word.len() >= 4
                && word.bytes().all(|byte| byte.is_ascii_graphic())
            {
                found.add(word);
            }
        }
    }
}

/// Whether a word has letters and digits, or letters and signs: unlike a word of a sentence.
fn mixed(word: &str) -> bool {
    let digit = word.bytes().any(|byte| byte.is_ascii_digit());
    let letter = word.bytes().any(|byte| byte.is_ascii_alphabetic());
    let sign = word
        .bytes()
        .any(|byte| matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'@' | b'_' | b'+'));
    (digit && letter) || (sign && (digit || letter) && !word.contains('@'))
}

/// The words of a page as lines: without tags, scripts and styles, references resolved. What it does not show stands
/// behind all that it shows.
pub fn plain(html: &str) -> String {
    let mut out = String::with_capacity(html.len().min(LONGEST_TEXT));
    let mut hidden = String::new();
    let names = unseen_names(html);
    pieces(html, &names, |piece, shown| {
        match shown {
            Shown::Yes => out.push_str(piece),
            Shown::No => hidden.push_str(piece),
        }
        ControlFlow::Continue(())
    });
    if !hidden.is_empty() {
        out.push('\n');
        out.push_str(&hidden);
    }
    out.replace(BLANK, " ")
}

/// Whether a page shows a piece of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Yes,
    No,
}

/// A blank at which no line breaks, which XML knows no name for.
const BLANK: &str = "&nbsp;";

/// Letters and digits in the words of a page, counted until there are more than `most`.
pub fn shown(html: &str, most: usize) -> usize {
    let mut shown = 0usize;
    pieces(html, &BTreeSet::new(), |piece, _| {
        let letters = match piece.is_ascii() && memchr::memchr(b'&', piece.as_bytes()).is_none() {
            true => piece.bytes().filter(u8::is_ascii_alphanumeric).count(),
            false => {
                let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).count();
                piece.split(BLANK).map(letters).sum()
            }
        };
        shown = shown.saturating_add(letters);
        match shown > most {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    shown
}

/// The words of a page from one tag to the next, and line ends, until `each` has enough. `names` are those of elements that
/// show nothing.
fn pieces(
    html: &str,
    names: &BTreeSet<String>,
    mut each: impl FnMut(&str, Shown) -> ControlFlow<()>,
) {
    const BREAKS: [&str; 7] = ["br", "p", "div", "tr", "td", "li", "h"];
    let end = html.floor_char_boundary(LONGEST_TEXT.min(html.len()));
    let mut rest = html.get(..end).unwrap_or_default();
    let (mut scripts, mut styles) = (true, true);
    let mut marks = ["rtl", "RTL"].iter();
    let turning =
        marks.any(|mark| memchr::memmem::find(html.as_bytes(), mark.as_bytes()).is_some());
    // The name of the element at hand that shows nothing, and of the one that turns its letters round.
    let mut unseen: Option<&[u8]> = None;
    let mut turned: Option<&[u8]> = None;
    let is_shown = |unseen: Option<&[u8]>| match unseen {
        Some(_) => Shown::No,
        None => Shown::Yes,
    };
    // Ends because each turn takes at least the angle bracket.
    while let Some((text, tag)) = split_at_byte(rest, b'<') {
        if each(&super::html::unescape(text), is_shown(unseen)).is_break() {
            return;
        }
        let (name, behind) = split_at_byte(tag, b'>').unwrap_or((tag, ""));
        let (closes, whole) = (name.starts_with('/'), name);
        let name = name.trim_start_matches('/').as_bytes();
        let begins = |word: &str| {
            name.get(..word.len())
                .is_some_and(|name| name.eq_ignore_ascii_case(word.as_bytes()))
        };
        let mut put = BREAKS.iter().any(|tag| begins(tag)).then_some("\n");
        let own = name.split(|byte| !byte.is_ascii_alphanumeric()).next();
        if closes && own.is_some() && own == turned {
            turned = None;
            put = Some("\u{202c}");
        } else if !closes && turning && turned.is_none() && turns(whole) {
            turned = own;
            put = Some("\u{202e}");
        }
        if put.is_some_and(|put| each(put, is_shown(unseen)).is_break()) {
            return;
        }
        if closes && own.is_some() && own == unseen {
            // The words of the next are no part of these.
            if each("\n", Shown::No).is_break() {
                return;
            }
            unseen = None;
        } else if !closes && unseen.is_none() && shows_nothing(whole, names) {
            unseen = own;
        }
        rest = behind;
        for (hidden, closed) in [("script", &mut scripts), ("style", &mut styles)] {
            if !*closed || !begins(hidden) || tag.starts_with('/') {
                continue;
            }
            match behind.split_once(&format!("</{hidden}")) {
                Some((_, shown)) => rest = shown,
                // Nothing behind this is closed either: it is not looked for again.
                None => *closed = false,
            }
        }
    }
    let _ = each(&super::html::unescape(rest), is_shown(unseen));
}

/// The words of an entry of a calendar or a card, lines that were folded in one piece (RFC 5545, 3.1; RFC 6350, 3.2), with
/// the breaks that stand in its texts.
pub fn of_entry(text: &str) -> String {
    let end = text.floor_char_boundary(LONGEST_TEXT.min(text.len()));
    let text = text.get(..end).unwrap_or_default().replace("\r\n", "\n");
    let whole = text.replace("\n ", "").replace("\n\t", "");
    let plain = whole.replace("\\n", "\n").replace("\\N", "\n");
    plain.replace("\\,", ",").replace("\\;", ";")
}

/// The fields of a mail's header that have one of the phrases, which are in lower case, in their name or value: each a line.
pub fn of_header(mail: &[u8], phrases: &[String]) -> String {
    /// Bytes of a header that are looked through.
    const HEADER: usize = 64 << 10;
    /// Fields whose checks pass, and what is looked at elsewhere.
    const OTHERS: [&str; 8] = [
        "authentication-results",
        "arc-",
        "received",
        "dkim-",
        "x-ms-exchange",
        "x-forefront",
        "subject",
        "content-",
    ];
    let head = mail.get(..HEADER).unwrap_or(mail);
    let end = memchr::memmem::find(head, b"\n\r\n").into_iter();
    let end = end.chain(memchr::memmem::find(head, b"\n\n")).min();
    let head = head.get(..end.unwrap_or(head.len())).unwrap_or(head);
    let head = String::from_utf8_lossy(head).replace("\r\n", "\n");
    let whole = head.replace("\n ", " ").replace("\n\t", " ");
    let mut out = String::new();
    for line in whole.lines() {
        let lower = line.to_ascii_lowercase();
        if OTHERS.iter().any(|other| lower.starts_with(other)) {
            continue;
        }
        let line = match line.contains("=?") {
            true => super::header_words::likeliest(line.as_bytes()),
            false => line.to_owned(),
        };
        if says(&line, phrases) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// The words of the body of a Word document (ECMA-376 part 1, 17.3), a line for each paragraph.
pub fn of_document(xml: &str) -> String {
    let end = xml.floor_char_boundary(LONGEST_TEXT.min(xml.len()));
    let mut out = String::new();
    for piece in xml.get(..end).unwrap_or_default().split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        match tag.split(' ').next().unwrap_or_default() {
            "/w:p" | "w:br/" => out.push('\n'),
            "w:tab/" => out.push(' '),
            _ => {}
        }
        out.push_str(&super::html::unescape(text));
    }
    out
}

/// What stands in front of the first such byte of ASCII, and behind it.
fn split_at_byte(text: &str, byte: u8) -> Option<(&str, &str)> {
    let at = memchr::memchr(byte, text.as_bytes())?;
    Some((text.get(..at)?, text.get(at.checked_add(1)?..)?))
}

/// The texts that a page shows in the place of its pictures, over them, and in its fields.
pub fn alternatives(html: &str) -> String {
    /// Pictures that are looked at.
    const MOST: usize = 64;
    let end = html.floor_char_boundary(LONGEST_TEXT.min(html.len()));
    let html = html.get(..end).unwrap_or_default();
    let marks = [
        "alt=\"", "alt='", "title=\"", "title='", "value=\"", "value='",
    ];
    let texts = marks.iter().flat_map(|mark| {
        let close = mark.chars().next_back().unwrap_or_default();
        let all = html.split(mark).skip(1).take(MOST);
        all.filter_map(move |rest| Some(rest.split_once(close)?.0))
    });
    texts
        .map(super::html::unescape)
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<String> {
        let phrases = [
            "解凍パスワード",
            "パスワード",
            "解凍pw",
            "password",
            "pw",
            "pass",
        ];
        let leading = ["is", "the", "for", "zip", "file"];
        words(
            text,
            &phrases.map(str::to_owned),
            &leading.map(str::to_owned),
        )
    }

    #[test]
    fn letters_are_counted_as_they_are_shown() {
        let page = "<style>p { x }</style><p>a&nbsp;b&amp;1</p><SCRIPT>y</script> 報告<br/>";
        assert_eq!(plain(page), ">\na b&1\n> 報告\n");
        assert_eq!(shown(page, 100), 5);
        let page = "<p>a&nbsp;b&amp;1</P><TD>報告<div";
        assert_eq!(plain(page), "\na b&1\n\n報告\n");
        assert_eq!(shown(page, 100), 5);
        assert_eq!(shown(page, 2), 3);
    }

    #[test]
    fn the_word_behind_the_phrase_comes_first() {
        for (text, word) in [
            (
                "お世話になっております。\n添付ファイルの解凍パスワードは下記の通りです。\n\nab3$Kx9q\n\n以上",
                "ab3$Kx9q",
            ),
            ("解凍PW：20261102tanaka", "20261102tanaka"),
            ("パスワード：パスワード1", "パスワード1"),
            ("解凍パスワードは、パス1234です。", "パス1234"),
            ("パスワード：さくら2026", "さくら2026"),
            ("パスワードは password1! です", "password1!"),
            ("解凍PW：PW2024", "PW2024"),
            ("パスワード：Ｘｙｚ１２３", "Xyz123"),
            ("パスワードは「kanri-2026」です。", "kanri-2026"),
            ("The password is: Invoice2026!", "Invoice2026!"),
            (
                "Password for the zip file: \"open sesame\" no, it is \"sesame99\".",
                "sesame99",
            ),
            ("PW: 1234", "1234"),
            ("パスワードは「関所」です。", "関所"),
            ("パスワード：関所二〇二六\r\n以上", "関所二〇二六"),
            ("パスワード：K（大文字ケイ）x7mQ2p", "Kx7mQ2p"),
            ("パスワード：Kx0OQ2p（3文字目はゼロ）", "Kx0OQ2p"),
            ("解凍PW／Kx7mQ2p／", "Kx7mQ2p"),
            ("パスワード：K\u{ad}x7\u{200b}mQ2p", "Kx7mQ2p"),
            ("パスワード：!@#$%^&*()_+", "!@#$%^&*()_+"),
            ("Password: open sesame 2026\n", "open sesame 2026"),
            ("Pass: secret.", "secret."),
        ] {
            let found = of(text);
            let place = found.iter().position(|found| found == word);
            assert!(place.is_some_and(|place| place < 4), "{text}: {found:?}");
        }
    }

    #[test]
    fn a_word_is_tried_as_it_was_typed_and_in_the_case_that_is_asked_for() {
        let tried = |text: &str, word: &str| of(text).contains(&word.to_owned());
        assert!(tried("パスワードは ＡＢＣ１２３ です。", "ABC123"));
        assert!(tried("パスワードは ＡＢＣ１２３ です。", "ＡＢＣ１２３"));
        assert!(!tried("パスワードは ABC123 です。", "ＡＢＣ１２３"));
        assert!(tried("PASSWORD IS KX7MQ2P (all lowercase)", "kx7mq2p"));
        let upper = "パスワード（英字は大文字）：ｓａｋｕｒａ０１";
        assert!(tried(upper, "SAKURA01"), "{:?}", of(upper));
        assert!(!tried("パスワード：sakura01", "SAKURA01"));
        assert!(tried("パスワード：ab\u{a5}12\u{203e}x", "ab\\12~x"));
    }

    #[test]
    fn a_page_is_read_as_its_lines() {
        let page = "<style>b{}</style><p>解凍パスワード：<br><b>a&amp;B12345</b></p>";
        assert!(
            of(&plain(page)).contains(&"a&B12345".to_owned()),
            "{:?}",
            plain(page)
        );
    }

    #[test]
    fn pieces_with_signs_between_them_and_two_in_quotes_are_one() {
        for text in [
            "パスワードは ａ・ｂ・ｃ・１・２・３・４ です",
            "Password: a-b-c-1-2-3-4",
            "Password: a, b, c, 1, 2, 3, 4",
            "パスワードは「abc1」と「234」をつなげたものです",
        ] {
            assert!(
                of(text).contains(&"abc1234".to_owned()),
                "{text}: {:?}",
                of(text)
            );
        }
        assert!(!of("Password: a-long-word-1").contains(&"a".to_owned()));
    }

    #[test]
    fn fields_of_a_header_and_entries_of_a_calendar_tell_words() {
        let phrases = ["password".to_owned(), "pass".to_owned()];
        let mail = b"Received: by a\r\nAuthentication-Results: a; spf=pass\r\nX-Password:\r\n Kx7mQ2p\r\nTo: b\r\n\r\nPassword: no";
        assert_eq!(of_header(mail, &phrases), "X-Password: Kx7mQ2p\n");
        let entry = of_entry("DESCRIPTION:Passwo\r\n rd: Kx7\r\n mQ2p\\nSee\\, you\r\n");
        assert_eq!(entry, "DESCRIPTION:Password: Kx7mQ2p\nSee, you\n");
    }

    #[test]
    fn a_document_is_read_as_its_paragraphs() {
        let xml = "<w:body><w:p><w:r><w:t>PW:</w:t></w:r><w:proofErr/><w:r><w:t>Kx7</w:t></w:r><w:r><w:t>m&amp;Q</w:t></w:r></w:p><w:p/></w:body>";
        assert_eq!(of_document(xml), "PW:Kx7m&Q\n");
    }

    #[test]
    fn what_a_page_does_not_show_is_apart_from_what_it_shows() {
        let page = "<p>PW：<span style='display: none'>dummy1</span>Kx7mQ2p</p>";
        assert_eq!(plain(page), "\nPW：Kx7mQ2p\n\ndummy1\n");
        assert!(of(&plain(page)).contains(&"Kx7mQ2p".to_owned()));
        let broken = "<style>.h{display:none}</style><p>PW：K<i class=h>9</i>x7<b>m</b>Q2p</p>";
        assert!(of(&plain(broken)).contains(&"Kx7mQ2p".to_owned()));
        assert_eq!(plain("<bdo dir=rtl>cba</bdo>"), "\u{202e}cba\u{202c}");
        assert_eq!(plain("<b style='display:block'>a</b>b"), "ab");
        let field = alternatives("<p>パスワード <input value=\"Kx7mQ2p\" readonly>");
        assert_eq!(field, "Kx7mQ2p");
    }

    #[test]
    fn a_line_of_signs_is_no_word_and_pictures_tell_theirs() {
        let lines = of("パスワード\n----------\n======");
        assert!(!lines.contains(&"----------".to_owned()), "{lines:?}");
        let page = "<img src=a alt='PW：alt-&#57;9'><p>x</p>";
        assert!(of(&alternatives(page)).contains(&"alt-99".to_owned()));
    }

    #[test]
    fn a_word_in_pieces_is_put_together() {
        for text in [
            "パスワード： A b 1 2 C d 3 4",
            "パスワードは Ab12\r\nCd34 です",
            "パスワードは\nAb12\n\nCd34",
        ] {
            assert!(
                of(text).contains(&"Ab12Cd34".to_owned()),
                "{text}: {:?}",
                of(text)
            );
        }
        assert!(
            of("password is Ab12 and Cd34")
                .iter()
                .all(|word| word != "Ab12and")
        );
    }

    #[test]
    fn long_texts_and_many_phrases_end() {
        assert!(of(&"password ".repeat(100_000)).len() <= WORDS);
        assert!(of(&"「".repeat(100_000)).is_empty());
        let started = std::time::Instant::now();
        plain(&"<script>".repeat(32_000));
        assert!(started.elapsed() < std::time::Duration::from_secs(2));
    }
}
