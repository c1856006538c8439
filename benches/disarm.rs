//! Processor time of disarming files one by one beside that of scanning them: `cargo bench --bench disarm -- FOLDER…`.
//! Disarming is the scan before, the rewriting, and the scan of the result; files with nothing to take out, or from
//! which it cannot be taken, are left out.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints and reports by panicking"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use cpu_time::ThreadTime;

use sekisho::engine::{Context, Engine, Input, Worker};
use sekisho::knowledge::Knowledge;
use sekisho::limits::{Budget, Limits};
use sekisho::model::{Name, Report};
use sekisho::rewrite::disarm::{Notices, Retype, Selection, Task, proven};
use sekisho::rules::{Rules, Strictness, embedded};
use sekisho::score::Thresholds;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs of each file, the fastest of which counts: what else runs on the machine matters as little as possible.
const RUNS: usize = 5;

/// Files that are named: those whose disarming costs most of what their scan does.
const NAMED: usize = 30;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let folders = words.iter().filter(|word| !word.starts_with('-'));
    let mut files = Vec::new();
    for folder in folders {
        walk(Path::new(folder), &mut files);
    }
    files.sort();
    let engine = Engine {
        rules: Rules::compile(embedded(), Strictness::Strict).unwrap(),
        knowledge: Knowledge::embedded().unwrap(),
        limits: Limits::default(),
        thresholds: Thresholds::default(),
    };
    let mut worker = Worker::new(&engine);
    let mut all: Vec<(f64, Duration, Duration, &PathBuf)> = Vec::new();
    for file in &files {
        if let Some((scanned, disarmed)) = measure(&mut worker, &engine, file) {
            let share = disarmed.as_secs_f64() / scanned.as_secs_f64();
            all.push((share, scanned, disarmed, file));
        }
    }
    let scanned: Duration = all.iter().map(|one| one.1).sum();
    let disarmed: Duration = all.iter().map(|one| one.2).sum();
    let share = disarmed.as_secs_f64() / scanned.as_secs_f64();
    let over = all.iter().filter(|one| one.0 > 3.0).count();
    println!(
        "{} files: scanned in {scanned:.1?}, disarmed in {disarmed:.1?}, {share:.2} times; over 3 times: {over}",
        all.len()
    );
    all.sort_by(|one, other| other.0.total_cmp(&one.0));
    for (share, scanned, disarmed, file) in all.iter().take(NAMED) {
        println!(
            "{share:>6.2} {scanned:>10.1?} {disarmed:>10.1?} {}",
            file.display()
        );
    }
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

/// Time of a scan, and of disarming; none where nothing is to be taken out, or it cannot be.
fn measure(worker: &mut Worker<'_>, engine: &Engine, file: &Path) -> Option<(Duration, Duration)> {
    let data = Bytes::from(std::fs::read(file).unwrap());
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let mut scan = |data: &Bytes| {
        worker.scan(Input {
            path: name.clone(),
            name: Some(Name::of(&name)),
            data: data.clone(),
            facts: Vec::new(),
            context: Context::default(),
        })
    };
    let mut fastest = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        let start = ThreadTime::now();
        let before = scan(&data);
        let scanned = start.elapsed();
        if !rewrite(engine, &before, &mut scan) {
            return None;
        }
        fastest = (fastest.0.min(scanned), fastest.1.min(start.elapsed()));
    }
    Some(fastest)
}

/// Whether anything was taken out.
fn rewrite(engine: &Engine, before: &Report, scan: &mut dyn FnMut(&Bytes) -> Report) -> bool {
    let findings = Selection::usual()
        .unwrap()
        .of(before, &engine.knowledge.catalogue);
    if findings.is_empty() || !before.complete {
        return false;
    }
    let task = Task {
        report: before,
        findings: &findings,
        strip: &BTreeSet::new(),
        notices: Notices::From(40),
        retype: Retype::Keep,
        break_signatures: false,
        notice: &|_, _| "Taken out.\n".to_owned(),
        line: &|_| "Taken out.".to_owned(),
    };
    let budget = Budget::new(engine.limits.clone(), None);
    proven(&task, &budget, scan).is_ok()
}
