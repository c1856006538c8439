//! End records (APPNOTE 4.3.14 to 4.3.16) and the central directories that they point at.
//!
//! An end record is a claim: the directory is looked for where its size says it starts and where its offset says,
//! and its headers are followed as long as their signature goes on, whatever the count claims.

use std::collections::BTreeSet;

use crate::bytes::{Deviation, index, length, slice, u16_at, u32_at, u64_at};
use crate::limits::{Budget, Halt};

use super::header::{CENTRAL, View};

/// Signature of an end record.
pub(super) const END: &[u8; 4] = b"PK\x05\x06";
pub(super) const END_LEN: usize = 22;
const ZIP64_END: &[u8; 4] = b"PK\x06\x06";
const ZIP64_END_LEN: usize = 56;
const ZIP64_LOCATOR: &[u8; 4] = b"PK\x06\x07";
const ZIP64_LOCATOR_LEN: usize = 20;
/// Signature of the archive extra data record (4.3.11), which stands in front of an encrypted directory.
const ARCHIVE_EXTRA: &[u8; 4] = b"PK\x06\x08";
/// A signature over the directory (4.3.13).
const DIGITAL_SIGNATURE: &[u8; 4] = b"PK\x05\x05";

/// One end record.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Offset of the record.
    pub(super) at: usize,
    /// Offset behind its comment as the record claims it; may lie beyond the file.
    pub(super) end: usize,
    /// Offset of the zip64 record, where there is one, else of the end record: the directory ends here.
    pub(super) top: usize,
    claims: Vec<Claim>,
}

/// What one of the two records says of the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Claim {
    entries: u64,
    size: u64,
    offset: u64,
}

impl End {
    /// Reads the end record at `at`, with the zip64 record in front of it.
    pub(super) fn read(data: &[u8], at: usize) -> Option<Self> {
        let record = slice(data, at, END_LEN)?;
        if !record.starts_with(END) {
            return None;
        }
        let narrow = Claim {
            entries: u64::from(u16_at(record, 10)?),
            size: u64::from(u32_at(record, 12)?),
            offset: u64::from(u32_at(record, 16)?),
        };
        let comment = usize::from(u16_at(record, 20)?);
        let end = at.saturating_add(END_LEN).saturating_add(comment);
        let wide = wide(data, at);
        let top = wide.as_ref().map_or(at, |(top, _)| *top);
        let saturated =
            narrow.entries == 0xffff || narrow.size == 0xffff_ffff || narrow.offset == 0xffff_ffff;
        let mut claims = Vec::with_capacity(1);
        if let Some((_, claim)) = wide {
            claims.push(claim);
            if !saturated && !claims.contains(&narrow) {
                claims.push(narrow);
            }
        } else {
            claims.push(narrow);
        }
        Some(Self {
            at,
            end,
            top,
            claims,
        })
    }

    /// Whether the claims lead to a central header, or fit an archive without members.
    pub(super) fn holds(&self, data: &[u8]) -> bool {
        self.claims.iter().any(|claim| {
            let empty = claim.entries == 0 && claim.size == 0;
            empty
                || claim
                    .starts(self.top)
                    .any(|start| slice(data, start, 4) == Some(CENTRAL))
        })
    }

    /// Members that it claims.
    pub(super) fn entries(&self) -> u64 {
        self.claims.first().map_or(0, |claim| claim.entries)
    }

    /// Offset at which the archive of this record starts: what stands in front of it is not counted in its offsets.
    pub(super) fn base(&self) -> usize {
        self.claims
            .first()
            .map(|claim| {
                self.top
                    .saturating_sub(index(claim.size))
                    .saturating_sub(index(claim.offset))
            })
            .unwrap_or_default()
    }
}

impl Claim {
    /// Where the directory may start: its size counted back from the end record, then the offset as it stands.
    fn starts(&self, top: usize) -> impl Iterator<Item = usize> {
        let by_size = top.checked_sub(index(self.size));
        let by_offset = Some(index(self.offset)).filter(|at| Some(*at) != by_size);
        by_size.into_iter().chain(by_offset)
    }
}

/// The zip64 end record that the locator in front of `at` leads to: where the locator says, else right before it.
fn wide(data: &[u8], at: usize) -> Option<(usize, Claim)> {
    let locator = at.checked_sub(ZIP64_LOCATOR_LEN)?;
    if slice(data, locator, 4) != Some(ZIP64_LOCATOR) {
        return None;
    }
    let stated = u64_at(data, locator.saturating_add(8)).map(index);
    let adjacent = locator.checked_sub(ZIP64_END_LEN);
    [stated, adjacent].into_iter().flatten().find_map(|top| {
        let record = slice(data, top, ZIP64_END_LEN)?;
        let claim = Claim {
            entries: u64_at(record, 32)?,
            size: u64_at(record, 40)?,
            offset: u64_at(record, 48)?,
        };
        record.starts_with(ZIP64_END).then_some((top, claim))
    })
}

/// A central header and how far the archive it belongs to stands from the start of the file.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) view: View<'a>,
    pub(super) base: usize,
}

/// The central headers found so far, each once.
#[derive(Debug, Default)]
pub(super) struct Directory<'a> {
    pub(super) entries: Vec<Entry<'a>>,
    /// Byte ranges that directories and end records take.
    pub(super) covered: Vec<(usize, usize)>,
    pub(super) deviations: Vec<Deviation>,
    /// What of a directory could not be read.
    pub(super) unread: Vec<Deviation>,
    /// End record whose directory is not all there, and the members that it claims.
    pub(super) broken: Option<(usize, u64)>,
    /// Offset of an encrypted directory.
    pub(super) locked: Option<usize>,
    /// Offsets of headers read: however many end records there are, no header is read twice.
    seen: BTreeSet<usize>,
}

impl<'a> Directory<'a> {
    /// Reads what an end record points at.
    pub(super) fn add_end(
        &mut self,
        data: &'a [u8],
        end: &End,
        budget: &Budget,
    ) -> Result<(), Halt> {
        // The comment is left open: another archive may stand in it.
        self.covered.push((end.top, end.at.saturating_add(END_LEN)));
        let mut found = Vec::new();
        for claim in &end.claims {
            for start in claim.starts(end.top) {
                if slice(data, start, 4) == Some(ARCHIVE_EXTRA) {
                    self.locked = Some(start);
                }
                if slice(data, start, 4) != Some(CENTRAL) || found.contains(&start) {
                    continue;
                }
                found.push(start);
                self.follow(data, start, claim, end, budget)?;
            }
        }
        let Some(claim) = end.claims.first() else {
            return Ok(());
        };
        if found.is_empty() && (claim.entries > 0 || claim.size > 0) && self.locked.is_none() {
            self.broken = self.broken.or(Some((end.at, claim.entries)));
            self.deviations.push(Deviation::new(
                end.at,
                format!(
                    "end record: expected a central directory of {} bytes at offset {}, found none",
                    claim.size, claim.offset
                ),
            ));
        }
        if found.len() > 1 {
            self.deviations.push(Deviation::new(
                end.at,
                "end record: size and offset lead to different central directories",
            ));
        }
        Ok(())
    }

    fn follow(
        &mut self,
        data: &'a [u8],
        start: usize,
        claim: &Claim,
        end: &End,
        budget: &Budget,
    ) -> Result<(), Halt> {
        let offset = index(claim.offset);
        let base = start.saturating_sub(offset);
        if start < offset || (base > 0 && end.base() != base) {
            self.deviations.push(Deviation::new(
                end.at,
                format!("end record: expected the central directory at offset {offset}, found it at {start}"),
            ));
        }
        let known = self.seen.contains(&start);
        let before = self.entries.len();
        let stop = self.chain(data, start, base, budget)?;
        if known {
            return Ok(());
        }
        let count = length(self.entries.len().saturating_sub(before));
        // Writers of more than 65,535 members without zip64 let the count wrap.
        if count != claim.entries && count & 0xffff != claim.entries {
            self.deviations.push(Deviation::new(
                end.at,
                format!(
                    "end record: expected {} members, found {count}",
                    claim.entries
                ),
            ));
        }
        if stop != end.top && slice(data, stop, 4) != Some(DIGITAL_SIGNATURE) {
            self.broken = self.broken.or(Some((end.at, claim.entries)));
            self.deviations.push(Deviation::new(
                stop,
                format!(
                    "central directory: expected its end at offset {}, found it at {stop}",
                    end.top
                ),
            ));
        } else {
            self.covered.push((stop, end.top));
        }
        Ok(())
    }

    /// Follows central headers from `start` as long as their signature goes on; gives the offset where it does not.
    /// Ends because each header lies behind the one before.
    pub(super) fn chain(
        &mut self,
        data: &'a [u8],
        start: usize,
        base: usize,
        budget: &Budget,
    ) -> Result<usize, Halt> {
        let mut at = start;
        while slice(data, at, 4) == Some(CENTRAL) {
            budget.tick()?;
            if !self.seen.insert(at) {
                break;
            }
            match View::central(data, at) {
                Ok(mut view) => {
                    self.deviations.extend(view.widen());
                    at = view.end;
                    self.entries.push(Entry { view, base });
                }
                Err(short) => {
                    self.unread.push(Deviation::new(
                        at,
                        format!("central header is cut: {short}"),
                    ));
                    at = data.len();
                }
            }
        }
        self.covered.push((start, at));
        Ok(at)
    }

    /// Whether a header at `at` was read.
    pub(super) fn knows(&self, at: usize) -> bool {
        self.seen.contains(&at)
    }
}

/// The end records that a reader starts from: the one that closes the file, or else the last of the file. Others lie
/// in gaps between members, where the walk finds them, or in a member's data, where they are that member's own.
pub(super) fn ends(data: &[u8], budget: &Budget) -> Result<Vec<End>, Halt> {
    let closes = |end: &End| end.end == data.len() && end.holds(data);
    let without_comment = data
        .len()
        .checked_sub(END_LEN)
        .and_then(|at| End::read(data, at));
    if let Some(last) = without_comment.filter(closes) {
        return Ok(vec![last]);
    }
    let mut closing = None;
    let mut last = None;
    for at in memchr::memmem::find_iter(data, END) {
        budget.tick()?;
        if let Some(end) = End::read(data, at).filter(|end| end.holds(data)) {
            if end.end == data.len() {
                closing = Some(end.clone());
            }
            last = Some(end);
        }
    }
    let last = last.filter(|last| closing.as_ref().is_none_or(|closing| closing.at != last.at));
    Ok(closing.into_iter().chain(last).collect())
}
