//! Limits (settings) and Budget (the running account of one scan).
//!
//! Every byte produced and every artifact made is paid here, and every long loop asks [`Budget::tick`]
//! whether there is time left. A limit that is met is a [`Halt`]: the caller turns it into a finding.

use std::cell::Cell;
use std::fmt;
use std::io::{BufRead, Read};
use std::rc::Rc;
use std::time::{Duration, Instant};

const MIB: u64 = 1 << 20;

/// A container's ratio counts once this many bytes came out of it: small, well compressible files are ordinary.
pub const RATIO_COUNTS_FROM: u64 = 32 * MIB;

/// How often [`Budget::tick`] reads the clock.
const TICKS_PER_CLOCK_READ: u32 = 1024;

/// What one read of a decoder asks for, at the most and at the least.
const CHUNK: usize = 64 * 1024;
const SMALLEST_CHUNK: usize = 1024;

/// The most that a claim reserves: pages that nothing comes into cost nothing, but growing would copy what came.
const RESERVED: u64 = 256 * MIB;

/// The settings of a scan. Inside a mailbox they hold per message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Time for one input.
    pub timeout: Duration,
    /// Containers within containers.
    pub max_depth: u32,
    /// Artifacts of one input.
    pub max_artifacts: u32,
    /// Bytes unpacked from one input, all artifacts together.
    pub max_unpacked: u64,
    /// Size of one input in bytes; a larger one is not read.
    pub max_file: u64,
    /// Bytes out for one byte in, counted once [`RATIO_COUNTS_FROM`] came out of one container.
    pub max_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(60),
            max_depth: 24,
            max_artifacts: 20_000,
            max_unpacked: 1024 * MIB,
            max_file: 2048 * MIB,
            max_ratio: 250,
        }
    }
}

/// Why a scan went no further at some place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Halt {
    /// The deadline passed.
    OutOfTime,
    /// `max_depth` containers within containers.
    Depth,
    /// `max_artifacts` made.
    Artifacts,
    /// `max_unpacked` bytes produced.
    Unpacked,
    /// `max_ratio` exceeded by one container.
    Ratio,
    /// A ceiling of one format, named in its file.
    Ceiling(&'static str),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfTime => "timeout",
            Self::Depth => "max-depth",
            Self::Artifacts => "max-artifacts",
            Self::Unpacked => "max-unpacked",
            Self::Ratio => "max-ratio",
            Self::Ceiling(what) => what,
        })
    }
}

impl std::error::Error for Halt {}

/// Why a decoder stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A limit.
    Halt(Halt),
    /// The bytes are not what the decoder expects; what came before stands.
    Broken(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Halt(halt) => halt.fmt(f),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

/// What a decoder gave: everything up to its end or its fault.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Decoded {
    /// The bytes, paid from the budget.
    pub data: Vec<u8>,
    /// Why it is not all, if it is not.
    pub fault: Option<Fault>,
}

/// A slice that tells how much of it a decoder took, so that ratios count what was consumed.
#[derive(Debug)]
pub struct Metered<'a> {
    rest: &'a [u8],
    consumed: Rc<Cell<u64>>,
}

impl<'a> Metered<'a> {
    /// Wraps `data`; the meter starts at zero.
    pub fn new(data: &'a [u8]) -> Self {
        Self {
            rest: data,
            consumed: Rc::default(),
        }
    }

    /// The running count of bytes taken, to be handed to [`Budget::read`].
    pub fn meter(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.consumed)
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let len = self.rest.read(out)?;
        self.consumed
            .set(self.consumed.get().saturating_add(length(len)));
        Ok(len)
    }
}

impl BufRead for Metered<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        Ok(self.rest)
    }

    fn consume(&mut self, amount: usize) {
        self.rest = self.rest.get(amount..).unwrap_or_default();
        self.consumed
            .set(self.consumed.get().saturating_add(length(amount)));
    }
}

/// What came out of one container and what went in, for the ratio.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// Size of the container in bytes.
    pub size: u64,
    consumed: u64,
    produced: u64,
}

impl Account {
    /// An account of a container of `size` bytes.
    pub fn new(size: u64) -> Self {
        Self {
            size,
            consumed: 0,
            produced: 0,
        }
    }

    /// Whether `out` bytes of the member at hand, which consumed `taken`, are too much for it or for its container.
    fn overdrawn(&self, max_ratio: u64, taken: u64, out: u64) -> bool {
        let produced = self.produced.saturating_add(out);
        let consumed = self.consumed.saturating_add(taken).min(self.size);
        let over =
            |out: u64, taken: u64| out > RATIO_COUNTS_FROM && out > taken.saturating_mul(max_ratio);
        over(produced, consumed) || over(out, taken)
    }
}

/// Passwords tried in one scan, and the time for all of them.
const TRIES: u32 = 50;
const TRYING: Duration = Duration::from_secs(5);

/// Pixels of all pictures of one scan that are looked at for codes: some tenths of a second.
const PIXELS: u64 = 8 << 20;

/// Places in pictures that are sampled for modules of codes, in one scan: about a tenth of a second.
const PROBES: u64 = 8 << 20;

/// Bytes of tables that are read for the names of files in cabinets, in one scan: they are read for each cabinet anew.
const NAMING: u64 = 256 << 20;

/// The running account of one scan: bytes, artifacts, depth, deadline. One thread's own.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    deadline: Cell<Option<Instant>>,
    /// Time left while the clock is stopped.
    stopped: Cell<Option<Duration>>,
    ticks: Cell<u32>,
    expired: Cell<bool>,
    unpacked: Cell<u64>,
    artifacts: Cell<u32>,
    tries: Cell<u32>,
    tried: Cell<Duration>,
    looked: Cell<u64>,
    probed: Cell<u64>,
    named: Cell<u64>,
    /// How often anything was refused.
    refused: Cell<u32>,
}

/// What a budget was asked for until some moment, or between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    unpacked: u64,
    looked: u64,
    probed: u64,
    named: u64,
    artifacts: u32,
    refused: u32,
}

impl Budget {
    /// An account on `limits` that ends at `deadline`.
    pub fn new(limits: Limits, deadline: Option<Instant>) -> Self {
        Self {
            limits,
            deadline: Cell::new(deadline),
            stopped: Cell::new(None),
            ticks: Cell::new(0),
            expired: Cell::new(false),
            unpacked: Cell::new(0),
            artifacts: Cell::new(0),
            tries: Cell::new(0),
            tried: Cell::new(Duration::ZERO),
            looked: Cell::new(0),
            probed: Cell::new(0),
            named: Cell::new(0),
            refused: Cell::new(0),
        }
    }

    /// What was spent until now.
    pub fn spent(&self) -> Spent {
        Spent {
            unpacked: self.unpacked.get(),
            looked: self.looked.get(),
            probed: self.probed.get(),
            named: self.named.get(),
            artifacts: self.artifacts.get(),
            refused: self.refused.get(),
        }
    }

    /// What was spent since; `None` where anything was refused: another account might have granted it.
    pub fn spent_since(&self, then: Spent) -> Option<Spent> {
        let now = self.spent();
        (now.refused == then.refused).then(|| Spent {
            unpacked: now.unpacked.saturating_sub(then.unpacked),
            looked: now.looked.saturating_sub(then.looked),
            probed: now.probed.saturating_sub(then.probed),
            named: now.named.saturating_sub(then.named),
            artifacts: now.artifacts.saturating_sub(then.artifacts),
            refused: 0,
        })
    }

    /// Pays for what was spent on the same thing before, all of it or nothing.
    pub fn pay(&self, spent: Spent) -> bool {
        let unpacked = self.unpacked.get().saturating_add(spent.unpacked);
        let looked = self.looked.get().saturating_add(spent.looked);
        let probed = self.probed.get().saturating_add(spent.probed);
        let named = self.named.get().saturating_add(spent.named);
        let artifacts = self.artifacts.get().saturating_add(spent.artifacts);
        let may = unpacked <= self.limits.max_unpacked
            && (looked <= PIXELS || spent.looked == 0)
            && (probed <= PROBES || spent.probed == 0)
            && (named <= NAMING || spent.named == 0)
            && artifacts <= self.limits.max_artifacts
            && self.check_time().is_ok();
        if may {
            self.unpacked.set(unpacked);
            self.looked.set(looked);
            self.probed.set(probed);
            self.named.set(named);
            self.artifacts.set(artifacts);
        }
        may
    }

    fn refuse<T>(&self, halt: T) -> T {
        self.refused.set(self.refused.get().saturating_add(1));
        halt
    }

    /// Stops the clock: what follows is done for somebody else.
    pub fn stop(&self) {
        self.stopped.set(self.time_left());
        self.deadline.set(None);
    }

    /// Lets a stopped clock run on.
    pub fn resume(&self) {
        if let Some(left) = self.stopped.take() {
            self.deadline.set(Instant::now().checked_add(left));
        }
    }

    /// Whether one more password may be tried; counts it.
    pub fn may_try(&self) -> bool {
        let tries = self.tries.get().saturating_add(1);
        self.tries.set(tries);
        let may = tries <= TRIES && self.tried.get() < TRYING && self.check_time().is_ok();
        may || self.refuse(false)
    }

    /// Whether any password may still be tried: gathering them takes time too.
    pub fn may_gather(&self) -> bool {
        let may = self.tries.get() < TRIES && self.tried.get() < TRYING;
        may && self.check_time().is_ok() || self.refuse(false)
    }

    /// Whether a picture of so many pixels may still be looked at for codes; pays for it.
    pub fn may_look(&self, pixels: u64) -> bool {
        let looked = self.looked.get().saturating_add(pixels);
        let may = looked <= PIXELS && self.check_time().is_ok();
        if may {
            self.looked.set(looked);
        }
        may || self.refuse(false)
    }

    /// Whether so many more places in pictures may be sampled for modules of codes; pays for them.
    pub fn may_probe(&self, places: u64) -> bool {
        let probed = self.probed.get().saturating_add(places);
        let may = probed <= PROBES && self.check_time().is_ok();
        if may {
            self.probed.set(probed);
        }
        may || self.refuse(false)
    }

    /// Whether so many more bytes of tables may be read for names; pays for them.
    pub fn may_name(&self, bytes: u64) -> bool {
        // What is opened costs something, however small it is.
        let named = self.named.get().saturating_add(bytes.max(1 << 14));
        let may = named <= NAMING && self.check_time().is_ok();
        if may {
            self.named.set(named);
        }
        may || self.refuse(false)
    }

    /// Counts the time that a step of trying passwords takes: that of this thread, since whatever else the machine is
    /// busy with must not cost tries.
    pub fn trying<T>(&self, step: impl FnOnce() -> T) -> T {
        let before = thread_time();
        let done = step();
        let took = thread_time().saturating_sub(before);
        self.tried.set(self.tried.get().saturating_add(took));
        done
    }

    /// The settings behind the account.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// To be called in every long loop: fails once the deadline has passed. Reads the clock every 1,024 calls.
    pub fn tick(&self) -> Result<(), Halt> {
        let ticks = self.ticks.get().wrapping_add(1);
        self.ticks.set(ticks);
        if ticks.is_multiple_of(TICKS_PER_CLOCK_READ) {
            self.check_time()
        } else {
            self.verdict()
        }
    }

    /// Steps that were counted so far.
    #[cfg(test)]
    pub(crate) fn steps(&self) -> u32 {
        self.ticks.get()
    }

    /// Reads the clock now: for steps that are long in themselves.
    pub fn check_time(&self) -> Result<(), Halt> {
        if self
            .deadline
            .get()
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            self.expired.set(true);
        }
        self.verdict()
    }

    fn verdict(&self) -> Result<(), Halt> {
        if self.expired.get() {
            Err(self.refuse(Halt::OutOfTime))
        } else {
            Ok(())
        }
    }

    /// Time left, or `None` where there is no deadline.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline
            .get()
            .map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// Pays for `bytes` more unpacked bytes.
    pub fn spend(&self, bytes: usize) -> Result<(), Halt> {
        let total = self.unpacked.get().saturating_add(length(bytes));
        if total > self.limits.max_unpacked {
            return Err(self.refuse(Halt::Unpacked));
        }
        self.unpacked.set(total);
        Ok(())
    }

    /// Bytes that may still be unpacked.
    pub fn unpacked_left(&self) -> u64 {
        self.limits.max_unpacked.saturating_sub(self.unpacked.get())
    }

    /// Asks for a message of a mailbox at `depth` containers below the input: it has an account of its own, so only
    /// depth and time are asked here.
    pub fn admit_message(&self, depth: u32) -> Result<(), Halt> {
        if depth > self.limits.max_depth {
            return Err(self.refuse(Halt::Depth));
        }
        self.tick()
    }

    /// Pays for one more artifact at `depth` containers below the input.
    pub fn admit(&self, depth: u32) -> Result<(), Halt> {
        if depth > self.limits.max_depth {
            return Err(self.refuse(Halt::Depth));
        }
        if self.artifacts.get() >= self.limits.max_artifacts {
            return Err(self.refuse(Halt::Artifacts));
        }
        self.artifacts.set(self.artifacts.get().saturating_add(1));
        self.check_time()
    }

    /// Reads a decoder to its end within the budget: the only place where anything is inflated.
    ///
    /// `meter` counts the bytes that the decoder took; `expected` is a claimed length, used only to size the buffer.
    /// What came before a fault is kept and paid.
    pub fn read(
        &self,
        from: &mut dyn Read,
        meter: &Cell<u64>,
        account: &mut Account,
        expected: u64,
    ) -> Decoded {
        let start = meter.get();
        let mut data = Vec::new();
        // A claim sizes the buffer only as far as this input could fill it at the ratio where a bomb ends.
        let plausible = account
            .size
            .saturating_mul(self.limits.max_ratio)
            .min(expected)
            .min(self.limits.max_unpacked)
            .min(RESERVED);
        // Where there is no room for it, it grows as it comes.
        let _ = data.try_reserve(index(plausible).saturating_add(1));
        let mut fault = None;
        let mut chunk = vec![0; CHUNK.min(index(expected.saturating_add(1)).max(SMALLEST_CHUNK))];
        loop {
            let len = match from.read(&mut chunk) {
                Ok(0) => break,
                Ok(len) => len,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    fault = Some(Fault::Broken(error.to_string()));
                    break;
                }
            };
            let paid = self.check_time().and_then(|()| self.spend(len));
            if let Err(halt) = paid {
                // What may still be unpacked is, so that where it ends does not hang on how it came.
                if halt == Halt::Unpacked {
                    let left = self.limits.max_unpacked.saturating_sub(self.unpacked.get());
                    data.extend_from_slice(chunk.get(..index(left)).unwrap_or_default());
                    self.unpacked.set(self.limits.max_unpacked);
                }
                fault = Some(Fault::Halt(halt));
                break;
            }
            let taken = meter.get().saturating_sub(start);
            self.make_room(&mut data, len, taken, account);
            data.extend_from_slice(chunk.get(..len).unwrap_or_default());
            // A claim may be far too small, or lack.
            if len >= chunk.len() / 2 && chunk.len() < CHUNK {
                chunk.resize(chunk.len().saturating_mul(4).min(CHUNK), 0);
            }
            if account.overdrawn(self.limits.max_ratio, taken, length(data.len())) {
                fault = Some(Fault::Halt(Halt::Ratio));
                break;
            }
        }
        account.consumed = account
            .consumed
            .saturating_add(meter.get().saturating_sub(start));
        account.produced = account.produced.saturating_add(length(data.len()));
        if data.len() < data.capacity() / 2 {
            data.shrink_to_fit();
        }
        Decoded { data, fault }
    }

    /// Makes room for `len` bytes and, once a few came, for as many as the rest of the container makes at the ratio so
    /// far: growing copies what came.
    fn make_room(&self, data: &mut Vec<u8>, len: usize, taken: u64, account: &Account) {
        if data.capacity().saturating_sub(data.len()) >= len {
            return;
        }
        let came = length(data.len());
        let rest = account
            .size
            .saturating_sub(account.consumed.saturating_add(taken));
        let foreseen = match came >= length(CHUNK) {
            true => came.saturating_mul(rest).checked_div(taken).unwrap_or(0),
            false => 0,
        };
        let left = self.limits.max_unpacked.saturating_sub(self.unpacked.get());
        let bounded = foreseen
            .saturating_add(foreseen / 8)
            .min(account.size.saturating_mul(self.limits.max_ratio))
            .min(left)
            .min(RESERVED);
        // Where there is no room for it, it grows as it comes.
        let _ = data.try_reserve(index(bounded.max(came)).max(len));
    }
}

/// Processor time of this thread.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

fn length(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_work_of_this_thread_counts_as_trying() {
        let budget = Budget::new(Limits::default(), None);
        let (_open, silent) = std::sync::mpsc::channel::<()>();
        let waited = budget.trying(|| silent.recv_timeout(Duration::from_millis(300)));
        assert!(waited.is_err());
        assert!(budget.tried.get() < Duration::from_millis(100));
        let until = thread_time().saturating_add(Duration::from_millis(20));
        budget.trying(|| while thread_time() < until {});
        assert!(budget.tried.get() >= Duration::from_millis(19));
        budget.tried.set(TRYING);
        assert!(!budget.may_try() && !budget.may_gather());
    }

    fn drain(budget: &Budget, len: u64, size: u64) -> Decoded {
        let meter = Cell::new(0);
        budget.read(
            &mut std::io::repeat(0).take(len),
            &meter,
            &mut Account::new(size),
            0,
        )
    }

    #[test]
    fn reading_stops_at_max_unpacked_and_keeps_what_came_before() {
        let budget = Budget::new(
            Limits {
                max_unpacked: 3 * CHUNK as u64,
                ..Limits::default()
            },
            None,
        );
        let decoded = drain(&budget, 10 * CHUNK as u64, MIB);
        assert_eq!(decoded.data.len(), 3 * CHUNK);
        assert_eq!(decoded.fault, Some(Fault::Halt(Halt::Unpacked)));
    }

    #[test]
    fn room_is_made_for_what_the_rest_of_the_container_holds() {
        let (size, factor) = (4 * MIB, 3);
        let data = vec![7; usize::try_from(size).unwrap()];
        let source = Metered::new(&data);
        let meter = source.meter();
        // Three bytes of each.
        struct Tripled<'a>(Metered<'a>);
        impl Read for Tripled<'_> {
            fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
                let mut some = vec![0; out.len() / 3];
                let len = self.0.read(&mut some)?;
                for (to, from) in out.chunks_exact_mut(3).zip(&some[..len]) {
                    to.fill(*from);
                }
                Ok(len * 3)
            }
        }
        let budget = Budget::new(Limits::default(), None);
        let decoded = budget.read(&mut Tripled(source), &meter, &mut Account::new(size), 0);
        assert_eq!(decoded.fault, None);
        assert_eq!(length(decoded.data.len()), size * factor);
        let room = length(decoded.data.capacity());
        // Doubling from some thousands would be far from it, mostly.
        assert!(room < size * factor * 3 / 2, "{room}");
    }

    #[test]
    fn the_ratio_counts_only_above_its_floor() {
        let budget = Budget::new(Limits::default(), None);
        assert_eq!(drain(&budget, RATIO_COUNTS_FROM, 1).fault, None);
        let bomb = drain(&budget, RATIO_COUNTS_FROM + 1, 1);
        assert_eq!(bomb.fault, Some(Fault::Halt(Halt::Ratio)));
    }

    #[test]
    fn a_passed_deadline_ends_every_loop_and_stays() {
        let budget = Budget::new(Limits::default(), Some(Instant::now()));
        let ended = (0..=TICKS_PER_CLOCK_READ)
            .map(|_| budget.tick())
            .find(Result::is_err);
        assert_eq!(ended, Some(Err(Halt::OutOfTime)));
        assert_eq!(budget.tick(), Err(Halt::OutOfTime));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the clock is what is tested")]
    fn a_stopped_clock_keeps_what_was_left() {
        let soon = Instant::now().checked_add(Duration::from_millis(40));
        let budget = Budget::new(Limits::default(), soon);
        budget.stop();
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(budget.check_time(), Ok(()));
        budget.resume();
        assert_eq!(budget.check_time(), Ok(()));
        std::thread::sleep(Duration::from_millis(60));
        assert_eq!(budget.check_time(), Err(Halt::OutOfTime));
    }

    #[test]
    fn artifacts_and_depth_are_counted() {
        let budget = Budget::new(
            Limits {
                max_artifacts: 2,
                max_depth: 3,
                ..Limits::default()
            },
            None,
        );
        assert_eq!(budget.admit(4), Err(Halt::Depth));
        assert_eq!([budget.admit(3), budget.admit(0)], [Ok(()), Ok(())]);
        assert_eq!(budget.admit(0), Err(Halt::Artifacts));
    }
}
