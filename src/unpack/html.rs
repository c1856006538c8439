//! Pages and SVG pictures: scripts in them that put something together, and pages within them, as children.
//!
//! A script that only moves things on the page is left where it is. Base64 and numbers in a page are decoded by the reader
//! of encoded runs; here stands what that one cannot see: texts in pieces, turned around, escaped.

use std::borrow::Cow;
use std::cell::LazyCell;
use std::sync::LazyLock;

use memchr::memmem;

use crate::formats::base64;
use crate::formats::html::{self, Page, Tag};
use crate::formats::script::Dialect;
use crate::identify;
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Family, Kind, Trouble};
use crate::text::AnyOf;

use super::{Child, Nest, encoded};

/// Kinds that are looked into.
pub(super) const KINDS: &[Kind] = &[Kind::Html, Kind::Svg];

/// Longest script that becomes a child, unless it is mostly one text.
const SCRIPT: usize = 256 << 10;

/// Longest script that becomes a child at all: longer ones are not put together anyway.
const LONGEST_SCRIPT: usize = 4 << 20;

/// Scripts and inner pages of one page at the most.
const CHILDREN: usize = 64;

/// What a script that puts something together contains.
static TELLING: LazyLock<AnyOf> = LazyLock::new(|| {
    AnyOf::new(&[
        "atob",
        "unescape(",
        "fromCharCode",
        "createObjectURL",
        "Uint8Array",
        "msSave",
        "decodeURIComponent(",
        "eval(",
        "Blob(",
        // Markup in escapes: a page within a script.
        "\\x3cinput",
        "\\x3Cinput",
        "\\u003cinput",
        "\\u003Cinput",
        "\\x3cform",
        "\\x3Cform",
        "\\u003cform",
        "\\u003Cform",
        // Names that hide a field for a password.
        "pass'+'",
        "pass\"+\"",
        "pass' + '",
        "pass\" + \"",
    ])
});

/// Names that are put together: of two texts, or of escapes.
const PIECED: &[&str] = &["\"+\"", "'+'", "\" + \"", "' + '", "\\x", "\\u00"];

/// Characters of a text that may be a file.
const LITERAL: usize = 256;

/// What sends something to a server: beside a field for a password, names in pieces hide where to.
const SENDING: &[&str] = &[
    "XMLHttpRequest",
    "fetch(",
    ".ajax(",
    ".post(",
    "sendBeacon(",
];

/// Pushes scripts and inner pages.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if artifact.data.len() > Page::LONGEST {
        nest.note(Fact::Limit {
            halt: Halt::Ceiling("page of 64 MiB"),
            what: "scripts in it were not looked at".to_owned(),
        });
        return Ok(());
    }
    let page = Page::of(&artifact.data, artifact.sha256);
    let source = page.text();
    let asks = LazyCell::new(|| {
        let words = ["password", "PASSWORD", "Password"];
        words
            .iter()
            .any(|word| memmem::find(source.as_bytes(), word.as_bytes()).is_some())
    });
    for (range, dialect) in page.scripts() {
        nest.tick()?;
        let body = source.get(range.clone()).unwrap_or_default();
        if *dialect != Dialect::Js {
            continue;
        }
        let literal = longest_literal(body);
        // Names in pieces tell nothing; beside a text of some length they are there to hide what works on it.
        let telling =
            || literal.len() >= LITERAL || *asks && SENDING.iter().any(|mark| body.contains(mark));
        let pieced = || telling() && PIECED.iter().any(|mark| body.contains(mark));
        if !TELLING.is_in(body.as_bytes()) && !pieced() {
            continue;
        }
        turned_around(literal, nest)?;
        let mostly_text = literal.len() >= body.len() / 2;
        let fits = body.len() <= SCRIPT || mostly_text && body.len() <= LONGEST_SCRIPT;
        if fits && nest.len() < CHILDREN && !nest.holds(body.as_bytes()) {
            let child = Child::new("script-block", body.as_bytes().to_vec());
            nest.push(child.of_kind(Kind::Js))?;
        }
    }
    handlers(&page, nest)?;
    inner_pages(&page, nest)?;
    pictures(source, nest)
}

/// Scripts in attributes whose text is written with character references (HTML, 13.2.5.72): handlers of events, and
/// addresses that are scripts. As they stand, nobody else reads them.
fn handlers(page: &Page, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let source = page.text();
    const LONG: usize = 40;
    if memmem::find(source.as_bytes(), b"&#").is_none() {
        return Ok(());
    }
    let mut pushed = 0usize;
    for tag in page.tags() {
        nest.tick()?;
        let whole = source.as_bytes().get(tag.at..tag.end);
        if whole.is_none_or(|tag| memchr::memchr(b'&', tag).is_none()) {
            continue;
        }
        for (name, value) in tag.attributes() {
            if matches!(value, Cow::Owned(_)) && pushed < CHILDREN {
                pushed = pushed.saturating_add(in_file_address(&value, &tag, nest)?);
            }
            let script = value.trim_start();
            let address = script
                .get(..11)
                .is_some_and(|scheme| scheme.eq_ignore_ascii_case("javascript:"));
            let runs = name.starts_with("on") || address;
            let written = matches!(value, Cow::Owned(_));
            if !runs || !written || value.len() < LONG || pushed >= CHILDREN {
                continue;
            }
            let telling = TELLING.is_in(script.as_bytes());
            let body = if address {
                script.get(11..)
            } else {
                Some(script)
            };
            let body = body.unwrap_or_default().as_bytes();
            if telling && !nest.holds(body) {
                pushed = pushed.saturating_add(1);
                let child = Child::new("script-block", body.to_vec()).at(tag.at..tag.end);
                nest.push(child.of_kind(Kind::Js))?;
            }
        }
    }
    Ok(())
}

/// Pictures of one page that are looked into, and the characters of one.
const PICTURES: usize = 16;
const PICTURE: usize = 8 << 20;

/// Pushes pictures that a page holds itself: there may be a code in them.
fn pictures(source: &str, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    const MARK: &str = ";base64,";
    let mut pushed = 0usize;
    for at in memmem::find_iter(source.as_bytes(), MARK) {
        nest.tick()?;
        let before = source.get(..at).unwrap_or_default();
        let head = before.get(before.ceil_char_boundary(at.saturating_sub(24))..);
        let head = head.unwrap_or_default().to_ascii_lowercase();
        let picture = ["png", "jpeg", "jpg", "gif", "webp", "bmp"];
        if !picture
            .iter()
            .any(|kind| head.ends_with(&format!("data:image/{kind}")))
        {
            continue;
        }
        let run = source
            .get(at.saturating_add(MARK.len())..)
            .unwrap_or_default();
        let end = run.bytes().take(PICTURE).position(|byte| {
            !(base64::is_base64(byte) || byte == b'=' || byte.is_ascii_whitespace())
        });
        let run = run.get(..end.unwrap_or(0)).unwrap_or_default();
        nest.budget().spend(run.len())?;
        let data = base64::decode(run.as_bytes()).data;
        if data.len() > SHORTEST_PICTURE && !nest.holds(&data) {
            nest.push(Child::new("data-uri", data))?;
            pushed = pushed.saturating_add(1);
        }
        if pushed >= PICTURES {
            break;
        }
    }
    Ok(())
}

/// Bytes below which a picture is a dot or a line.
const SHORTEST_PICTURE: usize = 120;

/// The longest text between quotes, in bytes of the source.
fn longest_literal(body: &str) -> &str {
    let pieces = body.split(['"', '\'', '`']);
    pieces.max_by_key(|piece| piece.len()).unwrap_or_default()
}

/// Base64 written backwards: decoded where it is a file that counts.
fn turned_around(literal: &str, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if literal.len() < 64 || !literal.bytes().all(base64::is_base64) {
        return Ok(());
    }
    let turned: Vec<u8> = literal.bytes().rev().collect();
    let head = base64::decode(turned.get(..64).unwrap_or(&turned)).data;
    let program = [
        &b"MZ"[..],
        b"PK\x03\x04",
        b"Rar!",
        b"7z\xbc\xaf",
        b"MSCF",
        b"\xd0\xcf\x11\xe0",
        b"<htm",
        b"<!DO",
    ];
    if !program.iter().any(|mark| head.starts_with(mark)) {
        return Ok(());
    }
    nest.budget().spend(turned.len())?;
    let data = base64::decode(&turned).data;
    if !nest.holds(&data) {
        nest.push(Child::new("decoded-text", data))?;
    }
    Ok(())
}

/// What a page has that holds another.
static INNER: LazyLock<AnyOf> = LazyLock::new(|| {
    AnyOf::new(&[
        "srcdoc",
        "SRCDOC",
        "data:text/",
        "data:image/svg",
        "data:application/",
        "data:;",
        "DATA:",
    ])
});

/// Pages in attributes: `srcdoc`, and `data:` addresses that are not in base64.
fn inner_pages(page: &Page, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if !INNER.is_in(page.text().as_bytes()) {
        return Ok(());
    }
    let mut pushed = 0usize;
    for tag in page.tags() {
        nest.tick()?;
        // Of two attributes of one name the first counts.
        let mut refreshes = true;
        for (name, value) in tag.attributes() {
            let page = match name.as_ref() {
                "srcdoc" => Some(value.as_bytes().to_vec()),
                "content" if std::mem::take(&mut refreshes) => {
                    html::refresh(&tag).and_then(|address| in_address(&address))
                }
                "content" => None,
                _ => in_address(&value),
            };
            let Some(page) = page else {
                if pushed < CHILDREN
                    && value
                        .bytes()
                        .any(|byte| byte == b'%' || byte.is_ascii_whitespace())
                {
                    pushed = pushed.saturating_add(in_file_address(&value, &tag, nest)?);
                }
                continue;
            };
            if pushed >= CHILDREN || page.is_empty() || nest.holds(&page) {
                continue;
            }
            let kind = identify::identify(&page, nest.budget()).kind;
            if name == "srcdoc" || kind.family() == Family::Web {
                pushed = pushed.saturating_add(1);
                let child = Child::new("decoded-text", page).at(tag.at..tag.end);
                nest.push(if kind == Kind::Svg {
                    child
                } else {
                    child.of_kind(Kind::Html)
                })?;
            }
        }
    }
    Ok(())
}

/// Pushes the file of a `data:` address whose base64 is written so that it does not read as such: in references, in
/// percent signs, with blanks (RFC 2397; Fetch, 6 "data: URLs"). Gives how many it pushed.
fn in_file_address(value: &str, tag: &Tag<'_>, nest: &mut Nest<'_>) -> Result<usize, Trouble> {
    /// Characters of the type and its parameters at the most.
    const TYPE: usize = 256;
    let Some((head, body)) = value.split_once(',').filter(|(head, _)| head.len() <= TYPE) else {
        return Ok(0);
    };
    let blank = |c: char| c.is_ascii_whitespace() || c.is_ascii_control();
    let head: String = head.chars().filter(|c| !blank(*c)).collect();
    let head = head.to_ascii_lowercase();
    let Some(kind) = head.strip_prefix("data:") else {
        return Ok(0);
    };
    let shown = ["image/", "font/", "audio/", "video/"];
    if shown.iter().any(|one| kind.starts_with(one)) {
        return Ok(0);
    }
    nest.budget().spend(body.len())?;
    let mut data = percent_decoded(body);
    if kind.ends_with(";base64") {
        data.retain(|byte| !byte.is_ascii_whitespace());
        data = base64::decode(&data).data;
    }
    let kind = identify::identify(&data, nest.budget()).kind;
    if !encoded::counts(kind) || nest.holds(&data) {
        return Ok(0);
    }
    nest.push(Child::new("data-uri", data).at(tag.at..tag.end))?;
    Ok(1)
}

/// The content of a `data:` address whose type is a page's (RFC 2397).
pub fn in_address(value: &str) -> Option<Vec<u8>> {
    let head = value.trim_start();
    let scheme = head.get(..5)?;
    if !scheme.eq_ignore_ascii_case("data:") {
        return None;
    }
    let (kind, body) = head.get(5..)?.split_once(',')?;
    let kind = kind.to_ascii_lowercase();
    let page = kind.starts_with("text/html")
        || kind.starts_with("image/svg")
        || kind.starts_with("application/xhtml");
    if !page {
        return None;
    }
    if kind.ends_with(";base64") {
        return Some(base64::decode(body.as_bytes()).data);
    }
    Some(percent_decoded(body))
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        let digit = |at: usize| {
            let digit = char::from(*rest.get(at)?).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high << 4 | low);
                bytes = rest.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                bytes = rest;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;

    #[test]
    fn pictures_that_a_page_holds_are_children() {
        let png = [b"\x89PNG\r\n\x1a\n".as_slice(), &[7; 300]].concat();
        let coded = base64::encode(&png);
        let page = format!(
            "<html><img src='data:image/png;base64,{coded}'><img src='data:image/gif;base64,R0lGODlh'>\
             <a href='data:text/plain;base64,{coded}'>x</a></html>"
        );
        let (children, _) = opened("html", page.as_bytes());
        let got: Vec<_> = children.iter().map(|child| child.data.to_vec()).collect();
        assert_eq!(got, [png]);
    }

    #[test]
    fn a_redirect_is_followed_once_however_often_it_says_where() {
        let page = "<html><meta http-equiv=refresh content=\"0;url=data:text/html,<p>a</p>\" content=b content=c>";
        let (children, _) = opened("html", page.as_bytes());
        assert_eq!(children.len(), 1);
    }

    #[test]
    fn handlers_that_are_written_with_references_are_children() {
        let script = "var n=Uint8Array.from(atob('TVqQAAMAAAAE'),c=>c.charCodeAt(0))";
        let coded: String = script
            .chars()
            .map(|c| format!("&#{};", u32::from(c)))
            .collect();
        let texts = |page: String| -> Vec<String> {
            let (children, _) = opened("html", page.as_bytes());
            children
                .iter()
                .map(|child| String::from_utf8_lossy(&child.data).into_owned())
                .collect()
        };
        assert_eq!(
            texts(format!("<html><body onload=\"{coded}\"></body></html>")),
            [script]
        );
        assert_eq!(
            texts(format!(
                "<html><a href=\"&#106;avascript:{coded}\">a</a></html>"
            )),
            [script]
        );
        assert!(texts(format!("<html><p title=\"{coded}\">a &#169; b</p></html>")).is_empty());
        assert!(
            texts(
                "<html><p onclick=\"show(&#39;the second part of the page&#39;)\">a</p></html>"
                    .to_owned()
            )
            .is_empty()
        );
    }

    #[test]
    fn files_of_addresses_that_do_not_read_as_base64_are_children() {
        let zip = [b"7z\xbc\xaf\x27\x1c\0\x04".as_slice(), &[0; 100]].concat();
        let coded = base64::encode(&zip);
        let with = |one: fn(char) -> String| coded.chars().map(one).collect::<String>();
        let opened = |address: String| {
            let page = format!("<html><a download=a.zip href='{address}'>a</a></html>");
            let (children, _) = opened("html", page.as_bytes());
            children
                .iter()
                .map(|child| child.data.to_vec())
                .collect::<Vec<_>>()
        };
        for address in [
            format!(
                "data:application/zip;base64,{}",
                with(|c| format!("&#{};", u32::from(c)))
            ),
            format!(
                "data:application/zip;base64,{}",
                with(|c| format!("%{:02x}", u32::from(c)))
            ),
            format!(
                "da&#x74;a:application/zip;base64,{}",
                with(|c| format!("{c}\n "))
            ),
            format!("DATA:;base64,{}", with(|c| format!("{c} "))),
        ] {
            let found = opened(address.clone());
            assert_eq!(found, std::slice::from_ref(&zip), "{address}");
        }
        for address in [
            format!("data:application/zip;base64,{coded}"),
            format!("data:image/png;base64,{}", with(|c| format!("{c} "))),
            "data:text/plain,100%25 of it".to_owned(),
            format!(
                "https://www.example.com/?a=data:application/zip;base64,{}",
                with(|c| format!("{c} "))
            ),
        ] {
            assert_eq!(opened(address.clone()), [[0; 0]; 0], "{address}");
        }
    }

    #[test]
    fn scripts_that_put_something_together_and_inner_pages_are_children() {
        let page = "<html><body><script>var a = atob('aGVsbG8=');</script><script>document.title = 'x';</script>\
                    <iframe srcdoc=\"&lt;form&gt;&lt;input type=password&gt;\"></iframe>\
                    <iframe src=\"data:text/html,%3Chtml%3E%3Cp%3Ehello%3C/p%3E%3C/html%3E\"></iframe></body></html>";
        let (children, _) = opened("html", page.as_bytes());
        let texts: Vec<_> = children
            .iter()
            .map(|child| String::from_utf8_lossy(&child.data).into_owned())
            .collect();
        assert_eq!(
            texts,
            [
                "var a = atob('aGVsbG8=');",
                "<form><input type=password>",
                "<html><p>hello</p></html>"
            ]
        );
    }
}
