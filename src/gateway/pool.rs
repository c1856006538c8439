//! The scan threads: each with a stack of 16 MiB and a [`Worker`] of its own, in front of them a bounded queue.
//!
//! Work that finds the queue full is refused at once. Work that is 5 s past its deadline hangs where no budget is
//! asked: its thread cannot be stopped, so it is left behind, counted, and another takes its place. A reload hands a
//! new [`Generation`] to the threads between two messages.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::config::Strip;
use crate::engine::{Engine, Input, Memory, Worker};
use crate::model::Report;
use crate::policy::{Policy, Trouble};

use super::auth::Authenticator;
use super::canary;
use super::smtp::Certificates;

/// Stack of a scan thread in bytes: parser crates may recurse on input, and an overflow cannot be caught.
const STACK: usize = 16 << 20;

/// How long past its deadline work may go on before its thread is left behind.
const GRACE: Duration = Duration::from_secs(5);

/// Threads beside those that scan at once: they take the place of others that wait for the disk.
const SPARE: usize = 2;

/// How long the threads may take to get ready before work is given to them all the same.
const WARMING: Duration = Duration::from_secs(10);

/// Bytes of one unit of admission.
const UNIT: u64 = 1 << 10;

/// Engine and policy of one reading of the configuration.
#[derive(Debug)]
pub struct Generation {
    /// Rules, knowledge, limits.
    pub engine: Engine,
    /// What is done with what was found.
    pub policy: Policy,
    /// What stands in the place of parts that are taken out.
    pub strip: Strip,
    /// Asks about senders, and seals.
    pub auth: Arc<Authenticator>,
    /// Those of the relay.
    pub certificates: Certificates,
    /// What was seen of attachments before, by this engine; none: each is looked at again.
    pub memory: Option<Arc<Memory>>,
}

impl Generation {
    /// The report on an input that did not survive its scan, or the scan it.
    pub(super) fn unfinished(&self, input: &Input, trouble: Trouble) -> Report {
        let (finding, why) = match trouble {
            Trouble::Lost => ("scanner-crashed", "the scan as a whole broke down"),
            _ => ("limit-exceeded", "timeout: the scan did not end in time"),
        };
        self.engine.unfinished(input, finding, why, Instant::now())
    }

    /// A scanner of this generation.
    fn worker(&self) -> Worker<'_> {
        let worker = Worker::new(&self.engine);
        match &self.memory {
            Some(memory) => worker.with_memory(Arc::clone(memory)),
            None => worker,
        }
    }
}

type Work = Box<dyn FnOnce(&Generation, &mut Worker<'_>) + Send>;

/// Where one piece of work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Waiting,
    Running,
    Done,
    Abandoned,
}

struct Job {
    work: Work,
    stand: Arc<Mutex<Stand>>,
}

struct State {
    queue: VecDeque<Job>,
    generation: Arc<Generation>,
    stopping: bool,
    /// Threads at work, but for those that stepped out. Less than none for as long as one that is given up waits outside.
    busy: i64,
    /// Threads of each role that wait for a notice: without one a notice would only cost.
    asleep: [usize; 2],
    /// Workers that were made and tried.
    warm: usize,
}

struct Shared {
    state: Mutex<State>,
    wake: [Condvar; 2],
    warmed: Condvar,
    capacity: usize,
    threads: usize,
    running: AtomicUsize,
    lost: AtomicU64,
}

/// The threads and their queue.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
}

impl Pool {
    /// Starts `threads` threads; `capacity` pieces of work may wait. All of them have scanned something before the
    /// first one that is given to them, so that it takes no longer than the next.
    pub(super) fn start(
        generation: Arc<Generation>,
        threads: usize,
        capacity: usize,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                queue: VecDeque::new(),
                generation,
                stopping: false,
                busy: 0,
                asleep: [0; 2],
                warm: 0,
            }),
            wake: [Condvar::new(), Condvar::new()],
            warmed: Condvar::new(),
            capacity,
            threads: threads.max(1),
            running: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
        });
        for number in 0..shared.all() {
            let role = match number < shared.threads {
                true => Role::Regular,
                false => Role::Spare,
            };
            spawn(&shared, role)?;
        }
        shared.wait_until_warm();
        Ok(Self { shared })
    }

    /// Does something on a scan thread. [`Trouble::Busy`] where the queue is full, [`Trouble::OutOfTime`] 5 s after
    /// the deadline, [`Trouble::Lost`] where the work broke down.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce(&Generation, &mut Worker<'_>) -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let (done, result) = oneshot::channel();
        let stand = Arc::new(Mutex::new(Stand::Waiting));
        let job = Job {
            work: Box::new(move |generation, worker| {
                // Nobody waits any more for what was abandoned.
                let _ = done.send(work(generation, worker));
            }),
            stand: Arc::clone(&stand),
        };
        {
            let mut state = self.shared.lock();
            if state.stopping || state.queue.len() >= self.shared.capacity {
                return Err(Trouble::Busy);
            }
            state.queue.push_back(job);
            self.shared.wake_one(state);
        }
        let last = deadline.checked_add(GRACE).unwrap_or(deadline);
        match tokio::time::timeout_at(last.into(), result).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(Trouble::Lost),
            Err(_) => {
                match std::mem::replace(&mut *lock(&stand), Stand::Abandoned) {
                    Stand::Running => {
                        self.shared.leave();
                        self.shared.lost.fetch_add(1, Ordering::Relaxed);
                        // Where no thread can be started the others go on.
                        let _ = spawn(&self.shared, Role::Regular);
                        Err(Trouble::OutOfTime)
                    }
                    Stand::Done => Err(Trouble::OutOfTime),
                    Stand::Waiting | Stand::Abandoned => Err(Trouble::Busy),
                }
            }
        }
    }

    /// Waits for something other than the processor in a piece of work: another thread goes on meanwhile. Called by the
    /// work itself.
    pub(super) fn step_out<T>(&self, wait: impl FnOnce() -> T) -> T {
        self.shared.leave();
        let back = Back(&self.shared);
        let done = wait();
        drop(back);
        done
    }

    /// The generation in force.
    pub(super) fn generation(&self) -> Arc<Generation> {
        Arc::clone(&self.shared.lock().generation)
    }

    /// Puts a new generation in force from the next message on.
    pub(super) fn replace(&self, generation: Arc<Generation>) {
        self.shared.lock().generation = generation;
        self.shared.wake_all();
    }

    /// Takes no more work; what waits is still done.
    pub(super) fn stop(&self) {
        self.shared.lock().stopping = true;
        self.shared.wake_all();
    }

    /// Work that waits, and whether there is room for more.
    pub(super) fn waiting(&self) -> (usize, bool) {
        let waiting = self.shared.lock().queue.len();
        (waiting, waiting < self.shared.capacity)
    }

    /// Scan threads.
    pub(super) fn threads(&self) -> usize {
        self.shared.threads
    }

    /// Those that are at work.
    pub(super) fn running(&self) -> usize {
        self.shared.running.load(Ordering::Relaxed)
    }

    /// Threads left behind since the start.
    pub(super) fn lost(&self) -> u64 {
        self.shared.lost.load(Ordering::Relaxed)
    }
}

/// A thread that stepped out and comes back when this is dropped, however its wait ended.
struct Back<'a>(&'a Shared);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy = state.busy.saturating_add(1);
    }
}

impl Shared {
    /// Threads that may be at work.
    fn at_once(&self) -> i64 {
        i64::try_from(self.threads).unwrap_or(i64::MAX)
    }

    /// Threads in all: some may have stepped out.
    fn all(&self) -> usize {
        self.threads.saturating_add(SPARE)
    }

    /// One thread less is at work: another may begin.
    fn leave(&self) {
        let mut state = self.lock();
        state.busy = state.busy.saturating_sub(1);
        self.wake_one(state);
    }

    /// Wakes a thread for what waits, where one may begin that sleeps: who is at work looks for more by itself.
    fn wake_one(&self, state: MutexGuard<'_, State>) {
        let may = state.busy < self.at_once() && !state.queue.is_empty();
        let sleeps = state.asleep.iter().position(|asleep| *asleep > 0);
        drop(state);
        if let Some(wake) = sleeps.filter(|_| may).and_then(|role| self.wake.get(role)) {
            wake.notify_one();
        }
    }

    fn wake_all(&self) {
        self.wake.iter().for_each(Condvar::notify_all);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn say_warm(&self) {
        let mut state = self.lock();
        state.warm = state.warm.saturating_add(1);
        self.warmed.notify_all();
    }

    fn wait_until_warm(&self) {
        let cold = |state: &mut State| state.warm < self.all();
        let waited = self.warmed.wait_timeout_while(self.lock(), WARMING, cold);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// Waits for work; none when the thread shall look for a new generation or end. `before` is what the thread did.
    fn next(&self, role: Role, before: Before, generation: &Arc<Generation>) -> Option<Job> {
        let mut state = self.lock();
        if before == Before::Worked {
            state.busy = state.busy.saturating_sub(1);
        }
        let [regular, spare] = &self.wake;
        let wake = match role {
            Role::Regular => regular,
            Role::Spare => spare,
        };
        let asleep = |state: &mut State, change: fn(usize) -> usize| {
            let [regular, spare] = &mut state.asleep;
            let asleep = match role {
                Role::Regular => regular,
                Role::Spare => spare,
            };
            *asleep = change(*asleep);
        };
        // Ends because each wait ends by a notice, and the pool is stopped in the end.
        loop {
            if !Arc::ptr_eq(&state.generation, generation) {
                return None;
            }
            if state.busy < self.at_once()
                && let Some(job) = state.queue.pop_front()
            {
                state.busy = state.busy.saturating_add(1);
                if state.stopping {
                    self.wake_all();
                }
                self.wake_one(state);
                return Some(job);
            }
            if state.stopping && state.queue.is_empty() {
                return None;
            }
            asleep(&mut state, |number| number.saturating_add(1));
            state = wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            asleep(&mut state, |number| number.saturating_sub(1));
        }
    }
}

/// When a thread begins something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Whenever there is something to do: the same few do nearly all.
    Regular,
    /// Where no other can.
    Spare,
}

/// What a thread did before it looks for work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    Worked,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn spawn(shared: &Arc<Shared>, role: Role) -> std::io::Result<()> {
    let shared = Arc::clone(shared);
    let name = match role {
        Role::Regular => "scan",
        Role::Spare => "scan-spare",
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(STACK)
        .spawn(move || work(&shared, role))
        .map(drop)
}

/// A thread's life: one worker for each generation.
fn work(shared: &Shared, role: Role) {
    let mut before = Before::Nothing;
    loop {
        let generation = {
            let state = shared.lock();
            if state.stopping && state.queue.is_empty() {
                return;
            }
            Arc::clone(&state.generation)
        };
        let mut worker = generation.worker();
        let warmed = catch_unwind(AssertUnwindSafe(|| canary::warm(&mut worker)));
        if warmed.is_err() {
            worker = generation.worker();
        }
        shared.say_warm();
        while let Some(Job { work, stand }) = shared.next(role, before, &generation) {
            before = Before::Worked;
            {
                let mut stand = lock(&stand);
                if *stand == Stand::Abandoned {
                    continue;
                }
                *stand = Stand::Running;
            }
            shared.running.fetch_add(1, Ordering::Relaxed);
            let ended = catch_unwind(AssertUnwindSafe(|| work(&generation, &mut worker)));
            shared.running.fetch_sub(1, Ordering::Relaxed);
            if ended.is_err() {
                worker = generation.worker();
            }
            let stand = std::mem::replace(&mut *lock(&stand), Stand::Done);
            if stand == Stand::Abandoned {
                // Another thread took this one's place.
                return;
            }
        }
        // What it did is counted.
        before = Before::Nothing;
    }
}

/// Memory for messages: who gets no share is refused at once.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    units: Arc<Semaphore>,
    all: u32,
}

/// A share of the memory, given back when dropped.
#[derive(Debug, Default)]
pub(super) struct Share {
    permit: Option<OwnedSemaphorePermit>,
    units: u32,
}

impl Admission {
    /// `bytes` for all messages together.
    pub(super) fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes / UNIT).unwrap_or(u32::MAX >> 3);
        let all = all.clamp(1, u32::MAX >> 3);
        Self {
            units: Arc::new(Semaphore::new(usize::try_from(all).unwrap_or(usize::MAX))),
            all,
        }
    }

    /// Makes a share one of `bytes` at least; one message alone never needs more than there is.
    pub(super) fn grow(&self, share: &mut Share, bytes: usize) -> Result<(), Trouble> {
        let units = u64::try_from(bytes).unwrap_or(u64::MAX).div_ceil(UNIT);
        let units = u32::try_from(units).unwrap_or(u32::MAX).min(self.all);
        let more = units.saturating_sub(share.units);
        if more == 0 {
            return Ok(());
        }
        let permit = Arc::clone(&self.units)
            .try_acquire_many_owned(more)
            .map_err(|_| Trouble::Busy)?;
        match &mut share.permit {
            Some(held) => held.merge(permit),
            none => *none = Some(permit),
        }
        share.units = units;
        Ok(())
    }

    /// Bytes that are given out.
    pub(super) fn used(&self) -> u64 {
        let free = u64::try_from(self.units.available_permits()).unwrap_or(u64::MAX);
        u64::from(self.all)
            .saturating_sub(free)
            .saturating_mul(UNIT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{PolicySettings, Signatures, Strip};
    use crate::knowledge::Knowledge;
    use crate::limits::Limits;
    use crate::rules::{Rules, Strictness};
    use crate::score::Thresholds;

    fn generation() -> Arc<Generation> {
        Arc::new(Generation {
            engine: Engine {
                rules: Rules::compile([], Strictness::Strict).unwrap(),
                knowledge: Knowledge::embedded().unwrap(),
                limits: Limits::default(),
                thresholds: Thresholds::default(),
            },
            policy: Policy::new(&PolicySettings::default(), Thresholds::default()),
            strip: Strip::default(),
            auth: Arc::new(Authenticator::new(&Signatures::default()).unwrap()),
            certificates: Certificates::default(),
            memory: None,
        })
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn a_full_queue_refuses_at_once_and_a_crash_ends_one_piece_of_work_only() {
        let pool = Pool::start(generation(), 1, 1).unwrap();
        let later = Instant::now() + Duration::from_secs(60);
        block_on(async {
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let hold = pool.run(later, move |_, _| wait.recv().is_ok());
            let next = pool.run(later, |_, _| 7);
            let full = async {
                while pool.waiting().0 > 0 {
                    tokio::task::yield_now().await;
                }
                let queued = pool.run(later, |_, _| 8);
                let refused = async {
                    let answer = pool.run(later, |_, _| 9).await;
                    go.send(()).unwrap();
                    answer
                };
                tokio::join!(queued, refused)
            };
            let (held, (queued, refused)) = tokio::join!(hold, full);
            assert_eq!(
                (held, queued, refused),
                (Ok(true), Ok(8), Err(Trouble::Busy))
            );
            assert_eq!(next.await, Ok(7));
            let crashed: Result<(), _> = pool.run(later, |_, _| panic!("on purpose")).await;
            assert_eq!(crashed, Err(Trouble::Lost));
            assert_eq!(pool.run(later, |_, _| 1).await, Ok(1));
        });
    }

    #[test]
    fn a_thread_that_hangs_is_left_behind_and_replaced() {
        let pool = Pool::start(generation(), 1, 4).unwrap();
        let past = Instant::now().checked_sub(GRACE).unwrap() + Duration::from_millis(300);
        let later = Instant::now() + Duration::from_secs(60);
        block_on(async {
            let hung = pool.run(past, |_, _| std::thread::park()).await;
            assert_eq!(hung, Err(Trouble::OutOfTime));
            assert_eq!(pool.run(later, |_, _| 1).await, Ok(1));
        });
        assert_eq!(pool.lost(), 1);
    }

    #[test]
    fn who_waits_for_the_disk_keeps_nobody_waiting() {
        let pool = Pool::start(generation(), 1, 4).unwrap();
        let later = Instant::now() + Duration::from_secs(60);
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let outside = pool.clone();
        let waits = pool.run(later, move |_, _| outside.step_out(|| wait.recv().is_ok()));
        // Waits in the queue until the first has stepped out.
        let goes = pool.run(later, move |_, _| go.send(()).is_ok());
        let done = block_on(async { tokio::join!(waits, goes) });
        assert_eq!(done, (Ok(true), Ok(true)));
        // Not more at once than there were before.
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let done = block_on(async {
            let first = pool.run(later, move |_, _| {
                wait.recv_timeout(Duration::from_millis(200)).is_err()
            });
            let second = pool.run(later, move |_, _| go.send(()).is_err());
            tokio::join!(first, second)
        });
        assert_eq!(done, (Ok(true), Ok(true)));
        // Ends because the thread is about to look for more.
        while pool.shared.lock().busy > 0 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn who_is_given_up_while_it_waits_for_the_disk_leaves_its_place_to_others() {
        let pool = Pool::start(generation(), 1, 4).unwrap();
        for _ in 0..3 {
            let past = Instant::now().checked_sub(GRACE).unwrap() + Duration::from_millis(300);
            let (go, wait) = std::sync::mpsc::channel::<()>();
            let (back, is_back) = std::sync::mpsc::channel::<()>();
            let outside = pool.clone();
            let hung = pool.run(past, move |_, _| {
                let came = outside.step_out(|| wait.recv().is_ok());
                back.send(()).unwrap();
                came
            });
            assert_eq!(block_on(hung), Err(Trouble::OutOfTime));
            go.send(()).unwrap();
            is_back.recv().unwrap();
            let soon = Instant::now() + Duration::from_secs(5);
            assert_eq!(block_on(pool.run(soon, |_, _| 1)), Ok(1));
        }
    }

    #[test]
    fn a_new_generation_is_in_force_from_the_next_piece_of_work_on() {
        let pool = Pool::start(generation(), 2, 4).unwrap();
        let later = Instant::now() + Duration::from_secs(60);
        let new = generation();
        pool.replace(Arc::clone(&new));
        let place = std::ptr::from_ref::<Generation>(&new) as usize;
        let seen = block_on(pool.run(later, |generation, _| {
            std::ptr::from_ref(generation) as usize
        }));
        assert_eq!(seen, Ok(place));
    }

    #[test]
    fn memory_is_given_out_until_there_is_none() {
        let admission = Admission::new(10 * UNIT);
        let (mut one, mut two) = (Share::default(), Share::default());
        assert_eq!(admission.grow(&mut one, 6 * 1024), Ok(()));
        assert_eq!(admission.grow(&mut two, 5 * 1024), Err(Trouble::Busy));
        assert_eq!(admission.used(), 6 * UNIT);
        drop(one);
        // One alone gets all there is, however large it is.
        assert_eq!(admission.grow(&mut two, 1 << 40), Ok(()));
        assert_eq!(admission.used(), 10 * UNIT);
    }
}
