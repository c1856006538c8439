//! What the relay puts before a message: its trace (RFC 5321 section 4.4) and the headers of the verdict; and how it
//! finds out that a message goes round and round.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

use crate::formats::header::{self, Breaks, Doubtful, Header};

use super::super::plan::{Changes, OWN_HEADERS};

/// Servers that a message may have passed, as in Postfix (`hopcount_limit`).
const MOST_HOPS: usize = 50;

/// How often it may have passed this one: a mail to a list that comes back has passed it before, in good order.
const MOST_PASSES: usize = 4;

/// Where a message comes from and where it is, for its trace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// Name that the client gave.
    pub helo: String,
    /// Its name in the DNS, where it is known.
    pub client_name: Option<String>,
    /// Its address.
    pub client: Option<String>,
    /// The name of this machine.
    pub name: String,
    /// What this relay is known again by.
    pub mark: String,
    /// ESMTP, ESMTPS, …
    pub protocol: &'static str,
    /// The id in logs.
    pub id: String,
}

/// Whether a message goes round: why it must not go on.
pub fn loops(message: &[u8], mark: &str) -> Option<&'static str> {
    let header = read(message);
    let (mut hops, mut passes) = (0_usize, 0_usize);
    for value in header.values(message, "Received") {
        hops = hops.saturating_add(1);
        if memchr::memmem::find(value, mark.as_bytes()).is_some() {
            passes = passes.saturating_add(1);
        }
    }
    match () {
        () if hops >= MOST_HOPS => Some("5.4.6 too many hops: the message goes round"),
        () if passes >= MOST_PASSES => {
            Some("5.4.6 it passed here too often: the message goes round")
        }
        () => None,
    }
}

/// The copy to send: the trace, the headers of the verdict, then the message, without headers that claim to be ours
/// where those are taken away. Everything else is as it came.
pub fn compose(trace: &Trace, changes: &Changes, came: &[u8]) -> Vec<u8> {
    let message = changes.message.as_deref().unwrap_or(came);
    let mut out = received(trace).into_bytes();
    out.reserve(message.len().saturating_add(1024));
    for (name, value) in &changes.added {
        out.extend(format!("{name}: {value}\r\n").as_bytes());
    }
    let mut at = 0;
    if changes.clean_own {
        for field in read(message).fields {
            let name = message.get(field.name.clone()).unwrap_or_default();
            if name.to_ascii_lowercase().starts_with(OWN_HEADERS) {
                out.extend_from_slice(message.get(at..field.name.start).unwrap_or_default());
                // The line's end is CR LF wherever it is one.
                at = field.value.end.saturating_add(2).min(message.len());
            }
        }
    }
    out.extend_from_slice(message.get(at..).unwrap_or_default());
    out
}

fn read(message: &[u8]) -> Header {
    header::read(message, 0, message.len(), Breaks::Lf, Doubtful::default())
}

fn received(trace: &Trace) -> String {
    let name = trace.client_name.as_deref().map(plain);
    let client = match (name, trace.client.as_deref().map(plain)) {
        (Some(name), Some(address)) => format!(" ({name} [{address}])"),
        (None, Some(address)) => format!(" ([{address}])"),
        _ => String::new(),
    };
    let helo = match plain(&trace.helo) {
        empty if empty.is_empty() => "unknown".to_owned(),
        helo => helo,
    };
    let date = DateTimePrinter::new().timestamp_to_string(&Timestamp::now());
    format!(
        "Received: from {helo}{client}\r\n\tby {} ({})\r\n\twith {} id {};\r\n\t{}\r\n",
        plain(&trace.name),
        trace.mark,
        trace.protocol,
        trace.id,
        date.unwrap_or_default()
    )
}

/// Foreign text that cannot be taken for another part of the trace.
fn plain(text: &str) -> String {
    let safe = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '.' | '-' | '_' | ':' | '[' | ']' => c,
        _ => '?',
    };
    text.chars().take(255).map(safe).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        Trace {
            helo: "evil (x) by\r\nBcc: y".to_owned(),
            client_name: None,
            client: Some("192.0.2.7".to_owned()),
            name: "mx.test".to_owned(),
            mark: "sekisho relay 12ab".to_owned(),
            protocol: "ESMTP",
            id: "5-1".to_owned(),
        }
    }

    fn changes(clean_own: bool) -> Changes {
        Changes {
            added: vec![("X-Sekisho-Verdict".to_owned(), "clean".to_owned())],
            clean_own,
            ..Changes::default()
        }
    }

    #[test]
    fn only_what_claims_to_be_ours_is_taken_away() {
        let came = b"X-SEKISHO-Verdict: forged\r\n more\r\nFrom: a\r\nX-Sekisho-Release: t\r\nTo: b\r\n\r\nX-Sekisho-Verdict: body\r\n";
        let text = String::from_utf8(compose(&trace(), &changes(true), came)).unwrap();
        let (head, rest) = text.split_once("X-Sekisho-Verdict: clean\r\n").unwrap();
        assert_eq!(rest, "From: a\r\nTo: b\r\n\r\nX-Sekisho-Verdict: body\r\n");
        assert!(head.starts_with("Received: from evil??x??by??Bcc:?y ([192.0.2.7])\r\n\tby mx.test (sekisho relay 12ab)\r\n\twith ESMTP id 5-1;\r\n\t"), "{head}");
        assert!(
            head.ends_with(" +0000\r\n") || head.ends_with(" -0000\r\n"),
            "{head}"
        );
        let kept = compose(&trace(), &changes(false), came);
        assert!(kept.ends_with(came));
        for odd in [
            b"".as_slice(),
            b"\r\n",
            b"no header at all\r\n",
            b"X-Sekisho-A: b",
        ] {
            let out = compose(&trace(), &changes(true), odd);
            assert!(out.ends_with(odd) || odd.starts_with(b"X-"), "{odd:?}");
        }
    }

    #[test]
    fn a_message_that_goes_round_is_found_out() {
        let line = |count: usize, text: &str| format!("Received: by {text}\r\n").repeat(count);
        let message =
            |head: String| format!("{head}From: a\r\n\r\n{}", line(99, "body")).into_bytes();
        assert_eq!(loops(&message(line(49, "x")), "m 1"), None);
        assert!(loops(&message(line(50, "x")), "m 1").is_some());
        assert_eq!(
            loops(&message(line(3, "x (m 1)") + &line(9, "m 2")), "m 1"),
            None
        );
        assert!(loops(&message(line(4, "x\r\n (m 1)")), "m 1").is_some());
    }
}
