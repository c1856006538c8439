//! The client's end of an SMTP connection: bytes out, replies in, with TLS or without, never longer than it may take.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::text;

/// Longest line that is read of a reply (RFC 5321 section 4.5.3.1.5 has 512), and lines at the most.
const LINE: usize = 4096;
const LINES: usize = 128;

/// A reply (RFC 5321 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Three digits.
    pub(super) code: u16,
    /// Its lines without the code, one at least.
    pub(super) lines: Vec<String>,
}

impl Reply {
    /// Whether it says yes.
    pub(super) fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// On one line.
    pub(super) fn shown(&self) -> String {
        text::excerpt(&format!("{} {}", self.code, self.lines.join(" ")))
    }
}

/// A connection.
pub(super) struct Wire {
    stream: Stream,
    /// What came and was not read yet.
    came: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// TLS did not come about.
    Gone,
}

impl Stream {
    fn socket(&self) -> io::Result<&TcpStream> {
        match self {
            Self::Plain(socket) => Ok(socket),
            Self::Secure(stream) => Ok(stream.get_ref()),
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl Wire {
    /// Connects to host:port. Who does not read or say anything for `patience` is not waited for any longer.
    pub(super) fn connect(address: &str, patience: Duration) -> io::Result<Self> {
        let mut last = io::Error::other("no such host");
        for address in address.to_socket_addrs()? {
            match TcpStream::connect_timeout(&address, patience) {
                Ok(socket) => {
                    socket.set_write_timeout(Some(patience))?;
                    socket.set_nodelay(true)?;
                    return Ok(Self {
                        stream: Stream::Plain(socket),
                        came: Vec::new(),
                    });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Begins TLS with a server of this name. The error says why it does not come about.
    pub(super) fn secure(
        &mut self,
        config: Arc<ClientConfig>,
        host: &str,
        patience: Duration,
    ) -> Result<(), String> {
        if !self.came.is_empty() {
            // Injected by somebody on the way.
            return Err("it says something between STARTTLS and TLS".to_owned());
        }
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        let mut session = ClientConnection::new(config, name).map_err(|error| error.to_string())?;
        let Stream::Plain(mut socket) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err("it is spoken already".to_owned());
        };
        let shake = |socket: &mut TcpStream, session: &mut ClientConnection| {
            socket.set_read_timeout(Some(patience))?;
            // Ends with the handshake, the connection, or the time.
            while session.is_handshaking() {
                session.complete_io(socket)?;
            }
            Ok::<_, io::Error>(())
        };
        shake(&mut socket, &mut session).map_err(|error| error.to_string())?;
        self.stream = Stream::Secure(Box::new(StreamOwned::new(session, socket)));
        Ok(())
    }

    /// Writes all of it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(socket) => socket.write_all(bytes),
            Stream::Secure(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The next reply, before `deadline`.
    pub(super) fn reply(&mut self, deadline: Instant) -> io::Result<Reply> {
        let mut lines = Vec::new();
        // Ends with the last line of a reply, too many, the connection, or the time.
        loop {
            let line = self.line(deadline)?;
            let (code, last, text) = parsed(&line).ok_or_else(no_smtp)?;
            lines.push(text);
            if last {
                return Ok(Reply { code, lines });
            }
            if lines.len() >= LINES {
                return Err(no_smtp());
            }
        }
    }

    fn line(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        // Ends with a line, too long a one, the connection, or the time.
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.came) {
                return Ok(self.came.drain(..=end).collect());
            }
            if self.came.len() > LINE {
                return Err(no_smtp());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.socket()?.set_read_timeout(Some(left))?;
            let mut buffer = [0; 1024];
            let read = match &mut self.stream {
                Stream::Plain(socket) => socket.read(&mut buffer)?,
                Stream::Secure(stream) => stream.read(&mut buffer)?,
                Stream::Gone => 0,
            };
            match buffer.get(..read) {
                Some(bytes) if read > 0 => self.came.extend_from_slice(bytes),
                _ => return Err(io::Error::other("it broke off")),
            }
        }
    }
}

fn no_smtp() -> io::Error {
    io::Error::other("an answer that is no SMTP")
}

/// Code, whether it is the last line, and text.
fn parsed(line: &[u8]) -> Option<(u16, bool, String)> {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches(['\r', '\n']);
    let code = line.get(..3)?.parse().ok()?;
    if !(200..600).contains(&code) {
        return None;
    }
    let last = match line.as_bytes().get(3) {
        None | Some(b' ') => true,
        Some(b'-') => false,
        Some(_) => return None,
    };
    let text = line.get(4..).unwrap_or_default();
    Some((code, last, text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_replies_are_told_apart() {
        let of = |line: &str| parsed(line.as_bytes());
        assert_eq!(of("250-mx\r\n"), Some((250, false, "mx".to_owned())));
        assert_eq!(of("354 go\n"), Some((354, true, "go".to_owned())));
        assert_eq!(of("451\r\n"), Some((451, true, String::new())));
        for wrong in ["", "25", "hello\r\n", "999 x\r\n", "250x\r\n", "+50 x\r\n"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
