//! Plain text that is edited as characters and written in the charset that it came in, byte for byte where nothing
//! changed: a text whose bytes do not come back from its characters is refused.

use bytes::Bytes;
use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::Refusal;
use crate::limits::Budget;
use crate::text::{self, Charset};

/// A text and how it was written.
#[derive(Debug)]
pub(super) struct Plain<'a> {
    /// The text behind its byte order mark.
    pub(super) text: String,
    charset: Charset,
    mark: &'a [u8],
}

impl<'a> Plain<'a> {
    /// Reads a text of any plausible charset.
    pub(super) fn read(data: &'a [u8], budget: &Budget) -> Result<Self, Refusal> {
        budget.spend(data.len()).map_err(Refusal::Limit)?;
        let charset = text::sniff(data).unwrap_or(Charset {
            encoding: WINDOWS_1252,
            mark: 0,
        });
        let mark = data.get(..charset.mark).unwrap_or_default();
        let body = data.get(charset.mark..).unwrap_or_default();
        let (decoded, _) = charset.encoding.decode_without_bom_handling(body);
        let plain = Self {
            text: decoded.into_owned(),
            charset,
            mark,
        };
        match plain.written(&plain.text) == data {
            true => Ok(plain),
            false => Err(Refusal::Broken(format!(
                "its text is no clean {}",
                charset.encoding.name()
            ))),
        }
    }

    /// Whether characters are wider than a byte even where they are ASCII.
    pub(super) fn is_wide(data: &[u8]) -> bool {
        let charset = text::sniff(data);
        charset.is_some_and(|one| one.encoding == UTF_16LE || one.encoding == UTF_16BE)
    }

    /// An edited text as bytes.
    pub(super) fn written(&self, edited: &str) -> Bytes {
        let encoding = self.charset.encoding;
        let units = |bytes: fn(u16) -> [u8; 2]| edited.encode_utf16().flat_map(bytes).collect();
        let body: Vec<u8> = match () {
            () if encoding == UTF_8 => edited.as_bytes().to_vec(),
            () if encoding == UTF_16LE => units(u16::to_le_bytes),
            () if encoding == UTF_16BE => units(u16::to_be_bytes),
            () => encoding.encode(edited).0.into_owned(),
        };
        [self.mark, &body].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn texts_come_back_in_their_charset() {
        let budget = Budget::new(Limits::default(), None);
        let wide: Vec<u8> = "\u{feff}a,日本\r\n"
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect();
        let japanese = encoding_rs::SHIFT_JIS
            .encode("品名,数量,価格の一覧表です\r\n")
            .0;
        for data in [wide.as_slice(), &japanese, b"\xef\xbb\xbfa,b\n", b"a,b"] {
            let plain = Plain::read(data, &budget).unwrap();
            assert_eq!(plain.written(&plain.text), data);
        }
        let odd = Plain::read(b"\xff\xfea\0b", &budget);
        assert!(odd.is_err(), "{odd:?}");
    }
}
