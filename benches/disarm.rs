//! Processor time of disarming files one by one beside that of scanning them: `cargo bench --bench disarm -- FOLDER…`.
//! Files with nothing to take out, or from which it cannot be taken, are left out.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a bench prints and reports by panicking"
)]

mod given;

use std::time::Duration;

use bytes::Bytes;

use sekisho::engine::Worker;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Files that are named: those whose disarming costs most of what their scan does.
const NAMED: usize = 30;

fn main() {
    let engine = given::engine();
    let mut worker = Worker::new(&engine);
    let mut all = Vec::new();
    for file in given::files() {
        let data = Bytes::from(std::fs::read(&file).unwrap());
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if let Some((scanned, disarmed)) = given::disarming(&mut worker, &engine, &name, &data) {
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
