//! XML 1.0 as the parsers of Office read it: any prefix, either kind of quote, references resolved, a text that breaks
//! off. Entities that a document declares itself are not resolved: Office refuses documents with a DTD.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::QName;

use crate::bytes::index;
use crate::text;

/// A reader that passes over what does not matter here: names of end tags, stray ends, bare ampersands.
pub fn reader(xml: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    reader
}

/// The value of an attribute, whatever its prefix; names compare exactly, as XML has it. Of several with one local name
/// that counts which has the prefix of its element, then the one without: others belong to somebody else.
pub fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    attributes.with_checks(false);
    attributes
        .flatten()
        .filter(|attribute| attribute.key.local_name().as_ref() == name)
        .min_by_key(|attribute| rank(tag, attribute.key))
        .map(|attribute| unescape(&attribute.value).into_owned())
}

/// How near an attribute is to its element: the nearest has the lowest.
fn rank(tag: &BytesStart<'_>, key: QName<'_>) -> u8 {
    match (key.prefix(), tag.name().prefix()) {
        (Some(own), Some(prefix)) if own.as_ref() == prefix.as_ref() => 0,
        (None, _) => 1,
        (Some(_), _) => 2,
    }
}

/// The text of a string of a workbook, in which `_xHHHH_` is a character (ECMA-376 part 1, 22.9.2.19).
pub fn xstring(text: &str) -> Cow<'_, str> {
    if !text.contains("_x") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Ends because each turn takes at least the two characters.
    while let Some((before, behind)) = rest.split_once("_x") {
        out.push_str(before);
        let code = behind.get(..5).and_then(|code| code.strip_suffix('_'));
        let c = code
            .filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|code| u32::from_str_radix(code, 16).ok())
            .and_then(char::from_u32);
        match c {
            Some(c) => {
                out.push(c);
                rest = behind.get(5..).unwrap_or_default();
            }
            None => {
                out.push_str("_x");
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Attributes of one element: names of one element differ, so that more than this are many MiB.
const ATTRIBUTES: usize = 1 << 20;

/// One element of a file, told without its prefix.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Its name in lower case.
    pub name: String,
    /// Names in lower case and values of its attributes.
    pub attributes: Vec<(String, String)>,
    /// The text right behind its start, up to the next tag, with references resolved.
    pub text: String,
    /// Where its tag starts, in bytes.
    pub at: usize,
}

impl Element {
    /// The value of an attribute by its name in lower case.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The name of the first element without its prefix, in lower case. The head of the text tells, unless it is filled up.
pub fn root(data: &[u8]) -> Option<String> {
    /// Bytes of the head.
    const HEAD: usize = 8 << 10;
    let first = |part: &[u8]| elements(&text::to_utf8(part)).next().map(|one| one.name);
    match data.get(..HEAD) {
        Some(head) => first(head).or_else(|| first(data)),
        None => first(data),
    }
}

/// The elements of a file in their order, as far as it can be read. Linear in the length of the text.
pub fn elements(xml: &str) -> impl Iterator<Item = Element> + '_ {
    let mut reader = reader(xml);
    // Started, and given when the next one starts: its text is still to come.
    let mut last: Option<Element> = None;
    let mut open = false;
    let mut ended = false;
    std::iter::from_fn(move || {
        // Ends because every event takes at least one byte, and an error ends it.
        while !ended {
            let at = index(reader.buffer_position());
            match reader.read_event() {
                Ok(Event::Start(tag) | Event::Empty(tag)) => {
                    open = true;
                    let before = last.replace(element(&tag, at));
                    if before.is_some() {
                        return before;
                    }
                }
                Ok(Event::Text(text)) if open => add(&mut last, &unescape(&text)),
                Ok(Event::CData(text)) if open => add(&mut last, &text),
                Ok(Event::GeneralRef(name)) if open => {
                    if let Some(c) = entity(&name) {
                        add(&mut last, c.encode_utf8(&mut [0; 4]));
                    }
                }
                Ok(Event::End(_)) => open = false,
                Ok(Event::Eof) | Err(_) => ended = true,
                Ok(_) => {}
            }
        }
        last.take()
    })
}

fn element(tag: &BytesStart<'_>, at: usize) -> Element {
    let mut attributes = tag.attributes();
    attributes.with_checks(false);
    let mut attributes: Vec<_> = attributes.flatten().take(ATTRIBUTES).collect();
    attributes.sort_by_key(|attribute| rank(tag, attribute.key));
    let attributes = attributes.into_iter().map(|attribute| {
        (
            attribute.key.local_name().as_ref().to_ascii_lowercase(),
            unescape(&attribute.value).into_owned(),
        )
    });
    Element {
        name: tag.local_name().as_ref().to_ascii_lowercase(),
        attributes: attributes.collect(),
        text: String::new(),
        at,
    }
}

fn add(element: &mut Option<Element>, text: &str) {
    if let Some(element) = element {
        element.text.push_str(text);
    }
}

/// Character references and the five entities of XML; whatever else follows an ampersand stays as it is.
pub fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('&') {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    // Ends because each turn takes at least the ampersand.
    while let Some((before, behind)) = rest.split_once('&') {
        out.push_str(before);
        // A name longer than this is none of those: what follows a bare ampersand is not searched to its end.
        let near = behind
            .get(..behind.floor_char_boundary(16))
            .unwrap_or_default();
        let found = near
            .split_once(';')
            .and_then(|(name, _)| Some((entity(name)?, behind.get(name.len().checked_add(1)?..)?)));
        match found {
            Some((c, tail)) => {
                out.push(c);
                rest = tail;
            }
            None => {
                out.push('&');
                rest = behind;
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character of a reference without its ampersand and semicolon (XML 1.0, 4.1 and 4.6).
pub fn entity(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        name => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_told_with_their_attributes_and_text() {
        let xml = "<?xml version=\"1.0\"?><a:Lib x:URL='a&amp;b'><url>\\\\h&#x5c;<![CDATA[s]]></url> no</Lib>";
        let found: Vec<_> = elements(xml).collect();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].attribute("url"), Some("a&b"));
        assert_eq!(
            (found[1].name.as_str(), found[1].text.as_str()),
            ("url", "\\\\h\\s")
        );
        assert!(elements("<a").next().is_none());
    }

    #[test]
    fn an_attribute_of_somebody_else_does_not_stand_for_its_own() {
        let found = elements("<a z:b='1' b='2'/><w:a z:b='1' w:b='2' b='3'/><a z:b='4'/>");
        let values: Vec<_> = found
            .map(|one| one.attribute("b").map(str::to_owned))
            .collect();
        let told = |value: &str| Some(value.to_owned());
        assert_eq!(values, [told("2"), told("2"), told("4")]);
    }

    #[test]
    fn codes_in_strings_of_workbooks_are_characters() {
        assert_eq!(xstring("_x0063_md_x007c_a_x"), "cmd|a_x");
        assert_eq!(xstring("_x00_ _xGGGG_ a_x1"), "_x00_ _xGGGG_ a_x1");
    }

    #[test]
    fn references_are_resolved_and_bare_ampersands_stay() {
        assert_eq!(unescape("a&amp;b&#x41;&#66;&c=1;&"), "a&bAB&c=1;&");
        assert_eq!(unescape("plain"), "plain");
    }
}
