//! Tells people what was held back: a thread that asks the store who is still to be told, and sends.
//!
//! The mail flow knows nothing of it: storing a message is enough, and a mail server that is down delays notices only.
//! What waits for one address goes out as one letter. Nobody is told because of a bounce or an automatic mail
//! (RFC 3834 section 2), and nobody at all because of a notice of ours that was itself held back.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::config::Notify;
use crate::formats::header::{self, Breaks, Doubtful};
use crate::knowledge::Catalogue;
use crate::model::Action;
use crate::quarantine::{
    Addressee, Entry, Outcome, PendingNotice, Role, Store, StoreError, UNDELIVERED,
};

use super::letter::{self, Item};
use super::smtp::{self, Letter, NotSent, Server};

/// How often the store is asked.
const PAUSE: Duration = Duration::from_secs(1);

/// How often after something failed.
const LONG_PAUSE: Duration = Duration::from_secs(20);

/// Messages named in one letter.
const ITEMS: usize = 50;

/// Reasons given of one message.
const REASONS: usize = 6;

/// Seconds after which a notice is given up (RFC 5321 section 4.5.4.1 has four to five days), and after which a message
/// is old news.
const GIVE_UP: i64 = 5 * 86_400;

const DAY: i64 = 86_400;

/// The running thread. Dropping it ends the thread, after the letter it is sending.
#[derive(Debug)]
pub struct Post {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Post {
    /// Starts it. The error says why there is no thread.
    pub fn start(
        store: Arc<Store>,
        notify: Notify,
        catalogue: Catalogue,
    ) -> Result<Self, std::io::Error> {
        let (stop, stopped) = mpsc::channel();
        let office = Office {
            store,
            notify,
            catalogue,
        };
        let thread = std::thread::Builder::new()
            .name("notices".to_owned())
            .spawn(move || {
                let mut pause = Duration::ZERO;
                if let Err(error) = office.store.return_notices() {
                    tracing::warn!("notices wait: {error}");
                }
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(pause) {
                    pause = match office.round() {
                        Ok(()) => PAUSE,
                        Err(error) => {
                            tracing::warn!("notices wait: {error}");
                            LONG_PAUSE
                        }
                    };
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It may be waiting for a server that does not answer; what it took comes back by itself.
        if let Some(thread) = self.thread.take()
            && thread.is_finished()
        {
            let _ = thread.join();
        }
    }
}

struct Office {
    store: Arc<Store>,
    notify: Notify,
    catalogue: Catalogue,
}

impl Office {
    /// Settles who is told of what came in, and sends what is due.
    fn round(&self) -> Result<(), StoreError> {
        // Ends because each turn moves on in the store.
        loop {
            let new = self.store.unannounced()?;
            if new.is_empty() {
                break;
            }
            let settled: Result<Vec<_>, StoreError> = new
                .into_iter()
                .map(|entry| Ok((entry.clone(), self.to_be_told(&entry)?)))
                .collect();
            self.store.announce(&settled?)?;
        }
        let due = self.store.take_notices(ITEMS, self.notify.per_hour)?;
        for letter in due.chunk_by(|a, b| (&a.recipient, a.role) == (&b.recipient, b.role)) {
            self.tell(letter)?;
        }
        Ok(())
    }

    fn to_be_told(&self, entry: &Entry) -> Result<Vec<Addressee>, StoreError> {
        let now = now();
        let received = crate::quarantine::parse_time(&entry.received).unwrap_or(now);
        // What only waits for the next hop is not held back.
        if now.saturating_sub(received) > GIVE_UP || entry.route == UNDELIVERED {
            return Ok(Vec::new());
        }
        let message_id = entry.mail.message_id.as_deref().unwrap_or_default();
        if !message_id.is_empty() && self.store.is_notice(message_id)? {
            return Ok(Vec::new());
        }
        let due = due(now, self.notify.digest);
        let addressee = |address: &String, role| Addressee {
            address: address.clone(),
            role,
            due,
        };
        let admins = self.notify.admins.iter();
        let mut to: Vec<Addressee> = admins
            .map(|admin| addressee(admin, Role::Administrator))
            .collect();
        // Whoever got the mail without a part has read the notice in its place.
        let missed = matches!(entry.action, Action::Hold | Action::Quarantine);
        if self.notify.recipients && missed && !self.is_automatic(entry)? {
            for recipient in &entry.envelope.recipients {
                let told = to.iter().any(|known| known.address == *recipient);
                if !recipient.is_empty() && !told {
                    to.push(addressee(recipient, Role::Recipient));
                }
            }
        }
        Ok(to)
    }

    /// Whether no person wrote the mail: it has nobody to answer to, or says so.
    fn is_automatic(&self, entry: &Entry) -> Result<bool, StoreError> {
        if entry.envelope.is_bounce() {
            return Ok(true);
        }
        let message = match self.store.message(entry.id) {
            Ok(message) => message,
            // Deleted meanwhile: nobody misses it any more.
            Err(StoreError::Refused { .. } | StoreError::NotFound { .. }) => return Ok(true),
            Err(StoreError::Corrupt { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(says_automatic(&message))
    }

    fn server(&self) -> Server<'_> {
        Server::of("notify", &self.notify.server)
    }

    /// Sends one letter to one address.
    fn tell(&self, notices: &[PendingNotice]) -> Result<(), StoreError> {
        let Some(first) = notices.first() else {
            return Ok(());
        };
        let mut items = Vec::with_capacity(notices.len());
        for notice in notices {
            items.push(self.item(notice)?);
        }
        let to = &first.recipient;
        let written = letter::write(&self.notify, &self.catalogue, to, first.role, &items);
        let sent = written.map_err(NotSent::Unsuited).and_then(|written| {
            let letter = Letter {
                sender: "",
                recipient: to,
                message: &written.message,
            };
            smtp::send(&self.server(), letter).map(|_| written.message_id)
        });
        match sent {
            Ok(letter) => {
                tracing::info!(to, messages = items.len(), letter, "notice sent");
                let outcome = Outcome::Sent { letter: &letter };
                self.store.end_notices(notices, &outcome)
            }
            Err(NotSent::Refused(reason) | NotSent::Unsuited(reason)) => {
                tracing::warn!(to, reason, "notice given up");
                let outcome = Outcome::GivenUp { reason: &reason };
                self.store.end_notices(notices, &outcome)
            }
            // Better told twice than not at all.
            Err(NotSent::Later(reason) | NotSent::Unknown(reason)) => {
                tracing::warn!(to, reason, "notice waits");
                let (old, young): (Vec<_>, Vec<_>) = notices
                    .iter()
                    .cloned()
                    .partition(|notice| notice.age > GIVE_UP);
                let given_up = Outcome::GivenUp { reason: &reason };
                self.store.end_notices(&old, &given_up)?;
                let tries = first.tries.min(8);
                let seconds = (15_i64 << tries).min(3600);
                self.store.end_notices(&young, &Outcome::Later { seconds })
            }
        }
    }

    fn item(&self, notice: &PendingNotice) -> Result<Item, StoreError> {
        let entry = self.store.get(notice.ticket)?;
        let report = match self.store.report(notice.ticket) {
            Ok(report) => report.unwrap_or_default(),
            // What the row says is told all the same.
            Err(StoreError::Corrupt { .. }) => serde_json::Value::Null,
            Err(error) => return Err(error),
        };
        let mut reasons = reasons(&report);
        if reasons.is_empty() {
            let ids = entry.findings.iter().take(REASONS);
            reasons = ids.map(|id| (id.clone(), String::new())).collect();
        }
        Ok(Item { entry, reasons })
    }
}

/// The worst findings of a report, each id once, with the names of the files that they are about.
fn reasons(report: &serde_json::Value) -> Vec<(String, String)> {
    let list = |key: &str| report.get(key).and_then(serde_json::Value::as_array);
    let artifacts = list("artifacts");
    // The file that a person knows: the artifact, or the nearest above it that came as a part of the mail.
    let name = |finding: &serde_json::Value| {
        let mut at = finding.get("artifact").and_then(serde_json::Value::as_u64);
        let mut known = String::new();
        // Ends because a parent stands before its children.
        while let Some(artifact) = at
            .and_then(|at| usize::try_from(at).ok())
            .and_then(|at| artifacts?.get(at))
        {
            let parent = artifact.get("parent").and_then(serde_json::Value::as_u64);
            let name = artifact.get("name").and_then(serde_json::Value::as_str);
            if let (Some(name), Some(_)) = (name, parent) {
                name.clone_into(&mut known);
            }
            at = parent.filter(|parent| at.is_some_and(|at| *parent < at));
        }
        known
    };
    let mut findings: Vec<&serde_json::Value> = list("findings").into_iter().flatten().collect();
    let score = |finding: &serde_json::Value| finding.get("score").and_then(|score| score.as_u64());
    findings.sort_by_key(|finding| std::cmp::Reverse(score(finding)));
    let mut named: Vec<(String, String)> = Vec::new();
    for finding in findings {
        let id = finding.get("id").and_then(serde_json::Value::as_str);
        let Some(id) = id else { continue };
        if named.len() < REASONS && !named.iter().any(|(known, _)| known == id) {
            named.push((id.to_owned(), name(finding)));
        }
    }
    named
}

/// When what comes in `now` is told; `digest`: the minute of the day of a digest.
fn due(now: i64, digest: Option<u16>) -> i64 {
    let Some(minute) = digest else {
        return now;
    };
    let midnight = now - now.rem_euclid(DAY);
    let today = midnight + i64::from(minute) * 60;
    if today > now { today } else { today + DAY }
}

/// Whether a mail says that a program wrote it (RFC 3834 section 5; Precedence by custom).
fn says_automatic(message: &[u8]) -> bool {
    let block = header::read(message, 0, message.len(), Breaks::Lf, Doubtful::default());
    let values = |name| block.values(message, name).map(<[u8]>::trim_ascii);
    let submitted = values("auto-submitted").any(|value| {
        let word = value.split(|byte| matches!(byte, b';' | b' ' | b'\t' | b'('));
        !word.take(1).all(|word| word.eq_ignore_ascii_case(b"no"))
    });
    let precedence = values("precedence").any(|value| {
        let automatic: [&[u8]; 3] = [b"bulk", b"junk", b"auto_reply"];
        automatic
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word))
    });
    submitted || precedence
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_that_programs_wrote_is_known() {
        for (header, automatic) in [
            ("Auto-Submitted: auto-replied\r\n", true),
            ("auto-submitted: auto-generated (rule)\r\n", true),
            ("Auto-Submitted: no\r\n", false),
            ("Auto-Submitted: No; why=because\r\n", false),
            ("Precedence: bulk\r\n", true),
            ("Precedence: first-class\r\n", false),
            ("List-Id: <a.b>\r\n", false),
        ] {
            let message = format!("From: a@b\r\n{header}\r\nAuto-Submitted: auto-replied\r\n");
            assert_eq!(says_automatic(message.as_bytes()), automatic, "{header}");
        }
    }

    #[test]
    fn a_digest_waits_for_its_time() {
        let noon = 20_000 * DAY + DAY / 2;
        assert_eq!(due(noon, None), noon);
        assert_eq!(due(noon, Some(13 * 60)), noon + 3600);
        assert_eq!(due(noon, Some(12 * 60)), noon + DAY);
        assert_eq!(due(noon, Some(60)), noon + 13 * 3600);
    }

    #[test]
    fn reasons_name_the_file_that_came_with_the_mail() {
        let report = serde_json::json!({
            "artifacts": [
                {"id": 0, "name": "m.eml"},
                {"id": 1, "parent": 0, "name": "報告.docm"},
                {"id": 2, "parent": 1, "name": "word/vbaProject.bin"},
            ],
            "findings": [
                {"id": "vba-macro", "score": 10, "artifact": 2},
                {"id": "vba-stomped", "score": 60, "artifact": 2},
                {"id": "vba-macro", "score": 10, "artifact": 2},
                {"id": "mime-partial", "score": 30, "artifact": 0},
            ],
        });
        let named = |id: &str, name: &str| (id.to_owned(), name.to_owned());
        assert_eq!(
            reasons(&report),
            [
                named("vba-stomped", "報告.docm"),
                named("mime-partial", ""),
                named("vba-macro", "報告.docm"),
            ]
        );
    }
}
