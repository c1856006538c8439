//! Decoding one reading of a member by its compression method.

use std::cell::Cell;
use std::io::{Cursor, Read};
use std::rc::Rc;

use bytes::Bytes;

use crate::bytes::length;
use crate::formats::zip::{Reading, crc32};
use crate::limits::{Decoded, Fault};
use crate::unpack::{Nest, Payload};

use super::Outcome;

const STORED: u16 = 0;
const DEFLATE: u16 = 8;
const SHRINK: u16 = 1;
const IMPLODE: u16 = 6;
const LZMA: u16 = 14;
const PPMD: u16 = 98;

/// Methods whose decoders stop at their own end mark: the claimed size is not needed.
const SELF_ENDING: [u16; 5] = [9, 12, 93, 95, 20];

/// Output of the old methods at the most, beside the ratio: their decoders make all of it in one go before the budget
/// sees a byte.
const LEGACY_FLOOR: u64 = 32 << 20;
const LEGACY_RATIO: u64 = 250;

/// Dictionary of an LZMA member at the most: it is allocated by its claim.
const LZMA_DICTIONARY: u32 = 64 << 20;

/// Megabytes of memory that a PPMd member may claim, less one, as its header has them: 64 MiB.
const PPMD_MEGABYTES: u16 = 63;

/// The crate's word for content that is all there but has another checksum; checksums are compared by the caller.
const CHECKSUM: &str = "Invalid checksum";

/// Whether there is a decoder for a method (4.4.5).
pub(super) fn is_known(method: u16) -> bool {
    matches!(
        method,
        STORED..=IMPLODE | DEFLATE | 9 | 12 | LZMA | 20 | 93 | 95 | PPMD
    )
}

/// Whether a member may be deflated although it is marked as something else: its checksum will tell.
pub(super) fn may_be_deflated(reading: &Reading) -> bool {
    let marked = reading.method == STORED || !is_known(reading.method);
    let telling = reading.crc.is_some_and(|crc| crc != 0);
    marked && telling && reading.lock.is_none() && reading.missing == 0
}

/// The reading of a member as deflated.
pub(super) fn deflated(reading: Reading) -> Reading {
    Reading {
        method: DEFLATE,
        ..reading
    }
}

/// Decodes a reading of a known method.
pub(super) fn decode(data: &Bytes, reading: Reading, nest: &mut Nest<'_>) -> Outcome {
    if reading.method == STORED {
        let bytes = data.slice(reading.data.clone());
        let taken = bytes.len();
        return outcome(reading, Payload::Unpaid(bytes), None, taken);
    }
    let raw = data.get(reading.data.clone()).unwrap_or_default();
    let expected = reading.size.unwrap_or_default();
    if reading.method == DEFLATE {
        let mut meter: Rc<Cell<u64>> = Rc::default();
        let Decoded { data, fault } = nest.inflate(raw, expected, |metered| {
            meter = metered.meter();
            flate2::bufread::DeflateDecoder::new(metered)
        });
        let taken = usize::try_from(meter.get()).unwrap_or(raw.len());
        return outcome(reading, Payload::Paid(data.into()), fault, taken);
    }
    let Decoded { data, fault } =
        to_its_mark(raw, &reading, nest).unwrap_or_else(|| by_crate(raw, &reading, nest));
    outcome(reading, Payload::Paid(data.into()), fault, raw.len())
}

fn outcome(reading: Reading, payload: Payload, fault: Option<Fault>, taken: usize) -> Outcome {
    let mut outcome = Outcome {
        reading,
        payload,
        fault,
        taken,
        whole: false,
        crc: 0,
    };
    outcome.crc = crc32(outcome.bytes());
    let reading = &outcome.reading;
    let fits = reading.crc.is_none_or(|crc| crc == outcome.crc)
        && reading
            .size
            .is_none_or(|size| size == length(outcome.bytes().len()));
    outcome.whole = outcome.fault.is_none() && reading.missing == 0 && fits;
    outcome
}

/// Decodes an LZMA member that ends at its own mark (5.8.9, bit 1), whatever its claimed size; `None` where it does not
/// come to that mark.
fn to_its_mark(raw: &[u8], reading: &Reading, nest: &mut Nest<'_>) -> Option<Decoded> {
    /// Version, length of the properties, properties (5.8.8).
    const HEADER: usize = 9;
    if reading.method != LZMA || reading.flags & 2 == 0 {
        return None;
    }
    let &[_, _, 5, 0, properties, a, b, c, d] = raw.get(..HEADER)? else {
        return None;
    };
    let dictionary = u32::from_le_bytes([a, b, c, d]).min(LZMA_DICTIONARY);
    let body = raw.get(HEADER..)?;
    let mut decoder =
        lzma_rust2::LzmaReader::new_with_props(body, u64::MAX, properties, dictionary, None)
            .ok()?;
    let expected = reading.size.unwrap_or_default();
    let decoded = nest.read(&mut decoder, raw.len(), expected);
    (!matches!(decoded.fault, Some(Fault::Broken(_)))).then_some(decoded)
}

/// Decodes by the zip crate, over an archive with nothing but this member.
fn by_crate(raw: &[u8], reading: &Reading, nest: &mut Nest<'_>) -> Decoded {
    let broken = |error: &dyn std::fmt::Display| Decoded {
        data: Vec::new(),
        fault: Some(Fault::Broken(error.to_string())),
    };
    let claimed = reading
        .size
        .unwrap_or_else(|| length(raw.len()).saturating_mul(LEGACY_RATIO));
    let unbounded = SELF_ENDING.contains(&reading.method);
    let ceiling = length(raw.len())
        .saturating_mul(LEGACY_RATIO)
        .max(LEGACY_FLOOR);
    let size = match reading.method {
        _ if unbounded => u64::from(u32::MAX - 1),
        SHRINK..=IMPLODE => claimed.min(ceiling),
        _ => claimed,
    };
    let Some(archive) = one_member(raw, reading, size.min(u64::from(u32::MAX - 1))) else {
        return broken(&"longer than a member can be");
    };
    let mut archive = match zip::ZipArchive::new(Cursor::new(archive)) {
        Ok(archive) => archive,
        Err(error) => return broken(&error),
    };
    let mut decoder = match archive.by_index(0) {
        Ok(decoder) => decoder,
        Err(error) => return broken(&error),
    };
    // A decoder without an end mark of its own would go on with noise.
    let limit = if unbounded { u64::MAX } else { size };
    let expected = reading.size.unwrap_or_default();
    let mut decoded = nest.read(&mut (&mut decoder).take(limit), raw.len(), expected);
    if decoded.fault == Some(Fault::Broken(CHECKSUM.to_owned())) {
        decoded.fault = None;
    }
    if decoded.fault.is_none() && size < claimed && !unbounded {
        decoded.fault = Some(Fault::Halt(crate::limits::Halt::Ceiling(
            "size claimed by a legacy method",
        )));
    }
    decoded
}

/// A zip of one member around compressed bytes; `None` where they do not fit 32-bit fields.
fn one_member(raw: &[u8], reading: &Reading, size: u64) -> Option<Vec<u8>> {
    let len = u32::try_from(raw.len()).ok()?;
    let size = u32::try_from(size).ok()?;
    let mut shared = Vec::with_capacity(26);
    shared.extend(63u16.to_le_bytes());
    // The bits that change how old methods and LZMA are read; no encryption, no descriptor.
    shared.extend((reading.flags & 0b110).to_le_bytes());
    shared.extend(reading.method.to_le_bytes());
    shared.extend([0, 0, 0x21, 0]);
    shared.extend(reading.crc.unwrap_or_default().to_le_bytes());
    shared.extend(len.to_le_bytes());
    shared.extend(size.to_le_bytes());
    shared.extend([1, 0, 0, 0]);
    let mut archive = Vec::with_capacity(raw.len().saturating_add(128));
    archive.extend(b"PK\x03\x04");
    archive.extend(&shared);
    archive.push(b'a');
    let body = archive.len();
    archive.extend(raw);
    tame(reading.method, archive.get_mut(body..)?);
    let directory = u32::try_from(archive.len()).ok()?;
    archive.extend(b"PK\x01\x02\x3f\x00");
    archive.extend(&shared);
    archive.extend([0; 14]);
    archive.push(b'a');
    archive.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x2f\0\0\0");
    archive.extend(directory.to_le_bytes());
    archive.extend([0, 0]);
    Some(archive)
}

/// Lowers memory claims in the headers of methods that allocate by them (5.8.8, 5.10). Content that needs more than
/// the ceiling decodes to a fault, not to other bytes.
fn tame(method: u16, body: &mut [u8]) {
    if method == LZMA
        && let Some(field) = body.get_mut(5..9)
        && let Ok(bytes) = <[u8; 4]>::try_from(&*field)
    {
        let dictionary = u32::from_le_bytes(bytes).min(LZMA_DICTIONARY);
        field.copy_from_slice(&dictionary.to_le_bytes());
    }
    if method == PPMD
        && let Some(field) = body.get_mut(..2)
        && let Ok(bytes) = <[u8; 2]>::try_from(&*field)
    {
        let parameters = u16::from_le_bytes(bytes);
        let megabytes = (parameters >> 4 & 0xff).min(PPMD_MEGABYTES);
        let parameters = parameters & 0xf00f | megabytes << 4;
        field.copy_from_slice(&parameters.to_le_bytes());
    }
}
