//! Mailboxes in one file (RFC 4155, and the older mboxo, mboxrd, mboxcl): byte ranges of the messages.
//!
//! A postmark is a line that begins with `From ` and that a header follows. `Content-Length` (mboxcl) is not believed:
//! readers differ on it, and a postmark with a header behind it is a message to those that ignore it. Quoted `>From `
//! lines are left as they stand. Where the first line ends in a bare CR (mail programs of the old Mac OS), all lines do.
//! What decides on a postmark lies within [`AHEAD`] bytes, so that a mailbox can be read piece by piece, and from any
//! message on.

use std::ops::Range;

use memchr::memmem::Finder;

use super::header::{Breaks, field_name, line_end};

/// Longest line taken for a postmark, and as much is read of the line behind it.
const LONGEST: usize = 1000;

/// Bytes from the start of a line that decide whether it is a postmark.
pub const AHEAD: usize = 2 * LONGEST;

/// What a postmark begins with, and the end of the line before it.
const MARK: &[u8] = b"\nFrom ";
const MARK_BEHIND_CR: &[u8] = b"\rFrom ";

/// UTF-8's byte order mark, which editors put in front of a mailbox.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Bytes before a line that tell whether it follows a blank one.
const BEHIND: usize = 3;

/// Whether there is more of a mailbox than the bytes at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// More bytes follow.
    Follows,
    /// The mailbox ends with them.
    Ends,
}

/// Finds the postmarks of a mailbox that comes piece by piece, in a window that begins with a message and grows. No
/// byte is searched twice.
#[derive(Debug, Clone)]
pub struct Splitter {
    breaks: Breaks,
    finder: Finder<'static>,
    /// Bytes of the window without a postmark.
    searched: usize,
}

impl Default for Splitter {
    fn default() -> Self {
        Self {
            breaks: Breaks::Lf,
            finder: Finder::new(MARK),
            searched: 0,
        }
    }
}

/// What ends the lines of a mailbox: a bare CR where one ends the first line.
pub fn breaks(data: &[u8]) -> Breaks {
    let head = data.get(..AHEAD).unwrap_or(data);
    match memchr::memchr2(b'\r', b'\n', head).and_then(|end| head.get(end..)) {
        Some([b'\r', next, ..]) if !matches!(next, b'\r' | b'\n') => Breaks::Cr,
        _ => Breaks::Lf,
    }
}

impl Splitter {
    /// The first message of a mailbox; `None` where there is none, or none yet if more follows.
    pub fn first(&mut self, window: &[u8], rest: Rest) -> Option<usize> {
        if self.searched == 0 {
            if rest == Rest::Follows && window.len() < AHEAD {
                return None;
            }
            self.breaks = breaks(window);
            if self.breaks == Breaks::Cr {
                self.finder = Finder::new(MARK_BEHIND_CR);
            }
            let start = if window.starts_with(BOM) {
                BOM.len()
            } else {
                0
            };
            if is_postmark_of(window, start, self.breaks) {
                return Some(start);
            }
        }
        self.next(window, rest)
    }

    /// Where the message behind the one that the window begins with starts; `None` where there is none, or none yet
    /// if more follows. [`Splitter::restart`] once the window begins there.
    pub fn next(&mut self, window: &[u8], rest: Rest) -> Option<usize> {
        // Ends because `searched` moves on in each round.
        loop {
            let Some(found) = self.finder.find(window.get(self.searched..)?) else {
                let all_but_a_cut_mark = window.len().saturating_sub(MARK.len().saturating_sub(1));
                self.searched = self.searched.max(all_but_a_cut_mark);
                return None;
            };
            let line = self.searched.checked_add(found)?.checked_add(1)?;
            if rest == Rest::Follows && window.len().saturating_sub(line) < AHEAD {
                self.searched = line.saturating_sub(1);
                return None;
            }
            self.searched = line;
            let head = window.get(..line).unwrap_or_default();
            let after_blank = match self.breaks {
                Breaks::Lf => head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n"),
                Breaks::Cr => head.ends_with(b"\r\r"),
            };
            if (after_blank || has_time(window, line, self.breaks))
                && is_postmark_of(window, line, self.breaks)
            {
                return Some(line);
            }
        }
    }

    /// Starts anew: the window now begins with the message that was found.
    pub fn restart(&mut self) {
        self.searched = 0;
    }

    /// How many bytes may be taken from the front of the window without a postmark being missed. They must be.
    pub fn discard(&mut self) -> usize {
        let len = self.searched.saturating_sub(BEHIND);
        self.searched = self.searched.min(BEHIND);
        len
    }
}

/// The message in a window that begins with its postmark, if it has one: without the postmark, and without the blank
/// line before the following one.
pub fn message(window: &[u8], rest: Rest) -> Range<usize> {
    let end = match rest {
        Rest::Follows => before_blank_line(window),
        Rest::Ends => window.len(),
    };
    let start = if window.starts_with(b"From ") {
        line_end(window, 0, window.len(), breaks(window)).1
    } else {
        0
    };
    start.min(end)..end
}

/// The messages of a mailbox one by one, so that a large one needs no list.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    data: &'a [u8],
    at: Option<usize>,
    splitter: Splitter,
}

impl<'a> Messages<'a> {
    /// Starts at the first message.
    pub fn new(data: &'a [u8]) -> Self {
        let mut splitter = Splitter::default();
        let at = splitter.first(data, Rest::Ends);
        splitter.restart();
        Self { data, at, splitter }
    }
}

impl Iterator for Messages<'_> {
    type Item = Range<usize>;

    /// The next message without its postmark and without the blank line before the following one.
    fn next(&mut self) -> Option<Range<usize>> {
        let start = self.at?;
        let window = self.data.get(start..)?;
        let following = self.splitter.next(window, Rest::Ends);
        self.splitter.restart();
        let found = match following {
            Some(end) => message(window.get(..end)?, Rest::Follows),
            None => message(window, Rest::Ends),
        };
        self.at = following.and_then(|end| start.checked_add(end));
        Some(start.checked_add(found.start)?..start.checked_add(found.end)?)
    }
}

/// Whether a postmark line with a header behind it starts at `at`.
pub fn is_postmark(data: &[u8], at: usize) -> bool {
    is_postmark_of(data, at, breaks(data.get(at..).unwrap_or_default()))
}

fn is_postmark_of(data: &[u8], at: usize, breaks: Breaks) -> bool {
    if !data.get(at..).unwrap_or_default().starts_with(b"From ") {
        return false;
    }
    let limit = at.saturating_add(LONGEST).min(data.len());
    let (_, next) = line_end(data, at, limit, breaks);
    let line = data
        .get(next..next.saturating_add(LONGEST).min(data.len()))
        .unwrap_or_default();
    let (end, _) = line_end(line, 0, line.len(), breaks);
    let line = line.get(..end).unwrap_or_default();
    field_name(line).is_some() || line.starts_with(b">From ")
}

/// The next postmark behind the line at `from`: after a blank line, or anywhere where it carries a time.
pub fn next_postmark(data: &[u8], from: usize) -> Option<usize> {
    let data = data.get(from..)?;
    let mut splitter = Splitter::default();
    splitter.first(data, Rest::Ends)?;
    splitter.restart();
    from.checked_add(splitter.next(data, Rest::Ends)?)
}

/// Whether a line holds two digits, a colon and two digits.
fn has_time(data: &[u8], line: usize, breaks: Breaks) -> bool {
    let head = data
        .get(line..line.saturating_add(200).min(data.len()))
        .unwrap_or_default();
    let end = match breaks {
        Breaks::Lf => b'\n',
        Breaks::Cr => b'\r',
    };
    let line = head.split(|byte| *byte == end).next().unwrap_or_default();
    line.windows(5).any(|window| {
        matches!(window, [a, b, b':', c, d] if [a, b, c, d].iter().all(|byte| byte.is_ascii_digit()))
    })
}

/// The end of a message without the blank line that belongs to the mailbox.
fn before_blank_line(message: &[u8]) -> usize {
    let ends: [(&[u8], &[u8]); 3] = [(b"\r\n\r\n", b"\r\n"), (b"\n\n", b"\n"), (b"\r\r", b"\r")];
    let two = ends.iter().find(|(two, _)| message.ends_with(two));
    let bare = two.and_then(|(_, one)| message.strip_suffix(*one));
    bare.unwrap_or(message).len()
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
        assert_eq!(
            messages(&mailbox.replace('\n', "\r")),
            ["Subject: 1\r\rbody\r>From here\r", "Subject: 2\r\rbody\r"]
        );
        assert_eq!(messages(&format!("\u{feff}{mailbox}")), messages(mailbox));
    }

    #[test]
    fn text_that_begins_like_a_postmark_is_none() {
        let mailbox = "From a Mon Jun 01 10:00:00 2009\nSubject: 1\n\nFrom here on\nit goes: down\n\nFrom then on\nno more";
        assert_eq!(messages(mailbox).len(), 1);
        assert_eq!(messages("Subject: x\n\nFrom"), Vec::<&str>::new());
    }

    /// The messages as a reader finds them that is given `step` more bytes at a time and forgets what it can.
    fn piece_by_piece(data: &[u8], step: usize) -> Vec<Vec<u8>> {
        let (mut splitter, mut window, mut at) = (Splitter::default(), Vec::new(), 0);
        let (mut found, mut started) = (Vec::new(), false);
        loop {
            let rest = if at < data.len() {
                Rest::Follows
            } else {
                Rest::Ends
            };
            let next = match started {
                true => splitter.next(&window, rest),
                false => splitter.first(&window, rest),
            };
            match (next, rest) {
                (Some(line), _) => {
                    let head: Vec<u8> = window.drain(..line).collect();
                    if started {
                        found.push(head[message(&head, Rest::Follows)].to_vec());
                    }
                    started = true;
                    splitter.restart();
                }
                (None, Rest::Ends) => {
                    if started {
                        found.push(window[message(&window, Rest::Ends)].to_vec());
                    }
                    return found;
                }
                (None, Rest::Follows) => {
                    if !started {
                        let len = splitter.discard();
                        window.drain(..len);
                    }
                    let end = data.len().min(at + step);
                    window.extend(&data[at..end]);
                    at = end;
                }
            }
        }
    }

    #[test]
    fn pieces_of_every_size_give_the_same_messages() {
        let post =
            "From a@b Mon Jun 01 10:00:00 2009\nSubject: 1\n\nbody\n\nFrom here on\n\nFrom: x\n\n";
        let filler = "From x 10:00\nno header\n".repeat(300);
        let mailbox =
            format!("junk\n\n{post}{filler}\n{post}{post}From c 11:00\n>From d\nSubject: 2");
        let whole: Vec<Vec<u8>> = Messages::new(mailbox.as_bytes())
            .map(|range| mailbox.as_bytes()[range].to_vec())
            .collect();
        assert_eq!(whole.len(), 4);
        for step in (1..40).chain([AHEAD - 1, AHEAD, AHEAD + 1, 100_000]) {
            assert_eq!(piece_by_piece(mailbox.as_bytes(), step), whole, "{step}");
        }
    }

    #[test]
    fn a_message_that_claims_a_length_hides_no_other() {
        // mboxcl and mboxcl2: the length of the first one reaches over the second.
        let mailbox = "From a Mon Jun 01 10:00:00 2009\nContent-Length: 200\n\nFrom here on\n\nFrom b 11:00\nSubject: 2\n\nb\n";
        assert_eq!(messages(mailbox).len(), 2);
    }
}
