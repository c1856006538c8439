//! A client that hands one message to one recipient over SMTP (RFC 5321), for messages that must arrive as they are.
//!
//! One transaction for each recipient, so that every one of them has an answer of its own and nobody's refusal
//! holds up another. Addresses go out as they came in, also those that strict readers refuse (`a..b@example.jp`
//! exists). 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531) where the message needs them. No TLS: the next hop of a
//! release is on this machine or beside it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use thiserror::Error;

use crate::text;

const CONNECT: Duration = Duration::from_secs(30);

/// For the answer to the final dot (RFC 5321 section 4.5.3.2.6).
const ANSWER: Duration = Duration::from_secs(600);

/// Longest line of an answer that is read, and lines of one answer; RFC 5321 section 4.5.3.1.5 has 512 bytes.
const LINE: u64 = 4096;
const LINES: usize = 128;

/// An answer of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reply {
    code: u16,
    /// Its lines without code, safe to show.
    lines: Vec<String>,
}

impl Reply {
    fn shown(&self) -> String {
        text::excerpt(&format!("{} {}", self.code, self.lines.join(" ")))
    }
}

/// Why a message did not arrive, or perhaps did.
#[derive(Debug, Error)]
pub(super) enum NotSent {
    /// The server is not there, or went away before it had everything.
    #[error("{0}")]
    Broken(String),
    /// The server said no.
    #[error("{0}")]
    Refused(String),
    /// It cannot be said to this server.
    #[error("{0}")]
    Unsuited(String),
    /// The connection broke between the last byte and the answer: the message may have arrived.
    #[error("{0}")]
    Unknown(String),
}

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letter<'a> {
    /// Reverse path without angle brackets; empty for a bounce.
    pub(super) sender: &'a str,
    /// Forward path without angle brackets.
    pub(super) recipient: &'a str,
    /// Lines end in CRLF.
    pub(super) message: &'a [u8],
}

/// Sends to `server` (host:port), and answers with what the server said to it.
pub(super) fn send(server: &str, letter: Letter<'_>) -> Result<String, NotSent> {
    for address in [letter.sender, letter.recipient] {
        if address
            .chars()
            .any(|c| c.is_control() || matches!(c, '<' | '>'))
        {
            let shown = text::excerpt(address);
            return Err(NotSent::Unsuited(format!(
                "{shown}: no address for a server"
            )));
        }
    }
    let mut session = Session::connect(server)?;
    session.expect(2)?;
    let hello = session.ask("EHLO localhost", 2)?;
    let offers = |wanted: &str| {
        let mut lines = hello.lines.iter().skip(1);
        lines.any(|line| {
            line.split(' ')
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case(wanted))
        })
    };
    let mut mail = format!("MAIL FROM:<{}>", letter.sender);
    if !letter.message.is_ascii() && offers("8BITMIME") {
        mail.push_str(" BODY=8BITMIME");
    }
    if !letter.sender.is_ascii() || !letter.recipient.is_ascii() {
        if !offers("SMTPUTF8") {
            let why = "the next hop takes no international addresses (SMTPUTF8)";
            return Err(NotSent::Unsuited(why.to_owned()));
        }
        mail.push_str(" SMTPUTF8");
    }
    session.ask(&mail, 2)?;
    session.ask(&format!("RCPT TO:<{}>", letter.recipient), 2)?;
    session.ask("DATA", 3)?;
    session.write(&stuffed(letter.message))?;
    let reply = session.expect(2).map_err(|error| match error {
        NotSent::Broken(why) => NotSent::Unknown(why),
        other => other,
    })?;
    // It has the message: how it says goodbye does not matter.
    let _ = session.ask("QUIT", 2);
    Ok(reply.shown())
}

/// A message with every bare CR or LF made a CRLF, which is all that SMTP can carry (RFC 5321 section 2.3.8): a
/// lone one could end the message early at one server and not at the next.
pub(super) fn with_crlf(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len().saturating_add(2));
    let mut last = 0;
    for &byte in message {
        match (last, byte) {
            (b'\r', b'\n') => out.push(b'\n'),
            (b'\r', _) => {
                out.push(b'\n');
                push(&mut out, byte);
            }
            _ => push(&mut out, byte),
        }
        last = byte;
    }
    match last {
        b'\n' => {}
        b'\r' => out.push(b'\n'),
        _ => out.extend(b"\r\n"),
    }
    out
}

fn push(out: &mut Vec<u8>, byte: u8) {
    if byte == b'\n' {
        out.push(b'\r');
    }
    out.push(byte);
}

/// The message as DATA sends it: dots at the head of lines doubled, and the final one (RFC 5321 section 4.5.2).
fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len().saturating_add(64));
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out.extend_from_slice(b".\r\n");
    out
}

struct Session {
    stream: BufReader<TcpStream>,
    server: String,
}

impl Session {
    fn connect(server: &str) -> Result<Self, NotSent> {
        let broken = |error: std::io::Error| {
            NotSent::Broken(format!("cannot reach {}: {error}", text::excerpt(server)))
        };
        let mut last = std::io::Error::other("no address of that name");
        for address in server.to_socket_addrs().map_err(broken)? {
            match TcpStream::connect_timeout(&address, CONNECT) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(ANSWER)).map_err(broken)?;
                    stream.set_write_timeout(Some(ANSWER)).map_err(broken)?;
                    return Ok(Self {
                        stream: BufReader::new(stream),
                        server: text::excerpt(server),
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(broken(last))
    }

    fn broken(&self, why: impl std::fmt::Display) -> NotSent {
        NotSent::Broken(format!("{} broke off: {why}", self.server))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NotSent> {
        let stream = self.stream.get_mut();
        let written = stream.write_all(bytes).and_then(|()| stream.flush());
        written.map_err(|error| self.broken(error))
    }

    fn ask(&mut self, command: &str, kind: u16) -> Result<Reply, NotSent> {
        self.write(format!("{command}\r\n").as_bytes())?;
        self.expect(kind)
    }

    /// An answer whose code begins with `kind`.
    fn expect(&mut self, kind: u16) -> Result<Reply, NotSent> {
        let reply = self.reply()?;
        if reply.code / 100 == kind {
            Ok(reply)
        } else {
            Err(NotSent::Refused(reply.shown()))
        }
    }

    fn reply(&mut self) -> Result<Reply, NotSent> {
        let mut lines = Vec::new();
        while lines.len() < LINES {
            let mut line = Vec::new();
            let read = self.stream.by_ref().take(LINE).read_until(b'\n', &mut line);
            read.map_err(|error| self.broken(error))?;
            if line.pop() != Some(b'\n') {
                return Err(self.broken("an answer without an end"));
            }
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches('\r');
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            let Some(code) = code.filter(|code| (200..600).contains(code)) else {
                return Err(self.broken(format!("no answer of SMTP: {}", text::excerpt(line))));
            };
            let said = line.get(4..).unwrap_or_default();
            lines.push(text::excerpt(said));
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(Reply { code, lines });
            }
        }
        Err(self.broken("an answer without an end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_ends_in_crlf_and_only_lone_ends_are_changed() {
        let cases: [(&[u8], &[u8]); 7] = [
            (b"a\r\nb\r\n", b"a\r\nb\r\n"),
            (b"a\nb\rc", b"a\r\nb\r\nc\r\n"),
            (b"a\r\r\n", b"a\r\n\r\n"),
            (b"a\n\n.\n", b"a\r\n\r\n.\r\n"),
            (b"a\r", b"a\r\n"),
            (b"", b"\r\n"),
            (b"a\n\r", b"a\r\n\r\n"),
        ];
        for (from, to) in cases {
            assert_eq!(with_crlf(from), to, "{from:?}");
        }
    }

    #[test]
    fn leading_dots_are_doubled() {
        assert_eq!(stuffed(b".\r\na.\r\n..b\r\n"), b"..\r\na.\r\n...b\r\n.\r\n");
        assert_eq!(stuffed(b""), b".\r\n");
    }
}
