//! What holds a file: whether new bytes, or a notice, can stand in its place.

use crate::model::{Artifact, Fact, Family, Kind};

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
}

/// Ways by which members of archives are reached, those of zips left out.
const MEMBERS: &[&str] = &[
    "7z-member",
    "ar-member",
    "arj-member",
    "cab-member",
    "cpio-member",
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
    Kind::Arj,
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
            _ if locked(parent) => None,
            "zip-member" if parent.kind == Kind::Zip => Some(Self::Zip),
            "zip-member" if matches!(parent.kind.family(), Family::Ooxml | Family::Odf) => {
                Some(Self::Package)
            }
            "msg-attachment" if parent.kind == Kind::Msg => Some(Self::Message),
            via if MEMBERS.contains(&via) && ARCHIVES.contains(&parent.kind) => Some(Self::Archive),
            _ => None,
        }
    }

    /// Whether new bytes can stand in the place of the child.
    pub(super) fn takes_bytes(self) -> bool {
        self != Self::Block
    }

    /// Whether a notice can.
    pub(super) fn takes_notices(self) -> bool {
        self != Self::Package
    }
}

/// Whether something of it is locked: what is put back would no longer be.
fn locked(artifact: &Artifact) -> bool {
    artifact
        .facts
        .iter()
        .any(|fact| matches!(fact, Fact::Locked { .. } | Fact::Unlocked { .. }))
}
