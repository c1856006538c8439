//! Damaged real documents: what comes out of disarming one is never worse than what went in, and what cannot be done is
//! refused with a word.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sekisho::engine::{Engine, Worker};
use sekisho::limits::Limits;
use sekisho::rewrite::disarm::Refusal;

use crate::bench::{Dice, engine_within, scan};
use crate::corpus;
use crate::disarm::disarm;
use crate::mutate::{files_below, mutate, number};

/// Larger files only slow the rounds down.
const LARGEST: u64 = 400_000;

fn files() -> Vec<PathBuf> {
    let Some(folder) = corpus::folder() else {
        return Vec::new();
    };
    let folders = ["office", "pdf", "mail/msg"];
    let folders = folders.iter().map(|name| folder.join(name)).collect();
    files_below(folders, LARGEST)
}

/// What came of one damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Nothing,
    Disarmed,
    Refused,
}

/// Disarms damaged bytes; says what is wrong with the result.
fn check(engine: &Engine, worker: &mut Worker<'_>, name: &str, data: &[u8]) -> Result<End, String> {
    let (before, made) = disarm(engine, worker, name, data);
    let made = match made {
        None => return Ok(End::Nothing),
        Some(Ok(proven)) => proven.made,
        Some(Err(Refusal::Broken(why))) if why.is_empty() => {
            return Err("refused without a word".to_owned());
        }
        Some(Err(_)) => return Ok(End::Refused),
    };
    let after = scan(worker, name, made.data.to_vec());
    if after.score > before.score {
        return Err(format!("score {} became {}", before.score, after.score));
    }
    if before.complete && !after.complete {
        return Err("no longer read whole".to_owned());
    }
    let crash = after
        .findings
        .iter()
        .find(|one| one.id == "scanner-crashed");
    if crash.is_some() {
        return Err(format!("{crash:?}"));
    }
    let removed = made.deeds.iter().flat_map(|deed| &deed.removed);
    for removed in removed {
        if after.findings.iter().any(|one| one.id == removed.finding) {
            return Err(format!("{} is still there", removed.finding));
        }
    }
    match disarm(engine, worker, name, &made.data).1 {
        Some(Ok(again)) if again.made.data != made.data => Err("changes again".to_owned()),
        _ => Ok(End::Disarmed),
    }
}

#[test]
fn damaged_real_documents_never_come_out_worse() {
    let full = std::env::var_os("SEKISHO_TEST_FULL").is_some();
    let wanted = number("SEKISHO_FUZZ_ROUNDS").unwrap_or(if full { 2000 } else { 24 });
    let seed = number("SEKISHO_FUZZ_SEED").unwrap_or(0);
    let limits = Limits {
        timeout: Duration::from_secs(10),
        max_unpacked: 64 << 20,
        max_artifacts: 2000,
        ..Limits::default()
    };
    let engine = engine_within(limits);
    let files = files();
    if files.is_empty() {
        return;
    }
    let mut worker = Worker::new(&engine);
    let mut active = Vec::new();
    // A scan of every file only to know which are active takes longer than a sample.
    for path in files.into_iter().step_by(if full { 1 } else { 4 }) {
        let data = std::fs::read(&path).unwrap();
        if disarm(&engine, &mut worker, &named(&path), &data)
            .1
            .is_some()
        {
            active.push((path, data));
        }
    }
    let least = if full { 60 } else { 10 };
    assert!(active.len() >= least, "only {} active files", active.len());
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let told: Vec<(Vec<String>, [usize; 3])> = std::thread::scope(|scope| {
        let run = || {
            let mut worker = Worker::new(&engine);
            let (mut wrong, mut ends) = (Vec::new(), [0; 3]);
            loop {
                let round = next.fetch_add(1, Ordering::Relaxed);
                if round >= wanted {
                    return (wrong, ends);
                }
                let mut dice = Dice::new(u64::try_from(round + seed * 1_000_000).unwrap() + 3);
                // Every file in turn; a sample takes them at wide steps.
                let at = (round * 7919) % active.len();
                let (path, data) = &active[at];
                let other = &active[dice.below(active.len())].1;
                let mut damaged = data.clone();
                for _ in 0..=dice.below(3) {
                    mutate(&mut damaged, other, &mut dice);
                }
                match check(&engine, &mut worker, &named(path), &damaged) {
                    Ok(end) => ends[end as usize] += 1,
                    Err(what) => wrong.push(format!("{} round {round}: {what}", path.display())),
                }
            }
        };
        let start = |_| {
            let builder = std::thread::Builder::new().stack_size(16 << 20);
            builder.spawn_scoped(scope, run).unwrap()
        };
        let running: Vec<_> = (0..threads).map(start).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let wrong: Vec<String> = told.iter().flat_map(|(wrong, _)| wrong.clone()).collect();
    let count = |end: End| {
        told.iter()
            .map(|(_, ends)| ends[end as usize])
            .sum::<usize>()
    };
    println!(
        "{} files, {} damaged copies: {} disarmed, {} refused, {} with nothing to take out or not read whole",
        active.len(),
        wanted,
        count(End::Disarmed),
        count(End::Refused),
        count(End::Nothing)
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count(End::Disarmed) > wanted / 20);
}

fn named(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
