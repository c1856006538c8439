//! Streams ([MS-CFB] 2.3, 2.4): the bytes of an entry, without a copy where they lie in one piece.

use std::borrow::Cow;
use std::ops::Range;

use crate::bytes::{Deviation, index, length};
use crate::limits::Halt;

use super::chain::{Chain, Marks, Table};
use super::header::MINI_CUTOFF;
use super::{Entry, Mini, ObjectType, Ole};

/// How often all streams together may give each byte of the file: sectors may be shared by a lie, and without a
/// ceiling a small file would give a thousand times its size.
const SHARED: u64 = 8;

/// What small files may give beyond that.
const SMALL: u64 = 1 << 20;

/// Bytes that the streams of a file of `len` bytes may give together.
pub(super) fn allowance(len: usize) -> u64 {
    length(len).saturating_mul(SHARED).saturating_add(SMALL)
}

/// The bytes of a stream as far as they are there.
#[derive(Debug, Clone)]
pub struct Stream<'a> {
    /// The bytes; borrowed where they lie in one piece.
    pub data: Cow<'a, [u8]>,
    /// Where in the file they lie, in their order.
    pub ranges: Vec<Range<usize>>,
    /// What was odd about the chain.
    pub deviations: Vec<Deviation>,
    /// Bytes that the directory declares and that are not there.
    pub missing: u64,
}

impl Stream<'_> {
    /// The byte range of the file that the stream is, where it is one.
    pub fn range(&self) -> Option<Range<usize>> {
        match self.ranges.as_slice() {
            [range] => Some(range.clone()),
            _ => None,
        }
    }
}

impl<'a> Ole<'a> {
    /// Reads the stream of the entry at `position`; storages and unknown positions are empty.
    ///
    /// Fails where the streams of this file together give more than eight times its size.
    pub fn stream(&mut self, position: usize) -> Result<Stream<'a>, Halt> {
        let mut stream = Stream {
            data: Cow::Borrowed(&[]),
            ranges: Vec::new(),
            deviations: Vec::new(),
            missing: 0,
        };
        let Some(entry) = self.directory.entries.get(position) else {
            return Ok(stream);
        };
        if entry.object_type != ObjectType::Stream || entry.size == 0 {
            return Ok(stream);
        }
        let (at, size, start) = (entry.at, entry.size, entry.start);
        let (chain, mut ranges) = if size < MINI_CUTOFF {
            self.mini_chain(start, size)
        } else {
            let most = index(size).div_ceil(self.sectors.size());
            let chain = self.fat.follow(start, most, &mut self.marks);
            let ranges = self.ranges(&chain.sectors);
            (chain, ranges)
        };
        let len = cut(&mut ranges, index(size));
        self.allowance = self
            .allowance
            .checked_sub(length(len))
            .ok_or(Halt::Ceiling("compound file with shared sectors"))?;
        stream.missing = size.saturating_sub(length(len));
        stream.deviations = oddities(at, &chain, stream.missing, size);
        stream.data = gather(self.sectors.data, &ranges, len);
        stream.ranges = ranges;
        Ok(stream)
    }

    /// Follows a chain through the mini stream.
    fn mini_chain(&mut self, start: u32, size: u64) -> (Chain, Vec<Range<usize>>) {
        let mini = match self.mini.take() {
            Some(mini) => mini,
            None => self.open_mini(),
        };
        let mini_size = 1usize.checked_shl(self.header.mini_shift).unwrap_or(64);
        let most = index(size).div_ceil(mini_size);
        let chain = mini.table.follow(start, most, &mut self.marks);
        let ranges = self.mini_ranges(&chain.sectors, &mini.chain.sectors);
        self.mini = Some(mini);
        (chain, ranges)
    }

    /// The mini stream is the root's stream. Its chain is read to its end: the root's size may lie.
    fn open_mini(&self) -> Mini {
        let start = self
            .directory
            .root
            .and_then(|root| self.directory.entries.get(root))
            .map(|root: &Entry| root.start);
        let count = index(self.sectors.count());
        let mut marks = Marks::default();
        let chain = match start {
            Some(start) => self.fat.follow(start, count, &mut marks),
            None => Chain::default(),
        };
        let bytes = chain.sectors.len().saturating_mul(self.sectors.size());
        let minis = bytes.checked_shr(self.header.mini_shift).unwrap_or(0);
        let minis = u32::try_from(minis).unwrap_or(u32::MAX);
        let table = Table::mini_fat(&self.header, &self.fat, self.sectors, minis, &mut marks);
        Mini { table, chain }
    }

    fn ranges(&self, sectors: &[u32]) -> Vec<Range<usize>> {
        let end = self.sectors.data.len();
        joined(sectors.iter().filter_map(|&sector| {
            let start = self.sectors.offset(sector);
            let stop = start.saturating_add(self.sectors.size()).min(end);
            (start < stop).then_some(start..stop)
        }))
    }
}

/// Joins ranges that follow on each other.
pub(super) fn joined(ranges: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match out.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => out.push(range),
        }
    }
    out
}

/// Cuts ranges to `size` bytes together and tells how many there are.
fn cut(ranges: &mut Vec<Range<usize>>, size: usize) -> usize {
    let mut left = size;
    for range in ranges.iter_mut() {
        range.end = range.end.min(range.start.saturating_add(left));
        left = left.saturating_sub(range.len());
    }
    ranges.retain(|range| !range.is_empty());
    size.saturating_sub(left)
}

fn gather<'a>(data: &'a [u8], ranges: &[Range<usize>], len: usize) -> Cow<'a, [u8]> {
    if let [range] = ranges {
        return Cow::Borrowed(data.get(range.clone()).unwrap_or_default());
    }
    let mut out = Vec::with_capacity(len.min(data.len()));
    for range in ranges {
        out.extend_from_slice(data.get(range.clone()).unwrap_or_default());
    }
    Cow::Owned(out)
}

fn oddities(at: usize, chain: &Chain, missing: u64, size: u64) -> Vec<Deviation> {
    let mut deviations = Vec::new();
    if missing > 0 {
        let why = chain.broken.as_deref().unwrap_or("ends");
        deviations.push(Deviation::new(
            at,
            format!("stream: expected {size} bytes, {missing} are missing: its chain {why}"),
        ));
    }
    if chain.guessed {
        deviations.push(Deviation::new(
            at,
            "stream: its part of the FAT is lost, read as one piece",
        ));
    }
    deviations
}
