//! Artifact → children. An unpacker never judges: what it saw besides the children are facts.
//!
//! A new container is one file here, its `mod` line and its row in [`UNPACKERS`].

mod gzip;
mod nest;
mod tar;
mod zip;

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
        name: "zip",
        kinds: ZIP_BASED,
        run: zip::run,
    },
    Unpacker {
        name: "gzip",
        kinds: &[Kind::Gz],
        run: gzip::run,
    },
    Unpacker {
        name: "tar",
        kinds: &[Kind::Tar],
        run: tar::run,
    },
];

/// Kinds that are a zip with agreed members.
const ZIP_BASED: &[Kind] = &[
    Kind::Zip,
    Kind::Docx,
    Kind::Docm,
    Kind::Dotx,
    Kind::Dotm,
    Kind::Xlsx,
    Kind::Xlsm,
    Kind::Xltx,
    Kind::Xltm,
    Kind::Xlam,
    Kind::Xlsb,
    Kind::Pptx,
    Kind::Pptm,
    Kind::Potx,
    Kind::Potm,
    Kind::Ppsx,
    Kind::Ppsm,
    Kind::Ppam,
    Kind::Sldx,
    Kind::Sldm,
    Kind::Thmx,
    Kind::Vsdx,
    Kind::Vsdm,
    Kind::Vssx,
    Kind::Vssm,
    Kind::Vstx,
    Kind::Vstm,
    Kind::Ooxml,
    Kind::Xps,
    Kind::Hwpx,
    Kind::Odt,
    Kind::Ott,
    Kind::Ods,
    Kind::Ots,
    Kind::Odp,
    Kind::Odg,
    Kind::Odf,
    Kind::Epub,
    Kind::Jar,
    Kind::Apk,
    Kind::Appx,
    Kind::Xpi,
];

/// Kinds that may hold other files and that no unpacker here opens: never silently clean.
pub const UNSUPPORTED: &[Kind] = &[];
