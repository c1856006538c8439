//! One judgement, on a scan thread: scan, policy, then deeds ([`super::act`]).

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::config::Unscannable;
use crate::engine::{Context, Input, Worker};
use crate::formats::header::{self, Breaks, Doubtful, Header};
use crate::formats::header_words;
use crate::model::{Action, Envelope, Kind, MailSummary, Report};
use crate::policy::{self, Decision, Failure, Trouble};
use crate::quarantine::{RELEASE_HEADER, Store, StoreError, message_digest};
use crate::text;
use crate::unpack::Passwords;

use super::super::clean::Cleaner;
use super::super::log::{self, Record};
use super::super::plan::{Abilities, Answer, OWN_HEADERS};
use super::super::pool::{Generation, Pool};

/// A judged message.
pub(super) struct Judged {
    pub(super) answer: Answer,
    pub(super) record: Record,
    pub(super) report: Option<Report>,
}

/// What all steps of one judgement look at.
pub(in crate::gateway) struct Case<'a> {
    pub(in crate::gateway) id: &'a str,
    pub(in crate::gateway) envelope: &'a Envelope,
    pub(in crate::gateway) message: &'a Bytes,
    pub(super) abilities: Abilities,
    /// The threads of which one does this; none: another thread does.
    pub(super) pool: Option<&'a Pool>,
}

impl Judged {
    /// Keeps the report, but not the bytes that it is about, where copies are to be sent.
    fn with(mut self, mut report: Report) -> Self {
        if matches!(self.answer, Answer::Copies(_)) {
            for artifact in &mut report.artifacts {
                artifact.data = Bytes::new();
            }
            self.report = Some(report);
        }
        self
    }
}

impl Case<'_> {
    pub(super) fn judge(
        &self,
        generation: &Generation,
        worker: &mut Worker<'_>,
        store: &Store,
        deadline: Instant,
    ) -> Result<Judged, Trouble> {
        let report = worker.scan(self.input(self.message, deadline));
        if out_of_time(&report, deadline) {
            return Err(Trouble::OutOfTime);
        }
        let catalogue = &generation.engine.knowledge.catalogue;
        let today = today();
        let decisions = generation
            .policy
            .decide(&report, self.envelope, catalogue, today);
        let released = self.released(store)?;
        let mut cleaner = Cleaner {
            generation,
            worker,
            deadline,
            today,
        };
        let cleaner = Some(&mut cleaner);
        let judged = self.act(store, &report, &decisions, released.as_deref(), cleaner)?;
        Ok(judged.with(report))
    }

    /// A message to scan: the one that came, or what was made of it.
    pub(in crate::gateway) fn input(&self, message: &Bytes, deadline: Instant) -> Input {
        Input {
            path: format!("{}.eml", self.id),
            name: None,
            data: message.clone(),
            facts: Vec::new(),
            context: Context {
                deadline: Some(deadline),
                passwords: Passwords::default(),
                given: Some(Kind::Eml),
                ..Context::default()
            },
        }
    }

    /// The recipient to whom this message was released by hand, where it carries a good token of the store's.
    fn released(&self, store: &Store) -> Result<Option<String>, Trouble> {
        let block = self.header();
        for value in block.values(self.message, RELEASE_HEADER).take(4) {
            let Ok(token) = std::str::from_utf8(value) else {
                continue;
            };
            match store.redeem(token, &message_digest(self.message)) {
                Ok(redeemed) => return Ok(Some(redeemed.recipient)),
                Err(StoreError::Refused { .. } | StoreError::NotFound { .. }) => {}
                Err(error) => return Err(store_trouble(&error)),
            }
        }
        Ok(None)
    }

    pub(super) fn unscannable(
        &self,
        generation: &Generation,
        store: &Store,
        trouble: Trouble,
        tries: u32,
    ) -> Result<Judged, Trouble> {
        let input = self.input(self.message, Instant::now());
        let mut report = generation.unfinished(&input, trouble);
        if let Some(root) = report.artifacts.first_mut() {
            root.mail = Some(Box::new(self.summary()));
        }
        let mut decisions = Vec::new();
        let nothing = Arc::default();
        for recipient in &self.envelope.recipients {
            let route = generation.policy.route(self.envelope, recipient);
            let configured = match tries {
                u32::MAX => Unscannable::Act(Action::Quarantine),
                _ => route.unscannable(),
            };
            let action = match policy::on_failure(trouble, configured, tries) {
                Failure::Act(action) => action,
                Failure::Tempfail if route.dry_run => Action::Deliver,
                // For one recipient is for all: the message comes again.
                Failure::Tempfail => return Err(trouble),
            };
            decisions.push(Decision {
                route,
                action,
                grounds: Arc::clone(&nothing),
            });
        }
        let mut judged = self.act(store, &report, &decisions, None, None)?;
        judged.record.trouble = Some(trouble);
        Ok(judged.with(report))
    }

    /// What the header says, for a message that was not scanned: whoever looks at it must know it again.
    fn summary(&self) -> MailSummary {
        let block = self.header();
        let field = |name: &str| {
            let value = block.values(self.message, name).next()?;
            let text = header_words::likeliest(&header::unfold(value));
            Some(text::excerpt(text.trim())).filter(|text| !text.is_empty())
        };
        MailSummary {
            message_id: field("message-id").map(|id| id.trim_matches(['<', '>']).to_owned()),
            from: field("from"),
            subject: field("subject"),
            ..MailSummary::default()
        }
    }

    fn header(&self) -> Header {
        let end = self.message.len();
        header::read(self.message, 0, end, Breaks::Lf, Doubtful::default())
    }

    pub(super) fn carries_own_headers(&self) -> bool {
        let block = self.header();
        block.fields.iter().any(|field| {
            let name = self.message.get(field.name.clone()).unwrap_or_default();
            name.to_ascii_lowercase().starts_with(OWN_HEADERS)
        })
    }
}

pub(super) fn store_trouble(error: &StoreError) -> Trouble {
    log::store(error);
    Trouble::Unreachable
}

/// Whether the scan ended because its time was over: that is our trouble, not the message's.
pub(in crate::gateway) fn out_of_time(report: &Report, deadline: Instant) -> bool {
    !report.complete
        && Instant::now() >= deadline
        && report
            .findings
            .iter()
            .any(|finding| finding.id == "limit-exceeded")
}

/// The day on which allowances hold (UTC).
pub(in crate::gateway) fn today() -> jiff::civil::Date {
    let now = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now());
    now.date()
}
