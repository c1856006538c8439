//! Replies (RFC 5321 section 4.2): ours, and those of the next hop as they come. No input or output.

use std::fmt::Write as _;

use thiserror::Error;

/// Longest line that is read of a reply (RFC 5321 section 4.5.3.1.5 has 512), and lines at the most.
const LINE: usize = 4096;
const LINES: usize = 128;

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// Its lines without the code, one at least; the enhanced code (RFC 2034) is part of the text.
    pub lines: Vec<String>,
}

/// What the next hop says is no SMTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("an answer that is no SMTP")]
pub struct NoReply;

impl Reply {
    /// A reply of one line.
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Self {
            code,
            lines: vec![text.into()],
        }
    }

    /// A reply that was written with its code in front, as [`super::super::plan::Answer`] has them.
    pub fn of_text(text: &str) -> Self {
        let code = text.get(..3).and_then(|code| code.parse().ok());
        let rest = text.get(4..).unwrap_or_default();
        match code {
            Some(code) if (200..600).contains(&code) => Self::new(code, rest),
            _ => Self::new(451, "4.3.0 internal error"),
        }
    }

    /// Whether it says yes.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// Whether it says no for good.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// As it goes over the wire.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (at, line) in self.lines.iter().enumerate() {
            let mark = if at < last { '-' } else { ' ' };
            out.extend(format!("{}{mark}{line}\r\n", self.code).as_bytes());
        }
    }

    /// On one line, for logs.
    pub fn shown(&self) -> String {
        let mut text = self.code.to_string();
        for line in &self.lines {
            // Writing to a String cannot fail.
            let _ = write!(text, " {line}");
        }
        crate::text::excerpt(&text)
    }
}

/// Replies out of the bytes of the next hop.
#[derive(Debug, Default)]
pub struct Replies {
    bytes: Vec<u8>,
    lines: Vec<String>,
}

impl Replies {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.lines.is_empty()
    }

    /// The next reply, if all of it is there.
    pub fn reply(&mut self) -> Result<Option<Reply>, NoReply> {
        // Ends because every round takes a line.
        while let Some(end) = memchr::memchr(b'\n', &self.bytes) {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            if line.len() > LINE || self.lines.len() >= LINES {
                return Err(NoReply);
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            let code = code
                .filter(|code| (200..600).contains(code))
                .ok_or(NoReply)?;
            let mark = line.as_bytes().get(3);
            let text = line.get(4..).unwrap_or_default();
            // Goes on to our client: one line stays one line.
            let text = text.replace(|c: char| c.is_control(), " ");
            self.lines.push(text);
            match mark {
                Some(b'-') => {}
                None | Some(b' ') => {
                    let lines = std::mem::take(&mut self.lines);
                    return Ok(Some(Reply { code, lines }));
                }
                Some(_) => return Err(NoReply),
            }
        }
        match self.bytes.len() > LINE {
            true => Err(NoReply),
            false => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_read_line_by_line() {
        let mut replies = Replies::default();
        replies.push(b"250-mx\r\n250-SIZE");
        assert_eq!(replies.reply(), Ok(None));
        replies.push(b" 10\r\n250 DSN\r\n451\r\n550 5.1.1 no\x07\xff\n");
        let mut said = Vec::new();
        while let Ok(Some(reply)) = replies.reply() {
            said.push((reply.code, reply.lines.join("|")));
        }
        let expected = [
            (250, "mx|SIZE 10|DSN"),
            (451, ""),
            (550, "5.1.1 no \u{fffd}"),
        ];
        assert_eq!(said, expected.map(|(code, text)| (code, text.to_owned())));
        for wrong in [
            b"hello\r\n".as_slice(),
            b"999 x\r\n",
            b"250x\r\n",
            &[b'2'; 5000],
        ] {
            let mut replies = Replies::default();
            replies.push(wrong);
            assert_eq!(replies.reply(), Err(NoReply), "{wrong:?}");
        }
        let mut endless = Replies::default();
        endless.push(&b"250-a\r\n".repeat(LINES + 1));
        assert_eq!(endless.reply(), Err(NoReply));
    }

    #[test]
    fn replies_are_written_with_their_code_on_every_line() {
        let mut out = Vec::new();
        let reply = Reply {
            code: 250,
            lines: vec!["a".to_owned(), "b".to_owned()],
        };
        reply.encode(&mut out);
        assert_eq!(out, b"250-a\r\n250 b\r\n");
        assert_eq!(Reply::of_text("550 5.7.1 no"), Reply::new(550, "5.7.1 no"));
        assert_eq!(Reply::of_text("").code, 451);
    }
}
