//! Web pages with script in them: worth knowing, and nothing more.

use memchr::memmem;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::html::Page;
use crate::model::{Family, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "html_script",
    kinds: &[Kind::Html],
    sees: Sees::Place,
    findings: &["html-script"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    // The parts of a document are read by its program, and by no browser.
    if look.artifact.kind != Kind::Html
        || look
            .parent()
            .is_some_and(|parent| matches!(parent.kind.family(), Family::Ooxml | Family::Odf))
    {
        return;
    }
    let page = Page::of(&look.artifact.data, look.artifact.sha256);
    let data = page.text().as_bytes();
    if !has_script(page.lower().as_bytes()) {
        return;
    }
    if let Some(at) = first_script(data) {
        let end = at.saturating_add(120).min(data.len());
        let shown = String::from_utf8_lossy(data.get(at..end).unwrap_or_default());
        let found = Found::new("html-script", &shown);
        findings.report(if page.is_as_written() {
            found.at(at)
        } else {
            found
        });
    }
}

/// Whether a page in lower case may have a script: most have nothing of what one begins with.
fn has_script(lower: &[u8]) -> bool {
    let has = |word: &[u8]| memmem::find(lower, word).is_some();
    let handler = || {
        let mut signs = memchr::memchr_iter(b'=', lower);
        signs.any(|at| is_handler(lower, at))
    };
    has(b"<script") || has(b"javascript:") || handler()
}

/// Where the first script of a page stands: an element, an address that is one, or a handler of events.
fn first_script(data: &[u8]) -> Option<usize> {
    let begins = |at: usize, word: &[u8]| {
        let behind = at.saturating_add(1);
        data.get(behind..behind.saturating_add(word.len()))
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    // Whether a tag is open, where a comment ends, and whether one may end behind.
    let (mut in_tag, mut after, mut ends) = (false, 0usize, true);
    for at in memchr::memchr3_iter(b'<', b'=', b'>', data) {
        if at < after {
            continue;
        }
        match data.get(at) {
            Some(b'<') if begins(at, b"!--") => {
                // An open comment hides nothing from a browser that finds no end; a condition shows what it holds.
                if ends && !begins(at, b"!--[if") {
                    let rest = data.get(at..).unwrap_or_default();
                    let len = memmem::find(rest, b"-->");
                    ends = len.is_some();
                    after = len.map_or(after, |len| at.saturating_add(len));
                }
            }
            Some(b'<') => {
                if begins(at, b"script") && is_code(data, at.saturating_add(7)) {
                    return Some(at);
                }
                let next = data.get(at.saturating_add(1));
                in_tag = next.is_some_and(u8::is_ascii_alphabetic);
            }
            Some(b'>') => in_tag = false,
            _ => {
                let address = begins(at, b"\"javascript:") || begins(at, b"'javascript:");
                if address || in_tag && is_handler(data, at) {
                    return Some(at);
                }
            }
        }
    }
    None
}

/// Whether the attribute whose sign of equality stands here is a handler of events with something in it.
fn is_handler(data: &[u8], at: usize) -> bool {
    let before = data.get(at.saturating_sub(32)..at).unwrap_or_default();
    let before = before.trim_ascii_end();
    let word = before
        .rsplit(|byte| !byte.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    // Nearly all attributes are others, and need no copy.
    if !word
        .get(..2)
        .is_some_and(|on| on.eq_ignore_ascii_case(b"on"))
    {
        return false;
    }
    let name = word.to_ascii_lowercase();
    let apart = before
        .len()
        .checked_sub(word.len().saturating_add(1))
        .and_then(|at| before.get(at))
        .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'"' | b'\''));
    let value = data.get(at.saturating_add(1)..).unwrap_or_default();
    let empty = matches!(
        value.trim_ascii_start(),
        [b'"', b'"', ..] | [b'\'', b'\'', ..] | [] | [b'>', ..]
    );
    let event = name.strip_prefix(b"on");
    apart && !empty && event.is_some_and(|event| EVENTS.contains(&event))
}

/// Events of pages (HTML Standard, 8.1.8.2) that a browser knows a handler for.
const EVENTS: &[&[u8]] = &[
    b"load",
    b"unload",
    b"beforeunload",
    b"error",
    b"click",
    b"dblclick",
    b"mouseover",
    b"mouseenter",
    b"mousemove",
    b"mousedown",
    b"mouseup",
    b"mouseout",
    b"focus",
    b"focusin",
    b"blur",
    b"change",
    b"input",
    b"submit",
    b"keydown",
    b"keyup",
    b"keypress",
    b"toggle",
    b"resize",
    b"scroll",
    b"pageshow",
    b"hashchange",
    b"message",
    b"start",
    b"finish",
    b"animationstart",
    b"animationend",
    b"transitionend",
    b"pointerover",
    b"pointerenter",
    b"wheel",
    b"drag",
    b"drop",
    b"copy",
    b"paste",
    b"cut",
    b"select",
    b"begin",
    b"end",
    b"repeat",
    b"readystatechange",
    b"canplay",
    b"play",
];

/// Whether a tag whose name ends here is one, and its element holds code: a type of data makes it a mere container.
fn is_code(data: &[u8], at: usize) -> bool {
    let rest = data.get(at..).unwrap_or_default();
    let ends = rest
        .first()
        .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'));
    let head = rest.get(..512).unwrap_or(rest);
    let tag = head
        .split(|byte| *byte == b'>')
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    let types = [
        &b"application/ld+json"[..],
        b"application/json",
        b"text/template",
        b"text/x-template",
    ];
    ends && !types.iter().any(|kind| memmem::find(&tag, kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;

    #[test]
    fn pages_with_script_are_told_from_pages_without() {
        let count = |page: &str| {
            testing::run(run, &[testing::holding(Kind::Html, page.as_bytes())])
                .0
                .len()
        };
        assert_eq!(count("<html><SCRIPT>x()</SCRIPT></html>"), 1);
        assert_eq!(count("<a href=\"javascript:x()\">a</a>"), 1);
        assert_eq!(
            count("<p>the word script, and a javascript: address in prose</p>"),
            0
        );
        assert_eq!(count("<body onload=\"x()\">"), 1);
        assert_eq!(count("<img src=x OnError = x()>"), 1);
        assert_eq!(
            count("<p on=\"x\" data-onload=\"y\">a onload=1</p><b onclick=\"\">"),
            0
        );
        assert_eq!(count("<!-- <script>x()</script> --><p>a</p>"), 0);
        assert_eq!(count("<!-- <script>x()</script>"), 1);
        assert_eq!(count("<script type=\"application/ld+json\">{}</script>"), 0);
    }
}
