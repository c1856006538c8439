//! Tags of HTML and SVG as browsers read them (HTML Standard, 13.2.5 "Tokenization"): names in any case, values in either
//! kind of quote or none, references resolved. Comments are passed over; what stands in scripts is read like the rest,
//! since a script may write it into the page.

use std::borrow::Cow;

use super::xml::unescape;

pub mod tokens;

/// Attributes of one tag that are read.
const ATTRIBUTES: usize = 64;

/// One start tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'t> {
    /// Its name in lower case, without a prefix.
    pub name: Cow<'t, str>,
    /// Names in lower case, without a prefix, and values with references resolved.
    pub attributes: Vec<(Cow<'t, str>, Cow<'t, str>)>,
    /// Where it starts, in bytes.
    pub at: usize,
    /// Where it ends.
    pub end: usize,
}

impl Tag<'_> {
    /// The value of an attribute by its name in lower case.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_ref())
    }
}

/// The address of `<meta http-equiv="refresh" content="…">` (HTML Standard, 4.2.5.3 "shared declarative refresh steps"):
/// behind the seconds, with or without `url=`, in quotes or without.
pub fn refresh(tag: &Tag<'_>) -> Option<String> {
    let refreshes = tag
        .attribute("http-equiv")
        .is_some_and(|value| value.trim().eq_ignore_ascii_case("refresh"));
    let content = tag.attribute("content").filter(|_| refreshes)?;
    let behind = content
        .trim_start()
        .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.')
        .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ';' | ','));
    let word = behind
        .get(..3)
        .filter(|word| word.eq_ignore_ascii_case("url"));
    let named = word
        .and_then(|_| behind.get(3..)?.trim_start().strip_prefix('='))
        .map(str::trim_start);
    let address = named.unwrap_or(behind);
    let address = match address.chars().next()? {
        quote @ ('"' | '\'') => address.get(1..)?.split(quote).next()?,
        _ => address,
    };
    (!address.trim().is_empty()).then(|| address.trim().to_owned())
}

/// The start tags of a page, at most `most`. Linear in the length of the text.
pub fn tags(text: &str, most: usize) -> Vec<Tag<'_>> {
    let mut found = Vec::new();
    let mut at = 0usize;
    let mut comments_end = true;
    // Ends because each round goes on behind the bracket that it found.
    while let Some(start) = text
        .get(at..)
        .and_then(|rest| rest.find('<'))
        .and_then(|skip| at.checked_add(skip))
        && found.len() < most
    {
        let rest = text.get(start.saturating_add(1)..).unwrap_or_default();
        at = start.saturating_add(1);
        if let Some(comment) = rest.strip_prefix("!--") {
            // An open comment hides nothing from a browser that finds no end; behind it none has one.
            let end = comments_end.then(|| comment.find("-->")).flatten();
            comments_end = end.is_some();
            if let Some(len) = end {
                at = at.saturating_add(3).saturating_add(len).saturating_add(3);
            }
        } else if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            let (tag, len) = tag(rest, start);
            at = at.saturating_add(len.max(1));
            found.push(tag);
        }
    }
    found
}

/// The tag whose name starts here, and its length.
fn tag(rest: &str, at: usize) -> (Tag<'_>, usize) {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '/' | '>' | '<');
    let len = rest.find(is_end).unwrap_or(rest.len());
    let mut tag = Tag {
        name: bare(rest.get(..len).unwrap_or_default()),
        attributes: Vec::new(),
        at,
        end: 0,
    };
    let mut pos = len;
    // Ends because each round takes at least one character.
    loop {
        let left = rest.get(pos..).unwrap_or_default();
        let trimmed = left.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        pos = rest.len().saturating_sub(trimmed.len());
        if trimmed.starts_with('>') {
            pos = pos.saturating_add(1);
            break;
        }
        if trimmed.is_empty() || trimmed.starts_with('<') || tag.attributes.len() >= ATTRIBUTES {
            break;
        }
        let name_len = trimmed
            .find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '<'))
            .unwrap_or(trimmed.len());
        let name = trimmed.get(..name_len).unwrap_or_default();
        let behind = trimmed.get(name_len..).unwrap_or_default();
        let Some(value) = behind.trim_start().strip_prefix('=') else {
            if !name.is_empty() {
                tag.attributes.push((bare(name), Cow::Borrowed("")));
            }
            pos = pos.saturating_add(name_len);
            continue;
        };
        let value = value.trim_start();
        let start = rest.len().saturating_sub(value.len());
        let (inner, taken) = quoted(value);
        tag.attributes.push((bare(name), unescape(inner)));
        pos = start.saturating_add(taken);
    }
    tag.end = at.saturating_add(1).saturating_add(pos);
    (tag, pos)
}

/// A value and the length that it takes, quotes included. In scripts, quotes stand behind a backslash.
fn quoted(value: &str) -> (&str, usize) {
    let escaped = value.starts_with("\\\"") || value.starts_with("\\'");
    let start = usize::from(escaped);
    let inner = value.get(start..).unwrap_or_default();
    if let Some(quote @ ('"' | '\'')) = inner.chars().next() {
        let body = inner.get(1..).unwrap_or_default();
        if let Some(len) = body.find(quote) {
            let text = body.get(..len).unwrap_or_default();
            let text = if escaped {
                text.trim_end_matches('\\')
            } else {
                text
            };
            return (text, start.saturating_add(len).saturating_add(2));
        }
    }
    let len = value
        .find(|c: char| c.is_whitespace() || c == '>')
        .unwrap_or(value.len());
    (value.get(..len).unwrap_or_default(), len)
}

/// A name in lower case without its prefix.
fn bare(name: &str) -> Cow<'_, str> {
    let name = name.rsplit(':').next().unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_browsers_do() {
        let page = "<!-- <form> --><FORM Action='http://a.example/?a&amp;b' method=post><input/type=\"PASSWORD\" required><svg:script xlink:href=\"&#x6a;s\"/>";
        let found = tags(page, 100);
        let names: Vec<&str> = found.iter().map(|tag| tag.name.as_ref()).collect();
        assert_eq!(names, ["form", "input", "script"]);
        assert_eq!(found[0].attribute("action"), Some("http://a.example/?a&b"));
        assert_eq!(found[0].attribute("method"), Some("post"));
        assert_eq!(found[1].attribute("type"), Some("PASSWORD"));
        assert_eq!(found[1].attribute("required"), Some(""));
        assert_eq!(found[2].attribute("href"), Some("js"));
        assert!(
            page.get(found[0].at..found[0].end)
                .unwrap()
                .ends_with("post>")
        );
    }

    #[test]
    fn the_address_of_a_refresh_is_read_in_every_form() {
        for content in [
            "0; url=http://a.example/",
            "0;URL='http://a.example/' ",
            "5,http://a.example/",
            " 0.5 ;url = http://a.example/",
        ] {
            let page = format!("<meta content=\"{content}\" http-equiv=Refresh>");
            assert_eq!(
                refresh(&tags(&page, 1)[0]).as_deref(),
                Some("http://a.example/"),
                "{content}"
            );
        }
        for page in [
            "<meta http-equiv=refresh content=30>",
            "<meta name=a content='0;url=b'>",
            "<meta http-equiv=refresh>",
        ] {
            assert_eq!(refresh(&tags(page, 1)[0]), None, "{page}");
        }
    }

    #[test]
    fn tags_that_a_script_writes_are_read_too_and_broken_ones_end() {
        let found = tags("x = \"<input type=\\\"password\\\" name=\\\"p\\\">\";", 10);
        assert_eq!(found[0].attribute("type"), Some("password"));
        for text in [
            "<a",
            "<a b",
            "<a b=",
            "<a b=\"",
            "<a b='c>d<e",
            "< a <",
            "<a/<b>",
            "<!--<p>",
        ] {
            let _ = tags(text, 10);
        }
        assert_eq!(tags("<!--<p>", 10).len(), 1);
        assert_eq!(tags("1 < 2 and <b>", 10).len(), 1);
    }
}
