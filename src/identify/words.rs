//! What bytes that are text are: the head decoded once, then asked by the files beside this one.
//!
//! Only the first [`HEAD`] bytes and the last [`TAIL`] of a long text are looked at.

use std::borrow::Cow;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};

use crate::model::Kind;
use crate::text::{self, Charset};

use super::{data_text, ini, markup, script};

/// Bytes decoded of a text, from its start and, where it is longer, from its end.
pub(super) const HEAD: usize = 48 * 1024;
const TAIL: usize = 16 * 1024;

/// A text to be told: its head, and its tail where it is longer than that.
pub(super) struct Words<'a> {
    /// The first bytes, decoded, without a byte order mark.
    pub(super) head: Cow<'a, str>,
    /// The last bytes, decoded; empty where the head is all.
    pub(super) tail: Cow<'a, str>,
    /// Whether the head is all there is.
    pub(super) whole: bool,
}

impl<'a> Words<'a> {
    /// The text of bytes; `None` where they do not look like text.
    pub(super) fn new(data: &'a [u8]) -> Option<Self> {
        let charset = charset(data)?;
        let body = data.get(charset.mark..).unwrap_or_default();
        let head = body.get(..HEAD).unwrap_or(body);
        // An even offset, since a character may take two bytes.
        let from = body.len().saturating_sub(TAIL).max(head.len()) & !1;
        let tail = body
            .get(from..)
            .filter(|_| body.len() > HEAD)
            .unwrap_or_default();
        Some(Self {
            head: decode(charset, head),
            tail: decode(charset, tail),
            whole: body.len() <= HEAD,
        })
    }

    /// The head without blanks in front.
    pub(super) fn start(&self) -> &str {
        self.head
            .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\0'))
    }
}

/// [`text::sniff`], but for the mark of UTF-16 in front of plain ASCII: the command interpreter passes over it.
fn charset(data: &[u8]) -> Option<Charset> {
    let sniffed = text::sniff(data.get(..HEAD).unwrap_or(data))?;
    let wide = sniffed.encoding == UTF_16LE || sniffed.encoding == UTF_16BE;
    let body = data.get(sniffed.mark..).unwrap_or_default();
    let body = body.get(..64).unwrap_or(body);
    let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    if wide && sniffed.mark > 0 && body.len() >= 4 && body.iter().all(plain) {
        return Some(Charset {
            encoding: UTF_8,
            mark: sniffed.mark,
        });
    }
    Some(sniffed)
}

fn decode(charset: Charset, bytes: &[u8]) -> Cow<'_, str> {
    charset.encoding.decode_without_bom_handling(bytes).0
}

/// The first `most` bytes as a text, whatever they are: blanks for control characters.
pub(super) fn lenient(data: &[u8], most: usize) -> String {
    let head = data.get(..most).unwrap_or(data);
    let text = text::to_utf8(head);
    let plain = text.chars().map(|c| match c {
        '\t' | '\r' | '\n' => c,
        c if c.is_control() => ' ',
        c => c,
    });
    plain.collect()
}

/// Tells what a text is; `None` where it is just text.
pub(super) fn identify(words: &Words<'_>) -> Option<Kind> {
    let start = words.start();
    if start.is_empty() {
        return None;
    }
    script::by_first_line(start)
        .or_else(|| data_text::by_first_line(start))
        .or_else(|| markup::by_root(words))
        .or_else(|| ini::identify(start))
        .or_else(|| data_text::by_grammar(words))
        .or_else(|| script::by_features(words))
        .or_else(|| markup::behind_junk(words))
        .or_else(|| data_text::by_table(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_utf_16_in_front_of_ascii_is_passed_over() {
        let words = Words::new(b"\xff\xfe&cls\r\n@echo off\r\n").unwrap();
        assert!(words.head.starts_with("&cls"));
        let words = Words::new(b"\xff\xfea\0b\0").unwrap();
        assert_eq!(words.head, "ab");
        assert!(Words::new(&[0, 1, 2, 3, 4, 5, 6, 7]).is_none());
    }

    #[test]
    fn a_long_text_shows_its_end_too() {
        let long = [vec![b'a'; HEAD + TAIL], b"the end".to_vec()].concat();
        let words = Words::new(&long).unwrap();
        assert!(!words.whole && words.tail.ends_with("the end"));
        assert!(words.tail.len() <= TAIL + 1);
    }
}
