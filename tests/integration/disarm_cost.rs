//! What disarming costs: scanning a file, disarming it and scanning the result take no more than three scans.

use std::time::{Duration, Instant};

use sekisho::engine::Worker;

use crate::bench::{engine, scan};
use crate::disarm::disarm;
use crate::mutate::fixtures;

/// The shortest of some runs.
fn shortest<T>(mut run: impl FnMut() -> T) -> Duration {
    let times = (0..3).map(|_| {
        let started = Instant::now();
        run();
        started.elapsed()
    });
    times.min().unwrap_or_default()
}

#[test]
fn disarming_costs_no_more_than_three_scans() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (mut scans, mut whole) = (Duration::ZERO, Duration::ZERO);
    let mut rows = Vec::new();
    for path in fixtures() {
        let name = path.display().to_string();
        let data = std::fs::read(&path).unwrap();
        if !matches!(disarm(&engine, &mut worker, &name, &data).1, Some(Ok(_))) {
            continue;
        }
        let scanned = shortest(|| scan(&mut worker, &name, data.clone()));
        let disarmed = shortest(|| disarm(&engine, &mut worker, &name, &data));
        scans += scanned;
        whole += disarmed;
        rows.push((
            disarmed.as_secs_f64() / scanned.as_secs_f64(),
            scanned,
            disarmed,
            name,
        ));
    }
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    println!(
        "{} files, {scans:?} to scan, {whole:?} to disarm",
        rows.len()
    );
    for (times, scanned, disarmed, name) in rows.iter().take(25) {
        println!("{times:.2} times: {scanned:?}, {disarmed:?}  {name}");
    }
    assert!(whole <= scans * 3, "{scans:?} to scan, {whole:?} to disarm");
    // The measure of a small file is that of what else the machine does.
    let slack = Duration::from_millis(50);
    let slow = rows
        .iter()
        .find(|(_, scanned, disarmed, _)| *disarmed > *scanned * 4 + slack);
    assert!(slow.is_none(), "{slow:?}");
}
