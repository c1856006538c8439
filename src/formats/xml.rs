//! XML 1.0 as the parsers of Office read it: any prefix, either kind of quote, references resolved, a text that breaks
//! off. Entities that a document declares itself are not resolved: Office refuses documents with a DTD.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::BytesStart;

/// A reader that passes over what does not matter here: names of end tags, stray ends, bare ampersands.
pub fn reader(xml: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(xml);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    reader
}

/// The value of an attribute, whatever its prefix; names compare exactly, as XML has it.
pub fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = tag.attributes();
    attributes.with_checks(false);
    attributes
        .flatten()
        .find(|attribute| attribute.key.local_name().as_ref() == name)
        .map(|attribute| unescape(&attribute.value).into_owned())
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
    fn references_are_resolved_and_bare_ampersands_stay() {
        assert_eq!(unescape("a&amp;b&#x41;&#66;&c=1;&"), "a&bAB&c=1;&");
        assert_eq!(unescape("plain"), "plain");
    }
}
