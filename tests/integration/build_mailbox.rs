//! Mailboxes of any size, made of a seed: what an office sends in a year, with a little that is not harmless.

use std::io::{BufWriter, Write};
use std::path::Path;

use crate::bench::Dice;
use crate::build;

const WORDS: &[&str] = &[
    "the",
    "order",
    "of",
    "last",
    "week",
    "please",
    "find",
    "attached",
    "report",
    "and",
    "invoice",
    "for",
    "meeting",
    "tomorrow",
    "regards",
    "from",
    "branch",
    "office",
    "delivery",
    "customer",
    "schedule",
    "update",
    "thank",
    "you",
    "sincerely",
    "contract",
    "draft",
    "comments",
    "until",
    "friday",
    "numbers",
    "quarter",
    "見積書",
    "報告",
    "会議",
];

const PEOPLE: &[&str] = &[
    "taro@branch.example",
    "hanako@hq.example.co.jp",
    "sales@customer.example",
    "jiro@factory.example",
];

/// What messages carry: the same files come again and again, as in real mailboxes.
struct Carried {
    name: &'static str,
    media_type: &'static str,
    data: Vec<u8>,
}

fn carried(dice: &mut Dice) -> Vec<Carried> {
    let macros =
        "Sub AutoOpen()\nCreateObject(\"WScript.Shell\").Run \"powershell -w hidden\"\nEnd Sub\n";
    let office = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
    let mut all = Vec::new();
    for number in 0..12 {
        let text = text(dice, 2000 + number * 300);
        all.push(Carried {
            name: "report.docx",
            media_type: office,
            data: build::docx(&text),
        });
        all.push(Carried {
            name: "notes.txt",
            media_type: "text/plain",
            data: text.into_bytes(),
        });
    }
    all.push(Carried {
        name: "invoice.docm",
        media_type: "application/vnd.ms-word.document.macroEnabled.12",
        data: build::docm("invoice", &[("Module1", build::module("Module1", macros))]),
    });
    all.push(Carried {
        name: "tools.zip",
        media_type: "application/zip",
        data: build::zip(&[("readme.txt", b"read me"), ("tool.exe", &build::program())]),
    });
    all
}

fn text(dice: &mut Dice, len: usize) -> String {
    let mut text = String::with_capacity(len + 20);
    let mut column = 0;
    while text.len() < len {
        let word = WORDS[dice.below(WORDS.len())];
        column += word.len() + 1;
        text.push_str(word);
        if column > 70 {
            column = 0;
            text.push('\n');
        } else {
            text.push(' ');
        }
    }
    text.push('\n');
    text
}

/// Writes a mailbox of about `bytes` bytes and tells how many messages it holds.
pub(crate) fn write(path: &Path, seed: u64, bytes: u64) -> u64 {
    let mut dice = Dice::new(seed);
    let carried = carried(&mut dice);
    let bodies: Vec<String> = (0..64).map(|n| text(&mut dice, 800 + n * 150)).collect();
    let mut out = BufWriter::new(std::fs::File::create(path).unwrap());
    let (mut written, mut messages) = (0, 0);
    while written < bytes {
        messages += 1;
        let message = message(&mut dice, messages, &bodies, &carried);
        written += message.len() as u64;
        out.write_all(&message).unwrap();
    }
    out.into_inner().unwrap().sync_all().unwrap();
    messages
}

fn message(dice: &mut Dice, number: u64, bodies: &[String], carried: &[Carried]) -> Vec<u8> {
    let from = PEOPLE[dice.below(PEOPLE.len())];
    let to = PEOPLE[dice.below(PEOPLE.len())];
    let body = &bodies[dice.below(bodies.len())];
    let mut out = format!(
        "From {from} Mon Nov  2 09:30:{:02} 2026\nReceived: from mx by mx2; Mon, 2 Nov 2026 09:30:00 +0900\n\
         From: {from}\nTo: {to}\nSubject: {} {number}\nDate: Mon, 2 Nov 2026 09:30:00 +0900\n\
         Message-ID: <{number}.{}@branch.example>\nMIME-Version: 1.0\n",
        number % 60,
        WORDS[dice.below(WORDS.len())],
        dice.roll(),
    )
    .into_bytes();
    match dice.below(100) {
        0..70 => {
            out.extend(b"Content-Type: text/plain; charset=utf-8\n\n");
            out.extend(body.as_bytes());
            out.extend(b">From the very beginning\n\nFrom now on\n");
        }
        70..85 => {
            out.extend(b"Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n");
            out.extend(body.as_bytes());
            out.extend(b"\n--b\nContent-Type: text/html; charset=utf-8\n\n<html><body>");
            for line in body.lines() {
                out.extend(format!("<p style=\"margin:0\">{line}</p>\n").as_bytes());
            }
            out.extend(b"</body></html>\n--b--\n");
        }
        rest => {
            out.extend(b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=utf-8\n\n");
            out.extend(body.as_bytes());
            // The last two are what a mailbox has seldom.
            let at = match dice.below(200) {
                0 => carried.len() - 1,
                1 => carried.len() - 2,
                _ => dice.below(carried.len() - 2),
            };
            let Carried {
                name,
                media_type,
                data,
            } = &carried[at];
            out.extend(
                format!("\n--b\nContent-Type: {media_type}\nContent-Disposition: attachment; filename=\"{name}\"\nContent-Transfer-Encoding: base64\n\n")
                    .as_bytes(),
            );
            if rest > 97 {
                // A picture, as cameras make them: bytes that do not compress.
                let noise: Vec<u8> = (0..40_000 + dice.below(400_000) / 8)
                    .flat_map(|_| dice.roll().to_le_bytes())
                    .collect();
                let picture = [b"\xff\xd8\xff\xe0\x00\x10JFIF\x00".as_slice(), &noise].concat();
                out.extend(build::base64(&picture));
            } else {
                out.extend(build::base64(data));
            }
            out.extend(b"\n--b--\n");
        }
    }
    out.push(b'\n');
    out
}
