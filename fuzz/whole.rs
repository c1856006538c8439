//! Targets that go over whole files: a scan, and what is made of its report.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use sekisho::engine::{Context, Engine, Input, Worker};
use sekisho::formats::mbox::Rest;
use sekisho::formats::pdf;
use sekisho::formats::volumes;
use sekisho::identify::identify;
use sekisho::knowledge::{Knowledge, Language};
use sekisho::limits::Account;
use sekisho::model::{Artifact, Name, Report, Severity};
use sekisho::report::{Detail, Format, Renderer};
use sekisho::rewrite::Notice;
use sekisho::rewrite::disarm::{
    DISARMERS, Job, Notices, Removed, Retype, Selection, Task, Turns, proven,
};
use sekisho::rules::{Rules, Strictness, embedded};
use sekisho::score::Thresholds;
use sekisho::source::{self, Pack, Portion};

use super::{budget, limits};

fn engine() -> &'static Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| {
        Arc::new(Engine {
            rules: Rules::compile(embedded(), Strictness::Strict).unwrap(),
            knowledge: Knowledge::embedded().unwrap(),
            limits: limits(),
            thresholds: Thresholds::default(),
        })
    })
}

/// A file cut into volumes: in order, with the second one missing, and from the last one.
pub(super) fn volumes_of_a_set(data: &[u8]) {
    drop(volumes::of(&String::from_utf8_lossy(data)));
    let cut =
        usize::from(data.last().copied().unwrap_or_default()).saturating_mul(data.len()) / 256;
    let (first, rest) = data.split_at(cut);
    let (second, third) = rest.split_at(rest.len() / 2);
    for names in [
        ["a.part1.rar", "a.part2.rar", "a.part3.rar"],
        ["a.7z.001", "a.7z.002", "a.7z.003"],
        ["a.zip", "a.z01", "a.z02"],
    ] {
        let parts = [first, second, third];
        let set: Vec<(Name, Bytes)> = names
            .into_iter()
            .zip(parts)
            .map(|(name, part)| (Name::of(name), Bytes::copy_from_slice(part)))
            .collect();
        for at in 0..set.len() {
            let mut beside = set.clone();
            let (name, bytes) = beside.remove(at);
            scan_beside(bytes, Some(name), beside);
        }
    }
}

pub(super) fn scan(data: &[u8]) {
    scan_beside(data.to_vec().into(), None, Vec::new());
}

fn scan_beside(data: Bytes, name: Option<Name>, beside: Vec<(Name, Bytes)>) -> Report {
    let input = Input {
        path: "fuzz".to_owned(),
        name,
        data,
        context: Context {
            beside,
            ..Context::default()
        },
        ..Input::default()
    };
    let report = Worker::new(engine()).scan(input);
    // The engine catches what its steps throw: here it must not be lost.
    let crash = report
        .findings
        .iter()
        .find(|finding| finding.id == "scanner-crashed");
    assert!(crash.is_none(), "{crash:?}");
    assert!(report.complete || report.score > 0, "incomplete and silent");
    report
}

/// What the program does with a file from which all has to go that can.
pub(super) fn disarm(data: &[u8]) {
    let mut scan = |data: &Bytes| scan_beside(data.clone(), None, Vec::new());
    let report = scan(&Bytes::copy_from_slice(data));
    let catalogue = &engine().knowledge.catalogue;
    let findings = Selection::usual().unwrap().of(&report, catalogue);
    if findings.is_empty() {
        return;
    }
    let notice = Notice::of_file(&report, catalogue);
    let text = |part: &Artifact, removed: &[Removed]| notice.text(part, removed);
    let line = |part: &Artifact| notice.line(part);
    for (notices, break_signatures) in [
        (Notices::From(Severity::Medium.score()), true),
        (Notices::Never, false),
    ] {
        let task = Task {
            notices,
            retype: Retype::Plain,
            break_signatures,
            ..Task::usual(&report, &findings, &text, &line)
        };
        if let Ok(proven) = proven(&task, &budget(), &mut scan) {
            assert!(proven.report.score <= report.score, "it got worse");
        }
    }
}

/// What the tables of a PDF lead to are the objects of their numbers.
pub(super) fn pdf_references(data: &[u8]) {
    let account = || Account::new(length(data));
    let Ok(mut read) = pdf::read(data, &budget()) else {
        return;
    };
    let opened = read.open_object_streams(1 << 20, &budget(), &mut account());
    let told = read.references(1 << 20, &budget(), &mut account());
    if let (Ok(()), Ok(Some(references))) = (opened, told) {
        for (number, place) in &references.places {
            assert_eq!(read.objects[*place].number, *number);
        }
    }
}

/// Every disarmer of what the bytes are; where there is none, each of them.
pub(super) fn disarmers(data: &[u8]) {
    let bytes = Bytes::copy_from_slice(data);
    let kind = identify(data, &budget()).kind;
    let known = DISARMERS.iter().any(|row| row.kinds.contains(&kind));
    for row in DISARMERS {
        let kind = match known {
            true => Some(kind).filter(|kind| row.kinds.contains(kind)),
            false => row.kinds.first().copied(),
        };
        let Some(kind) = kind else { continue };
        let job = Job {
            data: &bytes,
            kind,
            remove: &row.ids().map(Into::into).collect(),
            turns: Turns::All,
        };
        drop((row.run)(&job, &budget()));
    }
}

/// A report in everything that it is written in.
pub(super) fn report(data: &[u8]) {
    let report = scan_beside(data.to_vec().into(), Some(Name::of("a.bin")), Vec::new());
    for format in [
        Format::Text,
        Format::Json,
        Format::Ndjson,
        Format::Sarif,
        Format::Html,
    ] {
        for language in [Language::English, Language::Japanese] {
            let renderer = Renderer::new(Arc::clone(engine()), format, language);
            let text = renderer.detail(Detail::Whole).report(&report).unwrap();
            let control = |one: char| one.is_control() && !matches!(one, '\n' | '\t');
            assert!(
                !text.contains(control),
                "{format:?} with control characters"
            );
        }
    }
}

/// A mailbox, a store and an archive of mails, read as a batch does.
pub(super) fn sources(data: &[u8]) {
    let surveyed = source::survey(&mut &*data, 1000).unwrap();
    assert_eq!(surveyed.size, length(data));
    let file = Scratch::new(data);
    let mut portions = vec![Portion::Store(file.0.clone())];
    portions.extend(
        [Pack::Zip, Pack::Tar, Pack::TarGz].map(|pack| Portion::Archive(file.0.clone(), pack)),
    );
    portions.extend(
        surveyed
            .starts
            .iter()
            .take(100)
            .map(|start| Portion::Mailbox {
                path: file.0.clone(),
                start: *start,
                end: length(data),
                behind: Rest::Ends,
            }),
    );
    for portion in portions {
        let mut pieces = 0;
        let _ = source::read(&portion, 1 << 20, &mut |_| {
            pieces += 1;
            match pieces < 1000 {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        });
    }
}

fn length(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap()
}

/// A file of one thread, gone in the end.
struct Scratch(PathBuf);

impl Scratch {
    fn new(data: &[u8]) -> Self {
        let name = format!(
            "sekisho-fuzz-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        );
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, data).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
