//! Throughput of the engine with the embedded rules, each container at three sizes: time must grow linearly.
//!
//! `cargo bench` runs all; `cargo bench -- zip` those of one name.
#![allow(
    clippy::print_stdout,
    missing_docs,
    dead_code,
    clippy::unwrap_used,
    reason = "a bench prints, reports by panicking and uses some of the builders"
)]

use std::time::{Duration, Instant};

use cpu_time::ThreadTime;

use sekisho::engine::{Context, Engine, Input, Worker};
use sekisho::knowledge::Knowledge;
use sekisho::limits::Limits;
use sekisho::model::Name;
use sekisho::rules::{Rules, Strictness, embedded};
use sekisho::score::Thresholds;

#[path = "../tests/integration/build.rs"]
mod build;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One thing to measure: its name, the sizes, and the input of a size with the bytes that its rate is of.
type Bench = (
    &'static str,
    &'static [usize],
    fn(usize) -> (&'static str, Vec<u8>, usize),
);

const BENCHES: &[Bench] = &[
    ("mail", &[30_000, 300_000, 3_000_000, 30_000_000], mail),
    ("letter", &[30_000, 300_000], letter),
    (
        "zip-unpacked",
        &[100_000, 1_000_000, 10_000_000, 100_000_000],
        zip_unpacked,
    ),
    ("zip-members", &[10, 100, 1_000, 10_000], zip_members),
    ("ole-bytes", &[100_000, 1_000_000, 10_000_000], ole_bytes),
    ("ole-streams", &[10, 100, 1_000], ole_streams),
    ("vba", &[10_000, 100_000, 1_000_000], vba),
    ("plain", &[1_000_000, 10_000_000, 100_000_000], plain),
];

fn main() {
    // Cargo passes flags of its own.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .collect();
    // `cargo test --benches` only asks whether they run.
    let quick = !std::env::args().any(|word| word == "--bench");
    let engine = engine();
    let mut worker = Worker::new(&engine);
    println!(
        "{:14} {:>11} {:>12} {:>10} {:>7}",
        "bench", "size", "median", "MB/s", "ratio"
    );
    for (name, sizes, make) in BENCHES {
        if !wanted.is_empty() && !wanted.iter().any(|word| name.contains(word.as_str())) {
            continue;
        }
        let mut before: Option<Duration> = None;
        for size in sizes.iter().take(if quick { 1 } else { sizes.len() }) {
            let (file, data, counted) = make(*size);
            let took = median(&mut worker, file, data);
            let rate = counted as f64 / 1e6 / took.as_secs_f64();
            let ratio = before.map_or(String::new(), |before| {
                format!("{:.1}", took.as_secs_f64() / before.as_secs_f64())
            });
            println!("{name:14} {size:>11} {took:>12.1?} {rate:>10.0} {ratio:>7}");
            before = Some(took);
        }
    }
}

/// The median processor time of scanning `data`: at least three runs, more while they are short.
fn median(worker: &mut Worker<'_>, file: &str, data: Vec<u8>) -> Duration {
    let data = bytes::Bytes::from(data);
    let mut times = Vec::new();
    let started = Instant::now();
    while times.len() < 3 || (times.len() < 200 && started.elapsed() < Duration::from_millis(700)) {
        let input = Input {
            path: file.to_owned(),
            name: Some(Name::of(file)),
            data: data.clone(),
            facts: Vec::new(),
            context: Context::default(),
        };
        // What else runs on the machine counts as little as possible.
        let start = ThreadTime::now();
        let report = worker.scan(input);
        times.push(start.elapsed());
        assert!(report.complete, "{file}: {:?}", report.findings);
    }
    times.sort();
    times[times.len() / 2]
}

fn engine() -> Engine {
    Engine {
        rules: Rules::compile(embedded(), Strictness::Strict).unwrap(),
        knowledge: Knowledge::embedded().unwrap(),
        limits: Limits::default(),
        thresholds: Thresholds::default(),
    }
}

/// Text that compresses as business text does, Japanese and English.
fn prose(len: usize) -> String {
    let lines = [
        "お世話になっております。先日ご依頼いただきました見積書の件、ご確認のほどよろしくお願いいたします。\r\n",
        "Please find below the figures of the third quarter; the branch office reports a slight increase.\r\n",
        "会議は来週の火曜日、午後二時から第三会議室で行います。資料は前日までに共有フォルダーへお願いします。\r\n",
        "The delivery of the parts ordered on the 14th will be delayed by two days, as the carrier told us.\r\n",
    ];
    let mut out = String::with_capacity(len + 200);
    let mut number = 0_usize;
    while out.len() < len {
        out.push_str(lines[number % lines.len()]);
        out.push_str(&format!(
            "{number}: {}\r\n",
            number.wrapping_mul(2_654_435_761) % 99_991
        ));
        number += 1;
    }
    out
}

fn mail(len: usize) -> (&'static str, Vec<u8>, usize) {
    let body = prose(len / 4);
    let headers = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit";
    let attached = "Content-Type: text/csv; name=\"data.csv\"\nContent-Transfer-Encoding: base64";
    let mail = build::mail(
        "report",
        &[
            build::Part {
                headers,
                body: body.into_bytes(),
            },
            build::attachment(attached, prose(len / 2).as_bytes()),
        ],
    );
    let len = mail.len();
    ("mail.eml", mail, len)
}

/// A mail that is text alone, Japanese and English.
fn letter(len: usize) -> (&'static str, Vec<u8>, usize) {
    let headers = "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit";
    let body = prose(len).into_bytes();
    let mail = build::mail("letter", &[build::Part { headers, body }]);
    let len = mail.len();
    ("letter.eml", mail, len)
}

fn zip_unpacked(len: usize) -> (&'static str, Vec<u8>, usize) {
    let text = prose(len / 4);
    let members: Vec<String> = (0..4).map(|number| format!("{number}{text}")).collect();
    let names: Vec<String> = (0..4).map(|number| format!("report{number}.txt")).collect();
    let listed: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip(members.iter().map(String::as_bytes))
        .collect();
    ("reports.zip", build::zip(&listed), len)
}

fn zip_members(count: usize) -> (&'static str, Vec<u8>, usize) {
    let names: Vec<String> = (0..count)
        .map(|number| format!("folder/file{number}.txt"))
        .collect();
    let texts: Vec<String> = (0..count)
        .map(|number| format!("line {number}\r\n").repeat(20))
        .collect();
    let listed: Vec<(&str, &[u8])> = names
        .iter()
        .map(String::as_str)
        .zip(texts.iter().map(String::as_bytes))
        .collect();
    let data = build::zip(&listed);
    let len = data.len();
    ("many.zip", data, len)
}

fn ole_bytes(len: usize) -> (&'static str, Vec<u8>, usize) {
    let data = build::compound(&[
        ("Figures".to_owned(), prose(len / 2).into_bytes()),
        ("Notes".to_owned(), prose(len / 2).into_bytes()),
    ]);
    ("large.ole", data, len)
}

fn ole_streams(count: usize) -> (&'static str, Vec<u8>, usize) {
    let streams: Vec<(String, Vec<u8>)> = (0..count)
        .map(|number| {
            (
                format!("Stream{number}"),
                format!("line {number}\r\n").repeat(30).into_bytes(),
            )
        })
        .collect();
    let data = build::compound(&streams);
    let len = data.len();
    ("many.ole", data, len)
}

fn vba(len: usize) -> (&'static str, Vec<u8>, usize) {
    let mut code = String::new();
    let mut number = 0;
    while code.len() < len {
        code.push_str(&format!(
            "Public Sub Step{number}()\n    Dim total As Long\n    total = total + Cells({number}, 2).Value ' adds up\n    \
             Range(\"A\" & {number}).Value = \"Sum: \" & total\nEnd Sub\n"
        ));
        number += 1;
    }
    let data = build::docm("text", &[("Module1", build::module("Module1", &code))]);
    ("macro.docm", data, len)
}

fn plain(len: usize) -> (&'static str, Vec<u8>, usize) {
    ("plain.txt", prose(len).into_bytes(), len)
}
