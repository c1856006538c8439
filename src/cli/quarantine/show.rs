//! Messages of the quarantine as people read them. Every foreign text is made safe here.

use std::fmt::Write as _;

use serde_json::Value;

use crate::config::Size;
use crate::knowledge::{Catalogue, Language};
use crate::model::Severity;
use crate::quarantine::{Entry, Event, Mending, Mismatch, Ticket, Verified};
use crate::report::words;
use crate::text;

use super::super::exit::Failure;
use super::super::put;
use super::super::settings::Settings;
use super::{Desk, Format, Wrong, json};

/// Characters of one column of a table.
const COLUMN: usize = 40;

pub(super) fn run(
    desk: &Desk,
    settings: &Settings,
    id: Ticket,
    format: Format,
) -> Result<(), Wrong> {
    let entry = desk.store.get(id)?;
    let audit = desk.store.audit(id)?;
    let report = desk.store.report(id)?;
    match format {
        Format::Json => {
            let mut whole = serde_json::to_value(&entry).map_err(Failure::new)?;
            if let Value::Object(fields) = &mut whole {
                fields.insert(
                    "audit".to_owned(),
                    serde_json::to_value(&audit).map_err(Failure::new)?,
                );
                fields.insert("report".to_owned(), report.unwrap_or_default());
            }
            json(&whole)?;
        }
        Format::Text => {
            let page = Page {
                catalogue: &desk.knowledge.catalogue,
                language: settings.language(),
            };
            put(&page.page(&entry, &audit, report.as_ref()))?;
        }
    }
    Ok(())
}

/// A line for each message.
pub(super) fn table(entries: &[Entry]) -> String {
    let mut out = String::new();
    for entry in entries {
        let recipients = match entry.envelope.recipients.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} (+{})", rest.len()),
        };
        let damage = if entry.damage.is_some() {
            "  [damaged]"
        } else {
            ""
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{}  {}  {:<11}  {:<10} {:>3}  {} -> {}  {}{damage}",
            entry.id,
            entry.received,
            entry.state.as_str(),
            text::safe(&entry.level),
            entry.score,
            sender(entry),
            column(&recipients),
            column(entry.mail.subject.as_deref().unwrap_or_default()),
        );
    }
    out
}

fn sender(entry: &Entry) -> String {
    if entry.envelope.is_bounce() {
        "<>".to_owned()
    } else {
        column(&entry.envelope.sender)
    }
}

fn column(words: &str) -> String {
    let mut cut: String = words.chars().take(COLUMN).collect();
    if cut.len() < words.len() {
        cut.push('…');
    }
    text::safe(&cut)
}

/// What did not agree, and what was done about it.
pub(super) fn verified(verified: &Verified, mending: Mending) -> String {
    let mut out = String::new();
    for mismatch in &verified.mismatches {
        let (about, what, done) = match mismatch {
            Mismatch::Leftover(about) => (about, "never finished, promised to nobody", "removed"),
            Mismatch::Unsettled(about) => (about, "written but not in its place", "moved there"),
            Mismatch::Orphan(about) => (about, "a file without a row", "moved to orphans/"),
            Mismatch::Unneeded(about) => (about, "needed by no message any more", "removed"),
            Mismatch::Uncounted(about) => (about, "not counted rightly", "counted"),
            Mismatch::Stranger(about) => (about, "not a file of the quarantine", "left alone"),
            Mismatch::Missing(about) => (about, "LOST: its file is gone", "noted"),
            Mismatch::Damaged(about) => (about, "LOST: its file is damaged", "moved to damaged/"),
            Mismatch::Recovered(about) => (about, "its file is there again", "noted"),
        };
        let done = match mending {
            Mending::Done => done,
            Mending::Told => "nothing done (--dry-run)",
        };
        let _ = writeln!(out, "{}  {what}: {done}", text::safe(about));
    }
    let lost = verified
        .mismatches
        .iter()
        .filter(|one| one.is_loss())
        .count();
    let _ = writeln!(
        out,
        "{} messages read, {} mismatches, {lost} messages lost",
        verified.messages,
        verified.mismatches.len()
    );
    out
}

/// Everything about one message in one language.
struct Page<'a> {
    catalogue: &'a Catalogue,
    language: Language,
}

impl Page<'_> {
    fn say(&self, english: &'static str, japanese: &'static str) -> &'static str {
        match self.language {
            Language::English => english,
            Language::Japanese => japanese,
        }
    }

    fn page(&self, entry: &Entry, audit: &[Event], report: Option<&Value>) -> String {
        let words = words(self.language);
        let mut out = String::new();
        let mut field = |name: &str, value: &str| {
            if !value.is_empty() {
                let _ = writeln!(out, "{name}: {}", text::excerpt(value));
            }
        };
        let envelope = &entry.envelope;
        let client = envelope.client.map(|client| client.to_string());
        let mail = &entry.mail;
        let of = |text: &Option<String>| text.clone().unwrap_or_default();
        field(self.say("Message", "番号"), &entry.id.to_string());
        field(self.say("State", "状態"), entry.state.as_str());
        field(self.say("Action", "処置"), entry.action.as_str());
        field(self.say("Route", "経路"), &entry.route);
        field(self.say("Received", "受信"), &entry.received);
        let verdict = format!("{}, {} {}", entry.level, words.score, entry.score);
        field(self.say("Verdict", "判定"), &verdict);
        field(self.say("Size", "サイズ"), &Size(entry.size).to_string());
        field("SHA-256", &entry.sha256);
        field(self.say("Damage", "破損"), &of(&entry.damage));
        let sender = if envelope.is_bounce() {
            "<>"
        } else {
            &envelope.sender
        };
        field(self.say("Envelope sender", "エンベロープ差出人"), sender);
        for recipient in &envelope.recipients {
            field(self.say("Recipient", "受信者"), recipient);
        }
        field(self.say("Client", "接続元"), &of(&client));
        field("HELO", &envelope.helo);
        field(self.say("User", "ユーザー"), &of(&envelope.user));
        field(self.say("Queue id", "キューID"), &envelope.queue_id);
        field("Message-ID", &of(&mail.message_id));
        field(words.from, &of(&mail.from));
        field(words.to, &mail.to.join(", "));
        field(words.date, &of(&mail.date));
        field(words.subject, &of(&mail.subject));
        for released in &entry.released {
            let reply = released.reply.as_deref().unwrap_or("?");
            let value = format!("{}  {}  {reply}", released.recipient, released.at);
            field(self.say("Released to", "解放先"), &value);
        }
        match report {
            Some(report) => self.findings(&mut out, report),
            None => {
                for id in &entry.findings {
                    let _ = writeln!(out, "- {}", text::safe(id));
                }
            }
        }
        let _ = writeln!(out, "\n{}:", self.say("History", "履歴"));
        for event in audit {
            let more = [&event.why, &event.detail].map(|text| text::excerpt(text));
            let _ = writeln!(
                out,
                "- {}  {}  {}  {}",
                event.at,
                text::excerpt(&event.who),
                event.what,
                more.join("  ").trim()
            );
        }
        out
    }

    fn findings(&self, out: &mut String, report: &Value) {
        let words = words(self.language);
        let list = |name: &str| {
            let values = report.get(name).and_then(Value::as_array);
            values.map(Vec::as_slice).unwrap_or_default()
        };
        let of = |value: &Value, name: &str| {
            let text = value.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        if list("findings").is_empty() {
            return;
        }
        let _ = writeln!(out, "\n{}:", words.findings);
        for finding in list("findings") {
            let id = of(finding, "id");
            let severity = finding.get("severity").cloned().unwrap_or_default();
            let severity: Severity = serde_json::from_value(severity).unwrap_or(Severity::Info);
            let artifact = finding.get("artifact").and_then(Value::as_u64);
            let artifact = artifact.and_then(|at| list("artifacts").get(usize::try_from(at).ok()?));
            let name = artifact
                .map(|artifact| of(artifact, "name"))
                .unwrap_or_default();
            let seen = finding.get("evidence").map(|evidence| of(evidence, "text"));
            let _ = writeln!(
                out,
                "- {}  {} ({})  {}: {}",
                words.severity(severity),
                self.title(&id),
                text::safe(&id),
                text::excerpt(&name),
                text::excerpt(&seen.unwrap_or_default())
            );
        }
        let mut said = Vec::new();
        for raised in list("raised") {
            let id = of(raised, "by");
            if !said.contains(&id) {
                let _ = writeln!(
                    out,
                    "{}: {} ({})",
                    words.together,
                    self.title(&id),
                    text::safe(&id)
                );
                said.push(id);
            }
        }
    }

    /// The title of a finding or combination; rules and what is in no catalogue any more have none.
    fn title(&self, id: &str) -> String {
        let entry = self
            .catalogue
            .entry(id)
            .map(|entry| entry.text(self.language));
        let mut combinations = self.catalogue.combinations().iter();
        let text = entry.or_else(|| {
            combinations
                .find(|combination| combination.id == id)
                .map(|combination| combination.text(self.language))
        });
        let words = words(self.language);
        text.map_or_else(|| words.rule_title.to_owned(), |text| text.title.clone())
    }
}
