//! The bytes of a part by its transfer encoding (RFC 2045 section 6), in every plausible reading.

use std::ops::Range;

use bytes::Bytes;

use crate::formats::header::{Header, field_name, unfold};
use crate::formats::{base64, quoted_printable, uuencode};

/// A transfer encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// 7bit, 8bit, binary or none.
    Identity,
    /// Base64.
    Base64,
    /// Quoted-printable.
    QuotedPrintable,
    /// uuencode, which no specification of mail knows.
    Uuencode,
    /// Something else: taken as it stands, and as base64 where it looks like it.
    Unknown,
}

/// One reading of a part's bytes.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// The bytes.
    pub(super) data: Bytes,
    /// A name that the encoding carries.
    pub(super) name: Option<Vec<u8>>,
    /// What was odd about it.
    pub(super) odd: Option<String>,
}

impl Reading {
    fn of(data: impl Into<Bytes>) -> Self {
        Self {
            data: data.into(),
            name: None,
            odd: None,
        }
    }
}

/// The transfer encodings that a header declares, doubles dropped, at least one.
pub(super) fn encodings(data: &[u8], header: &Header) -> Vec<Encoding> {
    let mut encodings = Vec::new();
    for value in header.values(data, "content-transfer-encoding").take(8) {
        let encoding = encoding(&unfold(value));
        if !encodings.contains(&encoding) {
            encodings.push(encoding);
        }
    }
    if encodings.is_empty() {
        encodings.push(Encoding::Identity);
    }
    encodings
}

fn encoding(value: &[u8]) -> Encoding {
    let value = String::from_utf8_lossy(value.get(..200).unwrap_or(value)).to_ascii_lowercase();
    // Quotes, comments, parameters and misspellings around the word are tolerated.
    if value.contains("base64") || value.contains("base-64") {
        Encoding::Base64
    } else if value.contains("quoted") {
        Encoding::QuotedPrintable
    } else if value.contains("uue") || value.trim() == "uu" {
        Encoding::Uuencode
    } else if value.is_empty() || value.contains("bit") || value.contains("binary") {
        Encoding::Identity
    } else {
        Encoding::Unknown
    }
}

/// Decodes `range` of `parent`: the likeliest reading first.
pub(super) fn readings(parent: &Bytes, range: Range<usize>, encoding: Encoding) -> Vec<Reading> {
    let raw = parent.slice(range);
    match encoding {
        Encoding::Identity => vec![Reading::of(raw)],
        Encoding::QuotedPrintable => vec![Reading::of(quoted_printable::decode(&raw).data)],
        Encoding::Base64 => base64_readings(&raw),
        Encoding::Uuencode => match uuencode::next(&raw, 0) {
            Some(block) => vec![Reading {
                name: Some(block.name),
                ..Reading::of(block.data)
            }],
            None => vec![Reading::of(raw)],
        },
        // `x-gzip64` and the like: base64 of something compressed.
        Encoding::Unknown => {
            let mut readings = vec![Reading::of(raw.clone())];
            if looks_like_base64(&raw) {
                readings.extend(base64_readings(&raw));
            }
            readings
        }
    }
}

/// Readers differ on `-` and `_`, on what follows padding, and on text that is no base64 at all.
fn base64_readings(raw: &Bytes) -> Vec<Reading> {
    let url_safe = memchr::memchr2(b'-', b'_', raw).is_some();
    let decoded = if url_safe {
        let standard: Vec<u8> = raw
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'-' | b'_'))
            .collect();
        base64::decode(&standard)
    } else {
        base64::decode(raw)
    };
    let mut odd = None;
    if decoded.junk > 0 {
        odd = Some(format!(
            "base64 with {} characters that do not belong there",
            decoded.junk
        ));
    }
    if decoded.after_padding.is_some() {
        odd = Some("base64 goes on behind its padding".to_owned());
    }
    let mostly_junk = decoded.junk >= 8 && decoded.junk.saturating_mul(10) > raw.len()
        || raw
            .split(|byte| *byte == b'\n')
            .next()
            .is_some_and(|line| field_name(line).is_some());
    let data = Bytes::from(decoded.data);
    let prefix = decoded
        .after_padding
        .map(|at| data.slice(..at.min(data.len())));
    let mut readings = vec![Reading {
        odd,
        ..Reading::of(data)
    }];
    readings.extend(prefix.map(Reading::of));
    if url_safe {
        readings.push(Reading::of(base64::decode(raw).data));
    }
    if mostly_junk {
        // The label is wrong: the text as it stands is the likelier reading.
        readings.insert(0, Reading::of(raw.clone()));
    }
    readings
}

/// Whether the head of a text is of the alphabet of base64 in lines.
fn looks_like_base64(raw: &[u8]) -> bool {
    let head = raw.get(..400).unwrap_or(raw);
    let text = head.iter().filter(|byte| !byte.is_ascii_whitespace());
    let all = text
        .clone()
        .all(|&byte| base64::is_base64(byte) || byte == b'=');
    all && text.count() >= 16 && !head.contains(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(raw: &'static [u8], encoding: Encoding) -> Vec<Vec<u8>> {
        let parent = Bytes::from_static(raw);
        readings(&parent, 0..raw.len(), encoding)
            .into_iter()
            .map(|reading| reading.data.to_vec())
            .collect()
    }

    #[test]
    fn base64_has_as_many_readings_as_readers_differ() {
        assert_eq!(decoded(b"SGk=", Encoding::Base64), [b"Hi"]);
        assert_eq!(decoded(b"S*Gk=", Encoding::Base64), [b"Hi"]);
        assert_eq!(
            decoded(b"SGk=SGk=", Encoding::Base64),
            [b"HiHi".to_vec(), b"Hi".to_vec()]
        );
        assert_eq!(
            decoded(b"SG-kSGk=", Encoding::Base64)[0],
            base64::decode(b"SGkSGk=").data
        );
        assert_eq!(
            decoded(b"not (base64) {at} [all]! <really>.", Encoding::Base64)[0],
            b"not (base64) {at} [all]! <really>."
        );
    }

    #[test]
    fn labels_are_read_leniently() {
        for label in [
            "BASE64",
            " base64 ",
            "\"base64\"",
            "base64; x=y",
            "(c) base64",
        ] {
            assert_eq!(encoding(label.as_bytes()), Encoding::Base64, "{label}");
        }
        assert_eq!(encoding(b"x-uuencode"), Encoding::Uuencode);
        assert_eq!(encoding(b"7bit"), Encoding::Identity);
        assert_eq!(encoding(b"mystery"), Encoding::Unknown);
    }

    #[test]
    fn an_unknown_encoding_is_tried_as_base64() {
        let all = decoded(b"SGVsbG8gd29ybGQhIQ==", Encoding::Unknown);
        assert_eq!(all.last().unwrap(), b"Hello world!!");
        assert_eq!(all.len(), 2);
    }
}
