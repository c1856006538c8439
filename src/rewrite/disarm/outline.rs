//! XML 1.0 as an outline of its tags, and edits on the ranges that they stand in: what no edit names stays as it is.
//!
//! Only text whose tags are balanced has an outline: where readers could disagree about what encloses what, nothing can
//! be cut out safely.

use std::borrow::Cow;
use std::ops::Range;

use quick_xml::events::Event;

use super::Refusal;
use crate::bytes::index;
use crate::formats::xml;
use crate::limits::{Budget, Halt};
use crate::text;

/// Elements of one part at the most.
const CEILING: usize = 4_000_000;

/// The text of a part that is XML, and how it was written.
#[derive(Debug)]
pub(super) struct Source<'a> {
    /// The text behind a byte order mark.
    pub(super) text: Cow<'a, str>,
    /// Bytes of the mark, which are kept; none where the text was UTF-16.
    mark: &'a [u8],
}

impl<'a> Source<'a> {
    /// Reads UTF-8 and UTF-16; none where the bytes are no XML.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        let text = text::to_utf8(data);
        let mark = match &text {
            Cow::Borrowed(text) => data.get(..data.len().checked_sub(text.len())?)?,
            Cow::Owned(_) => &[],
        };
        text.trim_start()
            .starts_with('<')
            .then_some(Self { text, mark })
    }

    /// The edited text as bytes: UTF-8 again, or instead of UTF-16.
    pub(super) fn written(&self, edited: String) -> Vec<u8> {
        let edited = match &self.text {
            Cow::Borrowed(_) => edited,
            Cow::Owned(_) => without_encoding(&edited),
        };
        [self.mark, edited.as_bytes()].concat()
    }
}

/// The text without the name of an encoding in its declaration.
fn without_encoding(text: &str) -> String {
    let end = text.find("?>").unwrap_or_default();
    let (declaration, rest) = text.split_at(end);
    let Some((before, behind)) = declaration.split_once(" encoding=") else {
        return text.to_owned();
    };
    let quote = behind.chars().next().unwrap_or('"');
    let behind = behind.splitn(3, quote).nth(2).unwrap_or_default();
    format!("{before}{behind}{rest}")
}

/// One element.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// The element around it.
    pub(super) parent: Option<usize>,
    /// Its start tag.
    pub(super) open: Range<usize>,
    /// Its end tag; none for an empty element.
    pub(super) close: Option<Range<usize>>,
    name: Range<usize>,
}

impl Node {
    /// All of the element.
    pub(super) fn whole(&self) -> Range<usize> {
        let end = self.close.as_ref().map_or(self.open.end, |close| close.end);
        self.open.start..end
    }

    /// What stands between its tags.
    pub(super) fn inside(&self) -> Range<usize> {
        let end = self
            .close
            .as_ref()
            .map_or(self.open.end, |close| close.start);
        self.open.end..end
    }
}

/// An attribute of a start tag.
#[derive(Debug, Clone)]
pub(super) struct Attribute<'t> {
    /// Its name with its prefix.
    pub(super) name: &'t str,
    /// Its value, references resolved.
    pub(super) value: Cow<'t, str>,
    /// The blank before it to the quote behind it.
    pub(super) range: Range<usize>,
    /// Between its quotes.
    pub(super) inside: Range<usize>,
}

impl Attribute<'_> {
    /// Its name without prefix.
    pub(super) fn local(&self) -> &str {
        local(self.name)
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// The elements of a text in their order.
#[derive(Debug)]
pub(super) struct Outline<'t> {
    pub(super) text: &'t str,
    pub(super) nodes: Vec<Node>,
}

impl<'t> Outline<'t> {
    /// Reads a text; refuses one whose tags are not balanced.
    pub(super) fn read(text: &'t str, budget: &Budget) -> Result<Self, Refusal> {
        let broken = |at: usize, why: &str| Refusal::Broken(format!("XML at {at}: {why}"));
        let mut reader = xml::reader(text);
        let mut nodes: Vec<Node> = Vec::new();
        let mut around: Vec<usize> = Vec::new();
        // Ends because every event takes at least one byte, and an error ends it.
        loop {
            budget.tick().map_err(Refusal::Limit)?;
            let start = index(reader.buffer_position());
            let event = match reader.read_event() {
                Ok(event) => event,
                Err(error) => return Err(broken(start, &error.to_string())),
            };
            let end = index(reader.buffer_position());
            match event {
                Event::Start(tag) => {
                    let len = tag.name().as_ref().len();
                    around.push(nodes.len());
                    nodes.push(node(&around, start..end, len));
                }
                Event::Empty(tag) => {
                    let len = tag.name().as_ref().len();
                    around.push(nodes.len());
                    nodes.push(node(&around, start..end, len));
                    around.pop();
                }
                Event::End(tag) => {
                    let opened = around.pop().and_then(|at| nodes.get_mut(at));
                    let Some(opened) = opened else {
                        return Err(broken(start, "an end without a start"));
                    };
                    if text.get(opened.name.clone()) != Some(tag.name().as_ref()) {
                        return Err(broken(start, "an end of another element"));
                    }
                    opened.close = Some(start..end);
                }
                // With declarations of its own it may make anything of what follows. OpenOffice.org 1 names its own
                // in every part, which no program fetches.
                Event::DocType(kind) if kind.contains('[') || !nodes.is_empty() => {
                    return Err(broken(start, "a document type declaration"));
                }
                Event::Eof => break,
                _ => {}
            }
            if nodes.len() > CEILING {
                return Err(Refusal::Limit(Halt::Ceiling("elements of one part")));
            }
        }
        match around.is_empty() {
            true => Ok(Self { text, nodes }),
            false => Err(broken(text.len(), "it breaks off")),
        }
    }

    /// Name without prefix.
    pub(super) fn local(&self, node: &Node) -> &'t str {
        local(self.text.get(node.name.clone()).unwrap_or_default())
    }

    /// Prefix of the name with its colon; nothing where there is none.
    pub(super) fn prefix(&self, node: &Node) -> &'t str {
        let name = self.text.get(node.name.clone()).unwrap_or_default();
        let end = name.find(':').map_or(0, |at| at.saturating_add(1));
        name.get(..end).unwrap_or_default()
    }

    /// What stands between the tags of an element.
    pub(super) fn inside(&self, node: &Node) -> &'t str {
        self.text.get(node.inside()).unwrap_or_default()
    }

    /// The elements of a local name, with their places.
    pub(super) fn named<'o>(
        &'o self,
        name: &'o str,
    ) -> impl Iterator<Item = (usize, &'o Node)> + 'o {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter(move |(_, node)| self.local(node) == name)
    }

    /// The nearest element of a local name around a place.
    pub(super) fn around(&self, at: usize, name: &str) -> Option<usize> {
        let mut above = self.nodes.get(at)?.parent;
        // Ends because parents stand before their children.
        while let Some(place) = above {
            let node = self.nodes.get(place)?;
            if self.local(node) == name {
                return Some(place);
            }
            above = node.parent;
        }
        None
    }

    /// The attributes of an element.
    pub(super) fn attributes(&self, node: &Node) -> Vec<Attribute<'t>> {
        let mut found = Vec::new();
        let mut at = node.name.end;
        // Ends because each turn takes at least the name and two quotes.
        while let Some((attribute, end)) = self.attribute_at(at, node.open.end) {
            found.push(attribute);
            at = end;
        }
        found
    }

    /// The value of an attribute by its name without prefix.
    pub(super) fn attribute(&self, node: &Node, name: &str) -> Option<Attribute<'t>> {
        let mut attributes = self.attributes(node).into_iter();
        attributes.find(|attribute| attribute.local() == name)
    }

    fn attribute_at(&self, from: usize, end: usize) -> Option<(Attribute<'t>, usize)> {
        let tag = self.text.get(from..end)?;
        let equals = tag.find('=')?;
        let name = tag.get(..equals)?.trim();
        let behind = tag.get(equals.checked_add(1)?..)?;
        let blanks = behind.len().checked_sub(behind.trim_start().len())?;
        let quote = behind.trim_start().chars().next()?;
        if !matches!(quote, '"' | '\'') || name.is_empty() {
            return None;
        }
        let value_at = from
            .checked_add(equals)?
            .checked_add(blanks)?
            .checked_add(2)?;
        let value = self.text.get(value_at..end)?;
        let value = value.get(..value.find(quote)?)?;
        let inside = value_at..value_at.checked_add(value.len())?;
        let stop = inside.end.checked_add(1)?;
        let attribute = Attribute {
            name,
            value: xml::unescape(value),
            range: from..stop,
            inside,
        };
        Some((attribute, stop))
    }
}

fn node(around: &[usize], open: Range<usize>, name: usize) -> Node {
    let parent = around.len().checked_sub(2).and_then(|at| around.get(at));
    let start = open.start.saturating_add(1);
    Node {
        parent: parent.copied(),
        name: start..start.saturating_add(name).min(open.end),
        open,
        close: None,
    }
}

/// What is to change in a text.
#[derive(Debug, Default)]
pub(super) struct Edits {
    list: Vec<(Range<usize>, String)>,
}

impl Edits {
    /// Takes a range out.
    pub(super) fn delete(&mut self, range: Range<usize>) {
        self.replace(range, "");
    }

    /// Puts something in the place of a range.
    pub(super) fn replace(&mut self, range: Range<usize>, text: &str) {
        self.list.push((range, text.to_owned()));
    }

    /// Takes the tags of an element away and keeps what stands between them.
    pub(super) fn unwrap(&mut self, node: &Node) {
        self.delete(node.open.clone());
        if let Some(close) = &node.close {
            self.delete(close.clone());
        }
    }

    /// Whether nothing changes.
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The changed text; an edit within the range of another is part of that one.
    pub(super) fn apply(mut self, text: &str) -> Result<String, Refusal> {
        self.list
            .sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut out = String::with_capacity(text.len());
        let mut from = 0usize;
        for (range, new) in &self.list {
            if range.start < from && range.end <= from {
                continue;
            }
            let kept = text.get(from..range.start);
            let kept = kept.ok_or_else(|| Refusal::Broken("two changes meet".to_owned()))?;
            out.push_str(kept);
            out.push_str(new);
            from = range.end;
        }
        out.push_str(text.get(from..).unwrap_or_default());
        Ok(out)
    }
}

/// Text as the value of an attribute or the content of an element.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn budget() -> Budget {
        Budget::new(Limits::default(), None)
    }

    #[test]
    fn elements_and_attributes_are_cut_out_and_the_rest_stays() {
        let text = "<?xml version='1.0'?><a:r x='1'><!-- <b> --><b y = \"&lt;2\" z:id='r1'/><c><b/>t</c></a:r>";
        let outline = Outline::read(text, &budget()).unwrap();
        let places: Vec<usize> = outline.named("b").map(|(at, _)| at).collect();
        assert_eq!(places, [1, 3]);
        assert_eq!(outline.around(3, "r"), Some(0));
        let first = &outline.nodes[1];
        let values: Vec<(String, String)> = outline
            .attributes(first)
            .iter()
            .map(|one| (one.name.to_owned(), one.value.to_string()))
            .collect();
        assert_eq!(
            values,
            [
                ("y".to_owned(), "<2".to_owned()),
                ("z:id".to_owned(), "r1".to_owned())
            ]
        );
        let mut edits = Edits::default();
        edits.delete(outline.attribute(first, "id").unwrap().range);
        edits.unwrap(&outline.nodes[2]);
        edits.delete(outline.nodes[3].whole());
        let edited = edits.apply(text).unwrap();
        assert_eq!(
            edited,
            "<?xml version='1.0'?><a:r x='1'><!-- <b> --><b y = \"&lt;2\"/>t</a:r>"
        );
    }

    #[test]
    fn what_is_not_balanced_has_no_outline() {
        for text in [
            "<a><b></a>",
            "<a>",
            "</a>",
            "<a><b/></a><!DOCTYPE x>",
            "<!DOCTYPE a [<!ENTITY b '<c/>'>]><a>&b;</a>",
        ] {
            assert!(Outline::read(text, &budget()).is_err(), "{text}");
        }
        let named = "<!DOCTYPE a PUBLIC \"-//OpenOffice.org//DTD\" \"office.dtd\"><a><b/></a>";
        assert_eq!(Outline::read(named, &budget()).unwrap().nodes.len(), 2);
    }

    #[test]
    fn utf_16_is_written_as_utf_8_without_its_name() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-16\" standalone=\"yes\"?><a/>";
        let wide: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let source = Source::read(&wide).unwrap();
        let written = source.written(source.text.to_string());
        assert_eq!(
            written,
            b"<?xml version=\"1.0\" standalone=\"yes\"?><a/>".as_slice()
        );
        assert!(Source::read(b"\xd0\xcf\x11\xe0").is_none());
    }
}
