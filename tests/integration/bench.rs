//! The engine as the tests use it, and the seeded numbers they draw.

use sekisho::engine::{Context, Engine, Input, Worker};
use sekisho::knowledge::Knowledge;
use sekisho::limits::Limits;
use sekisho::model::{Name, Report};
use sekisho::rules::{Rules, Strictness, embedded};
use sekisho::score::Thresholds;

/// An engine with the embedded rules and the default limits.
pub(crate) fn engine() -> Engine {
    engine_within(Limits::default())
}

/// An engine with the embedded rules and limits of the test's own.
pub(crate) fn engine_within(limits: Limits) -> Engine {
    Engine {
        rules: Rules::compile(embedded(), Strictness::Strict).unwrap(),
        knowledge: Knowledge::embedded().unwrap(),
        limits,
        thresholds: Thresholds::default(),
    }
}

/// Scans bytes under the name that a path ends with.
pub(crate) fn scan(worker: &mut Worker<'_>, path: &str, data: Vec<u8>) -> Report {
    let name = path.rsplit('/').next().unwrap_or_default();
    worker.scan(Input {
        path: path.to_owned(),
        name: Some(Name::of(name)),
        data: data.into(),
        facts: Vec::new(),
        context: Context::default(),
    })
}

/// Reproducible numbers (xorshift64*): the same seed gives the same run on every machine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 where there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}
