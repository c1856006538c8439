//! Files without their active content: macros, fields, objects and scripts go, the document stays.
//!
//! One file a format, each a row of [`DISARMERS`]: bytes in, bytes out. A disarmer that cannot make a file safe refuses;
//! whether what it made is safe is shown by another scan, never believed: [`proven`] is the way from outside.

mod archive;
mod asked;
mod compound;
mod csv;
mod driver;
mod excel_binary;
mod holder;
mod html;
mod members;
mod message;
mod odf;
mod office_xml;
mod ooxml;
mod outline;
mod pdf;
mod plain;
mod powerpoint_binary;
mod proof;
mod rtf;
mod selection;
mod sylk;
mod tnef;
mod word_binary;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use bytes::Bytes;
use thiserror::Error;

use crate::knowledge::Knowledge;
use crate::limits::{Budget, Halt};
use crate::model::Kind;

pub(super) use archive::with_extension;
pub use driver::{Deed, Made, Notices, Retype, Task, disarm, takes_out};
pub(super) use ooxml::media_type;
pub use proof::{Proven, proven};
pub use selection::{Selection, UnknownName};

/// Id of a finding.
pub type FindingId = Cow<'static, str>;

/// One file to disarm.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// Its bytes.
    pub data: &'a Bytes,
    /// What they are.
    pub kind: Kind,
    /// What must no longer be found in them.
    pub remove: &'a BTreeSet<FindingId>,
    /// How often a text is gone over.
    pub turns: Turns,
}

/// How often a text is gone over: in damaged files, what was hidden by one thing shows when it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turns {
    /// Once, which does for whole files; a scan of the result tells.
    One,
    /// Until nothing more has to go.
    All,
}

/// A file without what had to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disarmed {
    /// All of it.
    pub data: Bytes,
    /// What was taken out, in the order of the file.
    pub removed: Vec<Removed>,
}

/// One thing that was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// The finding that it was for.
    pub finding: FindingId,
    /// Where it stood: a part, a stream, a record or an object, safe to show.
    pub place: String,
}

/// Why a file is not disarmed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Nothing takes the finding out of such a file.
    #[error("{0} cannot be taken out of such a file")]
    NoWay(FindingId),
    /// The file is damaged in a way that leaves its structure open.
    #[error("{0}")]
    Broken(String),
    /// The file is locked.
    #[error("it is locked")]
    Locked,
    /// A limit was met.
    #[error("{0}")]
    Limit(Halt),
    /// What should have gone is still found in the result.
    #[error("{0} is still found in the result")]
    StillThere(FindingId),
    /// The result is worse than what it was made of, or can no longer be looked through.
    #[error("the result would be worse: {0}")]
    Worse(String),
}

/// A disarmer of some kinds of file.
#[derive(Debug, Clone, Copy)]
pub struct Disarmer {
    /// Its name: that of its file.
    pub name: &'static str,
    /// The kinds that it takes.
    pub kinds: &'static [Kind],
    /// What it can take out: lists of ids.
    pub findings: &'static [&'static [&'static str]],
    /// Takes it out.
    pub run: fn(&Job<'_>, &Budget) -> Result<Disarmed, Refusal>,
}

impl Disarmer {
    /// Whether it can take a finding out.
    pub fn takes_out(&self, id: &str) -> bool {
        self.ids().any(|known| known == id)
    }

    /// What it can take out.
    pub fn ids(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.findings.iter().flat_map(|list| list.iter().copied())
    }
}

/// Every disarmer; a kind stands in one row only.
pub const DISARMERS: &[Disarmer] = &[
    ooxml::ROW,
    word_binary::ROW,
    excel_binary::ROW,
    powerpoint_binary::ROW,
    rtf::ROW,
    pdf::ROW,
    html::ROW,
    odf::ROW,
    office_xml::ROW,
    sylk::ROW,
    csv::ROW,
];

/// Goes over a file until nothing more has to go: in damaged files, what was hidden by one thing shows when it is gone.
fn settled(
    job: &Job<'_>,
    budget: &Budget,
    once: fn(&Job<'_>, &Budget) -> Result<Disarmed, Refusal>,
) -> Result<Disarmed, Refusal> {
    /// Turns at the most; whole files take two.
    const TURNS: usize = 5;
    let mut made = once(job, budget)?;
    if made.removed.is_empty() || job.turns == Turns::One {
        return Ok(made);
    }
    for _ in 0..TURNS {
        let data = made.data.clone();
        let next = once(
            &Job {
                data: &data,
                ..*job
            },
            budget,
        )?;
        if next.removed.is_empty() {
            return Ok(made);
        }
        made.data = next.data;
        made.removed.extend(next.removed);
    }
    Err(Refusal::Broken(
        "there is always more to take out".to_owned(),
    ))
}

/// The lists by which a scan finds what a disarmer takes out.
fn knowledge() -> Result<&'static Knowledge, Refusal> {
    static EMBEDDED: LazyLock<Result<Knowledge, String>> =
        LazyLock::new(|| Knowledge::embedded().map_err(|error| error.to_string()));
    EMBEDDED
        .as_ref()
        .map_err(|error| Refusal::Broken(error.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    /// Lets a disarmer take findings out of a file.
    pub(super) fn run_on(
        row: &Disarmer,
        kind: Kind,
        data: &[u8],
        remove: &[&'static str],
    ) -> Result<Disarmed, Refusal> {
        let remove = remove.iter().map(|id| FindingId::Borrowed(*id)).collect();
        let job = Job {
            data: &Bytes::copy_from_slice(data),
            kind,
            remove: &remove,
            turns: Turns::All,
        };
        (row.run)(&job, &Budget::new(Limits::default(), None))
    }
}
