//! Kinds that are seldom met: archives of old packers, bodies of messages of Outlook, objects and controls in binary
//! workbooks.

use std::io::Cursor;

use crate::build;
use crate::build_links::{package, paragraph, relationships, word};
use crate::disarm_mail::{stream, text, told};
use crate::disarm_places::{RELATIONS, made, members, outlook, record, uuencoded, wide};
use crate::fixtures::objects;
use crate::support::Folder;

fn checksum(data: &[u8]) -> [u8; 4] {
    let mut sum = flate2::Crc::new();
    sum.update(data);
    sum.sum().to_le_bytes()
}

fn size(data: &[u8]) -> [u8; 4] {
    u32::try_from(data.len()).unwrap().to_le_bytes()
}

fn short(data: &[u8]) -> [u8; 2] {
    u16::try_from(data.len()).unwrap().to_le_bytes()
}

/// ALZ: files that are stored.
fn alz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"ALZ\x01\x0a\0\0\0".to_vec();
    for (name, content) in files {
        out.extend(b"BLZ\x01");
        out.extend(short(name.as_bytes()));
        out.extend([0x20, 0, 0, 0, 0, 0x40, 0, 0, 0]);
        out.extend(checksum(content));
        out.extend(size(content));
        out.extend(size(content));
        out.extend(name.bytes());
        out.extend(*content);
    }
    out.extend(b"CLZ\x01");
    out.extend([0; 12]);
    out.extend(b"CLZ\x02");
    out
}

/// EGG: files of one stored block each.
fn egg(files: &[(&str, &[u8])]) -> Vec<u8> {
    const END: [u8; 4] = 0x08e2_8222u32.to_le_bytes();
    let mut out = b"EGGA\0\x01\x07\x07\x07\x07\0\0\0\0".to_vec();
    out.extend(END);
    for (number, (name, content)) in (0u32..).zip(files) {
        out.extend(0x0a85_90e3u32.to_le_bytes());
        out.extend(number.to_le_bytes());
        out.extend(u64::try_from(content.len()).unwrap().to_le_bytes());
        out.extend(0x0a85_91acu32.to_le_bytes());
        out.push(0);
        out.extend(short(name.as_bytes()));
        out.extend(name.bytes());
        out.extend(END);
        out.extend(0x02b5_0c13u32.to_le_bytes());
        out.extend([0, 0]);
        out.extend(size(content));
        out.extend(size(content));
        out.extend(checksum(content));
        out.extend(END);
        out.extend(*content);
    }
    out.extend(END);
    out
}

/// ACE: a main header, then files that are stored.
fn ace(files: &[(&str, &[u8])]) -> Vec<u8> {
    let header = |body: Vec<u8>| [&[0, 0], &short(&body)[..], &body].concat();
    let mut main = b"\0\0\0**ACE**\x14\x14\x02\0".to_vec();
    main.resize(27, 0);
    let mut out = header(main);
    for (name, content) in files {
        let body = [
            &[1, 1, 0][..],
            &size(content),
            &size(content),
            &[0; 4],
            &[0x20, 0, 0, 0],
            &checksum(content).map(|byte| !byte),
            &[0, 3, 0, 0, 0, 0],
            &short(name.as_bytes()),
            name.as_bytes(),
        ];
        out.extend(header(body.concat()));
        out.extend(*content);
    }
    out
}

/// CRC-16 as ARC has it.
fn crc16(data: &[u8]) -> u16 {
    data.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xa001 } else { 0 }
        })
    })
}

/// ARC: files that are stored.
fn arc(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, content) in files {
        out.extend([0x1a, 2]);
        let mut field = name.as_bytes().to_vec();
        field.resize(13, 0);
        out.extend(field);
        out.extend(size(content));
        out.extend([0x21, 0x58, 0, 0]);
        out.extend(crc16(content).to_le_bytes());
        out.extend(size(content));
        out.extend(*content);
    }
    out.extend([0x1a, 0]);
    out
}

#[test]
fn archives_of_old_packers_become_zips_with_a_notice_for_what_is_bad() {
    type Builder = fn(&[(&str, &[u8])]) -> Vec<u8>;
    let builders: [(&str, Builder); 4] = [("alz", alz), ("egg", egg), ("ace", ace), ("arc", arc)];
    let (letter, program) = (b"The figures of October.\r\n".as_slice(), build::program());
    for (kind, builder) in builders {
        let folder = Folder::new();
        let file = format!("a.{kind}");
        folder.file(&file, builder(&[("a.txt", letter), ("tool.exe", &program)]));
        let report = folder.run(&["scan", &file, "--format", "json"]).json();
        assert_eq!(report["artifacts"][0]["kind"], kind);
        let run = folder.run(&["disarm", &file, "-o", "new.bin"]);
        assert_eq!(run.code, 0, "{kind}: {run:?}");
        let new = std::fs::read(folder.path("new.bin")).unwrap();
        let inside = members(&new);
        let names: Vec<&str> = inside.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a.txt", "tool.exe.txt"], "{kind}");
        assert_eq!(inside[0].1, letter, "{kind}");
        let report = folder.run(&["scan", "new.bin", "--format", "json"]).json();
        assert_eq!(report["level"], "clean", "{kind}: {report}");
        let run = folder.run(&["disarm", "new.bin", "-o", "again.zip"]);
        assert_eq!(run.code, 0, "{kind}: {run:?}");
        assert_eq!(std::fs::read(folder.path("again.zip")).unwrap(), new);
        // Without anything bad it stays what it is.
        let harmless = builder(&[("a.txt", letter), ("b.txt", b"one\r\n")]);
        folder.file(&file, &harmless);
        let run = folder.run(&["disarm", &file, "-o", "same.bin"]);
        assert_eq!(run.code, 0, "{kind}: {run:?}");
        assert_eq!(std::fs::read(folder.path("same.bin")).unwrap(), harmless);
        // Not all of it is there: nobody can say what is missing.
        let cut = builder(&[("tool.exe", &program), ("a.txt", letter)]);
        let cut = &cut[..cut.len() - letter.len() / 2 - 30];
        folder.file(&file, cut);
        let run = folder.run(&["disarm", &file, "-o", "cut.bin"]);
        assert_eq!(run.code, 1, "{kind}: {run:?}");
        assert!(!folder.path("cut.bin").exists());
    }
}

#[test]
fn a_program_behind_an_archive_is_seen_beside_its_files() {
    let (letter, program) = (b"The figures of October.\r\n".as_slice(), build::program());
    let folder = Folder::new();
    let inside = arc(&[("tool.exe", &program)]);
    for (data, more) in [
        (inside.clone(), 0),
        (
            [&arc(&[("a.txt", letter)])[..], &[0; 40], &program].concat(),
            1,
        ),
    ] {
        folder.file("a.arc", data);
        let report = folder.run(&["scan", "a.arc", "--format", "json"]).json();
        let ways = report["artifacts"].as_array().unwrap().iter();
        let ways: Vec<&str> = ways.filter_map(|one| one["via"].as_str()).collect();
        let [first, others @ ..] = ways.as_slice() else {
            panic!("{report}");
        };
        assert_eq!(*first, "arc-member");
        assert_eq!(others.len(), more, "{ways:?}");
        assert_eq!(report["findings"][0]["id"], "executable");
    }
}

/// Rich text as the value of a property, not compressed ([MS-OXRTFCP] 2.1.3.1).
fn stored(text: &[u8]) -> Vec<u8> {
    let whole = u32::try_from(text.len() + 12).unwrap();
    [
        &whole.to_le_bytes()[..],
        &size(text),
        b"MELA",
        &[0; 4],
        text,
    ]
    .concat()
}

#[test]
fn rich_text_of_a_message_of_outlook_loses_its_packages() {
    const RICH: u32 = 0x1009_0102;
    let package = objects::embedded("Package", &objects::packaged("tool.exe", &build::program()));
    let object = objects::rtf_object("objemb", "Package", &package);
    let (new, report) = made(
        "a.msg",
        &outlook(RICH, &stored(&objects::rich_text(&object))),
    );
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let mut file = cfb::CompoundFile::open_strict(Cursor::new(new)).unwrap();
    let body = stream(&mut file, "/__substg1.0_10090102");
    let list = stream(&mut file, "/__properties_version1.0");
    assert_eq!(told(&list[24..], RICH), u32::try_from(body.len()).ok());
    assert_eq!(body[8..12], *b"MELA");
    let rich = String::from_utf8(body[16..].to_vec()).unwrap();
    assert!(
        rich.starts_with("{\\rtf1") && rich.contains("Report") && rich.contains("table"),
        "{rich}"
    );
    assert!(!rich.contains("objdata"), "{rich}");
    let folder = Folder::new();
    let harmless = outlook(RICH, &stored(&objects::rich_text("See below\\par")));
    folder.file("a.msg", &harmless);
    let run = folder.run(&["disarm", "a.msg", "-o", "b.msg"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(std::fs::read(folder.path("b.msg")).unwrap(), harmless);
}

#[test]
fn a_block_in_the_text_of_a_message_of_outlook_goes_and_the_text_stays() {
    const WIDE: u32 = 0x1000_001f;
    let body = |name: &str, data: &[u8]| {
        let text = format!("ご確認ください。\r\n\r\n{}以上\r\n", uuencoded(name, data));
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let (new, report) = made(
        "a.msg",
        &outlook(WIDE, &body("tool.exe", &build::program())),
    );
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let mut file = cfb::CompoundFile::open_strict(Cursor::new(new)).unwrap();
    let value = stream(&mut file, "/__substg1.0_1000001F");
    let list = stream(&mut file, "/__properties_version1.0");
    assert_eq!(told(&list[24..], WIDE), u32::try_from(value.len() + 2).ok());
    let text = text(&value);
    assert!(
        text.starts_with("ご確認ください。\r\n\r\n") && text.ends_with("以上\r\n"),
        "{text}"
    );
    assert!(!text.contains("begin 644"), "{text}");
    let folder = Folder::new();
    let harmless = outlook(WIDE, &body("list.txt", b"one\r\ntwo\r\n"));
    folder.file("a.msg", &harmless);
    let run = folder.run(&["disarm", "a.msg", "-o", "b.msg"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(std::fs::read(folder.path("b.msg")).unwrap(), harmless);
}

/// A binary workbook whose sheet has a packed object and a control.
fn workbook(packed: &[u8], control: &str) -> Vec<u8> {
    let bundle = [&[0, 0, 0, 0, 1, 0, 0, 0][..], &wide("rId0"), &wide("Sheet")].concat();
    let book = [
        record(131, &[]),
        record(143, &[]),
        record(156, &bundle),
        record(144, &[]),
        record(132, &[]),
    ];
    let object = [
        &[1, 0, 0, 0, 1, 0, 0, 0, 1, 4, 0, 0, 0, 0][..],
        &wide("Package"),
        &wide("rId0"),
    ];
    let shape = [&[2, 4, 0, 0][..], &wide("rId1"), &wide("Box")];
    let cell = [&[0, 0, 0, 0, 0, 0, 0, 0][..], &4f64.to_le_bytes()].concat();
    let sheet = [
        record(129, &[]),
        record(145, &[]),
        record(0, &[0; 25]),
        record(5, &cell),
        record(146, &[]),
        record(638, &[]),
        record(639, &object.concat()),
        record(640, &[]),
        record(643, &[]),
        record(644, &shape.concat()),
        record(645, &[]),
        record(130, &[]),
    ];
    let kind = |word: &str| format!("{RELATIONS}/{word}");
    let parts = [
        ("xl/workbook.bin", book.concat()),
        (
            "xl/_rels/workbook.bin.rels",
            relationships(&[(&kind("worksheet"), "worksheets/sheet1.bin", false)]),
        ),
        ("xl/worksheets/sheet1.bin", sheet.concat()),
        (
            "xl/worksheets/_rels/sheet1.bin.rels",
            relationships(&[
                (&kind("oleObject"), "../embeddings/oleObject1.bin", false),
                (&kind("control"), "../activeX/activeX1.xml", false),
            ]),
        ),
        ("xl/embeddings/oleObject1.bin", packed.to_vec()),
        ("xl/activeX/activeX1.xml", control.as_bytes().to_vec()),
    ];
    package(
        "application/vnd.ms-excel.sheet.binary.macroEnabled.main",
        "xl/workbook.bin",
        &parts,
    )
}

#[test]
fn packed_objects_and_controls_leave_a_binary_workbook_with_their_records() {
    let control = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\r\n<ax:ocx ax:classid=\"{{{}}}\" ax:persistence=\"persistPropertyBag\" xmlns:ax=\"http://schemas.microsoft.com/office/2006/activeX\"/>",
        objects::TEXT_BOX.to_uppercase()
    );
    let packed = objects::package(objects::NATIVE, "tool.exe", &build::program());
    let (new, report) = made("a.xlsb", &workbook(&packed, &control));
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    let inside = members(&new);
    let part = |name: &str| {
        inside
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, data)| data)
    };
    assert!(part("xl/embeddings/oleObject1.bin").is_none());
    assert!(part("xl/activeX/activeX1.xml").is_none());
    let cell = [&[0, 0, 0, 0, 0, 0, 0, 0][..], &4f64.to_le_bytes()].concat();
    let wanted = [
        record(129, &[]),
        record(145, &[]),
        record(0, &[0; 25]),
        record(5, &cell),
        record(146, &[]),
        record(130, &[]),
    ];
    let sheet = part("xl/worksheets/sheet1.bin").unwrap();
    assert_eq!(*sheet, wanted.concat());
    // Asked for by name, one goes without the other.
    let folder = Folder::new();
    folder.file("a.xlsb", workbook(&packed, &control));
    let only = [
        "disarm",
        "a.xlsb",
        "-o",
        "b.xlsb",
        "--only",
        "activex-control",
    ];
    let run = folder.run(&only);
    assert_eq!(run.code, 0, "{run:?}");
    let inside = members(&std::fs::read(folder.path("b.xlsb")).unwrap());
    let has = |name: &str| inside.iter().any(|(known, _)| known == name);
    assert!(has("xl/embeddings/oleObject1.bin") && !has("xl/activeX/activeX1.xml"));
}

#[test]
fn a_control_that_leaves_nothing_in_its_place_is_told() {
    let document = |frame: &str, properties: &str| {
        let control = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\r\n<ax:ocx ax:classid=\"{{8BD21D40-EC42-11CE-9E0D-00AA006002F3}}\" ax:persistence=\"persistPropertyBag\" xmlns:ax=\"http://schemas.microsoft.com/office/2006/activeX\">{properties}</ax:ocx>"
        );
        let body = format!(
            "{}<w:p><w:r><w:object xmlns:v=\"urn:schemas-microsoft-com:vml\" xmlns:r=\"{RELATIONS}\"><v:shape style=\"width:9pt\">{frame}</v:shape><w:control r:id=\"rId0\" w:name=\"Box\"/></w:object></w:r></w:p>",
            paragraph("Form")
        );
        let parts = [
            (
                "word/_rels/document.xml.rels",
                relationships(&[
                    (
                        &format!("{RELATIONS}/control"),
                        "activeX/activeX1.xml",
                        false,
                    ),
                    (&format!("{RELATIONS}/image"), "media/image1.png", false),
                ]),
            ),
            ("word/activeX/activeX1.xml", control.into_bytes()),
            ("word/media/image1.png", b"\x89PNG\r\n\x1a\n".to_vec()),
        ];
        word(&body, &parts)
    };
    let caption = "<ax:ocxPr ax:name=\"Caption\" ax:value=\"I agree\"/>";
    let told = "word/document.xml: a control that showed neither a picture nor a text";
    for (frame, properties, bare) in [
        ("", "", true),
        ("", caption, false),
        ("<v:imagedata r:id=\"rId1\"/>", "", false),
    ] {
        let folder = Folder::new();
        folder.file("a.docx", document(frame, properties));
        let run = folder.run(&["disarm", "a.docx", "-o", "b.docx"]);
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains("activex-control"), "{run:?}");
        assert_eq!(
            run.stdout.contains(told),
            bare,
            "{frame} {properties}: {run:?}"
        );
    }
}
