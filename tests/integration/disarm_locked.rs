//! Documents under passwords that everybody's program tries: Excel's and PowerPoint's own ([MS-OFFCRYPTO] 2.4.2.3).
//! Nobody is asked for those, so they hide nothing but from who looks for macros. Archives with locked members beside others.

use std::io::{Cursor, Read as _, Write as _};

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use sha1::{Digest, Sha1};
use zip::AesMode;
use zip::write::SimpleFileOptions;

use crate::build::{self, compound};
use crate::build_links::{package, paragraph, relationships, word};
use crate::disarm::with_macro;
use crate::disarm_places::{RELATIONS, members};
use crate::support::Folder;

const EXCELS: &str = "VelvetSweatshop";
const POWERPOINTS: &str = "/01Hannes Ruescher/01";

fn sha1(parts: &[&[u8]]) -> Vec<u8> {
    let mut hash = Sha1::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().to_vec()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// AES-128 in ECB, filled up with zeros to whole blocks.
fn encrypted(key: &[u8], data: &[u8]) -> Vec<u8> {
    let cipher = Aes128::new_from_slice(key).unwrap();
    let mut out = data.to_vec();
    out.resize(data.len().next_multiple_of(16), 0);
    for block in out.chunks_exact_mut(16) {
        let mut whole = [0u8; 16];
        whole.copy_from_slice(block);
        let mut whole = whole.into();
        cipher.encrypt_block(&mut whole);
        block.copy_from_slice(&whole);
    }
    out
}

/// A package in standard encryption ([MS-OFFCRYPTO] 2.3.4.5 to 2.3.4.9).
fn locked(package: &[u8], password: &str) -> Vec<u8> {
    let (salt, verifier) = ([5u8; 16], [6u8; 16]);
    let mut hash = sha1(&[&salt, &utf16(password)]);
    for round in 0..50_000u32 {
        hash = sha1(&[&round.to_le_bytes(), &hash]);
    }
    hash = sha1(&[&hash, &[0; 4]]);
    let mut inner = [0x36u8; 64];
    for (byte, with) in inner.iter_mut().zip(&hash) {
        *byte ^= with;
    }
    let key = &sha1(&[&inner])[..16];
    let mut header = Vec::new();
    for number in [0x24u32, 0, 0x660e, 0x8004, 128, 0x18, 0, 0] {
        header.extend(number.to_le_bytes());
    }
    header.extend(utf16(
        "Microsoft Enhanced RSA and AES Cryptographic Provider\0",
    ));
    let info = [
        &[3, 0, 2, 0, 0x24, 0, 0, 0][..],
        &u32::try_from(header.len()).unwrap().to_le_bytes(),
        &header,
        &[16, 0, 0, 0],
        &salt,
        &encrypted(key, &verifier),
        &[20, 0, 0, 0],
        &encrypted(key, &sha1(&[&verifier])),
    ];
    let size = u64::try_from(package.len()).unwrap().to_le_bytes();
    compound(&[
        ("/EncryptionInfo".to_owned(), info.concat()),
        (
            "/EncryptedPackage".to_owned(),
            [&size[..], &encrypted(key, package)].concat(),
        ),
    ])
}

/// A presentation of no slides with a macro that starts by itself.
fn slides() -> Vec<u8> {
    let code = "Sub Auto_Open()\n    CreateObject(\"WScript.Shell\").Run \"cmd.exe /c echo done\", 0\nEnd Sub\n";
    let project = build::vba_project(&[("Module1", build::module("Module1", code))]);
    let main = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<p:presentation xmlns:p=\"http://schemas.openxmlformats.org/presentationml/2006/main\"><p:notesSz cx=\"6858000\" cy=\"9144000\"/></p:presentation>";
    let parts = [
        ("ppt/presentation.xml", main.to_vec()),
        (
            "ppt/_rels/presentation.xml.rels",
            relationships(&[(
                "http://schemas.microsoft.com/office/2006/relationships/vbaProject",
                "vbaProject.bin",
                false,
            )]),
        ),
        ("ppt/vbaProject.bin", project),
    ];
    package(
        "application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml",
        "ppt/presentation.xml",
        &parts,
    )
}

/// A workbook of one empty sheet with a link to a conversation.
fn sheet() -> Vec<u8> {
    let main = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"{RELATIONS}\"><sheets><sheet name=\"a\" sheetId=\"1\" r:id=\"rId0\"/></sheets></workbook>"
    );
    let project = build::vba_project(&[(
        "Module1",
        build::module(
            "Module1",
            "Sub Auto_Open()\n    Shell \"cmd.exe /c echo done\"\nEnd Sub\n",
        ),
    )]);
    let parts = [
        ("xl/workbook.xml", main.into_bytes()),
        (
            "xl/_rels/workbook.xml.rels",
            relationships(&[
                (&format!("{RELATIONS}/worksheet"), "worksheets/sheet1.xml", false),
                (
                    "http://schemas.microsoft.com/office/2006/relationships/vbaProject",
                    "vbaProject.bin",
                    false,
                ),
            ]),
        ),
        (
            "xl/worksheets/sheet1.xml",
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData/></worksheet>".to_vec(),
        ),
        ("xl/vbaProject.bin", project),
    ];
    package(
        "application/vnd.ms-excel.sheet.macroEnabled.main+xml",
        "xl/workbook.xml",
        &parts,
    )
}

#[test]
fn a_document_under_a_password_of_its_program_is_disarmed_in_clear() {
    for (name, document, password, project) in [
        ("a.xlsm", sheet(), EXCELS, "xl/vbaProject.bin"),
        ("a.pptm", slides(), POWERPOINTS, "ppt/vbaProject.bin"),
        ("a.docm", with_macro(), EXCELS, "word/vbaProject.bin"),
    ] {
        let folder = Folder::new();
        folder.file(name, locked(&document, password));
        let scan = folder.run(&["scan", name, "--format", "json"]);
        assert_eq!(scan.json()["level"], "malicious", "{name}: {scan:?}");
        let out = format!("new-{name}");
        let run = folder.run(&["disarm", name, "-o", &out]);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        let new = std::fs::read(folder.path(&out)).unwrap();
        let inside = members(&new);
        let has = |part: &str| inside.iter().any(|(known, _)| known == part);
        assert!(!has(project) && has("[Content_Types].xml"), "{name}");
        let before = members(&document);
        let kept = inside.iter().filter(|part| before.contains(part)).count();
        assert!(kept >= 2, "{name}: {kept}");
        let scan = folder.run(&["scan", &out, "--format", "json"]);
        assert_eq!(scan.json()["level"], "clean", "{name}: {scan:?}");
        let run = folder.run(&["disarm", &out, "-o", "again"]);
        assert_eq!(run.code, 0, "{name}: {run:?}");
        assert_eq!(std::fs::read(folder.path("again")).unwrap(), new);
    }
}

#[test]
fn a_lock_that_somebody_chose_stays() {
    let folder = Folder::new();
    folder.file("a.xlsm", locked(&sheet(), "kanri-2026"));
    for arguments in [
        &["disarm", "a.xlsm", "-o", "b.xlsm"][..],
        // Who gives the password may read it; the result would be one that everybody may read.
        &[
            "disarm",
            "a.xlsm",
            "-o",
            "b.xlsm",
            "--password",
            "kanri-2026",
        ],
    ] {
        let run = folder.run(arguments);
        assert_eq!(run.code, 1, "{run:?}");
        assert!(!folder.path("b.xlsm").exists());
    }
    // With nothing to take out, a locked one is copied as it is.
    let harmless = locked(&word(&paragraph("Report"), &[]), EXCELS);
    folder.file("c.docx", &harmless);
    let run = folder.run(&["disarm", "c.docx", "-o", "d.docx"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(std::fs::read(folder.path("d.docx")).unwrap(), harmless);
}

/// A zip with a member that is locked, a document with macros and a text that are not.
fn partly_locked(inside: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default();
    let locked = plain.with_aes_encryption(AesMode::Aes256, "kanri-2026");
    for (name, data, options) in [
        ("report.bin", inside, locked),
        ("a.docm", &with_macro(), plain),
        ("b.txt", b"The figures of October.\r\n", plain),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(data).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn unlocked(archive: &[u8]) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    assert!(archive.by_name("report.bin").is_err(), "no longer locked");
    let mut member = archive.by_name_decrypt("report.bin", b"kanri-2026").ok()?;
    let mut data = Vec::new();
    member.read_to_end(&mut data).ok()?;
    Some(data)
}

#[test]
fn members_beside_a_locked_one_are_disarmed_where_that_is_asked_for() {
    let secret = b"The figures of November.\r\n".as_slice();
    let folder = Folder::new();
    folder.file("a.zip", partly_locked(secret));
    let run = folder.run(&["disarm", "a.zip", "-o", "b.zip"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("report.bin is locked"), "{run:?}");
    assert!(!folder.path("b.zip").exists());
    let run = folder.run(&["disarm", "a.zip", "-o", "b.zip", "--only", "macros"]);
    assert_eq!(run.code, 0, "{run:?}");
    let new = std::fs::read(folder.path("b.zip")).unwrap();
    assert_eq!(unlocked(&new).as_deref(), Some(secret));
    let scan = folder.run(&["scan", "b.zip", "--format", "json"]).json();
    let found = scan["findings"].as_array().unwrap();
    let ids: Vec<&str> = found
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["encrypted-archive"]);
    // Whoever has the password sees what is in it: it goes as a whole, or nothing does.
    folder.file("c.zip", partly_locked(&build::program()));
    let with = ["--password", "kanri-2026"];
    let run = folder.run(&[&["disarm", "c.zip", "-o", "d.zip"][..], &with].concat());
    assert_eq!(run.code, 0, "{run:?}");
    let inside = zip::ZipArchive::new(Cursor::new(std::fs::read(folder.path("d.zip")).unwrap()));
    let inside = inside.unwrap();
    let names: Vec<String> = inside
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    assert!(names.contains(&"report.bin.txt".to_owned()), "{names:?}");
    folder.file("e.zip", partly_locked(&with_macro()));
    let run = folder.run(&[&["disarm", "e.zip", "-o", "f.zip"][..], &with].concat());
    assert_eq!(run.code, 1, "{run:?}");
    assert!(!folder.path("f.zip").exists());
}
