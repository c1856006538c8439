//! Artifact → children. An unpacker never judges: what it saw besides the children are facts.
//!
//! A new container is one file here, its `mod` line and its row in [`UNPACKERS`].

mod access;
mod ace;
mod activemime;
mod alz;
mod ar;
mod arc;
mod arj;
mod asar;
mod binhex;
mod cab;
mod calendar;
mod carve;
mod chm;
mod compressed;
mod cpio;
#[cfg(test)]
mod damaged;
mod disk;
mod dmg;
mod doc;
mod drawn_codes;
mod ebcdic;
mod encoded;
#[cfg(test)]
mod every_container;
#[cfg(test)]
mod every_host;
mod form_data;
mod gzip;
mod hfs;
mod hosts;
mod html;
mod html_help;
mod hwp;
mod iscab;
mod keys;
mod lnk;
mod lzh;
mod mail;
mod mapi;
mod mashup;
mod masked;
mod mbox;
mod msg;
mod msi;
mod nest;
mod nsis;
mod ntfs;
mod objects;
mod odf_locked;
mod office_links;
mod office_xml;
mod ole;
mod onenote;
mod pdf;
mod pe;
mod picture;
mod picture_text;
mod ppt;
mod pst;
mod rar;
mod rpm;
mod rtf;
mod script;
mod script_encoder;
mod self_extractor;
mod sevenz;
mod sheet_codes;
mod sis;
mod smime;
mod split_codes;
mod squashfs;
mod tar;
mod tnef;
mod utf32;
mod uuencoded;
mod vba;
mod virtual_disk;
mod volumes;
mod wim;
mod workbook;
mod workbook_parts;
mod xar;
mod zip;

pub use encoded::places as encoded_places;
pub use html::in_address as page_in_address;
pub use keys::{Candidate, Keys, Opener, Passwords, WELL_KNOWN};
pub use mail::{breaks, first_reading};
pub use msg::BODY as MSG_BODY;
pub use nest::{Child, MESSAGE, Nest, Payload, Seen};
pub use office_links::{facts as link_facts, role as leads_out};
pub use vba::signers;
pub use volumes::Sets;

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
    // Before all others: volumes that were joined are not opened one by one.
    Unpacker {
        name: "volumes",
        kinds: Kind::ALL,
        run: volumes::run,
    },
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
        name: "pst",
        kinds: &[Kind::Pst],
        run: pst::run,
    },
    Unpacker {
        name: "calendar",
        kinds: calendar::KINDS,
        run: calendar::run,
    },
    Unpacker {
        name: "uuencoded",
        kinds: uuencoded::KINDS,
        run: uuencoded::run,
    },
    Unpacker {
        name: "zip",
        kinds: ZIP_BASED,
        run: zip::run,
    },
    // On the members that the reader of zips made.
    Unpacker {
        name: "odf_locked",
        kinds: odf_locked::KINDS,
        run: odf_locked::run,
    },
    // On the members that the reader of zips made.
    Unpacker {
        name: "workbook_parts",
        kinds: workbook_parts::KINDS,
        run: workbook_parts::run,
    },
    Unpacker {
        name: "gzip",
        kinds: &[Kind::Gz],
        run: gzip::run,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Bz2],
        run: compressed::bzip2,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Xz],
        run: compressed::xz,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Lzma],
        run: compressed::lzma,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Lzip],
        run: compressed::lzip,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Zst],
        run: compressed::zstd,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Lz4],
        run: compressed::lz4,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Z],
        run: compressed::compress,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Szdd],
        run: compressed::szdd,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Kwaj],
        run: compressed::kwaj,
    },
    Unpacker {
        name: "compressed",
        kinds: &[Kind::Brotli],
        run: compressed::brotli,
    },
    Unpacker {
        name: "sevenz",
        kinds: &[Kind::SevenZip],
        run: sevenz::run,
    },
    Unpacker {
        name: "rar",
        kinds: &[Kind::Rar],
        run: rar::run,
    },
    Unpacker {
        name: "lzh",
        kinds: &[Kind::Lzh],
        run: lzh::run,
    },
    Unpacker {
        name: "cab",
        kinds: &[Kind::Cab],
        run: cab::run,
    },
    Unpacker {
        name: "asar",
        kinds: &[Kind::Asar],
        run: asar::run,
    },
    Unpacker {
        name: "iscab",
        kinds: &[Kind::IsCab],
        run: iscab::run,
    },
    Unpacker {
        name: "chm",
        kinds: &[Kind::Chm],
        run: chm::run,
    },
    Unpacker {
        name: "sis",
        kinds: &[Kind::Sis],
        run: sis::run,
    },
    Unpacker {
        name: "arc",
        kinds: &[Kind::Arc],
        run: arc::run,
    },
    Unpacker {
        name: "arj",
        kinds: &[Kind::Arj],
        run: arj::run,
    },
    Unpacker {
        name: "alz",
        kinds: &[Kind::Alz],
        run: alz::run_alz,
    },
    Unpacker {
        name: "alz",
        kinds: &[Kind::Egg],
        run: alz::run_egg,
    },
    Unpacker {
        name: "ace",
        kinds: &[Kind::Ace],
        run: ace::run,
    },
    Unpacker {
        name: "cpio",
        kinds: &[Kind::Cpio],
        run: cpio::run,
    },
    Unpacker {
        name: "ar",
        kinds: &[Kind::Ar, Kind::Deb],
        run: ar::run,
    },
    Unpacker {
        name: "rpm",
        kinds: &[Kind::Rpm],
        run: rpm::run,
    },
    Unpacker {
        name: "xar",
        kinds: &[Kind::Xar],
        run: xar::run,
    },
    Unpacker {
        name: "tar",
        kinds: &[Kind::Tar],
        run: tar::run,
    },
    // Before the streams of the file: what a message carries bears its name there.
    Unpacker {
        name: "msg",
        kinds: &[Kind::Msg],
        run: msg::run,
    },
    Unpacker {
        name: "tnef",
        kinds: &[Kind::Tnef],
        run: tnef::run,
    },
    Unpacker {
        name: "smime",
        kinds: &[Kind::P7m],
        run: smime::run,
    },
    Unpacker {
        name: "binhex",
        kinds: &[Kind::BinHex],
        run: binhex::run,
    },
    Unpacker {
        name: "disk",
        kinds: &[Kind::Iso, Kind::Udf],
        run: disk::run_iso,
    },
    Unpacker {
        name: "disk",
        kinds: &[Kind::Img],
        run: disk::run_img,
    },
    Unpacker {
        name: "disk",
        kinds: &[Kind::Vhd, Kind::Vhdx],
        run: disk::run_vhd,
    },
    Unpacker {
        name: "virtual_disk",
        kinds: &[Kind::Vmdk],
        run: virtual_disk::run_vmdk,
    },
    Unpacker {
        name: "virtual_disk",
        kinds: &[Kind::Qcow],
        run: virtual_disk::run_qcow,
    },
    Unpacker {
        name: "virtual_disk",
        kinds: &[Kind::Vdi],
        run: virtual_disk::run_vdi,
    },
    Unpacker {
        name: "dmg",
        kinds: &[Kind::Dmg],
        run: dmg::run,
    },
    Unpacker {
        name: "hfs",
        kinds: &[Kind::Hfs],
        run: hfs::run,
    },
    Unpacker {
        name: "ntfs",
        kinds: &[Kind::Ntfs],
        run: ntfs::run,
    },
    Unpacker {
        name: "squashfs",
        kinds: &[Kind::SquashFs],
        run: squashfs::run,
    },
    Unpacker {
        name: "wim",
        kinds: &[Kind::Wim],
        run: wim::run,
    },
    // Before the readings as a compound file: version 3 is none.
    Unpacker {
        name: "hwp",
        kinds: &[Kind::Hwp],
        run: hwp::run,
    },
    // Sources before streams: a file with more streams than the budget admits must not hide its macros.
    Unpacker {
        name: "vba",
        kinds: ole::KINDS,
        run: vba::run,
    },
    Unpacker {
        name: "access",
        kinds: access::KINDS,
        run: access::run,
    },
    Unpacker {
        name: "workbook",
        kinds: ole::KINDS,
        run: workbook::run,
    },
    Unpacker {
        name: "workbook",
        kinds: &[Kind::Xls4],
        run: workbook::run_stream,
    },
    Unpacker {
        name: "workbook",
        kinds: &[Kind::Sylk],
        run: workbook::run_sylk,
    },
    Unpacker {
        name: "ppt",
        kinds: &[Kind::Ppt],
        run: ppt::run,
    },
    Unpacker {
        name: "doc",
        kinds: doc::KINDS,
        run: doc::run,
    },
    // Before the streams of the file: a script gets its kind and the name of its action there.
    Unpacker {
        name: "msi",
        kinds: msi::KINDS,
        run: msi::run,
    },
    Unpacker {
        name: "ole",
        kinds: ole::KINDS,
        run: ole::run,
    },
    Unpacker {
        name: "objects",
        kinds: &[Kind::OleNative],
        run: objects::run,
    },
    Unpacker {
        name: "rtf",
        kinds: &[Kind::Rtf],
        run: rtf::run,
    },
    Unpacker {
        name: "activemime",
        kinds: &[Kind::ActiveMime],
        run: activemime::run,
    },
    Unpacker {
        name: "office_xml",
        kinds: &[
            Kind::FlatOpc,
            Kind::Word2003Xml,
            Kind::Excel2003Xml,
            Kind::FlatOdf,
            Kind::Hwpml,
        ],
        run: office_xml::run,
    },
    Unpacker {
        name: "office_links",
        kinds: office_links::KINDS,
        run: office_links::run,
    },
    Unpacker {
        name: "lnk",
        kinds: &[Kind::Lnk],
        run: lnk::run,
    },
    Unpacker {
        name: "pe",
        kinds: &[Kind::Pe],
        run: pe::run,
    },
    Unpacker {
        name: "nsis",
        kinds: &[Kind::Pe],
        run: nsis::run,
    },
    // What it searches is decided kind by kind.
    Unpacker {
        name: "self_extractor",
        kinds: Kind::ALL,
        run: self_extractor::run,
    },
    // Before runs of base64: what a script hands to an interpreter is told by how it is handed over.
    Unpacker {
        name: "script",
        kinds: script::KINDS,
        run: script::run,
    },
    Unpacker {
        name: "onenote",
        kinds: &[Kind::One, Kind::Onetoc2],
        run: onenote::run,
    },
    Unpacker {
        name: "pdf",
        kinds: &[Kind::Pdf],
        run: pdf::run,
    },
    Unpacker {
        name: "picture",
        kinds: picture::KINDS,
        run: picture::run,
    },
    Unpacker {
        name: "picture_text",
        kinds: picture_text::KINDS,
        run: picture_text::run,
    },
    // On the members that the reader of zips made.
    Unpacker {
        name: "sheet_codes",
        kinds: sheet_codes::KINDS,
        run: sheet_codes::run,
    },
    Unpacker {
        name: "drawn_codes",
        kinds: drawn_codes::KINDS,
        run: drawn_codes::run,
    },
    Unpacker {
        name: "script_encoder",
        kinds: script_encoder::KINDS,
        run: script_encoder::run,
    },
    Unpacker {
        name: "utf32",
        kinds: utf32::KINDS,
        run: utf32::run,
    },
    Unpacker {
        name: "ebcdic",
        kinds: ebcdic::KINDS,
        run: ebcdic::run,
    },
    Unpacker {
        name: "form_data",
        kinds: form_data::KINDS,
        run: form_data::run,
    },
    Unpacker {
        name: "mashup",
        kinds: mashup::KINDS,
        run: mashup::run,
    },
    Unpacker {
        name: "html",
        kinds: html::KINDS,
        run: html::run,
    },
    // On the pictures that the readers of mails and pages made.
    Unpacker {
        name: "split_codes",
        kinds: split_codes::KINDS,
        run: split_codes::run,
    },
    Unpacker {
        name: "html_help",
        kinds: html_help::KINDS,
        run: html_help::run,
    },
    // Behind the readers of containers: what those opened is not looked for a second time.
    Unpacker {
        name: "carve",
        kinds: Kind::ALL,
        run: carve::run,
    },
    Unpacker {
        name: "masked",
        kinds: masked::KINDS,
        run: masked::run,
    },
    Unpacker {
        name: "encoded",
        kinds: encoded::KINDS,
        run: encoded::run,
    },
    Unpacker {
        name: "encoded",
        kinds: encoded::PICTURES,
        run: encoded::run_picture,
    },
];

/// Kinds that are a zip with agreed members.
const ZIP_BASED: &[Kind] = &[
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
    Kind::Zip,
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

/// The packages of Office Open XML among them: those that stand before the plain archive.
pub const PACKAGES: &[Kind] = ZIP_BASED.split_at(before_zip(ZIP_BASED)).0;

const fn before_zip(kinds: &[Kind]) -> usize {
    match kinds {
        [] | [Kind::Zip, ..] => 0,
        [_, rest @ ..] => before_zip(rest).saturating_add(1),
    }
}

/// Kinds that may hold other files and that no unpacker here opens: never silently clean.
#[rustfmt::skip]
pub const UNSUPPORTED: &[Kind] = &[
    Kind::Zoo, Kind::StuffIt, Kind::Crx,
    Kind::Apfs, Kind::RareDisk, Kind::RareArchive, Kind::Dbx, Kind::Mdb, Kind::Accdb,
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::identify;
    use crate::limits::{Budget, Limits};
    use crate::model::Fact;

    pub(crate) use crate::identify::tests::pe;

    /// The children and facts that one unpacker makes of bytes.
    pub(crate) fn opened(name: &str, data: &[u8]) -> (Vec<Artifact>, Vec<Fact>) {
        let budget = Budget::new(Limits::default(), None);
        let identity = identify::identify(data, &budget);
        let unpacker = UNPACKERS
            .iter()
            .find(|unpacker| {
                let reads =
                    |kind: &Kind| identity.kind == *kind || identity.readings.contains(kind);
                unpacker.name == name && unpacker.kinds.iter().any(reads)
            })
            .unwrap_or_else(|| panic!("{name} does not open {}", identity.kind));
        let artifact = Artifact {
            readings: identity.readings,
            facts: identity.facts,
            ..Artifact::alone(identity.kind, bytes::Bytes::copy_from_slice(data))
        };
        let mut seen = Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        (unpacker.run)(&artifact, &mut nest).unwrap();
        (nest.children, nest.facts)
    }
}
