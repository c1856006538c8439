//! Signed, compressed and encrypted messages (CMS, RFC 5652) in BER with definite and indefinite lengths.
//!
//! Only the way to the content is read; signatures, certificates and recipients are not.

use std::ops::Range;

use crate::bytes::{Short, index, slice};

/// What a message holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Plain content in pieces, in their order.
    Plain(Vec<Range<usize>>),
    /// Content compressed by zlib (RFC 3274), in pieces.
    Compressed(Vec<Range<usize>>),
    /// Content that only its recipients read, and how it is encrypted.
    Encrypted(String),
    /// None: a signature that stands apart from what it signs, or certificates alone.
    Detached,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its content.
    pub content: Content,
    /// Whether a length leads out of what is there.
    pub cut: bool,
}

const OCTETS: u8 = 0x04;
const OCTETS_IN_PIECES: u8 = 0x24;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const CONTEXT_0: u8 = 0xa0;

/// 1.2.840.113549.1.7 and 1.2.840.113549.1.9.16.1, without their last numbers.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
const SMIME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01];

/// Ciphers by their object identifiers (RFC 3565, RFC 5084, RFC 3370, RFC 3217).
#[rustfmt::skip]
const CIPHERS: &[(&[u8], &str)] = &[
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x02], "AES-128-CBC"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x16], "AES-192-CBC"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a], "AES-256-CBC"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x06], "AES-128-GCM"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x1a], "AES-192-GCM"),
    (&[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2e], "AES-256-GCM"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x07], "3DES"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x03, 0x02], "RC2"),
    (&[0x2b, 0x0e, 0x03, 0x02, 0x07], "DES"),
];

/// Elements in a row that are passed over at one place, and pieces of a content.
const ELEMENTS: usize = 1 << 20;

/// Reads a message. Fails where the bytes are none.
pub fn read(data: &[u8]) -> Result<Message, Short> {
    let whole = Walk { data };
    let wrong = |field: &'static str| Short {
        field,
        expected: 2,
        found: 0,
        offset: 0,
    };
    let outer = whole
        .element(0..data.len())
        .filter(|element| element.tag == SEQUENCE)
        .ok_or(wrong("ContentInfo"))?;
    let content_type = whole
        .element(outer.content.clone())
        .filter(|element| element.tag == OID)
        .ok_or(wrong("contentType"))?;
    let oid = data.get(content_type.content.clone()).unwrap_or_default();
    let holder = whole
        .element(content_type.end..outer.content.end)
        .filter(|element| element.tag == CONTEXT_0)
        .ok_or(wrong("content"))?;
    let inside = whole.element(holder.content.clone());
    let content = match (oid.strip_prefix(PKCS7), oid.strip_prefix(SMIME)) {
        (Some([1]), _) => Content::Plain(whole.octets(holder.content.clone())),
        (Some([3 | 4 | 6]), _) | (_, Some([23])) => {
            let body = inside.ok_or(wrong("EnvelopedData"))?;
            Content::Encrypted(whole.cipher(body.content))
        }
        (_, Some([9])) => match inside.and_then(|body| whole.encapsulated(body.content)) {
            Some(content) => Content::Compressed(whole.octets(content)),
            None => Content::Detached,
        },
        _ => match inside.and_then(|body| whole.encapsulated(body.content)) {
            Some(content) => Content::Plain(whole.octets(content)),
            None => Content::Detached,
        },
    };
    Ok(Message {
        content,
        cut: outer.cut,
    })
}

/// An element of BER.
#[derive(Debug, Clone)]
struct Element {
    tag: u8,
    content: Range<usize>,
    /// Where the next one starts.
    end: usize,
    cut: bool,
}

struct Walk<'a> {
    data: &'a [u8],
}

impl Walk<'_> {
    /// Tag, start of the content, and its length; none for an indefinite one.
    fn header(&self, at: usize) -> Option<(u8, usize, Option<usize>)> {
        let head = self.data.get(at..)?;
        let (&tag, rest) = head.split_first()?;
        let &first = rest.first()?;
        let start = at.checked_add(2)?;
        match first {
            0..=0x7f => Some((tag, start, Some(usize::from(first)))),
            0x80 => Some((tag, start, None)),
            0x81..=0x88 => {
                let count = usize::from(first & 0x7f);
                let bytes = slice(self.data, start, count)?;
                let len = bytes
                    .iter()
                    .fold(0u64, |len, byte| len << 8 | u64::from(*byte));
                Some((tag, start.checked_add(count)?, Some(index(len))))
            }
            _ => None,
        }
    }

    /// The element that a range starts with, cut to the range.
    fn element(&self, range: Range<usize>) -> Option<Element> {
        if range.is_empty() {
            return None;
        }
        let (tag, start, len) = self.header(range.start)?;
        if start > range.end {
            return None;
        }
        let Some(len) = len else {
            let (content_end, end) = self.end_of_contents(start, range.end);
            return Some(Element {
                tag,
                content: start..content_end,
                end: end.unwrap_or(range.end),
                cut: end.is_none(),
            });
        };
        let end = start.saturating_add(len);
        Some(Element {
            tag,
            content: start..end.min(range.end),
            end: end.min(range.end),
            cut: end > range.end,
        })
    }

    /// Where an indefinite content ends, and where what follows its mark starts; none where the mark is missing.
    fn end_of_contents(&self, start: usize, limit: usize) -> (usize, Option<usize>) {
        let mut at = start;
        let mut depth = 0usize;
        for _ in 0..ELEMENTS {
            let Some((tag, content, len)) = self.header(at).filter(|_| at < limit) else {
                break;
            };
            match (tag, len) {
                (0, Some(0)) => {
                    let Some(above) = depth.checked_sub(1) else {
                        return (at, Some(content.min(limit)));
                    };
                    depth = above;
                    at = content;
                }
                (_, None) => {
                    depth = depth.saturating_add(1);
                    at = content;
                }
                (_, Some(len)) => at = content.saturating_add(len),
            }
        }
        (limit, None)
    }

    /// The elements in a row in a range.
    fn row(&self, range: Range<usize>) -> impl Iterator<Item = Element> + '_ {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let element = self.element(at..range.end)?;
            at = element.end.max(at.saturating_add(1));
            Some(element)
        })
        .take(ELEMENTS)
    }

    /// The content of the `[0]` in the EncapsulatedContentInfo (5.2) among the parts of a body.
    fn encapsulated(&self, body: Range<usize>) -> Option<Range<usize>> {
        let held = |part: Element| {
            let mut inside = self.row(part.content);
            let content_type = inside.next().filter(|element| element.tag == OID);
            let content = inside.next().filter(|element| element.tag == CONTEXT_0);
            content_type.and(content).map(|element| element.content)
        };
        self.row(body)
            .take(6)
            .filter(|part| part.tag == SEQUENCE)
            .find_map(held)
    }

    /// The bytes of an octet string in pieces; what is none is given as it is, as PKCS #7 1.5 has it.
    fn octets(&self, range: Range<usize>) -> Vec<Range<usize>> {
        let Some(first) = self.element(range.clone()) else {
            return Vec::new();
        };
        if !matches!(first.tag, OCTETS | OCTETS_IN_PIECES) {
            return vec![range];
        }
        let mut pieces = Vec::new();
        let mut waiting = vec![range];
        // Ends because every piece lies behind the one before it or inside it.
        while let Some(range) = waiting.pop() {
            let Some(element) = self.element(range.clone()) else {
                continue;
            };
            if pieces.len() >= ELEMENTS {
                break;
            }
            waiting.push(element.end.max(range.start.saturating_add(1))..range.end);
            match element.tag {
                OCTETS => pieces.push(element.content),
                OCTETS_IN_PIECES if waiting.len() < 32 => waiting.push(element.content),
                _ => {}
            }
        }
        pieces
    }

    /// The cipher of the EncryptedContentInfo (6.1) among the parts of a body.
    fn cipher(&self, body: Range<usize>) -> String {
        let algorithm = |part: Element| {
            let mut inside = self.row(part.content);
            inside.next().filter(|element| element.tag == OID)?;
            let algorithm = inside.next().filter(|element| element.tag == SEQUENCE)?;
            let oid = self
                .element(algorithm.content)
                .filter(|element| element.tag == OID)?;
            let oid = self.data.get(oid.content)?;
            let known = CIPHERS.iter().find(|(known, _)| *known == oid);
            Some(
                known.map_or("S/MIME, unknown cipher".to_owned(), |(_, name)| {
                    format!("S/MIME, {name}")
                }),
            )
        };
        self.row(body)
            .take(8)
            .filter(|part| part.tag == SEQUENCE)
            .find_map(algorithm)
            .unwrap_or_else(|| "S/MIME".to_owned())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const INTEGER: u8 = 0x02;

    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let len = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], &len[..], &content].concat()
    }

    fn open(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        [&[tag, 0x80], parts.concat().as_slice(), &[0, 0]].concat()
    }

    /// A signed message around octets; `of` makes its constructed elements.
    pub(crate) fn signed(octets: &[u8], indefinite: bool) -> Vec<u8> {
        let of = if indefinite { open } else { tlv };
        let oid = |last: u8| tlv(OID, &[PKCS7, &[last]]);
        let body = of(
            SEQUENCE,
            &[
                &tlv(INTEGER, &[&[1]]),
                &tlv(0x31, &[b"\x30\x00"]),
                &of(SEQUENCE, &[&oid(1), &of(CONTEXT_0, &[octets])]),
                &tlv(0x31, &[]),
            ],
        );
        of(SEQUENCE, &[&oid(2), &of(CONTEXT_0, &[&body])])
    }

    pub(crate) fn octets(content: &[u8]) -> Vec<u8> {
        tlv(OCTETS, &[content])
    }

    /// An enveloped message for AES-256-CBC.
    pub(crate) fn enveloped() -> Vec<u8> {
        let oid = |last: u8| tlv(OID, &[PKCS7, &[last]]);
        let algorithm = tlv(SEQUENCE, &[&tlv(OID, &[CIPHERS[2].0])]);
        let info = tlv(SEQUENCE, &[&oid(1), &algorithm, &tlv(0x80, &[b"secret"])]);
        let body = tlv(
            SEQUENCE,
            &[&tlv(INTEGER, &[&[0]]), &tlv(0x31, &[b"\x30\x00"]), &info],
        );
        tlv(SEQUENCE, &[&oid(3), &tlv(CONTEXT_0, &[&body])])
    }

    fn plain(data: &[u8]) -> Vec<u8> {
        match read(data).unwrap().content {
            Content::Plain(pieces) => pieces.into_iter().flat_map(|p| data[p].to_vec()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn signed_content_is_read_in_either_form_of_length() {
        let whole = octets(b"Hello");
        let pieces = open(
            OCTETS_IN_PIECES,
            &[
                &octets(b"Hel"),
                &open(OCTETS_IN_PIECES, &[&octets(b"l")]),
                &octets(b"o"),
            ],
        );
        for indefinite in [false, true] {
            for content in [&whole, &pieces] {
                assert_eq!(plain(&signed(content, indefinite)), b"Hello");
            }
        }
    }

    #[test]
    fn encrypted_content_tells_its_cipher_and_a_signature_alone_holds_nothing() {
        assert_eq!(
            read(&enveloped()).unwrap().content,
            Content::Encrypted("S/MIME, AES-256-CBC".to_owned())
        );
        assert_eq!(
            read(&signed(&[], false)).unwrap().content,
            Content::Plain(vec![])
        );
    }

    #[test]
    fn a_cut_message_gives_what_is_there() {
        let data = signed(&octets(b"Hello, this is the content"), false);
        let at = memchr::memmem::find(&data, b"this").unwrap();
        let cut = &data[..at];
        let message = read(cut).unwrap();
        assert!(message.cut);
        assert_eq!(plain(cut), b"Hello, ");
        assert!(read(b"\x30").is_err());
    }
}
