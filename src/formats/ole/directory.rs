//! The directory ([MS-CFB] 2.6): entries by index, their tree, and the entries that no tree leads to.

use crate::bytes::{Deviation, index, slice, u16_at, u32_at, u64_at};
use crate::limits::{Budget, Halt};

use super::chain::{Marks, Table};
use super::header::{Header, Sectors};

/// Size of an entry.
const ENTRY: usize = 128;

/// "No such entry" in sibling and child fields.
const NONE: u32 = 0xffff_ffff;

/// Storages above an entry that its path names; deeper ones are left out at the front.
const PATH_DEPTH: usize = 32;

/// Deviations of one directory that are told.
const TOLD: usize = 32;

/// What an entry is (2.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectType {
    /// A folder of streams and storages.
    Storage,
    /// A file.
    Stream,
    /// The storage that holds all.
    Root,
}

/// How an entry was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From the root by siblings and children, as every reader does.
    Tree,
    /// Only by looking at every entry.
    Orphan,
    /// In a sector that the directory's broken chain does not lead to.
    Carved,
}

/// A directory entry in use.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Offset of the entry in the file.
    pub at: usize,
    /// Position of its storage in the list of entries; `None` for the root and for entries of no storage.
    pub parent: Option<usize>,
    /// Its name; unpaired surrogates are replaced.
    pub name: String,
    /// Class id in its byte order in the file.
    pub clsid: [u8; 16],
    /// What it is.
    pub object_type: ObjectType,
    /// Size in bytes as declared.
    pub size: u64,
    /// How it was found.
    pub reach: Reach,
    pub(super) start: u32,
    left: u32,
    right: u32,
    child: u32,
}

/// All entries in use, in the order of the directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Directory {
    pub(super) entries: Vec<Entry>,
    /// Position of the root in `entries`.
    pub(super) root: Option<usize>,
    /// Whether sectors of it lie behind the end of the file.
    pub(super) is_cut: bool,
}

impl Directory {
    /// Reads the directory's chain, and the rest of the file where that chain is broken.
    pub(super) fn read(
        header: &Header,
        fat: &Table,
        sectors: Sectors<'_>,
        budget: &Budget,
        deviations: &mut Vec<Deviation>,
    ) -> Result<Self, Halt> {
        let count = index(sectors.count());
        let chain = fat.follow(header.first_directory, count, &mut Marks::default());
        let mut directory = Self::default();
        let mut notes = Vec::new();
        // Ids of siblings and children count all entries, also those not in use.
        let mut ids: Vec<Option<usize>> = Vec::new();
        for &sector in &chain.sectors {
            budget.tick()?;
            let at = sectors.offset(sector);
            for (raw, at) in entries(sectors.bytes(sector).unwrap_or_default(), at) {
                let entry = Entry::read(raw, at, header.major, &mut notes);
                ids.push(entry.as_ref().map(|_| directory.entries.len()));
                directory.entries.extend(entry);
            }
        }
        directory.find_root(&mut notes);
        let lost = directory.build_tree(&ids, budget, &mut notes)?;
        let broken = chain.broken.is_some() || chain.guessed;
        directory.is_cut = chain.is_cut;
        if let Some(why) = chain.broken {
            notes.push(Deviation::new(48, format!("directory chain {why}")));
        }
        if broken || lost || directory.root.is_none() {
            directory.carve(&chain.sectors, sectors, header.major, budget, &mut notes)?;
        }
        let more = notes.len().saturating_sub(TOLD);
        notes.truncate(TOLD);
        deviations.append(&mut notes);
        if more > 0 {
            deviations.push(Deviation::new(
                48,
                format!("directory: {more} more deviations"),
            ));
        }
        Ok(directory)
    }

    fn find_root(&mut self, notes: &mut Vec<Deviation>) {
        self.root = self
            .entries
            .iter()
            .position(|entry| entry.object_type == ObjectType::Root);
        if self.root != Some(0) {
            notes.push(Deviation::new(48, "directory: entry 0 is not the root"));
        }
        if let Some(root) = self.root.and_then(|root| self.entries.get_mut(root)) {
            root.reach = Reach::Tree;
        }
    }

    /// Gives every entry its storage: first those reached from the root, then those of storages that nothing leads
    /// to. Says whether a link leads out of the directory.
    fn build_tree(
        &mut self,
        ids: &[Option<usize>],
        budget: &Budget,
        notes: &mut Vec<Deviation>,
    ) -> Result<bool, Halt> {
        let mut walk = Walk {
            ids,
            visited: vec![false; self.entries.len()],
            lost: false,
        };
        let tops = self.root.into_iter().chain(0..self.entries.len());
        for top in tops.collect::<Vec<_>>() {
            let storage = self.entries.get(top);
            if storage.is_some_and(|entry| entry.object_type != ObjectType::Stream) {
                walk.below(top, &mut self.entries, budget, notes)?;
            }
        }
        for entry in self
            .entries
            .iter()
            .filter(|entry| entry.reach != Reach::Tree)
        {
            notes.push(Deviation::new(
                entry.at,
                format!("directory: nothing leads to {:?}", entry.name),
            ));
        }
        Ok(walk.lost)
    }

    /// Looks for directory entries in all sectors that the directory's chain did not reach.
    fn carve(
        &mut self,
        known: &[u32],
        sectors: Sectors<'_>,
        major: u16,
        budget: &Budget,
        notes: &mut Vec<Deviation>,
    ) -> Result<(), Halt> {
        let mut known = known.to_vec();
        known.sort_unstable();
        let mut ignored = Vec::new();
        for sector in 0..sectors.count() {
            budget.tick()?;
            if known.binary_search(&sector).is_ok() {
                continue;
            }
            let bytes = sectors.bytes(sector).unwrap_or_default();
            let found: Vec<_> = entries(bytes, sectors.offset(sector)).collect();
            // A sector of the directory holds nothing but entries, in use or empty.
            if !found
                .iter()
                .all(|(raw, _)| looks_like_entry(raw) || is_unused(raw))
            {
                continue;
            }
            for (raw, at) in found {
                if !looks_like_entry(raw) {
                    continue;
                }
                let Some(entry) = Entry::read(raw, at, major, &mut ignored) else {
                    continue;
                };
                let entry = Entry {
                    reach: Reach::Carved,
                    ..entry
                };
                notes.push(Deviation::new(
                    at,
                    format!("directory: entry {:?} found outside its chain", entry.name),
                ));
                if self.root.is_none() && entry.object_type == ObjectType::Root {
                    self.root = Some(self.entries.len());
                }
                self.entries.push(entry);
            }
        }
        Ok(())
    }

    /// Names from below the root to an entry. Ends because at most [`PATH_DEPTH`] storages are named.
    pub(super) fn path(&self, position: usize) -> String {
        let mut names = Vec::new();
        let mut next = Some(position);
        while let Some(entry) = next.and_then(|position| self.entries.get(position)) {
            if entry.object_type == ObjectType::Root || names.len() > PATH_DEPTH {
                break;
            }
            names.push(entry.name.as_str());
            next = entry.parent;
        }
        names.reverse();
        names.join("/")
    }
}

/// The way through siblings and children.
struct Walk<'a> {
    /// Entry id to position.
    ids: &'a [Option<usize>],
    visited: Vec<bool>,
    /// Whether a link led out of the directory.
    lost: bool,
}

impl Walk<'_> {
    /// Goes through everything below a storage that was not visited yet.
    fn below(
        &mut self,
        top: usize,
        entries: &mut [Entry],
        budget: &Budget,
        notes: &mut Vec<Deviation>,
    ) -> Result<(), Halt> {
        let Some(first) = entries.get(top).map(|entry| entry.child) else {
            return Ok(());
        };
        if !self.enter(top) {
            return Ok(());
        }
        let reach = entries.get(top).map_or(Reach::Orphan, |entry| entry.reach);
        // An explicit stack of (entry id, its storage). Ends because every entry is entered once.
        let mut open = vec![(first, top)];
        while let Some((id, storage)) = open.pop() {
            budget.tick()?;
            if id == NONE {
                continue;
            }
            let position = self.ids.get(index(id)).copied().flatten();
            let Some(entry) = position.and_then(|position| entries.get_mut(position)) else {
                self.lost = self.lost || index(id) >= self.ids.len();
                let at = entries.get(storage).map_or(0, |entry| entry.at);
                let what = format!("directory: link to entry {id}, which is not in use");
                notes.push(Deviation::new(at, what));
                continue;
            };
            let position = position.unwrap_or_default();
            if !self.enter(position) {
                // Storages that nothing leads to come in the order of the directory: a child may have come first.
                if reach == Reach::Tree {
                    let what = format!("directory: entry {id} is linked twice");
                    notes.push(Deviation::new(entry.at, what));
                }
                continue;
            }
            entry.parent = Some(storage);
            entry.reach = reach;
            open.extend([(entry.right, storage), (entry.left, storage)]);
            if entry.object_type != ObjectType::Stream {
                open.push((entry.child, position));
            }
        }
        Ok(())
    }

    /// Marks an entry; false where it was marked before.
    fn enter(&mut self, position: usize) -> bool {
        match self.visited.get_mut(position) {
            Some(visited) => !std::mem::replace(visited, true),
            None => false,
        }
    }
}

impl Entry {
    /// Reads one entry; `None` where it is not in use.
    fn read(raw: &[u8], at: usize, major: u16, notes: &mut Vec<Deviation>) -> Option<Self> {
        let mut odd = |field: usize, what: String| {
            notes.push(Deviation::new(at.saturating_add(field), what));
        };
        let object_type = match *raw.get(66)? {
            0 => return None,
            1 => ObjectType::Storage,
            5 => ObjectType::Root,
            2 => ObjectType::Stream,
            other => {
                // Lock bytes and property objects (3, 4) were never written; a stream is the reading that shows most.
                odd(
                    66,
                    format!("object type: expected 0, 1, 2 or 5, found {other}"),
                );
                ObjectType::Stream
            }
        };
        let len = u16_at(raw, 64)?;
        if len > 64 || len % 2 == 1 || len < 2 {
            odd(
                64,
                format!("name length: expected even and 2 to 64, found {len}"),
            );
        }
        let color = *raw.get(67)?;
        if color > 1 {
            odd(67, format!("colour: expected 0 or 1, found {color}"));
        }
        let child = u32_at(raw, 76)?;
        if object_type == ObjectType::Stream && child != NONE && child != 0 {
            odd(76, format!("a stream has the child {child}"));
        }
        let size = u64_at(raw, 120)?;
        let start = u32_at(raw, 116)?;
        // A root that claims more is no reason to believe in 64-bit sizes (2.6.1: version 3 ignores the upper half).
        let size = if major == 4 { size } else { size & 0xffff_ffff };
        Some(Self {
            at,
            parent: None,
            name: name(raw, usize::from(len)),
            clsid: slice(raw, 80, 16)?.try_into().ok()?,
            object_type,
            size,
            reach: Reach::Orphan,
            start,
            left: u32_at(raw, 68)?,
            right: u32_at(raw, 72)?,
            child,
        })
    }
}

/// The name up to its length in bytes, which counts a terminator; a length that cannot be is replaced by the first zero.
fn name(raw: &[u8], len: usize) -> String {
    let units: Vec<u16> = raw
        .get(..64)
        .unwrap_or_default()
        .chunks_exact(2)
        .filter_map(|pair| u16_at(pair, 0))
        .collect();
    let end = if (2..=64).contains(&len) {
        (len / 2).saturating_sub(1)
    } else {
        let zero = units.iter().position(|&unit| unit == 0);
        zero.unwrap_or(units.len())
    };
    String::from_utf16_lossy(units.get(..end).unwrap_or(&units))
}

/// The entries of a sector with their offsets in the file; a cut last one is left out.
fn entries(bytes: &[u8], at: usize) -> impl Iterator<Item = (&[u8], usize)> {
    let offsets = (0usize..).map(move |n| at.saturating_add(n.saturating_mul(ENTRY)));
    bytes.chunks_exact(ENTRY).zip(offsets)
}

/// Whether 128 bytes are an entry in use, as strictly as writers write them.
fn looks_like_entry(raw: &[u8]) -> bool {
    let len = usize::from(u16_at(raw, 64).unwrap_or_default());
    let kind = raw.get(66).copied().unwrap_or_default();
    let color = raw.get(67).copied().unwrap_or(u8::MAX);
    if !matches!(kind, 1 | 2 | 5) || color > 1 || len % 2 == 1 || !(4..=64).contains(&len) {
        return false;
    }
    let end = len.saturating_sub(2);
    u16_at(raw, end) == Some(0)
        && raw
            .get(..end)
            .is_some_and(|name| name.chunks_exact(2).all(|unit| unit != [0, 0]))
}

/// Whether 128 bytes are an entry not in use: no name, no type. Some writers give it the length of an empty name.
fn is_unused(raw: &[u8]) -> bool {
    raw.get(66) == Some(&0)
        && raw
            .get(..64)
            .is_some_and(|name| name.iter().all(|&byte| byte == 0))
}
