//! Processor time of scanning files one by one: `cargo bench --bench files -- FOLDER…` tells the median, the slowest
//! hundredth and the sum by kind.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints and reports by panicking"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cpu_time::ThreadTime;

use sekisho::engine::{Context, Engine, Input, Worker};
use sekisho::knowledge::Knowledge;
use sekisho::limits::Limits;
use sekisho::model::Name;
use sekisho::rules::{Rules, Strictness, embedded};
use sekisho::score::Thresholds;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Scans of each file, the fastest of which counts: what else runs on the machine matters as little as possible.
const RUNS: usize = 5;

/// Slowest files that are named.
const NAMED: usize = 12;

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
    let mut all: Vec<(Duration, &PathBuf)> = Vec::new();
    let mut kinds: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for file in &files {
        let (took, kind) = scan(&mut worker, file);
        all.push((took, file));
        kinds.entry(kind).or_default().push(took);
        kinds.entry("all".to_owned()).or_default().push(took);
    }
    println!(
        "{:16} {:>6} {:>12} {:>12} {:>12}",
        "kind", "files", "median", "p99", "sum"
    );
    for (kind, mut times) in kinds {
        times.sort();
        let (count, sum) = (times.len(), times.iter().sum::<Duration>());
        let (median, late) = (times[count / 2], times[(count * 99 / 100).min(count - 1)]);
        println!("{kind:16} {count:>6} {median:>12.1?} {late:>12.1?} {sum:>12.1?}");
    }
    all.sort();
    for (took, file) in all.iter().rev().take(NAMED) {
        println!("{took:>12.1?} {}", file.display());
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

fn scan(worker: &mut Worker<'_>, file: &Path) -> (Duration, String) {
    let data = bytes::Bytes::from(std::fs::read(file).unwrap());
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let mut fastest = Duration::MAX;
    let mut kind = String::new();
    for _ in 0..RUNS {
        let input = Input {
            path: name.clone(),
            name: Some(Name::of(&name)),
            data: data.clone(),
            facts: Vec::new(),
            context: Context::default(),
        };
        let start = ThreadTime::now();
        let report = worker.scan(input);
        fastest = fastest.min(start.elapsed());
        kind = report.artifacts[0].kind.as_str().to_owned();
    }
    (fastest, kind)
}
