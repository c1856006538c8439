//! Hangul documents: scripts, and what is embedded in them, out of their compression. The streams as they lie are
//! children by the reader of compound files; text and layout are left to it.

use flate2::bufread::DeflateDecoder;

use crate::formats::hwp::{self, Header};
use crate::formats::ole::{ObjectType, is_compound};
use crate::limits::{Fault, Halt};
use crate::model::{Artifact, Fact, Kind, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Storages whose streams are looked into: embedded data, scripts, text, text for distribution.
const STORAGES: &[&str] = &["bindata", "scripts", "bodytext", "viewtext"];

/// Pushes the scripts, and every embedded stream that is compressed.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if let Some((start, compressed)) = hwp::old_body(&artifact.data) {
        nest.close();
        return old(artifact, start, compressed, nest);
    }
    let mut ole = super::ole::open(artifact, nest)?;
    let header = match ole.find(ole.root(), "FileHeader") {
        Some(position) => Header::read(&ole.stream(position)?.data),
        None => None,
    };
    if let Some(scheme) = header.and_then(Header::lock) {
        nest.note(Fact::Locked {
            scheme: scheme.to_owned(),
            what: None,
        });
        return Ok(());
    }
    for position in 0..ole.entries().len() {
        nest.tick()?;
        let Some(entry) = ole.entries().get(position) else {
            break;
        };
        if entry.object_type != ObjectType::Stream || entry.size == 0 {
            continue;
        }
        let path = ole.path(position);
        let lower = path.to_lowercase();
        let Some((storage, _)) = lower.split_once('/') else {
            continue;
        };
        if !STORAGES.contains(&storage) {
            continue;
        }
        let stream = match ole.stream(position) {
            Ok(stream) => stream.data,
            Err(halt @ Halt::Ceiling(_)) => {
                nest.note(Fact::Limit { halt, what: path });
                return Ok(());
            }
            Err(halt) => return Err(halt.into()),
        };
        let layered = header.is_some_and(Header::is_for_distribution);
        let plain = layered.then(|| hwp::distributed(&stream)).flatten();
        let data = plain.as_deref().unwrap_or(&stream);
        if storage == "scripts" {
            script(data, &path, nest)?;
        } else {
            embedded(data, &path, plain.is_some(), nest)?;
        }
    }
    Ok(())
}

/// Pushes the sources of a stream of scripts.
fn script(data: &[u8], path: &str, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if !path.to_lowercase().contains("jscript") || path.to_lowercase().ends_with("version") {
        return Ok(());
    }
    let decoded = nest.inflate(data, 0, DeflateDecoder::new);
    ended(decoded.fault.as_ref())?;
    let plain = if hwp::scripts(&decoded.data).is_empty() {
        data
    } else {
        decoded.data.as_slice()
    };
    for source in hwp::scripts(plain) {
        let shown = text::to_utf8(source);
        let shown = match source {
            // No mark stands in front of it.
            [_, 0, ..] | [0, _, ..] => encoding_rs::UTF_16LE.decode(source).0,
            _ => shown,
        };
        if shown.trim().is_empty() {
            continue;
        }
        let child = Child::new("hwp-script", shown.into_owned().into_bytes());
        nest.push(child.named(Name::of(path.to_owned())).of_kind(Kind::Js))?;
    }
    Ok(())
}

/// Pushes what a stream comes to where it is compressed; an object has its length in front.
fn embedded(data: &[u8], path: &str, layered: bool, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let decoded = nest.inflate(data, 0, DeflateDecoder::new);
    ended(decoded.fault.as_ref())?;
    let behind = |data: &[u8]| data.get(4..).is_some_and(is_compound);
    let name = Name::of(path.to_owned());
    // Pictures are mostly stored as they are, and are no deflated data.
    if decoded.data.is_empty() || decoded.fault.is_some() && decoded.data.len() < 64 {
        if behind(data) {
            let object = data.get(4..).unwrap_or_default().to_vec();
            nest.push(Child::new("hwp-stream", object).named(name))?;
        } else if layered {
            nest.push(Child::new("hwp-stream", data.to_vec()).named(name))?;
        }
        return Ok(());
    }
    let plain = bytes::Bytes::from(decoded.data);
    let object = behind(&plain).then(|| plain.slice(4..));
    let child = Child::new("hwp-stream", Payload::Paid(object.unwrap_or(plain)));
    nest.push(child.named(name).else_kind(Kind::OleStream))?;
    Ok(())
}

/// Pushes the body of a document of version 3.
fn old(
    artifact: &Artifact,
    start: usize,
    compressed: bool,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let body = artifact.data.get(start..).unwrap_or_default();
    if !compressed {
        let child = Child::new(
            "hwp-stream",
            artifact.data.slice(start.min(artifact.data.len())..),
        );
        nest.push(
            child
                .at(start..artifact.data.len())
                .else_kind(Kind::OleStream),
        )?;
        return Ok(());
    }
    let decoded = nest.inflate(body, 0, DeflateDecoder::new);
    let child = Child::new("hwp-stream", Payload::Paid(decoded.data.into()));
    nest.push_decoded(child.else_kind(Kind::OleStream), decoded.fault, "body")?;
    Ok(())
}

/// A limit of the whole scan ends the unpacking.
fn ended(fault: Option<&Fault>) -> Result<(), Trouble> {
    match fault {
        Some(Fault::Halt(halt @ (Halt::OutOfTime | Halt::Unpacked | Halt::Ratio))) => {
            Err(Trouble::TooMuch(*halt))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use crate::unpack::tests::opened;

    pub(crate) fn deflated(data: &[u8]) -> Vec<u8> {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    pub(crate) fn file(properties: u32, streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut header = b"HWP Document File".to_vec();
        header.resize(32, 0);
        header.extend(0x0500_0300u32.to_le_bytes());
        header.extend(properties.to_le_bytes());
        header.resize(256, 0);
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        for storage in ["/BinData", "/Scripts", "/BodyText"] {
            file.create_storage(storage).unwrap();
        }
        file.create_stream("/FileHeader")
            .unwrap()
            .write_all(&header)
            .unwrap();
        for (path, data) in streams {
            file.create_stream(path).unwrap().write_all(data).unwrap();
        }
        file.flush().unwrap();
        file.into_inner().into_inner()
    }

    fn script_stream(source: &str) -> Vec<u8> {
        let mut data = 0u32.to_le_bytes().to_vec();
        data.extend(u32::try_from(source.len()).unwrap().to_le_bytes());
        data.extend(source.encode_utf16().flat_map(u16::to_le_bytes));
        data.extend([0; 8]);
        data.extend([0xff; 4]);
        data
    }

    #[test]
    fn scripts_and_embedded_data_come_out_of_their_compression() {
        let program = crate::unpack::tests::pe();
        let object = [
            &[9, 0, 0, 0],
            crate::formats::ole::SIGNATURE.as_slice(),
            &[0; 600],
        ]
        .concat();
        let file = file(
            1,
            &[
                ("/Scripts/DefaultJScript", deflated(&script_stream("go();"))),
                ("/Scripts/JScriptVersion", deflated(&[1, 0, 0, 0])),
                ("/BinData/BIN0001.png", deflated(&program)),
                ("/BinData/BIN0002.OLE", deflated(&object)),
                ("/BinData/BIN0003.jpg", b"\xff\xd8\xff\xe0picture".to_vec()),
            ],
        );
        let (children, facts) = opened("hwp", &file);
        let mut told: Vec<(&str, &[u8])> = children
            .iter()
            .map(|child| (child.label(), child.data.as_ref()))
            .collect();
        told.sort_unstable();
        assert_eq!(
            told,
            [
                ("BinData/BIN0001.png", program.as_slice()),
                ("BinData/BIN0002.OLE", &object[4..]),
                ("Scripts/DefaultJScript", b"go();"),
            ]
        );
        assert_eq!(facts, []);
    }

    #[test]
    fn a_document_with_a_password_is_locked() {
        let (children, facts) = opened("hwp", &file(3, &[]));
        assert!(children.is_empty());
        assert!(matches!(facts.as_slice(), [Fact::Locked { .. }]));
    }
}
