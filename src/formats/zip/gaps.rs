//! The search for headers where no member accounts for the bytes.
//!
//! One pass over each gap: the search goes on behind whatever was recognised, so that it stays linear however many
//! signatures there are.

use crate::bytes::{index, slice};
use crate::limits::{Budget, Halt};

use super::directory::{END, End};
use super::header::{CENTRAL, LOCAL, View, closes};
use super::is_central;

/// Local headers that no directory names, at the most: honest damaged archives have as many as they had members,
/// and the scan stops at far fewer artifacts.
const CEILING: usize = 200_000;

/// What stands in the gaps.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    /// Local headers, each with the offset where its data ends at the latest.
    pub(super) locals: Vec<(View<'a>, usize)>,
    /// End records.
    pub(super) ends: Vec<End>,
    /// First central headers of directories.
    pub(super) chains: Vec<usize>,
}

impl Found<'_> {
    /// Whether nothing was found.
    pub(super) fn is_empty(&self) -> bool {
        self.locals.is_empty() && self.ends.is_empty() && self.chains.is_empty()
    }
}

/// Searches everything that `covered`, sorted ranges, leaves open.
pub(super) fn search<'a>(
    data: &'a [u8],
    covered: &[(usize, usize)],
    budget: &Budget,
) -> Result<Found<'a>, Halt> {
    let mut found = Found::default();
    let mut reached = 0usize;
    for &(start, end) in covered {
        if start > reached {
            found.search_gap(data, reached, start, budget)?;
        }
        reached = reached.max(end);
    }
    found.search_gap(data, reached, data.len(), budget)?;
    Ok(found)
}

impl<'a> Found<'a> {
    fn search_gap(
        &mut self,
        data: &'a [u8],
        from: usize,
        to: usize,
        budget: &Budget,
    ) -> Result<(), Halt> {
        let finder = memchr::memmem::Finder::new(b"PK");
        let mut at = from;
        // Ends because each turn moves behind the signature it found.
        while let Some(hit) = data.get(at..to).and_then(|gap| finder.find(gap)) {
            budget.tick()?;
            let here = at.saturating_add(hit);
            at = self.take(data, here, to).unwrap_or(here.saturating_add(2));
            if self.locals.len() > CEILING {
                return Err(Halt::Ceiling("zip members"));
            }
        }
        Ok(())
    }

    /// Recognises what stands at `here`; gives the offset behind it.
    fn take(&mut self, data: &'a [u8], here: usize, to: usize) -> Option<usize> {
        let signature = slice(data, here, 4)?;
        if signature == LOCAL {
            let local = View::local(data, here).ok().filter(View::is_plausible)?;
            let end = extent(data, &local, to);
            let next = end.unwrap_or(local.end);
            self.locals.push((local, end.unwrap_or(to)));
            return Some(next);
        }
        if signature == CENTRAL && is_central(data, here) {
            self.chains.push(here);
            let mut at = here;
            while slice(data, at, 4) == Some(CENTRAL)
                && let Ok(view) = View::central(data, at)
            {
                at = view.end;
            }
            return Some(at);
        }
        if signature == END {
            self.ends.extend(End::read(data, here));
        }
        None
    }
}

/// Where the data of a local header ends, as far as that can be believed: where the stated length leads to another
/// header or to the end of the gap, or else where a data descriptor or the next header stands.
fn extent(data: &[u8], local: &View<'_>, to: usize) -> Option<usize> {
    if local.compressed != 0 || !local.is_described() {
        let mut wide = local.clone();
        wide.widen();
        let end = local.end.checked_add(index(wide.compressed))?;
        let tail = local.descriptor_len(data, end.min(data.len()), wide.compressed, wide.size);
        let end = end.saturating_add(tail);
        let closed = end == to || slice(data, end, 2) == Some(b"PK");
        return (end <= to && closed).then_some(end);
    }
    let gap = data.get(local.end..to)?;
    let mut ends = memchr::memmem::find_iter(gap, b"PK").filter_map(|hit| {
        let at = local.end.saturating_add(hit);
        let signature = slice(data, at, 4)?;
        let header = signature == CENTRAL || signature == END;
        let next =
            signature == LOCAL && View::local(data, at).is_ok_and(|view| view.is_plausible());
        (header || next || closes(data, at, local.end)).then_some(at)
    });
    ends.next()
}
