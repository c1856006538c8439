//! Compiled help whose files are compressed: whole, cut, lying.

use sekisho::engine::Worker;
use sekisho::model::{Level, Report};

use crate::bench;
use crate::build_archives::chm;

const PAGE: &[u8] = b"<html><body><OBJECT classid=\"clsid:adb880a6-d8ff-11cf-9377-00aa003b7a11\">\
    <PARAM name=\"Command\" value=\"ShortCut\"><PARAM name=\"Item1\" value=\",powershell.exe,-w hidden -c calc\"></OBJECT></body></html>";

fn scan(name: &str, data: &[u8]) -> Report {
    let engine = bench::engine();
    bench::scan(&mut Worker::new(&engine), name, data.to_vec())
}

fn found(report: &Report, id: &str) -> bool {
    report.findings.iter().any(|finding| finding.id == id)
}

#[test]
fn a_page_that_starts_a_program_is_found_in_the_compressed_section() {
    let report = scan("\u{8aac}\u{660e}.chm", &chm("\u{6982}\u{8981}.htm", PAGE));
    assert_eq!(report.level, Level::Malicious, "{:?}", report.findings);
    assert!(report.complete);
    assert!(
        report
            .artifacts
            .iter()
            .any(|artifact| artifact.label() == "\u{6982}\u{8981}.htm")
    );
    let harmless = scan("help.chm", &chm("a.htm", b"<html><p>how to</p></html>"));
    assert_eq!(harmless.level, Level::Clean, "{:?}", harmless.findings);
    assert!(harmless.complete);
}

#[test]
fn what_cannot_be_decoded_is_told() {
    let whole = chm("a.htm", PAGE);
    let cut = scan("cut.chm", &whole[..whole.len() - 200]);
    assert!(found(&cut, "malformed-container"), "{:?}", cut.findings);
    let mut window = whole.clone();
    let at = memchr::memmem::find(&window, b"LZXC").unwrap();
    window[at + 12] = 3;
    let window = scan("window.chm", &window);
    assert!(
        found(&window, "malformed-container"),
        "{:?}",
        window.findings
    );
    let mut size = whole.clone();
    let at = memchr::memmem::rfind(&size, b"/a.htm").unwrap();
    // Its length: three groups of seven bits behind section and offset.
    size[at + 10..at + 13].copy_from_slice(&[0xff, 0xff, 0x7f]);
    let size = scan("size.chm", &size);
    assert!(!size.complete, "{:?}", size.findings);
}
