//! Nothing leaves unproven: what was made is scanned again by the engine that found what had to go.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::driver::{self, Made, Notices, Task};
use super::{FindingId, Refusal, Turns};
use crate::limits::Budget;
use crate::model::{Id, Report};

/// A result, and what a scan of it found.
#[derive(Debug)]
pub struct Proven {
    /// The result.
    pub made: Made,
    /// The scan of it.
    pub report: Report,
}

/// Takes out what has to go, and scans the result. Where that shows that going over each file once did not do, it is gone
/// over until nothing more has to go; where that did not do either, files in mails and archives are replaced by notices
/// instead, once; then there is nothing but to refuse.
pub fn proven(
    task: &Task<'_>,
    budget: &Budget,
    scan: &mut dyn FnMut(&Bytes) -> Report,
) -> Result<Proven, Refusal> {
    let none = BTreeSet::new();
    let made = driver::disarm(task, &none, Turns::One, budget)?;
    let quick = made.data.clone();
    let (mut refusal, mut disarmed) = match prove(task, made, scan) {
        Ok(proven) => return Ok(proven),
        Err(flaw) => flaw,
    };
    if !disarmed.is_empty() {
        let made = driver::disarm(task, &none, Turns::All, budget)?;
        if made.data != quick {
            (refusal, disarmed) = match prove(task, made, scan) {
                Ok(proven) => return Ok(proven),
                Err(flaw) => flaw,
            };
        }
    }
    if task.notices == Notices::Never || disarmed.is_empty() {
        return Err(refusal);
    }
    let made = driver::disarm(task, &disarmed, Turns::All, budget).map_err(|_| refusal)?;
    prove(task, made, scan).map_err(|(refusal, _)| refusal)
}

/// The result, or why it does not hold with the files that were disarmed.
fn prove(
    task: &Task<'_>,
    made: Made,
    scan: &mut dyn FnMut(&Bytes) -> Report,
) -> Result<Proven, (Refusal, BTreeSet<Id>)> {
    let report = scan(&made.data);
    match flaw(task, &report) {
        None => Ok(Proven { made, report }),
        Some(refusal) => {
            let disarmed = made
                .deeds
                .iter()
                .filter(|deed| deed.replaced_for.is_empty());
            let disarmed = disarmed.map(|deed| deed.artifact).collect();
            Err((refusal, disarmed))
        }
    }
}

fn flaw(task: &Task<'_>, after: &Report) -> Option<Refusal> {
    let before = task.report;
    let wanted: BTreeSet<&FindingId> = task
        .findings
        .iter()
        .filter_map(|at| before.findings.get(*at))
        .map(|finding| &finding.id)
        .collect();
    // Others of the same id may have been left on purpose.
    let count = |report: &Report, id: &FindingId| {
        let of_id = report.findings.iter().filter(|finding| finding.id == *id);
        of_id.fold(0u64, |sum, finding| {
            sum.saturating_add(1)
                .saturating_add(u64::from(finding.more.unwrap_or_default()))
        })
    };
    let meant = |id: &FindingId| {
        let all = task
            .findings
            .iter()
            .filter_map(|at| before.findings.get(*at));
        all.filter(|finding| finding.id == *id)
            .fold(0u64, |sum, finding| {
                sum.saturating_add(1)
                    .saturating_add(u64::from(finding.more.unwrap_or_default()))
            })
    };
    for id in wanted {
        if count(after, id) > count(before, id).saturating_sub(meant(id)) {
            return Some(Refusal::StillThere(id.clone()));
        }
    }
    if after.score > before.score {
        return Some(Refusal::Worse(format!("score {}", after.score)));
    }
    if before.complete && !after.complete {
        return Some(Refusal::Worse("not all of it can be read".to_owned()));
    }
    None
}
