//! Mailboxes in one file, read message by message in constant memory, from any message on.
//!
//! A [`survey`] reads a mailbox once and says where its shards start; [`Mailbox`] reads one of them, or a mailbox that
//! comes as a stream. A message is a slice of the buffer that it was read into.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::Path;

use bytes::{Buf as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::engine::Input;
use crate::formats::mbox::{self, Rest, Splitter};
use crate::model::{Fact, Kind};
use crate::text;

use super::{Piece, Sink, Unreadable};

/// Bytes of one read.
const CHUNK: usize = 1 << 20;

/// Where a shard of a mailbox starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// Offset of the postmark.
    pub at: u64,
    /// Number of the message in the mailbox, from 1.
    pub number: u64,
}

/// What a mailbox holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Its messages.
    pub messages: u64,
    /// The first message at or behind each multiple of the shard's size, each once.
    pub starts: Vec<Start>,
    /// Its bytes.
    pub size: u64,
}

/// Counts the messages of a mailbox and finds where its shards of about `shard` bytes start.
pub fn survey(from: &mut dyn Read, shard: u64) -> io::Result<Survey> {
    let mut reel = Reel::new(from);
    let mut survey = Survey::default();
    let mut due = 0u64;
    loop {
        let found = match survey.messages {
            0 => reel.splitter.first(&reel.window, reel.rest),
            _ => reel.splitter.next(&reel.window, reel.rest),
        };
        if let Some(line) = found {
            reel.cut(line);
            survey.messages = survey.messages.saturating_add(1);
            if reel.at >= due {
                let (at, number) = (reel.at, survey.messages);
                survey.starts.push(Start { at, number });
                let shards = at.checked_div(shard).unwrap_or_default();
                due = shards.saturating_add(1).saturating_mul(shard.max(1));
            }
            continue;
        }
        if reel.rest == Rest::Ends {
            survey.size = reel.end();
            return Ok(survey);
        }
        reel.discard();
        reel.fill()?;
    }
}

/// The bytes of a mailbox that are at hand.
struct Reel<'r> {
    from: &'r mut dyn Read,
    window: BytesMut,
    /// Offset of the window in what is read.
    at: u64,
    rest: Rest,
    splitter: Splitter,
}

impl<'r> Reel<'r> {
    fn new(from: &'r mut dyn Read) -> Self {
        Self {
            from,
            window: BytesMut::new(),
            at: 0,
            rest: Rest::Follows,
            splitter: Splitter::default(),
        }
    }

    /// Reads one chunk more.
    fn fill(&mut self) -> io::Result<()> {
        let len = self.window.len();
        // More at once where the message is large, so that it is moved seldom.
        self.window
            .resize(len.saturating_add(CHUNK.max(len / 2)), 0);
        let room = self.window.get_mut(len..).unwrap_or_default();
        let read = loop {
            match self.from.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.window
            .truncate(len.saturating_add(*read.as_ref().unwrap_or(&0)));
        if read? == 0 {
            self.rest = Rest::Ends;
        }
        Ok(())
    }

    /// Takes `len` bytes from the front.
    fn take(&mut self, len: usize) -> Bytes {
        let taken = self.window.split_to(len.min(self.window.len())).freeze();
        self.at = self.at.saturating_add(crate::bytes::length(taken.len()));
        taken
    }

    /// Lets the window begin with the message found at `line`.
    fn cut(&mut self, line: usize) {
        self.forget(line);
        self.splitter.restart();
    }

    /// Lets the window begin with the message that `find` finds next, else nothing is left.
    fn seek(&mut self, find: fn(&mut Splitter, &[u8], Rest) -> Option<usize>) -> io::Result<()> {
        loop {
            if let Some(line) = find(&mut self.splitter, &self.window, self.rest) {
                self.cut(line);
                return Ok(());
            }
            if self.rest == Rest::Ends {
                self.forget(usize::MAX);
                return Ok(());
            }
            self.discard();
            self.fill()?;
        }
    }

    fn forget(&mut self, len: usize) {
        let len = len.min(self.window.len());
        self.window.advance(len);
        self.at = self.at.saturating_add(crate::bytes::length(len));
    }

    /// Forgets what holds no postmark.
    fn discard(&mut self) {
        let len = self.splitter.discard();
        self.forget(len);
    }

    fn end(&self) -> u64 {
        self.at
            .saturating_add(crate::bytes::length(self.window.len()))
    }
}

/// Which messages of a mailbox are read, and under which name.
#[derive(Debug, Clone)]
pub(super) struct Mailbox {
    /// Its name in references.
    pub name: String,
    /// Number of the first message that is read.
    pub number: u64,
    /// What follows the last one: another shard's message, or nothing.
    pub behind: Rest,
    /// Bytes of one message at the most: of a larger one the head is read.
    pub max_file: u64,
}

impl Mailbox {
    /// Hands the messages on, until the sink has enough. What is read must begin with the first one, unless that has
    /// the number 1.
    pub(super) fn read(&self, from: &mut dyn Read, sink: &mut Sink<'_>) -> ControlFlow<()> {
        let mut reel = Reel::new(from);
        let mut number = self.number;
        let failed = |error: &io::Error, number: u64| {
            Piece::Trouble(self.trouble(&format!("behind message {number}: {error}")))
        };
        if let Err(error) = self.find_first(&mut reel, sink)? {
            return sink(failed(&error, number.saturating_sub(1)));
        }
        while !reel.window.is_empty() {
            let found = reel.splitter.next(&reel.window, reel.rest);
            if let Some(line) = found {
                let window = reel.take(line);
                reel.splitter.restart();
                self.hand_on(&window, Rest::Follows, number, sink)?;
            } else if reel.window.len() > self.max().saturating_add(mbox::AHEAD) {
                if let Err(error) = self.oversized(&mut reel, number, sink)? {
                    return sink(failed(&error, number));
                }
            } else if reel.rest == Rest::Ends {
                let window = reel.take(usize::MAX);
                self.hand_on(&window, self.behind, number, sink)?;
                if self.behind == Rest::Ends && !window.ends_with(b"\n") {
                    let what = "the mailbox ends within a line: it may have been cut off";
                    sink(Piece::Trouble(self.trouble(what)))?;
                }
                break;
            } else {
                if let Err(error) = reel.fill() {
                    return sink(failed(&error, number.saturating_sub(1)));
                }
                continue;
            }
            number = number.saturating_add(1);
        }
        ControlFlow::Continue(())
    }

    /// Lets the window begin with the first message; what stands before it is told.
    fn find_first(
        &self,
        reel: &mut Reel<'_>,
        sink: &mut Sink<'_>,
    ) -> ControlFlow<(), io::Result<()>> {
        if let Err(error) = reel.seek(Splitter::first) {
            return ControlFlow::Continue(Err(error));
        }
        if reel.at > 0 {
            let what = format!("{} bytes before the first message are passed over", reel.at);
            sink(Piece::Trouble(self.trouble(&what)))?;
        }
        ControlFlow::Continue(Ok(()))
    }

    /// Hands on the head of a message that is too large, and passes over the rest of it.
    fn oversized(
        &self,
        reel: &mut Reel<'_>,
        number: u64,
        sink: &mut Sink<'_>,
    ) -> ControlFlow<(), io::Result<()>> {
        let start = reel.at;
        let body = mbox::message(&reel.window, Rest::Ends);
        let end = body.start.saturating_add(self.max()).min(body.end);
        let head = reel.window.get(body.start..end).unwrap_or_default();
        let head = Bytes::copy_from_slice(head);
        sink(self.head(head, number))?;
        if let Err(error) = reel.seek(Splitter::next) {
            return ControlFlow::Continue(Err(error));
        }
        let size = reel.at.saturating_sub(start);
        sink(self.too_large(size, number))?;
        ControlFlow::Continue(Ok(()))
    }

    fn hand_on(
        &self,
        window: &Bytes,
        rest: Rest,
        number: u64,
        sink: &mut Sink<'_>,
    ) -> ControlFlow<()> {
        let body = window.slice(mbox::message(window, rest));
        if body.len() <= self.max() {
            return sink(Piece::Message(self.input(body, number, Vec::new())));
        }
        let size = crate::bytes::length(window.len());
        sink(self.head(body.slice(..self.max()), number))?;
        sink(self.too_large(size, number))
    }

    fn max(&self) -> usize {
        usize::try_from(self.max_file).unwrap_or(usize::MAX)
    }

    /// The head of a message that is too large.
    fn head(&self, data: Bytes, number: u64) -> Piece {
        let facts = vec![super::only_the_head(self.max_file)];
        Piece::Message(self.input(data, number, facts))
    }

    fn too_large(&self, size: u64, number: u64) -> Piece {
        Piece::Trouble(Unreadable {
            path: text::safe(&self.reference(number)),
            reason: super::too_large(size),
        })
    }

    fn input(&self, data: Bytes, number: u64, facts: Vec<Fact>) -> Input {
        let mut input = Input {
            path: self.reference(number),
            data,
            facts,
            ..Input::default()
        };
        input.context.given = Some(Kind::Eml);
        input
    }

    fn reference(&self, number: u64) -> String {
        format!("{}#{number}", self.name)
    }

    fn trouble(&self, what: &str) -> Unreadable {
        Unreadable {
            path: text::safe(&self.name),
            reason: text::safe(what),
        }
    }
}

/// Opens a part of a file that reaches from `start` to `end`.
pub(super) fn open_range(path: &Path, start: u64, end: u64) -> io::Result<impl Read> {
    use std::io::Seek as _;
    let mut file = File::open(path)?;
    file.seek(io::SeekFrom::Start(start))?;
    Ok(file.take(end.saturating_sub(start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(mailbox: &Mailbox, data: &[u8]) -> (Vec<(String, Vec<u8>)>, Vec<String>) {
        let (mut messages, mut troubles) = (Vec::new(), Vec::new());
        let mut data = data;
        let _ = mailbox.read(&mut data, &mut |piece| {
            match piece {
                Piece::Message(input) => messages.push((input.path, input.data.to_vec())),
                Piece::Trouble(trouble) => troubles.push(trouble.to_string()),
            }
            ControlFlow::Continue(())
        });
        (messages, troubles)
    }

    fn whole(name: &str, max_file: u64) -> Mailbox {
        Mailbox {
            name: name.to_owned(),
            number: 1,
            behind: Rest::Ends,
            max_file,
        }
    }

    fn example() -> String {
        let one = |n: usize| {
            format!(
                "From a{n}@b Mon Jun 01 10:00:00 2009\nSubject: {n}\n\n{}\n>From here\n\nFrom you\n\n",
                "x".repeat(n * 7)
            )
        };
        (1..=9).map(one).collect()
    }

    #[test]
    fn shards_of_every_size_hold_every_message_once() {
        let data = example();
        let data = data.as_bytes();
        let (expected, troubles) = messages(&whole("m", 1 << 20), data);
        assert_eq!((expected.len(), troubles.len()), (9, 0));
        for shard in 1..data.len() as u64 + 2 {
            let survey = survey(&mut &*data, shard).unwrap();
            assert_eq!((survey.messages, survey.size), (9, data.len() as u64));
            let mut found = Vec::new();
            for (at, start) in survey.starts.iter().enumerate() {
                let next = survey.starts.get(at + 1);
                let end = next.map_or(data.len(), |next| next.at as usize);
                let mailbox = Mailbox {
                    number: start.number,
                    behind: next.map_or(Rest::Ends, |_| Rest::Follows),
                    ..whole("m", 1 << 20)
                };
                let (messages, troubles) = messages(&mailbox, &data[start.at as usize..end]);
                assert_eq!(troubles, Vec::<String>::new());
                found.extend(messages);
            }
            assert_eq!(found, expected, "shards of {shard} bytes");
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_told_and_the_next_one_is_read() {
        let large = format!("From a 10:00\nSubject: 1\n\n{}\n\n", "y\n".repeat(3 << 20));
        let data = format!("{large}From b 11:00\nSubject: 2\n\nz\n");
        let (messages, troubles) = messages(&whole("m", 5000), data.as_bytes());
        assert_eq!(messages.len(), 2);
        assert_eq!((messages[0].1.len(), messages[0].0.as_str()), (5000, "m#1"));
        assert_eq!(messages[1].1, b"Subject: 2\n\nz\n");
        assert_eq!(troubles.len(), 1, "{troubles:?}");
        assert!(troubles[0].starts_with("m#1: 6291"), "{troubles:?}");
    }

    #[test]
    fn what_stands_before_the_first_message_and_a_cut_are_told() {
        let (found, troubles) =
            messages(&whole("m", 5000), b"junk\n\nFrom b 11:00\nSubject: 2\n\nz");
        assert_eq!(found.len(), 1);
        assert_eq!(
            troubles,
            [
                "m: 6 bytes before the first message are passed over",
                "m: the mailbox ends within a line: it may have been cut off"
            ]
        );
        let none = messages(&whole("m", 5000), b"");
        assert_eq!(none, (Vec::new(), Vec::new()));
    }
}
