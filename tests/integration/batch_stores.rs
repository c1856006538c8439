//! Outlook's stores of every form, made here and read by `readpst` too: every message once, with what it carries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use sekisho::engine::{Engine, Worker};
use sekisho::limits::Limits;
use sekisho::model::{Finding, Report};
use sha2::{Digest, Sha256};

use crate::batch_run::rows;
use crate::bench::{Dice, engine, engine_within, scan};
use crate::build::{program, zip};
use crate::build_pst::{Attached, Crypt, Form, Leaves, Letter, store};
use crate::support::Folder;

/// Every form with every way of obscuring.
const KINDS: [(Form, Crypt); 7] = [
    (Form::Unicode, Crypt::Plain),
    (Form::Unicode, Crypt::Permuted),
    (Form::Unicode, Crypt::Cyclic),
    (Form::Ansi, Crypt::Plain),
    (Form::Ansi, Crypt::Permuted),
    (Form::Large, Crypt::Plain),
    (Form::Large, Crypt::Permuted),
];

fn hash(data: &[u8]) -> String {
    Sha256::digest(data)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn noise(dice: &mut Dice, len: usize) -> Vec<u8> {
    (0..len).map(|_| dice.roll().to_le_bytes()[0]).collect()
}

/// Messages by their subjects, with the hashes of the files that they carry, at any depth.
type Expected = BTreeMap<String, BTreeSet<String>>;

fn carried(letter: &Letter, into: &mut BTreeSet<String>) {
    for attached in &letter.attached {
        match attached {
            Attached::File(_, data) => drop(into.insert(hash(data))),
            Attached::Letter(inner) => carried(inner, into),
        }
    }
}

fn letters(form: Form) -> Vec<Letter> {
    let mut dice = Dice::new(11);
    let number = |at: usize, dice: &mut Dice| {
        let mut letter = Letter {
            subject: format!(
                "第{at}号 見積書のご送付について{}",
                "とても長い件名".repeat(at % 9 * 5)
            ),
            body: format!("本文 {at}\r\n").repeat(1 + at * at * 3),
            cp932: form == Form::Ansi || at % 4 == 3,
            ..Letter::default()
        };
        // From what fits into a heap to what needs blocks of blocks.
        let sizes: &[usize] = match at % 5 {
            0 => &[],
            1 => &[40],
            2 => &[700, 800, 9000],
            3 => &[60_000],
            _ => &[300_000, 1],
        };
        for size in sizes {
            letter
                .attached
                .push(Attached::File("添付.bin", noise(dice, *size)));
        }
        letter
    };
    let mut all: Vec<Letter> = (0..30).map(|at| number(at, &mut dice)).collect();
    let inner = Letter {
        attached: vec![
            Attached::Letter(Box::new(all[2].clone())),
            Attached::File("in.txt", b"inner file".to_vec()),
        ],
        ..all[3].clone()
    };
    all[10].attached.push(Attached::Letter(Box::new(inner)));
    // More than a block of rows, and than a leaf of subnodes.
    all[11].more = 1000;
    all[12].attached = (0..40)
        .map(|at| Attached::File("many.bin", noise(&mut dice, 50 + at)))
        .collect();
    all
}

fn expected(letters: &[Letter]) -> Expected {
    let pairs = letters.iter().map(|letter| {
        let mut hashes = BTreeSet::new();
        carried(letter, &mut hashes);
        (letter.subject.clone(), hashes)
    });
    pairs.collect()
}

#[test]
fn stores_of_every_form_are_read_whole() {
    for (form, crypt) in KINDS {
        let (folder, letters) = (Folder::new(), letters(form));
        let (first, second) = letters.split_at(17);
        let data = store(
            form,
            crypt,
            Leaves::Small,
            &[("受信トレイ", first), ("Archive", second)],
        );
        folder.file("mail.pst", &data);
        let run = folder.run(&["batch", "mail.pst", "-o", "out"]);
        let errors = std::fs::read_to_string(folder.path("out/errors.ndjson")).unwrap();
        assert!(run.code < 2, "{form:?} {crypt:?}: {run:?} {errors}");
        let reports = rows(&folder.path("out"));
        assert_eq!(reports.len(), letters.len(), "{form:?} {crypt:?}");
        assert!(reports.contains_key("mail.pst:/受信トレイ#17"));
        assert!(reports.contains_key("mail.pst:/Archive#13"));
        let expected = expected(&letters);
        for (path, report) in &reports {
            let report: serde_json::Value = serde_json::from_str(report).unwrap();
            let artifacts = report["artifacts"].as_array().unwrap();
            let mail = &artifacts[0]["mail"];
            let subject = mail["subject"].as_str().unwrap();
            let found: BTreeSet<String> = artifacts
                .iter()
                .map(|one| one["sha256"].as_str().unwrap().to_owned())
                .collect();
            let wanted = expected.get(subject);
            let wanted = wanted.unwrap_or_else(|| panic!("{form:?} {crypt:?} {path}: {subject}"));
            assert!(wanted.is_subset(&found), "{form:?} {crypt:?} {path}");
            assert_eq!(mail["from"], "taro@branch.example");
            assert_eq!(mail["date"], "2026-11-02T00:30:00Z");
            let to = mail["to"].as_array().unwrap().len();
            assert_eq!(
                to,
                if subject.starts_with("第11号") {
                    100
                } else {
                    1
                }
            );
        }
    }
}

/// The files that `readpst` takes out of a store, and how many messages.
fn of_readpst(folder: &Folder) -> (usize, BTreeSet<String>) {
    let output = folder.path("read");
    std::fs::create_dir_all(&output).unwrap();
    let run = Command::new("readpst")
        // Jobs beside each other lose files.
        .args(["-j", "0", "-S", "-q", "-o"])
        .args([&output, &folder.path("mail.pst")])
        .output()
        .unwrap();
    assert!(run.status.success(), "{run:?}");
    let (mut messages, mut hashes, mut todo) = (0, BTreeSet::new(), vec![output]);
    while let Some(at) = todo.pop() {
        for entry in std::fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                todo.push(path);
            } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
                messages += 1;
            } else {
                hashes.insert(hash(&std::fs::read(&path).unwrap()));
            }
        }
    }
    (messages, hashes)
}

#[test]
fn readpst_finds_the_same_messages_and_files() {
    if !Path::new("/usr/bin/readpst").exists() {
        eprintln!("skipped: readpst is not installed");
        return;
    }
    for (form, crypt) in KINDS {
        let (folder, mut letters) = (Folder::new(), letters(form));
        letters[11].more = 300;
        folder.file(
            "mail.pst",
            store(form, crypt, Leaves::Whole, &[("Inbox", &letters)]),
        );
        let (messages, found) = of_readpst(&folder);
        assert_eq!(messages, letters.len(), "{form:?} {crypt:?}");
        // It writes messages within messages as mails: what those carry stands in them.
        let own = letters.iter().flat_map(|letter| &letter.attached);
        let files: BTreeSet<String> = own
            .filter_map(|attached| match attached {
                Attached::File(_, data) => Some(hash(data)),
                Attached::Letter(_) => None,
            })
            .collect();
        let missing = files.difference(&found).count();
        assert_eq!(missing, 0, "{form:?} {crypt:?}: of {}", files.len());
    }
}

/// Scans with the stack that scans get in the product.
fn scanned(engine: &Engine, name: &str, data: &[u8]) -> Report {
    std::thread::scope(|scope| {
        let run = || scan(&mut Worker::new(engine), name, data.to_vec());
        let thread = std::thread::Builder::new().stack_size(16 << 20);
        thread.spawn_scoped(scope, run).unwrap().join().unwrap()
    })
}

#[test]
fn a_store_in_an_archive_is_opened_like_the_archive() {
    let engine = engine();
    let mut letters = letters(Form::Unicode);
    letters[0]
        .attached
        .push(Attached::File("tool.exe", program()));
    let data = store(
        Form::Unicode,
        Crypt::Permuted,
        Leaves::Small,
        &[("Inbox", &letters)],
    );
    for (name, data) in [
        ("mail.pst", data.clone()),
        ("mail.zip", zip(&[("mail.pst", &data)])),
    ] {
        let report = scanned(&engine, name, &data);
        let found = |hash: &str| report.artifacts.iter().any(|one| one.sha256_hex() == hash);
        for (subject, hashes) in expected(&letters) {
            assert!(hashes.iter().all(|hash| found(hash)), "{name}: {subject}");
        }
        let ids: Vec<&str> = report.findings.iter().map(|finding| &*finding.id).collect();
        assert!(ids.contains(&"executable"), "{name}: {ids:?}");
        assert!(report.complete, "{name}: {ids:?}");
    }
    // A limit is said.
    let small = engine_within(Limits {
        max_artifacts: 20,
        ..Limits::default()
    });
    assert!(!scanned(&small, "mail.pst", &data).complete);
}

#[test]
fn damaged_stores_end_in_time_and_are_never_taken_for_whole() {
    let engine = engine_within(Limits {
        timeout: Duration::from_secs(20),
        ..Limits::default()
    });
    let letters = &letters(Form::Unicode)[..8];
    let mut dice = Dice::new(5);
    for (form, crypt) in KINDS {
        let whole = store(form, crypt, Leaves::Small, &[("Inbox", letters)]);
        for round in 0..8 {
            let mut data = whole.clone();
            for _ in 0..=round * 3 {
                // Mostly in the trees at the end.
                let from = if round % 2 == 0 {
                    0
                } else {
                    data.len() - data.len() / 20
                };
                let at = from + dice.below(data.len() - from);
                data[at] = dice.roll().to_le_bytes()[0];
            }
            let report = scanned(&engine, "mail.pst", &data);
            let crashed = |finding: &Finding| finding.id == "scanner-crashed";
            assert!(
                !report.findings.iter().any(crashed),
                "{form:?} {crypt:?} {round}"
            );
        }
        // What is cut off is missed.
        let report = scanned(&engine, "mail.pst", &whole[..whole.len() / 2]);
        assert!(!report.complete, "{form:?} {crypt:?}");
    }
}
