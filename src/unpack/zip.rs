//! Zip archives and the documents and packages built on them: every member of every reading.
//!
//! What exists is decided by [`crate::formats::zip`]; here it is decoded, stored and deflated members from the slice,
//! other methods by the zip crate over a one-member archive made for it. Where the two headers of a member disagree,
//! both readings are decoded. Locked members are opened where a password is known, else told.

mod method;
#[cfg(test)]
pub(super) mod tests;
mod unlock;

use bytes::Bytes;

use crate::bytes::length;
use crate::formats::zip::{self, AES_METHOD, Member, Reading};
use crate::limits::{Fault, Halt};
use crate::model::{Artifact, Fact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How many times the file's own length its members may claim as compressed data: above it they share bytes, as
/// only bombs do.
const OVERLAP: u64 = 4;

/// Bytes behind the end of a member's compressed data that are worth a look: shorter ones hold no file.
const SLACK: usize = 64;

/// Pushes every member.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let Some(archive) = zip::walk(data, nest.budget())? else {
        return Err(Trouble::NotThis("no zip structure".to_owned()));
    };
    for deviation in archive.deviations {
        nest.deviation(deviation.at, text::excerpt(&deviation.what));
    }
    for unread in archive.unread {
        nest.unread(unread.at, text::excerpt(&unread.what));
    }
    if archive.locked.is_some() {
        nest.note(Fact::Locked {
            scheme: zip::Lock::Masked.to_string(),
            what: None,
        });
    }
    #[expect(
        clippy::disallowed_types,
        reason = "asked once a member, in constant time; its order is never seen"
    )]
    let mut names = std::collections::HashSet::new();
    let mut claimed = 0u64;
    for member in &archive.members {
        nest.tick()?;
        if member.is_folder() {
            continue;
        }
        let name = Name::from_readings(member.name().to_vec(), member.name_readings());
        for deviation in &member.deviations {
            let what = text::excerpt(&format!("{}: {}", name.text, deviation.what));
            nest.deviation(deviation.at, what);
        }
        if !names.insert(member.name()) {
            nest.deviation(
                member.at(),
                format!("{}: more than one member of this name", name.text),
            );
        }
        let taken = open(data, member, &name, nest)?;
        claimed = claimed.saturating_add(taken);
        if claimed > length(data.len()).saturating_mul(OVERLAP) {
            return Err(Trouble::TooMuch(Halt::Ceiling("members share their data")));
        }
    }
    Ok(())
}

/// What one reading of a member gave.
#[derive(Debug)]
struct Outcome {
    reading: Reading,
    payload: Payload,
    fault: Option<Fault>,
    /// Compressed bytes that the decoder took.
    taken: usize,
    /// Whether content and checksum are what the header says.
    whole: bool,
    /// Checksum of the content.
    crc: u32,
}

impl Outcome {
    fn bytes(&self) -> &Bytes {
        match &self.payload {
            Payload::Paid(bytes) | Payload::Unpaid(bytes) => bytes,
        }
    }

    fn halted(&self) -> bool {
        matches!(
            self.fault,
            Some(Fault::Halt(Halt::OutOfTime | Halt::Unpacked | Halt::Ratio))
        )
    }
}

/// Decodes a member in each of its readings and pushes what they gave; the number of compressed bytes taken.
fn open(
    data: &Bytes,
    member: &Member<'_>,
    name: &Name,
    nest: &mut Nest<'_>,
) -> Result<u64, Trouble> {
    let label = name.text.clone();
    let readings = member.readings(data);
    if readings.is_empty() {
        nest.unread(member.at(), format!("{label}: data not found"));
        return Ok(0);
    }
    let mut taken = 0u64;
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut lock = None;
    let mut unsupported = None;
    let others: Vec<Reading> = readings
        .iter()
        .filter(|reading| method::may_be_deflated(reading))
        .cloned()
        .collect();
    for reading in readings {
        if let Some(outcome) = unlocked(data, &reading, &label, nest) {
            taken = taken.saturating_add(length(outcome.taken));
            outcomes.push(outcome);
            break;
        }
        if reading.lock.is_some() && !plainly_readable(&reading) {
            lock = reading.lock;
            continue;
        }
        if !method::is_known(reading.method) {
            unsupported = Some(reading.method);
            continue;
        }
        let locked = reading.lock;
        let outcome = method::decode(data, reading, nest);
        taken = taken.saturating_add(length(outcome.taken));
        if locked.is_some() && !outcome.whole && !outcome.halted() {
            lock = locked;
            continue;
        }
        if locked.is_some() {
            nest.deviation(
                member.at(),
                format!("{label}: marked as encrypted, but is not"),
            );
        }
        let halted = outcome.halted();
        if !outcomes
            .iter()
            .any(|other| other.bytes() == outcome.bytes())
        {
            outcomes.push(outcome);
        }
        if halted {
            break;
        }
    }
    if !outcomes.iter().any(|one| one.whole || one.halted()) {
        for reading in others {
            let claimed = reading.method;
            let outcome = method::decode(data, method::deflated(reading), nest);
            if outcome.fault.is_none() && outcome.reading.crc == Some(outcome.crc) {
                let what = format!("{label}: marked as method {claimed}, but deflated");
                nest.deviation(member.at(), what);
                taken = taken.saturating_add(length(outcome.taken));
                unsupported = None;
                outcomes.push(outcome);
                break;
            }
        }
    }
    let whole = outcomes.iter().any(|outcome| outcome.whole);
    if !whole {
        if let Some(lock) = lock {
            nest.note(Fact::Locked {
                scheme: lock.to_string(),
                what: Some(label.clone()),
            });
        }
        if let Some(method) = unsupported {
            nest.note(Fact::NoReader {
                what: format!("{label}: compression method {method}"),
            });
        }
    }
    for outcome in outcomes {
        let told = if outcome.whole || !whole {
            Told::All
        } else {
            Told::Nothing
        };
        push(data, outcome, name, told, nest)?;
    }
    Ok(taken)
}

/// Decodes a locked member with a password that opens it.
fn unlocked(data: &Bytes, reading: &Reading, label: &str, nest: &mut Nest<'_>) -> Option<Outcome> {
    let lock = reading.lock?;
    if reading.missing > 0 || !method::is_known(reading.method) {
        return None;
    }
    let raw = data.get(reading.data.clone())?;
    let opened = nest.unlock(&lock.to_string(), Some(label), |word| {
        unlock::open(raw, reading, word)
    })?;
    let opened = Bytes::from(opened);
    let plain = Reading {
        lock: None,
        data: 0..opened.len(),
        sized: true,
        // AE-2 has no checksum.
        crc: reading
            .crc
            .filter(|crc| *crc != 0 || !matches!(lock, zip::Lock::Aes(_))),
        ..reading.clone()
    };
    let mut outcome = method::decode(&opened, plain, nest);
    // Its place in the file is that of the locked bytes.
    outcome.reading.data = reading.data.clone();
    outcome.taken = raw.len();
    Some(outcome)
}

/// Whether what is wrong with a reading is to be told: not where another reading of the member is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    All,
    Nothing,
}

/// A lock that may be a lie: a set bit over plain data costs one look.
fn plainly_readable(reading: &Reading) -> bool {
    reading.method != AES_METHOD
        && matches!(reading.lock, Some(zip::Lock::ZipCrypto | zip::Lock::Strong))
        && matches!(reading.method, 0 | 8)
}

fn push(
    data: &Bytes,
    outcome: Outcome,
    name: &Name,
    told: Told,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let at = outcome.reading.data.start;
    let slack = outcome
        .reading
        .data
        .end
        .saturating_sub(at.saturating_add(outcome.taken));
    if told == Told::All {
        tell(&outcome, &name.text, nest);
    }
    let end = if outcome.reading.sized {
        outcome.reading.data.end
    } else {
        at.saturating_add(outcome.taken)
    };
    let empty = outcome.bytes().is_empty();
    let sized = outcome.reading.sized;
    let nothing = empty && outcome.fault.is_some();
    let halted = outcome.halted();
    let fault = outcome.fault.filter(|_| halted || told == Told::All);
    if nothing {
        if let Some(fault) = fault {
            nest.note(Trouble::from(fault).into_fact(&name.text));
        }
        return Ok(());
    }
    let child = Child::new("zip-member", outcome.payload)
        .named(name.clone())
        .at(at..end);
    nest.push_decoded(child, fault, &name.text)?;
    if sized && slack >= SLACK && told == Told::All {
        nest.deviation(
            at.saturating_add(outcome.taken),
            format!(
                "{}: {slack} bytes behind the end of its compressed data",
                name.text
            ),
        );
        let from = at.saturating_add(outcome.taken);
        if from < end {
            let child = Child::new("zip-slack", data.slice(from..end)).at(from..end);
            nest.push(child)?;
        }
    }
    Ok(())
}

/// Notes how the content differs from what the header says of it.
fn tell(outcome: &Outcome, label: &str, nest: &mut Nest<'_>) {
    let Reading {
        data,
        missing,
        size,
        crc,
        ..
    } = &outcome.reading;
    if *missing > 0 {
        nest.unread(
            data.end,
            format!("{label}: {missing} bytes lie beyond the end of the file"),
        );
        return;
    }
    if outcome.fault.is_some() {
        return;
    }
    let found = length(outcome.bytes().len());
    if let Some(size) = size.filter(|size| *size != found) {
        nest.deviation(
            data.start,
            format!("{label}: expected {size} bytes, found {found}"),
        );
    }
    if let Some(crc) = crc.filter(|crc| *crc != outcome.crc) {
        nest.deviation(
            data.start,
            format!(
                "{label}: expected CRC-32 {crc:08x}, found {:08x}",
                outcome.crc
            ),
        );
    }
}
