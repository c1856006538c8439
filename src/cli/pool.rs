//! The scan threads: each with a stack of 16 MiB and a [`Worker`] of its own.
//!
//! The calling thread hands out inputs, receives what became of them and watches the clock. Threads read their inputs
//! themselves and boil a report down to a small result, so that what is held is bounded: the inputs in work, and a
//! window of results that wait for their turn. A scan that is 5 s past its deadline hangs where no budget is asked:
//! its thread cannot be stopped, so it is left behind, its input is reported as not finished, and another thread
//! takes its place.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::{Engine, Input, Worker};
use crate::formats::volumes;
use crate::model::Report;
use crate::source::{Skipped, Source, Step, Unreadable, Walk};
use crate::unpack::{Opener, Passwords};

use super::exit::Failure;

/// Stack of a scan thread in bytes: parser crates may recurse on input, and an overflow cannot be caught.
const STACK: usize = 16 << 20;

/// How long past its deadline a scan may go on before it is given up.
const GRACE: Duration = Duration::from_secs(5);

/// How often the sink is told that time passes.
const TICK: Duration = Duration::from_millis(200);

/// Results that wait for their turn at the most, in number and in weight.
const WINDOW: usize = 1024;
const WINDOW_WEIGHT: usize = 64 << 20;

/// Inputs handed out for each thread, so that none waits for the next.
const AHEAD: usize = 2;

/// What became of one step of a walk.
#[derive(Debug)]
pub(super) enum Outcome<T> {
    /// A report, boiled down.
    Done(T),
    /// An input or a folder that could not be read.
    Unreadable(Unreadable),
    /// Something in a folder that is no input.
    Skipped(Skipped),
}

/// In which order results are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Delivery {
    /// In the order of the inputs.
    AsGiven,
    /// As soon as they are there.
    AsDone,
}

/// Where results go.
pub(super) trait Sink<T> {
    /// Takes a result.
    fn deliver(&mut self, outcome: Outcome<T>) -> Result<(), Failure>;
    /// Is told that time passes while nothing is delivered.
    fn tick(&mut self) {}
}

/// How to scan, and what to keep of a report.
pub(super) struct Pool<T> {
    pub(super) engine: Arc<Engine>,
    pub(super) threads: usize,
    pub(super) passwords: Passwords,
    pub(super) delivery: Delivery,
    /// Inputs that are volumes of an archive, and are scanned without the one that opens it.
    pub(super) without_opener: BTreeSet<PathBuf>,
    /// Runs on the scan thread.
    pub(super) keep: Arc<dyn Fn(Report) -> T + Send + Sync>,
    /// Bytes that a result holds.
    pub(super) weight: fn(&T) -> usize,
}

impl<T: Send + 'static> Pool<T> {
    /// Scans every input of a walk. Ends early when the sink fails.
    pub(super) fn run(self, walk: Walk, sink: &mut dyn Sink<T>) -> Result<(), Failure> {
        let (jobs, queue) = mpsc::channel();
        let (report, events) = mpsc::channel();
        let mut run = Run {
            pool: Arc::new(self),
            jobs,
            queue: Arc::new(Mutex::new(queue)),
            report,
            threads: 0,
            handed_out: 0,
            running: BTreeMap::new(),
            next: 0,
            waiting: BTreeMap::new(),
            waiting_weight: 0,
        };
        run.all(walk, &events, sink)
    }
}

/// Files among the given ones that are volumes of an archive, where the one that opens it is neither given nor in a
/// folder that is: all else would say nothing of what is in it.
pub(super) fn without_opener(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let volume = |path: &Path| {
        let volume = volumes::of(path.file_name()?.to_str()?)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        Some((whole(folder.unwrap_or(Path::new("."))), volume))
    };
    let (folders, files): (Vec<&PathBuf>, Vec<&PathBuf>) =
        paths.iter().partition(|path| path.is_dir());
    let folders: Vec<PathBuf> = folders.into_iter().map(|folder| whole(folder)).collect();
    let given: Vec<_> = files.iter().filter_map(|path| volume(path)).collect();
    let openers: BTreeSet<_> = given
        .iter()
        .filter(|(_, volume)| volume.opens())
        .map(|(folder, volume)| (folder, &volume.base, volume.scheme))
        .collect();
    let lacks = |path: &&PathBuf| {
        volume(path).is_some_and(|(folder, volume)| {
            !volume.opens()
                && !openers.contains(&(&folder, &volume.base, volume.scheme))
                && !folders.iter().any(|walked| folder.starts_with(walked))
        })
    };
    files.into_iter().filter(lacks).cloned().collect()
}

/// One input to read and scan.
struct Job {
    index: u64,
    source: Source,
}

/// What a thread says.
enum Event<T> {
    /// The input is read, the scan begins.
    Started(u64, Box<Running>),
    /// It ended.
    Ended(u64, Outcome<T>),
}

/// A scan in work.
struct Running {
    input: Input,
    started: Instant,
    deadline: Instant,
    /// Set when the thread is given up: it then takes no further input.
    left_behind: Arc<AtomicBool>,
}

/// The state of the calling thread.
struct Run<T> {
    pool: Arc<Pool<T>>,
    jobs: Sender<Job>,
    queue: Arc<Mutex<Receiver<Job>>>,
    report: Sender<Event<T>>,
    /// Threads that take inputs.
    threads: usize,
    /// Inputs handed out and not ended yet.
    handed_out: usize,
    running: BTreeMap<u64, Box<Running>>,
    /// Index of the next result to deliver in order.
    next: u64,
    waiting: BTreeMap<u64, Outcome<T>>,
    waiting_weight: usize,
}

impl<T: Send + 'static> Run<T> {
    fn all(
        &mut self,
        walk: Walk,
        events: &Receiver<Event<T>>,
        sink: &mut dyn Sink<T>,
    ) -> Result<(), Failure> {
        let mut steps = (0_u64..).zip(walk).fuse();
        let mut more = true;
        loop {
            while more && self.has_room() {
                match steps.next() {
                    None => more = false,
                    Some((index, Step::Input(source))) => self.hand_out(Job { index, source })?,
                    Some((index, Step::Skipped(skipped))) => {
                        self.take(index, Outcome::Skipped(skipped), sink)?;
                    }
                    Some((index, Step::Unreadable(error))) => {
                        self.take(index, Outcome::Unreadable(error), sink)?;
                    }
                }
            }
            if !more && self.handed_out == 0 {
                return Ok(());
            }
            match events.recv_timeout(TICK) {
                Ok(Event::Started(index, running)) => {
                    self.running.insert(index, running);
                }
                Ok(Event::Ended(index, outcome)) => self.ended(index, outcome, sink)?,
                // Disconnected cannot be: this struct holds a sender.
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => sink.tick(),
            }
            self.give_up(Instant::now(), sink)?;
        }
    }

    fn has_room(&self) -> bool {
        self.handed_out < self.pool.threads.saturating_mul(AHEAD)
            && self.waiting.len() < WINDOW
            && self.waiting_weight < WINDOW_WEIGHT
    }

    fn hand_out(&mut self, job: Job) -> Result<(), Failure> {
        self.handed_out = self.handed_out.saturating_add(1);
        // Fails only without a receiver, and this struct holds it.
        let _ = self.jobs.send(job);
        self.staff()
    }

    /// Starts a thread where there are inputs for one.
    fn staff(&mut self) -> Result<(), Failure> {
        if self.threads >= self.pool.threads.min(self.handed_out) {
            return Ok(());
        }
        let pool = Arc::clone(&self.pool);
        let queue = Arc::clone(&self.queue);
        let report = self.report.clone();
        let started = std::thread::Builder::new()
            .name("scan".to_owned())
            .stack_size(STACK)
            .spawn(move || work(&pool, &queue, &report));
        match started {
            Ok(_) => self.threads = self.threads.saturating_add(1),
            Err(error) if self.threads == 0 => {
                return Err(Failure::new(format!("cannot start a thread: {error}"))
                    .hint("give fewer threads with -j"));
            }
            // With fewer threads it takes longer, but it goes on.
            Err(_) => {}
        }
        Ok(())
    }

    fn ended(
        &mut self,
        index: u64,
        outcome: Outcome<T>,
        sink: &mut dyn Sink<T>,
    ) -> Result<(), Failure> {
        let unread = matches!(outcome, Outcome::Unreadable(_));
        if self.running.remove(&index).is_none() && !unread {
            // Given up before: reported already.
            return Ok(());
        }
        self.handed_out = self.handed_out.saturating_sub(1);
        self.take(index, outcome, sink)
    }

    fn give_up(&mut self, now: Instant, sink: &mut dyn Sink<T>) -> Result<(), Failure> {
        let overdue = |running: &Running| now.saturating_duration_since(running.deadline) > GRACE;
        let lost: Vec<u64> = self
            .running
            .iter()
            .filter(|(_, running)| overdue(running))
            .map(|(index, _)| *index)
            .collect();
        for index in lost {
            let Some(running) = self.running.remove(&index) else {
                continue;
            };
            running.left_behind.store(true, Ordering::Relaxed);
            let why = "timeout: the scan did not end in time and was given up";
            let engine = &self.pool.engine;
            let report = engine.unfinished(&running.input, "limit-exceeded", why, running.started);
            let kept = (self.pool.keep)(report);
            self.handed_out = self.handed_out.saturating_sub(1);
            self.threads = self.threads.saturating_sub(1);
            self.take(index, Outcome::Done(kept), sink)?;
            self.staff()?;
        }
        Ok(())
    }

    /// Delivers a result, or keeps it until its turn.
    fn take(
        &mut self,
        index: u64,
        outcome: Outcome<T>,
        sink: &mut dyn Sink<T>,
    ) -> Result<(), Failure> {
        if self.pool.delivery == Delivery::AsDone {
            return sink.deliver(outcome);
        }
        self.waiting_weight = self.waiting_weight.saturating_add(self.weight(&outcome));
        self.waiting.insert(index, outcome);
        while let Some(outcome) = self.waiting.remove(&self.next) {
            self.next = self.next.saturating_add(1);
            self.waiting_weight = self.waiting_weight.saturating_sub(self.weight(&outcome));
            sink.deliver(outcome)?;
        }
        Ok(())
    }

    fn weight(&self, outcome: &Outcome<T>) -> usize {
        match outcome {
            Outcome::Done(kept) => (self.pool.weight)(kept),
            Outcome::Unreadable(_) | Outcome::Skipped(_) => 0,
        }
    }
}

/// A thread's work: ends when there are no more inputs, or when it was left behind.
fn work<T>(pool: &Pool<T>, queue: &Mutex<Receiver<Job>>, report: &Sender<Event<T>>) {
    let left_behind = Arc::new(AtomicBool::new(false));
    let mut worker = Worker::new(&pool.engine);
    while !left_behind.load(Ordering::Relaxed) {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { index, source }) = job else {
            return;
        };
        let limits = &pool.engine.limits;
        let mut input = match source.read(limits.max_file) {
            Ok(input) => input,
            Err(error) => {
                // Fails only when the run is over.
                let _ = report.send(Event::Ended(index, Outcome::Unreadable(error)));
                continue;
            }
        };
        let started = Instant::now();
        let deadline = started.checked_add(limits.timeout).unwrap_or(started);
        input.context.deadline = Some(deadline);
        input.context.passwords.clone_from(&pool.passwords);
        if let Source::File(path) = &source
            && pool.without_opener.contains(path)
        {
            input.context.opener = Opener::NotScanned;
        }
        let running = Running {
            input: input.clone(),
            started,
            deadline,
            left_behind: Arc::clone(&left_behind),
        };
        let _ = report.send(Event::Started(index, Box::new(running)));
        let watched = input.clone();
        let scanned = catch_unwind(AssertUnwindSafe(|| worker.scan(input)));
        let scanned = scanned.unwrap_or_else(|_| {
            worker = Worker::new(&pool.engine);
            let why = "the scan as a whole broke down";
            pool.engine
                .unfinished(&watched, "scanner-crashed", why, started)
        });
        drop(watched);
        let _ = report.send(Event::Ended(index, Outcome::Done((pool.keep)(scanned))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;
    use crate::limits::Limits;
    use crate::rules::{Rules, Strictness};
    use crate::score::Thresholds;

    struct Collected(Vec<String>);

    impl Sink<String> for Collected {
        fn deliver(&mut self, outcome: Outcome<String>) -> Result<(), Failure> {
            self.0.push(match outcome {
                Outcome::Done(path) => path,
                Outcome::Unreadable(error) => error.path,
                Outcome::Skipped(skipped) => skipped.path,
            });
            Ok(())
        }
    }

    fn pool(
        keep: impl Fn(Report) -> String + Send + Sync + 'static,
        timeout: Duration,
    ) -> Pool<String> {
        let engine = Engine {
            rules: Rules::compile([], Strictness::Strict).unwrap(),
            knowledge: Knowledge::embedded().unwrap(),
            limits: Limits {
                timeout,
                ..Limits::default()
            },
            thresholds: Thresholds::default(),
        };
        Pool {
            engine: Arc::new(engine),
            threads: 3,
            passwords: Passwords::default(),
            delivery: Delivery::AsGiven,
            without_opener: BTreeSet::new(),
            keep: Arc::new(keep),
            weight: String::len,
        }
    }

    #[test]
    fn results_come_in_the_order_of_the_inputs_and_all_of_them() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let expected: Vec<String> = Walk::new(std::slice::from_ref(&folder))
            .map(|step| match step {
                Step::Input(source) => source.path(),
                other => panic!("{other:?}"),
            })
            .collect();
        let mut sink = Collected(Vec::new());
        let pool = pool(|report| report.path, Duration::from_secs(60));
        assert!(pool.run(Walk::new(&[folder]), &mut sink).is_ok());
        assert_eq!(sink.0, expected);
    }

    #[test]
    fn an_unreadable_input_keeps_its_place() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let mut sink = Collected(Vec::new());
        let walk = Walk::new(&["no-such".into(), file.clone()]);
        let pool = pool(|report| report.path, Duration::from_secs(60));
        assert!(pool.run(walk, &mut sink).is_ok());
        assert_eq!(
            sink.0,
            ["no-such".to_owned(), file.to_string_lossy().into_owned()]
        );
    }

    #[test]
    fn a_thread_that_hangs_is_left_behind_and_its_input_reported() {
        let said = |report: Report| {
            let given_up = report
                .findings
                .iter()
                .any(|finding| finding.id == "limit-exceeded");
            if !given_up && report.path.ends_with("Cargo.toml") {
                // What hangs need not be the scan itself: the watch is over all that the thread does.
                std::thread::park();
            }
            format!("{given_up} {}", report.complete)
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let walk = Walk::new(&[root.join("Cargo.toml"), root.join("Cargo.lock")]);
        let mut sink = Collected(Vec::new());
        let mut pool = pool(said, Duration::from_millis(700));
        pool.threads = 1;
        assert!(pool.run(walk, &mut sink).is_ok());
        assert_eq!(sink.0, ["true false", "false true"]);
    }
}
