//! Documents that are one XML file: what LibreOffice writes as such of documents with macros and objects, and packages of
//! Word in their flat form. LibreOffice is the judge of what is left.

use std::io::{Cursor, Read as _, Write as _};
use std::path::PathBuf;

use sekisho::engine::Worker;
use sekisho::formats::base64;
use sekisho::model::Kind;

use crate::bench::{engine, scan};
use crate::corpus;
use crate::disarm_formats::check;
use crate::office_opens::{differences, written_as};
use crate::support::Folder;

/// A package as one file (ECMA-376 part 2 as Word saves it).
fn flat(package: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    let names: Vec<String> = archive
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    let mut read = |name: &str| {
        let mut data = Vec::new();
        archive
            .by_name(name)
            .unwrap()
            .read_to_end(&mut data)
            .unwrap();
        data
    };
    let types = String::from_utf8(read("[Content_Types].xml")).unwrap();
    let media_type = |name: &str| {
        let of = |key: &str| {
            let at = types.find(key)?;
            let rest = &types[at..];
            let rest = &rest[rest.find("ContentType=\"")? + 13..];
            Some(rest.split('"').next()?.to_owned())
        };
        let extension = name.rsplit('.').next().unwrap();
        of(&format!("PartName=\"/{name}\"")).or_else(|| of(&format!("Extension=\"{extension}\"")))
    };
    let mut out = "<?xml version=\"1.0\" standalone=\"yes\"?>\n<?mso-application progid=\"Word.Document\"?>\n<pkg:package xmlns:pkg=\"http://schemas.microsoft.com/office/2006/xmlPackage\">".to_owned();
    for name in names {
        if name.ends_with('/') || name == "[Content_Types].xml" {
            continue;
        }
        let data = read(&name);
        let media_type = media_type(&name).unwrap_or_else(|| "application/octet-stream".to_owned());
        out += &format!("<pkg:part pkg:name=\"/{name}\" pkg:contentType=\"{media_type}\">");
        match std::str::from_utf8(&data) {
            Ok(text) if media_type.ends_with("xml") => {
                let body = text.trim_start_matches('\u{feff}');
                let body = match body.strip_prefix("<?xml") {
                    Some(rest) => rest.split_once("?>").unwrap().1,
                    None => body,
                };
                out += &format!("<pkg:xmlData>{}</pkg:xmlData>", body.trim_start());
            }
            _ => out += &format!("<pkg:binaryData>{}</pkg:binaryData>", base64::encode(&data)),
        }
        out += "</pkg:part>";
    }
    out + "</pkg:package>"
}

/// A member of a zip.
fn member(package: &[u8], name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    let mut data = Vec::new();
    let mut member = archive.by_name(name).unwrap();
    member.read_to_end(&mut data).unwrap();
    data
}

/// A project in the wrapper that Word puts around it: a head of 50 bytes, then zlib.
fn wrapped(project: &[u8]) -> Vec<u8> {
    let mut head = b"ActiveMime".to_vec();
    head.resize(0x32, 0);
    head[0x1e] = 4;
    let mut encoder = flate2::write::ZlibEncoder::new(head, flate2::Compression::default());
    encoder.write_all(project).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn flat_documents_lose_what_is_active_and_open_as_before() {
    let Some(corpus) = corpus::folder() else {
        return;
    };
    let office = corpus.join("office");
    let source = |name: &str| office.join(name);
    let folder = Folder::new();
    let texts: Vec<PathBuf> = [
        "odf/tika__testODTMacro.odt",
        "ole-package/oletools__embedded-simple-2007.docx",
        "ole-package/strelka__test_pe_object.doc",
    ]
    .map(source)
    .to_vec();
    let sheets: Vec<PathBuf> = [
        "odf/tika__testODSMacro.ods",
        "ole-package/oletools__embedded-simple-2007.xlsx",
    ]
    .map(source)
    .to_vec();
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    for (format, extension, sources) in [("fodt", "fodt", &texts), ("fods", "fods", &sheets)] {
        written_as(&folder, format, sources);
        for path in sources {
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            let name = format!("{stem}.{extension}");
            if let Ok(data) = std::fs::read(folder.path(&name)) {
                files.push((name, data));
            }
        }
    }
    // LibreOffice keeps no macros in this format: a project as Word keeps it is put in.
    let word = source("vba/poi__SimpleMacro.docm");
    written_as(&folder, "xml:MS Word 2003 XML", std::slice::from_ref(&word));
    if let Ok(text) = std::fs::read_to_string(folder.path("poi__SimpleMacro.xml")) {
        let project = base64::encode(&wrapped(&member(
            &std::fs::read(&word).unwrap(),
            "word/vbaProject.bin",
        )));
        let supplement = format!(
            "<w:docSuppData><w:binData w:name=\"editdata.mso\">{project}</w:binData></w:docSuppData><w:body>"
        );
        let text = text.replacen("<w:body>", &supplement, 1);
        files.push(("poi__SimpleMacro.xml".to_owned(), text.into_bytes()));
    }
    for name in [
        "vba/poi__SimpleMacro.docm",
        "vba/poi__SimpleMacro.xlsm",
        "ole-package/oletools__embedded-simple-2007.docx",
    ] {
        if let Ok(data) = std::fs::read(source(name)) {
            let name = name.replace(['/', '.'], "-");
            files.push((format!("{name}.xml"), flat(&data).into_bytes()));
        }
    }
    let path = source("dde/oletools__dde-in-excel2003.xml");
    files.push((
        "dde-in-excel2003.xml".to_owned(),
        std::fs::read(path).unwrap(),
    ));
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let (mut pairs, mut wrong) = (Vec::new(), Vec::new());
    for (name, data) in files {
        match check(&mut worker, &name, data) {
            Ok(pair) => pairs.extend(pair),
            Err(what) => wrong.push(what),
        }
    }
    wrong.extend(differences(&pairs).unwrap_or_default());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let of = |kind: Kind| pairs.iter().filter(|pair| pair.kind == kind).count();
    assert!(of(Kind::FlatOpc) == 3 && of(Kind::Excel2003Xml) == 1);
    println!(
        "{} flat documents, {} of them Flat ODF, {} of Word 2003",
        pairs.len(),
        of(Kind::FlatOdf),
        of(Kind::Word2003Xml)
    );
}

/// The objects of a flat document are files in it, whoever wrote it.
#[test]
fn objects_in_flat_documents_are_found() {
    let object = std::fs::read("testdata/findings/ole-package-executable/hit.docx").unwrap();
    let data = member(&object, "word/embeddings/oleObject1.bin");
    let document = |inside: &str| {
        format!(
            "<?xml version=\"1.0\"?><office:document xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\" xmlns:draw=\"urn:oasis:names:tc:opendocument:xmlns:drawing:1.0\" xmlns:text=\"urn:oasis:names:tc:opendocument:xmlns:text:1.0\" office:mimetype=\"application/vnd.oasis.opendocument.text\"><office:body><office:text><text:p><draw:frame>{inside}</draw:frame></text:p></office:text></office:body></office:document>"
        )
    };
    let engine = engine();
    let mut worker = Worker::new(&engine);
    let held = base64::encode(&data);
    let hit = document(&format!(
        "<draw:object-ole><office:binary-data>{held}</office:binary-data></draw:object-ole>"
    ));
    let report = scan(&mut worker, "a.fodt", hit.into_bytes());
    assert_eq!(report.artifacts[0].kind, Kind::FlatOdf);
    let found = |id: &str| report.findings.iter().any(|one| one.id == id);
    assert!(
        found("ole-package") && found("ole-package-executable"),
        "{:?}",
        report.findings
    );
    let picture =
        base64::encode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x02\0\0\0");
    let miss = document(&format!(
        "<draw:image><office:binary-data>{picture}</office:binary-data></draw:image>"
    ));
    let report = scan(&mut worker, "a.fodt", miss.into_bytes());
    assert!(
        report.complete && report.findings.is_empty(),
        "{:?}",
        report.findings
    );
}
