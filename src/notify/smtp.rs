//! Hands one message to one recipient over SMTP (RFC 5321), by lettre's connection.
//!
//! lettre's transport is not used, only the connection under it: the transport takes back a whole message when one
//! recipient is refused, and its addresses refuse some that exist (`a..b@example.jp`). Here every recipient has a
//! transaction, and so an answer, of its own, and addresses go out as they came in. 8BITMIME (RFC 6152) and SMTPUTF8
//! (RFC 6531) where the message needs them. No TLS: the next hop is on this machine or beside it.

use std::time::Duration;

use lettre::transport::smtp::client::SmtpConnection;
use lettre::transport::smtp::extension::{ClientId, Extension};
use lettre::transport::smtp::response::Response;
use thiserror::Error;

use crate::text;

const CONNECT: Duration = Duration::from_secs(30);

/// For the answer to the final dot (RFC 5321 section 4.5.3.2.6).
const ANSWER: Duration = Duration::from_secs(600);

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
    let me = ClientId::Domain("localhost".to_owned());
    let failed = |error| not_sent(server, &error);
    let connected = SmtpConnection::connect(server, Some(CONNECT), &me, None, None);
    let mut connection = connected.map_err(|error| match failed(error) {
        NotSent::Later(why) => NotSent::Later(format!("cannot reach {why}")),
        other => other,
    })?;
    connection
        .set_timeout(Some(ANSWER))
        .map_err(|error| NotSent::Later(error.to_string()))?;
    let mail = mail(&connection, letter)?;
    connection.command(mail).map_err(failed)?;
    connection
        .command(format!("RCPT TO:<{}>\r\n", letter.recipient))
        .map_err(failed)?;
    connection.command("DATA\r\n").map_err(failed)?;
    // The connection puts a line end before the final dot.
    let message = letter.message.strip_suffix(b"\r\n");
    let answer = connection.message(message.unwrap_or(letter.message));
    let answer = answer.map_err(|error| match error.status() {
        Some(_) => not_sent(server, &error),
        None => NotSent::Unknown(told(server, &error)),
    })?;
    // It has the message: how it says goodbye does not matter.
    let _ = connection.quit();
    Ok(shown(&answer))
}

fn mail(connection: &SmtpConnection, letter: Letter<'_>) -> Result<String, NotSent> {
    let offers = |wanted| connection.server_info().supports_feature(wanted);
    let mut mail = format!("MAIL FROM:<{}>", letter.sender);
    if !letter.message.is_ascii() && offers(Extension::EightBitMime) {
        mail.push_str(" BODY=8BITMIME");
    }
    if !letter.sender.is_ascii() || !letter.recipient.is_ascii() {
        if !offers(Extension::SmtpUtfEight) {
            let why = "the next hop takes no international addresses (SMTPUTF8)";
            return Err(NotSent::Unsuited(why.to_owned()));
        }
        mail.push_str(" SMTPUTF8");
    }
    mail.push_str("\r\n");
    Ok(mail)
}

fn not_sent(server: &str, error: &lettre::transport::smtp::Error) -> NotSent {
    let told = told(server, error);
    if error.is_permanent() {
        NotSent::Refused(told)
    } else {
        NotSent::Later(told)
    }
}

fn told(server: &str, error: &lettre::transport::smtp::Error) -> String {
    use std::error::Error as _;
    let mut told = match error.status() {
        Some(code) => code.to_string(),
        None => format!("{server}: {error}"),
    };
    if let Some(source) = error.source() {
        let source = source.to_string();
        if !told.contains(&source) {
            told = format!("{told} {source}");
        }
    }
    text::excerpt(&told)
}

fn shown(answer: &Response) -> String {
    let lines: Vec<&str> = answer.message().collect();
    text::excerpt(&format!("{} {}", answer.code(), lines.join(" ")))
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
