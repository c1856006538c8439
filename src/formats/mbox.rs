//! Mailboxes in one file (RFC 4155, and the older mboxo, mboxrd, mboxcl): byte ranges of the messages.
//!
//! A postmark is a line that begins with `From ` and that a header follows. `Content-Length` (mboxcl) is not believed:
//! readers differ on it, and a postmark with a header behind it is a message to those that ignore it. Quoted `>From `
//! lines are left as they stand.

use std::ops::Range;

use super::header::{Breaks, field_name, line_end};

/// The messages of a mailbox one by one, so that a large one needs no list.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    data: &'a [u8],
    at: Option<usize>,
}

impl<'a> Messages<'a> {
    /// Starts at the first message.
    pub fn new(data: &'a [u8]) -> Self {
        let at = postmark(data, 0).or_else(|| next_postmark(data, 0));
        Self { data, at }
    }
}

impl Iterator for Messages<'_> {
    type Item = Range<usize>;

    /// The next message without its postmark and without the blank line before the following one.
    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at?;
        let following = next_postmark(self.data, start);
        let end = match following {
            // `next_postmark` gives the offset of the postmark's own line.
            Some(next) => before_blank_line(self.data, next, start),
            None => self.data.len(),
        };
        self.at = following.and_then(|next| postmark(self.data, next));
        let body = match following {
            Some(_) | None if self.data.get(start..)?.starts_with(b"From ") => {
                line_end(self.data, start, self.data.len(), Breaks::Lf).1
            }
            _ => start,
        };
        Some(body.min(end)..end)
    }
}

/// `at` itself, where a postmark starts there.
fn postmark(data: &[u8], at: usize) -> Option<usize> {
    let is_one = is_postmark(data, at);
    is_one.then_some(at)
}

/// Whether a postmark line with a header behind it starts at `at`.
pub fn is_postmark(data: &[u8], at: usize) -> bool {
    /// Longest line taken for a postmark.
    const LONGEST: usize = 1000;
    if !data.get(at..).unwrap_or_default().starts_with(b"From ") {
        return false;
    }
    let limit = at.saturating_add(LONGEST).min(data.len());
    let (_, next) = line_end(data, at, limit, Breaks::Lf);
    let line = data
        .get(next..next.saturating_add(LONGEST).min(data.len()))
        .unwrap_or_default();
    let (end, _) = line_end(line, 0, line.len(), Breaks::Lf);
    let line = line.get(..end).unwrap_or_default();
    field_name(line).is_some() || line.starts_with(b">From ")
}

/// The next postmark behind the line at `from`: after a blank line, or anywhere where it carries a time.
pub fn next_postmark(data: &[u8], from: usize) -> Option<usize> {
    let finder = memchr::memmem::Finder::new(b"\nFrom ");
    let mut at = from;
    // Ends because `at` moves on in each round.
    loop {
        let found = finder.find(data.get(at..)?)?;
        let line = at.checked_add(found)?.checked_add(1)?;
        let head = data.get(..line).unwrap_or_default();
        let after_blank = head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n");
        if (after_blank || has_time(data, line)) && is_postmark(data, line) {
            return Some(line);
        }
        at = line;
    }
}

/// Whether a line holds two digits, a colon and two digits.
fn has_time(data: &[u8], line: usize) -> bool {
    let head = data
        .get(line..line.saturating_add(200).min(data.len()))
        .unwrap_or_default();
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    line.windows(5).any(|window| {
        matches!(window, [a, b, b':', c, d] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()))
    })
}

/// The end of the message before the postmark at `next`: without the blank line that belongs to the mailbox.
fn before_blank_line(data: &[u8], next: usize, start: usize) -> usize {
    let message = data.get(start..next).unwrap_or_default();
    let bare = match message.strip_suffix(b"\r\n\r\n") {
        Some(_) => message.strip_suffix(b"\r\n"),
        None => message
            .strip_suffix(b"\n\n")
            .and_then(|_| message.strip_suffix(b"\n")),
    };
    start.saturating_add(bare.unwrap_or(message).len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(data: &str) -> Vec<&str> {
        Messages::new(data.as_bytes())
            .map(|range| data.get(range).unwrap())
            .collect()
    }

    #[test]
    fn messages_are_split_at_postmarks() {
        let mailbox = "From a Mon Jun 01 10:00:00 2009\nSubject: 1\n\nbody\n>From here\n\nFrom b@c\nSubject: 2\n\nbody\n";
        assert_eq!(
            messages(mailbox),
            ["Subject: 1\n\nbody\n>From here\n", "Subject: 2\n\nbody\n"]
        );
        assert_eq!(messages(&mailbox.replace('\n', "\r\n")).len(), 2);
    }

    #[test]
    fn text_that_begins_like_a_postmark_is_none() {
        let mailbox = "From a Mon Jun 01 10:00:00 2009\nSubject: 1\n\nFrom here on\nit goes: down\n\nFrom then on\nno more";
        assert_eq!(messages(mailbox).len(), 1);
        assert_eq!(messages("Subject: x\n\nFrom"), Vec::<&str>::new());
    }
}
