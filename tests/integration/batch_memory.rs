//! What was seen of an attachment before is used again only where nothing else matters: every report is the same as
//! without a memory.

use std::sync::Arc;

use sekisho::engine::{Engine, Input, Memory, Worker};
use sekisho::rules::{RuleSource, Rules, Strictness, embedded};

use crate::batch_run::rows;
use crate::bench::engine;
use crate::build::{Part, attachment, docm, mail, module, program, zip};
use crate::fixtures::{self, locked};
use crate::support::Folder;

fn part(name: &str, data: &[u8]) -> Part<'static> {
    let headers = format!(
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\
         Content-Disposition: attachment; filename=\"{name}\""
    );
    attachment(String::leak(headers), data)
}

fn text(body: &str) -> Part<'static> {
    Part {
        headers: "Content-Type: text/plain; charset=utf-8",
        body: body.as_bytes().to_vec(),
    }
}

/// A report but for the time that it took.
fn report(worker: &mut Worker<'_>, path: &str, data: &[u8]) -> serde_json::Value {
    let report = worker.scan(Input {
        path: path.to_owned(),
        data: data.to_vec().into(),
        ..Input::default()
    });
    let mut report = serde_json::to_value(&report).unwrap();
    report.as_object_mut().unwrap().remove("elapsed_us");
    report
}

/// Every mail gives the same report with a memory as without, in the given order and then once more.
fn same(engine: &Engine, mails: &[Vec<u8>]) {
    let memory = Arc::new(Memory::new(64 << 20));
    let mut plain = Worker::new(engine);
    let mut remembering = Worker::new(engine).with_memory(memory);
    let plain: Vec<_> = mails
        .iter()
        .map(|data| report(&mut plain, "box#1", data))
        .collect();
    for round in 0..2 {
        for (data, plain) in mails.iter().zip(&plain) {
            let again = report(&mut remembering, "box#1", data);
            assert!(again == *plain, "round {round}\n{plain:#}\n---\n{again:#}");
        }
    }
}

fn on_a_scan_stack(run: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(16 << 20);
        thread.spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

#[test]
fn every_fixture_in_two_mails_gives_the_reports_that_it_gives_without_a_memory() {
    let engine = engine();
    on_a_scan_stack(|| {
        for (path, data) in fixtures::all() {
            let name = path.rsplit('/').next().unwrap();
            // With other bytes around them, so that only the attachment is equal; and once under another name.
            let mails = [
                mail("one", &[text("the first of them"), part(name, &data)]),
                mail(
                    "two",
                    &[
                        text("another one"),
                        part(name, &data),
                        part("more.txt", b"more"),
                    ],
                ),
                mail("three", &[part("renamed.dat", &data), part(name, &data)]),
            ];
            same(&engine, &mails);
        }
    });
}

#[test]
fn what_depends_on_the_mail_around_is_looked_at_each_time() {
    let engine = engine();
    let locked = locked::archive("kumo-2026");
    let whole = zip(&[("tool.exe", &program())]);
    let (first, second) = whole.split_at(whole.len() / 2);
    let inner = mail("inner", &[part("a.zip", &locked)]);
    let mails = [
        // Without the password, with it, and in a forwarded mail below it.
        mail("none", &[text("see attachment"), part("a.zip", &locked)]),
        mail(
            "word",
            &[text("Password: kumo-2026"), part("a.zip", &locked)],
        ),
        mail(
            "word",
            &[text("password is kumo-2026"), part("mail.eml", &inner)],
        ),
        mail("none", &[text("nothing"), part("mail.eml", &inner)]),
        // A volume alone, and with the other one beside it.
        mail("alone", &[part("b.zip.001", first)]),
        mail(
            "both",
            &[part("b.zip.001", first), part("b.zip.002", second)],
        ),
        mail(
            "both",
            &[part("b.zip.002", second), part("b.zip.001", first)],
        ),
        // Twice in one mail, under names that hide what it is.
        mail(
            "twice",
            &[part("c.exe", &program()), part("c.pdf", &program())],
        ),
        mail(
            "twice",
            &[part("c.pdf", &program()), part("c.pdf.exe", &program())],
        ),
    ];
    on_a_scan_stack(|| same(&engine, &mails));
}

#[test]
fn a_rule_that_asks_for_the_path_is_asked_for_each() {
    let text = "rule in_box { condition: filepath contains \"outer\" and kind == \"docm\" }";
    let rules = embedded().chain([RuleSource {
        origin: "own.yar".to_owned(),
        text: text.to_owned(),
    }]);
    let engine = Engine {
        rules: Rules::compile(rules, Strictness::Strict).unwrap(),
        ..engine()
    };
    let macros = [(
        "M",
        module("M", "Sub AutoOpen()\nShell \"calc\"\nEnd Sub\n"),
    )];
    let document = docm("x", &macros);
    let inside = |name: &str| {
        let inner = mail("inner", &[part("a.docm", &document)]);
        mail("forwarded", &[part(name, &inner)])
    };
    let mails = [
        inside("outer.eml"),
        inside("other.eml"),
        inside("outer.eml"),
    ];
    on_a_scan_stack(|| same(&engine, &mails));
}

#[test]
fn a_batch_that_remembers_has_the_rows_of_one_that_does_not() {
    let folder = Folder::new();
    let (tool, locked) = (
        zip(&[("tool.exe", &program())]),
        locked::archive("kumo-2026"),
    );
    let mut mailbox = Vec::new();
    for number in 0..200 {
        let word = if number % 3 == 0 {
            "Password: kumo-2026"
        } else {
            "none"
        };
        let mail = mail(
            &number.to_string(),
            &[
                text(&format!("{word}\n{number}\n")),
                part("tool.zip", &tool),
                part("locked.zip", &locked),
                part(&format!("{number}.zip"), &tool),
            ],
        );
        mailbox.extend(b"From a@b Mon Nov  2 09:30:00 2026\n");
        mailbox.extend(mail.iter().filter(|byte| **byte != b'\r'));
        mailbox.push(b'\n');
    }
    folder.file("box", &mailbox);
    let small = "--shard-size=40KiB";
    let all = folder.run(&["batch", "box", "-o", "again", small, "--scan-again"]);
    assert_eq!(all.code, 1, "{all:?}");
    let again = rows(&folder.path("again"));
    assert_eq!(again.len(), 200);
    assert_eq!(folder.run(&["batch", "box", "-o", "once", small]).code, 1);
    assert!(rows(&folder.path("once")) == again);
    for shard in ["1/2", "2/2"] {
        let run = folder.run(&["batch", "box", "-o", "shared", small, "--shard", shard]);
        assert_eq!(run.code, 1, "{run:?}");
    }
    let run = folder.run(&["batch", "--merge", "shared", "-o", "shared"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(rows(&folder.path("shared")) == again);
    // A batch goes on with or without a memory: its results do not depend on one.
    let run = folder.run(&[
        "batch",
        "box",
        "-o",
        "once",
        small,
        "--resume",
        "--scan-again",
    ]);
    assert_eq!(run.code, 1, "{run:?}");
}
