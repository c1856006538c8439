//! Indicators in a text: web addresses, IP addresses, UNC paths, names of programs, command lines.
//!
//! Pure and bounded: every place of the text is looked at a constant number of times. What is no valid host, and
//! hosts that only name XML vocabularies, are left out.

use std::collections::BTreeSet;
use std::ops::Range;

/// Longest indicator in bytes.
const LONGEST: usize = 2048;

/// Longest file name with its path in bytes.
const LONGEST_PATH: usize = 260;

/// What an indicator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IndicatorKind {
    /// An address with a scheme.
    Url,
    /// An IPv4 address.
    Ip,
    /// A path on another machine.
    Unc,
    /// A file that runs.
    File,
    /// A command line: the whole text is one.
    Command,
}

/// An indicator and its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Indicator {
    /// What it is.
    pub kind: IndicatorKind,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// What to look for, lower-case.
#[derive(Debug, Clone, Copy)]
pub struct Lists<'a> {
    /// Hosts that only name vocabularies.
    pub namespaces: &'a BTreeSet<String>,
    /// Extensions of files that run.
    pub executable_extensions: &'a BTreeSet<String>,
    /// First words of command lines.
    pub commands: &'a BTreeSet<String>,
}

/// Finds the indicators of a text, kind by kind.
pub fn find(text: &str, lists: Lists<'_>) -> Vec<Indicator> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    for at in memchr::memmem::find_iter(bytes, b"://") {
        if let Some(span) = url(bytes, at, lists) {
            found.push(Indicator {
                kind: IndicatorKind::Url,
                span,
            });
        }
    }
    addresses(bytes, &mut found);
    for at in memchr::memmem::find_iter(bytes, br"\\") {
        if let Some(span) = unc(bytes, at) {
            found.push(Indicator {
                kind: IndicatorKind::Unc,
                span,
            });
        }
    }
    files(text, lists, &mut found);
    if is_command(text, lists) {
        let end = floor(text, LONGEST);
        found.push(Indicator {
            kind: IndicatorKind::Command,
            span: 0..end,
        });
    }
    found
}

fn run(bytes: &[u8], at: usize, fits: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let rest = rest.get(..LONGEST).unwrap_or(rest);
    at.saturating_add(rest.iter().take_while(|byte| fits(**byte)).count())
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0)
}

fn url(bytes: &[u8], colon: usize, lists: Lists<'_>) -> Option<Range<usize>> {
    let scheme = ["https", "http", "ftp", "hxxps", "hxxp"]
        .into_iter()
        .find(|scheme| {
            let start = colon.checked_sub(scheme.len());
            start
                .and_then(|start| bytes.get(start..colon))
                .is_some_and(|found| found.eq_ignore_ascii_case(scheme.as_bytes()))
        })?;
    let host_at = colon.saturating_add(3);
    let authority = run(bytes, host_at, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'@' | b'%')
    });
    let authority = bytes.get(host_at..authority)?;
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    let host = host.split(|byte| *byte == b':').next()?;
    let host = String::from_utf8_lossy(host).to_ascii_lowercase();
    let valid = host.split('.').all(|label| !label.is_empty()) && host.contains('.');
    if !valid || lists.namespaces.contains(&host) {
        return None;
    }
    let end = run(bytes, host_at, |byte| {
        byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'"' | b'\'' | b'<' | b'>' | b'`' | b'{' | b'}' | b'|' | b'\\' | b'^' | b')' | b']'
            )
    });
    let whole = bytes.get(host_at..end)?;
    let trimmed = whole
        .iter()
        .rposition(|byte| !matches!(byte, b'.' | b',' | b';' | b':' | b'!' | b'?' | b'&'))?;
    Some(colon.checked_sub(scheme.len())?..host_at.saturating_add(trimmed).saturating_add(1))
}

/// Dotted quads that are no version numbers, loopback or masks.
fn addresses(bytes: &[u8], found: &mut Vec<Indicator>) {
    let mut at = 0;
    // Ends because each turn goes behind the run at hand.
    while at < bytes.len() {
        let Some(ahead) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(u8::is_ascii_digit))
        else {
            return;
        };
        let start = at.saturating_add(ahead);
        let end = run(bytes, start, |byte| byte.is_ascii_digit() || byte == b'.');
        at = end.max(start.saturating_add(1));
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        let apart = |byte: Option<&u8>| {
            byte.is_none_or(|byte| {
                !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
            })
        };
        let text = String::from_utf8_lossy(bytes.get(start..end).unwrap_or_default()).into_owned();
        let text = text.trim_end_matches('.');
        let plausible = text.parse::<std::net::Ipv4Addr>().is_ok_and(|address| {
            let [first, _, third, last] = address.octets();
            !matches!(first, 0 | 127 | 255) && (third, last) != (0, 0)
        });
        if plausible && apart(before) && apart(bytes.get(end)) {
            found.push(Indicator {
                kind: IndicatorKind::Ip,
                span: start..start.saturating_add(text.len()),
            });
        }
    }
}

fn unc(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let before = at.checked_sub(1).and_then(|at| bytes.get(at));
    if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'\\' | b':')) {
        return None;
    }
    let host_at = at.saturating_add(2);
    let host_end = run(bytes, host_at, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'@')
    });
    let host = bytes.get(host_at..host_end)?;
    if host.len() < 2
        || bytes.get(host_end) != Some(&b'\\')
        || !host.iter().any(u8::is_ascii_alphanumeric)
    {
        return None;
    }
    let end = run(bytes, host_end, |byte| {
        byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'|' | b'{' | b'*' | b'?')
            || byte >= 0x80
    });
    (end > host_end.saturating_add(1)).then_some(at..end)
}

/// Names that end in an extension of files that run.
fn files(text: &str, lists: Lists<'_>, found: &mut Vec<Indicator>) {
    let bytes = text.as_bytes();
    let in_name = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || *byte >= 0x80
            || matches!(
                byte,
                b'.' | b'_'
                    | b'-'
                    | b'\\'
                    | b'/'
                    | b':'
                    | b'%'
                    | b'~'
                    | b'$'
                    | b'('
                    | b')'
                    | b'{'
                    | b'}'
            )
    };
    for dot in memchr::memchr_iter(b'.', bytes) {
        let start = dot.saturating_add(1);
        let end = run(bytes, start, |byte| {
            byte.is_ascii_alphanumeric() || byte == b'_'
        });
        let extension = bytes.get(start..end).unwrap_or_default();
        if extension.is_empty() || extension.len() > 4 {
            continue;
        }
        let lower = String::from_utf8_lossy(extension).to_ascii_lowercase();
        let goes_on = matches!(bytes.get(end), Some(b'.' | b'(' | b'@'));
        if goes_on || !lists.executable_extensions.contains(&lower) {
            continue;
        }
        let window = dot.saturating_sub(LONGEST_PATH);
        let head = bytes.get(window..dot).unwrap_or_default();
        let name = head.iter().rev().take_while(|byte| in_name(byte)).count();
        let begin = dot.saturating_sub(name);
        let whole = bytes.get(begin..end).unwrap_or_default();
        let stem = head.last().is_some_and(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'}' | b'_' | b')') || *byte >= 0x80
        });
        let part_of_address = memchr::memmem::find(whole, b"://").is_some();
        if stem && !part_of_address && text.is_char_boundary(begin) {
            found.push(Indicator {
                kind: IndicatorKind::File,
                span: begin..end,
            });
        }
    }
}

/// Whether a text starts with a program that runs commands, and gives it something to do.
fn is_command(text: &str, lists: Lists<'_>) -> bool {
    let text = text.trim_start().trim_start_matches('"');
    let Some((first, rest)) = text.split_once([' ', '"', '\t']) else {
        return false;
    };
    let program = first.rsplit(['\\', '/']).next().unwrap_or_default();
    program.len() <= 32
        && !rest.trim().is_empty()
        && lists.commands.contains(&program.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(IndicatorKind, String)> {
        let set = |list: &[&str]| {
            list.iter()
                .map(|one| (*one).to_owned())
                .collect::<BTreeSet<_>>()
        };
        let (namespaces, extensions, commands) = (
            set(&["www.w3.org"]),
            set(&["exe", "js"]),
            set(&["cmd", "cmd.exe"]),
        );
        let lists = Lists {
            namespaces: &namespaces,
            executable_extensions: &extensions,
            commands: &commands,
        };
        find(text, lists)
            .into_iter()
            .map(|one| (one.kind, text.get(one.span).unwrap().to_owned()))
            .collect()
    }

    #[test]
    fn addresses_end_where_a_reader_would_end_them() {
        use IndicatorKind::{File, Ip, Unc, Url};
        assert_eq!(
            found("see (http://example.invalid/a?b=1)."),
            [(Url, "http://example.invalid/a?b=1".to_owned())]
        );
        assert_eq!(
            found("http://192.0.2.9/x"),
            [
                (Url, "http://192.0.2.9/x".to_owned()),
                (Ip, "192.0.2.9".to_owned())
            ]
        );
        assert_eq!(
            found(r"\\server.invalid\share\f"),
            [(Unc, r"\\server.invalid\share\f".to_owned())]
        );
        assert_eq!(
            found(r"%TEMP%\更新.exe -x"),
            [(File, r"%TEMP%\更新.exe".to_owned())]
        );
    }

    #[test]
    fn command_lines_are_whole_texts() {
        let kinds: Vec<_> = found("cmd.exe /c dir")
            .into_iter()
            .map(|one| one.0)
            .collect();
        assert_eq!(kinds, [IndicatorKind::File, IndicatorKind::Command]);
        assert_eq!(found("cmd"), []);
    }

    #[test]
    fn vocabularies_versions_and_members_are_no_indicators() {
        for text in [
            "http://www.w3.org/1999/xhtml",
            "version 1.2.0.0",
            "127.0.0.1",
            "1.2.3.4.5",
            "http://localhost",
            "node.js.map",
            r"\\?\C:\x",
            r"a\\b",
            "://",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
