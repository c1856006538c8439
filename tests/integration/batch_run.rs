//! The run of a batch: memory, kills, interrupts, changes of what it depends on, several processes.
//!
//! The mailbox is 200 MB, 5 GB with `SEKISHO_TEST_FULL=1`; `SEKISHO_TEST_MIB` gives another size, for slow builds.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::bench::Dice;
use crate::build_mailbox;
use crate::support::Folder;

const MIB: u64 = 1 << 20;

/// Memory that a batch may have, whatever its sources' size.
const MOST: u64 = 400 * MIB;

fn size() -> u64 {
    let given = std::env::var("SEKISHO_TEST_MIB").ok();
    let full = std::env::var_os("SEKISHO_TEST_FULL").is_some();
    let default = if full { 5 * 1024 } else { 200 };
    given.map_or(default, |given| given.parse().unwrap()) * MIB
}

fn spawn(folder: &Folder, arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_sekisho"))
        .args(arguments)
        .current_dir(folder.path(""))
        .env_remove("SEKISHO_CONFIG")
        .env("LANG", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The highest memory of a process until now, in bytes.
fn memory(child: &Child) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

/// The reports of a batch by their messages, without the time that they took. Each message stands there once.
pub(crate) fn rows(output: &Path) -> BTreeMap<String, String> {
    let file = std::fs::File::open(output.join("report.ndjson.zst")).unwrap();
    let mut rows = BTreeMap::new();
    let lines = std::io::BufReader::new(zstd::Decoder::new(file).unwrap());
    for line in std::io::BufRead::lines(lines) {
        let mut report: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        report.as_object_mut().unwrap().remove("elapsed_us");
        let path = report["path"].as_str().unwrap().to_owned();
        let doubled = rows.insert(path, report.to_string());
        assert_eq!(doubled, None);
    }
    rows
}

/// The references of the rows in the Parquet files.
fn references(output: &Path) -> Vec<String> {
    use parquet::record::RowAccessor as _;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(output.join("messages")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.extension().unwrap(), "parquet", "{}", path.display());
        let file = std::fs::File::open(path).unwrap();
        let reader = parquet::file::reader::SerializedFileReader::new(file).unwrap();
        for row in reader {
            found.push(row.unwrap().get_string(0).unwrap().clone());
        }
    }
    found.sort();
    found
}

#[test]
fn a_batch_of_any_size_has_little_memory_and_survives_being_killed() {
    let folder = Folder::new();
    let messages = build_mailbox::write(&folder.path("box"), 7, size());
    let shard = (size() / 40 / 1024).max(1).to_string() + "KiB";
    let arguments = ["batch", "box", "-o", "whole", "--shard-size", &shard];
    let (started, mut most) = (Instant::now(), 0);
    let mut child = spawn(&folder, &arguments);
    while child.try_wait().unwrap().is_none() {
        most = most.max(memory(&child).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = started.elapsed();
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{told}");
    println!(
        "{messages} messages, {} MiB in {took:?}, peak {} MiB",
        size() / MIB,
        most / MIB
    );
    assert!(most < MOST, "peak {} MiB", most / MIB);
    assert!(
        told.starts_with(&format!("{messages} messages: ")),
        "{told}"
    );
    let whole = rows(&folder.path("whole"));
    assert_eq!(whole.len() as u64, messages);

    let mut dice = Dice::new(20);
    let mut killed = 0;
    for round in 0..10 {
        let mut arguments = vec!["batch", "box", "-o", "killed", "--shard-size", &shard];
        // A run that is killed before it wrote its plan has begun nothing.
        if folder.path("killed/plan.json").exists() {
            arguments.push("--resume");
        }
        let mut child = spawn(&folder, &arguments);
        let longest = usize::try_from(took.as_millis()).unwrap() / 6 + 50;
        std::thread::sleep(Duration::from_millis(dice.below(longest) as u64));
        killed += u32::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        assert_ne!(ended.status.code(), Some(2), "round {round}: {ended:?}");
    }
    assert!(killed >= 5, "killed {killed} times");
    let run = folder.run(&[
        "batch",
        "box",
        "-o",
        "killed",
        "--shard-size",
        &shard,
        "--resume",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stdout.starts_with(&format!("{messages} messages: ")),
        "{run:?}"
    );
    let resumed = rows(&folder.path("killed"));
    assert!(
        whole == resumed,
        "the rows of a batch that was killed differ"
    );
    let names: Vec<String> = whole.into_keys().collect();
    assert_eq!(references(&folder.path("killed")), names);
    assert_eq!(references(&folder.path("whole")), names);
}

/// A small mailbox in shards that are smaller.
fn small(folder: &Folder) -> u64 {
    build_mailbox::write(&folder.path("box"), 3, 2 * MIB)
}

const SMALL: &str = "--shard-size=200KiB";

#[test]
fn an_interrupt_stops_a_batch_and_it_can_be_gone_on_with() {
    let folder = Folder::new();
    let messages = build_mailbox::write(&folder.path("box"), 4, 24 * MIB);
    let arguments = ["batch", "box", "-o", "out", "-j1", SMALL];
    let child = spawn(&folder, &arguments);
    // Interrupted once it is at work: the first shard is done.
    let parts = folder.path("out/messages/000000.parquet");
    while !parts.exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(
        told.contains("stopped: ") && told.contains("--resume"),
        "{told}"
    );
    assert!(!folder.path("out/summary.html").exists());
    // No half shard is left.
    let left = std::fs::read_dir(folder.path("out/messages")).unwrap();
    for entry in left {
        let path = entry.unwrap().path();
        assert_eq!(path.extension().unwrap(), "parquet", "{}", path.display());
    }
    let run = folder.run(&["batch", "box", "-o", "out", SMALL]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("a batch is there already"), "{run:?}");
    let run = folder.run(&["batch", "box", "-o", "out", SMALL, "--resume"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert_eq!(rows(&folder.path("out")).len() as u64, messages);
    // Nothing is left to do.
    let again = folder.run(&["batch", "box", "-o", "out", SMALL, "--resume"]);
    assert_eq!(again.code, 1, "{again:?}");
    assert!(
        again.stdout.starts_with(&format!("{messages} messages: ")),
        "{again:?}"
    );
}

#[test]
fn changes_since_a_batch_was_begun_are_told() {
    let folder = Folder::new();
    small(&folder);
    folder.file("rule.yar", "rule a { condition: false }");
    let begin = ["batch", "box", "-o", "out", SMALL, "--rules", "rule.yar"];
    assert_eq!(folder.run(&begin).code, 1);
    let resume: Vec<&str> = begin.iter().copied().chain(["--resume"]).collect();
    assert_eq!(folder.run(&resume).code, 1);
    let told = |arguments: &[&str], what: &str| {
        let run = folder.run(arguments);
        assert_eq!(run.code, 2, "{run:?}");
        assert!(
            run.stderr.contains(what) && run.stderr.contains("hint: "),
            "{what}: {run:?}"
        );
    };
    told(
        &["batch", "box", "-o", "out", SMALL, "--resume"],
        "the rules have changed",
    );
    let other: Vec<&str> = resume.iter().copied().chain(["--max-depth", "3"]).collect();
    told(&other, "the setting max-depth has changed");
    let other: Vec<&str> = resume
        .iter()
        .copied()
        .filter(|word| *word != SMALL)
        .collect();
    told(&other, "the size of shards was 204800");
    folder.file("rule.yar", "rule b { condition: false }");
    told(&resume, "the rules have changed");
    folder.file("rule.yar", "rule a { condition: false }");
    let mut mailbox = std::fs::read(folder.path("box")).unwrap();
    mailbox.extend(b"From a 10:00\nSubject: more\n\n");
    folder.file("box", &mailbox);
    told(&resume, "the source box has changed");
    std::fs::remove_file(folder.path("box")).unwrap();
    told(&resume, "box: ");
    told(
        &["batch", "rule.yar", "-o", "new", "--resume"],
        "no batch is there",
    );
}

#[test]
fn shards_done_apart_are_those_of_one_run() {
    let folder = Folder::new();
    small(&folder);
    assert_eq!(folder.run(&["batch", "box", "-o", "whole", SMALL]).code, 1);
    let whole = rows(&folder.path("whole"));
    let part = |shard: &str, output: &str| {
        let run = folder.run(&["batch", "box", "-o", output, SMALL, "--shard", shard, "-q"]);
        assert!(run.code < 2, "{run:?}");
    };
    // Into folders of their own.
    part("1/3", "one");
    part("2/3", "two");
    let run = folder.run(&["batch", "--merge", "one", "two", "-o", "merged"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("shards are not done: 2"), "{run:?}");
    part("3/3", "three");
    let run = folder.run(&["batch", "--merge", "one", "two", "three", "-o", "merged"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(rows(&folder.path("merged")) == whole);
    // Of more shares than there are shards some have none.
    part("10000/10000", "none");
    let run = folder.run(&[
        "batch", "--merge", "one", "none", "two", "three", "-o", "more",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(rows(&folder.path("more")) == whole);
    // Into one folder, one by a list.
    part("1/2", "shared");
    let odd: Vec<String> = (1..200).step_by(2).map(|n| n.to_string()).collect();
    part(&odd.join(","), "shared");
    let run = folder.run(&["batch", "--merge", "shared", "-o", "shared"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(rows(&folder.path("shared")) == whole);
    // Of another plan.
    let run = folder.run(&["batch", "box", "-o", "shared", "--shard", "1/2"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.contains("the size of shards was"), "{run:?}");
}

/// What a program shows on a terminal; `None` where no terminal can be made.
fn on_a_terminal(folder: &Folder, command: &str) -> Option<String> {
    let run = Command::new("script")
        .args(["-qec", command, "/dev/null"])
        .current_dir(folder.path(""))
        .env_remove("SEKISHO_CONFIG")
        .env("LANG", "C")
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&run.stdout).into_owned())
}

#[test]
fn a_terminal_gets_a_bar_with_rate_and_time_left_and_a_pipe_gets_neither() {
    let folder = Folder::new();
    let messages = build_mailbox::write(&folder.path("box"), 3, 2 * MIB);
    let program = env!("CARGO_BIN_EXE_sekisho");
    let Some(shown) = on_a_terminal(&folder, &format!("{program} batch box -o seen")) else {
        println!("skipped: no script(1) to make a terminal with");
        return;
    };
    let has = |text: &str| shown.contains(text);
    // Of 2 MiB, so much a second, so long still.
    assert!(
        has("[") && has(" of 2.") && has("/s, ") && has(" left, "),
        "{shown}"
    );
    assert!(has(&format!("{messages} messages: ")), "{shown}");
    let quiet = on_a_terminal(&folder, &format!("{program} -q batch box -o quiet")).unwrap();
    assert!(!quiet.contains(" left"), "{quiet}");
    let run = folder.run(&["batch", "box", "-o", "piped"]);
    assert!(!run.stderr.contains(['\r', '\u{1b}']), "{run:?}");
}
