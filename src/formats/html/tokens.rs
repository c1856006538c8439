//! Tags of a page with the places of everything in them, as browsers take a page apart (HTML Standard, 13.2.5
//! "Tokenization" and 13.2.6 "Tree construction" as far as it changes the tokenizer; XML 1.0, 3.1).
//!
//! Bytes of any charset in which ASCII is ASCII. What one reader takes for text another takes for tags: each
//! [`Reading`] is one way, and who takes something out has to take it out in all of them.

use std::ops::Range;

use super::{ATTRIBUTES, bare};

/// A way to take a page apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As a browser does a page: what stands in scripts, styles and titles is text.
    Browser,
    /// Everything is tags, also what stands in styles, titles and comments with conditions.
    Markup,
    /// As XML.
    Xml,
}

impl Reading {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Browser, Self::Markup, Self::Xml];
}

/// One attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name in lower case, without a prefix.
    pub name: String,
    /// What stands between its quotes; empty where it has no value.
    pub value: Range<usize>,
    /// From the blanks before it to behind its quote.
    pub whole: Range<usize>,
}

/// A tag or another token that is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A start tag.
    Start {
        /// Its name in lower case, without a prefix.
        name: String,
        /// Its attributes, the first 1,024 of them.
        attributes: Vec<Attribute>,
        /// Whether it is the whole element.
        closed: bool,
        /// All of it.
        range: Range<usize>,
    },
    /// An end tag.
    End {
        /// Its name in lower case, without a prefix.
        name: String,
        /// All of it.
        range: Range<usize>,
    },
    /// A processing instruction.
    Instruction(Range<usize>),
    /// A document type declaration.
    DocType(Range<usize>),
}

/// Elements whose content is text (13.2.6.4.4 and on).
const RAW: &[&str] = &[
    "script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes", "noscript",
];

/// Elements that never have content (13.1.2).
pub const VOID: &[&str] = &[
    "area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "source",
    "track", "wbr",
];

/// Elements of SVG and MathML in which HTML begins again (13.2.6.5).
const INTEGRATION: &[&str] = &[
    "foreignobject",
    "desc",
    "title",
    "mi",
    "mo",
    "mn",
    "ms",
    "mtext",
    "annotation-xml",
];

/// Elements of HTML that end SVG and MathML where they stand (13.2.6.5).
const BREAKS_OUT: &[&str] = &[
    "b",
    "big",
    "blockquote",
    "body",
    "br",
    "center",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "em",
    "embed",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "hr",
    "i",
    "img",
    "li",
    "listing",
    "menu",
    "meta",
    "nobr",
    "ol",
    "p",
    "pre",
    "ruby",
    "s",
    "small",
    "span",
    "strong",
    "strike",
    "sub",
    "sup",
    "table",
    "tt",
    "u",
    "ul",
    "var",
];

/// Elements of SVG and MathML within each other that are told apart.
const DEEPEST: usize = 64;

/// The tokens of a page in their order. Linear in the length of the page.
#[derive(Debug, Clone)]
pub struct Tokens<'t> {
    text: &'t [u8],
    reading: Reading,
    at: usize,
    /// The element whose text comes next.
    raw: Option<&'static str>,
    /// Roots of SVG and MathML (true) and elements in which HTML begins again (false) that are open.
    foreign: Vec<(String, bool)>,
    /// Whether no comment ends any more.
    endless: bool,
}

impl<'t> Tokens<'t> {
    /// The tokens of a page.
    pub fn new(text: &'t [u8], reading: Reading) -> Self {
        Self {
            text,
            reading,
            at: 0,
            raw: None,
            foreign: Vec::new(),
            endless: false,
        }
    }

    fn rest(&self, from: usize) -> &'t [u8] {
        self.text.get(from..).unwrap_or_default()
    }

    fn is_foreign(&self) -> bool {
        self.foreign.last().is_some_and(|(_, foreign)| *foreign)
    }

    /// Behind the next `mark` from a place on; the end of the page where there is none.
    fn behind(&self, from: usize, mark: &[u8]) -> usize {
        memchr::memmem::find(self.rest(from), mark).map_or(self.text.len(), |skip| {
            from.saturating_add(skip).saturating_add(mark.len())
        })
    }

    /// Where a comment ends that opens here (13.2.5.43 to 13.2.5.52).
    fn comment_end(&mut self, start: usize) -> usize {
        let inside = start.saturating_add(4);
        let rest = self.rest(inside);
        if self.reading == Reading::Xml {
            return self.behind(inside, b"-->");
        }
        if rest.starts_with(b">") {
            return inside.saturating_add(1);
        }
        if rest.starts_with(b"->") {
            return inside.saturating_add(2);
        }
        if self.endless {
            return inside;
        }
        let plain = memchr::memmem::find(rest, b"-->");
        let upto = plain.map_or(rest, |end| rest.get(..end).unwrap_or_default());
        let odd = memchr::memmem::find(upto, b"--!>");
        match (odd, plain) {
            (Some(end), _) => inside.saturating_add(end).saturating_add(4),
            (None, Some(end)) => inside.saturating_add(end).saturating_add(3),
            // Old browsers take a comment without an end for none.
            (None, None) if self.reading == Reading::Markup => {
                self.endless = true;
                inside
            }
            (None, None) => self.text.len(),
        }
    }

    /// Passes over what begins with `<!` or `<?`; a token where it is one.
    fn declaration(&mut self, start: usize) -> Option<Token> {
        let rest = self.rest(start);
        let conditional = self.reading == Reading::Markup && rest.starts_with(b"<!--[if");
        if conditional {
            self.at = start.saturating_add(4);
            return None;
        }
        if rest.starts_with(b"<!--") {
            self.at = self.comment_end(start);
            return None;
        }
        let sections = self.reading != Reading::Browser || self.is_foreign();
        if sections && rest.starts_with(b"<![CDATA[") {
            self.at = self.behind(start, b"]]>");
            return None;
        }
        let xml = self.reading == Reading::Xml;
        if rest.starts_with(b"<?") {
            self.at = self.behind(start, if xml { b"?>" } else { b">" });
            return Some(Token::Instruction(start..self.at));
        }
        let is_type = rest
            .get(2..9)
            .is_some_and(|word| word.eq_ignore_ascii_case(b"doctype"));
        if is_type && xml {
            // Up to its bracket, past the declarations in it.
            let head = rest.iter().position(|byte| matches!(byte, b'[' | b'>'));
            let inner = head.filter(|at| rest.get(*at) == Some(&b'['));
            let from = match inner {
                Some(at) => self.behind(start.saturating_add(at), b"]"),
                None => start,
            };
            self.at = self.behind(from, b">");
        } else {
            self.at = self.behind(start, b">");
        }
        is_type.then_some(Token::DocType(start..self.at))
    }

    /// Passes over the text of an element; its end tag comes next.
    fn raw_text(&mut self, name: &str) {
        let escapes = name == "script";
        let (mut escaped, mut doubled) = (false, false);
        let mut from = self.at;
        // Ends because each round goes on behind the character that it found.
        while let Some(skip) = memchr::memchr2(b'<', b'-', self.rest(from)) {
            let at = from.saturating_add(skip);
            let rest = self.rest(at);
            from = at.saturating_add(1);
            if escapes && rest.starts_with(b"<!--") {
                escaped = true;
            } else if escapes && rest.starts_with(b"-->") {
                (escaped, doubled) = (false, false);
            } else if escapes && escaped && !doubled && is_tag(rest, 1, name) {
                doubled = true;
            } else if rest.starts_with(b"</") && is_tag(rest, 2, name) {
                if !doubled {
                    self.at = at;
                    return;
                }
                doubled = false;
            }
        }
        self.at = self.text.len();
    }

    /// The attributes from a place in a tag on, and where the tag ends.
    fn attributes(&self, from: usize) -> (Vec<Attribute>, bool, usize) {
        let mut found = Vec::new();
        let mut at = from;
        // Ends because each round takes at least one byte.
        loop {
            let before = at;
            let rest = self.rest(at);
            let skip = rest.iter().take_while(|byte| is_gap(**byte)).count();
            at = at.saturating_add(skip);
            let Some(&next) = self.text.get(at) else {
                return (found, false, self.text.len());
            };
            if next == b'>' {
                let slash = at.checked_sub(1).and_then(|at| self.text.get(at));
                let closed = skip > 0 && slash == Some(&b'/');
                return (found, closed, at.saturating_add(1));
            }
            let name_at = at;
            let first = at.saturating_add(1);
            let len = self
                .rest(first)
                .iter()
                .take_while(|byte| !is_gap(**byte) && !matches!(byte, b'=' | b'>'))
                .count();
            at = first.saturating_add(len);
            let name = lower(self.text, name_at..at);
            let (value, behind) = self.value(at);
            at = behind;
            if found.len() < ATTRIBUTES.saturating_mul(16) {
                found.push(Attribute {
                    name,
                    value,
                    whole: before..at,
                });
            }
        }
    }

    /// The value of the attribute whose name ends here, and what comes behind it.
    fn value(&self, name_end: usize) -> (Range<usize>, usize) {
        let blanks = |from: usize| {
            let rest = self.rest(from);
            let count = rest.iter().take_while(|byte| is_blank(**byte)).count();
            from.saturating_add(count)
        };
        let equals = blanks(name_end);
        if self.text.get(equals) != Some(&b'=') {
            return (name_end..name_end, name_end);
        }
        let start = blanks(equals.saturating_add(1));
        match self.text.get(start) {
            Some(&quote @ (b'"' | b'\'')) => {
                let inside = start.saturating_add(1);
                let end = memchr::memchr(quote, self.rest(inside))
                    .map_or(self.text.len(), |len| inside.saturating_add(len));
                (inside..end, end.saturating_add(1).min(self.text.len()))
            }
            _ => {
                let len = self
                    .rest(start)
                    .iter()
                    .take_while(|byte| !is_blank(**byte) && **byte != b'>')
                    .count();
                let end = start.saturating_add(len);
                (start..end, end)
            }
        }
    }

    /// The tag whose name starts behind `skip` bytes of `<` or `</`.
    fn tag(&mut self, start: usize, skip: usize) -> Token {
        let from = start.saturating_add(skip);
        let len = self
            .rest(from)
            .iter()
            .take_while(|byte| !is_gap(**byte) && **byte != b'>')
            .count();
        let name_end = from.saturating_add(len);
        let name = lower(self.text, from..name_end);
        let (attributes, slash, end) = self.attributes(name_end);
        self.at = end;
        let range = start..end;
        if skip == 2 {
            self.leave(&name);
            return Token::End { name, range };
        }
        let closed = slash && (self.reading != Reading::Browser || self.enter(&name));
        if self.reading == Reading::Browser && !closed {
            self.open(&name);
        }
        Token::Start {
            name,
            attributes,
            closed,
            range,
        }
    }

    /// Whether an element that starts here is of SVG or MathML, in which a slash closes it.
    fn enter(&mut self, name: &str) -> bool {
        if self.is_foreign() && BREAKS_OUT.contains(&name) {
            // Ends because each round takes one off.
            while self.is_foreign() {
                self.foreign.pop();
            }
        }
        self.is_foreign() || matches!(name, "svg" | "math")
    }

    fn open(&mut self, name: &str) {
        self.enter(name);
        let deep = self.foreign.len() >= DEEPEST;
        if !deep && matches!(name, "svg" | "math") {
            self.foreign.push((name.to_owned(), true));
        } else if !deep && self.is_foreign() && INTEGRATION.contains(&name) {
            self.foreign.push((name.to_owned(), false));
        } else if !self.is_foreign() {
            self.raw = RAW.iter().copied().find(|raw| *raw == name);
        }
    }

    fn leave(&mut self, name: &str) {
        if let Some(at) = self.foreign.iter().rposition(|(open, _)| open == name) {
            self.foreign.truncate(at);
        }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if let Some(name) = self.raw.take() {
            self.raw_text(name);
        }
        // Ends because each round goes on behind the bracket that it found.
        loop {
            let start = self
                .at
                .checked_add(memchr::memchr(b'<', self.rest(self.at))?)?;
            self.at = start.saturating_add(1);
            match self.rest(start) {
                [_, b'!' | b'?', ..] => {
                    if let Some(token) = self.declaration(start) {
                        return Some(token);
                    }
                }
                [_, b'/', first, ..] if is_name(*first, self.reading) => {
                    return Some(self.tag(start, 2));
                }
                [_, b'/', ..] if self.reading == Reading::Browser => {
                    self.at = self.behind(start, b">");
                }
                [_, first, ..] if is_name(*first, self.reading) => {
                    return Some(self.tag(start, 1));
                }
                _ => {}
            }
        }
    }
}

/// Whether a tag of a name starts here, its name behind `skip` bytes.
fn is_tag(rest: &[u8], skip: usize, name: &str) -> bool {
    let end = skip.saturating_add(name.len());
    let here = rest.get(skip..end);
    here.is_some_and(|word| word.eq_ignore_ascii_case(name.as_bytes()))
        && rest
            .get(end)
            .is_some_and(|byte| is_gap(*byte) || *byte == b'>')
}

fn is_name(byte: u8, reading: Reading) -> bool {
    byte.is_ascii_alphabetic() || reading == Reading::Xml && matches!(byte, b'_' | b':' | 0x80..)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

fn is_gap(byte: u8) -> bool {
    is_blank(byte) || byte == b'/'
}

fn lower(text: &[u8], range: Range<usize>) -> String {
    bare(&String::from_utf8_lossy(
        text.get(range).unwrap_or_default(),
    ))
    .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of start tags, those of end tags with a slash, values behind equals signs.
    fn told(page: &str, reading: Reading) -> String {
        let tokens = Tokens::new(page.as_bytes(), reading);
        let mut out = Vec::new();
        for token in tokens {
            out.push(match token {
                Token::Start {
                    name,
                    attributes,
                    closed,
                    ..
                } => {
                    let values = attributes.iter().map(|one| {
                        format!(" {}={}", one.name, page.get(one.value.clone()).unwrap())
                    });
                    let end = if closed { "/" } else { "" };
                    format!("{name}{}{end}", values.collect::<String>())
                }
                Token::End { name, .. } => format!("/{name}"),
                Token::Instruction(_) => "?".to_owned(),
                Token::DocType(_) => "!".to_owned(),
            });
        }
        out.join(",")
    }

    #[test]
    fn tags_and_attributes_are_taken_apart_as_browsers_do() {
        let page = "<!DOCTYPE html><A/HREF = x y='1'z=\"2>\"/><b c></b ><1><br/>";
        assert_eq!(
            told(page, Reading::Browser),
            "!,a href=x y=1 z=2>,b c=,/b,br"
        );
        assert_eq!(told("<x:a p:b='1'/><?pi ?>", Reading::Xml), "a b=1/,?");
    }

    #[test]
    fn texts_of_elements_are_no_tags_in_browsers_but_in_pictures() {
        let page =
            "<title><b></title><svg><title><b></title><style><i x></style></svg><style><u></style>";
        assert_eq!(
            told(page, Reading::Browser),
            "title,/title,svg,title,b,/title,style,/style,/svg,style,/style".replace(
                "svg,title,b,/title,style,/style",
                "svg,title,b,/title,style,i x=,/style"
            )
        );
        assert!(told(page, Reading::Markup).starts_with("title,b,/title"));
        assert_eq!(
            told(
                "<script>a<!-- <script> </script> --></script><b>",
                Reading::Browser
            ),
            "script,/script,b"
        );
        assert_eq!(
            told("<script>'<b>'</scripty></script >", Reading::Browser),
            "script,/script"
        );
    }

    #[test]
    fn comments_end_where_browsers_end_them() {
        assert_eq!(told("<!--><b>--><i>", Reading::Browser), "b,i");
        assert_eq!(told("<!--><b>--><i>", Reading::Xml), "i");
        assert_eq!(told("<!--x--!><b>", Reading::Browser), "b");
        assert_eq!(told("<!--x<b>", Reading::Browser), "");
        assert_eq!(told("<!--x<b>", Reading::Markup), "b");
        assert_eq!(told("<!--[if IE]><b><![endif]-->", Reading::Markup), "b");
        assert_eq!(told("<![CDATA[<b>]]><i>", Reading::Xml), "i");
        assert_eq!(told("<![CDATA[<b>]]><i>", Reading::Browser), "i");
        assert_eq!(
            told("<!DOCTYPE a [<!ENTITY b '<c>'>]><d>", Reading::Xml),
            "!,d"
        );
    }

    #[test]
    fn what_breaks_off_ends() {
        for page in [
            "<", "</", "<a", "<a b", "<a b=", "<a b='", "<!", "<!--", "<?", "<script>", "<a /",
        ] {
            for reading in Reading::ALL {
                let _ = told(page, reading);
            }
        }
    }
}
