//! Commands and data of clamd's clients, sans I/O: bytes are pushed in as they come, commands and chunks taken out.
//!
//! clamd(8): a command begins with `z` and ends with NUL, or begins with `n` and ends with a newline; its answer ends
//! likewise. Without prefix a command is one packet; we also end it at a newline. The data of INSTREAM are chunks
//! with their length before them (4 bytes, network order); a length of 0 ends them. FILDES is followed by one byte
//! that carries the descriptor.
#![warn(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use bytes::{Buf as _, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of a command at the most: the longest path of the system, and the command before it.
const LONGEST: usize = 4096 + 32;

/// How a command was delimited, and so its answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// `z…` NUL.
    Null,
    /// `n…` newline.
    Newline,
    /// Without prefix.
    Bare,
}

impl Framing {
    /// The byte that ends an answer.
    pub fn end(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Newline | Self::Bare => b'\n',
        }
    }
}

/// How a path is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Up to the first file with a finding (SCAN).
    First,
    /// All files (CONTSCAN, MULTISCAN).
    All,
    /// All files, all names (ALLMATCHSCAN).
    Names,
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// PING.
    Ping,
    /// VERSION.
    Version,
    /// VERSIONCOMMANDS.
    VersionCommands,
    /// STATS.
    Stats,
    /// INSTREAM: chunks follow.
    Instream,
    /// FILDES: a byte with a descriptor follows.
    Fildes,
    /// IDSESSION.
    IdSession,
    /// END.
    End,
    /// SCAN and its kin, with the path as it came.
    Scan(Extent, Bytes),
    /// RELOAD or SHUTDOWN, which clients have no say in.
    Refused,
    /// Anything else.
    Unknown,
}

/// A command as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How it was delimited.
    pub framing: Framing,
    /// What it asks for.
    pub command: Command,
}

/// A piece of the data of INSTREAM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Some of it.
    Data(Bytes),
    /// It is whole.
    End,
}

/// Bytes that are no command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// No end within the longest command.
    #[error("a command is longer than {LONGEST} bytes")]
    TooLong,
}

/// Commands that stand alone, by name.
const PLAIN: &[(&[u8], Command)] = &[
    (b"PING", Command::Ping),
    (b"VERSION", Command::Version),
    (b"VERSIONCOMMANDS", Command::VersionCommands),
    (b"STATS", Command::Stats),
    (b"INSTREAM", Command::Instream),
    (b"FILDES", Command::Fildes),
    (b"IDSESSION", Command::IdSession),
    (b"END", Command::End),
    (b"RELOAD", Command::Refused),
    (b"SHUTDOWN", Command::Refused),
];

/// Commands with a path.
const WITH_PATH: &[(&[u8], Extent)] = &[
    (b"SCAN ", Extent::First),
    (b"CONTSCAN ", Extent::All),
    (b"MULTISCAN ", Extent::All),
    (b"ALLMATCHSCAN ", Extent::Names),
];

/// Takes bytes apart.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    /// Bytes of the chunk at hand that are still to come.
    chunk: usize,
}

impl Decoder {
    /// Takes in what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// The next command; none until it is whole.
    pub fn command(&mut self) -> Result<Option<Request>, Malformed> {
        let (framing, end) = match self.buffer.first() {
            None => return Ok(None),
            Some(b'z') => (Framing::Null, memchr::memchr(0, &self.buffer)),
            Some(b'n') => (Framing::Newline, memchr::memchr(b'\n', &self.buffer)),
            Some(_) => {
                let end = memchr::memchr(b'\n', &self.buffer).unwrap_or(self.buffer.len());
                (Framing::Bare, Some(end))
            }
        };
        let Some(end) = end.filter(|end| *end <= LONGEST) else {
            return match self.buffer.len() > LONGEST {
                true => Err(Malformed::TooLong),
                false => Ok(None),
            };
        };
        let mut words = self.buffer.split_to(end).freeze();
        if self.buffer.has_remaining() {
            self.buffer.advance(1);
        }
        if framing != Framing::Bare {
            words.advance(1);
        }
        if framing != Framing::Null {
            while words.last() == Some(&b'\r') {
                words.truncate(words.len().saturating_sub(1));
            }
        }
        let command = command(&words);
        Ok(Some(Request { framing, command }))
    }

    /// The next piece of the data of INSTREAM; none until some is there. A chunk's length is a claim: nothing is
    /// allocated for it.
    pub fn piece(&mut self) -> Option<Piece> {
        if self.chunk == 0 {
            if self.buffer.len() < size_of::<u32>() {
                return None;
            }
            self.chunk = usize::try_from(self.buffer.get_u32()).unwrap_or(usize::MAX);
            if self.chunk == 0 {
                return Some(Piece::End);
            }
        }
        let len = self.chunk.min(self.buffer.len());
        if len == 0 {
            return None;
        }
        self.chunk = self.chunk.saturating_sub(len);
        Some(Piece::Data(self.buffer.split_to(len).freeze()))
    }

    /// Takes the byte that carries a descriptor; false until it is there.
    pub fn carrier(&mut self) -> bool {
        let there = self.buffer.has_remaining();
        if there {
            self.buffer.advance(1);
        }
        there
    }
}

fn command(words: &Bytes) -> Command {
    if let Some((_, command)) = PLAIN.iter().find(|(name, _)| words == name) {
        return command.clone();
    }
    WITH_PATH
        .iter()
        .find(|(name, _)| words.starts_with(name) && words.len() > name.len())
        .map_or(Command::Unknown, |(name, extent)| {
            Command::Scan(*extent, words.slice(name.len()..))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Vec<(Framing, Command)> {
        let mut decoder = Decoder::default();
        decoder.push(bytes);
        let mut taken = Vec::new();
        while let Some(request) = decoder.command().unwrap() {
            taken.push((request.framing, request.command));
        }
        taken
    }

    #[test]
    fn commands_come_in_three_framings_and_in_any_pieces() {
        let path = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(
            all(b"zPING\0nSCAN /a b\r\nzCONTSCAN /x\n\0PING"),
            [
                (Framing::Null, Command::Ping),
                (Framing::Newline, Command::Scan(Extent::First, path("/a b"))),
                (Framing::Null, Command::Scan(Extent::All, path("/x\n"))),
                (Framing::Bare, Command::Ping),
            ]
        );
        assert_eq!(all(b"VERSION\r\n"), [(Framing::Bare, Command::Version)]);
        let mut decoder = Decoder::default();
        for byte in b"zVERSIONCOMMANDS" {
            decoder.push(&[*byte]);
            assert_eq!(decoder.command(), Ok(None));
        }
        decoder.push(&[0]);
        let request = decoder.command().unwrap().unwrap();
        assert_eq!(request.command, Command::VersionCommands);
    }

    #[test]
    fn what_is_no_command_is_said_to_be_none_and_what_has_no_end_is_refused() {
        for unknown in [
            &b"zPINGG\0"[..],
            b"zping\0",
            b"zSCAN \0",
            b"zSCAN\0",
            b"z\0",
            b"n\n",
            b"\n",
            b"GET / HTTP/1.0\r\n",
        ] {
            assert_eq!(all(unknown)[0].1, Command::Unknown, "{unknown:?}");
        }
        for refused in [&b"zSHUTDOWN\0"[..], b"nRELOAD\n", b"SHUTDOWN"] {
            assert_eq!(all(refused)[0].1, Command::Refused);
        }
        for endless in [b'z', b'n', b'A'] {
            let mut decoder = Decoder::default();
            decoder.push(&[endless; LONGEST + 1]);
            assert_eq!(decoder.command(), Err(Malformed::TooLong));
        }
    }

    #[test]
    fn chunks_end_where_they_say_and_claim_no_memory() {
        let mut decoder = Decoder::default();
        decoder.push(b"\0\0\0\x03abc\0\0\0\x02d");
        let mut taken = Vec::new();
        while let Some(piece) = decoder.piece() {
            taken.push(piece);
        }
        decoder.push(b"e\0\0\0\0zPING\0");
        while let Some(piece) = decoder.piece() {
            let end = piece == Piece::End;
            taken.push(piece);
            if end {
                break;
            }
        }
        let data = |text: &'static str| Piece::Data(Bytes::from_static(text.as_bytes()));
        assert_eq!(taken, [data("abc"), data("d"), data("e"), Piece::End]);
        assert_eq!(decoder.command().unwrap().unwrap().command, Command::Ping);
        decoder.push(&[0xff, 0xff, 0xff, 0xff, 1]);
        assert_eq!(decoder.piece(), Some(data("\u{1}")));
        assert_eq!((decoder.piece(), decoder.waiting()), (None, 0));
    }
}
