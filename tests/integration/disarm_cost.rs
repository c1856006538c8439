//! What disarming costs: scanning a file, disarming it and scanning the result take no more than three scans.

#[path = "../../benches/given/mod.rs"]
pub(crate) mod given;

use std::time::Duration;

use bytes::Bytes;
use sekisho::engine::Worker;

use crate::mutate::fixtures;

#[test]
fn disarming_costs_no_more_than_three_scans() {
    let engine = given::engine();
    let mut worker = Worker::new(&engine);
    let (mut scans, mut whole) = (Duration::ZERO, Duration::ZERO);
    let mut rows = Vec::new();
    for path in fixtures() {
        let name = path.display().to_string();
        let data = Bytes::from(std::fs::read(&path).unwrap());
        let Some((scanned, disarmed)) = given::disarming(&mut worker, &engine, &name, &data) else {
            continue;
        };
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
