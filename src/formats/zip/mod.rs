//! ZIP ([APPNOTE] 6.3.10): what exists in a file, by every header in it.
//!
//! Readers disagree about damaged and forged archives: one believes the last end record, one the first local header,
//! one repairs. [`walk`] gives the union: the members of every central directory that an end record points at, and
//! every local header that no directory names. Bytes that members account for are not searched; everything between
//! them is. An ordinary archive costs one look at each of its headers.
//!
//! Decoding is not done here, nor is splitting a name into a path, nor are archives spread over several files joined.
//!
//! [APPNOTE]: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT

mod directory;
mod gaps;
mod header;

pub use header::{AES_METHOD, Lock, View, crc32};

use std::collections::BTreeMap;
use std::ops::Range;

use crate::bytes::{Deviation, index, slice};
use crate::limits::{Budget, Halt};

use directory::{Directory, End, Entry};
use gaps::Found;
use header::{CENTRAL, LOCAL};

/// Everything that makes up the archives of a file.
#[derive(Debug, Default)]
pub struct Archive<'a> {
    /// The members, those of the last directory first, in its order.
    pub members: Vec<Member<'a>>,
    /// What the specification does not allow.
    pub deviations: Vec<Deviation>,
    /// What could not be read.
    pub unread: Vec<Deviation>,
    /// Offset of an encrypted central directory: its members cannot even be counted.
    pub locked: Option<usize>,
}

/// One member as its headers show it; at least one of the two views is there.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// What the central directory says.
    pub central: Option<View<'a>>,
    /// What the local header says.
    pub local: Option<View<'a>>,
    /// Where data of unknown length ends at the latest.
    limit: usize,
    /// Odd things about it.
    pub deviations: Vec<Deviation>,
}

/// One way to read a member's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Compression method.
    pub method: u16,
    /// General purpose flags.
    pub flags: u16,
    /// How it is locked.
    pub lock: Option<Lock>,
    /// Where the compressed data lies.
    pub data: Range<usize>,
    /// Bytes of it that lie beyond the end of the file.
    pub missing: u64,
    /// Whether the length is known; if not, `data` reaches to the next member and the decoder finds the end.
    pub sized: bool,
    /// Claimed length of the content, where it is known.
    pub size: Option<u64>,
    /// Claimed CRC-32 of the content, where it is known.
    pub crc: Option<u32>,
}

/// Walks a file; `None` where it has neither an end record nor a plausible local or central header.
pub fn walk<'a>(data: &'a [u8], budget: &Budget) -> Result<Option<Archive<'a>>, Halt> {
    let mut walk = Walk::new(data);
    let ends = directory::ends(data, budget)?;
    for end in &ends {
        walk.directory.add_end(data, end, budget)?;
    }
    walk.place_entries(budget)?;
    let covered = walk.covered();
    let found = gaps::search(data, &covered, budget)?;
    let found_none = found.is_empty();
    let hidden = walk.add_found(found, budget)?;
    if ends.is_empty() && found_none {
        return Ok(None);
    }
    walk.judge_layout(&ends, &covered, &hidden);
    Ok(Some(walk.finish(ends.is_empty())))
}

/// Whether a local header that can be one stands at `at`.
pub fn is_local(data: &[u8], at: usize) -> bool {
    slice(data, at, 4) == Some(LOCAL) && View::local(data, at).is_ok_and(|view| view.is_plausible())
}

/// Whether the file ends with an end record that claims members, though nothing may be where it points.
pub fn ends_as_zip(data: &[u8]) -> bool {
    data.len()
        .checked_sub(directory::END_LEN)
        .and_then(|at| End::read(data, at))
        .is_some_and(|end| end.end == data.len() && end.entries() > 0)
}

/// Offset of the archive that ends within the last 64 KiB and a comment of the file and whose directory is where it
/// should be. Looks at nothing else: for files of another kind with a zip behind.
pub fn appended(data: &[u8], budget: &Budget) -> Result<Option<usize>, Halt> {
    /// An end record with the longest comment, and as much again behind it.
    const TAIL: usize = 22 + 2 * 0xffff;
    let from = data.len().saturating_sub(TAIL);
    let tail = data.get(from..).unwrap_or_default();
    let mut last = None;
    for at in memchr::memmem::find_iter(tail, directory::END) {
        budget.tick()?;
        let end = End::read(data, from.saturating_add(at)).filter(|end| end.holds(data));
        last = end.or(last);
    }
    let Some(end) = last else { return Ok(None) };
    let mut directory = Directory::default();
    directory.add_end(data, &end, budget)?;
    let places = directory.entries.iter().filter_map(|entry| {
        let (at, _) = place(data, entry)?;
        Some(at)
    });
    Ok(places.min())
}

/// The members as they are collected, and where their local headers lie.
struct Walk<'a> {
    data: &'a [u8],
    directory: Directory<'a>,
    members: Vec<Member<'a>>,
    /// Offset of a local header to the first member that it belongs to.
    by_local: BTreeMap<usize, usize>,
    /// Entries already made members.
    placed: usize,
}

impl<'a> Walk<'a> {
    fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            directory: Directory::default(),
            members: Vec::new(),
            by_local: BTreeMap::new(),
            placed: 0,
        }
    }

    /// Makes members of the directory entries that are none yet, each with the local header it points at.
    fn place_entries(&mut self, budget: &Budget) -> Result<(), Halt> {
        let entries = self.directory.entries.split_off(self.placed);
        for entry in entries {
            budget.tick()?;
            self.add(&entry);
            self.directory.entries.push(entry);
        }
        self.placed = self.directory.entries.len();
        Ok(())
    }

    fn add(&mut self, entry: &Entry<'a>) {
        let Some((at, odd)) = place(self.data, entry) else {
            self.members
                .push(Member::new(Some(entry.view.clone()), None, self.data.len()));
            return;
        };
        if let Some(&first) = self.by_local.get(&at)
            && let Some(member) = self.members.get_mut(first)
        {
            match &member.central {
                None => member.central = Some(entry.view.clone()),
                Some(central) if same(central, &entry.view) => member.deviations.push(
                    Deviation::new(entry.view.at, "listed more than once in the directory"),
                ),
                Some(_) => {
                    let mut other = member.clone();
                    other.central = Some(entry.view.clone());
                    other.deviations = vec![Deviation::new(
                        entry.view.at,
                        format!("shares the local header at offset {at} with another member"),
                    )];
                    self.members.push(other);
                }
            }
            return;
        }
        let mut member = Member::new(Some(entry.view.clone()), None, self.data.len());
        match View::local(self.data, at) {
            Ok(mut local) => {
                member.deviations.extend(local.widen());
                member.deviations.extend(odd);
                member.local = Some(local);
                self.by_local.insert(at, self.members.len());
            }
            Err(short) => member
                .deviations
                .push(Deviation::new(at, format!("local header is cut: {short}"))),
        }
        self.members.push(member);
    }

    /// What directories, end records and members account for, in order.
    fn covered(&mut self) -> Vec<(usize, usize)> {
        let mut covered = std::mem::take(&mut self.directory.covered);
        for member in &self.members {
            let (Some(central), Some(local)) = (&member.central, &member.local) else {
                continue;
            };
            let deferred = local.is_described() && local.compressed == 0;
            let claimed = if deferred {
                central.compressed
            } else {
                central.compressed.min(local.compressed)
            };
            let end = local.end.saturating_add(index(claimed));
            let end = end.min(self.data.len());
            let tail = local.descriptor_len(self.data, end, claimed, central.size);
            covered.push((local.at, end.saturating_add(tail)));
        }
        covered.sort_unstable();
        covered
    }

    /// Adds what was found between the members; gives the offsets of local headers that no directory names.
    fn add_found(&mut self, found: Found<'a>, budget: &Budget) -> Result<Vec<usize>, Halt> {
        let mut hidden = Vec::new();
        for (local, limit) in found.locals {
            if self.by_local.contains_key(&local.at) {
                continue;
            }
            self.by_local.insert(local.at, self.members.len());
            hidden.push(local.at);
            let mut member = Member::new(None, Some(local), limit);
            if let Some(local) = &mut member.local {
                member.deviations.extend(local.widen());
            }
            self.members.push(member);
        }
        for end in &found.ends {
            self.directory.add_end(self.data, end, budget)?;
        }
        for start in found.chains {
            if !self.directory.knows(start) {
                self.directory.chain(self.data, start, 0, budget)?;
            }
        }
        self.place_entries(budget)?;
        self.match_by_name(budget)?;
        hidden.retain(|at| {
            self.by_local
                .get(at)
                .and_then(|member| self.members.get(*member))
                .is_some_and(|member| member.central.is_none())
        });
        Ok(hidden)
    }

    /// Joins directory entries whose offset leads nowhere with local headers of the same name that nothing names.
    fn match_by_name(&mut self, budget: &Budget) -> Result<(), Halt> {
        let mut lost: BTreeMap<&'a [u8], Vec<usize>> = BTreeMap::new();
        for (at, member) in self.members.iter().enumerate().rev() {
            if let (Some(central), None) = (&member.central, &member.local) {
                lost.entry(central.name).or_default().push(at);
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        let mut joined = Vec::new();
        for at in 0..self.members.len() {
            budget.tick()?;
            let Some(member) = self.members.get(at) else {
                break;
            };
            let (None, Some(local)) = (&member.central, &member.local) else {
                continue;
            };
            let Some(other) = lost.get_mut(local.name).and_then(Vec::pop) else {
                continue;
            };
            let central = self
                .members
                .get(other)
                .and_then(|lost| lost.central.clone());
            if let (Some(member), Some(central)) = (self.members.get_mut(at), central) {
                member.deviations.push(Deviation::new(
                    central.at,
                    "central header: expected a local header at its offset, found it elsewhere by its name",
                ));
                member.central = Some(central);
                joined.push(other);
            }
        }
        joined.sort_unstable();
        let mut at = 0usize;
        self.members.retain(|_| {
            let keep = joined.binary_search(&at).is_err();
            at = at.saturating_add(1);
            keep
        });
        Ok(())
    }

    /// Notes what the layout of the file shows: bytes in front, behind and between, overlaps, unlisted members.
    fn judge_layout(&mut self, ends: &[End], covered: &[(usize, usize)], hidden: &[usize]) {
        if ends.is_empty() {
            self.note(0, "expected an end record, found none");
        }
        /// Unlisted members told one by one, at the most.
        const TOLD: usize = 16;
        if !ends.is_empty() {
            for at in hidden.iter().take(TOLD) {
                self.note(*at, "local header that no central directory names");
            }
            if let Some(at) = hidden.get(TOLD) {
                let more = hidden.len().saturating_sub(TOLD);
                self.note(
                    *at,
                    format!("{more} more local headers that no central directory names"),
                );
            }
        }
        let mut reached = 0usize;
        for &(start, end) in covered {
            if start > reached && !hidden_between(hidden, reached, start) {
                self.note_gap(reached, start);
            }
            if start < reached && start < end && self.by_local.contains_key(&start) {
                self.note(start, "member overlaps what stands in front of it");
            }
            reached = reached.max(end);
        }
        let comments = ends.iter().map(|end| end.end.min(self.data.len()));
        reached = comments.fold(reached, usize::max);
        if !ends.is_empty()
            && reached < self.data.len()
            && !hidden_between(hidden, reached, self.data.len())
        {
            let behind = self.data.len().saturating_sub(reached);
            self.note(reached, format!("{behind} bytes behind the end record"));
        }
        if ends.iter().any(|end| end.end > self.data.len()) {
            self.note(self.data.len(), "comment of the end record is cut");
        }
    }

    /// Padding and the signing block of Android packages are ordinary; other bytes between members are not.
    fn note_gap(&mut self, from: usize, to: usize) {
        let gap = self.data.get(from..to).unwrap_or_default();
        let signing_block = gap.ends_with(b"APK Sig Block 42");
        if gap.iter().all(|byte| *byte == 0) || signing_block {
            return;
        }
        let place = if from == 0 {
            "in front of the archive"
        } else {
            "between members"
        };
        self.note(from, format!("{} bytes {place}", gap.len()));
    }

    fn note(&mut self, at: usize, what: impl Into<String>) {
        self.directory.deviations.push(Deviation::new(at, what));
    }

    fn finish(mut self, endless: bool) -> Archive<'a> {
        for member in &mut self.members {
            member.compare(endless);
        }
        let found = crate::bytes::length(self.members.len());
        if let Some((at, expected)) = self
            .directory
            .broken
            .filter(|(_, expected)| *expected > found)
        {
            self.directory.unread.push(Deviation::new(
                at,
                format!("central directory is damaged: expected {expected} members, found {found}"),
            ));
        }
        Archive {
            members: self.members,
            deviations: self.directory.deviations,
            unread: self.directory.unread,
            locked: self.directory.locked,
        }
    }
}

/// Whether any of the offsets, which are in order, lies in a range.
fn hidden_between(hidden: &[usize], from: usize, to: usize) -> bool {
    let at = hidden.partition_point(|at| *at < from);
    hidden.get(at).is_some_and(|at| *at < to)
}

/// Where the local header of a central one lies, and what is odd about that: counted from the start of its archive,
/// else from the start of the file, else a damaged one with the same name.
fn place(data: &[u8], entry: &Entry<'_>) -> Option<(usize, Option<Deviation>)> {
    let stated = index(entry.view.offset);
    let places = [stated.saturating_add(entry.base), stated];
    let signed = |at: usize| slice(data, at, 4) == Some(LOCAL);
    let named = |at: usize| {
        let local = View::local(data, at);
        local.is_ok_and(|local| local.name == entry.view.name && !local.name.is_empty())
    };
    if let Some(at) = places.into_iter().find(|at| signed(*at) && named(*at)) {
        return Some((at, None));
    }
    if let Some(at) = places.into_iter().find(|at| signed(*at)) {
        return Some((at, None));
    }
    let at = places.into_iter().find(|at| named(*at))?;
    let what = "local header: expected its signature, found something else";
    Some((at, Some(Deviation::new(at, what))))
}

/// Whether two central headers say the same of a member.
fn same(one: &View<'_>, other: &View<'_>) -> bool {
    one.name == other.name
        && one.method == other.method
        && one.flags == other.flags
        && one.compressed == other.compressed
}

impl<'a> Member<'a> {
    fn new(central: Option<View<'a>>, local: Option<View<'a>>, limit: usize) -> Self {
        Self {
            central,
            local,
            limit,
            deviations: Vec::new(),
        }
    }

    /// Its name in raw bytes, as the central directory has it where there is one.
    pub fn name(&self) -> &'a [u8] {
        self.central
            .as_ref()
            .or(self.local.as_ref())
            .map_or(&[], |view| view.name)
    }

    /// Every plausible reading of its name, the likeliest first, those of the local header last; some may be equal.
    pub fn name_readings(&self) -> Vec<String> {
        let mut readings = match self.central.as_ref().or(self.local.as_ref()) {
            Some(view) => view.name_readings(),
            None => Vec::new(),
        };
        if let (Some(central), Some(local)) = (&self.central, &self.local)
            && (central.name, central.flags) != (local.name, local.flags)
        {
            readings.extend(local.name_readings());
        }
        readings
    }

    /// Whether it is a folder: named as one and without data in any view.
    pub fn is_folder(&self) -> bool {
        let mut views = self.central.iter().chain(&self.local);
        matches!(self.name().last(), Some(b'/' | b'\\'))
            && views.all(|view| view.size == 0 && view.compressed <= 2)
    }

    /// Offset of the header that leads to it.
    pub fn at(&self) -> usize {
        self.local
            .as_ref()
            .or(self.central.as_ref())
            .map_or(0, |view| view.at)
    }

    /// The plausible ways to read its data, that of the central directory first: one, or two where the headers
    /// disagree. Empty where there is no local header, so that nobody knows where the data is.
    pub fn readings(&self, data: &[u8]) -> Vec<Reading> {
        let Some(local) = &self.local else {
            return Vec::new();
        };
        let central = self
            .central
            .as_ref()
            .map(|central| self.reading(data, central, local, central.is_described()));
        let deferred = local.is_described() && (local.compressed == 0 || local.crc == 0);
        if deferred && let Some(central) = &central {
            // The local header leaves sizes to the directory: only its method and lock are a second word.
            let mut other = central.clone();
            (other.method, other.flags, other.lock) =
                (local.packed_by(), local.flags, local.lock());
            let differs = other.method != central.method || other.lock != central.lock;
            return std::iter::once(central.clone())
                .chain(differs.then_some(other))
                .collect();
        }
        let mut local_reading = self.reading(data, local, local, false);
        if deferred {
            local_reading = Reading {
                data: local.end.min(data.len())..self.limit.max(local.end).min(data.len()),
                missing: 0,
                sized: false,
                size: None,
                crc: None,
                ..local_reading
            };
        }
        match central {
            None => vec![local_reading],
            Some(central) => {
                let differs = central.method != local_reading.method
                    || central.lock != local_reading.lock
                    || central.data != local_reading.data;
                std::iter::once(central)
                    .chain(differs.then_some(local_reading))
                    .collect()
            }
        }
    }

    fn reading(&self, data: &[u8], view: &View<'_>, local: &View<'_>, described: bool) -> Reading {
        let start = local.end.min(data.len());
        let claimed = start.saturating_add(index(view.compressed));
        let end = claimed.min(data.len());
        Reading {
            method: view.packed_by(),
            flags: view.flags,
            lock: view.lock(),
            data: start..end,
            missing: crate::bytes::length(claimed.saturating_sub(end)),
            sized: true,
            size: Some(view.size),
            crc: (!described || view.crc != 0).then_some(view.crc),
        }
    }

    /// Notes where the two views disagree.
    fn compare(&mut self, endless: bool) {
        let (Some(central), Some(local)) = (&self.central, &self.local) else {
            if let (None, Some(local)) = (&self.local, &self.central)
                && !endless
            {
                self.deviations.push(Deviation::new(
                    local.at,
                    format!(
                        "expected a local header at offset {}, found none",
                        local.offset
                    ),
                ));
            }
            return;
        };
        let mut odd = Vec::new();
        let mut differ =
            |what: &str, central: &dyn std::fmt::Display, local: &dyn std::fmt::Display| {
                odd.push(format!(
                    "{what}: {central} in the directory, {local} in the local header"
                ));
            };
        if central.name != local.name {
            let show = |name| String::from_utf8_lossy(name).into_owned();
            differ("name", &show(central.name), &show(local.name));
        }
        if central.method != local.method {
            differ("method", &central.method, &local.method);
        }
        let lock = |view: &View<'_>| {
            view.lock()
                .map_or("none".to_owned(), |lock| lock.to_string())
        };
        if central.lock() != local.lock() {
            differ("encryption", &lock(central), &lock(local));
        }
        let deferred = local.is_described();
        if central.compressed != local.compressed && !(deferred && local.compressed == 0) {
            differ("compressed size", &central.compressed, &local.compressed);
        }
        if central.size != local.size && !(deferred && local.size == 0) {
            differ("size", &central.size, &local.size);
        }
        if central.crc != local.crc && !(deferred && local.crc == 0) {
            differ(
                "CRC-32",
                &format!("{:08x}", central.crc),
                &format!("{:08x}", local.crc),
            );
        }
        let at = local.at;
        self.deviations
            .extend(odd.into_iter().map(|what| Deviation::new(at, what)));
    }
}

/// Whether a central header stands at `at`.
fn is_central(data: &[u8], at: usize) -> bool {
    slice(data, at, 4) == Some(CENTRAL) && View::central(data, at).is_ok()
}
