//! How far a batch is: counted by its threads, shown by somebody else.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::PartSummary;

/// The counters of a batch.
#[derive(Debug)]
pub struct Progress {
    started: Instant,
    /// Bytes to be read by this run.
    total: u64,
    bytes: AtomicU64,
    messages: AtomicU64,
    found: AtomicU64,
    errors: AtomicU64,
    shards: AtomicU64,
    stop: AtomicBool,
}

/// How far it is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Bytes to be read.
    pub total: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Messages scanned.
    pub messages: u64,
    /// Messages that are not clean.
    pub found: u64,
    /// Things that could not be read.
    pub errors: u64,
    /// Shards done.
    pub shards: u64,
    /// Since the run began.
    pub elapsed: Duration,
}

impl Moment {
    /// Bytes per second.
    pub fn rate(&self) -> u64 {
        let milliseconds = self.elapsed.as_millis().max(1);
        let rate = u128::from(self.bytes).saturating_mul(1000) / milliseconds;
        u64::try_from(rate).unwrap_or(u64::MAX)
    }

    /// The time that is left at this rate, once it is one: the first message may be a large one.
    pub fn left(&self) -> Option<Duration> {
        if self.bytes < self.total / 200 {
            return None;
        }
        let left = self.total.saturating_sub(self.bytes);
        left.checked_div(self.rate()).map(Duration::from_secs)
    }
}

impl Progress {
    /// Starts the clock of a run that is to read `total` bytes.
    pub fn new(total: u64) -> Self {
        Self {
            started: Instant::now(),
            total,
            bytes: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            found: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            shards: AtomicU64::new(0),
            stop: AtomicBool::new(false),
        }
    }

    /// How far it is now.
    pub fn now(&self) -> Moment {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Moment {
            total: self.total,
            bytes: of(&self.bytes).min(self.total),
            messages: of(&self.messages),
            found: of(&self.found),
            errors: of(&self.errors),
            shards: of(&self.shards),
            elapsed: self.started.elapsed(),
        }
    }

    /// Asks the threads to stop after the messages that they have in hand.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether they are asked to.
    pub fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn message(&self, bytes: usize, clean: bool) {
        self.bytes
            .fetch_add(crate::bytes::length(bytes), Ordering::Relaxed);
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.found.fetch_add(u64::from(!clean), Ordering::Relaxed);
    }

    pub(super) fn error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// A shard of so many bytes is done: those that no message had are read too.
    pub(super) fn shard(&self, bytes: u64, done: &PartSummary) {
        self.shards.fetch_add(1, Ordering::Relaxed);
        self.bytes
            .fetch_add(bytes.saturating_sub(done.bytes), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_rate() {
        let moment = Moment {
            total: 1000,
            bytes: 250,
            messages: 1,
            found: 0,
            errors: 0,
            shards: 0,
            elapsed: Duration::from_secs(5),
        };
        assert_eq!(moment.rate(), 50);
        assert_eq!(moment.left(), Some(Duration::from_secs(15)));
        let begun = Moment { bytes: 0, ..moment };
        assert_eq!(begun.left(), None);
        let hardly = Moment { bytes: 4, ..moment };
        assert_eq!(hardly.left(), None);
    }
}
