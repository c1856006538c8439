//! One thing found in an input, down to the last macro; the tree is a flat list of them.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Fact, Kind, Name};

/// Ordinal of an artifact in its tree; 0 is the input itself.
pub type Id = u32;

/// What a mail says about itself; every text is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MailSummary {
    /// Message-ID without its angle brackets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Date as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// First address of From.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Addresses of To and Cc.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
    /// Subject, decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
}

/// One thing found in an input.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its ordinal in the tree.
    pub id: Id,
    /// The artifact that it was found in.
    pub parent: Option<Id>,
    /// How it was reached, such as `zip-member`.
    pub via: Option<&'static str>,
    /// Ordinal in the parent's listing.
    pub index: u32,
    /// Byte range in the parent, where it is one.
    pub at: Option<Range<usize>>,
    /// Containers above it.
    pub depth: u32,
    /// What the bytes are.
    pub kind: Kind,
    /// Other kinds that the bytes are plausible as; each is followed.
    pub readings: Vec<Kind>,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// Its name, where it has one.
    pub name: Option<Name>,
    /// The media type that its container claims, safe to show.
    pub declared: Option<String>,
    /// An earlier artifact with the same bytes.
    pub same_as: Option<Id>,
    /// What a mail says about itself; boxed, as few artifacts are mails.
    pub mail: Option<Box<MailSummary>>,
    /// What unpackers saw in it.
    pub facts: Vec<Fact>,
    /// The bytes.
    pub data: Bytes,
}

impl Artifact {
    /// Bytes of a kind that stand by themselves, without name and place; the digest is yet to be taken.
    pub fn alone(kind: Kind, data: Bytes) -> Self {
        Self {
            id: 0,
            parent: None,
            via: None,
            index: 0,
            at: None,
            depth: 0,
            kind,
            readings: Vec::new(),
            sha256: [0; 32],
            name: None,
            declared: None,
            same_as: None,
            mail: None,
            facts: Vec::new(),
            data,
        }
    }

    /// SHA-256 in lower-case hexadecimal digits.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }

    /// The hash of the macro project in it, in lower-case hexadecimal digits.
    pub fn vba_hash(&self) -> Option<String> {
        self.facts.iter().find_map(|fact| match fact {
            Fact::VbaHash { sha256 } => Some(hex(sha256)),
            _ => None,
        })
    }

    /// Who signed the macro project in it: SHA-256 over the certificate, in lower-case hexadecimal digits.
    pub fn vba_signer(&self) -> Option<String> {
        self.facts.iter().find_map(|fact| match fact {
            Fact::VbaSigner { sha256 } => Some(hex(sha256)),
            _ => None,
        })
    }

    /// Whether the bytes are of `kind` in any reading.
    pub fn reads_as(&self, kind: Kind) -> bool {
        self.kind == kind || self.readings.contains(&kind)
    }

    /// The name to show, or an empty text.
    pub fn label(&self) -> &str {
        self.name
            .as_ref()
            .map(|name| name.text.as_str())
            .unwrap_or_default()
    }
}

/// The children of one artifact of a tree. They stand together: containers are opened in the order of the tree, so
/// that the parents' ids never decrease along it.
pub fn children(tree: &[Artifact], parent: Id) -> &[Artifact] {
    let parent = Some(parent);
    let start = tree.partition_point(|artifact| artifact.parent < parent);
    let end = tree.partition_point(|artifact| artifact.parent <= parent);
    tree.get(start..end).unwrap_or_default()
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}
