//! What the program that opens a name makes of bytes that were told to be something: it asks for no mark of another.
//!
//! A command interpreter goes on behind a line that it does not know, a browser shows whatever tags there are, the profile
//! functions of Windows look for their section wherever it stands. So the name decides, and what the content was told to be
//! stays as a reading.

use std::cell::LazyCell;

use super::{Identity, data_text, ini, mail, markup, words};
use crate::formats::brotli;
use crate::knowledge::scripts;
use crate::model::{Fact, Family, Kind, Name};
use crate::text;

/// What a name makes of bytes that were told to be something.
pub fn named(mut identity: Identity, data: &[u8], name: Option<&Name>) -> Identity {
    let Some(name) = name else {
        return identity;
    };
    let script = |extension: String| scripts().by_extension(&extension);
    if let Some(kind) = name.extensions().find_map(script)
        && yields(identity.kind, kind, data)
    {
        take(&mut identity, kind);
    }
    if let Some(kind) = by_its_program(identity.kind, data, name) {
        take(&mut identity, kind);
    }
    // A stream without a mark: the name is why it is tried, and decoding is what tells it.
    if matches!(identity.kind, Kind::Data | Kind::Text)
        && name
            .extensions()
            .any(|extension| matches!(extension.as_str(), "br" | "tbr"))
        && brotli::is_stream(data)
    {
        identity.kind = Kind::Brotli;
    }
    if identity.kind.family() != Family::Web
        && let Some((kind, at)) = name
            .extensions()
            .find_map(|extension| page(&extension, data, identity.kind))
        && !identity.readings.contains(&kind)
        && identity.kind != kind
    {
        let told = identity.kind;
        let (first, second, at) = match gives_way(told, kind) {
            true => (kind, told, 0),
            false => (told, kind, at),
        };
        identity.kind = first;
        identity.readings.insert(0, second);
        if !matches!(told, Kind::Text | Kind::Data | Kind::Csv) {
            identity.facts.push(Fact::Polyglot { kind: second, at });
        }
    }
    identity
}

/// Makes `kind` the first reading; what was told before stays one unless it says nothing.
fn take(identity: &mut Identity, kind: Kind) {
    let told = std::mem::replace(&mut identity.kind, kind);
    identity.readings.retain(|reading| *reading != kind);
    if !matches!(told, Kind::Text | Kind::Data | Kind::Csv | Kind::Email) && told != kind {
        identity.readings.insert(0, told);
    }
}

/// What a mail program makes of bytes for their media type. What is said to be a page is shown as one, whatever control
/// characters and marks of others stand in front, unless its name makes it something to open; some types give a part that has
/// no name the extension of a script.
pub fn declared(
    mut identity: Identity,
    data: &[u8],
    media_type: Option<&str>,
    name: Option<&Name>,
) -> Identity {
    let media_type = media_type.and_then(|told| told.split(';').next());
    let is = |r#type: &str| media_type.is_some_and(|told| told.trim().eq_ignore_ascii_case(r#type));
    if is("application/hta") {
        return named(identity, data, Some(&Name::of("a.hta")));
    }
    if is("text/scriptlet") {
        return named(identity, data, Some(&Name::of("a.sct")));
    }
    let is_page = is("text/html") || is("application/xhtml+xml");
    let told = identity.kind;
    let bare = name.is_none_or(|name| name.extensions().all(|extension| extension.is_empty()));
    let shown = match told.family() {
        Family::Executable => false,
        Family::Shortcut | Family::Script | Family::Web => bare && told != Kind::Html,
        _ => bare || is_plain(told),
    };
    let known = if is_plain(told) { Kind::Data } else { told };
    if is_page && shown && page("html", data, known).is_some() {
        identity.kind = Kind::Html;
        identity.readings.retain(|reading| *reading != Kind::Html);
        identity.readings.insert(0, told);
    }
    identity
}

/// Whether it was told by letters that mean nothing to a program that asks for others.
fn is_plain(told: Kind) -> bool {
    matches!(
        told.family(),
        Family::Text | Family::Data | Family::Mail | Family::Crypto | Family::Vba
    ) || is_of_lines(told)
        || matches!(told, Kind::Pdf | Kind::Ps | Kind::Uue | Kind::BinHex)
}

/// Small files of the desktop that are lines of text.
fn is_of_lines(kind: Kind) -> bool {
    kind.family() == Family::Shortcut && kind != Kind::Lnk
}

/// What the program that opens such a name makes of bytes of no other structure: it passes over control characters, and most
/// over lines that they do not know.
fn by_its_program(told: Kind, data: &[u8], name: &Name) -> Option<Kind> {
    if told.family() == Family::Executable {
        return None;
    }
    // Told once, however many extensions there are.
    let sections = LazyCell::new(|| ini::by_sections(&text::to_utf8(data)));
    name.extensions().find_map(|extension| {
        let claimed = match extension.as_str() {
            "" => return None,
            "ini" => Some(Kind::DesktopIni),
            other => Kind::from_name(other),
        };
        if let Some(claimed) = claimed.filter(|claimed| ini::SECTIONED.contains(claimed)) {
            return sections.filter(|kind| {
                // A site pinned to the task bar is a link to it.
                *kind == claimed
                    || matches!(
                        (kind, claimed),
                        (Kind::Website, Kind::Url) | (Kind::Url, Kind::Website)
                    )
            });
        }
        if claimed == Some(Kind::Rdp) && told != Kind::Rdp {
            return ini::names_a_server(&text::to_utf8(data)).then_some(Kind::Rdp);
        }
        if matches!(claimed, Some(Kind::Eml | Kind::Mht)) && matches!(told, Kind::Data | Kind::Text)
        {
            return mail::by_name(data);
        }
        // Excel asks for no more than the first record, and passes over those that it does not know.
        if extension == "slk" && matches!(told, Kind::Data | Kind::Text | Kind::Csv) {
            let plain = words::lenient(data, 1024);
            let mark = plain.trim_start().get(..3);
            let found = mark.is_some_and(|mark| mark.eq_ignore_ascii_case("ID;"));
            return found.then_some(Kind::Sylk);
        }
        let plain = (told == Kind::Data).then(|| words::lenient(data, words::HEAD))?;
        let start = plain.trim_start();
        data_text::by_first_line(start)
            .or_else(|| ini::identify(start))
            .or_else(|| {
                let shown = OFFICE.contains(&extension.as_str());
                shown.then(|| markup::page_at_start(start)).flatten()
            })
    })
}

/// Names under which Word, Excel and PowerPoint show a page, with bytes behind its letters that no text has.
const OFFICE: &[&str] = &[
    "doc", "dot", "wbk", "rtf", "xls", "xlt", "xla", "xlw", "csv", "ppt", "pps", "pot", "odc",
];

/// Whether the page that a name and its markup make of bytes is what is opened: a picture in front of it shows nothing.
fn gives_way(told: Kind, page: Kind) -> bool {
    match told.family() {
        Family::Image | Family::Media | Family::Font => true,
        Family::Executable => false,
        _ => page == Kind::Hta || is_plain(told),
    }
}

/// What a file with markup in it is to the program that opens its name, and where the markup starts: a browser and the
/// host of applications pass over whatever stands in front. In bytes of no other structure any tag will do.
fn page(extension: &str, data: &[u8], told: Kind) -> Option<(Kind, usize)> {
    const TAGS: [&[u8]; 9] = [
        b"<html",
        b"<script",
        b"<!doctype html",
        b"<body",
        b"<iframe",
        b"<svg",
        b"<form",
        b"<meta",
        b"<img",
    ];
    let kind = match extension {
        "html" | "htm" | "xhtml" | "xht" | "shtml" => Kind::Html,
        "hta" => Kind::Hta,
        "svg" => Kind::Svg,
        _ => return None,
    };
    let any = matches!(told, Kind::Data | Kind::Text | Kind::Csv);
    let starts = |at: &usize| {
        let first = data.get(at.saturating_add(1));
        any && first.is_some_and(u8::is_ascii_alphabetic)
            || TAGS.iter().any(|tag| {
                data.get(*at..at.saturating_add(tag.len()))
                    .is_some_and(|found| found.eq_ignore_ascii_case(tag))
            })
    };
    memchr::memchr_iter(b'<', data)
        .find(starts)
        .map(|at| (kind, at))
}

/// Whether what was told by content gives way to the script that the name says.
fn yields(told: Kind, named: Kind, data: &[u8]) -> bool {
    if told == Kind::Empty || told.family() == Family::Executable {
        return false;
    }
    match told {
        Kind::Text | Kind::Csv | Kind::Email | Kind::Css | Kind::Ics | Kind::Vcf | Kind::Ldif => {
            return true;
        }
        // Interpreters read on after lines and bytes that mean nothing; the three have compiled forms of the same names.
        Kind::Data => return !matches!(named, Kind::Lua | Kind::Au3 | Kind::AppleScript),
        Kind::Html | Kind::Svg if named == Kind::Hta => return true,
        Kind::Xml if matches!(named, Kind::Wsf | Kind::Sct | Kind::Hta) => return true,
        _ => {}
    }
    let of_hosts = matches!(
        named,
        Kind::Js | Kind::Vbs | Kind::Hta | Kind::Wsf | Kind::Ps1 | Kind::Bat
    );
    // Letters in front that mean nothing to an interpreter, and everything to whoever looks for a picture.
    if is_shown(told) && of_hosts {
        return true;
    }
    // A first line for another system is a comment to some, and no command to others.
    if told.family() == Family::Script {
        let others = matches!(named, Kind::Bat | Kind::Ps1 | Kind::Wsf | Kind::Py);
        return data.starts_with(b"#!") && named != told && others;
    }
    match named {
        // Read line by line: what is no command fails, and the next one is run.
        Kind::Bat => true,
        Kind::Sh => is_plain(told) || is_markup(told),
        // The element is looked for, whatever stands around it.
        Kind::Wsf | Kind::Sct => is_markup(told) || is_plain(told),
        _ if !(is_plain(told) || is_markup(told)) => false,
        // Data that goes on to the end is data; of a longer one only the head is known.
        _ if told == Kind::Json => data.len() > words::HEAD,
        // In words and comments a mark is what any other is; a tag at the start is refused.
        _ => !starts_with_a_tag(data),
    }
}

fn is_markup(told: Kind) -> bool {
    told.family() == Family::Web || matches!(told, Kind::Xml | Kind::Rtf)
}

/// Whether the first letters are a tag; what opens a comment of a page opens one of a script too.
fn starts_with_a_tag(data: &[u8]) -> bool {
    let start = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let start = start.trim_ascii_start();
    start.starts_with(b"<") && !start.starts_with(b"<!--") && !start.starts_with(b"<#")
}

fn is_shown(kind: Kind) -> bool {
    matches!(kind.family(), Family::Image | Family::Media | Family::Font)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identify::identify_named;
    use crate::limits::{Budget, Limits};

    fn told(data: &[u8], name: &str) -> Kind {
        let budget = Budget::new(Limits::default(), None);
        identify_named(data, Some(&Name::of(name)), &budget).kind
    }

    #[test]
    fn a_mark_in_front_means_nothing_to_who_asks_for_none() {
        let page = "<html><body><script>x</script></body></html>";
        for (front, name, kind) in [
            ("{\\rtf1 }\n", "a.bat", Kind::Bat),
            ("{\\rtf1 }\n", "a.ps1", Kind::Ps1),
            ("<!-- :\n", "a.cmd", Kind::Bat),
            ("%PDF-1.4\n", "a.bat", Kind::Bat),
            ("MSCF\0\0\0\0", "a.cmd", Kind::Bat),
            ("#!/bin/sh\n", "a.cmd", Kind::Bat),
            ("#!/bin/sh\n", "a.ps1", Kind::Ps1),
            ("<?xml version='1.0'?>\n", "a.bat", Kind::Bat),
            ("BEGIN:VCARD\n[Shell]\nCommand=2\n", "a.scf", Kind::Scf),
            ("{\\rtf1\n[Shell]\nCommand=2\n", "a.scf", Kind::Scf),
            ("<svg>\n[InternetShortcut]\nURL=a\n", "a.url", Kind::Url),
            ("<a>\nfull address:s:a\n", "a.rdp", Kind::Rdp),
            ("words\nFull Address:S:a\n", "a.rdp", Kind::Rdp),
            ("ID;P\nof no meaning\nC;X1;Y1;K0\n", "a.slk", Kind::Sylk),
            ("-----BEGIN CERTIFICATE-----\n<script>", "a.hta", Kind::Hta),
            ("<svg/><script>", "a.hta", Kind::Hta),
            ("words\n<form action=a>", "a.htm", Kind::Html),
            (
                "From: a\nTo: b\nSubject: c\n\n<form action=a>",
                "a.htm",
                Kind::Html,
            ),
            ("Attribute VB_Name = 1\n<body>", "a.htm", Kind::Html),
            ("From: 1\nTo: 2\nSubject: 3\n\nx(1)", "a.js", Kind::Js),
            ("/*%PDF-1.4\n1 0 obj\n%%EOF*/ x(1)", "a.js", Kind::Js),
        ] {
            assert_eq!(
                told(format!("{front}\nx 1\n").as_bytes(), name),
                kind,
                "{front}"
            );
        }
        for (text, name, kind) in [
            (format!("/*\n{page}\n*/\nx(1)"), "a.js", Kind::Js),
            (format!("<#\n{page}\n#>\nx 1"), "a.ps1", Kind::Ps1),
            (format!("<html>\nx\n{page}"), "a.bat", Kind::Bat),
            (
                format!("From: a\n{}Subject: b\n\nwords", "X-A: b\n".repeat(9000)),
                "a.eml",
                Kind::Eml,
            ),
            ("Note: words\nand more\n".to_owned(), "a.eml", Kind::Text),
        ] {
            assert_eq!(told(text.as_bytes(), name), kind, "{text}");
        }
        let list = |count: usize| format!("[{}1]", "1,".repeat(count));
        assert_eq!(told((list(40_000) + "; x(1)").as_bytes(), "a.js"), Kind::Js);
        assert_eq!(told(list(40).as_bytes(), "a.js"), Kind::Json);
    }

    #[test]
    fn what_no_program_takes_for_another_stays_what_it_is() {
        let page = b"<html><body><script>x</script></body></html>";
        for name in ["a.js", "a.vbs", "a.ps1", "a.txt", "a"] {
            assert_eq!(told(page, name), Kind::Html, "{name}");
        }
        assert_eq!(told(b"#!/bin/sh\nid\n", "a.js"), Kind::Sh);
        assert_eq!(told(b"#!/usr/bin/env python\nx\n", "a.sh"), Kind::Py);
        assert_eq!(told(b"{\\rtf1 [InternetShortcut]\nx}", "a.url"), Kind::Rtf);
        assert_eq!(told(b"{\\rtf1\n[Shell]\nCommand=2\n", "a.rtf"), Kind::Rtf);
        assert_eq!(told(b"<order/>\nfull address:s:a\n", "a.txt"), Kind::Xml);
        assert_eq!(told(b"1 < 2", "a.html"), Kind::Text);
        assert_eq!(told(b"ID;P\nof no meaning\n", "a.txt"), Kind::Text);
        assert_eq!(told(b"words of no table\n", "a.slk"), Kind::Text);
        assert_eq!(
            told(b"From: a\nTo: <b@c>\nSubject: d\n\n", "a.htm"),
            Kind::Eml
        );
    }

    #[test]
    fn media_types_tell_what_no_name_tells() {
        let kind = |data: &[u8], media_type: &str| {
            declared(Identity::certain(Kind::Text), data, Some(media_type), None).kind
        };
        assert_eq!(kind(b"x", "application/HTA; a=b"), Kind::Hta);
        assert_eq!(kind(b"x", "text/scriptlet"), Kind::Sct);
        assert_eq!(kind(b"x <form action=a>", "text/html"), Kind::Html);
        assert_eq!(kind(b"x", "application/octet-stream"), Kind::Text);
        let mail = b"From: a\nTo: b\nContent-Transfer-Encoding: base64\n\n<form action=a>";
        let told = declared(Identity::certain(Kind::Eml), mail, Some("text/html"), None);
        assert_eq!((told.kind, told.readings), (Kind::Html, vec![Kind::Eml]));
        let named = |kind: Kind, name: &str| {
            let told = Identity::certain(kind);
            declared(
                told,
                b"<html><b>x",
                Some("text/html"),
                Some(&Name::of(name)),
            )
            .kind
        };
        assert_eq!(named(Kind::Url, "a.url"), Kind::Url);
        assert_eq!(named(Kind::Js, "a.js"), Kind::Js);
        assert_eq!(named(Kind::MsBuild, "a"), Kind::Html);
        assert_eq!(named(Kind::Gif, ""), Kind::Html);
        assert_eq!(named(Kind::Gif, "a.gif"), Kind::Gif);
    }

    #[test]
    fn a_page_with_zeros_behind_it_is_one_to_word_and_excel() {
        let page = [&b"<html><body>x</body></html>"[..], &[0; 5000]].concat();
        assert_eq!(told(&page, "a.doc"), Kind::Html);
        assert_eq!(told(&page, "a.xls"), Kind::Html);
        assert_eq!(told(&page, "a.bin"), Kind::Data);
        assert_eq!(told(&[&b"x"[..], &page].concat(), "a.doc"), Kind::Data);
    }
}
