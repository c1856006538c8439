//! Hands one message to one recipient over SMTP (RFC 5321), with TLS (RFC 3207, RFC 8314) and a login (RFC 4954) where they
//! are asked for.
//!
//! Every recipient has a transaction, and so an answer, of its own, and addresses go out as they came in: some exist
//! that strict libraries refuse (`a..b@example.jp`). 8BITMIME (RFC 6152) and SMTPUTF8 (RFC 6531) where the message
//! needs them.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use thiserror::Error;

use crate::config::{Login, MailServer, StartTls, client_tls};
use crate::text;

use super::wire::{Reply, Wire};

/// For a connection, and for every answer but the one to a message.
const ANSWER: Duration = Duration::from_secs(60);

/// For the answer to the final dot (RFC 5321 section 4.5.3.2.6).
const MESSAGE: Duration = Duration::from_secs(600);

/// Bytes of a message that are written at a time.
const PIECE: usize = 64 << 10;

/// Why a message did not arrive, or perhaps did.
#[derive(Debug, Error)]
pub(super) enum NotSent {
    /// The server is not there, went away before it had everything, or says later.
    #[error("{0}")]
    Later(String),
    /// The server said no, for good.
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
    /// Reverse path without angle brackets; empty for what nobody may answer.
    pub(super) sender: &'a str,
    /// Forward path without angle brackets.
    pub(super) recipient: &'a str,
    /// Lines end in CRLF.
    pub(super) message: &'a [u8],
}

/// Who takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    /// The table of the configuration that names it.
    table: &'static str,
    /// host:port.
    address: &'a str,
    /// Whether TLS is spoken from the first byte on.
    by_tls: bool,
    /// When TLS is spoken.
    starttls: StartTls,
    /// Who is believed, where certificates are checked.
    ca: Option<&'a Path>,
    /// Who we are, where that is asked.
    login: Option<&'a Login>,
}

impl<'a> Server<'a> {
    /// The server that a table of the configuration names.
    pub(super) fn of(table: &'static str, server: &'a MailServer) -> Self {
        Self {
            table,
            address: &server.address,
            by_tls: server.smtps,
            starttls: server.starttls,
            ca: server.ca.as_deref(),
            login: server.login.as_ref(),
        }
    }

    fn trouble(&self, what: &str, error: &io::Error) -> NotSent {
        let what = match what {
            "" => String::new(),
            what => format!("{what} "),
        };
        let why = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "no answer in time".to_owned(),
            _ => error.to_string(),
        };
        NotSent::Later(text::excerpt(&format!("{what}{}: {why}", self.address)))
    }
}

/// Sends a letter, and answers with what the server said to it.
pub(super) fn send(server: &Server<'_>, letter: Letter<'_>) -> Result<String, NotSent> {
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
    let mut talk = match Talk::open(server, server.starttls) {
        // Where TLS only may be spoken it must not stand in the way.
        Err(NotOpen::Tls(_)) if server.starttls == StartTls::May => {
            Talk::open(server, StartTls::None)
        }
        other => other,
    }
    .map_err(|error| match error {
        NotOpen::Tls(why) => NotSent::Later(why),
        NotOpen::Other(error) => error,
    })?;
    if let Some(login) = server.login {
        talk.login(login)?;
    }
    let mail = mail(&talk, letter)?;
    talk.yes(&mail)?;
    talk.yes(&format!("RCPT TO:<{}>", letter.recipient))?;
    let go = talk.ask("DATA")?;
    if go.code != 354 {
        return Err(no(&go));
    }
    let answer = talk.message(letter.message)?;
    // It has the message: how it says goodbye does not matter.
    let _ = talk.wire.write(b"QUIT\r\n");
    match answer.is_positive() {
        true => Ok(answer.shown()),
        false => Err(no(&answer)),
    }
}

fn mail(talk: &Talk<'_>, letter: Letter<'_>) -> Result<String, NotSent> {
    let mut mail = format!("MAIL FROM:<{}>", letter.sender);
    if !letter.message.is_ascii() && talk.offers("8BITMIME").is_some() {
        mail.push_str(" BODY=8BITMIME");
    }
    if !letter.sender.is_ascii() || !letter.recipient.is_ascii() {
        if talk.offers("SMTPUTF8").is_none() {
            let why = "the next hop takes no international addresses (SMTPUTF8)";
            return Err(NotSent::Unsuited(why.to_owned()));
        }
        mail.push_str(" SMTPUTF8");
    }
    Ok(mail)
}

fn no(reply: &Reply) -> NotSent {
    match reply.code {
        500..=599 => NotSent::Refused(reply.shown()),
        _ => NotSent::Later(reply.shown()),
    }
}

/// Why there is no connection.
enum NotOpen {
    Tls(String),
    Other(NotSent),
}

impl From<NotSent> for NotOpen {
    fn from(error: NotSent) -> Self {
        Self::Other(error)
    }
}

/// A connection that was greeted.
struct Talk<'a> {
    server: &'a Server<'a>,
    wire: Wire,
    /// Keywords in upper case with their parameters.
    offers: Vec<(String, String)>,
}

impl<'a> Talk<'a> {
    fn open(server: &'a Server<'a>, starttls: StartTls) -> Result<Self, NotOpen> {
        let wire = Wire::connect(server.address, ANSWER)
            .map_err(|error| server.trouble("cannot reach", &error))?;
        let mut talk = Self {
            server,
            wire,
            offers: Vec::new(),
        };
        let no_tls = |why: String| {
            NotOpen::Tls(text::excerpt(&format!("{}: no TLS: {why}", server.address)))
        };
        if server.by_tls {
            talk.secure(starttls).map_err(no_tls)?;
        }
        let greeting = talk.reply()?;
        if !greeting.is_positive() {
            return Err(no(&greeting).into());
        }
        talk.hello()?;
        if server.by_tls {
            return Ok(talk);
        }
        let offered = talk.offers("STARTTLS").is_some();
        match starttls {
            StartTls::None => return Ok(talk),
            StartTls::May if !offered => return Ok(talk),
            _ if !offered => {
                let why = format!("{} does not offer STARTTLS", server.address);
                return Err(NotOpen::Tls(why));
            }
            _ => {}
        }
        let go = talk.ask("STARTTLS");
        let go = go.map_err(|error| no_tls(error.to_string()))?;
        if go.code != 220 {
            return Err(no_tls(go.shown()));
        }
        talk.secure(starttls).map_err(no_tls)?;
        talk.hello()?;
        Ok(talk)
    }

    fn hello(&mut self) -> Result<(), NotSent> {
        let mut reply = self.ask("EHLO localhost")?;
        if matches!(reply.code, 500..=599) {
            // Of before 1995.
            reply = self.ask("HELO localhost")?;
            reply.lines.truncate(1);
        }
        if !reply.is_positive() {
            return Err(no(&reply));
        }
        let keyword = |line: &String| {
            let (keyword, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
            (keyword.to_ascii_uppercase(), rest.trim().to_owned())
        };
        self.offers = reply.lines.iter().skip(1).map(keyword).collect();
        Ok(())
    }

    /// The parameters of an extension that the server offers.
    fn offers(&self, wanted: &str) -> Option<&str> {
        let mut known = self.offers.iter();
        known.find_map(|(name, rest)| (name == wanted).then_some(rest.as_str()))
    }

    fn secure(&mut self, starttls: StartTls) -> Result<(), String> {
        // Read anew for every letter: a file that was replaced counts at once.
        let config = client_tls(self.server.table, starttls, self.server.ca)?;
        let config = config.ok_or("it is not set up")?;
        let address = self.server.address;
        let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        self.wire.secure(config, host, ANSWER)
    }

    /// Says who we are. That it is not believed is for the administrator to mend: the letter waits.
    fn login(&mut self, login: &Login) -> Result<(), NotSent> {
        let offered = self.offers("AUTH").unwrap_or_default().to_ascii_uppercase();
        let mechanisms: Vec<&str> = offered.split_ascii_whitespace().collect();
        let refused = |said: &str| {
            NotSent::Later(text::excerpt(&format!(
                "{}: cannot log in as {}: {said}",
                self.server.address, login.user
            )))
        };
        let steps = match () {
            () if mechanisms.contains(&"PLAIN") => {
                let secret = format!("\0{}\0{}", login.user, login.password());
                vec![format!("AUTH PLAIN {}", encoded(&secret))]
            }
            () if mechanisms.contains(&"LOGIN") => vec![
                "AUTH LOGIN".to_owned(),
                encoded(&login.user),
                encoded(login.password()),
            ],
            () => return Err(refused("it offers neither PLAIN nor LOGIN")),
        };
        let mut reply = None;
        for step in &steps {
            let said = self.ask(step)?;
            if !matches!(said.code, 334 | 200..=299) {
                return Err(refused(&said.shown()));
            }
            reply = Some(said);
        }
        match reply {
            Some(reply) if reply.is_positive() => Ok(()),
            _ => Err(refused("it asks for more than a name and a password")),
        }
    }

    /// The whole text, its dots and its end; then what the server says to it.
    fn message(&mut self, message: &[u8]) -> Result<Reply, NotSent> {
        let mut out = Vec::with_capacity(PIECE.saturating_add(PIECE / 8));
        for line in message.split_inclusive(|byte| *byte == b'\n') {
            if line.first() == Some(&b'.') {
                out.push(b'.');
            }
            out.extend_from_slice(line);
            if out.len() >= PIECE {
                self.write(&out)?;
                out.clear();
            }
        }
        if !message.is_empty() && !message.ends_with(b"\r\n") {
            out.extend(b"\r\n");
        }
        out.extend(b".\r\n");
        let answer = match self.wire.write(&out) {
            Ok(()) => self.wire.reply(Instant::now() + MESSAGE),
            Err(error) => Err(error),
        };
        answer.map_err(|error| match self.server.trouble("", &error) {
            NotSent::Later(why) => NotSent::Unknown(why),
            other => other,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), NotSent> {
        let written = self.wire.write(bytes);
        written.map_err(|error| self.server.trouble("", &error))
    }

    fn reply(&mut self) -> Result<Reply, NotSent> {
        let reply = self.wire.reply(Instant::now() + ANSWER);
        reply.map_err(|error| self.server.trouble("", &error))
    }

    fn ask(&mut self, line: &str) -> Result<Reply, NotSent> {
        self.write(format!("{line}\r\n").as_bytes())?;
        self.reply()
    }

    fn yes(&mut self, line: &str) -> Result<(), NotSent> {
        let reply = self.ask(line)?;
        match reply.is_positive() {
            true => Ok(()),
            false => Err(no(&reply)),
        }
    }
}

fn encoded(text: &str) -> String {
    crate::formats::base64::encode(text.as_bytes())
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
}
