//! What a message comes to: bytes and envelope → scan → policy → [`Answer`]. Knows no protocol.
//!
//! Nothing is discarded and no recipient dropped before the message is in the store for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::config::Unscannable;
use crate::engine::{Context, Input, Worker};
use crate::formats::header::{self, Breaks, Doubtful, Header};
use crate::formats::header_words;
use crate::model::{Action, Envelope, Kind, MailSummary, Report};
use crate::policy::{self, Decision, Failure, Trouble};
use crate::quarantine::{
    Deposit, RELEASE_HEADER, Store, StoreError, Ticket, Tries, message_digest,
};
use crate::text;
use crate::unpack::Passwords;

use super::clean::{Clean, Cleaner};
use super::headers;
use super::log::{self, Record};
use super::metrics::Metrics;
use super::plan::{Abilities, Answer, Changes, Edition, OWN_HEADERS};
use super::pool::{Admission, Generation, Pool, Share};

/// How many times the bytes of a message its scan may hold at once: decoded parts, their children, the new message.
const SCAN_FACTOR: usize = 4;

/// Memory of a scan beside its message, in bytes.
const SCAN_BASE: usize = 1 << 20;

/// Different changed copies of one message at the most; where recipients ask for more, they get one that suits all.
const MOST_COPIES: usize = 8;

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

/// What becomes of a message for each recipient.
struct Fates<'a> {
    each: &'a [Action],
    /// The message without what policy takes out, where it does, and for whom.
    cleaned: Vec<(Vec<usize>, Clean<'a>)>,
    /// Whether every route only tries out.
    dry: bool,
}

/// A judged message.
struct Judged {
    answer: Answer,
    record: Record,
    report: Option<Report>,
}

/// What all steps of one judgement look at.
pub(super) struct Case<'a> {
    pub(super) id: &'a str,
    pub(super) envelope: &'a Envelope,
    pub(super) message: &'a Bytes,
    abilities: Abilities,
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
        let digest = message_digest(&message);
        if self.tries.is_poison(&digest) {
            let trouble = Trouble::Lost;
            return self
                .unscannable(id, envelope, message, abilities, trouble, u32::MAX)
                .await;
        }
        let work = {
            let (store, tries) = (Arc::clone(&self.store), Arc::clone(&self.tries));
            let (id, envelope, message) = (id.to_owned(), Arc::clone(envelope), message.clone());
            move |generation: &Generation, worker: &mut Worker<'_>| {
                let _running = tries.begin(&digest);
                let case = Case {
                    id: &id,
                    envelope: &envelope,
                    message: &message,
                    abilities,
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
    fn judge(
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
    pub(super) fn input(&self, message: &Bytes, deadline: Instant) -> Input {
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

    fn unscannable(
        &self,
        generation: &Generation,
        store: &Store,
        trouble: Trouble,
        tries: u32,
    ) -> Result<Judged, Trouble> {
        let input = self.input(self.message, Instant::now());
        let mut report = generation.unfinished(&input, trouble);
        if let Some(root) = report.artifacts.first_mut() {
            root.mail = Some(self.summary());
        }
        let mut decisions = Vec::new();
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
                parts: BTreeMap::new(),
                disarm: std::collections::BTreeSet::new(),
                because: Vec::new(),
                allowed: Vec::new(),
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

    /// From decisions to deeds.
    fn act<'r>(
        &self,
        store: &Store,
        report: &'r Report,
        decisions: &[Decision],
        released: Option<&str>,
        cleaner: Option<&mut Cleaner<'r, '_>>,
    ) -> Result<Judged, Trouble> {
        let mut fates: Vec<Action> = decisions
            .iter()
            .zip(&self.envelope.recipients)
            .map(|(decision, recipient)| match decision.route.dry_run {
                true => Action::Deliver,
                false if released == Some(recipient.as_str()) => Action::Deliver,
                false => decision.action,
            })
            .collect();
        let mut record = Record::of(report, decisions);
        record.released = released.is_some();
        if self.abilities.refuse && fates.iter().all(|fate| *fate == Action::Reject) {
            record.action = "reject";
            return Ok(Judged {
                answer: Answer::Reject(headers::reject(self.id, report)),
                record,
                report: None,
            });
        }
        for fate in fates.iter_mut().filter(|fate| **fate == Action::Reject) {
            *fate = Action::Quarantine;
        }
        let cleaned = self.clean_all(report, decisions, &mut fates, cleaner, &mut record)?;
        let dry = decisions.iter().all(|decision| decision.route.dry_run);
        let fates = Fates {
            each: &fates,
            cleaned,
            dry,
        };
        let answer = self.place(store, report, decisions, fates, &mut record)?;
        Ok(Judged {
            answer,
            record,
            report: None,
        })
    }

    /// Takes out what is to be taken out, once for all recipients with the same parts where each can have a copy of its
    /// own. What can't be made safe waits for somebody to look at it: its fates become [`Action::Hold`].
    fn clean_all<'r>(
        &self,
        report: &'r Report,
        decisions: &[Decision],
        fates: &mut [Action],
        mut cleaner: Option<&mut Cleaner<'r, '_>>,
        record: &mut Record,
    ) -> Result<Vec<(Vec<usize>, Clean<'r>)>, Trouble> {
        let mut cleaned = Vec::new();
        for to in self.groups(decisions, fates) {
            let own = only(fates, &to);
            let tried = match cleaner.as_deref_mut() {
                Some(cleaner) => self.clean(cleaner, report, decisions, &own)?,
                None => Err("it was not scanned".to_owned()),
            };
            match tried {
                Ok(clean) => {
                    record.removed = record.removed.saturating_add(clean.removed());
                    cleaned.push((to, clean));
                }
                Err(why) => {
                    let held = fates.iter_mut().enumerate();
                    held.filter(|(at, _)| to.binary_search(at).is_ok())
                        .for_each(|(_, fate)| *fate = Action::Hold);
                    record.refused = Some(why);
                }
            }
        }
        Ok(cleaned)
    }

    /// The recipients whose message is changed, by what is changed in it.
    fn groups(&self, decisions: &[Decision], fates: &[Action]) -> Vec<Vec<usize>> {
        let changed = places(fates, Action::changes_content);
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for at in &changed {
            if let Some(decision) = decisions.get(*at) {
                groups.entry(&decision.parts).or_default().push(*at);
            }
        }
        let one_for_all = !self.abilities.copies || groups.len() > MOST_COPIES;
        match changed.is_empty() {
            true => Vec::new(),
            false if one_for_all => vec![changed],
            false => groups.into_values().collect(),
        }
    }

    /// Stores what is to be stored, and answers for the rest.
    fn place(
        &self,
        store: &Store,
        report: &Report,
        decisions: &[Decision],
        fates: Fates<'_>,
        record: &mut Record,
    ) -> Result<Answer, Trouble> {
        let Fates {
            each: fates,
            cleaned,
            dry,
        } = fates;
        let dropped: Vec<usize> = places(fates, |fate| !fate.delivers());
        let passes = dropped.len() < fates.len();
        let own = self.carries_own_headers();
        let strictest = fates.iter().copied().filter(|fate| fate.delivers()).max();
        if passes {
            let able = self.abilities;
            let not_offered = (!dropped.is_empty() && !able.drop_recipients)
                || (strictest == Some(Action::Tag) && !able.add_headers)
                || (own && !dry && !able.change_headers)
                || !(cleaned.is_empty() || able.change_headers && able.change_body);
            if not_offered {
                return Err(Trouble::NotOffered);
            }
        }
        let mut originals = BTreeMap::new();
        for action in [
            Action::Disarm,
            Action::Strip,
            Action::Hold,
            Action::Quarantine,
        ] {
            let to = places(fates, |fate| fate == action);
            let Some(route) = to.first().and_then(|first| decisions.get(*first)) else {
                continue;
            };
            let ticket = self.store(store, report, &route.route.name, action, &to)?;
            originals.insert(action, ticket.to_string());
            record.tickets.push(ticket.to_string());
        }
        let worst = fates.iter().copied().max().unwrap_or(Action::Deliver);
        record.action = worst.as_str();
        if !passes {
            return Ok(Answer::Discard);
        }
        if dry {
            return Ok(match self.abilities.copies {
                true => self.editions(report, decisions, fates, Vec::new()),
                false => Answer::Pass(Changes::default()),
            });
        }
        let mut changed = Vec::new();
        for (to, clean) in cleaned {
            let strictest = to.iter().filter_map(|at| fates.get(*at)).max();
            let original = strictest.and_then(|action| originals.get(action));
            changed.push((to, clean.finish(original.map_or("", String::as_str))?));
        }
        if self.abilities.copies {
            return Ok(self.editions(report, decisions, fates, changed));
        }
        let added = match self.abilities.add_headers {
            true => headers::verdict(self.id, report, decisions, fates),
            false => Vec::new(),
        };
        Ok(Answer::Pass(Changes {
            dropped,
            added,
            clean_own: true,
            message: changed.pop().map(|(_, message)| message),
        }))
    }

    /// A copy for those whose route only tries out, one for those who get the message as it is, and the changed ones.
    fn editions(
        &self,
        report: &Report,
        decisions: &[Decision],
        fates: &[Action],
        changed: Vec<(Vec<usize>, Bytes)>,
    ) -> Answer {
        let is_dry = |at: &usize| decisions.get(*at).is_some_and(|one| one.route.dry_run);
        let unchanged = places(fates, |fate| fate.delivers() && !fate.changes_content());
        let (dry, plain): (Vec<usize>, Vec<usize>) = unchanged.into_iter().partition(is_dry);
        let with_headers = |to: Vec<usize>, message: Option<Bytes>| {
            let own = only(fates, &to);
            Edition {
                to,
                changes: Changes {
                    dropped: Vec::new(),
                    added: headers::verdict(self.id, report, decisions, &own),
                    clean_own: true,
                    message,
                },
            }
        };
        let mut editions = Vec::new();
        if !plain.is_empty() {
            editions.push(with_headers(plain, None));
        }
        if !dry.is_empty() {
            editions.push(Edition {
                to: dry,
                changes: Changes::default(),
            });
        }
        let changed = changed.into_iter();
        editions.extend(changed.map(|(to, message)| with_headers(to, Some(message))));
        Answer::Copies(editions)
    }

    fn store(
        &self,
        store: &Store,
        report: &Report,
        route: &str,
        action: Action,
        to: &[usize],
    ) -> Result<Ticket, Trouble> {
        let recipients = to.iter().filter_map(|at| self.envelope.recipients.get(*at));
        let envelope = Envelope {
            recipients: recipients.cloned().collect(),
            ..self.envelope.clone()
        };
        let deposit = Deposit {
            message: self.message,
            envelope: &envelope,
            report,
            route,
            action,
            received: SystemTime::now(),
        };
        match store.put(&deposit) {
            Ok(stored) => Ok(stored.ticket()),
            Err(error) => Err(store_trouble(&error)),
        }
    }

    fn carries_own_headers(&self) -> bool {
        let block = self.header();
        block.fields.iter().any(|field| {
            let name = self.message.get(field.name.clone()).unwrap_or_default();
            name.to_ascii_lowercase().starts_with(OWN_HEADERS)
        })
    }
}

fn store_trouble(error: &StoreError) -> Trouble {
    log::store(error);
    Trouble::Unreachable
}

fn places(fates: &[Action], which: impl Fn(Action) -> bool) -> Vec<usize> {
    let numbered = fates.iter().enumerate();
    numbered
        .filter(|(_, fate)| which(**fate))
        .map(|(at, _)| at)
        .collect()
}

/// The fates of some recipients; the others get nothing.
fn only(fates: &[Action], to: &[usize]) -> Vec<Action> {
    let mut own = vec![Action::Hold; fates.len()];
    for at in to {
        if let (Some(place), Some(fate)) = (own.get_mut(*at), fates.get(*at)) {
            *place = *fate;
        }
    }
    own
}

/// Whether the scan ended because its time was over: that is our trouble, not the message's.
pub(super) fn out_of_time(report: &Report, deadline: Instant) -> bool {
    !report.complete
        && Instant::now() >= deadline
        && report
            .findings
            .iter()
            .any(|finding| finding.id == "limit-exceeded")
}

/// The day on which allowances hold (UTC).
pub(super) fn today() -> jiff::civil::Date {
    let now = jiff::tz::Offset::UTC.to_datetime(jiff::Timestamp::now());
    now.date()
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
