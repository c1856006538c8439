//! Artifact → children. An unpacker never judges: what it saw besides the children are facts.
//!
//! A new container is one file here, its `mod` line and its row in [`UNPACKERS`].

mod activemime;
mod nest;
mod office_xml;
mod ole;
mod ppt;
mod vba;

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
    // Sources before streams: a file with more streams than the budget admits must not hide its macros.
    Unpacker {
        name: "vba",
        kinds: ole::KINDS,
        run: vba::run,
    },
    Unpacker {
        name: "ppt",
        kinds: &[Kind::Ppt],
        run: ppt::run,
    },
    Unpacker {
        name: "ole",
        kinds: ole::KINDS,
        run: ole::run,
    },
    Unpacker {
        name: "activemime",
        kinds: &[Kind::ActiveMime],
        run: activemime::run,
    },
    Unpacker {
        name: "office_xml",
        kinds: &[Kind::FlatOpc, Kind::Word2003Xml, Kind::Excel2003Xml],
        run: office_xml::run,
    },
];

/// Kinds that may hold other files and that no unpacker here opens: never silently clean.
pub const UNSUPPORTED: &[Kind] = &[];
