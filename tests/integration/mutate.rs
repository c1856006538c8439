//! Seeded mutation of every fixture: bit flips, truncation, splices. No panic, no hang, always a report.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sekisho::engine::Worker;
use sekisho::limits::Limits;

use crate::bench::{Dice, engine_within, scan};
use crate::corpus;

/// What one mutated file may take, far above what it takes when nothing is wrong.
const PATIENCE: Duration = Duration::from_secs(12);

/// Larger files only slow the round down.
const LARGEST: u64 = 400_000;

pub(crate) fn fixtures() -> Vec<PathBuf> {
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")];
    folders.extend(corpus::folder());
    files_below(folders, LARGEST)
}

/// Every file of at most `largest` bytes in the folders and below them, in order.
pub(crate) fn files_below(folders: Vec<PathBuf>, largest: u64) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = folders;
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.metadata().unwrap().len() <= largest {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A number in the environment.
pub(crate) fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Damages `data` in one of the ways in which attackers, disks and networks do.
pub(crate) fn mutate(data: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    if data.is_empty() {
        data.extend_from_slice(other);
        return;
    }
    match dice.below(7) {
        0 => {
            for _ in 0..=dice.below(16) {
                let at = dice.below(data.len());
                data[at] ^= 1 << dice.below(8);
            }
        }
        1 => data.truncate(dice.below(data.len())),
        2 => {
            let (at, len) = (dice.below(data.len()), dice.below(64));
            let end = (at + len).min(data.len());
            data[at..end].fill(if dice.below(2) == 0 { 0xff } else { 0 });
        }
        3 => {
            let (from, to, len) = (
                dice.below(data.len()),
                dice.below(data.len()),
                dice.below(512),
            );
            let block = data[from..(from + len).min(data.len())].to_vec();
            let end = (to + block.len()).min(data.len());
            let fits = end - to;
            data[to..end].copy_from_slice(&block[..fits]);
        }
        4 => {
            let (at, from) = (dice.below(data.len()), dice.below(other.len()));
            let block = &other[from..(from + dice.below(4096)).min(other.len())];
            data.splice(at..at, block.iter().copied());
        }
        5 => {
            let (at, len) = (dice.below(data.len()), dice.below(2048));
            data.drain(at..(at + len).min(data.len()));
        }
        // A number that is read as a length, an offset or a count becomes extreme.
        _ => {
            let at = dice.below(data.len()) & !3;
            let extreme: [u32; 5] = [0, 1, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff];
            for (byte, new) in data
                .iter_mut()
                .skip(at)
                .zip(extreme[dice.below(5)].to_le_bytes())
            {
                *byte = new;
            }
        }
    }
}

#[test]
fn damaged_files_end_in_time_with_a_report() {
    let full = std::env::var_os("SEKISHO_TEST_FULL").is_some();
    let rounds = number("SEKISHO_FUZZ_ROUNDS").unwrap_or(if full { 60 } else { 2 });
    let seed = number("SEKISHO_FUZZ_SEED").unwrap_or(0);
    let files = fixtures();
    assert!(files.len() > 20, "only {} fixtures", files.len());
    let limits = Limits {
        timeout: Duration::from_secs(5),
        max_unpacked: 64 << 20,
        max_artifacts: 2000,
        max_depth: 8,
        ..Limits::default()
    };
    let engine = engine_within(limits);
    let contents: Vec<Vec<u8>> = files
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    let current = AtomicU64::new(u64::MAX);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let slice = files.len().div_ceil(threads);
    std::thread::scope(|scope| {
        for part in 0..threads {
            let (engine, files, contents, current) = (&engine, &files, &contents, &current);
            // The stack that scans get in the product.
            let builder = std::thread::Builder::new().stack_size(16 << 20);
            let run = move || {
                let mut worker = Worker::new(engine);
                for at in (part * slice)..((part + 1) * slice).min(files.len()) {
                    for round in 0..rounds {
                        current.store(u64::try_from(at).unwrap(), Ordering::Relaxed);
                        let mut dice = Dice::new(
                            u64::try_from(at * 1000 + round + seed * 1_000_000).unwrap() + 7,
                        );
                        let mut data = contents[at].clone();
                        let other = &contents[dice.below(contents.len())];
                        for _ in 0..=dice.below(3) {
                            mutate(&mut data, other, &mut dice);
                        }
                        let started = Instant::now();
                        let report = scan(&mut worker, "mutated", data);
                        let took = started.elapsed();
                        let place = format!("{} round {round}", files[at].display());
                        assert!(took < PATIENCE, "{place} took {took:?}");
                        let crash = report
                            .findings
                            .iter()
                            .find(|finding| finding.id == "scanner-crashed");
                        assert!(crash.is_none(), "{place}: {crash:?}");
                        assert!(
                            report.complete || report.score > 0,
                            "{place}: incomplete and silent"
                        );
                    }
                }
            };
            builder.spawn_scoped(scope, run).unwrap();
        }
    });
    println!("{} files, {rounds} rounds each", files.len());
}
