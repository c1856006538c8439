//! Bytes of a client → command lines, and the text of messages: DATA (RFC 5321 section 4.5.2) and BDAT (RFC 3030).
//! No input or output.
//!
//! Only CR LF "." CR LF ends a message, and only CR LF ends a command that is obeyed: a server that takes other line
//! ends for one lets a client smuggle a second message in (CVE-2023-51764). What is taken out of here holds no bare CR
//! and no bare LF any more, so that the bytes that are scanned are those that are sent.

/// Longest command line in bytes: RFC 5321 section 4.5.3.1.4 has 512, the parameters of extensions come on top.
const LONGEST_LINE: usize = 4096;

/// What came and was not taken yet.
#[derive(Debug, Default)]
pub struct Input {
    bytes: Vec<u8>,
    at: usize,
    /// Within a line that is too long.
    skipping: bool,
}

/// One command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Without its CR LF.
    Whole(Vec<u8>),
    /// With a bare CR, a bare LF or a NUL in it.
    Bare,
    /// Longer than any command.
    TooLong,
}

impl Input {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.at >= self.bytes.len() {
            self.bytes.clear();
        } else if self.at > 0 {
            self.bytes.drain(..self.at);
        }
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// What is there.
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes bytes from the front.
    pub fn advance(&mut self, len: usize) {
        self.at = self.at.saturating_add(len).min(self.bytes.len());
    }

    /// Forgets everything: what came before TLS began is nobody's word (RFC 3207 section 6).
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether nothing is there.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    /// The next line, if all of it is there.
    pub fn line(&mut self) -> Option<Line> {
        let Some(end) = memchr::memchr(b'\n', self.rest()) else {
            if self.rest().len() > LONGEST_LINE {
                self.skipping = true;
                self.advance(usize::MAX);
            }
            return None;
        };
        let line = self.rest().get(..end).unwrap_or_default().to_vec();
        self.advance(end.saturating_add(1));
        if std::mem::take(&mut self.skipping) || line.len() > LONGEST_LINE {
            return Some(Line::TooLong);
        }
        let bare = match line.strip_suffix(b"\r") {
            Some(text) if memchr::memchr2(b'\r', 0, text).is_none() => text.to_vec(),
            _ => return Some(Line::Bare),
        };
        Some(Line::Whole(bare))
    }
}

/// Makes every line end CR LF.
#[derive(Debug, Default)]
pub struct Breaks {
    /// The last byte was a CR that is not written yet.
    held: bool,
}

impl Breaks {
    /// Takes bytes, writes lines.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let mut rest = bytes;
        // Ends because every round takes bytes.
        while !rest.is_empty() {
            if std::mem::take(&mut self.held) {
                out.extend(b"\r\n");
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
                continue;
            }
            let Some((text, end)) =
                memchr::memchr2(b'\r', b'\n', rest).and_then(|at| rest.split_at_checked(at))
            else {
                out.extend_from_slice(rest);
                return;
            };
            out.extend_from_slice(text);
            match end.split_first() {
                Some((b'\n', after)) => {
                    out.extend(b"\r\n");
                    rest = after;
                }
                Some((_, after)) => {
                    self.held = true;
                    rest = after;
                }
                None => return,
            }
        }
    }

    /// The end of the message, which is the end of a line.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let open = !out.is_empty() && !out.ends_with(b"\r\n");
        if std::mem::take(&mut self.held) || open {
            out.extend(b"\r\n");
        }
    }
}

/// Where the reading of DATA stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Behind CR LF, or at the start.
    #[default]
    LineStart,
    /// Behind a dot at the start of a line.
    Dot,
    /// Behind such a dot and a CR.
    DotCr,
    /// Within a line; `cr`: behind a CR.
    Text { cr: bool },
}

/// The text of a message as DATA has it.
#[derive(Debug, Default)]
pub struct DataText {
    place: Place,
    breaks: Breaks,
}

impl DataText {
    /// Takes bytes, writes the text without the dots that were put before others. Gives how many bytes were taken, and
    /// whether the message ended with them.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        let mut taken = 0_usize;
        // Ends because each round takes bytes or moves on to `Text`, which takes some.
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let first = rest.first().copied().unwrap_or_default();
            match (self.place, first) {
                (Place::LineStart, b'.') => self.place = Place::Dot,
                (Place::Dot, b'\r') => self.place = Place::DotCr,
                (Place::DotCr, b'\n') => {
                    self.place = Place::LineStart;
                    self.breaks.end(out);
                    return (taken.saturating_add(1), true);
                }
                (Place::LineStart | Place::Dot, _) => {
                    self.place = Place::Text { cr: false };
                    continue;
                }
                (Place::DotCr, _) => {
                    self.breaks.push(b"\r", out);
                    self.place = Place::Text { cr: true };
                    continue;
                }
                (Place::Text { cr }, _) => {
                    taken = taken.saturating_add(self.text(rest, cr, out));
                    continue;
                }
            }
            taken = taken.saturating_add(1);
        }
        (taken, false)
    }

    /// Up to the end of the line, as far as it is there.
    fn text(&mut self, rest: &[u8], behind_cr: bool, out: &mut Vec<u8>) -> usize {
        let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
        let line = rest.get(..end).unwrap_or_default();
        self.breaks.push(line, out);
        self.place = match line {
            [.., b'\r', b'\n'] => Place::LineStart,
            [b'\n'] if behind_cr => Place::LineStart,
            [.., b'\r'] => Place::Text { cr: true },
            _ => Place::Text { cr: false },
        };
        end
    }
}

/// The next piece of a message as DATA sends it: dots at the start of lines doubled. `text` holds whole lines.
pub fn stuff(text: &[u8], at_line_start: &mut bool, out: &mut Vec<u8>) {
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if *at_line_start && line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
        *at_line_start = line.ends_with(b"\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message in `bytes`, however it is cut, and what is left behind its end.
    fn data(bytes: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut results = Vec::new();
        for cut in 1..=bytes.len() {
            let (mut text, mut out) = (DataText::default(), Vec::new());
            let mut ended = None;
            let mut at = 0;
            for chunk in bytes.chunks(cut) {
                let (taken, end) = text.push(chunk, &mut out);
                at += taken;
                if end {
                    ended = Some((out.clone(), bytes[at..].to_vec()));
                    break;
                }
            }
            results.push(ended);
        }
        results.dedup();
        assert_eq!(results.len(), 1, "depends on how it is cut: {results:?}");
        results.remove(0)
    }

    #[test]
    fn only_crlf_dot_crlf_ends_a_message() {
        let end = |text: &str, rest: &str| Some((text.into(), rest.into()));
        assert_eq!(data(b"a\r\n.\r\nQUIT\r\n"), end("a\r\n", "QUIT\r\n"));
        assert_eq!(data(b".\r\nNOOP"), end("", "NOOP"));
        for smuggled in [
            b"a\n.\nMAIL".as_slice(),
            b"a\r\n.\nMAIL",
            b"a\n.\r\nMAIL",
            b"a\r.\r\nMAIL",
            b"a\r\n.\rMAIL",
            b"a\r.\rMAIL",
            b"a\r\n.\r\rMAIL",
            b"a\n\n.\n\n",
            b"a\r\n\0.\r\n",
            b"a\r\n.\0\r\n",
        ] {
            assert_eq!(data(smuggled), None, "{smuggled:?}");
        }
        assert_eq!(
            data(b"a\n.\r\nMAIL\r\n.\r\n"),
            end("a\r\n.\r\nMAIL\r\n", "")
        );
        assert_eq!(data(b"a\r\n.\rb\r\n.\r\n"), end("a\r\n\r\nb\r\n", ""));
    }

    #[test]
    fn dots_are_taken_away_where_they_were_added_and_lines_end_in_crlf() {
        let end = |text: &str| Some((text.into(), Vec::new()));
        assert_eq!(data(b"..\r\n...a\r\n.b\r\n.\r\n"), end(".\r\n..a\r\nb\r\n"));
        assert_eq!(
            data(b"a\rb\nc\r\r\n\n\r\n.\r\n"),
            end("a\r\nb\r\nc\r\n\r\n\r\n\r\n")
        );
        let mut breaks = Breaks::default();
        let mut out = Vec::new();
        for piece in [b"a\r".as_slice(), b"\nb\r", b"c", b"\n.\nd"] {
            breaks.push(piece, &mut out);
        }
        breaks.end(&mut out);
        assert_eq!(out, b"a\r\nb\r\nc\r\n.\r\nd\r\n");
    }

    #[test]
    fn what_was_taken_is_sent_with_its_dots_again() {
        let (mut out, mut start) = (Vec::new(), true);
        for piece in [b".a\r\n".as_slice(), b".", b".b\r\n..\r\n"] {
            stuff(piece, &mut start, &mut out);
        }
        assert_eq!(out, b"..a\r\n...b\r\n...\r\n");
    }

    #[test]
    fn a_command_ends_in_crlf_and_is_not_long() {
        let mut input = Input::default();
        input.push(b"EHLO a\r\nNOOP\nRS\rET\r\n\r\nQU");
        let whole = |text: &str| Some(Line::Whole(text.into()));
        assert_eq!(input.line(), whole("EHLO a"));
        assert_eq!(input.line(), Some(Line::Bare));
        assert_eq!(input.line(), Some(Line::Bare));
        assert_eq!(input.line(), whole(""));
        assert_eq!(input.line(), None);
        input.push(b"IT\r\n");
        assert_eq!(input.line(), whole("QUIT"));
        for _ in 0..100 {
            input.push(&[b'x'; 1000]);
            assert_eq!(input.line(), None);
            assert!(input.rest().len() <= LONGEST_LINE + 1000);
        }
        input.push(b"\r\nNOOP\r\n");
        assert_eq!(input.line(), Some(Line::TooLong));
        assert_eq!(input.line(), whole("NOOP"));
        input.push(b"EHLO");
        input.clear();
        assert!(input.is_empty());
    }
}
