//! A request of OLEFY/1.0, pure.
#![warn(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]

use bytes::Bytes;

/// Bytes of the header at the most: what olefy looks through.
const LONGEST_HEADER: usize = 2000;

/// The end of every answer but to PING: rspamd reads on until it has come.
pub const END: &[u8] = b"\t\n\n\t";

/// The answer to PING.
pub const PONG: &[u8] = b"PONG";

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Whether somebody is there.
    Ping,
    /// What is in a file.
    Oletools {
        /// The client's id of it, for logs; not safe to show.
        id: Bytes,
        /// The file.
        file: Bytes,
    },
    /// Nothing that we know; why.
    Bad(&'static str),
}

/// Whether what came so far asks whether somebody is there: it is answered at once.
pub fn is_ping(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PING\n") || bytes.starts_with(b"PING\r\n")
}

/// Takes a whole request apart.
pub fn request(bytes: &Bytes) -> Request {
    if is_ping(bytes) || &**bytes == b"PING" {
        return Request::Ping;
    }
    let head = bytes.get(..LONGEST_HEADER).unwrap_or(bytes);
    if !head.starts_with(b"OLEFY/1.0\n") && !head.starts_with(b"OLEFY/1.0\r\n") {
        return Request::Bad("Protocol error");
    }
    let mut at = 0;
    let (mut method, mut id) = (None, Bytes::new());
    // Ends with the empty line, or because each turn moves on by a line of a header of bounded size.
    loop {
        let rest = head.get(at..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            return Request::Bad("Protocol error: the header does not end");
        };
        let line = rest.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        at = at.saturating_add(end).saturating_add(1);
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix(b"Method: ") {
            method = Some(value == b"oletools");
        } else if let Some(value) = line.strip_prefix(b"Rspamd-ID: ") {
            id = bytes.slice_ref(value);
        }
    }
    match method {
        Some(true) => Request::Oletools {
            id,
            file: bytes.slice(at..),
        },
        Some(false) => Request::Bad("Protocol error: unknown method"),
        None => Request::Bad("Protocol error: Method header not found"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(text: &'static str) -> Request {
        request(&Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn a_request_is_a_header_and_a_file() {
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        assert_eq!(
            ask("OLEFY/1.0\nMethod: oletools\nRspamd-ID: 5\n\nfile\n\n"),
            Request::Oletools {
                id: bytes("5"),
                file: bytes("file\n\n"),
            }
        );
        assert_eq!(
            ask("OLEFY/1.0\r\nMethod: oletools\r\nX\r\n\r\n"),
            Request::Oletools {
                id: Bytes::new(),
                file: Bytes::new(),
            }
        );
        for ping in ["PING", "PING\n", "PING\n\n"] {
            assert_eq!(ask(ping), Request::Ping);
        }
    }

    #[test]
    fn everything_else_is_an_error() {
        for (text, why) in [
            ("", "Protocol error"),
            ("GET / HTTP/1.0\r\n\r\n", "Protocol error"),
            ("OLEFY/1.1\nMethod: oletools\n\n", "Protocol error"),
            (
                "OLEFY/1.0\nMethod: oletools\n",
                "Protocol error: the header does not end",
            ),
            (
                "OLEFY/1.0\nMethod: rtfobj\n\n",
                "Protocol error: unknown method",
            ),
            (
                "OLEFY/1.0\nRspamd-ID: 1\n\nMethod: oletools\n\n",
                "Protocol error: Method header not found",
            ),
        ] {
            assert_eq!(ask(text), Request::Bad(why), "{text:?}");
        }
        let long = format!("OLEFY/1.0\nX: {}\n\n", "x".repeat(LONGEST_HEADER));
        assert!(matches!(request(&Bytes::from(long)), Request::Bad(_)));
    }
}
