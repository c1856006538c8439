//! What of a stored message may go on: everything but what policy would act on, taken out and looked at again. Documents
//! stay without their active content where policy does not say that they go as a whole.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;
use jiff::civil::Date;

use crate::config::Strip;
use crate::engine::{Context, Input, Worker};
use crate::knowledge::Catalogue;
use crate::limits::{Budget, Limits};
use crate::model::{Action, Artifact, Envelope, Id, Kind, Report};
use crate::policy::{self, Policy};
use crate::quarantine::Ticket;
use crate::rewrite::Notice;
use crate::rewrite::disarm::{Notices, Removed, Retype, Task, proven};
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
        let language = self.strip.language_of(recipients);
        let (templates, disarmed) = (
            self.strip.templates(language),
            self.strip.disarmed(language),
        );
        let number = ticket.to_string();
        let deadline = Instant::now().checked_add(self.limits.timeout);
        let mut scan = |data: &Bytes| {
            worker.scan(Input {
                path: format!("{number}.eml"),
                name: None,
                data: data.clone(),
                facts: Vec::new(),
                context: Context {
                    deadline,
                    passwords: Passwords::default(),
                    given: Some(Kind::Eml),
                    ..Context::default()
                },
            })
        };
        let mut report = scan(&message);
        for _ in 0..TURNS {
            let targets = self.targets(&report, envelope)?;
            if targets.is_empty() {
                return Ok(message);
            }
            let notice = Notice {
                templates: &templates,
                catalogue: self.catalogue,
                report: &report,
                ticket: &number,
                disarmed: &disarmed,
            };
            let text = |part: &Artifact, removed: &[Removed]| notice.text(part, removed);
            let line = |part: &Artifact| notice.line(part);
            let task = |findings, strip| Task {
                report: &report,
                findings,
                strip,
                notices: Notices::From(0),
                retype: Retype::Keep,
                break_signatures: self.strip.break_signatures,
                notice: &text,
                line: &line,
            };
            let budget = Budget::new(self.limits.clone(), deadline);
            let made = proven(&task(&targets.findings, &targets.strip), &budget, &mut scan);
            let done = match made {
                Ok(done) => done,
                // What cannot be disarmed goes as a whole.
                Err(_) => {
                    let none = BTreeSet::new();
                    let task = task(&none, &targets.every);
                    proven(&task, &budget, &mut scan).map_err(|why| why.to_string())?
                }
            };
            (message, report) = (done.made.data, done.report);
        }
        Err("something is left however much is taken out".to_owned())
    }

    /// What policy would do something about; none: it may go on.
    fn targets(&self, report: &Report, envelope: &Envelope) -> Result<Targets, String> {
        let decisions = self
            .policy
            .decide(report, envelope, self.catalogue, self.today);
        let mut targets = Targets::default();
        let acting = decisions
            .iter()
            .filter(|decision| decision.action > Action::Tag);
        for grounds in policy::distinct(acting) {
            if grounds.parts.is_empty() && grounds.because.is_empty() {
                return Err("policy acts on it, and no part of it is the reason".to_owned());
            }
            let strip = grounds.parts.iter();
            let strip = strip.filter(|(_, action)| **action > Action::Disarm);
            targets.strip.extend(strip.map(|(part, _)| *part));
            targets.every.extend(grounds.parts.keys().copied());
            targets.findings.extend(&grounds.disarm);
            // Where the whole mail is held, that is for what stands in its parts: they may go on without it.
            targets.findings.extend(&grounds.because);
            let because = grounds.because.iter();
            let found = because.filter_map(|number| report.findings.get(*number));
            targets.every.extend(found.map(|finding| finding.artifact));
        }
        Ok(targets)
    }
}

/// What has to go.
#[derive(Debug, Default)]
struct Targets {
    /// Findings for which files are disarmed.
    findings: BTreeSet<usize>,
    /// What goes as a whole.
    strip: BTreeSet<Id>,
    /// All that goes as a whole where nothing can be disarmed.
    every: BTreeSet<Id>,
}

impl Targets {
    fn is_empty(&self) -> bool {
        self.findings.is_empty() && self.every.is_empty()
    }
}
