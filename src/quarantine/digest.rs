//! What makes two deliveries the same message: its envelope, and its bytes without the headers in front that every
//! server on the way adds anew (trace fields, RFC 5321 section 4.4, and their like).

use sha2::{Digest as _, Sha256};

use crate::model::Envelope;

/// Fields that servers put in front of a message, in lower case.
const TRACE: &[&str] = &[
    "received",
    "return-path",
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "delivery-date",
    "received-spf",
    "authentication-results",
    "arc-seal",
    "arc-message-signature",
    "arc-authentication-results",
];

/// The fields of our own.
const OWN: &str = "x-sekisho-";

/// SHA-256 of a message without its leading trace headers. It stays the same when the message is sent again or
/// passes another server.
pub fn message_digest(message: &[u8]) -> [u8; 32] {
    Sha256::digest(without_trace(message)).into()
}

/// SHA-256 of all bytes of a message: the name of its file.
pub(super) fn whole_digest(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

/// The key by which a message is known again. The order of recipients, and everything of the connection, does not
/// count: a sender that tries again may come from another address.
pub(super) fn key(envelope: &Envelope, message: &[u8]) -> [u8; 32] {
    let mut recipients: Vec<&str> = envelope.recipients.iter().map(String::as_str).collect();
    recipients.sort_unstable();
    recipients.dedup();
    let mut hash = Sha256::new();
    // Every text with its length, so that no two lists run together.
    for text in std::iter::once(envelope.sender.as_str()).chain(recipients) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    }
    hash.update(message_digest(message));
    hash.finalize().into()
}

fn without_trace(message: &[u8]) -> &[u8] {
    let mut rest = message;
    while let Some(after) = after_trace_field(rest) {
        rest = after;
    }
    rest
}

/// What follows the field at the head, if that is a trace field; continuation lines belong to it.
fn after_trace_field(header: &[u8]) -> Option<&[u8]> {
    let colon = header
        .iter()
        .take(100)
        .position(|byte| !byte.is_ascii_graphic() || *byte == b':')?;
    let name = header.get(..colon)?.to_ascii_lowercase();
    let known =
        name.starts_with(OWN.as_bytes()) || TRACE.iter().any(|trace| trace.as_bytes() == name);
    if !known || header.get(colon) != Some(&b':') {
        return None;
    }
    let ends = memchr::memchr_iter(b'\n', header).map(|at| at.saturating_add(1));
    for end in ends {
        let rest = header.get(end..)?;
        if !matches!(rest.first(), Some(b' ' | b'\t')) {
            return Some(rest);
        }
    }
    Some(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(sender: &str, recipients: &[&str]) -> Envelope {
        Envelope {
            sender: sender.to_owned(),
            recipients: recipients.iter().map(|one| (*one).to_owned()).collect(),
            ..Envelope::default()
        }
    }

    #[test]
    fn leading_trace_headers_do_not_count_and_all_others_do() {
        let plain = b"Subject: a\r\nReceived: by x\r\n\r\nbody\r\n";
        let traced = b"Return-Path: <a@b>\r\nReceived: from y\r\n\tby z; now\r\nX-SEKISHO-Release: t\r\nSubject: a\r\nReceived: by x\r\n\r\nbody\r\n";
        assert_eq!(without_trace(traced), plain);
        assert_eq!(message_digest(plain), message_digest(traced));
        for other in [
            &b"Subject: b\r\n\r\n"[..],
            b"ReceivedX: a\r\n",
            b"Received : a\r\n",
            b"",
            b"\r\nReceived: a\r\n",
        ] {
            assert_eq!(without_trace(other), other);
        }
        assert_eq!(without_trace(b"Received: a\n b\nX: y\n"), b"X: y\n");
        assert_eq!(without_trace(b"Received: a"), b"");
    }

    #[test]
    fn the_key_knows_sender_recipients_and_bytes() {
        let base = key(&envelope("a@x", &["b@x", "c@x"]), b"Subject: 1\r\n\r\n");
        let same = key(
            &envelope("a@x", &["c@x", "b@x", "b@x"]),
            b"Received: again\r\nSubject: 1\r\n\r\n",
        );
        assert_eq!(base, same);
        let others = [
            key(&envelope("", &["b@x", "c@x"]), b"Subject: 1\r\n\r\n"),
            key(&envelope("a@x", &["b@x"]), b"Subject: 1\r\n\r\n"),
            key(&envelope("a@x", &["b@xc@x"]), b"Subject: 1\r\n\r\n"),
            key(&envelope("a@x", &["b@x", "c@x"]), b"Subject: 2\r\n\r\n"),
        ];
        assert!(!others.contains(&base));
    }
}
