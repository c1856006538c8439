//! Signatures of macro projects: DigSigInfoSerialized ([MS-OSHARED] 2.3.2.1) with a PKCS #7 message (RFC 2315) that
//! signs the digest of the project ([MS-OVBA] 2.4.2).
//!
//! A signature is only told of where it holds: the digest that is signed, the attributes, and the RSA signature by the
//! certificate's own key. Whom the certificate belongs to, who issued it and until when it is good is nobody's question
//! here: a certificate is known by its hash, or it is not. Agile and V3 signatures sign a SHA-256 in a record of its own
//! (SigDataV1Serialized, [MS-OSHARED] 2.3.2.4.3.4). Other digests are not read, nor keys other than RSA.

use md5::Md5;
use rsa::pkcs8::DecodePublicKey as _;
use rsa::{Pkcs1v15Sign, RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::signed::Contents;
use crate::bytes::{index, slice, u16_at, u32_at};

/// Certificates of one message that are tried.
const CERTIFICATES: usize = 8;

/// Attributes of one signature that are read.
const ATTRIBUTES: usize = 32;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const OID: u8 = 0x06;
const CONTEXT_0: u8 = 0xa0;

/// 1.2.840.113549.1.7.2, signedData.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.3.6.1.4.1.311.2.1.4, SpcIndirectDataContent.
const INDIRECT_DATA: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x04];
/// 1.3.6.1.4.1.311.2.1.31, SigFormatDescriptorV1: the data of Agile and V3 signatures.
const FORMAT_V1: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x01, 0x1f];
/// 1.2.840.113549.1.9.3 and .4, contentType and messageDigest.
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.1, PKCS #1 without its last number: 1 is the key alone, the others name a digest too.
const PKCS1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const PKCS1_V15: &[u8] = &[1, 4, 5, 11, 12, 13];

/// A signature that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// SHA-256 over the certificate of who signed.
    pub signer: [u8; 32],
    /// The digest of the project that is signed.
    pub content: Content,
}

/// A digest that is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// MD5, by the oldest kind.
    Legacy([u8; 16]),
    /// SHA-256, by Agile and V3 signatures.
    Newer([u8; 32]),
}

impl Content {
    /// Whether it is the digest of a project.
    pub fn is_of(&self, project: &Contents) -> bool {
        match self {
            Self::Legacy(md5) => project.legacy == *md5,
            Self::Newer(sha256) => project.newer.contains(sha256),
        }
    }
}

/// Whether bytes look like a signature: for those that have no type.
pub fn is_signature(part: &[u8]) -> bool {
    // The message stands right behind the fixed fields; offsets count from eight bytes before them.
    u32_at(part, 4) == Some(44) && u16_at(part, 36) == Some(0x8230)
}

/// Reads a signature; none where it does not hold.
pub fn read(part: &[u8]) -> Option<Signature> {
    let len = index(u32_at(part, 0)?);
    let at = index(u32_at(part, 4)?).checked_sub(8)?;
    verify(slice(part, at, len)?)
}

/// The signature in the stream `\x05DocumentSummaryInformation` of a binary document: a blob in its property 0x18
/// (2.3.3.2.2.1), which is a DigSigBlob (2.3.2.2).
pub fn in_summary(stream: &[u8]) -> Option<&[u8]> {
    const PROPERTIES: u32 = 256;
    // Property sets ([MS-OLEPS] 2.21): the first section is the one of documents.
    let section = stream.get(index(u32_at(stream, 44)?)..)?;
    let count = u32_at(section, 4)?.min(PROPERTIES);
    let mut pairs = (0..index(count)).filter_map(|at| {
        let at = at.checked_mul(8)?.checked_add(8)?;
        Some((u32_at(section, at)?, u32_at(section, at.checked_add(4)?)?))
    });
    let (_, at) = pairs.find(|(id, _)| *id == 0x18)?;
    let value = section.get(index(at)..)?;
    let blob = slice(value, 8, index(u32_at(value, 4)?))?;
    let info = blob.get(index(u32_at(blob, 4)?)..)?;
    (u16_at(value, 0) == Some(0x41) && is_signature(info)).then_some(info)
}

/// A digest by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    fn of(oid: &[u8]) -> Option<Self> {
        Some(match oid {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05] => Self::Md5,
            [0x2b, 0x0e, 0x03, 0x02, 0x1a] => Self::Sha1,
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01] => Self::Sha256,
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02] => Self::Sha384,
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03] => Self::Sha512,
            _ => return None,
        })
    }

    fn digest(self, data: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(data).to_vec(),
            Self::Sha1 => Sha1::digest(data).to_vec(),
            Self::Sha256 => Sha256::digest(data).to_vec(),
            Self::Sha384 => Sha384::digest(data).to_vec(),
            Self::Sha512 => Sha512::digest(data).to_vec(),
        }
    }

    /// DigestInfo (RFC 8017, 9.2) up to the digest.
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Md5 => &[
                0x30, 0x20, 0x30, 0x0c, 0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05,
                0x05, 0x00, 0x04, 0x10,
            ],
            Self::Sha1 => &[
                0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04,
                0x14,
            ],
            Self::Sha256 => &[
                0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                0x01, 0x05, 0x00, 0x04, 0x20,
            ],
            Self::Sha384 => &[
                0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                0x02, 0x05, 0x00, 0x04, 0x30,
            ],
            Self::Sha512 => &[
                0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02,
                0x03, 0x05, 0x00, 0x04, 0x40,
            ],
        }
    }
}

/// An element of DER: its tag, its content, and all of it.
#[derive(Debug, Clone, Copy)]
struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    whole: &'a [u8],
}

/// The way through the elements of a content.
#[derive(Debug, Clone, Copy)]
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The next element, of definite length only.
    fn next(&mut self) -> Option<Element<'a>> {
        let [tag, first, ..] = self.0 else {
            return None;
        };
        // Tags of several bytes stand nowhere on the way.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (head, len) = match first {
            0..=0x7f => (2usize, usize::from(*first)),
            0x81..=0x84 => {
                let bytes = usize::from(first & 0x7f);
                let len = self.0.get(2..bytes.checked_add(2)?)?;
                let number = len
                    .iter()
                    .fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte));
                (bytes.checked_add(2)?, usize::try_from(number).ok()?)
            }
            _ => return None,
        };
        let end = head.checked_add(len)?;
        let element = Element {
            tag: *tag,
            content: self.0.get(head..end)?,
            whole: self.0.get(..end)?,
        };
        self.0 = self.0.get(end..)?;
        Some(element)
    }

    /// The next element, which has this tag.
    fn take(&mut self, tag: u8) -> Option<Element<'a>> {
        self.next().filter(|element| element.tag == tag)
    }

    /// The next element where it has this tag; else nothing is passed over.
    fn maybe(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.take(tag)?;
        *self = ahead;
        Some(element)
    }
}

impl<'a> Element<'a> {
    fn inside(self) -> Elements<'a> {
        Elements(self.content)
    }

    /// The object identifier at its start.
    fn oid(self) -> Option<&'a [u8]> {
        self.inside().take(OID).map(|oid| oid.content)
    }
}

/// Reads a message of PKCS #7 and what it signs.
fn verify(message: &[u8]) -> Option<Signature> {
    let mut info = Elements(message).take(SEQUENCE)?.inside();
    info.take(OID).filter(|oid| oid.content == SIGNED_DATA)?;
    let mut signed = info.take(CONTEXT_0)?.inside().take(SEQUENCE)?.inside();
    signed.take(INTEGER)?;
    signed.take(SET)?;
    let mut encapsulated = signed.take(SEQUENCE)?.inside();
    encapsulated
        .take(OID)
        .filter(|oid| oid.content == INDIRECT_DATA)?;
    let indirect = encapsulated.take(CONTEXT_0)?.inside().take(SEQUENCE)?;
    let content = signed_digest(indirect)?;
    let certificates = signed.take(CONTEXT_0)?;
    // Lists of what is revoked.
    signed.maybe(0xa1);
    let mut signers = signed.take(SET)?.inside();
    let signer = SignerInfo::read(signers.take(SEQUENCE)?)?;
    // A second signer would leave it open whose signature it is.
    if signers.next().is_some() {
        return None;
    }
    let text = signer.text(indirect.content)?;
    let mut certificates = certificates.inside();
    let mut tried = 0usize;
    // Ends because each turn takes an element, and after some of the right name.
    while let Some(certificate) = certificates.next() {
        let Some(key) = signer.key_of(certificate) else {
            continue;
        };
        tried = tried.saturating_add(1);
        if signer.holds(key, &text) {
            return Some(Signature {
                signer: Sha256::digest(certificate.whole).into(),
                content,
            });
        }
        if tried >= CERTIFICATES {
            break;
        }
    }
    None
}

/// The digest of the project in SpcIndirectDataContent, or SpcIndirectDataContentV2.
fn signed_digest(indirect: Element<'_>) -> Option<Content> {
    let mut inside = indirect.inside();
    let kind = inside.take(SEQUENCE)?.oid();
    let mut digest = inside.take(SEQUENCE)?.inside();
    let algorithm = Algorithm::of(digest.take(SEQUENCE)?.oid()?)?;
    let value = digest.take(OCTETS)?.content;
    match (kind == Some(FORMAT_V1), algorithm) {
        (false, Algorithm::Md5) => Some(Content::Legacy(value.try_into().ok()?)),
        (true, Algorithm::Sha256) => source_hash(value).map(Content::Newer),
        _ => None,
    }
}

/// The digest over the sources in SigDataV1Serialized, which names its algorithm in words.
fn source_hash(data: &[u8]) -> Option<[u8; 32]> {
    const SHA256: &[u8] = b"2.16.840.1.101.3.4.2.1";
    let field =
        |len: usize, at: usize| slice(data, index(u32_at(data, at)?), index(u32_at(data, len)?));
    let algorithm = field(0, 12)?;
    let algorithm = algorithm.strip_suffix(b"\0").unwrap_or(algorithm);
    (algorithm == SHA256).then_some(())?;
    field(8, 20)?.try_into().ok()
}

/// Who signed, and how.
struct SignerInfo<'a> {
    issuer: &'a [u8],
    serial: &'a [u8],
    algorithm: Algorithm,
    attributes: Option<Element<'a>>,
    signature: &'a [u8],
}

impl<'a> SignerInfo<'a> {
    fn read(element: Element<'a>) -> Option<Self> {
        let mut inside = element.inside();
        inside.take(INTEGER)?;
        let mut name = inside.take(SEQUENCE)?.inside();
        let issuer = name.take(SEQUENCE)?.whole;
        let serial = name.take(INTEGER)?.content;
        let algorithm = Algorithm::of(inside.take(SEQUENCE)?.oid()?)?;
        let attributes = inside.maybe(CONTEXT_0);
        let encryption = inside.take(SEQUENCE)?.oid()?;
        let method = encryption.strip_prefix(PKCS1)?;
        if !PKCS1_V15.iter().any(|known| method == [*known]) {
            return None;
        }
        Some(Self {
            issuer,
            serial,
            algorithm,
            attributes,
            signature: inside.take(OCTETS)?.content,
        })
    }

    /// The digest over what is signed: the attributes, which name type and digest of the content, or the content.
    fn text(&self, content: &[u8]) -> Option<Vec<u8>> {
        let digest = self.algorithm.digest(content);
        let Some(attributes) = self.attributes else {
            return Some(digest);
        };
        let (mut types, mut digests) = (0usize, 0usize);
        let mut inside = attributes.inside();
        for _ in 0..ATTRIBUTES {
            let Some(attribute) = inside.next() else {
                break;
            };
            let mut parts = attribute.inside();
            let oid = parts.take(OID)?.content;
            let value = parts.take(SET)?.inside().next()?;
            if oid == CONTENT_TYPE {
                types = types.checked_add(1)?;
                (value.tag == OID && value.content == INDIRECT_DATA).then_some(())?;
            } else if oid == MESSAGE_DIGEST {
                digests = digests.checked_add(1)?;
                (value.tag == OCTETS && value.content == digest).then_some(())?;
            }
        }
        if (types, digests) != (1, 1) || !inside.0.is_empty() {
            return None;
        }
        // They are signed as the set that they are (RFC 2315, 9.3).
        let rest = attributes.whole.get(1..)?;
        Some(self.algorithm.digest(&[&[SET], rest].concat()))
    }

    /// The key in a certificate, where that is the one that signed by its name.
    fn key_of<'c>(&self, certificate: Element<'c>) -> Option<&'c [u8]> {
        let mut parts = certificate.inside().take(SEQUENCE)?.inside();
        parts.maybe(CONTEXT_0);
        let serial = parts.take(INTEGER)?.content;
        parts.take(SEQUENCE)?;
        let issuer = parts.take(SEQUENCE)?.whole;
        parts.take(SEQUENCE)?;
        parts.take(SEQUENCE)?;
        let key = parts.take(SEQUENCE)?;
        let mut inside = key.inside();
        inside.take(SEQUENCE)?;
        inside.take(BITS)?;
        (serial == self.serial && issuer == self.issuer).then_some(key.whole)
    }

    /// Whether the signature is the one of a key. Keys above 8,192 bits are refused by the crate.
    fn holds(&self, key: &[u8], digest: &[u8]) -> bool {
        let text = [self.algorithm.prefix(), digest].concat();
        let key = RsaPublicKey::from_public_key_der(key);
        key.is_ok_and(|key| {
            key.verify(Pkcs1v15Sign::new_unprefixed(), &text, self.signature)
                .is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use rsa::RsaPrivateKey;
    use rsa::pkcs8::EncodePublicKey as _;

    use super::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let len = u16::try_from(content.len()).unwrap();
        [&[tag, 0x82], &len.to_be_bytes()[..], &content].concat()
    }

    fn key() -> RsaPrivateKey {
        // Small for the sake of time; the generator is the crate's own.
        let mut random = rsa::rand_core::UnwrapErr(getrandom::SysRng);
        RsaPrivateKey::new(&mut random, 1024).unwrap()
    }

    /// A certificate that only says whose key it is.
    fn certificate(key: &RsaPrivateKey, serial: &[u8]) -> Vec<u8> {
        let public = key.to_public_key().to_public_key_der().unwrap();
        let name = der(SEQUENCE, &[]);
        let body = [
            der(INTEGER, &[serial]),
            der(SEQUENCE, &[]),
            name.clone(),
            der(SEQUENCE, &[]),
            name,
            public.as_bytes().to_vec(),
        ];
        let body = der(SEQUENCE, &[&body.concat()]);
        der(
            SEQUENCE,
            &[&body, &der(SEQUENCE, &[]), &der(BITS, &[b"\0"])],
        )
    }

    const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
    const MD5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05];

    /// SigDataV1Serialized as Office writes it.
    fn serialized(sha256: &[u8]) -> Vec<u8> {
        let name = b"2.16.840.1.101.3.4.2.1\0";
        let numbers = [23u32, 0, 32, 24, 47, 47].map(u32::to_le_bytes);
        [&numbers.concat(), &name[..], sha256].concat()
    }

    /// A signature part over a digest, by a key, with these certificates; the digest in the attributes may be another.
    fn part(key: &RsaPrivateKey, certificates: &[Vec<u8>], content: Content, lie: bool) -> Vec<u8> {
        let oid = |oid: &[u8]| der(OID, &[oid]);
        let algorithm = |name: &[u8]| der(SEQUENCE, &[&oid(name)]);
        let (kind, name, content) = match content {
            Content::Legacy(md5) => (&[1][..], MD5, md5.to_vec()),
            Content::Newer(sha256) => (FORMAT_V1, SHA256, serialized(&sha256)),
        };
        let info = der(SEQUENCE, &[&algorithm(name), &der(OCTETS, &[&content])]);
        let indirect = [der(SEQUENCE, &[&oid(kind)]), info].concat();
        let attribute =
            |name: &[u8], value: Vec<u8>| der(SEQUENCE, &[&oid(name), &der(SET, &[&value])]);
        let mut digest = Sha256::digest(&indirect).to_vec();
        digest[0] ^= u8::from(lie);
        let attributes = [
            attribute(CONTENT_TYPE, oid(INDIRECT_DATA)),
            attribute(MESSAGE_DIGEST, der(OCTETS, &[&digest])),
        ];
        let signed = Sha256::digest(der(SET, &[&attributes.concat()]));
        let text = [Algorithm::Sha256.prefix(), &signed].concat();
        let signature = key.sign(Pkcs1v15Sign::new_unprefixed(), &text).unwrap();
        let name = [der(SEQUENCE, &[]), der(INTEGER, &[&[7]])].concat();
        let signer = [
            der(INTEGER, &[&[1]]),
            der(SEQUENCE, &[&name]),
            algorithm(SHA256),
            der(CONTEXT_0, &[&attributes.concat()]),
            algorithm(&[PKCS1, &[1]].concat()),
            der(OCTETS, &[&signature]),
        ];
        let indirect = der(SEQUENCE, &[&indirect]);
        let data = [
            der(INTEGER, &[&[1]]),
            der(SET, &[]),
            der(
                SEQUENCE,
                &[&oid(INDIRECT_DATA), &der(CONTEXT_0, &[&indirect])],
            ),
            der(CONTEXT_0, &[&certificates.concat()]),
            der(SET, &[&der(SEQUENCE, &[&signer.concat()])]),
        ];
        let data = der(SEQUENCE, &[&data.concat()]);
        let message = der(SEQUENCE, &[&oid(SIGNED_DATA), &der(CONTEXT_0, &[&data])]);
        let len = u32::try_from(message.len()).unwrap();
        let mut out = [len.to_le_bytes(), 44u32.to_le_bytes()].concat();
        out.resize(36, 0);
        out.extend(message);
        out
    }

    #[test]
    fn a_signature_holds_for_its_digest_and_the_key_of_its_certificate_only() {
        let (mine, other) = (key(), key());
        let content = Content::Legacy([9; 16]);
        let certificates = [certificate(&mine, &[7])];
        let good = part(&mine, &certificates, content, false);
        assert!(is_signature(&good));
        let wanted = Signature {
            signer: Sha256::digest(&certificates[0]).into(),
            content,
        };
        assert_eq!(read(&good), Some(wanted.clone()));
        // A copied certificate without its key; another name; another digest in the attributes.
        assert_eq!(read(&part(&other, &certificates, content, false)), None);
        assert_eq!(
            read(&part(&mine, &[certificate(&mine, &[8])], content, false)),
            None
        );
        assert_eq!(read(&part(&mine, &certificates, content, true)), None);
        // Beside a copied one, the certificate of who really signed is told.
        let both = [certificates[0].clone(), certificate(&other, &[7])];
        let told = read(&part(&other, &both, content, false)).unwrap();
        assert_ne!(told.signer, wanted.signer);
        // Any byte of the message that is changed breaks it, or is no part of what is signed and changes nothing.
        for at in 36..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            let told = read(&damaged);
            assert!(
                told.is_none()
                    || told == Some(wanted.clone())
                    || told.unwrap().signer != wanted.signer,
                "{at}"
            );
        }
    }

    #[test]
    fn a_newer_signature_signs_a_digest_in_a_record_of_its_own() {
        let mine = key();
        let certificates = [certificate(&mine, &[7])];
        let content = Content::Newer([5; 32]);
        let good = part(&mine, &certificates, content, false);
        assert_eq!(read(&good).map(|told| told.content), Some(content));
        assert_eq!(read(&part(&mine, &certificates, content, true)), None);
        let data = serialized(&[5; 32]);
        assert_eq!(source_hash(&data), Some([5; 32]));
        for (at, value) in [(8, 31), (20, 48), (45, b'2'), (0, 21)] {
            let mut odd = data.clone();
            odd[at] = value;
            assert_eq!(source_hash(&odd), None, "{at}");
        }
        // Neither kind passes for the other.
        let project = Contents {
            legacy: [9; 16],
            newer: vec![[5; 32]],
        };
        assert!(content.is_of(&project) && Content::Legacy([9; 16]).is_of(&project));
        assert!(!Content::Newer([9; 32]).is_of(&project));
    }

    #[test]
    fn a_summary_holds_a_signature_in_a_blob() {
        let info = part(&key(), &[], Content::Legacy([0; 16]), false);
        let blob = [&[0; 4][..], &8u32.to_le_bytes(), &info].concat();
        let len = u32::try_from(blob.len()).unwrap();
        let mut stream = vec![0; 48];
        stream[44] = 48;
        stream.extend(
            [0u32, 1, 0x18, 16]
                .iter()
                .flat_map(|number| number.to_le_bytes()),
        );
        stream.extend([&0x41u32.to_le_bytes()[..], &len.to_le_bytes(), &blob].concat());
        assert_eq!(in_summary(&stream), Some(info.as_slice()));
        stream[56] = 0x19;
        assert_eq!(in_summary(&stream), None);
    }
}
