//! What holds a file: whether new bytes, or a notice, can stand in its place.

use crate::model::{Artifact, Fact, Family, Kind};
use crate::unpack;

/// A container of one child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A mail or web archive, and a part of it.
    Mail,
    /// A text, and a block of uuencode or yEnc in it.
    Block,
    /// A zip archive.
    Zip,
    /// A document that is a zip: parts take new bytes, none may be missing.
    Package,
    /// An archive that becomes a zip.
    Archive,
    /// A message of Outlook, and an attachment of it.
    Message,
    /// A message of Outlook, and its body.
    Body,
    /// A message in TNEF, and an attachment in it.
    Tnef,
    /// What only locks a document, with a word that everybody's program tries: the document takes its place.
    Envelope,
}

/// Ways by which members of archives are reached, those of zips left out.
const MEMBERS: &[&str] = &[
    "7z-member",
    "ace-member",
    "alz-member",
    "ar-member",
    "arc-member",
    "arj-member",
    "cab-member",
    "cpio-member",
    "egg-member",
    "lzh-member",
    "rar-member",
    "tar-member",
    "xar-member",
    "brotli",
    "bzip2",
    "compress",
    "gzip",
    "kwaj",
    "lz4",
    "lzip",
    "lzma",
    "szdd",
    "xz",
    "zstd",
];

/// Archives that become zips. Packages of programs are none: nothing could install them any more.
const ARCHIVES: &[Kind] = &[
    Kind::SevenZip,
    Kind::Ace,
    Kind::Alz,
    Kind::Arc,
    Kind::Arj,
    Kind::Egg,
    Kind::Cab,
    Kind::Cpio,
    Kind::Lzh,
    Kind::Rar,
    Kind::Tar,
    Kind::Gz,
    Kind::Bz2,
    Kind::Xz,
    Kind::Lzma,
    Kind::Lzip,
    Kind::Brotli,
    Kind::Zst,
    Kind::Lz4,
    Kind::Z,
    Kind::Szdd,
    Kind::Kwaj,
    Kind::Ar,
];

impl Holder {
    /// What holds a child of an artifact; none where it can't be edited there.
    pub(super) fn of(parent: &Artifact, child: &Artifact) -> Option<Self> {
        let via = child.via?;
        match via {
            "mime-part" if matches!(parent.kind, Kind::Eml | Kind::Mht) => {
                child.at.as_ref().map(|_| Self::Mail)
            }
            "uuencoded" | "yenc" => child.at.as_ref().map(|_| Self::Block),
            "decrypted" if parent.kind == Kind::OoxmlEncrypted && opens_for_all(parent) => {
                Some(Self::Envelope)
            }
            // A lock of some members keeps no other from being changed.
            "zip-member" if parent.kind == Kind::Zip && !locked_whole(parent) => Some(Self::Zip),
            _ if locked(parent) => None,
            "zip-member" if matches!(parent.kind.family(), Family::Ooxml | Family::Odf) => {
                Some(Self::Package)
            }
            "msg-attachment" if parent.kind == Kind::Msg => Some(Self::Message),
            unpack::MSG_BODY if parent.kind == Kind::Msg => Some(Self::Body),
            "tnef-attachment" if parent.kind == Kind::Tnef => child.at.as_ref().map(|_| Self::Tnef),
            via if MEMBERS.contains(&via) && ARCHIVES.contains(&parent.kind) => Some(Self::Archive),
            _ => None,
        }
    }

    /// Whether a notice can.
    pub(super) fn takes_notices(self) -> bool {
        !matches!(
            self,
            Self::Package | Self::Body | Self::Tnef | Self::Envelope
        )
    }
}

/// Whether a well-known password opened it: the content is no secret.
fn opens_for_all(artifact: &Artifact) -> bool {
    let mut locks = artifact.facts.iter().filter_map(|fact| match fact {
        Fact::Unlocked { origin, .. } => Some(origin == unpack::WELL_KNOWN),
        Fact::Locked { .. } => Some(false),
        _ => None,
    });
    locks.next() == Some(true) && locks.all(|known| known)
}

/// Whether something of it is locked: what is put back would no longer be.
fn locked(artifact: &Artifact) -> bool {
    artifact
        .facts
        .iter()
        .any(|fact| matches!(fact, Fact::Locked { .. } | Fact::Unlocked { .. }))
}

/// Whether all of it is locked, and not only one or the other member.
fn locked_whole(artifact: &Artifact) -> bool {
    artifact.facts.iter().any(|fact| {
        matches!(
            fact,
            Fact::Locked { what: None, .. } | Fact::Unlocked { what: None, .. }
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_everybody_opens_is_none() {
        let unlocked = |origin: &str| Fact::Unlocked {
            scheme: String::new(),
            what: None,
            origin: origin.to_owned(),
            word: None,
        };
        let mut child = Artifact::alone(Kind::Xlsm, bytes::Bytes::new());
        child.via = Some("decrypted");
        for (origin, holder) in [
            (unpack::WELL_KNOWN, Some(Holder::Envelope)),
            ("a given password", None),
        ] {
            let mut parent = Artifact::alone(Kind::OoxmlEncrypted, bytes::Bytes::new());
            assert_eq!(Holder::of(&parent, &child), None);
            parent.facts.push(unlocked(origin));
            assert_eq!(Holder::of(&parent, &child), holder, "{origin}");
        }
    }
}
