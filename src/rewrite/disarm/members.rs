//! Zip archives (APPNOTE 6.3.10) taken apart into members and written anew: packed bytes are copied, headers are ours.
//!
//! What is written has one directory, one header a member and nothing between them, so that whatever different readers
//! made of the old headers is gone. Dates are the first one that the format knows: equal input, equal bytes. A locked
//! member keeps its time, which its lock may be tied to. Archives of 4 GiB and members of 64 KiB names are refused, never
//! written wrongly.

use std::cell::Cell;
use std::io::Write as _;
use std::ops::Range;
use std::rc::Rc;

use bytes::Bytes;

use super::Refusal;
use crate::bytes::{Reader, length};
use crate::formats::zip::{self, Lock, Member, Reading, crc32};
use crate::limits::{Account, Budget, Fault, Halt, Metered};

const STORED: u16 = 0;
const DEFLATE: u16 = 8;

/// Flags that belong to the packed bytes or to the name: options of the method, UTF-8.
const KEPT_FLAGS: u16 = 1 << 1 | 1 << 2 | UTF8;
const UTF8: u16 = 1 << 11;

/// Flags of a locked member: its lock, and that its checksum and lengths follow its data (4.3.9), which makes the time in
/// its header what its password is checked against.
const LOCKED: u16 = 1;
const STREAMED: u16 = 1 << 3;

/// 1980-01-01, the first day of the format.
const DATE: u16 = 0x21;

/// One member of an archive.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    /// Its name as it is written.
    pub(super) name: Vec<u8>,
    /// Its name as it is read.
    pub(super) text: String,
    /// Whether it is a folder.
    pub(super) folder: bool,
    /// Where its packed bytes stood in the old archive; none for one that is new.
    pub(super) at: Option<Range<usize>>,
    flags: u16,
    method: u16,
    crc: u32,
    size: u64,
    packed: Bytes,
    made_by: u16,
    external: u32,
    seal: Option<Seal>,
}

/// What a locked member keeps of its headers.
#[derive(Debug, Clone)]
struct Seal {
    /// Time and date.
    time: [u8; 4],
    /// The field that tells of its cipher.
    extra: Vec<u8>,
}

/// What becomes of members that are locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Locked {
    /// Nobody has to take such an archive apart.
    Refused,
    /// They stay as they are.
    Kept,
}

impl Packed {
    /// A member with new content under a UTF-8 name.
    pub(super) fn new(name: &str, content: &[u8]) -> Result<Self, Refusal> {
        let mut member = Self {
            name: name.as_bytes().to_vec(),
            text: name.to_owned(),
            folder: false,
            at: None,
            flags: if name.is_ascii() { 0 } else { UTF8 },
            method: STORED,
            crc: 0,
            size: 0,
            packed: Bytes::new(),
            // Unix, version 2.0: an ordinary file.
            made_by: 3 << 8 | 20,
            external: 0o100_644 << 16,
            seal: None,
        };
        member.fill(content)?;
        Ok(member)
    }

    /// Puts new content into a member, packed if that is shorter.
    pub(super) fn fill(&mut self, content: &[u8]) -> Result<(), Refusal> {
        // What was locked would no longer be.
        if self.seal.is_some() {
            return Err(Refusal::Locked);
        }
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        let packed = encoder
            .write_all(content)
            .and_then(|()| encoder.finish())
            .map_err(|error| Refusal::Broken(error.to_string()))?;
        self.crc = crc32(content);
        self.size = length(content.len());
        self.flags &= UTF8;
        (self.method, self.packed) = if packed.len() < content.len() {
            (DEFLATE, packed.into())
        } else {
            (STORED, Bytes::copy_from_slice(content))
        };
        Ok(())
    }

    /// Puts content into a member as it is.
    pub(super) fn store(&mut self, content: &Bytes) {
        self.crc = crc32(content);
        self.size = length(content.len());
        self.flags &= UTF8;
        (self.method, self.packed) = (STORED, content.clone());
    }

    /// Gives it another name, in UTF-8.
    pub(super) fn rename(&mut self, name: &str) {
        self.name = name.as_bytes().to_vec();
        name.clone_into(&mut self.text);
        self.flags &= !UTF8;
        if !name.is_ascii() {
            self.flags |= UTF8;
        }
    }

    /// Its content, paid from the budget; the length and checksum that its headers claim are put right.
    pub(super) fn content(
        &mut self,
        budget: &Budget,
        account: &mut Account,
    ) -> Result<Bytes, Refusal> {
        if self.seal.is_some() {
            return Err(Refusal::Locked);
        }
        if self.method == STORED {
            budget.spend(self.packed.len()).map_err(Refusal::Limit)?;
            self.size = length(self.packed.len());
            self.crc = crc32(&self.packed);
            return Ok(self.packed.clone());
        }
        if self.method != DEFLATE {
            let method = self.method;
            return Err(Refusal::Broken(format!("{}: method {method}", self.text)));
        }
        let (data, taken) = inflate(&self.packed, self.size, budget, account)
            .map_err(|fault| refusal(&self.text, fault))?;
        self.packed.truncate(taken);
        self.size = length(data.len());
        self.crc = crc32(&data);
        Ok(data.into())
    }
}

/// An account for the members of one archive.
pub(super) fn account(data: &Bytes) -> Account {
    Account::new(length(data.len()))
}

fn refusal(what: &str, fault: Fault) -> Refusal {
    match fault {
        Fault::Halt(halt) => Refusal::Limit(halt),
        Fault::Broken(why) => Refusal::Broken(format!("{}: {why}", crate::text::excerpt(what))),
    }
}

/// Unpacks deflated data; also how much of it the decoder took.
fn inflate(
    packed: &[u8],
    expected: u64,
    budget: &Budget,
    account: &mut Account,
) -> Result<(Vec<u8>, usize), Fault> {
    let metered = Metered::new(packed);
    let meter: Rc<Cell<u64>> = metered.meter();
    let mut decoder = flate2::bufread::DeflateDecoder::new(metered);
    let decoded = budget.read(&mut decoder, &meter, account, expected);
    match decoded.fault {
        Some(fault) => Err(fault),
        None => Ok((
            decoded.data,
            crate::bytes::index(meter.get()).min(packed.len()),
        )),
    }
}

/// The members of an archive in its order: those of its directories; where it has none, those that stand in it.
pub(super) fn read(data: &Bytes, locked: Locked, budget: &Budget) -> Result<Vec<Packed>, Refusal> {
    let archive = zip::walk(data, budget).map_err(Refusal::Limit)?;
    let archive = archive.ok_or_else(|| Refusal::Broken("no zip structure".to_owned()))?;
    if archive.locked.is_some() {
        return Err(Refusal::Locked);
    }
    if let Some(unread) = archive.unread.first() {
        return Err(Refusal::Broken(unread.what.clone()));
    }
    let listed = archive
        .members
        .iter()
        .any(|member| member.central.is_some());
    let mut account = account(data);
    let mut members = Vec::new();
    for member in &archive.members {
        budget.tick().map_err(Refusal::Limit)?;
        if member.central.is_some() == listed {
            let member = packed(data, member, budget, &mut account)?;
            if member.seal.is_some() && locked == Locked::Refused {
                return Err(Refusal::Locked);
            }
            members.push(member);
        }
    }
    Ok(members)
}

fn packed(
    data: &Bytes,
    member: &Member<'_>,
    budget: &Budget,
    account: &mut Account,
) -> Result<Packed, Refusal> {
    let text = member.name_readings().into_iter().next();
    let text = text.unwrap_or_default();
    let broken = |why: &str| Refusal::Broken(format!("{}: {why}", crate::text::excerpt(&text)));
    let view = member.central.as_ref().or(member.local.as_ref());
    let reading = member.readings(data).into_iter().next();
    let (Some(view), Some(reading)) = (view, reading) else {
        return Err(broken("its data is not there"));
    };
    if reading.missing > 0 {
        return Err(broken("its data is cut"));
    }
    let raw = member.name();
    // A name that only an extra field spells right is written as that.
    let same = std::str::from_utf8(raw) == Ok(text.as_str());
    let (name, utf8) = match same || raw.is_ascii() || view.extra.is_empty() {
        true => (raw.to_vec(), view.flags & UTF8),
        false => (text.clone().into_bytes(), UTF8),
    };
    let mut packed = Packed {
        name,
        folder: member.is_folder(),
        at: Some(reading.data.clone()),
        flags: reading.flags & KEPT_FLAGS & !UTF8 | utf8,
        method: reading.method,
        crc: reading.crc.unwrap_or_default(),
        size: reading.size.unwrap_or_default(),
        packed: data.slice(reading.data.clone()),
        made_by: view.made_by,
        external: view.external,
        seal: None,
        text,
    };
    if let Some(lock) = reading.lock
        && !opens(&packed, &reading, budget, account)
    {
        packed.seal = seal(data, member, lock);
        if packed.seal.is_none() || !reading.sized {
            return Err(Refusal::Locked);
        }
        packed.method = view.method;
        packed.flags |= LOCKED | reading.flags & STREAMED;
        return Ok(packed);
    }
    let told = reading.sized && reading.crc.is_some() && reading.size.is_some();
    if !told {
        if packed.method == STORED && !reading.sized {
            return Err(Refusal::Broken(format!("{}: no length", packed.text)));
        }
        packed.content(budget, account)?;
    }
    Ok(packed)
}

/// What a locked member keeps of its headers; none where its lock is not one that a member has by itself.
fn seal(data: &[u8], member: &Member<'_>, lock: Lock) -> Option<Seal> {
    /// The field of AE-1 and AE-2.
    const AES: u16 = 0x9901;
    let local = member.local.as_ref()?;
    let time = data.get(local.at.checked_add(10)?..)?.first_chunk::<4>()?;
    let mut reader = Reader::new(local.extra);
    let mut extra = Vec::new();
    // Ends because every field takes at least four bytes.
    while let (Ok(id), Ok(len)) = (reader.u16("field"), reader.u16("length of a field")) {
        let Ok(field) = reader.take("field", usize::from(len)) else {
            break;
        };
        if id == AES {
            extra = [&id.to_le_bytes()[..], &len.to_le_bytes(), field].concat();
        }
    }
    let fits = match lock {
        Lock::ZipCrypto => true,
        Lock::Aes(_) => !extra.is_empty(),
        Lock::Strong | Lock::Masked => false,
    };
    fits.then_some(Seal { time: *time, extra })
}

/// Whether a member that is marked as locked is not: the mark alone keeps some readers from looking.
fn opens(packed: &Packed, reading: &Reading, budget: &Budget, account: &mut Account) -> bool {
    if matches!(reading.lock, Some(Lock::Aes(_) | Lock::Masked)) {
        return false;
    }
    let crc = match packed.method {
        STORED => crc32(&packed.packed),
        DEFLATE => match inflate(&packed.packed, packed.size, budget, account) {
            Ok((content, _)) => crc32(&content),
            Err(_) => return false,
        },
        _ => return false,
    };
    reading.crc == Some(crc)
}

/// Writes an archive of members.
pub(super) fn write(members: &[Packed], budget: &Budget) -> Result<Bytes, Refusal> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for member in members {
        budget.tick().map_err(Refusal::Limit)?;
        let offset = narrow(out.len())?;
        let shared = shared_header(member)?;
        let extra = member.seal.as_ref().map(|seal| seal.extra.as_slice());
        let extra = extra.unwrap_or_default();
        // Version 5.1 knows AES (4.4.3.2).
        let needed: u16 = if extra.is_empty() { 20 } else { 51 };
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&needed.to_le_bytes());
        out.extend_from_slice(&shared);
        out.extend_from_slice(&member.name);
        out.extend_from_slice(extra);
        out.extend_from_slice(&member.packed);
        if member.flags & STREAMED != 0 {
            out.extend_from_slice(b"PK\x07\x08");
            out.extend_from_slice(&sums(member)?);
        }
        directory.extend_from_slice(b"PK\x01\x02");
        // A local header alone tells no writing system.
        directory.extend_from_slice(&member.made_by.max(20).to_le_bytes());
        directory.extend_from_slice(&needed.to_le_bytes());
        directory.extend_from_slice(&shared);
        // No comment, first disk, no internal attributes.
        directory.extend_from_slice(&[0; 6]);
        directory.extend_from_slice(&member.external.to_le_bytes());
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(&member.name);
        directory.extend_from_slice(extra);
    }
    let (start, len) = (narrow(out.len())?, narrow(directory.len())?);
    let count = u16::try_from(members.len()).map_err(|_| too_large())?;
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    narrow(out.len())?;
    Ok(out.into())
}

/// Flags to the length of the extra field: the same in both headers.
fn shared_header(member: &Packed) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(24);
    out.extend_from_slice(&member.flags.to_le_bytes());
    out.extend_from_slice(&member.method.to_le_bytes());
    let [first, second] = DATE.to_le_bytes();
    let seal = member.seal.as_ref();
    let time = seal.map_or([0, 0, first, second], |seal| seal.time);
    out.extend_from_slice(&time);
    out.extend_from_slice(&sums(member)?);
    let extra = seal.map_or(0, |seal| seal.extra.len());
    for len in [member.name.len(), extra] {
        let len = u16::try_from(len).map_err(|_| too_large())?;
        out.extend_from_slice(&len.to_le_bytes());
    }
    Ok(out)
}

/// Checksum and lengths.
fn sums(member: &Packed) -> Result<Vec<u8>, Refusal> {
    let packed = narrow(member.packed.len())?;
    let size = u32::try_from(member.size).map_err(|_| too_large())?;
    let sums = [member.crc, packed, size].map(u32::to_le_bytes);
    Ok(sums.concat())
}

fn narrow(len: usize) -> Result<u32, Refusal> {
    match u32::try_from(len) {
        Ok(len) if len < u32::MAX => Ok(len),
        _ => Err(too_large()),
    }
}

fn too_large() -> Refusal {
    Refusal::Limit(Halt::Ceiling("a zip without its 64-bit records"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn members_are_read_back_and_written_again_byte_for_byte() {
        let budget = Budget::new(Limits::default(), None);
        let text = "a line that is repeated\n".repeat(40);
        let members = [
            Packed::new("日本.txt", text.as_bytes()).unwrap(),
            Packed::new("b", b"x").unwrap(),
        ];
        let first = write(&members, &budget).unwrap();
        let mut again = read(&first, Locked::Refused, &budget).unwrap();
        let names: Vec<&str> = again.iter().map(|member| member.text.as_str()).collect();
        assert_eq!(names, ["日本.txt", "b"]);
        let mut account = account(&first);
        assert_eq!(again[0].content(&budget, &mut account).unwrap(), text);
        assert_eq!(write(&again, &budget).unwrap(), first);
        assert!(write(&again, &budget).unwrap().len() < text.len());
    }

    #[test]
    fn what_is_cut_or_locked_is_refused() {
        let budget = Budget::new(Limits::default(), None);
        let whole = write(&[Packed::new("a", &[7; 500]).unwrap()], &budget).unwrap();
        assert!(read(&whole.slice(..20), Locked::Kept, &budget).is_err());
        let mut locked = whole.to_vec();
        locked[6] |= 1;
        locked[14] ^= 0xff;
        let directory = memchr::memmem::find(&locked, b"PK\x01\x02").unwrap();
        locked[directory + 8] |= 1;
        locked[directory + 16] ^= 0xff;
        let locked = Bytes::from(locked);
        let refused = read(&locked, Locked::Refused, &budget).unwrap_err();
        assert_eq!(refused, Refusal::Locked);
        let mut kept = read(&locked, Locked::Kept, &budget).unwrap();
        assert_eq!(write(&kept, &budget).unwrap(), locked);
        assert_eq!(kept[0].fill(b"x"), Err(Refusal::Locked));
        let opened = kept[0].content(&budget, &mut account(&locked));
        assert_eq!(opened, Err(Refusal::Locked));
        // One whose time its password is checked against keeps that, and its lengths behind its data.
        let mut streamed = locked.to_vec();
        for at in [6, directory + 8] {
            streamed[at] |= 8;
        }
        for at in [10, directory + 12] {
            streamed[at..at + 4].copy_from_slice(&[1, 2, 3, 4]);
        }
        let kept = read(&streamed.into(), Locked::Kept, &budget).unwrap();
        let written = write(&kept, &budget).unwrap();
        assert_eq!(written[10..14], [1, 2, 3, 4]);
        let end = memchr::memmem::find(&written, b"PK\x07\x08").unwrap();
        assert_eq!(written[end + 4..end + 16], written[14..26]);
        let again = read(&written, Locked::Kept, &budget).unwrap();
        assert_eq!(write(&again, &budget).unwrap(), written);
    }
}
