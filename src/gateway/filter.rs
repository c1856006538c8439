//! What a message comes to: bytes and envelope → scan → policy → [`Answer`]. Knows no protocol.
//!
//! | file | what |
//! | --- | --- |
//! | `case` | one message on a scan thread: scan, policy, failure |
//! | `act` | from decisions to deeds: refused, cleaned, the rest |
//! | `place` | into the store, then on |
//! | `editions` | copies that differ by recipient |
//! | `mark` | the mark before a subject |
//!
//! Nothing is discarded and no recipient dropped before the message is in the store for them.

mod act;
mod case;
mod editions;
mod mark;
mod place;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::engine::{Context, Input, Worker};
use crate::model::{Action, Envelope, Report};
use crate::policy::Trouble;
use crate::quarantine::{Deposit, Store, Ticket, Tries, message_digest};

use super::headers;
use super::log::{self, Record};
use super::metrics::Metrics;
use super::plan::{Abilities, Answer, Changes};
use super::pool::{Admission, Generation, Pool, Share};

pub(super) use case::{Case, out_of_time, today};
use case::{Judged, store_trouble};

/// How many times the bytes of a message its scan may hold at once: decoded parts, their children, the new message.
const SCAN_FACTOR: usize = 4;

/// Bytes that a thread of sockets may read by itself: a fraction of a millisecond.
const SMALL: usize = 1 << 20;

/// Memory of a scan beside its message, in bytes.
const SCAN_BASE: usize = 1 << 20;
/// Everything that messages are judged with.
pub(super) struct Filter {
    pub(super) pool: Pool,
    pub(super) admission: Admission,
    pub(super) store: Arc<Store>,
    pub(super) tries: Arc<Tries>,
    pub(super) metrics: Arc<Metrics>,
    ids: Ids,
    timeout: Duration,
    max_message: usize,
}

/// One message to judge.
pub(super) struct Request {
    /// How it came.
    pub(super) envelope: Envelope,
    /// All of it; none where there was no room for it.
    pub(super) message: Option<Bytes>,
    /// What may be done with it.
    pub(super) abilities: Abilities,
    /// The memory that it holds.
    pub(super) share: Share,
}

/// What came of a message, with what a protocol needs that sends it on by itself.
pub(super) struct Outcome {
    /// The id in logs and headers.
    pub(super) id: String,
    pub(super) answer: Answer,
    /// What was found, without the bytes, where the answer is [`Answer::Copies`].
    pub(super) report: Option<Report>,
}

impl Filter {
    /// A filter over its parts. `timeout` is for one message as a whole.
    pub(super) fn new(
        pool: Pool,
        store: Arc<Store>,
        tries: Tries,
        max_memory: u64,
        timeout: Duration,
    ) -> Self {
        Self {
            pool,
            admission: Admission::new(max_memory),
            store,
            tries: Arc::new(tries),
            metrics: Arc::default(),
            ids: Ids::new(),
            timeout,
            max_message: usize::try_from(max_memory / 2).unwrap_or(usize::MAX),
        }
    }

    /// Whether a message is larger than can ever be looked at.
    pub(super) fn too_large(&self, bytes: usize) -> bool {
        bytes > self.max_message
    }

    /// The largest message or file that can ever be looked at, in bytes.
    pub(super) fn max_message(&self) -> usize {
        self.max_message
    }

    /// The report on a message that was not scanned because of us.
    pub(super) fn no_report(&self, id: &str) -> Report {
        let input = Input {
            path: format!("{id}.eml"),
            name: None,
            data: Bytes::new(),
            facts: Vec::new(),
            context: Context::default(),
        };
        self.pool.generation().unfinished(&input, Trouble::Busy)
    }

    /// Makes a share one for the scan of so many bytes.
    pub(super) fn admit_scan(&self, share: &mut Share, bytes: usize) -> Result<(), Trouble> {
        let need = bytes.saturating_mul(SCAN_FACTOR).saturating_add(SCAN_BASE);
        self.admission.grow(share, need)
    }

    /// When what begins now must have ended.
    pub(super) fn deadline(&self) -> Instant {
        let now = Instant::now();
        now.checked_add(self.timeout).unwrap_or(now)
    }

    /// An id for the next message or file.
    pub(super) fn next_id(&self) -> String {
        self.ids.next()
    }

    /// Judges a message, and says in one line of the log what became of it.
    pub(super) async fn judge(&self, request: Request) -> Answer {
        self.judge_whole(request).await.answer
    }

    /// The same, for a protocol that sends the message on by itself.
    pub(super) async fn judge_whole(&self, request: Request) -> Outcome {
        let started = Instant::now();
        let id = self.next_id();
        let mut envelope = request.envelope;
        if envelope.recipients.is_empty() {
            // An MTA that tells no recipients: the message is judged as a whole.
            envelope.recipients.push(String::new());
        }
        let auth = Arc::clone(&self.pool.generation().auth);
        let original = request.message.clone();
        if let Some(message) = &original {
            let proofs = self.pool.generation().policy.proofs(&envelope);
            auth.prove(&mut envelope, message, proofs).await;
        }
        let envelope = Arc::new(envelope);
        let size = request.message.as_ref().map_or(0, Bytes::len);
        let judged = match request.message {
            None => Err(Trouble::Busy),
            Some(message) => {
                self.scan(&id, &envelope, message, request.abilities, request.share)
                    .await
            }
        };
        let judged = judged.unwrap_or_else(|trouble| self.refuse(&envelope, trouble));
        self.metrics.count(&judged.record, started.elapsed());
        log::message(&id, &envelope, size, started.elapsed(), &judged.record);
        let mut answer = judged.answer;
        if let Some(original) = &original {
            for changes in answer.changes_mut() {
                let untold = std::mem::take(changes);
                *changes = auth.tell(&envelope, original, untold).await;
            }
        }
        Outcome {
            answer,
            report: judged.report,
            id,
        }
    }

    /// Stores a copy that could not be delivered, as held for `envelope`'s recipients. `route` is its way in the store.
    pub(super) async fn hold(
        &self,
        message: Vec<u8>,
        envelope: Envelope,
        report: Report,
        route: &'static str,
    ) -> Result<Ticket, Trouble> {
        let store = Arc::clone(&self.store);
        let put = move || {
            let deposit = Deposit {
                message: &message,
                envelope: &envelope,
                report: &report,
                route,
                action: Action::Hold,
                received: SystemTime::now(),
            };
            match store.put(&deposit) {
                Ok(stored) => Ok(stored.ticket()),
                Err(error) => Err(store_trouble(&error)),
            }
        };
        tokio::task::spawn_blocking(put)
            .await
            .map_err(|_| Trouble::Lost)?
    }

    async fn scan(
        &self,
        id: &str,
        envelope: &Arc<Envelope>,
        message: Bytes,
        abilities: Abilities,
        mut share: Share,
    ) -> Result<Judged, Trouble> {
        self.admit_scan(&mut share, message.len())?;
        let deadline = self.deadline();
        let digest = digest(&message).await;
        if self.tries.is_poison(&digest) {
            let trouble = Trouble::Lost;
            return self
                .unscannable(id, envelope, message, abilities, trouble, u32::MAX)
                .await;
        }
        let work = {
            let (store, tries) = (Arc::clone(&self.store), Arc::clone(&self.tries));
            let (id, envelope, message) = (id.to_owned(), Arc::clone(envelope), message.clone());
            let pool = self.pool.clone();
            move |generation: &Generation, worker: &mut Worker<'_>| {
                let _running = tries.begin(&digest);
                let case = Case {
                    id: &id,
                    envelope: &envelope,
                    message: &message,
                    abilities,
                    pool: Some(&pool),
                };
                case.judge(generation, worker, &store, deadline)
            }
        };
        match self.pool.run(deadline, work).await {
            // Out of time by its own account.
            Ok(Err(trouble @ Trouble::OutOfTime)) => {
                let tries = self.tries.failed(&digest);
                self.unscannable(id, envelope, message, abilities, trouble, tries)
                    .await
            }
            Ok(judged) => judged,
            Err(trouble @ (Trouble::OutOfTime | Trouble::Lost)) => {
                let tries = self.tries.failed(&digest);
                self.unscannable(id, envelope, message, abilities, trouble, tries)
                    .await
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// The failure policy for a message that did not survive its scan, or the scan it.
    async fn unscannable(
        &self,
        id: &str,
        envelope: &Arc<Envelope>,
        message: Bytes,
        abilities: Abilities,
        trouble: Trouble,
        tries: u32,
    ) -> Result<Judged, Trouble> {
        let generation = self.pool.generation();
        let (store, id, envelope) = (Arc::clone(&self.store), id.to_owned(), Arc::clone(envelope));
        let work = move || {
            let case = Case {
                id: &id,
                envelope: &envelope,
                message: &message,
                abilities,
                pool: None,
            };
            case.unscannable(&generation, &store, trouble, tries)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| Trouble::Lost)?
    }

    /// The answer where nothing can be done but to ask for another try.
    fn refuse(&self, envelope: &Envelope, trouble: Trouble) -> Judged {
        let generation = self.pool.generation();
        let dry = envelope
            .recipients
            .iter()
            .all(|recipient| generation.policy.route(envelope, recipient).dry_run);
        let mut record = Record {
            trouble: Some(trouble),
            dry_run: dry,
            ..Record::default()
        };
        if dry {
            // Somebody who tries the gateway out must not lose time by it.
            record.action = "deliver";
            return Judged {
                answer: Answer::Pass(Changes::default()),
                record,
                report: None,
            };
        }
        record.action = "tempfail";
        Judged {
            answer: Answer::Tempfail(headers::tempfail(trouble)),
            record,
            report: None,
        }
    }
}

/// What a message is known again by. A large one is read off the threads of sockets.
pub(super) async fn digest(message: &Bytes) -> [u8; 32] {
    if message.len() <= SMALL {
        return message_digest(message);
    }
    let large = message.clone();
    let read = tokio::task::spawn_blocking(move || message_digest(&large)).await;
    read.unwrap_or_else(|_| message_digest(message))
}

/// Ids of messages: of this run of the program, and counted.
struct Ids {
    run: u64,
    next: AtomicU64,
}

impl Ids {
    fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = now.map_or(0, |now| now.as_millis());
        Self {
            run: u64::try_from(millis & 0xff_ffff_ffff).unwrap_or_default(),
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{:x}-{number:x}", self.run)
    }
}
