//! What of a stored message may go on: everything but what policy would act on, taken out and looked at again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use bytes::Bytes;
use jiff::civil::Date;

use crate::config::Strip;
use crate::engine::{Context, Input, Worker};
use crate::knowledge::Catalogue;
use crate::limits::{Budget, Limits};
use crate::model::{Action, Envelope, Id, Kind, Report};
use crate::policy::{self, Policy};
use crate::quarantine::Ticket;
use crate::rewrite::{self, Notice, Order};
use crate::unpack::Passwords;

/// Turns of taking out and looking again: each takes out what is strictest of what is left.
const TURNS: usize = 8;

/// By what a message is cleaned.
pub struct Cleaning<'a> {
    /// Decides what has to go.
    pub policy: &'a Policy,
    /// What stands in the place of parts.
    pub strip: &'a Strip,
    /// What findings are called.
    pub catalogue: &'a Catalogue,
    /// Bounds of a scan.
    pub limits: &'a Limits,
    /// Ends allowances.
    pub today: Date,
}

impl Cleaning<'_> {
    /// The message without everything that policy would do more about than tag it, for the recipients of the envelope.
    /// The error says why nothing that may be delivered comes of it.
    pub fn clean(
        &self,
        worker: &mut Worker<'_>,
        ticket: Ticket,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<Bytes, String> {
        let mut message = Bytes::copy_from_slice(message);
        let recipients = envelope.recipients.iter().map(String::as_str);
        let templates = self.strip.templates(self.strip.language_of(recipients));
        let number = ticket.to_string();
        for _ in 0..TURNS {
            let deadline = Instant::now().checked_add(self.limits.timeout);
            let report = worker.scan(Input {
                path: format!("{number}.eml"),
                name: None,
                data: message.clone(),
                facts: Vec::new(),
                context: Context {
                    deadline,
                    passwords: Passwords::default(),
                    given: Some(Kind::Eml),
                    ..Context::default()
                },
            });
            let targets = self.targets(&report, envelope)?;
            if targets.is_empty() {
                return Ok(message);
            }
            let notice = Notice {
                templates: &templates,
                catalogue: self.catalogue,
                report: &report,
                ticket: &number,
                disarmed: &[],
            };
            let order = Order {
                tree: &report.artifacts,
                root: 0,
                targets: &targets,
                replaced: &BTreeMap::new(),
                break_signatures: self.strip.break_signatures,
                notice: &|part, removed| notice.text(part, removed),
                line: &|part| notice.line(part),
            };
            let budget = Budget::new(self.limits.clone(), deadline);
            let rewritten = rewrite::rewrite(&order, &budget).map_err(|why| why.to_string())?;
            message = rewritten.message;
        }
        Err("something is left however much is taken out".to_owned())
    }

    /// The artifacts that policy would do something about; none: it may go on.
    fn targets(&self, report: &Report, envelope: &Envelope) -> Result<BTreeSet<Id>, String> {
        let decisions = self
            .policy
            .decide(report, envelope, self.catalogue, self.today);
        let mut targets = BTreeSet::new();
        let acting = decisions
            .iter()
            .filter(|decision| decision.action > Action::Tag);
        for grounds in policy::distinct(acting) {
            let found = grounds.because.iter();
            let found = found.filter_map(|number| report.findings.get(*number));
            let before = targets.len();
            targets.extend(found.map(|finding| finding.artifact));
            targets.extend(grounds.parts.keys().copied());
            if targets.len() == before && grounds.because.is_empty() {
                return Err("policy acts on it, and no part of it is the reason".to_owned());
            }
        }
        Ok(targets)
    }
}
