//! What a batch reads: every source gives every message once, under a reference that stays, and what cannot be read is
//! told and stops nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::batch_run::rows;
use crate::build;
use crate::corpus;
use crate::support::Folder;

fn reports(output: &Path) -> BTreeMap<String, Value> {
    rows(output)
        .into_iter()
        .map(|(path, report)| (path, serde_json::from_str(&report).unwrap()))
        .collect()
}

fn errors(output: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(output.join("errors.ndjson")).unwrap();
    text.lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let of = |name: &str| line[name].as_str().unwrap().to_owned();
            (of("reference"), of("error"))
        })
        .collect()
}

fn hashes(report: &Value) -> BTreeSet<String> {
    let artifacts = report["artifacts"].as_array().unwrap().iter();
    artifacts
        .map(|one| one["sha256"].as_str().unwrap().to_owned())
        .collect()
}

fn letter(number: usize) -> Vec<u8> {
    let name = format!(
        "Content-Type: text/plain; name=\"{number}.txt\"\nContent-Transfer-Encoding: base64"
    );
    let data = format!("attachment {number}\n").repeat(20);
    build::mail(
        &number.to_string(),
        &[build::attachment(&name, data.as_bytes())],
    )
}

fn postmarked(letters: std::ops::Range<usize>) -> Vec<u8> {
    let one = |number| {
        let lines = letter(number)
            .into_iter()
            .filter(|byte| *byte != b'\r')
            .collect();
        [
            b"From a Mon Nov  2 09:30:00 2026\n".to_vec(),
            lines,
            b"\n".to_vec(),
        ]
        .concat()
    };
    letters.flat_map(one).collect()
}

#[test]
fn real_mailboxes_stores_and_messages_give_what_their_labels_say() {
    let Some(data) = corpus::folder() else { return };
    let folder = Folder::new();
    let out = folder.path("out");
    let mail = data.join("mail");
    let run = folder.run(&["batch", mail.to_str().unwrap(), "-o", "out"]);
    assert!(run.code < 2, "{run:?}");
    assert_eq!(errors(&out), []);
    let reports = reports(&out);
    let (mut counted, mut attachments, mut missing) = (0, 0, Vec::new());
    for row in corpus::rows(&data) {
        if !row.file.starts_with("mail/") {
            continue;
        }
        let path = data.join(&row.file).to_str().unwrap().to_owned();
        let mailbox = row.labels.iter().any(|label| label == "mbox");
        let own: Vec<&Value> = reports
            .iter()
            .filter(|(name, _)| {
                **name == path
                    || name.starts_with(&format!("{path}#"))
                    || name.starts_with(&format!("{path}:/"))
            })
            .map(|(_, report)| report)
            .collect();
        let text = std::fs::read(&path).unwrap();
        let expected = if mailbox {
            // Each of these has a postmark for each message and no other such line.
            text.split(|byte| *byte == b'\n')
                .filter(|line| line.starts_with(b"From "))
                .count()
        } else if path.ends_with(".pst") {
            0
        } else {
            1
        };
        assert_eq!(own.len(), expected, "{}", row.file);
        counted += own.len();
        let found: BTreeSet<String> = own.iter().copied().flat_map(hashes).collect();
        for hash in &row.attachments {
            attachments += 1;
            if !found.contains(hash) {
                missing.push(format!("{} {hash}", row.file));
            }
        }
    }
    println!(
        "{counted} messages, {} of {attachments} attachments are not byte-equal: {missing:#?}",
        missing.len()
    );
    assert_eq!(counted, reports.len());
    // A .msg keeps its attachments as they are.
    assert!(
        missing.iter().all(|one| !one.contains(".msg ")),
        "{missing:#?}"
    );
    assert!(missing.len() * 10 < attachments, "{missing:#?}");
}

#[test]
fn folders_maildirs_archives_and_lists_give_the_same_messages() {
    let folder = Folder::new();
    folder.file("in/a.mbox", postmarked(0..3));
    folder.file("in/sub/b.eml", letter(3));
    folder.file("in/box/cur/10.M1.host.com:2,RS", letter(4));
    folder.file("in/box/new/11.M2.host.com", letter(5));
    folder.file("in/box/tmp/12.M3.host.com", letter(6));
    folder.file("in/box/dovecot.index", b"x");
    folder.file("in/box/.Sent/cur/13.M4.host.com:2,", letter(7));
    folder.file("in/box/.Sent/new/.keep", b"");
    std::fs::remove_file(folder.path("in/box/.Sent/new/.keep")).unwrap();
    let run = folder.run(&["batch", "in", "-o", "out"]);
    assert_eq!(run.code, 0, "{run:?}");
    let of = |output: &str| reports(&folder.path(output));
    let names: Vec<String> = of("out").into_keys().collect();
    let expected = [
        "in/a.mbox#1",
        "in/a.mbox#2",
        "in/a.mbox#3",
        "in/box/.Sent/cur/13.M4.host.com",
        "in/box/cur/10.M1.host.com",
        "in/box/new/11.M2.host.com",
        "in/sub/b.eml",
    ];
    assert_eq!(names, expected);
    let mail = &of("out")["in/box/new/11.M2.host.com"]["artifacts"][0]["mail"];
    assert_eq!(mail["subject"], "5");
    assert_eq!(mail["from"], "taro@branch.example");
    assert_eq!(mail["to"][0], "hanako@hq.example.co.jp");
    assert_eq!(mail["message_id"], "20261102093000.1@branch.example");
    assert_eq!(mail["date"], "2026-11-02T09:30:00+09:00");

    // The same as a list, and packed.
    let list = "in/a.mbox\nin/sub\n\nin/box\nin/gone\n";
    let run = folder.run_with(&["batch", "-", "-o", "listed"], list.as_bytes(), &[]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(of("listed"), of("out"));
    assert_eq!(errors(&folder.path("listed"))[0].0, "in/gone");
    let all = |output: &str| -> BTreeSet<String> { of(output).values().flat_map(hashes).collect() };
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all("in", folder.path("in")).unwrap();
    let tar = tar.into_inner().unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar).unwrap();
    let gz = gz.finish().unwrap();
    let members: Vec<(&str, Vec<u8>)> = vec![
        ("in/a.mbox", postmarked(0..3)),
        ("in/sub/b.eml", letter(3)),
        ("in/box/cur/10.M1.host.com:2,RS", letter(4)),
        ("in/box/new/11.M2.host.com", letter(5)),
        ("in/box/.Sent/cur/13.M4.host.com:2,", letter(7)),
    ];
    let members: Vec<(&str, &[u8])> = members
        .iter()
        .map(|(name, data)| (*name, &data[..]))
        .collect();
    for (name, data) in [
        ("x.tar", tar),
        ("x.tar.gz", gz.clone()),
        ("x.zip", build::zip(&members)),
    ] {
        folder.file(name, data);
        let output = format!("{name}.out");
        let run = folder.run(&["batch", name, "-o", &output]);
        // The message in tmp bears a name that looks like a program's.
        assert!(run.code < 2, "{run:?}");
        assert!(all(&output).is_superset(&all("out")), "{name}");
        assert!(
            of(&output).contains_key(&format!("{name}:/in/a.mbox#2")),
            "{name}"
        );
    }
    // What is cut off is told, and what stands before it is there.
    folder.file("cut.tar.gz", &gz[..gz.len() * 2 / 3]);
    let run = folder.run(&["batch", "cut.tar.gz", "-o", "cut", "--fail-at", "malicious"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(!of("cut").is_empty());
    assert!(errors(&folder.path("cut"))[0].0.starts_with("cut.tar.gz"));
}

#[test]
fn what_cannot_be_read_stops_nothing() {
    let folder = Folder::new();
    let mut mailbox = postmarked(0..2);
    mailbox.extend(b"From x Mon Nov  2 09:30:00 2026\nSubject: large\n\n");
    mailbox.extend("large\n".repeat(50_000).bytes());
    mailbox.extend(b"\n");
    mailbox.extend(postmarked(2..4));
    mailbox.extend(b"From x Mon Nov  2 09:30:00 2026\nSubject: cut");
    folder.file("in/a.mbox", mailbox);
    folder.file(
        "in/b.pst",
        [b"!BDN\0\0\0\0SM\x17\0".to_vec(), vec![0xff; 4000]].concat(),
    );
    folder.file("in/large.eml", [&letter(8)[..], &[b'x'; 200_000]].concat());
    folder.file("in/z.eml", letter(9));
    let run = folder.run(&[
        "batch",
        "in",
        "-o",
        "out",
        "--max-file",
        "100KiB",
        "--fail-at",
        "malicious",
    ]);
    assert_eq!(run.code, 2, "{run:?}");
    let reports = reports(&folder.path("out"));
    assert_eq!(reports.len(), 8, "{:?}", reports.keys());
    let errors = errors(&folder.path("out"));
    let told: Vec<&str> = errors
        .iter()
        .map(|(reference, _)| reference.as_str())
        .collect();
    assert_eq!(
        told,
        ["in/a.mbox#3", "in/a.mbox", "in/b.pst", "in/large.eml"]
    );
    for large in ["in/a.mbox#3", "in/large.eml"] {
        let report = &reports[large];
        assert_eq!(report["complete"], false, "{large}");
        let findings = report["findings"].as_array().unwrap();
        assert!(
            findings.iter().any(|one| one["id"] == "limit-exceeded"),
            "{large}"
        );
    }
    assert_eq!(reports["in/z.eml"]["complete"], true);
}

/// The subjects of a batch by their references.
fn subjects(folder: &Folder, output: &str) -> Vec<(String, String)> {
    let run = folder.run(&["query", output, "--format", "json", "--since", "2000-01-01"]);
    let text = run.stdout;
    let rows: Vec<Value> = match serde_json::from_str(&text) {
        Ok(rows) => rows,
        Err(_) => text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    };
    let of = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<(String, String)> = rows
        .iter()
        .map(|row| (of(row, "reference"), of(row, "subject")))
        .collect();
    all.sort();
    all
}

#[test]
fn mails_of_apple_carriage_returns_loops_and_foreign_names_are_read() {
    let folder = Folder::new();
    let inner = letter(1);
    let trailer = "<?xml version=\"1.0\"?>\n<plist version=\"1.0\"><dict><key>flags</key><integer>1</integer></dict></plist>\n";
    let emlx = [
        format!("{:<10}\n", inner.len()).into_bytes(),
        inner,
        trailer.into(),
    ]
    .concat();
    folder.file("in/Messages/17.emlx", emlx);
    // A mailbox whose lines all end in CRLF, and one whose lengths lie.
    let lines = String::from_utf8(postmarked(2..4)).unwrap();
    folder.file("in/crlf.mbox", lines.replace('\n', "\r\n"));
    let lies = String::from_utf8(postmarked(4..7)).unwrap();
    let lies = lies.replace("\nSubject:", "\nContent-Length: 999999\nSubject:");
    folder.file("in/lies.mbox", lies);
    std::os::unix::fs::symlink(folder.path("in"), folder.path("in/Messages/loop")).unwrap();
    let run = folder.run(&["batch", "in", "-o", "out"]);
    assert_eq!(run.code, 0, "{run:?}");
    let expected = [
        ("in/Messages/17.emlx", "1"),
        ("in/crlf.mbox#1", "2"),
        ("in/crlf.mbox#2", "3"),
        ("in/lies.mbox#1", "4"),
        ("in/lies.mbox#2", "5"),
        ("in/lies.mbox#3", "6"),
    ];
    let expected = expected.map(|(path, subject)| (path.to_owned(), subject.to_owned()));
    assert_eq!(subjects(&folder, "out"), expected);

    // Names in cp932, as Japanese Windows writes them into archives.
    let name = encoding_rs::SHIFT_JIS
        .encode("受信/見積.eml")
        .0
        .into_owned();
    let mut header = tar::Header::new_gnu();
    let data = letter(8);
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(&name);
    header.set_size(data.len() as u64);
    header.set_mode(0o600);
    header.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&header, &data[..]).unwrap();
    folder.file("sjis.tar", tar.into_inner().unwrap());
    let run = folder.run(&["batch", "sjis.tar", "-o", "sjis"]);
    assert_eq!(run.code, 0, "{run:?}");
    let found = subjects(&folder, "sjis");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0],
        ("sjis.tar:/受信/見積.eml".to_owned(), "8".to_owned())
    );
}

#[test]
fn mailboxes_of_old_programs_and_editors_are_split() {
    let folder = Folder::new();
    let lines = String::from_utf8(postmarked(1..4)).unwrap();
    folder.file("in/cr", lines.replace('\n', "\r"));
    folder.file("in/mark", format!("\u{feff}{lines}"));
    let run = folder.run(&["batch", "in", "-o", "out", "--shard-size", "100"]);
    assert!(run.stdout.starts_with("6 messages: 6 clean"), "{run:?}");
    let expected = [
        "in/cr#1",
        "in/cr#2",
        "in/cr#3",
        "in/mark#1",
        "in/mark#2",
        "in/mark#3",
    ];
    let numbers = ["1", "2", "3"].into_iter().cycle();
    let expected: Vec<_> = expected
        .iter()
        .zip(numbers)
        .map(|(path, subject)| ((*path).to_owned(), subject.to_owned()))
        .collect();
    assert_eq!(subjects(&folder, "out"), expected);
    let run = folder.run(&["scan", "in/cr", "--format", "json"]);
    assert!(
        run.stdout.contains("\"kind\":\"mbox\"") || run.stdout.contains("\"kind\": \"mbox\""),
        "{run:?}"
    );
}

#[test]
fn results_within_a_source_are_none_of_it() {
    let folder = Folder::new();
    folder.file("in/box", postmarked(1..4));
    let batch = |more: &[&str]| folder.run(&[&["batch", "in", "-o", "in/out"], more].concat());
    assert!(batch(&[]).stdout.starts_with("3 messages: "));
    let again = batch(&["--resume"]);
    assert!(again.stdout.starts_with("3 messages: "), "{again:?}");
    // Other results are files like others: who gives them wants them.
    let run = folder.run(&["batch", "in/out", "-o", "other"]);
    assert!(!run.stdout.starts_with("0 messages"), "{run:?}");
    folder.file("one/box", postmarked(1..2));
    let run = folder.run(&["batch", "one", "-o", "single"]);
    assert!(run.stdout.starts_with("1 message: 1 clean"), "{run:?}");
}
