//! Office documents as one XML file: Flat OPC (ECMA-376 part 2 as Word saves it), WordprocessingML 2003,
//! SpreadsheetML 2003, OpenDocument as one file (ODF 1.3 part 1, 2.1.2), HWPML.
//!
//! Elements are told by their local name, whatever prefix a writer chose. Base64 in `binaryData`, `binData` and
//! `binary-data` is a child; so is the XML of a Flat OPC part, where nothing needs decoding. Entities that a document declares itself
//! are not resolved: Office refuses documents with a DTD.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::bytes::index;
use crate::formats::base64;
use crate::formats::ole::is_compound;
use crate::formats::xml::attribute;
use crate::model::{Artifact, Fact, Kind, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Where an encoding declaration stands at the latest.
const DECLARATION: usize = 256;

/// Pushes every part. What was found before broken XML stands.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = artifact.data.as_ref();
    let text = decoded(data);
    let source = match &text {
        Cow::Borrowed(text) => Source::Slice(data.len().saturating_sub(text.len())),
        Cow::Owned(text) => {
            nest.budget().spend(text.len())?;
            Source::Copy(Bytes::copy_from_slice(text.as_bytes()))
        }
    };
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut parts = Parts {
        artifact,
        source,
        name: None,
        binary: None,
        xml: None,
    };
    // Ends because every event takes at least one byte, and an error ends it.
    loop {
        nest.tick()?;
        let before = index(reader.buffer_position());
        let event = match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(error) => {
                let at = index(reader.error_position());
                nest.unread(at, text::excerpt(&format!("XML: {error}")));
                break;
            }
        };
        let after = index(reader.buffer_position());
        parts.take(&event, before..after, nest)?;
    }
    // What was open when the text ended is read as far as it goes.
    parts.close_binary(nest)
}

/// Where the XML text lies: in the artifact behind a mark, or in a decoded copy.
enum Source {
    Slice(usize),
    Copy(Bytes),
}

/// The text of the element at hand.
struct Binary {
    text: String,
    name: Option<String>,
    form: Form,
}

/// What such a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Base64,
    /// Base64 of deflated bytes, as HWPML has it.
    Deflated,
    /// A script of HWPML.
    Script,
}

struct Parts<'a> {
    artifact: &'a Artifact,
    source: Source,
    /// Name of the part at hand.
    name: Option<String>,
    binary: Option<Binary>,
    /// Start of the XML of the part at hand, and how many elements of that name are open.
    xml: Option<(usize, u32)>,
}

impl Parts<'_> {
    /// Takes an event that spans `range` of the text.
    fn take(
        &mut self,
        event: &Event<'_>,
        range: Range<usize>,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        match event {
            Event::Start(start) => self.start(start, range.end, nest),
            Event::End(end) => self.end(end.local_name().as_ref(), range.start, nest),
            Event::Text(text) => self.append(text),
            Event::CData(text) => self.append(text),
            Event::GeneralRef(entity) => {
                if self.binary.is_some() {
                    match resolve(entity) {
                        Some(text) => return self.append(&text),
                        None => nest.deviation(
                            range.start,
                            text::excerpt(&format!("XML: entity {:?} is not resolved", &**entity)),
                        ),
                    }
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn start(
        &mut self,
        start: &BytesStart<'_>,
        at: usize,
        nest: &mut Nest<'_>,
    ) -> Result<(), Trouble> {
        match local(start.local_name().as_ref()).as_str() {
            "part" => self.name = attribute(start, "name"),
            "xmldata" => {
                self.xml = Some(match self.xml {
                    Some((from, depth)) => (from, depth.saturating_add(1)),
                    None => (at, 0),
                });
            }
            element @ ("binarydata" | "bindata" | "binary-data" | "scriptsource") => {
                self.close_binary(nest)?;
                let deflated = attribute(start, "Compress").is_some_and(|told| told == "true");
                self.binary = Some(Binary {
                    text: String::new(),
                    name: attribute(start, "name").or_else(|| self.name.clone()),
                    form: match element {
                        "scriptsource" => Form::Script,
                        _ if deflated => Form::Deflated,
                        _ => Form::Base64,
                    },
                });
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, name: &str, at: usize, nest: &mut Nest<'_>) -> Result<(), Trouble> {
        match local(name).as_str() {
            "part" => self.name = None,
            "xmldata" => match self.xml {
                Some((from, 0)) => {
                    self.xml = None;
                    self.push_xml(from..at, nest)?;
                }
                Some((from, depth)) => self.xml = Some((from, depth.saturating_sub(1))),
                None => {}
            },
            "binarydata" | "bindata" | "binary-data" | "scriptsource" => {
                self.close_binary(nest)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn append(&mut self, text: &str) -> Result<(), Trouble> {
        if let Some(binary) = &mut self.binary {
            binary.text.push_str(text);
        }
        Ok(())
    }

    fn close_binary(&mut self, nest: &mut Nest<'_>) -> Result<(), Trouble> {
        let Some(binary) = self.binary.take() else {
            return Ok(());
        };
        if binary.form == Form::Script {
            if !binary.text.trim().is_empty() {
                let child = Child::new("hwp-script", binary.text.into_bytes());
                nest.push(child.of_kind(Kind::Js))?;
            }
            return Ok(());
        }
        let got = base64::decode(binary.text.as_bytes());
        if got.junk > 0 {
            nest.note(Fact::Deviation {
                at: None,
                what: format!("XML: {} characters in base64 are none of it", got.junk),
            });
        }
        if got.data.is_empty() {
            return Ok(());
        }
        let mut data = Payload::from(got.data);
        let mut fault = None;
        if let (Form::Deflated, Payload::Unpaid(packed)) = (binary.form, &data) {
            let decoded = nest.inflate(packed, 0, flate2::bufread::DeflateDecoder::new);
            fault = decoded.fault;
            let plain = Bytes::from(decoded.data);
            // An object has its length in front.
            let object = plain.get(4..).is_some_and(is_compound);
            data = Payload::Paid(if object { plain.slice(4..) } else { plain });
        }
        let mut child = Child::new("xml-part", data);
        if let Some(name) = binary.name {
            child = child.named(Name::of(name));
        }
        nest.push_decoded(child, fault, "HWPML data")?;
        Ok(())
    }

    fn push_xml(&self, range: Range<usize>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
        let child = match &self.source {
            Source::Slice(mark) => {
                let start = range.start.saturating_add(*mark);
                let end = range.end.saturating_add(*mark);
                if start >= end || end > self.artifact.data.len() {
                    return Ok(());
                }
                Child::new("xml-part", self.artifact.data.slice(start..end)).at(start..end)
            }
            Source::Copy(text) => {
                if range.start >= range.end || range.end > text.len() {
                    return Ok(());
                }
                Child::new("xml-part", text.slice(range))
            }
        };
        let child = match &self.name {
            Some(name) => child.named(Name::of(name.clone())),
            None => child,
        };
        nest.push(child)?;
        Ok(())
    }
}

/// A local name to compare; XML tells upper and lower case apart, and a lie in case costs nothing to look into.
fn local(name: &str) -> String {
    let name = name.get(..16).unwrap_or(name);
    name.to_ascii_lowercase()
}

/// The text of a character reference or a predefined entity.
fn resolve(entity: &str) -> Option<String> {
    let Some(number) = entity.strip_prefix('#') else {
        return quick_xml::escape::resolve_predefined_entity(entity).map(str::to_owned);
    };
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code).map(String::from)
}

/// The text: by mark or look where it is Unicode, else as its declaration says.
pub(super) fn decoded(data: &[u8]) -> Cow<'_, str> {
    let sniffed = text::sniff(data);
    if sniffed.is_none_or(|charset| charset.mark == 0)
        && let Some(label) = declared(data)
        && let Some(encoding) = text::encoding(label)
        && encoding.is_ascii_compatible()
        && encoding != encoding_rs::UTF_8
        && !data.is_ascii()
    {
        return encoding.decode_without_bom_handling(data).0;
    }
    text::to_utf8(data)
}

/// The label of an XML declaration in ASCII.
fn declared(data: &[u8]) -> Option<&[u8]> {
    let head = data.get(..DECLARATION).unwrap_or(data);
    let at = memchr::memmem::find(head, b"encoding")?;
    let rest = head.get(at.checked_add(8)?..)?;
    let quote = rest.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
    let value = rest.get(quote.checked_add(1)?..)?;
    let end = value.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
    value.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{Budget, Limits};
    use crate::unpack::Seen;

    fn artifact(data: Vec<u8>) -> Artifact {
        Artifact::alone(Kind::FlatOpc, data.into())
    }

    fn parts(data: &[u8]) -> (Vec<(String, Vec<u8>)>, usize) {
        let artifact = artifact(data.to_vec());
        let budget = Budget::new(Limits::default(), None);
        let mut seen = Seen::default();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        run(&artifact, &mut nest).unwrap();
        let children = nest.children.iter();
        let parts = children
            .map(|child| (child.label().to_owned(), child.data.to_vec()))
            .collect();
        (parts, nest.facts.len())
    }

    const FLAT: &str = r#"<?xml version="1.0" encoding="utf-8"?><q:package xmlns:q="http://schemas.microsoft.com/office/2006/xmlPackage">
<q:part q:name="/word/document.xml"><q:xmlData><w:document>text</w:document></q:xmlData></q:part>
<q:part q:name="/word/vbaProject.bin"><q:binaryData>aGVs
bG8&#61;</q:binaryData></q:part></q:package>"#;

    #[test]
    fn parts_of_any_prefix_are_children_under_their_names() {
        let expected = vec![
            (
                "/word/document.xml".to_owned(),
                b"<w:document>text</w:document>".to_vec(),
            ),
            ("/word/vbaProject.bin".to_owned(), b"hello".to_vec()),
        ];
        assert_eq!(parts(FLAT.as_bytes()), (expected.clone(), 0));
        let mut wide = vec![0xff, 0xfe];
        wide.extend(FLAT.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(parts(&wide), (expected, 0));
    }

    #[test]
    fn a_2003_document_gives_its_binary_data_even_when_cut() {
        let xml = r#"<w:wordDocument><w:docSuppData><w:binData w:name="editdata.mso">aGVsbG8="#;
        let (parts, _) = parts(xml.as_bytes());
        assert_eq!(parts, [("editdata.mso".to_owned(), b"hello".to_vec())]);
    }

    #[test]
    fn broken_xml_keeps_what_came_before_and_is_told() {
        let broken = FLAT.replace("</q:package>", "<![CDATA[ never closed");
        let (parts, facts) = parts(broken.as_bytes());
        assert_eq!((parts.len(), facts), (2, 1));
    }
}
