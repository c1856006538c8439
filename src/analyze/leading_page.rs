//! Pages that show nothing and take the browser somewhere else: by a refresh, by a script, by a frame over the whole
//! window. What a link in the mail would have led to is out of sight of whoever looks at links in mails.
//!
//! A page of some length that goes on by itself is no such page, nor is one that waits for a click. In an archive, pages
//! of saved sites lead on too; there an address in plain sight is no more than a link.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use memchr::memmem;

use super::place::{Place, plain};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::html::{self, Page, Tag};
use crate::formats::page_leads::{Lead, leads};
use crate::formats::script::Dialect;
use crate::formats::{base64, password_words};
use crate::model::{Family, IocType, Kind};
use crate::text::AnyOf;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "leading_page",
    kinds: &[Kind::Html],
    sees: Sees::Place,
    findings: &["html-script"],
    run,
};

/// Letters that a page may show and still be no more than a sign: "you are being redirected, please wait".
const SHOWN: usize = 200;

/// Letters that it may show where its address is hidden.
const SHOWN_AROUND_HIDDEN: usize = 2000;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let page = look.artifact;
    if page.kind != Kind::Html || !is_opened_by_itself(look) {
        return;
    }
    let decoded = page.via == Some("decoded-text");
    let page = Page::of(&page.data, page.sha256);
    let lower = page.lower().as_bytes();
    let has = |word: &[u8]| memmem::find(lower, word).is_some();
    // The letters of a value may be written by their numbers, those of its name not.
    if !(MARKS.is_in(lower) || has(b"http-equiv") && has(b"&#")) {
        return;
    }
    let shown = password_words::shown(page.text(), SHOWN_AROUND_HIDDEN);
    if shown > SHOWN_AROUND_HIDDEN {
        return;
    }
    let asked = Asked {
        handlers: STARTED.is_in(lower),
        others: OTHERS
            .iter()
            .any(|word| memmem::find(lower, word).is_some()),
    };
    let mut found: Option<(Weight, String)> = None;
    for lead in of_page(&page, asked) {
        let Some(told) = Told::of(look, &lead) else {
            continue;
        };
        if told.web {
            findings.ioc(IocType::Url, &told.target);
        }
        let weight = if told.hidden || decoded {
            Weight::Hidden
        } else {
            Weight::Open
        };
        let fits = shown <= SHOWN || weight == Weight::Hidden;
        if fits && found.as_ref().is_none_or(|(known, _)| *known < weight) {
            found = Some((weight, told.target));
        }
    }
    let Some((weight, target)) = found else {
        return;
    };
    let variant = if weight == Weight::Open && is_in_archive(look) {
        "link-page"
    } else {
        "leads-away"
    };
    findings.report(Found::new("html-script", &format!("leads to {target}")).variant(variant));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    Open,
    Hidden,
}

/// Whether a browser opens the page: it is no part of a document, and no body of a mail, in which nothing runs.
fn is_opened_by_itself(look: &Look<'_>) -> bool {
    let Some(parent) = look.parent() else {
        return true;
    };
    let part = matches!(
        parent.kind.family(),
        Family::Ooxml | Family::Odf | Family::OneNote | Family::Ole | Family::Installer
    ) || matches!(parent.kind, Kind::Chm | Kind::Mht);
    let body = parent.mail.is_some() && look.artifact.name.is_none();
    !part && !body
}

fn is_in_archive(look: &Look<'_>) -> bool {
    look.parent().is_some_and(|parent| {
        matches!(
            parent.kind.family(),
            Family::Archive | Family::Compressed | Family::Disk
        )
    })
}

/// Attributes whose script starts by itself.
const HANDLERS: &[&str] = &["onload", "onerror", "onpageshow", "onfocus"];

static STARTED: LazyLock<AnyOf> = LazyLock::new(|| AnyOf::new(HANDLERS));

/// What a page has, in lower case, that may lead somewhere.
static MARKS: LazyLock<AnyOf> = LazyLock::new(|| {
    AnyOf::new(&[
        "refresh", "<script", "onload", "onerror", "<iframe", "<frame",
    ])
});

/// Of redirects and frames; a value may write its letters by their numbers.
const OTHERS: [&[u8]; 3] = [b"refresh", b"frame", b"&#"];

/// What the tags of a page are asked for: by the words in it, most have nothing of this.
#[derive(Debug, Clone, Copy)]
struct Asked {
    handlers: bool,
    /// Redirects and frames.
    others: bool,
}

/// Everything that the page leads to by itself.
fn of_page(page: &Page, asked: Asked) -> Vec<Lead> {
    let source = page.text();
    let mut found = Vec::new();
    let mut started = BTreeSet::new();
    let mut handlers: Vec<String> = Vec::new();
    let tags = (asked.handlers || asked.others).then(|| page.tags());
    for tag in tags.into_iter().flatten() {
        let attributes = asked.handlers.then(|| tag.attributes());
        for (name, value) in attributes.into_iter().flatten() {
            if HANDLERS.contains(&name.as_ref()) {
                let words = value.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
                started.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
                handlers.push(value.into_owned());
            }
        }
        let address = match tag.name.as_ref() {
            "meta" => html::refresh(&tag),
            "iframe" | "frame" if covers(&tag) => tag.attribute("src").map(Cow::into_owned),
            _ => None,
        };
        found.extend(address.map(|target| Lead {
            hidden: false,
            target: Some(target),
        }));
    }
    let mut submits = false;
    let mut clicks = BTreeSet::new();
    for (range, dialect) in page.scripts() {
        if *dialect == Dialect::Js {
            let body = source.get(range.clone()).unwrap_or_default();
            found.extend(leads(body, &started));
            if body.contains(".click()") && !body.contains("createObjectURL") {
                clicks.extend(body.split(|c: char| !c.is_alphanumeric() && c != '_'));
                clicks.extend(body.split(['"', '\'', '`', '#']));
            }
            submits |= body.contains(".submit()");
        }
    }
    if !clicks.is_empty() {
        found.extend(clicked(page, &clicks));
    }
    if submits {
        found.extend(sent(page));
    }
    for handler in &handlers {
        found.extend(leads(handler, &started));
    }
    found
}

/// A link that a script clicks itself; `words`: all of such scripts.
fn clicked(page: &Page, words: &BTreeSet<&str>) -> Option<Lead> {
    let links = page.tags_named(&["a"]);
    let links = links.filter(|tag| tag.attribute("download").is_none());
    let mut addresses = links.filter_map(|tag| {
        let id = tag.attribute("id").unwrap_or_default();
        let named = !id.is_empty() && words.contains(id.as_ref());
        tag.attribute("href").filter(|_| named).map(Cow::into_owned)
    });
    addresses.next().map(|target| Lead {
        target: Some(target),
        hidden: false,
    })
}

/// The form of a page that has nothing in it to fill in: a script that sends it needs nobody.
fn sent(page: &Page) -> Option<Lead> {
    let mut target = None;
    for tag in page.tags() {
        match tag.name.as_ref() {
            "form" => target = target.or_else(|| tag.attribute("action")),
            "input" if !tag.attribute("type").is_some_and(|kind| is_unseen(&kind)) => return None,
            "textarea" | "select" | "button" => return None,
            _ => {}
        }
    }
    target.map(|target| Lead {
        target: Some(target.into_owned()),
        hidden: false,
    })
}

/// Whether an input of this type asks for nothing.
fn is_unseen(kind: &str) -> bool {
    ["hidden", "submit", "image"]
        .iter()
        .any(|unseen| kind.trim().eq_ignore_ascii_case(unseen))
}

/// Whether a frame is made to fill the window.
fn covers(tag: &Tag<'_>) -> bool {
    let value = |name| tag.attribute(name).unwrap_or_default().to_ascii_lowercase();
    let style = value("style").replace(' ', "");
    let full = |text: &str| text.contains("100%") || text.contains("100v");
    let wide = full(&value("width")) || style.contains("width:100");
    let high = full(&value("height")) || style.contains("height:100");
    tag.name == "frame"
        || wide && high
        || style.contains("position:fixed") && style.contains("inset:0")
}

/// What is said of a lead that leads out.
struct Told {
    target: String,
    hidden: bool,
    web: bool,
}

impl Told {
    fn of(look: &Look<'_>, lead: &Lead) -> Option<Self> {
        let Some(target) = &lead.target else {
            return Some(Self {
                target: "an address that a script makes".to_owned(),
                hidden: true,
                web: false,
            });
        };
        let target = plain(target);
        let lower = target.to_lowercase();
        let inline = lower.starts_with("data:text") || lower.starts_with("data:application");
        let script = lower.starts_with("javascript:") || lower.starts_with("vbscript:");
        if script
            && !["location", "eval(", "atob(", "write(", "unescape("]
                .iter()
                .any(|mark| lower.contains(mark))
        {
            return None;
        }
        let place = Place::of(&target, &look.knowledge.links);
        let web = place == Place::Web || target.starts_with("//");
        let out = web || inline || matches!(place, Place::Share(_) | Place::Moniker);
        out.then(|| Self {
            hidden: lead.hidden || inline || script || names_somebody(&target),
            target,
            web,
        })
    }
}

/// Whether an address carries that of a person, as it is or in base64: whoever made it knows whom it is for.
fn names_somebody(target: &str) -> bool {
    let Some(at) = target.find(['?', '#']) else {
        return false;
    };
    let behind = target.get(at..).unwrap_or_default();
    let is_address = |word: &str| {
        let Some((user, host)) = word.split_once('@') else {
            return false;
        };
        !user.is_empty()
            && host.contains('.')
            && host
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'))
    };
    behind
        .split(['?', '#', '&', '=', '/', '$', '*'])
        .filter(|word| (6..=200).contains(&word.len()))
        .any(|word| {
            let decoded = word
                .bytes()
                .all(base64::is_base64)
                .then(|| base64::decode(word.as_bytes()).data);
            let decoded = decoded.and_then(|data| String::from_utf8(data).ok());
            is_address(word) || decoded.is_some_and(|word| is_address(&word))
        })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;
    use crate::model::Name;

    fn found(page: &str) -> Vec<&'static str> {
        let page = holding(Kind::Html, page.as_bytes());
        let found = findings_of("leading_page", &[page]);
        found.into_iter().map(|(_, severity)| severity).collect()
    }

    const OUT: &str = "https://login.example.invalid/";

    #[test]
    fn pages_that_only_lead_away_are_found() {
        for page in [
            format!(
                "<html><head><meta http-equiv=\"Refresh\" content=\"0; URL='{OUT}'\"></head></html>"
            ),
            "<meta http-equiv=refresh content='0;url=data:text/html;base64,PGh0bWw+'>".to_owned(),
            format!("<meta http-equiv='&#82;efresh' content='0;url={OUT}'>"),
            format!("<script>window.location.href = \"{OUT}\"</script><p>Please wait ...</p>"),
            format!(
                "<body onload=\"go()\"><script>function go() {{ location.replace('{OUT}') }}</script>"
            ),
            format!("<body onload=\"location='{OUT}'\">"),
            format!(
                "<iframe src=\"{OUT}\" style=\"position: fixed; width: 100%; height: 100%\"></iframe>"
            ),
            format!(
                "<a id=x href=\"{OUT}\"></a><script>document.getElementById('x').click()</script>"
            ),
            format!(
                "<form id=f action=\"{OUT}\" method=post><input type=hidden name=e></form><script>f.submit()</script>"
            ),
            "<script>location = 'ms-msdt:/id PCWDiagnostic'</script>".to_owned(),
            "<script>location = 'file://192.0.2.1/s/a.html'</script>".to_owned(),
        ] {
            assert_eq!(found(&page), ["medium"], "{page}");
        }
        let long = "word ".repeat(200);
        assert_eq!(
            found(&format!(
                "<p>{long}</p><script>location = atob('aHR0cHM6Ly9hLmV4YW1wbGUuaW52YWxpZC8=')</script>"
            )),
            ["medium"]
        );
    }

    #[test]
    fn pages_with_something_to_read_or_to_press_are_not() {
        let long = "word ".repeat(100);
        for page in [
            format!("<p>{long}</p><meta http-equiv=refresh content=\"300; url={OUT}\">"),
            "<meta http-equiv=refresh content=\"0; url=index2.html\">".to_owned(),
            "<meta http-equiv=refresh content=\"30\">".to_owned(),
            format!("<button onclick=\"location.href='{OUT}'\">Open</button>"),
            format!("<a href=\"{OUT}\">Open</a>"),
            format!(
                "<form id=f action=\"{OUT}\"><input name=q></form><script>function go() {{ f.submit() }}</script>"
            ),
            format!("<iframe src=\"{OUT}\" width=560 height=315></iframe>"),
            "<a href=\"#\" id=x></a><script>document.getElementById('x').click(); history.back()</script>".to_owned(),
        ] {
            assert!(found(&page).is_empty(), "{page}");
        }
    }

    #[test]
    fn in_an_archive_a_plain_address_is_a_link_and_in_a_body_nothing() {
        let mut page = holding(
            Kind::Html,
            format!("<script>location = '{OUT}'</script>").as_bytes(),
        );
        page.id = 1;
        page.parent = Some(0);
        page.name = Some(Name::of("index.html"));
        let zip = holding(Kind::Zip, b"PK");
        assert_eq!(
            findings_of("leading_page", &[zip.clone(), page.clone()]),
            [("html-script".to_owned(), "low")]
        );
        page.data = format!("<script>location = '{OUT}#' + 'taro@hq.example'</script>")
            .into_bytes()
            .into();
        assert_eq!(
            findings_of("leading_page", &[zip, page.clone()]),
            [("html-script".to_owned(), "medium")]
        );
        page.name = None;
        let mut mail = holding(Kind::Eml, b"");
        mail.mail = Some(Box::default());
        assert!(findings_of("leading_page", &[mail, page]).is_empty());
    }

    #[test]
    fn whoever_is_meant_is_seen() {
        assert!(names_somebody("https://a.example/#taro@hq.example"));
        assert!(names_somebody("https://a.example/?e=dGFyb0BocS5leGFtcGxl"));
        assert!(!names_somebody(
            "https://a.example/@user/post?page=12&lang=ja"
        ));
    }
}
