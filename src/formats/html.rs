//! Tags of HTML and SVG as browsers read them (HTML Standard, 13.2.5 "Tokenization"): names in any case, values in either
//! kind of quote or none, references resolved. Comments are passed over; what stands in scripts is read like the rest,
//! since a script may write it into the page.

use std::borrow::Cow;

use memchr::memmem;

mod page;
mod references;
pub mod tokens;

pub use page::Page;
pub use references::unescape;

/// Attributes of one tag that are read.
const ATTRIBUTES: usize = 64;

/// One start tag. Its attributes are read when they are asked for: of most tags nobody asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag<'t> {
    /// Its name in lower case, without a prefix.
    pub name: Cow<'t, str>,
    /// Where it starts, in bytes.
    pub at: usize,
    /// Where it ends.
    pub end: usize,
    /// What stands behind its name.
    inside: &'t str,
}

impl<'t> Tag<'t> {
    /// The value of an attribute by its name in lower case, references resolved.
    pub fn attribute(&self, name: &str) -> Option<Cow<'t, str>> {
        let mut attributes = Attributes::new(self.inside);
        attributes
            .find(|(known, _)| without_prefix(known).eq_ignore_ascii_case(name))
            .map(|(_, value)| unescape(value))
    }

    /// Names in lower case, without a prefix, and values with references resolved.
    pub fn attributes(&self) -> impl Iterator<Item = (Cow<'t, str>, Cow<'t, str>)> + use<'t> {
        Attributes::new(self.inside).map(|(name, value)| (bare(name), unescape(value)))
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

/// The start tags of a page. Linear in the length of the text.
pub fn tags(text: &str) -> impl Iterator<Item = Tag<'_>> {
    Place::all(text).map(move |place| place.tag(text))
}

/// The places of the start tags of a page in their order.
#[derive(Debug, Clone)]
struct Places<'t> {
    text: &'t str,
    at: usize,
    /// Whether a comment may end behind this.
    comments_end: bool,
}

impl Iterator for Places<'_> {
    type Item = Place;

    fn next(&mut self) -> Option<Place> {
        // Ends because each round goes on behind the bracket that it found.
        loop {
            let skip = memchr::memchr(b'<', self.text.as_bytes().get(self.at..)?)?;
            let start = self.at.checked_add(skip)?;
            self.at = start.checked_add(1)?;
            match self.text.as_bytes().get(self.at) {
                Some(byte) if byte.is_ascii_alphabetic() => {
                    let place = Place::of(self.text, start);
                    self.at = place.end.max(self.at.saturating_add(1));
                    return Some(place);
                }
                Some(b'!') => self.over_comment(),
                _ => {}
            }
        }
    }
}

impl Places<'_> {
    /// Passes over the comment whose sign of exclamation stands here, where it is one.
    fn over_comment(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let Some(comment) = rest.strip_prefix(b"!--") else {
            return;
        };
        // An open comment hides nothing from a browser that finds no end; behind it none has one.
        let ends = self.comments_end;
        let end = ends.then(|| memmem::find(comment, b"-->")).flatten();
        self.comments_end = end.is_some();
        if let Some(len) = end {
            self.at = self.at.saturating_add(len).saturating_add(6);
        }
    }
}

/// Where a tag stands, for a text that it is told of later.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: usize,
    name_end: usize,
    end: usize,
}

impl Place {
    /// Those of the start tags of a page.
    fn all(text: &str) -> Places<'_> {
        Places {
            text,
            at: 0,
            comments_end: true,
        }
    }

    /// The place of the tag whose bracket stands here.
    fn of(text: &str, at: usize) -> Self {
        let name = at.saturating_add(1);
        let name_end = up_to(text, name, |byte| matches!(byte, b'/' | b'>' | b'<'));
        let mut attributes = Attributes::new(text.get(name_end..).unwrap_or_default());
        attributes.by_ref().for_each(drop);
        Self {
            at,
            name_end,
            end: name_end.saturating_add(attributes.at),
        }
    }

    /// Its name as it is written.
    fn name(self, text: &str) -> &str {
        let start = self.at.saturating_add(1);
        text.get(start..self.name_end).unwrap_or_default()
    }

    fn tag(self, text: &str) -> Tag<'_> {
        Tag {
            name: bare(self.name(text)),
            at: self.at,
            end: self.end,
            inside: text.get(self.name_end..self.end).unwrap_or_default(),
        }
    }
}

/// The first place from `at` on of a blank or of a byte of ASCII that ends something, or the end of the text.
fn up_to(text: &str, mut at: usize, ends: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    // Ends because each step takes a byte.
    while let Some(&byte) = bytes.get(at) {
        let stops = match byte {
            b'\t'..=b'\r' | b' ' => true,
            0..0x80 => ends(byte),
            // What these begin may be a blank of another script.
            0xc2 | 0xe1..=0xe3 => blank_at(text, at) > 0,
            _ => false,
        };
        if stops {
            return at;
        }
        at = at.saturating_add(1);
    }
    at
}

/// Behind the blanks from `at` on, and behind the bytes of ASCII that count as such.
fn over(text: &str, mut at: usize, also: impl Fn(u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    // Ends because each step takes a byte.
    while let Some(&byte) = bytes.get(at) {
        let len = match byte {
            b'\t'..=b'\r' | b' ' => 1,
            0..0x80 => usize::from(also(byte)),
            _ => blank_at(text, at),
        };
        if len == 0 {
            return at;
        }
        at = at.saturating_add(len);
    }
    at
}

/// The length of the blank that stands here, or 0.
#[cold]
fn blank_at(text: &str, at: usize) -> usize {
    let next = text.get(at..).and_then(|rest| rest.chars().next());
    next.filter(|c| c.is_whitespace()).map_or(0, char::len_utf8)
}

/// Attributes of one tag as they stand there, the first [`ATTRIBUTES`] of them.
struct Attributes<'t> {
    text: &'t str,
    /// Behind what was read; in the end behind the tag.
    at: usize,
    left: usize,
}

impl<'t> Attributes<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            at: 0,
            left: ATTRIBUTES,
        }
    }
}

impl<'t> Iterator for Attributes<'t> {
    type Item = (&'t str, &'t str);

    fn next(&mut self) -> Option<(&'t str, &'t str)> {
        let text = self.text;
        let start = over(text, self.at, |byte| byte == b'/');
        self.at = start;
        match text.as_bytes().get(start)? {
            b'>' => {
                self.at = start.saturating_add(1);
                // Nothing of what follows is the tag's.
                self.text = text.get(..self.at)?;
                return None;
            }
            b'<' => return None,
            _ => {}
        }
        self.left = self.left.checked_sub(1)?;
        let end = up_to(text, start, |byte| matches!(byte, b'=' | b'>' | b'<'));
        let name = text.get(start..end).unwrap_or_default();
        let equals = over(text, end, |_| false);
        if text.as_bytes().get(equals) != Some(&b'=') {
            self.at = end;
            return Some((name, ""));
        }
        let value = over(text, equals.saturating_add(1), |_| false);
        let (inner, taken) = quoted(text.get(value..).unwrap_or_default());
        self.at = value.saturating_add(taken);
        Some((name, inner))
    }
}

/// A value and the length that it takes, quotes included. In scripts, quotes stand behind a backslash.
fn quoted(value: &str) -> (&str, usize) {
    let escaped = value.starts_with("\\\"") || value.starts_with("\\'");
    let start = usize::from(escaped);
    let inner = value.get(start..).unwrap_or_default();
    if let Some(&quote @ (b'"' | b'\'')) = inner.as_bytes().first() {
        let body = inner.get(1..).unwrap_or_default();
        if let Some(len) = memchr::memchr(quote, body.as_bytes()) {
            let text = body.get(..len).unwrap_or_default();
            let text = if escaped {
                text.trim_end_matches('\\')
            } else {
                text
            };
            return (text, start.saturating_add(len).saturating_add(2));
        }
    }
    let len = up_to(value, 0, |byte| byte == b'>');
    (value.get(..len).unwrap_or_default(), len)
}

/// A name in lower case without its prefix.
fn bare(name: &str) -> Cow<'_, str> {
    let name = without_prefix(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    }
}

fn without_prefix(name: &str) -> &str {
    let colon = name.bytes().rposition(|byte| byte == b':');
    let bare = colon.and_then(|at| name.get(at.saturating_add(1)..));
    bare.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_as_browsers_do() {
        let page = "<!-- <form> --><FORM Action='http://a.example/?a&amp;b' method=post><input/type=\"PASSWORD\" required><svg:script xlink:href=\"&#x6a;s\"/>";
        let found: Vec<_> = tags(page).collect();
        let names: Vec<&str> = found.iter().map(|tag| tag.name.as_ref()).collect();
        assert_eq!(names, ["form", "input", "script"]);
        assert_eq!(
            found[0].attribute("action").as_deref(),
            Some("http://a.example/?a&b")
        );
        assert_eq!(found[0].attribute("method").as_deref(), Some("post"));
        assert_eq!(found[1].attribute("type").as_deref(), Some("PASSWORD"));
        assert_eq!(found[1].attribute("required").as_deref(), Some(""));
        assert_eq!(found[2].attribute("href").as_deref(), Some("js"));
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
                refresh(&tags(&page).next().unwrap()).as_deref(),
                Some("http://a.example/"),
                "{content}"
            );
        }
        for page in [
            "<meta http-equiv=refresh content=30>",
            "<meta name=a content='0;url=b'>",
            "<meta http-equiv=refresh>",
        ] {
            assert_eq!(refresh(&tags(page).next().unwrap()), None, "{page}");
        }
    }

    #[test]
    fn tags_that_a_script_writes_are_read_too_and_broken_ones_end() {
        let mut found = tags("x = \"<input type=\\\"password\\\" name=\\\"p\\\">\";");
        assert_eq!(
            found.next().unwrap().attribute("type").as_deref(),
            Some("password")
        );
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
            let _ = tags(text).take(10).flat_map(|tag| tag.attributes()).count();
        }
        assert_eq!(tags("<!--<p>").count(), 1);
        assert_eq!(tags("1 < 2 and <b>").count(), 1);
    }
}
