//! What bytes that are text are: the head decoded once, then asked by the files beside this one.
//!
//! Of a long text the first [`HEAD`] bytes behind its blanks, as many from its first element on and the last [`TAIL`] are
//! looked at, and all of it where an element alone does not tell.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};

use crate::model::Kind;
use crate::text::{self, Charset};

use super::{data_text, ini, markup, prolog, script};

/// Bytes decoded of a text, from its start and, where it is longer, from its end.
pub(super) const HEAD: usize = 48 * 1024;
const TAIL: usize = 16 * 1024;

/// A text to be told: its head, and its tail where it is longer than that.
pub(super) struct Words<'a> {
    /// The first bytes behind blanks, decoded, without a byte order mark.
    pub(super) head: Cow<'a, str>,
    /// The last bytes, decoded; empty where the head is all.
    pub(super) tail: Cow<'a, str>,
    /// Whether the head is all there is.
    pub(super) whole: bool,
    charset: Charset,
    body: &'a [u8],
    lower: OnceCell<String>,
}

impl<'a> Words<'a> {
    /// The text of bytes; `None` where they do not look like text.
    pub(super) fn new(data: &'a [u8]) -> Option<Self> {
        Some(Self::read(data, charset(data)?))
    }

    /// Of a text that is one already.
    pub(super) fn of(text: &'a str) -> Self {
        let charset = Charset {
            encoding: UTF_8,
            mark: 0,
        };
        Self::read(text.as_bytes(), charset)
    }

    fn read(data: &'a [u8], charset: Charset) -> Self {
        let body = data.get(charset.mark..).unwrap_or_default();
        // An even number, since a character may take two bytes or four.
        let blanks = match charset.encoding.is_ascii_compatible() {
            true => prolog::blanks(body),
            false => wide_blanks(body),
        };
        let body = body.get(blanks..).unwrap_or_default();
        let head = body.get(..HEAD).unwrap_or(body);
        let from = body.len().saturating_sub(TAIL).max(head.len()) & !3;
        let tail = body
            .get(from..)
            .filter(|_| body.len() > HEAD)
            .unwrap_or_default();
        Self {
            head: decode(charset, head),
            tail: decode(charset, tail),
            whole: body.len() <= HEAD,
            charset,
            body,
            lower: OnceCell::new(),
        }
    }

    /// The text from its first element on, a whole tag and as much behind it as the head has, and whether a document type
    /// in front of it says HTML; `None` where no element follows what may stand in front.
    pub(super) fn markup(&self) -> Option<(Cow<'_, str>, bool)> {
        if !self.charset.encoding.is_ascii_compatible() || self.whole {
            let text = match self.whole {
                true => Cow::Borrowed(self.head.as_ref()),
                false => decode(self.charset, self.body),
            };
            let (range, html) = element(text.as_bytes())?;
            return Some((cut(text, range), html));
        }
        let (range, html) = element(self.body)?;
        Some((decode(self.charset, self.body.get(range)?), html))
    }

    /// Whether a word in lower case stands anywhere in the text, or in `near`, which is searched first.
    pub(super) fn holds(&self, near: &str, word: &str) -> bool {
        if near.contains(word) {
            return true;
        }
        if self.whole {
            return false;
        }
        let lower = self
            .lower
            .get_or_init(|| decode(self.charset, self.body).to_ascii_lowercase());
        memchr::memmem::find(lower.as_bytes(), word.as_bytes()).is_some()
    }

    /// Whether a name, which has one spelling, stands anywhere in a text of one byte a letter, or in the head.
    pub(super) fn mentions(&self, name: &str) -> bool {
        let body = match self.charset.encoding.is_ascii_compatible() {
            true => self.body,
            false => self.head.as_bytes(),
        };
        memchr::memmem::find(body, name.as_bytes()).is_some()
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

/// Where the first element stands, and what follows it up to the length of a head.
fn element(text: &[u8]) -> Option<(Range<usize>, bool)> {
    let found = prolog::of(text)?;
    let rest = text.get(found.at..)?;
    let tag = prolog::end_of_tag(rest).unwrap_or(0);
    let end = found.at.saturating_add(tag).saturating_add(HEAD);
    Some((found.at..end.min(text.len()), found.html))
}

fn cut(text: Cow<'_, str>, range: Range<usize>) -> Cow<'_, str> {
    let (start, end) = (
        text.floor_char_boundary(range.start),
        text.floor_char_boundary(range.end),
    );
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.get(start..end).unwrap_or_default()),
        Cow::Owned(text) => Cow::Owned(text.get(start..end).unwrap_or_default().to_owned()),
    }
}

/// How many bytes in front of a text of two or four bytes a letter are blanks.
fn wide_blanks(body: &[u8]) -> usize {
    let count = body
        .iter()
        .position(|byte| !byte.is_ascii_whitespace() && *byte != 0);
    count.unwrap_or(body.len()) & !3
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
        assert!(words.tail.len() <= TAIL + 3);
    }
}
