//! PowerPoint 97 to 2003 ([MS-PPT]): what the document stream keeps of macros and objects. Offsets of persist objects
//! count from the start of the stream (2.3.4), so every record keeps its length: stored objects are disarmed as
//! compound files of their own and put back where they fit, else an empty one takes their place.

use std::io::Write as _;

use super::asked::{COMMANDS, Log, MACROS, OBJECTS, OUTSIDE, PACKAGES, PROGRAMS, SHEETS};
use super::compound::{self, Wanted, put};
use super::{Disarmer, FindingId, Refusal};
use crate::bytes::{index, length, u16_at, u32_at};
use crate::formats::offcrypto;
use crate::formats::ole::{Changes, Ole, is_compound};
use crate::formats::ppt::{self, Storage};
use crate::limits::{Account, Budget, Fault, Halt, Metered};
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "powerpoint_binary",
    kinds: &[Kind::Ppt],
    findings: &[
        MACROS, SHEETS, COMMANDS, PACKAGES, PROGRAMS, OBJECTS, OUTSIDE,
    ],
    run: compound::run,
};

/// Types of records (2.13.24).
const VBA_INFO_ATOM: u16 = 0x0400;
const INTERACTIVE_INFO_ATOM: u16 = 0x0ff3;

/// Size of a record header (2.3.1), and the version of a record that holds records.
const HEADER: usize = 8;
const CONTAINER: u16 = 0xf;

/// Where the action of an InteractiveInfoAtom stands (2.8.2), and two of its values.
const ACTION: usize = 8;
const RUN_MACRO: u8 = 1;
const RUN_PROGRAM: u8 = 2;

/// Edits the document stream; `None` where nothing of what has to go is there.
pub(super) fn edit(
    stream: &[u8],
    user: &[u8],
    wanted: &Wanted,
    log: &mut Log,
    depth: u32,
    budget: &Budget,
) -> Result<Option<Vec<u8>>, Refusal> {
    if offcrypto::presentation(user, stream).is_some() {
        return Err(Refusal::Locked);
    }
    let mut out = stream.to_vec();
    let mut edited = atoms(stream, &mut out, wanted, log, budget)?;
    let found = ppt::storages(stream, budget).map_err(Refusal::Limit)?;
    if found.more {
        return Err(Refusal::Limit(Halt::Ceiling(
            "candidates for PowerPoint objects",
        )));
    }
    let mut read_to = 0;
    for storage in found.storages {
        if storage.at < read_to {
            continue;
        }
        let body = stream.get(storage.start..storage.end).unwrap_or_default();
        let Some((object, packing)) = unpacked(body, storage, budget)? else {
            continue;
        };
        read_to = storage.end;
        if let Some(cleaned) = compound::clean(&object, wanted, log, depth, budget)? {
            let body = fitting(&cleaned, &object, packing, body.len(), budget)?;
            put(&mut out, storage.start, &body);
            edited = true;
        }
    }
    Ok(edited.then_some(out))
}

/// Takes references to macros and programs out of records without records in them.
fn atoms(
    stream: &[u8],
    out: &mut [u8],
    wanted: &Wanted,
    log: &mut Log,
    budget: &Budget,
) -> Result<bool, Refusal> {
    let mut edited = false;
    let mut told = |finding: &FindingId, what: &str, at: usize| {
        log.add(finding, &format!("PowerPoint Document: {what} at {at}"));
        edited = true;
    };
    let mut at = 0usize;
    // Containers are entered by passing over their header only. Ends because every round takes a header.
    while let (Some(head), Some(kind), Some(len)) = (
        u16_at(stream, at),
        u16_at(stream, at.saturating_add(2)),
        u32_at(stream, at.saturating_add(4)),
    ) {
        budget.tick().map_err(Refusal::Limit)?;
        let start = at.saturating_add(HEADER);
        let body = stream.get(start..).unwrap_or_default();
        let body = body.get(..index(len).min(body.len())).unwrap_or_default();
        match kind {
            // The reference to the project and whether there are macros (2.4.10).
            VBA_INFO_ATOM => {
                let refers = body.iter().take(8).any(|byte| *byte != 0);
                if let Some(finding) = wanted.macros.as_ref().filter(|_| refers) {
                    put(out, start, &[0; 8]);
                    told(finding, "reference to a macro project", at);
                }
            }
            INTERACTIVE_INFO_ATOM => {
                let finding = match body.get(ACTION) {
                    Some(&RUN_MACRO) => wanted.macros.as_ref(),
                    Some(&RUN_PROGRAM) => [&wanted.links, &wanted.macros, &wanted.packages]
                        .into_iter()
                        .find_map(Option::as_ref),
                    _ => None,
                };
                if let Some(finding) = finding {
                    put(out, start.saturating_add(ACTION), &[0]);
                    told(finding, "action of a shape", at);
                }
            }
            _ => {}
        }
        let skip = if head & 0xf == CONTAINER {
            0
        } else {
            index(len)
        };
        at = start.saturating_add(skip);
    }
    Ok(edited)
}

/// How an object is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    Plain,
    Zlib,
}

/// The compound file that an object is, compressed or not whatever its header says.
fn unpacked(
    body: &[u8],
    storage: Storage,
    budget: &Budget,
) -> Result<Option<(Vec<u8>, Packing)>, Refusal> {
    if is_compound(body) {
        budget.spend(body.len()).map_err(Refusal::Limit)?;
        return Ok(Some((body.to_vec(), Packing::Plain)));
    }
    if !storage.compressed && !ppt::zlib_follows(body) {
        return Ok(None);
    }
    let size = u32_at(body, 0).unwrap_or_default();
    let packed = Metered::new(body.get(4..).unwrap_or_default());
    let meter = packed.meter();
    let mut account = Account::new(length(body.len()));
    let mut decoder = flate2::bufread::ZlibDecoder::new(packed);
    let decoded = budget.read(&mut decoder, &meter, &mut account, size.into());
    if let Some(Fault::Halt(halt)) = decoded.fault {
        return Err(Refusal::Limit(halt));
    }
    Ok(is_compound(&decoded.data).then_some((decoded.data, Packing::Zlib)))
}

/// The bytes of a record of a given length with a disarmed object in it, or an empty one where that does not fit.
fn fitting(
    cleaned: &[u8],
    object: &[u8],
    packing: Packing,
    room: usize,
    budget: &Budget,
) -> Result<Vec<u8>, Refusal> {
    let broken = |what: &str| Refusal::Broken(what.to_owned());
    let mut body = packed(cleaned, packing).ok_or_else(|| broken("an object is too large"))?;
    if body.len() > room {
        let mut ole = Ole::open(object, budget).map_err(|_| broken("an object is not readable"))?;
        let mut changes = Changes {
            left_out: ole.children(ole.root()).collect(),
            without_class: true,
            ..Changes::default()
        };
        let empty = ole.changed(&mut changes);
        let empty = empty.map_err(Refusal::Limit)?;
        body = packed(&empty, packing).ok_or_else(|| broken("an object is too large"))?;
    }
    if body.len() > room {
        return Err(broken("an object is smaller than an empty one"));
    }
    body.resize(room, 0);
    Ok(body)
}

fn packed(object: &[u8], packing: Packing) -> Option<Vec<u8>> {
    if packing == Packing::Plain {
        return Some(object.to_vec());
    }
    let mut out = u32::try_from(object.len()).ok()?.to_le_bytes().to_vec();
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(object).ok()?;
    out.extend(encoder.finish().ok()?);
    Some(out)
}
