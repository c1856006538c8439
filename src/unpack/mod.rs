//! Artifact → children. An unpacker never judges: what it saw besides the children are facts.
//!
//! A new container is one file here, its `mod` line and its row in [`UNPACKERS`].

mod mail;
mod mbox;
mod nest;
mod uuencoded;

pub use nest::{Child, Nest, Payload, Seen};

use crate::model::{Artifact, Kind, Trouble};

/// One reader of containers.
#[derive(Debug)]
pub struct Unpacker {
    /// Its name: the file it stands in.
    pub name: &'static str,
    /// The kinds it opens; run once if the artifact is of any of them in any reading.
    pub kinds: &'static [Kind],
    /// Pushes the children into the nest. What it pushed before a trouble stands.
    pub run: fn(&Artifact, &mut Nest<'_>) -> Result<(), Trouble>,
}

/// Every unpacker, in the order in which they are tried on an artifact of several readings.
pub const UNPACKERS: &[Unpacker] = &[
    Unpacker {
        name: "mail",
        kinds: &[Kind::Eml, Kind::Mht],
        run: mail::run,
    },
    Unpacker {
        name: "mail",
        kinds: &[Kind::Emlx],
        run: mail::run_emlx,
    },
    Unpacker {
        name: "mbox",
        kinds: &[Kind::Mbox],
        run: mbox::run,
    },
    Unpacker {
        name: "uuencoded",
        kinds: &[
            Kind::Text,
            Kind::Uue,
            Kind::Email,
            Kind::Html,
            Kind::Csv,
            // yEnc makes text look like no text.
            Kind::Data,
        ],
        run: uuencoded::run,
    },
];

/// Kinds that may hold other files and that no unpacker here opens: never silently clean.
pub const UNSUPPORTED: &[Kind] = &[];
