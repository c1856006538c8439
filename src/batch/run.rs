//! The run of a batch: threads that take shards, read their messages, have them scanned and write their parts.
//!
//! Each has a scan thread of its own beside it, with a stack of 16 MiB and a [`Worker`], so that the next messages are
//! read and the last ones written while one is scanned. A scan that is 5 s past its deadline hangs where no budget is
//! asked: its thread is left behind, its message reported as not finished, and another thread takes over. A shard has
//! no results before it is done, so that a run may end at any moment. A reader of a source that breaks down costs what
//! it had not read yet, and that is told.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::{Engine, Input, Memory, Worker};
use crate::model::{Level, Report};
use crate::source::{Piece, Sink, Unreadable, read};
use crate::unpack::Passwords;

use super::progress::Progress;
use super::shard::Shard;
use super::{Item, Keep, OutputError, PartSummary, PartWriter, ShardId};

/// Stack of a thread that reads or scans, in bytes: parser crates may recurse on input, and an overflow cannot be caught.
const STACK: usize = 16 << 20;

/// How long past its deadline a scan may go on before its thread is left behind.
const GRACE: Duration = Duration::from_secs(5);

/// How often it is looked whether a scan hangs.
const LOOK: Duration = Duration::from_secs(1);

/// Messages that are read ahead of the one in work, in number and bytes.
const AHEAD: usize = 64;
const AHEAD_BYTES: usize = 4 << 20;

/// What is to be done, and how.
#[derive(Debug)]
pub struct Run {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Passwords to try on what is locked.
    pub passwords: Passwords,
    /// The folder of the results.
    pub output: PathBuf,
    /// What is kept besides rows and reports.
    pub keep: Keep,
    /// What was seen of attachments before, where equal ones are not to be scanned again.
    pub memory: Option<Arc<Memory>>,
    /// Shards worked on at the same time.
    pub threads: usize,
    /// The shards to be done, with their numbers.
    pub shards: Vec<(u64, Shard)>,
}

impl Run {
    /// Bytes that are to be read.
    pub fn bytes(&self) -> u64 {
        let bytes = self.shards.iter().map(|(_, shard)| shard.bytes);
        bytes.fold(0, u64::saturating_add)
    }

    /// Does the shards, until all are done or the progress says to stop. An error of the results ends it: what is done
    /// by then is done.
    pub fn run(&self, progress: &Progress) -> Result<PartSummary, OutputError> {
        let next = AtomicUsize::new(0);
        let total = Mutex::new(Ok(PartSummary::default()));
        std::thread::scope(|scope| {
            for _ in 0..self.threads.clamp(1, self.shards.len().max(1)) {
                let thread = std::thread::Builder::new()
                    .name("batch".to_owned())
                    .stack_size(STACK);
                let started = thread.spawn_scoped(scope, || self.thread(&next, progress, &total));
                if let Err(error) = started {
                    let error = OutputError::disk("start a thread for", Path::new("shards"))(error);
                    fail(error, progress, &total);
                }
            }
        });
        total.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// One thread's work; the first error of all threads is kept.
    fn thread(
        &self,
        next: &AtomicUsize,
        progress: &Progress,
        total: &Mutex<Result<PartSummary, OutputError>>,
    ) {
        if let Err(error) = self.work(next, progress, total) {
            fail(error, progress, total);
        }
    }

    fn work(
        &self,
        next: &AtomicUsize,
        progress: &Progress,
        total: &Mutex<Result<PartSummary, OutputError>>,
    ) -> Result<(), OutputError> {
        let mut lane = Lane::new(Crew {
            engine: Arc::clone(&self.engine),
            passwords: self.passwords.clone(),
            memory: self.memory.clone(),
            scan: |worker, input| worker.scan(input),
        })?;
        while !progress.stopping() {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some((number, shard)) = self.shards.get(at) else {
                break;
            };
            let Some(done) = self.shard(*number, shard, &mut lane, progress)? else {
                break;
            };
            progress.shard(shard.bytes, &done);
            let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(total) = total.as_mut() {
                total.add(&done);
            }
        }
        Ok(())
    }

    /// Does one shard; `None` where the run is to stop, and nothing of the shard is left then.
    fn shard(
        &self,
        number: u64,
        shard: &Shard,
        lane: &mut Lane,
        progress: &Progress,
    ) -> Result<Option<PartSummary>, OutputError> {
        let id = ShardId::new(number);
        let mut part = PartWriter::create(&self.engine, &self.output, &id, self.keep)?;
        for trouble in &shard.troubles {
            part.error(&trouble.path, &trouble.reason)?;
            progress.error();
        }
        let mut failed = None;
        let place = match shard.portion.file() {
            Some(path) => crate::text::path_lossless(path),
            None => shard.source.clone(),
        };
        let max_file = self.engine.limits.max_file;
        let reader = |sink: &mut Sink<'_>| read(&shard.portion, max_file, sink);
        let ended = guarded(&place, reader, &mut |piece| {
            if progress.stopping() {
                return ControlFlow::Break(());
            }
            let done = match piece {
                Piece::Message(input) => {
                    lane.give(input, &shard.source);
                    lane.write_done(&mut part, progress, AHEAD)
                }
                Piece::Trouble(trouble) => {
                    progress.error();
                    part.error(&trouble.path, &trouble.reason)
                }
            };
            match done {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        // A lane is not used any more once it was broken off: its messages go with it.
        if ended.is_break() {
            return Ok(None);
        }
        lane.write_done(&mut part, progress, 0)?;
        part.finish().map(Some)
    }
}

/// Ends the run by an error; the first one is kept.
fn fail(error: OutputError, progress: &Progress, total: &Mutex<Result<PartSummary, OutputError>>) {
    progress.stop();
    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
    *total = std::mem::replace(&mut *total, Ok(PartSummary::default())).and(Err(error));
}

/// Lets a reader hand on what it reads. Where it breaks down, that is told as trouble of `place`; what the sink breaks
/// down by is no matter of the reader's.
fn guarded(
    place: &str,
    reader: impl FnOnce(&mut Sink<'_>) -> ControlFlow<()>,
    sink: &mut Sink<'_>,
) -> ControlFlow<()> {
    let handed_on = Cell::new(false);
    let read = catch_unwind(AssertUnwindSafe(|| {
        reader(&mut |piece| {
            handed_on.set(true);
            let ended = sink(piece);
            handed_on.set(false);
            ended
        })
    }));
    match read {
        Ok(ended) => ended,
        Err(panic) if handed_on.get() => resume_unwind(panic),
        Err(_) => sink(Piece::Trouble(Unreadable {
            path: crate::text::safe(place),
            reason: "its reader broke down: what follows is not read".to_owned(),
        })),
    }
}

/// A message on its way through a lane.
struct Waiting {
    item: Item,
    input: Input,
}

/// What a scan thread is on: the number of the message, and since when.
type Current = Arc<Mutex<Option<(u64, Instant)>>>;

/// What a scan thread works with.
#[derive(Clone)]
struct Crew {
    engine: Arc<Engine>,
    passwords: Passwords,
    memory: Option<Arc<Memory>>,
    scan: fn(&mut Worker<'_>, Input) -> Report,
}

impl Crew {
    fn worker(&self) -> Worker<'_> {
        let worker = Worker::new(&self.engine);
        match &self.memory {
            Some(memory) => worker.with_memory(Arc::clone(memory)),
            None => worker,
        }
    }
}

/// A scan thread and the messages that are with it, in order.
struct Lane {
    crew: Crew,
    jobs: Sender<(u64, Input)>,
    reports: Receiver<(u64, Report)>,
    current: Current,
    waiting: VecDeque<Waiting>,
    /// Number of the first one that waits.
    first: u64,
    bytes: usize,
}

impl Lane {
    fn new(crew: Crew) -> Result<Self, OutputError> {
        let (jobs, reports, current) = start(&crew)?;
        Ok(Self {
            crew,
            jobs,
            reports,
            current,
            waiting: VecDeque::new(),
            first: 0,
            bytes: 0,
        })
    }

    /// Hands a message to the scan thread.
    fn give(&mut self, input: Input, source: &str) {
        let waiting = Waiting {
            item: Item {
                source: source.to_owned(),
                reference: crate::text::safe(&input.path),
                data: input.data.clone(),
            },
            input,
        };
        self.bytes = self.bytes.saturating_add(waiting.input.data.len());
        self.waiting.push_back(waiting);
        let number = self
            .first
            .saturating_add(crate::bytes::length(self.waiting.len()));
        self.send(number.saturating_sub(1));
    }

    /// Sends the message of a number that waits.
    fn send(&self, number: u64) {
        let at = usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX);
        if let Some(waiting) = self.waiting.get(at) {
            // Where nobody receives, the one who takes the reports notices.
            let _ = self.jobs.send((number, waiting.input.clone()));
        }
    }

    /// Writes what is scanned, until no more than `ahead` messages wait.
    fn write_done(
        &mut self,
        part: &mut PartWriter,
        progress: &Progress,
        ahead: usize,
    ) -> Result<(), OutputError> {
        let full = |lane: &Self| {
            lane.waiting.len() > ahead || (lane.bytes > AHEAD_BYTES && lane.waiting.len() > 1)
        };
        while full(self) {
            let Some((item, report)) = self.take()? else {
                break;
            };
            progress.message(item.data.len(), report.level == Level::Clean);
            part.push(&item, &report)?;
        }
        Ok(())
    }

    /// The report on the first message that waits, as soon as it is there.
    fn take(&mut self) -> Result<Option<(Item, Report)>, OutputError> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        // Ends because a scan that goes on for too long is given up.
        let report = loop {
            match self.reports.recv_timeout(LOOK) {
                // Reports come in the order of the messages.
                Ok((_, report)) => break report,
                Err(RecvTimeoutError::Timeout) if !self.hangs() => {}
                Err(error) => break self.give_up(error)?,
            }
        };
        Ok(self.leave().map(|item| (item, report)))
    }

    /// Lets go of the first message that waits.
    fn leave(&mut self) -> Option<Item> {
        let waiting = self.waiting.pop_front()?;
        self.first = self.first.saturating_add(1);
        self.bytes = self.bytes.saturating_sub(waiting.input.data.len());
        Some(waiting.item)
    }

    fn hangs(&self) -> bool {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = self.crew.engine.limits.timeout.saturating_add(GRACE);
        current.is_some_and(|(number, since)| number == self.first && since.elapsed() > limit)
    }

    /// Leaves the scan thread behind; its message is reported as not finished, the others go to a new one.
    fn give_up(&mut self, error: RecvTimeoutError) -> Result<Report, OutputError> {
        let (id, why) = match error {
            RecvTimeoutError::Timeout => (
                "limit-exceeded",
                "timeout: the scan did not end in time and was given up",
            ),
            RecvTimeoutError::Disconnected => ("scanner-crashed", "the scan as a whole broke down"),
        };
        let input = self.waiting.front().map(|waiting| waiting.input.clone());
        let input = input.unwrap_or_default();
        let report = self.crew.engine.unfinished(&input, id, why, Instant::now());
        self.replace()?;
        Ok(report)
    }

    /// Starts another scan thread and hands it what waits behind the first message.
    fn replace(&mut self) -> Result<(), OutputError> {
        (self.jobs, self.reports, self.current) = start(&self.crew)?;
        let numbers = (self.first.saturating_add(1)..).take(self.waiting.len().saturating_sub(1));
        for (number, waiting) in numbers.zip(self.waiting.iter().skip(1)) {
            // A thread that was started a moment ago receives.
            let _ = self.jobs.send((number, waiting.input.clone()));
        }
        Ok(())
    }
}

type Ends = (Sender<(u64, Input)>, Receiver<(u64, Report)>, Current);

/// Starts a scan thread.
fn start(crew: &Crew) -> Result<Ends, OutputError> {
    let (jobs, queue) = mpsc::channel::<(u64, Input)>();
    let (results, reports) = mpsc::channel();
    let current = Current::default();
    let (crew, mine) = (crew.clone(), Arc::clone(&current));
    std::thread::Builder::new()
        .name("scan".to_owned())
        .stack_size(STACK)
        .spawn(move || scan(&crew, &queue, &results, &mine))
        .map_err(OutputError::disk("start a thread for", Path::new("scans")))?;
    Ok((jobs, reports, current))
}

/// A scan thread's work: ends with its lane.
fn scan(
    crew: &Crew,
    queue: &Receiver<(u64, Input)>,
    results: &Sender<(u64, Report)>,
    current: &Current,
) {
    let engine = &*crew.engine;
    let mut worker = crew.worker();
    while let Ok((number, mut input)) = queue.recv() {
        let started = Instant::now();
        let is_on = |at| *current.lock().unwrap_or_else(PoisonError::into_inner) = at;
        is_on(Some((number, started)));
        input.context.deadline = started.checked_add(engine.limits.timeout);
        input.context.passwords.clone_from(&crew.passwords);
        let watched = input.clone();
        let report = catch_unwind(AssertUnwindSafe(|| (crew.scan)(&mut worker, input)));
        let report = report.unwrap_or_else(|_| {
            worker = crew.worker();
            let why = "the scan as a whole broke down";
            engine.unfinished(&watched, "scanner-crashed", why, started)
        });
        is_on(None);
        if results.send((number, report)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::knowledge::Knowledge;
    use crate::limits::Limits;
    use crate::rules::{Rules, Strictness, embedded};
    use crate::score::Thresholds;

    fn input(path: &str) -> Input {
        Input {
            path: path.to_owned(),
            data: b"Subject: x\n\n".to_vec().into(),
            ..Input::default()
        }
    }

    #[test]
    fn a_scan_that_hangs_or_breaks_down_costs_its_message_only() {
        let limits = Limits {
            timeout: Duration::from_secs(3),
            ..Limits::default()
        };
        let crew = Crew {
            engine: Arc::new(Engine {
                rules: Rules::compile(embedded(), Strictness::Strict).unwrap(),
                knowledge: Knowledge::embedded().unwrap(),
                limits,
                thresholds: Thresholds::default(),
            }),
            passwords: Passwords::default(),
            memory: None,
            scan: |worker, input| match input.path.as_str() {
                "box#2" => loop {
                    std::thread::park();
                },
                "box#4" => panic!("of the test"),
                _ => worker.scan(input),
            },
        };
        let mut lane = Lane::new(crew).unwrap();
        for number in 1..=5 {
            lane.give(input(&format!("box#{number}")), "box");
        }
        let mut seen = Vec::new();
        while let Some((item, report)) = lane.take().unwrap() {
            let ids: Vec<String> = report.findings.iter().map(|f| f.id.to_string()).collect();
            seen.push((item.reference, report.path.clone(), ids.join(" ")));
        }
        let found = ["", "limit-exceeded", "", "scanner-crashed", ""];
        let expected: Vec<_> = (1..=5)
            .zip(found)
            .map(|(number, found)| {
                let path = format!("box#{number}");
                (path.clone(), path, found.to_owned())
            })
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_reader_that_breaks_down_costs_what_it_had_not_read() {
        let mut seen = Vec::new();
        let ended = guarded(
            "mail.pst",
            |sink| {
                sink(Piece::Message(input("mail.pst:/Inbox#1")))?;
                panic!("of the test")
            },
            &mut |piece| {
                seen.push(match piece {
                    Piece::Message(input) => input.path,
                    Piece::Trouble(trouble) => trouble.to_string(),
                });
                ControlFlow::Continue(())
            },
        );
        assert!(ended.is_continue());
        let told = "mail.pst: its reader broke down: what follows is not read";
        assert_eq!(seen, ["mail.pst:/Inbox#1", told]);
        let sink = AssertUnwindSafe(|| {
            guarded(
                "box",
                |sink| sink(Piece::Message(input("box#1"))),
                &mut |_| panic!("of the results"),
            )
        });
        assert!(catch_unwind(sink).is_err());
    }
}
