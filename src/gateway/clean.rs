//! A message without what policy takes out of it: rewritten, then scanned again before anybody gets it.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;
use jiff::civil::Date;

use crate::engine::Worker;
use crate::knowledge::Language;
use crate::limits::Budget;
use crate::model::{Action, Id, Report};
use crate::policy::{self, Decision, Trouble};
use crate::rewrite::Notice;
use crate::rewrite::disarm::{self, Made, Notices, Refusal, Retype, Task, Turns};

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
    disarmed: Vec<(Language, &'a str)>,
    way: Way,
    deadline: Instant,
    removed: usize,
}

/// What is done with which parts.
#[derive(Debug, Clone, Default)]
struct Way {
    /// Findings for which a file is disarmed.
    findings: BTreeSet<usize>,
    /// What goes as a whole.
    strip: BTreeSet<Id>,
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
        let mut way = Way::default();
        let mut every = BTreeSet::new();
        let concerned = decisions.iter().zip(changed());
        let concerned = concerned.filter(|(_, changed)| *changed);
        for grounds in policy::distinct(concerned.map(|(decision, _)| decision)) {
            way.findings.extend(&grounds.disarm);
            every.extend(grounds.parts.keys());
            let strip = grounds.parts.iter();
            let strip = strip.filter(|(_, action)| **action > Action::Disarm);
            way.strip.extend(strip.map(|(part, _)| *part));
        }
        let recipients = self.envelope.recipients.iter().zip(fates);
        let reached = recipients.filter(|(_, fate)| fate.delivers());
        let language = generation
            .strip
            .language_of(reached.map(|(recipient, _)| recipient.as_str()));
        let templates = generation.strip.templates(language);
        let mut clean = Clean {
            report,
            generation,
            disarmed: generation.strip.disarmed(language),
            templates,
            way,
            deadline: cleaner.deadline,
            removed: 0,
        };
        let disarms = !clean.way.findings.is_empty();
        let mut flaw = self.try_out(cleaner, &mut clean, fates)?;
        if flaw.is_some() && disarms {
            // What cannot be disarmed goes as a whole.
            clean.way = Way {
                findings: BTreeSet::new(),
                strip: every,
            };
            flaw = self.try_out(cleaner, &mut clean, fates)?;
        }
        Ok(match flaw {
            None => Ok(clean),
            Some(flaw) => Err(flaw),
        })
    }

    /// Rewrites the message and scans the result; answers why that may not be delivered, where it may not.
    fn try_out(
        &self,
        cleaner: &mut Cleaner<'_, '_>,
        clean: &mut Clean<'_>,
        fates: &[Action],
    ) -> Result<Option<String>, Trouble> {
        let generation = cleaner.generation;
        let changed = || fates.iter().map(|fate| fate.changes_content());
        let tried = match clean.rewrite(NO_TICKET) {
            Ok(tried) => tried,
            Err(Refusal::Limit(_)) if Instant::now() >= cleaner.deadline => {
                return Err(Trouble::OutOfTime);
            }
            Err(refused) => return Ok(Some(refused.to_string())),
        };
        let disarmed = tried
            .deeds
            .iter()
            .filter(|deed| deed.replaced_for.is_empty());
        clean.removed = tried.notices.saturating_add(disarmed.count());
        let again = cleaner
            .worker
            .scan(self.input(&tried.data, cleaner.deadline));
        if out_of_time(&again, cleaner.deadline) {
            return Err(Trouble::OutOfTime);
        }
        let catalogue = &generation.engine.knowledge.catalogue;
        let judged = generation
            .policy
            .decide(&again, self.envelope, catalogue, cleaner.today);
        let mut unsafe_for = judged
            .iter()
            .zip(changed())
            .filter(|(decision, changed)| *changed && decision.action > Action::Tag)
            .map(|(decision, _)| decision)
            .peekable();
        if unsafe_for.peek().is_none() {
            return Ok(None);
        }
        let left = unsafe_for
            .flat_map(|decision| &decision.grounds.because)
            .find_map(|number| again.findings.get(*number));
        let what = left.map_or("something", |finding| finding.id.as_ref());
        Ok(Some(format!("{what} is still there")))
    }
}

impl Clean<'_> {
    /// Parts that are taken out or disarmed.
    pub(super) fn removed(&self) -> usize {
        self.removed
    }

    /// The message to deliver; `ticket` is the number of the original in the store.
    pub(super) fn finish(&self, ticket: &str) -> Result<Bytes, Trouble> {
        let again = self.rewrite(ticket);
        // It was done before with another number; only the time can have run out.
        again.map(|made| made.data).map_err(|_| Trouble::OutOfTime)
    }

    fn rewrite(&self, ticket: &str) -> Result<Made, Refusal> {
        let engine = &self.generation.engine;
        let notice = Notice {
            templates: &self.templates,
            disarmed: &self.disarmed,
            catalogue: &engine.knowledge.catalogue,
            report: self.report,
            ticket,
        };
        let task = Task {
            report: self.report,
            findings: &self.way.findings,
            strip: &self.way.strip,
            notices: Notices::From(0),
            retype: Retype::Keep,
            break_signatures: self.generation.strip.break_signatures,
            notice: &|part, removed| notice.text(part, removed),
            line: &|part| notice.line(part),
        };
        let budget = Budget::new(engine.limits.clone(), Some(self.deadline));
        disarm::disarm(&task, &BTreeSet::new(), Turns::All, &budget)
    }
}
