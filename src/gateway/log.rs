//! The log: one line for each message, and what administrators must know. Foreign text is escaped.

use std::time::Duration;

use crate::model::{Envelope, Report};
use crate::policy::{self, Decision, Trouble};
use crate::quarantine::StoreError;
use crate::text;

/// Findings and recipients that are named at the most.
const NAMED: usize = 20;

/// What the log and the metrics say of a message.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) message_id: String,
    pub(super) verdict: &'static str,
    pub(super) score: u8,
    pub(super) complete: bool,
    pub(super) findings: Vec<String>,
    pub(super) routes: Vec<String>,
    /// What policy decided, the strictest.
    pub(super) decided: &'static str,
    /// What was done, the strictest.
    pub(super) action: &'static str,
    pub(super) tickets: Vec<String>,
    pub(super) allowed: Vec<String>,
    pub(super) dry_run: bool,
    pub(super) released: bool,
    /// Parts that were taken out.
    pub(super) removed: usize,
    /// Why nothing could be taken out, where something was to be.
    pub(super) refused: Option<String>,
    pub(super) trouble: Option<Trouble>,
    pub(super) scan: Duration,
}

impl Record {
    pub(super) fn of(report: &Report, decisions: &[Decision]) -> Self {
        let mut record = Self {
            verdict: report.level.as_str(),
            score: report.score,
            complete: report.complete,
            dry_run: decisions.iter().any(|decision| decision.route.dry_run),
            scan: Duration::from_micros(report.elapsed_us),
            ..Self::default()
        };
        let mail = report.artifacts.first().and_then(|root| root.mail.as_ref());
        record.message_id = mail
            .and_then(|mail| mail.message_id.clone())
            .unwrap_or_default();
        for finding in &report.findings {
            push(&mut record.findings, &finding.id);
        }
        for decision in decisions {
            push(&mut record.routes, &decision.route.name);
        }
        let grounds = policy::distinct(decisions).into_iter();
        for reason in grounds.flat_map(|grounds| &grounds.allowed) {
            push(&mut record.allowed, reason);
        }
        let strictest = decisions.iter().map(|decision| decision.action).max();
        record.decided = strictest.map_or("", |action| action.as_str());
        record
    }
}

fn push(list: &mut Vec<String>, text: &str) {
    if list.len() < NAMED && !list.iter().any(|known| known == text) {
        list.push(text.to_owned());
    }
}

/// The line of a message.
pub(super) fn message(id: &str, envelope: &Envelope, size: usize, took: Duration, record: &Record) {
    let safe = |text: &str| text::excerpt(text);
    let to: Vec<&str> = envelope
        .recipients
        .iter()
        .take(NAMED)
        .map(String::as_str)
        .collect();
    let client = envelope.client.map(|client| client.to_string());
    tracing::info!(
        target: "sekisho::message",
        id,
        listener = envelope.listener,
        queue_id = safe(&envelope.queue_id),
        message_id = safe(&record.message_id),
        client = client.unwrap_or_default(),
        from = safe(&envelope.sender),
        to = safe(&to.join(",")),
        recipients = envelope.recipients.len(),
        route = record.routes.join(","),
        verdict = record.verdict,
        score = record.score,
        complete = record.complete,
        findings = record.findings.join(","),
        decided = record.decided,
        action = record.action,
        ticket = record.tickets.join(","),
        allowed = safe(&record.allowed.join(",")),
        dry_run = record.dry_run,
        released = record.released,
        removed = record.removed,
        refused = record.refused.as_deref().unwrap_or_default(),
        trouble = record.trouble.map(name).unwrap_or_default(),
        size,
        scan_ms = millis(record.scan),
        total_ms = millis(took),
        "message"
    );
}

/// The store does not do what it must.
pub(super) fn store(error: &StoreError) {
    let hint = error.hint().unwrap_or_default();
    tracing::error!(hint, "{error}");
}

/// The word for a trouble in logs and metrics.
pub(super) fn name(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::Busy => "busy",
        Trouble::OutOfTime => "out-of-time",
        Trouble::Lost => "lost",
        Trouble::Unreachable => "unreachable",
        Trouble::NotOffered => "not-offered",
    }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
