//! Frames of the milter protocol: bytes → [`Command`], [`Reply`] → bytes. No input or output of its own.
//!
//! There is no standard; what is written here is what Sendmail's libmilter (`mfdef.h`) and Postfix speak, versions 2
//! to 6. A frame is a length of four bytes (big-endian, counting what follows), a command byte, and its data.
//! Deliberately left out: the larger body chunks (`SMFIP_MDS_256K` and `_1M`), which are never asked for.

use std::ops::{BitAnd, BitOr};

/// Bytes of one frame at the most. Body chunks have 65,535; a header may be somewhat longer where the MTA lets it.
const LONGEST_FRAME: usize = 2 << 20;

/// Bytes that are read at once, where no frame asks for more.
const ROOM: usize = 16 << 10;

/// Bytes of body in one replacement frame.
pub const CHUNK: usize = 65_535;

/// The newest version of the protocol that is spoken.
pub const NEWEST: u32 = 6;

/// The oldest.
pub const OLDEST: u32 = 2;

/// A set of bits of the negotiation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bits(pub u32);

impl Bits {
    /// Whether all of `bits` are in it.
    pub fn has(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }
}

impl BitAnd for Bits {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Bits {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a milter may do to a message (`SMFIF_*`).
pub mod actions {
    use super::Bits;

    /// Add headers.
    pub const ADD_HEADERS: Bits = Bits(0x01);
    /// Replace the body.
    pub const CHANGE_BODY: Bits = Bits(0x02);
    /// Delete recipients.
    pub const DELETE_RECIPIENTS: Bits = Bits(0x08);
    /// Change and delete headers.
    pub const CHANGE_HEADERS: Bits = Bits(0x10);
    /// Ask for macros.
    pub const SET_MACROS: Bits = Bits(0x100);
}

/// What is sent and what is answered (`SMFIP_*`).
pub mod steps {
    use super::Bits;

    /// Unknown commands are not sent.
    pub const NO_UNKNOWN: Bits = Bits(0x100);
    /// No answer to a header.
    pub const NO_REPLY_HEADER: Bits = Bits(0x80);
    /// No answer to CONNECT.
    pub const NO_REPLY_CONNECT: Bits = Bits(0x1000);
    /// No answer to HELO.
    pub const NO_REPLY_HELO: Bits = Bits(0x2000);
    /// No answer to MAIL.
    pub const NO_REPLY_MAIL: Bits = Bits(0x4000);
    /// No answer to RCPT.
    pub const NO_REPLY_RCPT: Bits = Bits(0x8000);
    /// No answer to DATA.
    pub const NO_REPLY_DATA: Bits = Bits(0x1_0000);
    /// No answer to an unknown command.
    pub const NO_REPLY_UNKNOWN: Bits = Bits(0x2_0000);
    /// No answer to the end of the header.
    pub const NO_REPLY_END_OF_HEADER: Bits = Bits(0x4_0000);
    /// No answer to a body chunk.
    pub const NO_REPLY_BODY: Bits = Bits(0x8_0000);
    /// Header values come and go with the blank behind the colon.
    pub const LEADING_SPACE: Bits = Bits(0x10_0000);
    /// What version 2 knows.
    pub const OF_VERSION_2: Bits = Bits(0x7f);
}

/// A stage of a session, as macros are sent for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A client connected.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA.
    Data,
    /// The header ended.
    EndOfHeader,
    /// The message ended.
    EndOfMessage,
    /// Anything else.
    Other,
}

impl Stage {
    fn of(command: u8) -> Self {
        match command {
            b'C' => Self::Connect,
            b'H' => Self::Helo,
            b'M' => Self::Mail,
            b'R' => Self::Rcpt,
            b'T' => Self::Data,
            b'N' => Self::EndOfHeader,
            b'E' => Self::EndOfMessage,
            _ => Self::Other,
        }
    }

    /// Its number in a request for macros (`SMFIM_*`).
    fn number(self) -> Option<u32> {
        match self {
            Self::Connect => Some(0),
            Self::Helo => Some(1),
            Self::Mail => Some(2),
            Self::Rcpt => Some(3),
            Self::Data => Some(4),
            Self::EndOfMessage => Some(5),
            Self::EndOfHeader => Some(6),
            Self::Other => None,
        }
    }
}

/// What the MTA sends (`SMFIC_*`). Texts are bytes as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// What the MTA speaks and lets us do.
    Negotiate {
        /// Version of the protocol.
        version: u32,
        /// What we may do.
        actions: Bits,
        /// What need not be sent or answered.
        steps: Bits,
    },
    /// Values that go with the command that follows.
    Macros {
        /// For which stage.
        stage: Stage,
        /// Names (without braces) and values.
        values: Vec<(Vec<u8>, Vec<u8>)>,
    },
    /// A client connected.
    Connect {
        /// Its name.
        host: Vec<u8>,
        /// `4`, `6`, `L` (a path) or `U` (unknown).
        family: u8,
        /// Its address as text; empty where the family has none.
        address: Vec<u8>,
    },
    /// HELO or EHLO.
    Helo(Vec<u8>),
    /// MAIL FROM: the reverse path in angle brackets, then its parameters.
    Mail(Vec<Vec<u8>>),
    /// RCPT TO: the forward path in angle brackets, then its parameters.
    Rcpt(Vec<Vec<u8>>),
    /// DATA.
    Data,
    /// One header.
    Header {
        /// Its name.
        name: Vec<u8>,
        /// What stands behind the colon, lines ended by LF; the first blank is missing without
        /// [`steps::LEADING_SPACE`].
        value: Vec<u8>,
    },
    /// The header ended.
    EndOfHeader,
    /// A piece of the body.
    Body(Vec<u8>),
    /// The message ended, perhaps with a last piece of the body.
    EndOfMessage(Vec<u8>),
    /// The message is taken back.
    Abort,
    /// The connection ends.
    Quit,
    /// The connection goes on with another client.
    QuitNewConnection,
    /// An SMTP command that the MTA does not know.
    Unknown,
}

/// What we send (`SMFIR_*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What we speak, will do, and need.
    Negotiate {
        /// Version of the protocol.
        version: u32,
        /// What we may do.
        actions: Bits,
        /// What need not be sent or answered.
        steps: Bits,
        /// Macros by stage, names as the MTA writes them, blanks between; only where the MTA lets us ask.
        macros: &'static [(Stage, &'static str)],
    },
    /// Go on.
    Continue,
    /// The message passes, nothing more need be sent of it.
    Accept,
    /// Taken by us: the MTA forgets it.
    Discard,
    /// An answer for the client: code, enhanced code and text in one line.
    Code(String),
    /// Still at work.
    Progress,
    /// A header at the end.
    AddHeader {
        /// Its name.
        name: Vec<u8>,
        /// Its value, lines ended by LF.
        value: Vec<u8>,
    },
    /// A header at a place counted from the top.
    InsertHeader {
        /// 0: above all others.
        place: u32,
        /// Its name.
        name: Vec<u8>,
        /// Its value, lines ended by LF.
        value: Vec<u8>,
    },
    /// Another value for a header; an empty one deletes it.
    ChangeHeader {
        /// Which of the headers of this name, counted from 1.
        number: u32,
        /// Its name.
        name: Vec<u8>,
        /// Its value, lines ended by LF.
        value: Vec<u8>,
    },
    /// The message does not go to this recipient, written as it came.
    DeleteRecipient(Vec<u8>),
    /// A piece of the new body, of [`CHUNK`] bytes at the most; all pieces follow each other.
    ReplaceBody(Vec<u8>),
}

/// Why a connection cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// A length that no milter command has: most likely another protocol.
    #[error("a frame of {0} bytes: no milter protocol, or a broken one")]
    Length(u32),
    /// A command without the data that it must have.
    #[error("command {0:?} is cut short")]
    Short(char),
    /// A command that does not exist.
    #[error("unknown command {0:#04x}")]
    Command(u8),
}

/// Takes frames from a stream of bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    waiting: Vec<u8>,
    /// Bytes of `waiting` that are done with.
    done: usize,
}

impl Decoder {
    /// Adds what came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.drop_done();
        self.waiting.extend_from_slice(bytes);
    }

    /// What comes next is to be read to the end of this: there is room for the rest of a frame that has begun.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.drop_done();
        let begun = self.waiting.first_chunk::<4>();
        let begun = begun.map_or(0, |length| u32::from_be_bytes(*length));
        let begun = usize::try_from(begun).unwrap_or(usize::MAX);
        let missing = begun.saturating_add(4).saturating_sub(self.waiting.len());
        self.waiting.reserve(missing.clamp(ROOM, 2 * CHUNK));
        &mut self.waiting
    }

    fn drop_done(&mut self) {
        if self.done > 0 {
            self.waiting.drain(..self.done);
            self.done = 0;
        }
    }

    /// Bytes that wait for the rest of their frame.
    pub fn waiting(&self) -> usize {
        self.waiting.len().saturating_sub(self.done)
    }

    /// The next command; none until more bytes come.
    pub fn command(&mut self) -> Result<Option<Command>, BadFrame> {
        let rest = self.waiting.get(self.done..).unwrap_or_default();
        let Some((length, rest)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length);
        let size = usize::try_from(length).unwrap_or(usize::MAX);
        if size == 0 || size > LONGEST_FRAME {
            return Err(BadFrame::Length(length));
        }
        let Some(frame) = rest.get(..size) else {
            return Ok(None);
        };
        let command = parse(frame)?;
        self.done = self.done.saturating_add(4).saturating_add(size);
        if self.done == self.waiting.len() {
            self.waiting.clear();
            self.done = 0;
            // One large frame must not be paid for until the connection ends.
            self.waiting.shrink_to(2 * CHUNK);
        }
        Ok(Some(command))
    }
}

fn parse(frame: &[u8]) -> Result<Command, BadFrame> {
    let Some((command, data)) = frame.split_first() else {
        return Err(BadFrame::Length(0));
    };
    let short = || BadFrame::Short(char::from(*command));
    Ok(match command {
        b'O' => {
            let mut numbers = data
                .chunks_exact(4)
                .filter_map(|four| four.first_chunk::<4>())
                .map(|four| u32::from_be_bytes(*four));
            let mut number = || numbers.next().ok_or_else(short);
            Command::Negotiate {
                version: number()?,
                actions: Bits(number()?),
                steps: Bits(number()?),
            }
        }
        b'D' => {
            let (stage, rest) = data.split_first().ok_or_else(short)?;
            Command::Macros {
                stage: Stage::of(*stage),
                values: macros(rest),
            }
        }
        b'C' => connect(data).ok_or_else(short)?,
        b'H' => Command::Helo(text(data).0.to_vec()),
        b'M' => Command::Mail(arguments(data).ok_or_else(short)?),
        b'R' => Command::Rcpt(arguments(data).ok_or_else(short)?),
        b'T' => Command::Data,
        b'L' => {
            let (name, rest) = text(data);
            if name.is_empty() {
                return Err(short());
            }
            Command::Header {
                name: name.to_vec(),
                // The value may hold a NUL of the sender's: only the last one is the protocol's.
                value: rest.strip_suffix(b"\0").unwrap_or(rest).to_vec(),
            }
        }
        b'N' => Command::EndOfHeader,
        b'B' => Command::Body(data.to_vec()),
        b'E' => Command::EndOfMessage(data.to_vec()),
        b'A' => Command::Abort,
        b'Q' => Command::Quit,
        b'K' => Command::QuitNewConnection,
        b'U' => Command::Unknown,
        other => return Err(BadFrame::Command(*other)),
    })
}

/// A text up to its NUL, and what follows; a missing NUL ends with the frame.
fn text(data: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(0, data) {
        Some(at) => {
            let rest = data.get(at.saturating_add(1)..).unwrap_or_default();
            (data.get(..at).unwrap_or_default(), rest)
        }
        None => (data, &[]),
    }
}

fn macros(mut rest: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut values = Vec::new();
    // Ends because each turn takes at least the NUL of a name.
    while !rest.is_empty() {
        let (name, after) = text(rest);
        let (value, after) = text(after);
        let bare = name.strip_prefix(b"{").unwrap_or(name);
        let bare = bare.strip_suffix(b"}").unwrap_or(bare);
        values.push((bare.to_vec(), value.to_vec()));
        rest = after;
    }
    values
}

fn connect(data: &[u8]) -> Option<Command> {
    let (host, rest) = text(data);
    let (family, rest) = rest.split_first()?;
    // A port of two bytes, where there is an address.
    let address = rest.get(2..).map(|rest| text(rest).0).unwrap_or_default();
    Some(Command::Connect {
        host: host.to_vec(),
        family: *family,
        address: address.to_vec(),
    })
}

fn arguments(mut rest: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (one, after) = text(rest);
        texts.push(one.to_vec());
        rest = after;
    }
    (!texts.is_empty()).then_some(texts)
}

impl Reply {
    /// Writes its frame.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend([0; 4]);
        self.encode_data(out);
        let size = out.len().saturating_sub(start).saturating_sub(4);
        // Everything that is sent was received in frames that are far smaller than this.
        let size = u32::try_from(size).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(place) = out
            .get_mut(start..)
            .and_then(|frame| frame.first_chunk_mut())
        {
            *place = size;
        }
    }

    fn encode_data(&self, out: &mut Vec<u8>) {
        let mut put = |command: u8, number: Option<u32>, texts: &[&[u8]]| {
            out.push(command);
            out.extend(number.map(u32::to_be_bytes).into_iter().flatten());
            for text in texts {
                out.extend(text.iter().filter(|byte| **byte != 0));
                out.push(0);
            }
        };
        match self {
            Self::Negotiate {
                version,
                actions,
                steps,
                macros,
            } => {
                out.push(b'O');
                for number in [*version, actions.0, steps.0] {
                    out.extend(number.to_be_bytes());
                }
                for (stage, names) in *macros {
                    if let Some(number) = stage.number() {
                        out.extend(number.to_be_bytes());
                        out.extend(names.as_bytes());
                        out.push(0);
                    }
                }
            }
            Self::Continue => out.push(b'c'),
            Self::Accept => out.push(b'a'),
            Self::Discard => out.push(b'd'),
            // Sendmail takes the text for a format, Postfix makes one `%` of two and none of one.
            Self::Code(text) => put(b'y', None, &[text.replace('%', "%%").as_bytes()]),
            Self::Progress => out.push(b'p'),
            Self::AddHeader { name, value } => put(b'h', None, &[name, value]),
            Self::InsertHeader { place, name, value } => put(b'i', Some(*place), &[name, value]),
            Self::ChangeHeader {
                number,
                name,
                value,
            } => put(b'm', Some(*number), &[name, value]),
            Self::DeleteRecipient(address) => put(b'-', None, &[address]),
            Self::ReplaceBody(chunk) => {
                out.push(b'b');
                out.extend(chunk);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(data: &[u8]) -> Vec<u8> {
        let mut out = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
        out.extend(data);
        out
    }

    fn one(data: &[u8]) -> Result<Command, BadFrame> {
        let mut decoder = Decoder::default();
        decoder.push(&frame(data));
        decoder.command().map(Option::unwrap)
    }

    fn written(reply: &Reply) -> Vec<u8> {
        let mut out = Vec::new();
        reply.encode(&mut out);
        assert_eq!(
            usize::try_from(u32::from_be_bytes(*out.first_chunk().unwrap())).unwrap(),
            out.len() - 4
        );
        out.split_off(4)
    }

    #[test]
    fn frames_come_in_any_pieces() {
        let mut stream = frame(b"Hmx.example\0");
        stream.extend(frame(b"T"));
        stream.extend(frame(b"Bab\0c"));
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        for byte in stream {
            decoder.push(&[byte]);
            seen.extend(decoder.command().unwrap());
        }
        assert_eq!(
            seen,
            [
                Command::Helo(b"mx.example".to_vec()),
                Command::Data,
                Command::Body(b"ab\0c".to_vec())
            ]
        );
        assert_eq!((decoder.waiting(), decoder.command()), (0, Ok(None)));
    }

    #[test]
    fn commands_are_read_with_their_data() {
        assert_eq!(
            one(b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"),
            Ok(Command::Negotiate {
                version: 6,
                actions: Bits(0x1ff),
                steps: Bits(0x1f_ffff)
            })
        );
        assert_eq!(
            one(b"DMi\0Q7\0{auth_authen}\0taro\0"),
            Ok(Command::Macros {
                stage: Stage::Mail,
                values: vec![
                    (b"i".to_vec(), b"Q7".to_vec()),
                    (b"auth_authen".to_vec(), b"taro".to_vec())
                ]
            })
        );
        assert_eq!(
            one(b"Cmx.example\x004\x04\x01192.0.2.1\0"),
            Ok(Command::Connect {
                host: b"mx.example".to_vec(),
                family: b'4',
                address: b"192.0.2.1".to_vec()
            })
        );
        assert_eq!(
            one(b"Clocalhost\0U"),
            Ok(Command::Connect {
                host: b"localhost".to_vec(),
                family: b'U',
                address: Vec::new()
            })
        );
        assert_eq!(
            one(b"M<a@b>\0SIZE=9\0"),
            Ok(Command::Mail(vec![b"<a@b>".to_vec(), b"SIZE=9".to_vec()]))
        );
        assert_eq!(
            one(b"LSubject\0 a\0b\0"),
            Ok(Command::Header {
                name: b"Subject".to_vec(),
                value: b" a\0b".to_vec()
            })
        );
    }

    #[test]
    fn what_is_no_milter_protocol_is_refused() {
        let mut decoder = Decoder::default();
        decoder.push(b"GET / HTTP/1.0\r\n");
        assert_eq!(decoder.command(), Err(BadFrame::Length(0x4745_5420)));
        let mut decoder = Decoder::default();
        decoder.push(&[0; 4]);
        assert_eq!(decoder.command(), Err(BadFrame::Length(0)));
        assert_eq!(one(b"O\0\0\0\x06"), Err(BadFrame::Short('O')));
        assert_eq!(one(b"D"), Err(BadFrame::Short('D')));
        assert_eq!(one(b"Chost\0"), Err(BadFrame::Short('C')));
        assert_eq!(one(b"M"), Err(BadFrame::Short('M')));
        assert_eq!(one(b"L\0v\0"), Err(BadFrame::Short('L')));
        assert_eq!(one(b"!"), Err(BadFrame::Command(b'!')));
    }

    #[test]
    fn replies_are_written_as_the_mta_reads_them() {
        let negotiate = Reply::Negotiate {
            version: 6,
            actions: Bits(0x11f),
            steps: Bits(0x80),
            macros: &[(Stage::EndOfMessage, "i")],
        };
        assert_eq!(
            written(&negotiate),
            b"O\0\0\0\x06\0\0\x01\x1f\0\0\0\x80\0\0\0\x05i\0"
        );
        assert_eq!(
            written(&Reply::Code("550 5.7.1 100% sure".to_owned())),
            b"y550 5.7.1 100%% sure\0"
        );
        let insert = Reply::InsertHeader {
            place: 0,
            name: b"X-A".to_vec(),
            value: b" b\0c".to_vec(),
        };
        assert_eq!(written(&insert), b"i\0\0\0\0X-A\0 bc\0");
        assert_eq!(written(&Reply::ReplaceBody(b"a\0b".to_vec())), b"ba\0b");
        assert_eq!(
            written(&Reply::DeleteRecipient(b"<a@b>".to_vec())),
            b"-<a@b>\0"
        );
        for (reply, byte) in [
            (Reply::Continue, b'c'),
            (Reply::Accept, b'a'),
            (Reply::Discard, b'd'),
            (Reply::Progress, b'p'),
        ] {
            assert_eq!(written(&reply), [byte]);
        }
    }
}
