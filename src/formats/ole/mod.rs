//! Compound files ([MS-CFB]): header, allocation tables, directory, streams.
//!
//! Made for looking into files that may be damaged or made to mislead: entries are told by position, never by
//! path; every entry is listed, also those that the tree does not lead to; a chain that breaks gives what came
//! before. What was odd is told as deviations. Left out on purpose: writing, timestamps, the order of siblings,
//! transactions.

mod chain;
mod copy;
mod directory;
mod header;
mod stream;

use std::ops::Range;

use crate::bytes::Deviation;
use crate::limits::{Budget, Fault};

pub use copy::Changes;
pub use directory::{Entry, ObjectType, Reach};
pub use header::{SIGNATURE, SIGNATURE_BETA, is_compound};
pub use stream::Stream;

use chain::{Chain, Marks, Table};
use directory::Directory;
use header::{Header, Sectors};

/// An opened compound file.
#[derive(Debug, Clone)]
pub struct Ole<'a> {
    sectors: Sectors<'a>,
    header: Header,
    fat: Table,
    directory: Directory,
    deviations: Vec<Deviation>,
    marks: Marks,
    mini: Option<Mini>,
    /// Bytes that streams may still give.
    allowance: u64,
}

/// The mini stream and its table (2.4, 2.6.2).
#[derive(Debug, Clone)]
struct Mini {
    table: Table,
    chain: Chain,
}

impl<'a> Ole<'a> {
    /// Reads header, FAT and directory. Fails only without a signature, on less than a header, or out of time.
    pub fn open(data: &'a [u8], budget: &Budget) -> Result<Self, Fault> {
        let mut deviations = Vec::new();
        let header = Header::read(data, &mut deviations)?;
        let sectors = Sectors {
            data,
            shift: header.shift,
        };
        let fat = Table::fat(&header, sectors, budget, &mut deviations).map_err(Fault::Halt)?;
        let directory = Directory::read(&header, &fat, sectors, budget, &mut deviations)
            .map_err(Fault::Halt)?;
        Ok(Self {
            sectors,
            header,
            fat,
            directory,
            deviations,
            marks: Marks::default(),
            mini: None,
            allowance: stream::allowance(data.len()),
        })
    }

    /// Entries in use, in the order of the directory; carved ones last.
    pub fn entries(&self) -> &[Entry] {
        &self.directory.entries
    }

    /// Whether a part of the directory lies behind the end of the file: what it lists is lost.
    pub fn is_cut(&self) -> bool {
        self.directory.is_cut
    }

    /// What was odd about header, tables and directory.
    pub fn deviations(&self) -> &[Deviation] {
        &self.deviations
    }

    /// Position of the root storage.
    pub fn root(&self) -> Option<usize> {
        self.directory.root
    }

    /// Class id of the root storage in its byte order in the file.
    pub fn root_clsid(&self) -> Option<[u8; 16]> {
        let root = self.directory.entries.get(self.directory.root?)?;
        Some(root.clsid)
    }

    /// Storages and name of an entry, joined by slashes; the root's name is left out. Names may hold slashes.
    pub fn path(&self, position: usize) -> String {
        self.directory.path(position)
    }

    /// Positions of the entries directly in a storage.
    pub fn children(&self, storage: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let entries = self.directory.entries.iter().enumerate();
        let inside = entries.filter(move |(position, entry)| {
            entry.parent == storage && Some(*position) != self.directory.root
        });
        inside.map(|(position, _)| position)
    }

    /// The entry of a name directly in a storage, upper and lower case alike, those of the tree first.
    pub fn find(&self, storage: Option<usize>, name: &str) -> Option<usize> {
        let named = |position: &usize| {
            let entry = self.directory.entries.get(*position);
            entry.is_some_and(|entry| same_name(&entry.name, name))
        };
        let in_tree = |position: &usize| {
            let entry = self.directory.entries.get(*position);
            entry.is_some_and(|entry| entry.reach == Reach::Tree)
        };
        self.children(storage)
            .find(|position| named(position) && in_tree(position))
            .or_else(|| self.children(storage).find(named))
    }

    /// Ranges of the file that hold the mini sectors given, neighbours joined.
    fn mini_ranges(&self, sectors: &[u32], container: &[u32]) -> Vec<Range<usize>> {
        let size = 1usize.checked_shl(self.header.mini_shift).unwrap_or(64);
        let per_sector = (self.sectors.size() / size).max(1);
        let ranges = sectors.iter().filter_map(|&mini| {
            let mini = crate::bytes::index(mini);
            let sector = *container.get(mini / per_sector)?;
            let inside = (mini % per_sector).saturating_mul(size);
            let start = self.sectors.offset(sector).saturating_add(inside);
            let end = start.saturating_add(size).min(self.sectors.data.len());
            (start < end).then_some(start..end)
        });
        stream::joined(ranges)
    }
}

/// Whether two names are the same to a compound file: simple upper case of each character (2.6.4).
pub fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b) || (!a.is_ascii() && a.to_uppercase() == b.to_uppercase())
}

#[cfg(test)]
mod tests;
