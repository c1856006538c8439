//! Office documents as one XML file: WordprocessingML 2003 and SpreadsheetML 2003 edited as text, Flat OPC (ECMA-376
//! part 2 as Word saves it) as the package that it stands for.
//!
//! A Flat OPC becomes a package, the package is disarmed as any other, and what it lost or changed is carried back: parts
//! that do not change stay byte for byte.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::asked::{Asked, COMMANDS, Log, MACROS, OBJECTS, OUTSIDE, PACKAGES, PROGRAMS, SHEETS};
use super::members::{self, Packed};
use super::ooxml::links::Outward;
use super::ooxml::{self, objects};
use super::outline::{Edits, Node, Outline, Source, escape};
use super::{Disarmed, Disarmer, FindingId, Job, Refusal};
use crate::formats::base64;
use crate::formats::ole::is_compound;
use crate::formats::opc;
use crate::limits::Budget;
use crate::model::Kind;
use crate::rewrite::mail;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "office_xml",
    kinds: &[Kind::FlatOpc, Kind::Word2003Xml, Kind::Excel2003Xml],
    findings: &[
        MACROS, SHEETS, COMMANDS, PACKAGES, PROGRAMS, OBJECTS, OUTSIDE,
    ],
    run,
};

fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    match job.kind {
        Kind::FlatOpc => flat(job, budget),
        _ => super::settled(job, budget, once),
    }
}

fn source(data: &Bytes) -> Result<Source<'_>, Refusal> {
    Source::read(data).ok_or_else(|| Refusal::Broken("it is no XML".to_owned()))
}

/// One turn over a document of the year 2003.
fn once(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let asked = Asked::of(job);
    let mut log = Log::default();
    let source = source(job.data)?;
    let outline = Outline::read(&source.text, budget)?;
    let mut edits = Edits::default();
    let outward = Outward::read(&source.text, &|id| job.remove.contains(id), budget)?;
    outward.cut(&outline, &mut edits);
    for (id, what) in &outward.found {
        log.add(&FindingId::Borrowed(id), what);
    }
    let macros = asked.first(&[MACROS, COMMANDS]);
    let objects = asked.first(&[PACKAGES, PROGRAMS, OBJECTS, COMMANDS, SHEETS]);
    for node in &outline.nodes {
        budget.tick().map_err(Refusal::Limit)?;
        let name = outline.local(node);
        let finding = match name {
            // Macros and what belongs to them; data of objects; an object itself, whose picture stands beside it.
            "docSuppData" => &macros,
            "docOleData" | "OLEObject" | "ocx" => &objects,
            "binData" | "binaryData" => match held(outline.inside(node), budget)? {
                Held::Macros => &macros,
                Held::Object => &objects,
                Held::Other => &None,
            },
            _ => &None,
        };
        if let Some(finding) = finding {
            edits.delete(node.whole());
            log.add(finding, &format!("{name} at {}", node.open.start));
        }
        if let Some(finding) = &macros
            && let Some(claim) = outline.attribute(node, "macrosPresent")
            && claim.value != "no"
        {
            edits.replace(claim.inside, "no");
            log.add(finding, "claim of macros");
        }
    }
    let edited = edits.apply(&source.text)?;
    budget.spend(edited.len()).map_err(Refusal::Limit)?;
    Ok(log.ended(job, || source.written(edited).into()))
}

/// What base64 in a document holds.
enum Held {
    Macros,
    Object,
    /// A picture, or what is none of these.
    Other,
}

fn held(text: &str, budget: &Budget) -> Result<Held, Refusal> {
    let data = base64::decode(text.as_bytes()).data;
    budget.spend(data.len()).map_err(Refusal::Limit)?;
    Ok(match () {
        () if data.starts_with(b"ActiveMime") => Held::Macros,
        () if is_compound(&data) || objects::is_program(&data, budget) => Held::Object,
        () => Held::Other,
    })
}

/// A part of a Flat OPC.
struct Part<'o> {
    name: String,
    node: &'o Node,
    /// The element with its content, and whether that is base64.
    content: &'o Node,
    binary: bool,
    media_type: String,
    data: Vec<u8>,
}

fn flat(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let source = source(job.data)?;
    let outline = Outline::read(&source.text, budget)?;
    let parts = parts(&outline, budget)?;
    let package = package(&parts, budget)?;
    let kind = Kind::Ooxml;
    let disarmed = (ooxml::ROW.run)(
        &Job {
            data: &package,
            kind,
            ..*job
        },
        budget,
    )?;
    let mut account = members::account(&disarmed.data);
    let mut left: BTreeMap<String, Bytes> = BTreeMap::new();
    for mut member in members::read(&disarmed.data, members::Locked::Refused, budget)? {
        let name = opc::part_name(&member.text);
        left.insert(name, member.content(budget, &mut account)?);
    }
    let types = left.get("/[content_types].xml").cloned();
    let types = opc::ContentTypes::read(&types.unwrap_or_default(), budget);
    let types = types.map_err(Refusal::Limit)?;
    let mut edits = Edits::default();
    for part in &parts {
        budget.tick().map_err(Refusal::Limit)?;
        let Some(new) = left.get(&opc::part_name(&part.name)) else {
            edits.delete(part.node.whole());
            continue;
        };
        if new.as_ref() != part.data {
            edits.replace(part.content.inside(), &carried(new, part.binary));
        }
        let media_type = types.of(&opc::part_name(&part.name)).unwrap_or_default();
        if let Some(told) = outline.attribute(part.node, "contentType")
            && !media_type.is_empty()
            && !media_type.eq_ignore_ascii_case(&part.media_type)
        {
            edits.replace(told.inside, &escape(media_type));
        }
    }
    let edited = edits.apply(&source.text)?;
    budget.spend(edited.len()).map_err(Refusal::Limit)?;
    Ok(Disarmed {
        data: source.written(edited).into(),
        removed: disarmed.removed,
    })
}

/// The content of a part as it stands in a Flat OPC.
fn carried(data: &[u8], binary: bool) -> String {
    if binary {
        return String::from_utf8_lossy(&mail::base64(data, b"\n")).into_owned();
    }
    let text = String::from_utf8_lossy(data);
    let text = text.trim_start_matches('\u{feff}');
    match text
        .strip_prefix("<?xml")
        .and_then(|rest| rest.split_once("?>"))
    {
        Some((_, rest)) => rest.trim_start().to_owned(),
        None => text.to_owned(),
    }
}

fn parts<'o>(outline: &'o Outline<'_>, budget: &Budget) -> Result<Vec<Part<'o>>, Refusal> {
    let mut found = Vec::new();
    for (at, node) in outline.named("part") {
        budget.tick().map_err(Refusal::Limit)?;
        let top = node.parent.and_then(|parent| outline.nodes.get(parent));
        if top.is_none_or(|top| top.parent.is_some()) {
            continue;
        }
        let value = |name: &str| {
            let found = outline.attribute(node, name);
            found.map(|one| one.value.into_owned()).unwrap_or_default()
        };
        let rest = outline
            .nodes
            .get(at.saturating_add(1)..)
            .unwrap_or_default();
        let end = node.whole().end;
        let mut inner = rest.iter().take_while(|inner| inner.open.start < end);
        let content = inner.find(|inner| {
            inner.parent == Some(at) && matches!(outline.local(inner), "xmlData" | "binaryData")
        });
        let name = value("name");
        let Some(content) = content.filter(|_| !name.is_empty()) else {
            return Err(Refusal::Broken(format!("the part {name} has no content")));
        };
        let binary = outline.local(content) == "binaryData";
        let text = outline.inside(content);
        let data = match binary {
            true => base64::decode(text.as_bytes()).data,
            false => text.as_bytes().to_vec(),
        };
        budget.spend(data.len()).map_err(Refusal::Limit)?;
        found.push(Part {
            name,
            node,
            content,
            binary,
            media_type: value("contentType"),
            data,
        });
    }
    Ok(found)
}

/// The package that a Flat OPC stands for.
fn package(parts: &[Part<'_>], budget: &Budget) -> Result<Bytes, Refusal> {
    let mut types = String::from(
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>",
    );
    let mut members = Vec::new();
    for part in parts {
        types.push_str(&format!(
            "<Override PartName=\"{}\" ContentType=\"{}\"/>",
            escape(&part.name),
            escape(&part.media_type)
        ));
        members.push(Packed::new(part.name.trim_start_matches('/'), &part.data)?);
    }
    types.push_str("</Types>");
    members.push(Packed::new("[Content_Types].xml", types.as_bytes())?);
    members::write(&members, budget)
}

#[cfg(test)]
mod tests {
    use super::super::tests::run_on;
    use super::*;

    #[test]
    fn macros_of_2003_go_with_the_claim_of_them() {
        let text = "<?xml version=\"1.0\"?><w:wordDocument w:macrosPresent=\"yes\"><w:docSuppData><w:binData w:name=\"editdata.mso\">QWN0aXZlTWltZQ==</w:binData></w:docSuppData><w:body><w:p/></w:body></w:wordDocument>";
        let made = run_on(&ROW, Kind::Word2003Xml, text.as_bytes(), &["vba-macro"]).unwrap();
        assert_eq!(
            made.data,
            "<?xml version=\"1.0\"?><w:wordDocument w:macrosPresent=\"no\"><w:body><w:p/></w:body></w:wordDocument>"
        );
        let other = run_on(&ROW, Kind::Word2003Xml, text.as_bytes(), &["ole-package"]).unwrap();
        assert_eq!(other.data, text);
    }

    #[test]
    fn formulas_of_2003_that_start_something_go_and_values_stay() {
        let text = "<Workbook><Worksheet><Table><Row><Cell ss:Formula=\"=cmd|'/c calc'!A0\"><Data>1</Data></Cell><Cell ss:Formula=\"=1+1\"/></Row></Table></Worksheet></Workbook>";
        let made = run_on(&ROW, Kind::Excel2003Xml, text.as_bytes(), &["dde-link"]).unwrap();
        assert_eq!(
            made.data,
            "<Workbook><Worksheet><Table><Row><Cell><Data>1</Data></Cell><Cell ss:Formula=\"=1+1\"/></Row></Table></Worksheet></Workbook>"
        );
    }

    #[test]
    fn a_flat_package_loses_its_project_and_what_names_it() {
        let part = |name: &str, media_type: &str, xml: &str| {
            format!(
                "<pkg:part pkg:name=\"{name}\" pkg:contentType=\"{media_type}\"><pkg:xmlData>{xml}</pkg:xmlData></pkg:part>"
            )
        };
        let rels = "application/vnd.openxmlformats-package.relationships+xml";
        let relation = |kind: &str, target: &str| {
            format!(
                "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"{kind}\" Target=\"{target}\"/></Relationships>"
            )
        };
        let office =
            "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument";
        let project = "http://schemas.microsoft.com/office/2006/relationships/vbaProject";
        let main = "application/vnd.ms-word.document.macroEnabled.main+xml";
        let body = part(
            "/word/document.xml",
            main,
            "<w:document xmlns:w=\"w\"><w:body><w:p/></w:body></w:document>",
        );
        let text = format!(
            "<?xml version=\"1.0\"?><pkg:package xmlns:pkg=\"p\">{}{body}{}<pkg:part pkg:name=\"/word/vbaProject.bin\" pkg:contentType=\"application/vnd.ms-office.vbaProject\"><pkg:binaryData>0M8R4KGxGuE=</pkg:binaryData></pkg:part></pkg:package>",
            part("/_rels/.rels", rels, &relation(office, "word/document.xml")),
            part(
                "/word/_rels/document.xml.rels",
                rels,
                &relation(project, "vbaProject.bin")
            ),
        );
        let made = run_on(&ROW, Kind::FlatOpc, text.as_bytes(), &["vba-macro"]).unwrap();
        let made = String::from_utf8(made.data.to_vec()).unwrap();
        assert!(!made.contains("vbaProject"), "{made}");
        assert!(made.contains(&body), "{made}");
    }
}
