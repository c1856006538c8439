//! Foreign text: charsets, file names, made safe to show.
//!
//! Nothing that came from outside reaches a terminal, a log, a header or a file name but through [`safe`].

mod any_of;
mod charset;
mod cp437;
mod lookalike;
mod name;
mod path;
pub mod utf7;

pub use any_of::AnyOf;
pub use charset::{Charset, decode, encoding, sniff, to_utf8};
pub use cp437::cp437;
pub use lookalike::plain_letters;
pub use name::{name_readings, raw_readings};
pub use path::{path, path_lossless};

/// Longest text that is quoted as evidence, in characters.
pub const EXCERPT: usize = 300;

/// Foreign text with everything escaped that could fool a terminal, a log or a reader: control characters,
/// bidirectional controls, invisible and unassigned-looking format characters.
pub fn safe(text: &str) -> String {
    // Nearly all text is.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_deceptive(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

/// [`safe`] text of at most [`EXCERPT`] characters, with an ellipsis where it was cut.
pub fn excerpt(text: &str) -> String {
    let end = match text.len() {
        0..=EXCERPT => None,
        _ => text.char_indices().nth(EXCERPT).map(|(at, _)| at),
    };
    let cut = end.and_then(|end| text.get(..end));
    match cut {
        Some(cut) => safe(cut) + "…",
        None => safe(text),
    }
}

/// Whether a character shows as something else than it is, or not at all (Unicode categories Cc and Cf, and the
/// blank look-alikes: Unicode Standard Annex 9 for the bidirectional ones).
pub fn is_deceptive(c: char) -> bool {
    c.is_control()
        || is_bidi_control(c)
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200d}' | '\u{2028}'..='\u{2029}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether a character changes the direction of what follows (Unicode Standard Annex 9).
pub fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_fool_a_terminal_is_escaped_and_japanese_is_not() {
        assert_eq!(
            safe("a\u{1b}[2Jb\u{202e}fdp.exe"),
            "a\\u{1b}[2Jb\\u{202e}fdp.exe"
        );
        assert_eq!(safe("報告書.docm"), "報告書.docm");
        assert_eq!(safe("one\r\ntwo"), "one\\r\\ntwo");
    }

    #[test]
    fn an_excerpt_says_that_it_was_cut() {
        let long = "あ".repeat(EXCERPT + 1);
        assert_eq!(excerpt(&long).chars().count(), EXCERPT + 1);
        assert!(excerpt(&long).ends_with('…'));
        assert_eq!(excerpt("short"), "short");
        assert_eq!(excerpt(&"a".repeat(EXCERPT)), "a".repeat(EXCERPT));
        let longer = "a".repeat(EXCERPT + 1);
        assert_eq!(excerpt(&longer), "a".repeat(EXCERPT) + "…");
        let whole = "あ".repeat(EXCERPT);
        assert_eq!(excerpt(&whole), whole);
    }
}
