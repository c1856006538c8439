//! Pages and SVG pictures without what runs: scripts, handlers of events, addresses of script, pages in attributes,
//! redirections, files written in the page, targets of forms that ask for passwords. Every other byte is the old one.
//!
//! What one reader takes for text is a tag to another: each way to read a page is gone through, and what runs in any of
//! them goes.

use std::ops::Range;

use bytes::Bytes;

use super::asked::{
    Asked, CARRIED, COMMANDS, Log, MACROS, OBJECTS, OUTSIDE, PACKAGES, PROGRAMS, SHEETS,
};
use super::plain::Plain;
use super::{Disarmed, Disarmer, FindingId, Job, Refusal};
use crate::analyze;
use crate::formats::html::tokens::{Attribute, Reading, Token, Tokens, VOID};
use crate::formats::xml;
use crate::limits::{Budget, Halt};
use crate::model::Kind;
use crate::unpack;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "html",
    kinds: &[Kind::Html, Kind::Svg],
    findings: &[
        SCRIPTS, SMUGGLED, FORMS, COMMANDS, PROGRAMS, MACROS, SHEETS, PACKAGES, OBJECTS, OUTSIDE,
        CARRIED,
    ],
    run,
};

const SCRIPTS: &[&str] = &["html-script", "svg-script"];
const SMUGGLED: &[&str] = &["html-smuggling"];
const FORMS: &[&str] = &["credential-form"];

/// Places in one page at the most.
const CEILING: usize = 100_000;

/// Places that are told.
const TOLD: usize = 64;

/// Pages within pages.
const DEPTH: u32 = 4;

/// Types of script elements that hold data (HTML Standard, 4.12.1): no browser runs them.
const DATA_TYPES: &[&str] = &[
    "application/ld+json",
    "application/json",
    "text/template",
    "text/x-template",
];

fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    super::settled(job, budget, once)
}

fn once(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let asked = Asked::of(job);
    let mut log = Log::default();
    let carried = asked.first(&[
        SMUGGLED, PROGRAMS, COMMANDS, MACROS, SHEETS, PACKAGES, OBJECTS, OUTSIDE, CARRIED,
    ]);
    let forms = asked.first(&[FORMS]);
    let scripts = asked.first(&[SCRIPTS]);
    let any = scripts.clone().or(carried.clone()).or(forms.clone());
    let Some(any) = any else {
        return Ok(log.ended(job, || job.data.clone()));
    };
    let wide = match Plain::is_wide(job.data) {
        true => Some(Plain::read(job.data, budget)?),
        false => None,
    };
    let text = match &wide {
        Some(plain) => Bytes::copy_from_slice(plain.text.as_bytes()),
        None => job.data.clone(),
    };
    let mut page = Page {
        text: &text,
        picture: job.kind == Kind::Svg,
        forms: forms.is_some(),
        carries: carried.is_some(),
        depth: DEPTH,
        found: Vec::new(),
        budget,
    };
    page.read()?;
    if carried.is_some() {
        let places = unpack::encoded_places(&text, job.kind, budget).map_err(Refusal::Limit)?;
        for place in places {
            page.cut(place, "file written in the page")?;
        }
    }
    let edited = page.without(&any, &mut log);
    let edited = match wide.as_ref().filter(|_| !log.removed.is_empty()) {
        None => edited.into(),
        Some(plain) => match String::from_utf8(edited) {
            Ok(edited) => plain.written(&edited),
            Err(_) => return Err(Refusal::Broken("a change splits a character".to_owned())),
        },
    };
    Ok(log.ended(job, || edited))
}

/// One page and what goes of it.
struct Page<'a> {
    text: &'a [u8],
    /// Whether it is a picture, in which pages and forms have no place.
    picture: bool,
    /// Whether targets of forms go.
    forms: bool,
    /// Whether files in addresses go.
    carries: bool,
    /// Pages within this one that are still looked into.
    depth: u32,
    found: Vec<(Range<usize>, &'static str)>,
    budget: &'a Budget,
}

/// An element that goes and whose end has not come yet.
struct Open {
    name: String,
    tag: Range<usize>,
    what: &'static str,
    /// Elements of its name within it.
    within: usize,
}

impl Page<'_> {
    /// Looks for what runs in every way to read the page.
    fn read(&mut self) -> Result<(), Refusal> {
        let text = self.text;
        let mut scripts = Vec::new();
        self.read_as(text, Reading::Browser, &mut scripts)?;
        // The code of scripts is full of what others take for tags; where scripts end is for browsers to say.
        let mut masked = text.to_vec();
        for script in scripts {
            masked
                .get_mut(script)
                .into_iter()
                .for_each(|code| code.fill(b' '));
        }
        let mut unused = Vec::new();
        for reading in [Reading::Markup, Reading::Xml] {
            self.read_as(&masked, reading, &mut unused)?;
        }
        // ISO-2022-JP: what stands between escapes is no ASCII.
        if memchr::memmem::find(text, b"\x1b$").is_some() {
            let masked = without_double_bytes(text);
            for reading in Reading::ALL {
                self.read_as(&masked, reading, &mut unused)?;
            }
        }
        Ok(())
    }

    fn cut(&mut self, range: Range<usize>, what: &'static str) -> Result<(), Refusal> {
        if self.found.len() >= CEILING {
            return Err(Refusal::Limit(Halt::Ceiling("places in one page")));
        }
        self.found.push((range, what));
        Ok(())
    }

    /// Looks through one reading of a text of the page's length. `scripts` gets the contents of script elements.
    fn read_as(
        &mut self,
        text: &[u8],
        reading: Reading,
        scripts: &mut Vec<Range<usize>>,
    ) -> Result<(), Refusal> {
        let mut open: Option<Open> = None;
        let mut script: Option<usize> = None;
        for token in Tokens::new(text, reading) {
            self.budget.tick().map_err(Refusal::Limit)?;
            match token {
                Token::Start {
                    name,
                    attributes,
                    closed,
                    range,
                } => {
                    if name == "script" && !closed {
                        script = Some(range.end);
                    }
                    let whole = closed || VOID.contains(&name.as_str()) && !self.picture;
                    match (&mut open, self.element(&name, &attributes, text)) {
                        (Some(open), _) if open.name == name && !closed => {
                            open.within = open.within.saturating_add(1);
                        }
                        (_, Some(what)) if whole => self.cut(range, what)?,
                        (None, Some(what)) => {
                            open = Some(Open {
                                name: name.clone(),
                                tag: range,
                                what,
                                within: 0,
                            });
                        }
                        (_, _) => {}
                    }
                    self.attributes(&name, &attributes, text)?;
                }
                Token::End { name, range } => {
                    if name == "script"
                        && let Some(start) = script.take()
                    {
                        scripts.push(start..range.start);
                    }
                    let Some(ending) = open.as_mut().filter(|open| open.name == name) else {
                        continue;
                    };
                    match ending.within.checked_sub(1) {
                        Some(within) => ending.within = within,
                        None => {
                            let (start, what) = (ending.tag.start, ending.what);
                            open = None;
                            self.cut(start..range.end, what)?;
                        }
                    }
                }
                Token::Instruction(range) => {
                    let inside = lossy(text, &range).to_ascii_lowercase();
                    if inside.starts_with("<?xml-stylesheet") && !inside.contains("text/css") {
                        self.cut(range, "style sheet that computes")?;
                    }
                }
                Token::DocType(range) => refuse_entities(&lossy(text, &range))?,
            }
        }
        // A script without an end reaches to the end of the page; of others only the tag is sure.
        if let Some(open) = open {
            let endless = open.name == "script" && reading == Reading::Browser;
            let end = if endless { text.len() } else { open.tag.end };
            self.cut(open.tag.start..end, open.what)?;
        }
        Ok(())
    }

    /// What an element is that goes.
    fn element(&self, name: &str, attributes: &[Attribute], text: &[u8]) -> Option<&'static str> {
        let value = |wanted: &str| {
            let found = attributes.iter().find(|one| one.name == wanted);
            found.map(|one| value(text, one).trim().to_ascii_lowercase())
        };
        match name {
            "script" => {
                let data = value("type").is_some_and(|kind| DATA_TYPES.contains(&kind.as_str()));
                (!data).then_some("script")
            }
            "applet" => Some("applet"),
            "handler" | "listener" => Some("handler"),
            "iframe" | "frame" | "embed" | "object" | "form" | "input" if self.picture => {
                Some("page within")
            }
            "object" | "embed" if value("classid").is_some() => Some("control"),
            "meta" if value("http-equiv").as_deref() == Some("refresh") => Some("redirect"),
            _ => None,
        }
    }

    /// Takes attributes out that run something.
    fn attributes(
        &mut self,
        element: &str,
        attributes: &[Attribute],
        text: &[u8],
    ) -> Result<(), Refusal> {
        for attribute in attributes {
            if let Some(what) = self.attribute(element, attribute, text)? {
                self.cut(attribute.whole.clone(), what)?;
            }
        }
        Ok(())
    }

    fn attribute(
        &self,
        element: &str,
        attribute: &Attribute,
        text: &[u8],
    ) -> Result<Option<&'static str>, Refusal> {
        let name = attribute.name.as_str();
        let handler = name.strip_prefix("on").is_some_and(|event| {
            !event.is_empty() && event.bytes().all(|byte| byte.is_ascii_alphabetic())
        });
        if handler {
            return Ok(Some("handler"));
        }
        if name == "srcdoc" {
            return Ok(Some("page within"));
        }
        if attribute.value.is_empty() || matches!(name, "alt" | "title" | "placeholder") {
            return Ok(None);
        }
        let value = value(text, attribute);
        if analyze::is_script_address(&value) {
            return Ok(Some("address of script"));
        }
        let head: String = value.trim_start().chars().take(32).collect();
        let head = head.to_ascii_lowercase();
        if head.starts_with("search-ms:") || head.starts_with("search:") {
            return Ok(Some("address of a search"));
        }
        if let Some(kind) = head.strip_prefix("data:") {
            let harmless = [
                "image/",
                "font/",
                "audio/",
                "video/",
                "text/css",
                "text/plain",
            ];
            let shown = harmless.iter().any(|known| kind.starts_with(known));
            if self.carries && !shown {
                return Ok(Some("file in an address"));
            }
            if kind.starts_with("image/svg") && self.runs_within(&value)? {
                return Ok(Some("picture that runs something"));
            }
        }
        let target = matches!((element, name), ("form", "action") | (_, "formaction"));
        Ok((self.forms && target).then_some("target of a form"))
    }

    /// Whether a picture in an address has anything in it that goes.
    fn runs_within(&self, address: &str) -> Result<bool, Refusal> {
        let Some(depth) = self.depth.checked_sub(1) else {
            return Ok(true);
        };
        let Some(inner) = unpack::page_in_address(address) else {
            return Ok(false);
        };
        self.budget.spend(inner.len()).map_err(Refusal::Limit)?;
        let mut page = Page {
            text: &inner,
            picture: true,
            depth,
            found: Vec::new(),
            ..*self
        };
        page.read()?;
        Ok(!page.found.is_empty())
    }

    /// The page without what was found.
    fn without(mut self, finding: &FindingId, log: &mut Log) -> Vec<u8> {
        self.found
            .sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut out = Vec::with_capacity(self.text.len());
        let mut from = 0usize;
        for (range, what) in &self.found {
            if range.start >= from {
                out.extend_from_slice(self.text.get(from..range.start).unwrap_or_default());
                if log.removed.len() < TOLD {
                    log.add(finding, &format!("{what} at {}", range.start));
                }
            }
            from = from.max(range.end);
        }
        out.extend_from_slice(self.text.get(from..).unwrap_or_default());
        out
    }
}

fn lossy(text: &[u8], range: &Range<usize>) -> String {
    String::from_utf8_lossy(text.get(range.clone()).unwrap_or_default()).into_owned()
}

/// The value of an attribute, references resolved.
fn value(text: &[u8], attribute: &Attribute) -> String {
    xml::unescape(&lossy(text, &attribute.value)).into_owned()
}

/// Refuses entities that stand for markup: what a reader puts in their place is nowhere in the page.
fn refuse_entities(declaration: &str) -> Result<(), Refusal> {
    let lower = declaration.to_ascii_lowercase();
    let markup = [
        "<script",
        "&#60;",
        "&#x3c;",
        "javascript:",
        "onload",
        "system",
    ];
    match lower.contains("<!entity") && markup.iter().any(|mark| lower.contains(mark)) {
        true => Err(Refusal::Broken("an entity stands for markup".to_owned())),
        false => Ok(()),
    }
}

/// A text of ISO-2022-JP in which characters of two bytes are blanks; of the same length.
fn without_double_bytes(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    let mut from = 0usize;
    // Ends because each round goes on behind an escape.
    while let Some(start) = out
        .get(from..)
        .and_then(|rest| memchr::memmem::find(rest, b"\x1b$"))
        .map(|skip| from.saturating_add(skip))
    {
        let rest = out.get(start..).unwrap_or_default();
        let end = memchr::memmem::find(rest, b"\x1b(").map_or(out.len(), |len| {
            start.saturating_add(len).saturating_add(3).min(out.len())
        });
        out.get_mut(start..end)
            .into_iter()
            .for_each(|one| one.fill(b' '));
        from = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::run_on;
    use super::*;

    fn made(kind: Kind, page: &str, ids: &[&'static str]) -> Result<String, Refusal> {
        let made = run_on(&ROW, kind, page.as_bytes(), ids)?;
        Ok(String::from_utf8(made.data.to_vec()).unwrap())
    }

    #[test]
    fn what_runs_goes_and_the_rest_stays() {
        for (page, wanted) in [
            ("<p>a</p><SCRIPT src=x>b</SCRIPT ><p>c", "<p>a</p><p>c"),
            ("<body\n onload='x()' class=y>", "<body class=y>"),
            (
                "<a href=\"java&#115;cript:x()\" id=z>t</a>",
                "<a id=z>t</a>",
            ),
            ("<meta http-equiv=Refresh content='0;url=x'><p>", "<p>"),
            ("<iframe srcdoc='<script>x</script>' w=1>", "<iframe w=1>"),
            (
                "<iframe src='data:text/html,x'></iframe>",
                "<iframe></iframe>",
            ),
            ("a<script>'</p>'", "a"),
            ("<a href=java onclick='x'script:y()>t</a>", "<a>t</a>"),
            ("<!--><script>x</script>-->", "<!-->-->"),
            (
                "<svg><style><img onerror=x src=y></style></svg>",
                "<svg><style><img src=y></style></svg>",
            ),
            (
                "<title><a href='</title><script>x</script>'>",
                "<title><a href='</title>'>",
            ),
            ("<img src='data:image/svg+xml,<svg onload=x>'>", "<img>"),
            (
                "<script>if(a<b){c='it\"s'}</script><p>k</p><script>d</script>",
                "<p>k</p>",
            ),
            (
                "<script type='application/ld+json'>{}</script><i onclick=x>",
                "<script type='application/ld+json'>{}</script><i>",
            ),
            (
                "<p>1 < 2 & \"on\"</p><b onclick=x>",
                "<p>1 < 2 & \"on\"</p><b>",
            ),
        ] {
            assert_eq!(
                made(Kind::Html, page, &["html-script"]).as_deref(),
                Ok(wanted),
                "{page}"
            );
        }
    }

    #[test]
    fn pictures_keep_what_is_drawn() {
        for (page, wanted) in [
            (
                "<svg><script href='a'/><rect/><handler>x</handler></svg>",
                "<svg><rect/></svg>",
            ),
            (
                "<svg><foreignObject><iframe src='x'/><p>a</p></foreignObject></svg>",
                "<svg><foreignObject><p>a</p></foreignObject></svg>",
            ),
            (
                "<svg><set attributeName='href' to='javascript:x()'/></svg>",
                "<svg><set attributeName='href'/></svg>",
            ),
        ] {
            assert_eq!(
                made(Kind::Svg, page, &["svg-script"]).as_deref(),
                Ok(wanted),
                "{page}"
            );
        }
        let entity = "<!DOCTYPE svg [<!ENTITY a \"&#60;script>\">]><svg>&a;</svg>";
        assert!(made(Kind::Svg, entity, &["svg-script"]).is_err());
    }

    #[test]
    fn files_and_targets_go_where_they_are_asked_for() {
        let file = base64_of_a_zip();
        let page = format!(
            "<div hidden>{file}</div><a download=a.zip href=\"data:application/zip;base64,{file}\">a</a>"
        );
        assert_eq!(
            made(Kind::Html, &page, &["html-smuggling"]).as_deref(),
            Ok("<div hidden></div><a download=a.zip>a</a>")
        );
        assert_eq!(
            made(Kind::Html, &page, &["html-script"]).as_deref(),
            Ok(page.as_str())
        );
        let form = "<form action='https://login.example.invalid/'><input type=password>";
        assert_eq!(
            made(Kind::Html, form, &["credential-form"]).as_deref(),
            Ok("<form><input type=password>")
        );
    }

    fn base64_of_a_zip() -> String {
        // A local header and nothing in it, in one run.
        let head = "UEsDBBQAAAAAAAAAIQAAAAAAAAAAAAAAAAABAAAAYVBLAQIUABQAAAAAAAAAIQAAAAAA";
        let tail = "AAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAABhUEsFBgAAAAABAAEALwAAAB8AAAAAAA==";
        format!("{head}{tail}")
    }

    #[test]
    fn other_charsets_come_back() {
        let page = "<p>日本</p><script>x</script>";
        let wide: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain(page.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        let made = run_on(&ROW, Kind::Html, &wide, &["html-script"]).unwrap();
        assert_eq!(made.data, &wide[..2 + 2 * "<p>xx</p>".len()]);
        let japanese = encoding_rs::ISO_2022_JP
            .encode("<p>日本語の頁</p><script>x</script>")
            .0;
        let made = run_on(&ROW, Kind::Html, &japanese, &["html-script"]).unwrap();
        let wanted = encoding_rs::ISO_2022_JP.encode("<p>日本語の頁</p>").0;
        assert_eq!(made.data, wanted.as_ref());
    }
}
