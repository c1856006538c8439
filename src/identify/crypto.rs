//! Signed and encrypted messages (CMS, RFC 5652), certificates (X.509, PKCS #12), OpenPGP packets (RFC 4880).
//!
//! Only as much of ASN.1 is read as tells the kinds apart.

use crate::bytes::{index, slice};
use crate::model::Kind;

/// An element of BER: its tag, and its content as far as it is there.
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    rest: &'a [u8],
}

/// The element that `data` starts with; one of indefinite length takes all that is left.
fn element(data: &[u8]) -> Option<Element<'_>> {
    let (&tag, rest) = data.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (len, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x80 => (rest.len(), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let len = bytes
                .iter()
                .fold(0u64, |len, byte| len << 8 | u64::from(*byte));
            (index(len), rest)
        }
        _ => return None,
    };
    let cut = len.min(rest.len());
    let (content, rest) = rest.split_at_checked(cut)?;
    Some(Element { tag, content, rest })
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const CONTEXT_0: u8 = 0xa0;

/// 1.2.840.113549.1.7, the content types of PKCS #7, without its last number.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
/// 1.2.840.113549.1.9.16.1, the content types of S/MIME, without its last number.
const SMIME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01];

/// Tells what a DER or BER structure or an OpenPGP packet is.
pub(super) fn identify(data: &[u8]) -> Option<Kind> {
    match data.first()? {
        0x30 => asn1(data),
        0x84 | 0x85 | 0x8c | 0xc1 | 0xc3 | 0xa3 => pgp(data),
        _ => None,
    }
}

fn asn1(data: &[u8]) -> Option<Kind> {
    let outer = element(data)?;
    let first = element(outer.content)?;
    match first.tag {
        OID => {
            let content = element(first.rest).filter(|content| content.tag == CONTEXT_0);
            match (
                first.content.strip_prefix(PKCS7),
                first.content.strip_prefix(SMIME),
            ) {
                (Some([2]), _) => Some(signed(content?.content)),
                (Some([1 | 3..=6]), _) | (_, Some([9 | 23])) => Some(Kind::P7m),
                _ => None,
            }
        }
        // PKCS #12: version 3 and content.
        INTEGER if first.content == [3] && element(first.rest)?.tag == SEQUENCE => {
            let content = element(element(first.rest)?.content)?;
            (content.tag == OID && content.content.starts_with(PKCS7)).then_some(Kind::Cert)
        }
        // X.509: the part to be signed, with a version or a serial number in front, then the algorithm.
        SEQUENCE => {
            let inner = element(first.content)?;
            let number = match inner.tag {
                CONTEXT_0 => element(inner.rest)?.tag == INTEGER,
                INTEGER => true,
                _ => false,
            };
            let algorithm = element(first.rest);
            let signed = algorithm.is_none_or(|algorithm| algorithm.tag == SEQUENCE);
            (number && signed && outer.content.len() > 64).then_some(Kind::Cert)
        }
        _ => None,
    }
}

/// SignedData (RFC 5652 5.1): with its content inside it is a message, without signers it carries certificates only.
fn signed(data: &[u8]) -> Kind {
    let parts = || -> Option<(bool, bool)> {
        let body = element(data).filter(|body| body.tag == SEQUENCE)?;
        let version = element(body.content).filter(|part| part.tag == INTEGER)?;
        let digests = element(version.rest).filter(|part| part.tag == SET)?;
        let content = element(digests.rest).filter(|part| part.tag == SEQUENCE)?;
        let oid = element(content.content)?;
        let holds = element(oid.rest)
            .is_some_and(|content| content.tag == CONTEXT_0 && !content.content.is_empty());
        Some((holds, !digests.content.is_empty()))
    };
    match parts() {
        Some((true, _)) | None => Kind::P7m,
        Some((false, true)) => Kind::P7s,
        Some((false, false)) => Kind::Cert,
    }
}

/// A session key packet in front: version 3 for a public key, version 4 for a password.
fn pgp(data: &[u8]) -> Option<Kind> {
    let version = match data.first()? {
        0x84 | 0x8c => *data.get(2)?,
        0x85 => *data.get(3)?,
        0xc1 => *data.get(if *data.get(1)? >= 192 { 3 } else { 2 })?,
        0xc3 => *data.get(2)?,
        _ => return None,
    };
    let expected = match data.first()? {
        0x84 | 0x85 | 0xc1 => version == 3,
        _ => {
            version == 4
                && matches!(slice(data, 3, 1), Some([1..=13]))
                && matches!(slice(data, 4, 1), Some([0 | 1 | 3]))
        }
    };
    (expected && data.len() > 32).then_some(Kind::Pgp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let len = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &len[..], &content].concat()
    }

    fn signed_data(content: &[u8], digest: &[u8]) -> Vec<u8> {
        let oid = |last: u8| tlv(OID, &[PKCS7, &[last]]);
        let body = tlv(
            SEQUENCE,
            &[
                &tlv(INTEGER, &[&[1]]),
                &tlv(SET, &[digest]),
                &tlv(SEQUENCE, &[&oid(1), content]),
            ],
        );
        tlv(SEQUENCE, &[&oid(2), &tlv(CONTEXT_0, &[&body])])
    }

    #[test]
    fn a_signature_is_told_from_a_signed_message() {
        assert_eq!(identify(&signed_data(&[], b"\x30\x00")), Some(Kind::P7s));
        assert_eq!(
            identify(&signed_data(&tlv(CONTEXT_0, &[b"\x04\x01a"]), b"\x30\x00")),
            Some(Kind::P7m)
        );
        assert_eq!(identify(&signed_data(&[], &[])), Some(Kind::Cert));
        let enveloped = tlv(
            SEQUENCE,
            &[&tlv(OID, &[PKCS7, &[3]]), &tlv(CONTEXT_0, &[b"x"])],
        );
        assert_eq!(identify(&enveloped), Some(Kind::P7m));
        let other = tlv(SEQUENCE, &[&tlv(OID, &[&[1, 2, 3]])]);
        assert_eq!(identify(&other), None);
    }

    #[test]
    fn text_that_starts_with_a_digit_is_no_asn1() {
        assert_eq!(
            identify(b"0 apples and 12 pears, 0 plums and 3 figs, and nothing else at all."),
            None
        );
        assert_eq!(identify(b"0\x82\xff"), None);
    }

    #[test]
    fn session_key_packets_are_pgp() {
        let mut packet = vec![0x85, 0x01, 0x0c, 0x03];
        packet.extend([9; 64]);
        assert_eq!(identify(&packet), Some(Kind::Pgp));
        packet[3] = 9;
        assert_eq!(identify(&packet), None);
    }
}
