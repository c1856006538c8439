//! What measures of scanning and disarming are given: the files, the engine, and how a file is disarmed.
#![allow(dead_code, reason = "each of them takes its part")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use cpu_time::ThreadTime;

use sekisho::engine::{Context, Engine, Input, Worker};
use sekisho::knowledge::Knowledge;
use sekisho::limits::{Budget, Limits};
use sekisho::model::{Artifact, Name, Report};
use sekisho::rewrite::Notice;
use sekisho::rewrite::disarm::{Proven, Refusal, Removed, Selection, Task, proven};
use sekisho::rules::{Rules, Strictness, embedded};
use sekisho::score::Thresholds;

/// Runs of each file, the middle one of which counts.
const RUNS: usize = 5;

/// The files of the command line, and all in its folders.
pub(crate) fn files() -> Vec<PathBuf> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut files = Vec::new();
    for folder in words.iter().filter(|word| !word.starts_with('-')) {
        walk(Path::new(folder), &mut files);
    }
    files.sort();
    files
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in std::fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), files);
        }
    } else {
        files.push(path.to_owned());
    }
}

/// As the program has it where nothing is configured.
pub(crate) fn engine() -> Engine {
    Engine {
        rules: Rules::compile(embedded(), Strictness::Strict).unwrap(),
        knowledge: Knowledge::embedded().unwrap(),
        limits: Limits::default(),
        thresholds: Thresholds::default(),
    }
}

/// A scan of bytes under a name.
pub(crate) fn scan(worker: &mut Worker<'_>, name: &str, data: &Bytes) -> Report {
    worker.scan(Input {
        path: name.to_owned(),
        name: Some(Name::of(name)),
        data: data.clone(),
        facts: Vec::new(),
        context: Context::default(),
    })
}

/// Processor time of a scan, and that of disarming, which is the scan, the rewriting, and the scan of the result; none
/// where nothing is to be taken out, or it cannot be.
pub(crate) fn disarming(
    worker: &mut Worker<'_>,
    engine: &Engine,
    name: &str,
    data: &Bytes,
) -> Option<(Duration, Duration)> {
    let (mut scans, mut whole) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let start = ThreadTime::now();
        let before = scan(worker, name, data);
        scans.push(start.elapsed());
        let made = disarmed(engine, &before, &mut |data| scan(worker, name, data))?;
        made.ok()?;
        whole.push(start.elapsed());
    }
    Some((middle(scans), middle(whole)))
}

/// The middle one of some times.
pub(crate) fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// What the program makes of a file where nothing else is said; none where nothing is to be taken out, or not all of it
/// was seen.
pub(crate) fn disarmed(
    engine: &Engine,
    before: &Report,
    scan: &mut dyn FnMut(&Bytes) -> Report,
) -> Option<Result<Proven, Refusal>> {
    let catalogue = &engine.knowledge.catalogue;
    let findings = Selection::usual().unwrap().of(before, catalogue);
    if findings.is_empty() || !before.complete {
        return None;
    }
    let notice = Notice::of_file(before, catalogue);
    let text = |part: &Artifact, removed: &[Removed]| notice.text(part, removed);
    let line = |part: &Artifact| notice.line(part);
    let task = Task::usual(before, &findings, &text, &line);
    let budget = Budget::new(engine.limits.clone(), None);
    Some(proven(&task, &budget, scan))
}
