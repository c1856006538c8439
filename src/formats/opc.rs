//! Open Packaging Conventions (ECMA-376 part 2, ISO/IEC 29500-2): the content types stream (10.1.2.2, annex D) and
//! relationships parts (9.3).
//!
//! Read as Office reads them: any prefix, either namespace, either kind of quote, UTF-8 or UTF-16, an XML that breaks
//! off. Part names and extensions compare without regard to ASCII case (9.1.1.2). What a relationship's target means
//! is not judged, and targets are not resolved against a file system.

use std::collections::BTreeMap;

use quick_xml::events::{BytesStart, Event};

use super::xml;
use crate::bytes::Deviation;
use crate::limits::{Budget, Halt};
use crate::text;

/// Elements of one part read at the most: packages of tens of thousands of parts exist, of millions do not.
const CEILING: usize = 500_000;

/// Content types of the parts of a package, by extension and by part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ContentTypes {
    /// Lower-case extension to media type.
    pub defaults: BTreeMap<String, String>,
    /// Lower-case part name, starting with a slash, to media type.
    pub overrides: BTreeMap<String, String>,
    /// What was odd; offsets count in the text as UTF-8.
    pub deviations: Vec<Deviation>,
}

/// Where a relationship leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetMode {
    /// To a part of the package.
    Internal,
    /// Out of the package.
    External,
}

/// One relationship.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relationship {
    /// Its id, unique in its part.
    pub id: String,
    /// Its type, a URI; strict and transitional ones differ.
    pub kind: String,
    /// Where it leads, as it stands.
    pub target: String,
    /// Whether that is in the package.
    pub mode: TargetMode,
    /// Where its element starts, in the text as UTF-8.
    pub at: usize,
}

/// The relationships of one part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Relationships {
    /// In the order of the part.
    pub list: Vec<Relationship>,
    /// What was odd; offsets count in the text as UTF-8.
    pub deviations: Vec<Deviation>,
}

impl ContentTypes {
    /// Reads a content types stream.
    pub fn read(xml: &[u8], budget: &Budget) -> Result<Self, Halt> {
        let mut types = Self::default();
        let deviations = elements(xml, budget, |element| {
            let media_type = element.attribute("ContentType");
            match (element.local, media_type) {
                ("Default", Some(media_type)) => {
                    if let Some(extension) = element.attribute("Extension") {
                        let extension = extension.trim_start_matches('.').to_ascii_lowercase();
                        types.defaults.entry(extension).or_insert(media_type);
                    }
                }
                ("Override", Some(media_type)) => {
                    if let Some(part) = element.attribute("PartName") {
                        types
                            .overrides
                            .entry(part_name(&part))
                            .or_insert(media_type);
                    }
                }
                _ => {}
            }
        })?;
        types.deviations = deviations;
        Ok(types)
    }

    /// The media type of a part, by override, else by the extension of its name.
    pub fn of(&self, part: &str) -> Option<&str> {
        let part = part_name(part);
        if let Some(media_type) = self.overrides.get(&part) {
            return Some(media_type);
        }
        let (_, extension) = part.rsplit_once('.')?;
        self.defaults.get(extension).map(String::as_str)
    }
}

impl Relationship {
    /// Last step of the type: `officeDocument`, `attachedTemplate` … whichever namespace it stands in.
    pub fn kind_name(&self) -> &str {
        self.kind
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
    }
}

impl Relationships {
    /// Reads a relationships part.
    pub fn read(xml: &[u8], budget: &Budget) -> Result<Self, Halt> {
        let mut list = Vec::new();
        let deviations = elements(xml, budget, |element| {
            if element.local != "Relationship" {
                return;
            }
            let external = element
                .attribute("TargetMode")
                .is_some_and(|mode| mode.trim().eq_ignore_ascii_case("external"));
            list.push(Relationship {
                id: element.attribute("Id").unwrap_or_default(),
                kind: element.attribute("Type").unwrap_or_default(),
                target: element.attribute("Target").unwrap_or_default(),
                mode: if external {
                    TargetMode::External
                } else {
                    TargetMode::Internal
                },
                at: element.at,
            });
        })?;
        Ok(Self { list, deviations })
    }
}

/// A part name as it is compared: lower case, slashes forward, one in front, `.` and `..` steps taken.
pub fn part_name(name: &str) -> String {
    let mut steps: Vec<&str> = Vec::new();
    for step in name.split(['/', '\\']) {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop();
            }
            step => steps.push(step),
        }
    }
    let mut part = String::with_capacity(name.len().saturating_add(1));
    for step in steps {
        part.push('/');
        part.push_str(&step.to_ascii_lowercase());
    }
    part
}

/// The part that a relationship of `source` leads to: relative to the folder of `source`, which is `/` for the
/// package's own relationships.
pub fn resolve(source: &str, target: &str) -> String {
    let target = target.split('#').next().unwrap_or_default();
    if target.starts_with(['/', '\\']) {
        return part_name(target);
    }
    let folder = source.rsplit_once('/').map_or("", |(folder, _)| folder);
    part_name(&format!("{folder}/{target}"))
}

/// One start tag: its name without prefix, and its attributes on demand.
struct Element<'a> {
    local: &'a str,
    tag: &'a BytesStart<'a>,
    at: usize,
}

impl Element<'_> {
    fn attribute(&self, name: &str) -> Option<String> {
        xml::attribute(self.tag, name)
    }
}

/// Hands every start tag to `see`; a fault of the XML ends the reading and is told.
fn elements(
    xml: &[u8],
    budget: &Budget,
    mut see: impl FnMut(&Element<'_>),
) -> Result<Vec<Deviation>, Halt> {
    let xml = text::to_utf8(xml);
    let mut reader = xml::reader(&xml);
    let mut deviations = Vec::new();
    let mut count = 0usize;
    loop {
        budget.tick()?;
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match reader.read_event() {
            Ok(Event::Start(tag) | Event::Empty(tag)) => {
                count = count.saturating_add(1);
                if count > CEILING {
                    return Err(Halt::Ceiling("relationships or content types"));
                }
                let name = tag.local_name();
                see(&Element {
                    local: name.as_ref(),
                    tag: &tag,
                    at,
                });
            }
            Ok(Event::DocType(_)) => deviations.push(Deviation::new(
                at,
                "document type declaration, which packages may not have",
            )),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                deviations.push(Deviation::new(at, format!("XML: {error}")));
                break;
            }
        }
    }
    Ok(deviations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn budget() -> Budget {
        Budget::new(Limits::default(), None)
    }

    const TYPES: &str = r#"<?xml version="1.0"?><c:Types xmlns:c='http://schemas.openxmlformats.org/package/2006/content-types'>
        <c:Default Extension="XML" ContentType='application/xml'/>
        <c:Override PartName="/Word/document.xml" ContentType="application/x&#45;main&amp;x"/></c:Types>"#;

    #[test]
    fn content_types_are_read_with_any_prefix_quote_case_and_charset() {
        let types = ContentTypes::read(TYPES.as_bytes(), &budget()).unwrap();
        assert_eq!(types.of("word/Document.xml"), Some("application/x-main&x"));
        assert_eq!(types.of("/other.xml"), Some("application/xml"));
        assert_eq!(types.of("/other.bin"), None);
        assert_eq!(types.deviations, []);
        let utf16: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(TYPES.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(ContentTypes::read(&utf16, &budget()).unwrap(), types);
    }

    #[test]
    fn xml_that_breaks_off_gives_what_came_before_and_says_so() {
        let cut = TYPES.split_at(TYPES.find("x&#45").unwrap()).0;
        let types = ContentTypes::read(cut.as_bytes(), &budget()).unwrap();
        assert_eq!(types.defaults.len(), 1);
        assert_eq!(types.deviations.len(), 1);
    }

    #[test]
    fn relationships_keep_their_mode_and_targets_resolve_against_their_source() {
        let xml = r#"<Relationships xmlns="x"><Relationship Id='r1' Type="http://purl.oclc.org/ooxml/officeDocument/relationships/attachedTemplate"
            Target="http://192.0.2.1/a.dotm?a=1&b=2" TargetMode=" external "/><Relationship Id="r2" Target="../media/a.png"></Relationship></Relationships>"#;
        let relations = Relationships::read(xml.as_bytes(), &budget()).unwrap();
        let [template, picture] = relations.list.as_slice() else {
            panic!("two relationships");
        };
        assert_eq!(template.mode, TargetMode::External);
        assert_eq!(template.kind_name(), "attachedTemplate");
        assert_eq!(template.target, "http://192.0.2.1/a.dotm?a=1&b=2");
        assert_eq!(picture.mode, TargetMode::Internal);
        assert_eq!(
            resolve("/word/document.xml", &picture.target),
            "/media/a.png"
        );
        assert_eq!(resolve("/", "word\\Document.xml"), "/word/document.xml");
    }
}
