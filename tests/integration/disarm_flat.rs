//! Documents that are one XML file.

use std::io::{Cursor, Read as _};

use sekisho::engine::Worker;
use sekisho::formats::base64;
use sekisho::model::Kind;

use crate::bench::{engine, scan};

/// A member of a zip.
fn member(package: &[u8], name: &str) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(package)).unwrap();
    let mut data = Vec::new();
    let mut member = archive.by_name(name).unwrap();
    member.read_to_end(&mut data).unwrap();
    data
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
