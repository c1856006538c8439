//! Processor time of scanning files one by one: `cargo bench --bench files -- FOLDER…` tells the median, the slowest
//! hundredth and the sum by kind.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints and reports by panicking"
)]

mod given;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use cpu_time::ThreadTime;

use sekisho::engine::Worker;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Scans of each file, the fastest of which counts: what else runs on the machine matters as little as possible.
const RUNS: usize = 5;

/// Slowest files that are named.
const NAMED: usize = 12;

fn main() {
    let engine = given::engine();
    let files = given::files();
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

fn scan(worker: &mut Worker<'_>, file: &Path) -> (Duration, String) {
    let data = Bytes::from(std::fs::read(file).unwrap());
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let mut fastest = Duration::MAX;
    let mut kind = String::new();
    for _ in 0..RUNS {
        let start = ThreadTime::now();
        let report = given::scan(worker, &name, &data);
        fastest = fastest.min(start.elapsed());
        kind = report.artifacts[0].kind.as_str().to_owned();
    }
    (fastest, kind)
}
