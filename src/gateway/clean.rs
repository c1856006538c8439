//! A message without what policy takes out of it: rewritten, then scanned again before anybody gets it.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;
use jiff::civil::Date;

use crate::engine::Worker;
use crate::knowledge::Language;
use crate::limits::Budget;
use crate::model::{Action, Id, Report};
use crate::policy::{Decision, Trouble};
use crate::rewrite::{self, Notice, Order, Refused, Rewritten};

use super::filter::{Case, out_of_time};
use super::pool::Generation;

/// Stands for the number of a message that is not in the store yet; never seen by anybody.
const NO_TICKET: &str = "000000000000";

/// What a message is cleaned with.
pub(super) struct Cleaner<'a, 'w> {
    pub(super) generation: &'a Generation,
    pub(super) worker: &'a mut Worker<'w>,
    pub(super) deadline: Instant,
    pub(super) today: Date,
}

/// A message that can be delivered once its original is in the store.
pub(super) struct Clean<'a> {
    report: &'a Report,
    generation: &'a Generation,
    templates: Vec<(Language, &'a str)>,
    targets: BTreeSet<Id>,
    deadline: Instant,
    removed: usize,
}

impl<'a> Case<'a> {
    /// Takes out what the decisions name for those who get the message changed, and scans the result. The inner error
    /// says why nothing that may be delivered came of it.
    pub(super) fn clean<'r>(
        &self,
        cleaner: &mut Cleaner<'r, '_>,
        report: &'r Report,
        decisions: &[Decision],
        fates: &[Action],
    ) -> Result<Result<Clean<'r>, String>, Trouble> {
        let generation = cleaner.generation;
        let changed = || fates.iter().map(|fate| fate.changes_content());
        let with = |decision: &Decision| decision.parts.keys().copied().collect::<Vec<_>>();
        let targets: BTreeSet<Id> = decisions
            .iter()
            .zip(changed())
            .filter(|(_, changed)| *changed)
            .flat_map(|(decision, _)| with(decision))
            .collect();
        let recipients = self.envelope.recipients.iter().zip(fates);
        let reached = recipients.filter(|(_, fate)| fate.delivers());
        let language = generation
            .strip
            .language_of(reached.map(|(recipient, _)| recipient.as_str()));
        let mut clean = Clean {
            report,
            generation,
            templates: generation.strip.templates(language),
            targets,
            deadline: cleaner.deadline,
            removed: 0,
        };
        let tried = match clean.rewrite(NO_TICKET) {
            Ok(tried) => tried,
            Err(Refused::Limit(_)) if Instant::now() >= cleaner.deadline => {
                return Err(Trouble::OutOfTime);
            }
            Err(refused) => return Ok(Err(refused.to_string())),
        };
        clean.removed = tried.removed.len();
        let again = cleaner
            .worker
            .scan(self.input(&tried.message, cleaner.deadline));
        if out_of_time(&again, cleaner.deadline) {
            return Err(Trouble::OutOfTime);
        }
        let catalogue = &generation.engine.knowledge.catalogue;
        let judged = generation
            .policy
            .decide(&again, self.envelope, catalogue, cleaner.today);
        let left = judged
            .iter()
            .zip(changed())
            .filter(|(decision, changed)| *changed && decision.action > Action::Tag)
            .flat_map(|(decision, _)| &decision.because)
            .find_map(|number| again.findings.get(*number));
        let safe = judged
            .iter()
            .zip(changed())
            .all(|(decision, changed)| !changed || decision.action <= Action::Tag);
        if safe {
            return Ok(Ok(clean));
        }
        let what = left.map_or("something", |finding| finding.id.as_ref());
        Ok(Err(format!("{what} is still there")))
    }
}

impl Clean<'_> {
    /// Parts that are taken out.
    pub(super) fn removed(&self) -> usize {
        self.removed
    }

    /// The message to deliver; `ticket` is the number of the original in the store.
    pub(super) fn finish(&self, ticket: &str) -> Result<Bytes, Trouble> {
        let again = self.rewrite(ticket);
        // It was done before with another number; only the time can have run out.
        again
            .map(|rewritten| rewritten.message)
            .map_err(|_| Trouble::OutOfTime)
    }

    fn rewrite(&self, ticket: &str) -> Result<Rewritten, Refused> {
        let engine = &self.generation.engine;
        let notice = Notice {
            templates: &self.templates,
            catalogue: &engine.knowledge.catalogue,
            report: self.report,
            ticket,
            disarmed: &[],
        };
        let order = Order {
            tree: &self.report.artifacts,
            root: 0,
            targets: &self.targets,
            replaced: &std::collections::BTreeMap::new(),
            break_signatures: self.generation.strip.break_signatures,
            notice: &|part, removed| notice.text(part, removed),
            line: &|part| notice.line(part),
        };
        let budget = Budget::new(engine.limits.clone(), Some(self.deadline));
        rewrite::rewrite(&order, &budget)
    }
}
