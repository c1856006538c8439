//! Where an address leads: to the web, a share, a handler of Windows, or nowhere outside.
//!
//! Office and Windows read an address with more patience than its grammar has: blanks and control characters around and
//! in it, percent signs, either slash, `file:` in front of a host. All of that is taken off before anything is compared.

use std::net::Ipv4Addr;

use crate::knowledge::LinkLists;

/// Where a target lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// On the same machine, or beside the document.
    Local,
    /// Nothing is fetched.
    Harmless,
    /// On a host of the web.
    Web,
    /// On a share.
    Share(Reach),
    /// Behind a moniker or a handler of Windows.
    Moniker,
}

/// How far away the host of a share is, as its name tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// In the office's own network.
    Inside,
    /// A name that may be of either.
    Anywhere,
    /// A public address, or a name with a port or transport as WebDAV has it.
    Outside,
}

/// A target without blanks, control characters and percent encoding, in the slashes that it has.
pub(super) fn plain(target: &str) -> String {
    /// Rounds of decoding: more than one is a disguise, more than these nobody's software does.
    const ROUNDS: usize = 3;
    let bare = |text: &str| -> String {
        let text: String = text
            .chars()
            .filter(|c| !c.is_control() && !matches!(c, '\u{200b}' | '\u{feff}'))
            .collect();
        text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '"' | '\''))
            .to_owned()
    };
    let mut text = bare(target);
    for _ in 0..ROUNDS {
        let decoded = bare(&percent_decoded(&text));
        if decoded == text {
            break;
        }
        text = decoded;
    }
    text
}

pub(super) fn percent_decoded(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        let digit = |at: usize| {
            rest.get(at)
                .and_then(|digit| char::from(*digit).to_digit(16))
        };
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high << 4 | low).unwrap_or(byte));
                bytes = rest.get(2..).unwrap_or_default();
            }
            _ => {
                out.push(byte);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl Place {
    /// The place of a target that was made [`plain`].
    pub(super) fn of(target: &str, lists: &LinkLists) -> Self {
        let mut rest = target.to_lowercase().replace('\\', "/");
        if let Some(address) = rest.strip_prefix("url:") {
            rest = address.trim_start().to_owned();
        }
        // A moniker behind another, as in `mhtml:http://host/a.html!x-usc:http://host/a.html`.
        if let Some((_, behind)) = rest.split_once('!')
            && scheme(behind).is_some_and(|(scheme, _)| lists.monikers.contains(scheme))
        {
            return Self::Moniker;
        }
        if let Some(share) = share(&rest, lists) {
            return share;
        }
        let Some((scheme, behind)) = scheme(&rest) else {
            return Self::Local;
        };
        if scheme == "file" {
            return share(&file_path(behind), lists).unwrap_or(Self::Local);
        }
        if lists.harmless_schemes.contains(scheme) {
            return Self::Harmless;
        }
        // What stands behind is read as the name of a host on a network, whatever the slashes.
        if lists.share_schemes.contains(scheme) {
            let path = format!("//{}", behind.trim_start_matches('/'));
            return share(&path, lists).unwrap_or(Self::Local);
        }
        if !lists.network_schemes.contains(scheme) {
            let known = lists.monikers.contains(scheme);
            // What no list knows may be a folder with a colon, or a class name in front of an item.
            return if known || behind.contains("//") {
                Self::Moniker
            } else {
                Self::Harmless
            };
        }
        // The suffix makes a moniker of what is fetched.
        if rest.ends_with('!') {
            return Self::Moniker;
        }
        Self::Web
    }
}

/// Scheme and rest of an address; a single letter is a drive.
fn scheme(target: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = target.split_once(':')?;
    let scheme = scheme.trim();
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    is_scheme.then_some((scheme, rest))
}

/// The path of a `file:` address as Windows takes it: `//host/share` where it names a host.
fn file_path(behind: &str) -> String {
    let path = behind.trim_start_matches('/');
    let slashes = behind.len().saturating_sub(path.len());
    let drive = path
        .as_bytes()
        .get(1)
        .is_some_and(|c| matches!(c, b':' | b'|'));
    // Two slashes are a host's; three an empty host's; from four on the path itself begins with two.
    if drive || matches!(slashes, 0 | 1 | 3) {
        return path.to_owned();
    }
    format!("//{path}")
}

/// The share that a path with slashes forward names.
fn share(path: &str, lists: &LinkLists) -> Option<Place> {
    // Names of the redirector in the name spaces of devices and objects.
    const REDIRECTORS: &[&str] = &[
        "unc/",
        "mup/",
        "globalroot/device/mup/",
        "globalroot/??/unc/",
        "globalroot/dosdevices/unc/",
    ];
    let device = ["//?/", "//./"]
        .iter()
        .find_map(|own| path.strip_prefix(own));
    let named = device.and_then(|device| {
        REDIRECTORS
            .iter()
            .find_map(|name| device.strip_prefix(name))
    });
    let path = match named {
        Some(path) => path,
        None => path.strip_prefix("//")?.trim_start_matches('/'),
    };
    let host = path.split('/').next().unwrap_or_default();
    let drive = host
        .as_bytes()
        .get(1)
        .is_some_and(|c| matches!(c, b':' | b'|'));
    if drive || matches!(host, "" | "?" | "." | "localhost" | "127.0.0.1") {
        return Some(Place::Local);
    }
    let named = host.split('@').next().unwrap_or_default();
    Some(Place::Share(if host.contains('@') {
        Reach::Outside
    } else {
        reach(named, lists)
    }))
}

fn reach(host: &str, lists: &LinkLists) -> Reach {
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return if address.is_private() || address.is_link_local() || address.is_loopback() {
            Reach::Inside
        } else {
            Reach::Outside
        };
    }
    // An address as one number, or in hexadecimal: no office writes its server like that.
    let numeric = host.starts_with("0x")
        || !host.is_empty() && host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if numeric || host.contains(':') || host.ends_with(".ipv6-literal.net") {
        return Reach::Outside;
    }
    let host = host.trim_end_matches('.');
    let ends = |domain: &String| {
        host.strip_suffix(domain.as_str())
            .is_some_and(|rest| rest.ends_with('.'))
    };
    if !host.contains('.') || lists.local_domains.iter().any(ends) {
        return Reach::Inside;
    }
    Reach::Anywhere
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;

    fn place(target: &str) -> Place {
        let knowledge = Knowledge::embedded().unwrap();
        Place::of(&plain(target), &knowledge.links)
    }

    #[test]
    fn places_are_told_through_the_tricks_of_writing() {
        for (target, expected) in [
            ("http://a.example/t.dotm", Place::Web),
            (" \r\nHTT\tP:\\\\a.example\\t.dotm ", Place::Web),
            ("ht%74p%3A//a.example/t", Place::Web),
            ("ftp://a.example/t", Place::Web),
            ("http://a.example/x.html!", Place::Moniker),
            (
                "mhtml:http://a.example/x.html!x-usc:http://a.example/x.html",
                Place::Moniker,
            ),
            ("file:///c:/x.html!x-usc:http://a.example", Place::Moniker),
            ("MS-MSDT:/id PCWDiagnostic", Place::Moniker),
            (
                "search-ms:query=a&crumb=location:\\\\a.example",
                Place::Moniker,
            ),
            ("script:http://a.example/x.sct", Place::Moniker),
            ("url:script:http://a.example", Place::Moniker),
            ("unknown://a.example", Place::Moniker),
            ("\\\\a.example\\s\\t.dotm", Place::Share(Reach::Anywhere)),
            ("file://a.example/s/t.dotm", Place::Share(Reach::Anywhere)),
            ("file:///\\\\fs01\\s\\t.dotm", Place::Share(Reach::Inside)),
            ("file:\\\\fs01.lan\\s", Place::Share(Reach::Inside)),
            ("file://///198.51.100.7/s", Place::Share(Reach::Outside)),
            ("\\\\192.168.1.5\\s\\t", Place::Share(Reach::Inside)),
            ("\\\\a@ssl\\s\\t", Place::Share(Reach::Outside)),
            ("\\\\?\\UNC\\a.example\\s", Place::Share(Reach::Anywhere)),
            ("//3221225985/s", Place::Share(Reach::Outside)),
            (
                "\\\\.\\GLOBALROOT\\Device\\Mup\\198.51.100.7\\s",
                Place::Share(Reach::Outside),
            ),
        ] {
            assert_eq!(place(target), expected, "{target}");
        }
        for local in [
            "C:\\Templates\\a.dotm",
            "file:///C:\\Program%20Files\\a.DOT",
            "Normal.dotm",
            "../a.dotx",
            "file:///C|/a.dot",
            "\\\\?\\C:\\a",
            "file:C:\\a",
            "\\\\localhost\\c$\\a",
            "file:///Users/taro/a.dotx",
            "",
            "NULL",
        ] {
            assert_eq!(place(local), Place::Local, "{local}");
        }
        assert_eq!(place("about:blank"), Place::Harmless);
    }
}
