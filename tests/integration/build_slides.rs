//! Fixtures of presentations whose buttons start a program, and of some whose buttons do not.

use crate::build::compound;
use crate::build_links::{package, relationships};
use crate::fixtures::Fixture;

const SHOW: &str =
    "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const SLIDES: &str = "http://schemas.openxmlformats.org/presentationml/2006/main";
const DRAWING: &str = "http://schemas.openxmlformats.org/drawingml/2006/main";

/// A presentation of one slide with a button, whose action leads to a target.
fn slides(element: &str, action: &str, target: &str) -> Vec<u8> {
    let show = format!(
        "<p:presentation xmlns:p=\"{SLIDES}\" xmlns:r=\"{RELATIONS}\"><p:sldIdLst><p:sldId id=\"256\" r:id=\"rId0\"/></p:sldIdLst>\
         <p:sldSz cx=\"9144000\" cy=\"6858000\"/><p:notesSz cx=\"6858000\" cy=\"9144000\"/></p:presentation>"
    );
    let slide = format!(
        "<p:sld xmlns:p=\"{SLIDES}\" xmlns:a=\"{DRAWING}\" xmlns:r=\"{RELATIONS}\"><p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id=\"1\" name=\"\"/>\
         <p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/><p:sp><p:nvSpPr><p:cNvPr id=\"2\" name=\"Button\">\
         <a:{element} r:id=\"rId0\" action=\"{action}\"/></p:cNvPr><p:cNvSpPr/><p:nvPr/></p:nvSpPr>\
         <p:spPr><a:xfrm><a:off x=\"900000\" y=\"900000\"/><a:ext cx=\"3000000\" cy=\"900000\"/></a:xfrm><a:prstGeom prst=\"rect\"><a:avLst/></a:prstGeom></p:spPr>\
         <p:txBody><a:bodyPr/><a:p><a:r><a:t>Calculate</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
    );
    let parts = [
        ("ppt/presentation.xml", show.into_bytes()),
        (
            "ppt/_rels/presentation.xml.rels",
            relationships(&[(&format!("{RELATIONS}/slide"), "slides/slide1.xml", false)]),
        ),
        ("ppt/slides/slide1.xml", slide.into_bytes()),
        (
            "ppt/slides/_rels/slide1.xml.rels",
            relationships(&[(&format!("{RELATIONS}/hyperlink"), target, true)]),
        ),
    ];
    package(SHOW, "ppt/presentation.xml", &parts)
}

/// A record of a document stream ([MS-PPT] 2.3.1).
fn record(version: u16, kind: u16, body: &[u8]) -> Vec<u8> {
    let mut out = version.to_le_bytes().to_vec();
    out.extend(kind.to_le_bytes());
    out.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
    out.extend(body);
    out
}

/// The records of a button with an action (2.8.2), and of the address that it leads to (2.10.18).
fn presentation(action: u8, target: &str) -> Vec<u8> {
    let target: Vec<u8> = target.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let address = [
        record(0, 0x0fd3, &7u32.to_le_bytes()),
        record(1 << 4, 0x0fba, &target),
    ];
    let list = record(0xf, 0x0409, &record(0xf, 0x0fd7, &address.concat()));
    let mut click = vec![0, 0, 0, 0, 7, 0, 0, 0, action];
    click.resize(16, 0);
    let click = record(0xf, 0x0ff2, &record(0, 0x0ff3, &click));
    let document = [record(0xf, 0x03e8, &list), record(0xf, 0x03ee, &click)].concat();
    let user = record(0, 0x0ff6, &[0; 20]);
    compound(&[
        ("PowerPoint Document".to_owned(), document),
        ("Current User".to_owned(), user),
    ])
}

/// Fixtures of slides with buttons.
pub(crate) fn fixtures() -> Vec<Fixture> {
    const JUMP: &str = "ppaction://hlinksldjump";
    vec![
        (
            "findings/external-object-link/hit.started-program.pptx",
            slides(
                "hlinkClick",
                "ppaction://program",
                "file:///C:\\Windows\\System32\\calc.exe",
            ),
        ),
        (
            "findings/external-object-link/hit-hover.started-program.pptx",
            slides("hlinkMouseOver", " &#112;PAction://program", "calc.exe"),
        ),
        (
            "findings/external-object-link/hit.started-program.ppt",
            presentation(2, "C:\\Windows\\System32\\calc.exe"),
        ),
        (
            "findings/external-object-link/miss.pptx",
            slides("hlinkClick", JUMP, "file:///C:\\Figures\\2026.xlsx"),
        ),
        (
            "findings/external-object-link/miss.ppt",
            presentation(4, "C:\\Figures\\2026.xlsx"),
        ),
    ]
}
