//! Presentations ([MS-PPT]): the OLE objects, controls and VBA projects stored in records of the document stream.
//!
//! Streams of the file are children by the unpacker for compound files. An encrypted presentation is left to it.

use crate::bytes::{index, u32_at};
use crate::formats::ole::{ObjectType, Ole, is_compound};
use crate::formats::ppt::{self, Found, Storage};
use crate::formats::{offcrypto, ole};
use crate::limits::{Fault, Halt};
use crate::model::{Artifact, Fact, Role, Trouble};

use super::{Child, Nest, Payload};

/// Pushes every stored object of every document stream.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut file = super::ole::open(artifact, nest)?;
    for position in 0..file.entries().len() {
        nest.tick()?;
        let Some(entry) = file.entries().get(position) else {
            break;
        };
        let named = ole::same_name(&entry.name, "PowerPoint Document");
        if entry.object_type != ObjectType::Stream || !named {
            continue;
        }
        let parent = entry.parent;
        let stream = file.stream(position)?;
        let user = current_user(&mut file, parent)?;
        if offcrypto::presentation(&user, &stream.data).is_none() {
            objects(&stream.data, nest)?;
            let outside = ppt::outside(&stream.data, nest.budget())?;
            let links = outside.links.into_iter().map(|one| (Role::Link, one));
            let media = outside.media.into_iter().map(|one| (Role::Media, one));
            for (role, target) in links.chain(media) {
                let at = None;
                nest.note(Fact::External { at, role, target });
            }
            super::doc::note_pictures(&stream.data, nest)?;
            for start in outside.starts {
                nest.note(Fact::External {
                    at: None,
                    role: Role::Started,
                    target: match start.target.as_str() {
                        "" => format!("program of the action at {}", start.at),
                        target => target.to_owned(),
                    },
                });
            }
        }
    }
    Ok(())
}

fn current_user(file: &mut Ole<'_>, storage: Option<usize>) -> Result<Vec<u8>, Halt> {
    match file.find(storage, "Current User") {
        Some(position) => Ok(file.stream(position)?.data.into_owned()),
        None => Ok(Vec::new()),
    }
}

fn objects(stream: &[u8], nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let found = ppt::storages(stream, nest.budget())?;
    if let Some(at) = found.broken_at {
        nest.note(Fact::Deviation {
            at: None,
            what: format!("PowerPoint Document: record at {at} leads out of the stream"),
        });
    }
    if found.more {
        nest.note(Fact::Limit {
            halt: Halt::Ceiling("candidates for PowerPoint objects"),
            what: "PowerPoint Document".to_owned(),
        });
    }
    let mut read_to = 0;
    for storage in found.storages {
        nest.tick()?;
        if storage.at >= read_to && object(stream, storage, nest)? {
            read_to = storage.end;
        }
    }
    Ok(())
}

/// Pushes one object, compressed or not whatever its header says; false where there is none.
fn object(stream: &[u8], storage: Storage, nest: &mut Nest<'_>) -> Result<bool, Trouble> {
    let body = stream.get(storage.start..storage.end).unwrap_or_default();
    let place = format!("PowerPoint object at {}", storage.at);
    if is_compound(body) {
        if storage.compressed {
            nest.note(Fact::Deviation {
                at: None,
                what: format!("{place}: stored plain, declared as compressed"),
            });
        }
        nest.push(Child::new("ppt-object", body.to_vec()))?;
        return Ok(true);
    }
    if !storage.compressed && !ppt::zlib_follows(body) {
        return empty(body, &place, storage.found, nest);
    }
    let size = u32_at(body, 0).unwrap_or_default();
    let packed = body.get(4..).unwrap_or_default();
    let decoded = nest.inflate(packed, size.into(), flate2::bufread::ZlibDecoder::new);
    // A candidate that inflates to no compound file was none.
    if storage.found == Found::ByLook && !is_compound(&decoded.data) {
        return match decoded.fault {
            Some(Fault::Halt(halt)) => Err(halt.into()),
            _ => Ok(false),
        };
    }
    if decoded.data.is_empty() && !matches!(decoded.fault, Some(Fault::Halt(_))) {
        return empty(body, &place, storage.found, nest);
    }
    let len = decoded.data.len();
    // Writers of old left out the end of the zlib stream; what was declared is there all the same.
    let whole = len >= index(size) && matches!(decoded.fault, Some(Fault::Broken(_)));
    let fault = decoded.fault.filter(|_| !whole);
    if fault.is_none() && (whole || len != index(size)) {
        nest.note(Fact::Deviation {
            at: None,
            what: format!("{place}: expected a zlib stream of {size} bytes, found {len} bytes"),
        });
    }
    let child = Child::new("ppt-object", Payload::Paid(decoded.data.into()));
    nest.push_decoded(child, fault, &place)?;
    Ok(true)
}

/// An object without any bytes holds nothing; one with other bytes could not be read.
fn empty(body: &[u8], place: &str, found: Found, nest: &mut Nest<'_>) -> Result<bool, Trouble> {
    if found == Found::InOrder && !body.is_empty() {
        nest.note(Fact::Unread {
            at: None,
            what: format!("{place}: neither a compound file nor compressed"),
        });
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use super::*;
    use crate::limits::{Budget, Limits};
    use crate::model::Kind;
    use crate::unpack::Seen;

    fn record(version: u16, body: &[u8]) -> Vec<u8> {
        let mut out = version.to_le_bytes().to_vec();
        out.extend(0x1011u16.to_le_bytes());
        out.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        out.extend(body);
        out
    }

    fn packed(data: &[u8]) -> Vec<u8> {
        let mut encoder =
            flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(data).unwrap();
        let mut out = u32::try_from(data.len()).unwrap().to_le_bytes().to_vec();
        out.extend(encoder.finish().unwrap());
        out
    }

    fn ole(fill: u8) -> Vec<u8> {
        let mut ole = ole::SIGNATURE.to_vec();
        ole.extend([fill; 600]);
        ole
    }

    /// Children and facts of a presentation whose document stream is `document`.
    fn unpack(document: &[u8], token: u32) -> (Vec<Vec<u8>>, Vec<Fact>) {
        let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
        let mut user = vec![0; 12];
        user.extend(token.to_le_bytes());
        user.extend([0; 4]);
        for (name, data) in [("PowerPoint Document", document), ("Current User", &user)] {
            file.create_stream(name).unwrap().write_all(data).unwrap();
        }
        file.flush().unwrap();
        let artifact = Artifact::alone(Kind::Ppt, file.into_inner().into_inner().into());
        let budget = Budget::new(Limits::default(), None);
        let mut seen = Seen::default();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        run(&artifact, &mut nest).unwrap();
        let children = nest.children.iter().map(|child| child.data.to_vec());
        (children.collect(), nest.facts)
    }

    const PLAIN: u32 = 0xe391_c05f;

    #[test]
    fn objects_are_children_compressed_or_not() {
        let document = [record(0x10, &packed(&ole(1))), record(0, &ole(2))].concat();
        assert_eq!(unpack(&document, PLAIN), (vec![ole(1), ole(2)], vec![]));
    }

    #[test]
    fn one_bad_object_does_not_hide_the_rest() {
        let document = [
            record(0x10, b"\x05\0\0\0rubbish"),
            record(0x10, &packed(&ole(1))),
        ]
        .concat();
        let (children, facts) = unpack(&document, PLAIN);
        assert_eq!(children, [ole(1)]);
        assert!(matches!(facts.as_slice(), [Fact::Unread { .. }]));
    }

    #[test]
    fn a_cut_object_gives_what_is_there_and_is_unread() {
        let noise: Vec<u8> = (0..4000u32)
            .flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes())
            .collect();
        let whole = [ole(1), noise].concat();
        let document = record(0x10, &packed(&whole));
        let (children, facts) = unpack(&document[..document.len() - 900], PLAIN);
        assert!(whole.starts_with(&children[0]) && children[0].len() > 4000);
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })));
    }

    #[test]
    fn an_encrypted_presentation_is_left_alone() {
        let document = record(0x10, b"\x05\0\0\0encrypted");
        assert_eq!(unpack(&document, 0xf3d1_c4df), (vec![], vec![]));
    }
}
