use std::path::Path;

use bytes::Bytes;

use crate::engine::{Engine, Input, Worker};
use crate::knowledge::Knowledge;
use crate::limits::Limits;
use crate::model::{Artifact, Kind, Name, Report};
use crate::rules::{Rules, Strictness};
use crate::score::Thresholds;

fn engine() -> Engine {
    Engine {
        rules: Rules::compile([], Strictness::Strict).unwrap(),
        knowledge: Knowledge::embedded().unwrap(),
        limits: Limits::default(),
        thresholds: Thresholds::default(),
    }
}

fn scan_with(worker: &mut Worker<'_>, data: impl Into<Bytes>) -> Report {
    worker.scan(Input {
        path: "mail.eml".to_owned(),
        name: Some(Name::of("mail.eml")),
        data: data.into(),
        ..Input::default()
    })
}

fn scan(data: impl Into<Bytes>) -> Report {
    let engine = engine();
    scan_with(&mut Worker::new(&engine), data)
}

fn has(report: &Report, data: &[u8]) -> bool {
    report
        .artifacts
        .iter()
        .any(|artifact| artifact.data == data)
}

fn named<'a>(report: &'a Report, name: &str) -> &'a Artifact {
    report
        .artifacts
        .iter()
        .find(|artifact| artifact.label() == name)
        .unwrap_or_else(|| panic!("no {name}"))
}

fn ambiguous(report: &Report) -> Vec<u8> {
    report
        .findings
        .iter()
        .filter(|finding| finding.id == "mime-ambiguous")
        .map(|finding| finding.score)
        .collect()
}

const HEAD: &str = "From: Taro <taro@example.jp>\r\nTo: a@example.com, B <b@example.com>\r\nCc: c@example.com\r\nSubject: =?utf-8?B?5aCx5ZGK?=\r\nDate: Tue, 9 Jun 2009 23:58:45 -0400\r\nMessage-ID: <1@x>\r\nMIME-Version: 1.0\r\n";
const PROGRAM: &str = "TVqQAAMAAAAEAAAA//8AALgAAAA=";
const PROGRAM_BYTES: &[u8] = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8\0\0\0";

fn attachment() -> String {
    format!(
        "Content-Type: application/octet-stream; name=\"a.exe\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{PROGRAM}\r\n"
    )
}

fn mixed(body: &str) -> String {
    format!("{HEAD}Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\n{body}")
}

#[test]
fn parts_are_children_with_their_ranges_and_the_mail_has_a_summary() {
    let mail = mixed(&format!(
        "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b\r\n{}--b--\r\n",
        attachment()
    ));
    let report = scan(mail.clone());
    let summary = report.artifacts[0].mail.clone().unwrap();
    assert_eq!(report.artifacts[0].kind, Kind::Eml);
    assert_eq!(summary.subject.as_deref(), Some("報告"));
    assert_eq!(summary.from.as_deref(), Some("taro@example.jp"));
    assert_eq!(
        summary.to,
        ["a@example.com", "b@example.com", "c@example.com"]
    );
    assert_eq!(summary.message_id.as_deref(), Some("1@x"));
    assert_eq!(summary.date.as_deref(), Some("2009-06-09T23:58:45-04:00"));
    let program = named(&report, "a.exe");
    assert_eq!(program.data, PROGRAM_BYTES);
    assert_eq!(mail.get(program.at.clone().unwrap()), Some(PROGRAM));
    assert_eq!(
        program.declared.as_deref(),
        Some("application/octet-stream")
    );
    assert_eq!(report.artifacts.len(), 3);
    assert!(
        !report
            .findings
            .iter()
            .any(|finding| finding.id.starts_with("mime-"))
    );
}

#[test]
fn what_a_boundary_in_mid_line_hides_is_found_and_told() {
    let mail = mixed(&format!(
        "--b\r\nContent-Type: text/plain\r\n\r\nHello --b-- there\r\n--b\r\n{}--b--\r\n",
        attachment()
    ));
    let report = scan(mail);
    assert!(has(&report, PROGRAM_BYTES));
    assert_eq!(ambiguous(&report).into_iter().max(), Some(30));
}

#[test]
fn blanks_before_the_colon_of_a_content_type_are_told() {
    let body = format!("--b\r\n\r\nHi\r\n--b\r\n{}--b--\r\n", attachment());
    let report = scan(format!(
        "{HEAD}Content-Type : multipart/mixed; boundary=b\r\n\r\n{body}"
    ));
    assert!(has(&report, PROGRAM_BYTES));
    assert_eq!(ambiguous(&report), [30]);
    let report = scan(format!(
        "Comments : x\r\n{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n{body}"
    ));
    assert!(ambiguous(&report).is_empty());
}

#[test]
fn an_attachment_in_a_preamble_or_epilogue_is_told() {
    for mail in [
        mixed(&format!("{}--b\r\n\r\nHi\r\n--b--\r\n", attachment())),
        mixed(&format!("--b\r\n\r\nHi\r\n--b--\r\n{}", attachment())),
    ] {
        let report = scan(mail);
        assert!(has(&report, PROGRAM_BYTES));
        assert_eq!(ambiguous(&report), [30]);
    }
    let notice = "This is a multi-part message in MIME format.\r\n";
    let report = scan(mixed(&format!("{notice}--b\r\n\r\nHi\r\n--b--\r\n")));
    assert!(ambiguous(&report).is_empty());
}

#[test]
fn an_archive_behind_the_last_boundary_is_a_child_and_told() {
    let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
    let told = |tail: &[u8]| {
        let mail = mixed("--b\r\n\r\nHi\r\n--b--\r\n");
        let report = scan([mail.as_bytes(), tail].concat());
        let rar = report.artifacts.iter().any(|one| one.kind == Kind::Rar);
        let polyglot = report.findings.iter().any(|one| one.id == "polyglot");
        (rar, polyglot)
    };
    assert_eq!(told(&archive), (true, true));
    assert_eq!(told(b"-- \r\nA list\r\n"), (false, false));
}

#[test]
fn a_text_in_utf_7_is_read_as_it_is_shown() {
    let of = |charset: &str| {
        let mail = format!(
            "{HEAD}Content-Type: text/html; charset={charset}\r\n\r\n+ADw-b+AD4-+ZeVnLIqe-"
        );
        has(&scan(mail), "<b>日本語".as_bytes())
    };
    assert!(of("UTF-7") && of("\"utf-7\""));
    assert!(!of("utf-8"));
}

#[test]
fn each_of_two_boundaries_is_looked_at() {
    let mail = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--a\r\n\r\nHi\r\n--a--\r\n--b\r\n{}--b--\r\n",
        attachment()
    );
    let report = scan(mail);
    assert!(has(&report, PROGRAM_BYTES));
    assert_eq!(ambiguous(&report).into_iter().max(), Some(30));
}

#[test]
fn parts_outside_of_the_boundaries_are_opened() {
    let hidden = format!("--c\r\n{}--c--\r\n", attachment());
    for mail in [
        mixed(&format!("{hidden}--b\r\n\r\nHi\r\n--b--\r\n")),
        mixed(&format!("--b\r\n\r\nHi\r\n--b--\r\n{hidden}")),
        mixed(&format!(
            "--b\r\n\r\nHi\r\n--b--\r\n--b\r\n{}--b--",
            attachment()
        )),
        mixed(&hidden),
    ] {
        let report = scan(mail.clone());
        assert!(has(&report, PROGRAM_BYTES), "{mail}");
        assert_eq!(ambiguous(&report).into_iter().max(), Some(30), "{mail}");
    }
}

#[test]
fn an_encoding_given_twice_is_read_both_ways() {
    let part = attachment().replace("base64", "7bit\r\nContent-Transfer-Encoding: base64");
    let report = scan(mixed(&format!("--b\r\n{part}--b--\r\n")));
    assert!(has(&report, PROGRAM_BYTES) && has(&report, PROGRAM.as_bytes()));
    assert_eq!(ambiguous(&report), [30]);
}

#[test]
fn damaged_mails_still_show_their_attachments() {
    let whole = mixed(&format!(
        "--b\r\n\r\nHi\r\n--b\r\n{}--b--\r\n",
        attachment()
    ));
    let cases = [
        ("no closing delimiter", whole.replace("--b--\r\n", "")),
        ("leading blank lines", format!("\r\n \r\n{whole}")),
        ("bare LF", whole.replace("\r\n", "\n")),
        ("bare CR", whole.replace("\r\n", "\r")),
        (
            "blank before colon",
            whole.replace("Content-Type:", "Content-Type :"),
        ),
        (
            "folded boundary",
            whole.replace("boundary=\"b\"", "boundary=\r\n \"b\""),
        ),
        (
            "blank-only line ends the header",
            whole.replace("boundary=\"b\"\r\n\r\n", "boundary=\"b\"\r\n \r\n"),
        ),
        (
            "line that is no field",
            whole.replace("MIME-Version", "rubbish\r\nMIME-Version"),
        ),
        ("junk in base64", whole.replace("TVqQ", "TV*q!Q")),
        ("no padding", whole.replace("AAA=", "AAA")),
        (
            "misspelt encoding",
            whole.replace(": base64", ": \"Base64\";"),
        ),
        ("boundary lacks", whole.replace("; boundary=\"b\"", "")),
        (
            "type given twice",
            whole.replace("MIME-Version: 1.0", "Content-Type: text/plain"),
        ),
    ];
    for (what, mail) in cases {
        assert!(has(&scan(mail), PROGRAM_BYTES), "{what}");
    }
}

#[test]
fn a_boundary_on_a_line_of_its_own_is_no_doubt() {
    let whole = mixed(&format!(
        "--b\r\n\r\nHi\r\n--b\r\n{}--b--\r\n",
        attachment()
    ));
    for folded in ["boundary=\r\n \"b\"", "boundary\r\n =\r\n\t\"b\""] {
        let report = scan(whole.replace("boundary=\"b\"", folded));
        let doubts = report
            .findings
            .iter()
            .filter(|found| found.id == "mime-ambiguous");
        assert_eq!(doubts.count(), 0, "{folded}");
        assert!(has(&report, PROGRAM_BYTES), "{folded}");
    }
}

#[test]
fn nested_messages_and_blocks_in_text_are_opened() {
    let inner = mixed(&format!("--b\r\n{}--b--\r\n", attachment()));
    let mail = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=outer\r\n\r\n--outer\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--outer\r\n\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\n--outer--\r\n"
    );
    let report = scan(mail);
    let program = named(&report, "a.exe");
    let message = &report.artifacts[program.parent.unwrap() as usize];
    assert_eq!((message.kind, message.parent), (Kind::Eml, Some(0)));
    assert!(message.mail.is_some());
    assert_eq!(named(&report, "cat.txt").data, b"Cat".as_slice());
    assert_eq!(named(&report, "cat.txt").via, Some("uuencoded"));
}

#[test]
fn a_fragment_is_told() {
    let mail =
        format!("{HEAD}Content-Type: message/partial; number=2; total=3; id=\"x@y\"\r\n\r\nAAAA");
    let report = scan(mail);
    let partial = report
        .findings
        .iter()
        .find(|found| found.id == "mime-partial")
        .unwrap();
    assert_eq!(partial.evidence.text, "part 2 of 3, id x@y");
    assert!(!report.complete);
}

#[test]
fn deep_and_long_mails_end() {
    let deep =
        format!("{HEAD}Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n").repeat(300);
    scan(deep);
    let many = mixed(&"--b\r\n\r\n".repeat(100_000));
    let report = scan(many);
    assert!(report.artifacts.len() <= 20_001);
    let boundaries: String = (0..2000)
        .map(|at| format!("--b\r\nContent-Type: multipart/mixed; boundary=b{at}\r\n\r\n"))
        .collect();
    scan(mixed(&boundaries));
}

#[test]
fn the_same_boundary_nested_and_parts_behind_bare_returns_are_found() {
    let inner = format!(
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHi\r\n--b--\r\n--b\r\n{}--b--\r\n",
        attachment()
    );
    assert!(has(&scan(mixed(&format!("--b\r\n{inner}"))), PROGRAM_BYTES));
    let bare = format!("--b\r\n\r\nHi\r--b\r{}", attachment().replace("\r\n", "\r"));
    assert!(has(&scan(mixed(&bare)), PROGRAM_BYTES));
}

#[test]
fn yenc_in_text_is_opened() {
    let mut mail =
        mixed("--b\r\nContent-Type: text/plain\r\n\r\n=ybegin line=128 size=3 name=cat.bin\r\n")
            .into_bytes();
    mail.extend_from_slice(b"m\x8b\x9e\r\n=yend size=3\r\n--b--\r\n");
    let report = scan(mail);
    assert_eq!(named(&report, "cat.bin").data, b"Cat".as_slice());
    assert_eq!(named(&report, "cat.bin").via, Some("yenc"));
}

#[test]
fn emlx_and_mailboxes_are_opened() {
    let mail = mixed(&format!("--b\r\n{}--b--\r\n", attachment()));
    let emlx = format!("{}\n{mail}<?xml version=\"1.0\"?><plist/>", mail.len());
    let report = scan(emlx);
    assert_eq!(report.artifacts[0].kind, Kind::Emlx);
    assert!(has(&report, PROGRAM_BYTES) && has(&report, mail.as_bytes()));
    let mailbox = format!(
        "From a Mon Jun 01 10:00:00 2009\r\n{HEAD}\r\nHi\r\n\r\nFrom b Mon Jun 01 10:00:00 2009\r\n{mail}"
    );
    let report = scan(mailbox);
    assert_eq!(report.artifacts[0].kind, Kind::Mbox);
    assert_eq!(
        report
            .artifacts
            .iter()
            .filter(|one| one.via == Some("mbox-message"))
            .count(),
        2
    );
    assert!(has(&report, PROGRAM_BYTES));
}

#[test]
fn a_multipart_that_is_encoded_as_a_whole_is_opened() {
    let parts = format!(
        "--b\r\n{}--b--\r\n",
        attachment().replace("octet-stream", "x-dosexec")
    );
    let encoded: String = parts
        .bytes()
        .map(|byte| format!("={byte:02X}=\r\n"))
        .collect();
    let mail = format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{encoded}"
    );
    assert!(has(&scan(mail), PROGRAM_BYTES));
}

#[test]
fn messages_in_messages_exhaust_no_stack() {
    let mail = "Content-Type: message/rfc822\n\n".repeat(100_000);
    let report = scan(format!("From: a\nTo: b\n{mail}"));
    assert!(
        report
            .findings
            .iter()
            .all(|found| found.id != "scanner-crashed")
    );
}

#[test]
fn hostile_patterns_take_no_more_than_their_share_of_time() {
    let engine = Engine {
        limits: Limits {
            timeout: std::time::Duration::from_secs(60),
            ..Limits::default()
        },
        ..engine()
    };
    let mut worker = Worker::new(&engine);
    let head = "From: a\nTo: b\nSubject: c\n";
    for pattern in [
        "--",
        "--b\n",
        "-- ",
        "\nFrom ",
        "\nFrom a 10:00\nA: b\n",
        "=?",
        "=?utf-8?q?=41",
        "begin 644 x\n",
        "\rbegin 644 x",
        "begin-base64 644 x\n!",
        "=ybegin line=1 name=\n",
        "A:\n ",
        "(",
        "\\\"",
        ";",
        "\r",
        " \n",
        "rubbish\n",
        "--b\nContent-Type: multipart/mixed\n",
        "--b\nContent-Type: multipart/mixed; boundary=b\n\n",
        "--x\nContent-Type: a/b; boundary=b\n\n--b--\n",
        "<a@b>,",
        "\"",
        "--b\nContent-Type: message/rfc822\n\n",
        "Content-Type: multipart/mixed; boundary=\n",
    ] {
        let many = pattern.repeat(400_000 / pattern.len());
        for mail in [
            format!("{head}Content-Type: multipart/mixed; boundary=b\n\n--b\n\n{many}\n--b--"),
            format!("{head}Content-Type: multipart/mixed; boundary=\"{many}\n\nx"),
            format!("{head}X: {many}\n\nx"),
            format!("To: {many}\n{head}Content-Disposition: attachment; filename={many}\n\nx"),
            format!("From a\n{head}\n{many}"),
        ] {
            let started = cpu_time::ThreadTime::now();
            let report = scan_with(&mut worker, mail);
            let took = started.elapsed();
            let late = report
                .findings
                .iter()
                .any(|found| found.evidence.text.contains("timeout"));
            let crashed = report
                .findings
                .iter()
                .any(|found| found.id == "scanner-crashed");
            let slow = took.as_secs() >= 2;
            assert!(!late && !crashed && !slow, "{pattern:?}: {took:?}");
        }
    }
}

/// One row of the labels: file, labels, attachments.
type Row = (String, Vec<String>, Vec<String>);

fn rows() -> Option<(std::path::PathBuf, Vec<Row>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/testdata");
    let Ok(labels) = std::fs::read_to_string(folder.join("labels.tsv")) else {
        eprintln!("skipped: no {}", folder.display());
        return None;
    };
    let rows = labels
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split('\t').collect();
            let kind = *columns.get(1)?;
            let list = |text: &str, by: &str| text.split(by).map(str::to_owned).collect();
            matches!(kind, "eml" | "mbox").then(|| {
                Some((
                    (*columns.first()?).to_owned(),
                    list(columns.get(2)?, ","),
                    list(columns.get(10)?, "; "),
                ))
            })?
        })
        .collect();
    Some((folder, rows))
}

/// Attachments whose label says otherwise than the mail: name of the file and start of the digest.
const DISPUTED: &[(&str, &str)] = &[
    // Base64 one character too long: the judge gives the text undecoded, we decode it.
    ("james-mime4j__twopart.msg.eml", "be815a5a"),
];

#[test]
fn real_mails_show_every_attachment() {
    let Some((folder, rows)) = rows() else { return };
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (mut wanted, mut found) = (0, 0);
    let mut missed = Vec::new();
    for (file, labels, attachments) in rows {
        let report = scan_with(&mut worker, std::fs::read(folder.join(&file)).unwrap());
        let digests: Vec<String> = report.artifacts.iter().map(Artifact::sha256_hex).collect();
        let kind = report.artifacts[0].kind;
        // One file is too far from a mail: a single known field, and no end of the header.
        let no_mail = file.ends_with("mail-mime-parser__basic-2.eml");
        if !no_mail && !matches!(kind, Kind::Eml | Kind::Mbox | Kind::Mht) {
            missed.push(format!("{file}: {kind}"));
        }
        for finding in &report.findings {
            assert_ne!(finding.id, "scanner-crashed", "{file}");
            let clean = labels.iter().any(|label| label == "clean");
            if clean && finding.score > 0 {
                missed.push(format!("{file}: {finding:?}"));
            }
            if clean || finding.score > 0 {
                eprintln!(
                    "{file}: {} {} {}",
                    finding.id, finding.score, finding.evidence.text
                );
            }
        }
        for attachment in attachments.iter().filter(|text| text.contains('|')) {
            let digest = attachment.rsplit('|').next().unwrap_or_default();
            wanted += 1;
            if digests.iter().any(|have| have == digest) {
                found += 1;
            } else if !DISPUTED
                .iter()
                .any(|(name, head)| file.ends_with(name) && digest.starts_with(head))
            {
                missed.push(format!("{file}: {attachment}"));
            }
        }
    }
    eprintln!("{found} of {wanted} attachments");
    assert_eq!(missed, Vec::<String>::new());
    assert!(wanted > 50);
}
