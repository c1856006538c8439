//! S/MIME messages (`smime.p7m`, RFC 8551): what is signed or compressed is a child, what is encrypted is locked.

use std::ops::Range;

use bytes::Bytes;

use crate::formats::cms::{self, Content};
use crate::model::{Artifact, Fact, Kind, Trouble};

use super::{Child, Nest, Payload};

/// How the content is reached.
const CONTENT: &str = "signed-content";

/// Pushes the content, or notes that it is locked.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let message = cms::read(&artifact.data)?;
    if message.cut {
        nest.unread(0, "the message breaks off: a length leads out of it");
    }
    match message.content {
        Content::Encrypted(scheme) => {
            nest.note(Fact::Locked { scheme, what: None });
            Ok(())
        }
        Content::Plain(pieces) => {
            let child = match pieces.as_slice() {
                [] => return Ok(()),
                [piece] => {
                    let data = artifact.data.slice(piece.clone());
                    Child::new(CONTENT, data).at(piece.clone())
                }
                _ => Child::new(CONTENT, joined(&artifact.data, &pieces)),
            };
            push(child, nest)
        }
        Content::Compressed(pieces) => {
            let packed = joined(&artifact.data, &pieces);
            let decoded = nest.inflate(&packed, 0, flate2::bufread::ZlibDecoder::new);
            let child = Child::new(CONTENT, Payload::Paid(decoded.data.into()));
            nest.push_decoded(
                child.else_kind(Kind::Eml),
                decoded.fault,
                "compressed content",
            )?;
            Ok(())
        }
        Content::Detached => Ok(()),
    }
}

/// The content is a MIME entity, mostly: header fields that no mail starts with are one here all the same.
fn push(child: Child, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    nest.push(child.else_kind(Kind::Eml))?;
    Ok(())
}

fn joined(data: &Bytes, pieces: &[Range<usize>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(pieces.iter().map(ExactSizeIterator::len).sum());
    for piece in pieces {
        out.extend_from_slice(data.get(piece.clone()).unwrap_or_default());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;
    use crate::formats::cms::tests::{enveloped, octets, signed};

    #[test]
    fn signed_mail_is_a_child_and_encrypted_mail_is_locked() {
        let entity = "Content-Type: text/plain; charset=utf-8\r\n\r\n見積書です。\r\n";
        let (children, facts) = opened("smime", &signed(&octets(entity.as_bytes()), false));
        assert_eq!(facts, []);
        assert_eq!(children[0].data.as_ref(), entity.as_bytes());
        assert_eq!(children[0].kind, Kind::Eml);
        let (children, facts) = opened("smime", &enveloped());
        assert_eq!(children.len(), 0);
        assert!(
            matches!(facts.as_slice(), [Fact::Locked { .. }]),
            "{facts:?}"
        );
    }

    #[test]
    fn a_cut_message_says_so() {
        let data = signed(
            &octets(b"Content-Type: text/plain\r\n\r\nHello, and more"),
            false,
        );
        let (children, facts) = opened("smime", &data[..data.len() - 12]);
        assert!(children[0].data.starts_with(b"Content-Type"));
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
