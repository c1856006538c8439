//! Small files of sections and keys that start or fetch something: shortcuts of several desktops, themes, remote
//! desktop connections, setup information, registry entries.

use std::collections::BTreeSet;

use crate::model::Kind;

/// Bytes of the head in which the deciding section must begin.
const LOOKED_AT: usize = 16 * 1024;

/// Kinds whose programs look for their sections, whatever stands in front.
pub(super) const SECTIONED: &[Kind] = &[
    Kind::Url,
    Kind::Website,
    Kind::Desktop,
    Kind::DesktopIni,
    Kind::Scf,
    Kind::Theme,
    Kind::Inf,
    Kind::Wsh,
];

/// Tells which kind of section file a text is.
pub(super) fn identify(start: &str) -> Option<Kind> {
    let head = start
        .get(..start.floor_char_boundary(LOOKED_AT))
        .unwrap_or(start);
    // A file of sections begins with one, or with comments.
    let first = head
        .split(['\n', '\r'])
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with([';', '#']))?;
    if let Some(kind) = registry(first) {
        return Some(kind);
    }
    if first.starts_with('[') && first.contains(']') {
        return by_sections(head);
    }
    remote_desktop(head).or_else(|| internet_shortcut_behind_junk(head))
}

fn registry(first: &str) -> Option<Kind> {
    let first = first.to_ascii_lowercase();
    (first.starts_with("windows registry editor version") || first == "regedit4")
        .then_some(Kind::Reg)
}

/// Sections that tell a kind.
const SECTIONS: &[&str] = &[
    "internetshortcut",
    "internetshortcut.a",
    "internetshortcut.w",
    PINNED,
    "oledb",
    "desktop entry",
    "shell",
    ".shellclassinfo",
    "scriptfile",
    "theme",
    "control panel\\desktop",
    "visualstyles",
    "mastertheme",
    "boot",
    "version",
    "autorun",
    "autorun.amd64",
];

/// The section of a site pinned to the task bar.
const PINNED: &str = "{5cbf2787-48cf-4208-b90e-ee5e5d420294}";

/// Keys that tell one.
const KEYS: &[&str] = &[
    "provider",
    "command",
    "iconfile",
    "brandimage",
    "open",
    "path",
    "shellexecute",
    "icon",
    "signature",
];

fn plain(word: &str) -> &str {
    word.trim_matches(|c: char| c.is_whitespace() || c.is_control())
}

/// Tells which kind of section file a text is to a program that looks for its sections, whatever stands in front and
/// however long it is: lines end at either end of line, control characters around a word are blanks. One pass.
pub(super) fn by_sections(text: &str) -> Option<Kind> {
    let known = |words: &[&'static str], word: &str| {
        words
            .iter()
            .copied()
            .find(|known| known.eq_ignore_ascii_case(word))
    };
    let mut sections = BTreeSet::new();
    let mut keys = BTreeSet::new();
    for line in text.split(['\n', '\r']).map(plain) {
        if let Some(rest) = line.strip_prefix('[') {
            let name = rest.split(']').next().map(plain);
            sections.extend(name.and_then(|name| known(SECTIONS, name)));
        } else {
            let key = line.split_once('=').map(|(key, _)| plain(key));
            keys.extend(key.and_then(|key| known(KEYS, key)));
        }
    }
    let has = |names: &[&str]| names.iter().any(|name| sections.contains(name));
    let key = |names: &[&str]| names.iter().any(|name| keys.contains(name));
    if has(&[
        "internetshortcut",
        "internetshortcut.a",
        "internetshortcut.w",
    ]) {
        let pinned = has(&[PINNED]);
        return Some(if pinned { Kind::Website } else { Kind::Url });
    }
    if has(&["oledb"]) && key(&["provider"]) {
        return Some(Kind::Udl);
    }
    if has(&["desktop entry"]) {
        return Some(Kind::Desktop);
    }
    if has(&["shell"]) && key(&["command", "iconfile"]) {
        return Some(Kind::Scf);
    }
    if has(&[".shellclassinfo"]) {
        return Some(Kind::DesktopIni);
    }
    if has(&["scriptfile"]) && key(&["path"]) {
        return Some(Kind::Wsh);
    }
    let looks = [
        "control panel\\desktop",
        "visualstyles",
        "mastertheme",
        "boot",
    ];
    if has(&["theme"]) && (has(&looks) || key(&["brandimage"])) {
        return Some(Kind::Theme);
    }
    let autorun = has(&["autorun", "autorun.amd64"]) && key(&["open", "shellexecute", "icon"]);
    if has(&["version"]) && key(&["signature"]) || autorun {
        return Some(Kind::Inf);
    }
    None
}

/// Windows reads the section wherever it stands.
fn internet_shortcut_behind_junk(head: &str) -> Option<Kind> {
    const SECTION: &[u8] = b"[InternetShortcut]";
    // Most texts have no such word, and need not be taken apart line by line.
    let has_section = memchr::memchr_iter(b'[', head.as_bytes()).any(|at| {
        let word = crate::bytes::slice(head.as_bytes(), at, SECTION.len());
        word.is_some_and(|word| word.eq_ignore_ascii_case(SECTION))
    });
    if !has_section {
        return None;
    }
    let mut lines = head.split(['\n', '\r']).map(str::trim);
    let found = lines.any(|line| line.eq_ignore_ascii_case("[InternetShortcut]"));
    let mut next = lines.filter(|line| !line.is_empty());
    let address = next.next().and_then(|line| line.split_once('='));
    let named = address.is_some_and(|(key, _)| {
        [
            "url",
            "iconfile",
            "iconindex",
            "idlist",
            "workingdirectory",
            "hotkey",
            "showcommand",
            "modified",
        ]
        .iter()
        .any(|name| key.trim().eq_ignore_ascii_case(name))
    });
    (found && named).then_some(Kind::Url)
}

/// Whether a line names the server of a connection: under the name of one, that is all that is asked for.
pub(super) fn names_a_server(text: &str) -> bool {
    let server = |name: &str| {
        let name = plain(name).trim_start_matches('\u{feff}');
        [
            "full address",
            "alternate full address",
            "remoteapplicationprogram",
        ]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
    };
    text.split(['\n', '\r']).any(|line| {
        let mut parts = line.splitn(3, ':');
        let name = parts.next().is_some_and(server);
        name && parts
            .next()
            .is_some_and(|kind| plain(kind).eq_ignore_ascii_case("s"))
    })
}

/// Lines of `name:type:value`, among them the address. The client passes over what it does not know; here that may be a
/// third of the lines.
fn remote_desktop(head: &str) -> Option<Kind> {
    let mut settings = 0usize;
    let mut others = 0usize;
    let mut address = false;
    for line in head
        .split(['\n', '\r'])
        .take(800)
        .filter(|line| !line.trim().is_empty())
    {
        let mut parts = line.splitn(3, ':');
        let (name, kind) = (
            parts.next().unwrap_or_default().trim(),
            parts.next().unwrap_or_default().trim(),
        );
        let plain = !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        if plain && matches!(kind, "s" | "i" | "b") && parts.next().is_some() {
            settings = settings.saturating_add(1);
            address |= name.eq_ignore_ascii_case("full address")
                || name.eq_ignore_ascii_case("alternate full address")
                || name.eq_ignore_ascii_case("remoteapplicationprogram");
        } else {
            others = others.saturating_add(1);
            if others > 40 {
                return None;
            }
        }
    }
    let mostly = others == 0 || others <= settings / 2;
    ((address || settings >= 4) && mostly).then_some(Kind::Rdp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_tell_the_kind() {
        for (text, kind) in [
            (
                "[InternetShortcut]\r\nURL=https://example.com/\r\n",
                Kind::Url,
            ),
            (
                "[{000214A0-0000-0000-C000-000000000046}]\nProp3=19,2\n[InternetShortcut]\nURL=x",
                Kind::Url,
            ),
            (
                "[{5CBF2787-48CF-4208-B90E-EE5E5D420294}]\nProp1=1\n[InternetShortcut]\nURL=x",
                Kind::Website,
            ),
            (
                "#!/usr/bin/env xdg-open\n[Desktop Entry]\nExec=sh -c id\n",
                Kind::Desktop,
            ),
            ("[Shell]\nCommand=2\nIconFile=\\\\192.0.2.1\\a\n", Kind::Scf),
            ("[Theme]\nBrandImage=\\\\h\\a.png", Kind::Theme),
            (
                "[Theme]\nDisplayName=x\n[boot]\nSCRNSAVE.EXE=a.scr",
                Kind::Theme,
            ),
            (
                "[.ShellClassInfo]\r\nIconResource=a.ico,0\r\n",
                Kind::DesktopIni,
            ),
            (
                "; a theme\n[Theme]\nDisplayName=x\n[Control Panel\\Desktop]\nWallpaper=\\\\h\\a",
                Kind::Theme,
            ),
            (
                "[Version]\nSignature=\"$Windows NT$\"\n[DefaultInstall]\n",
                Kind::Inf,
            ),
            ("[AutoRun]\r\nopen=a.exe\r\n", Kind::Inf),
            (
                "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software]\r\n",
                Kind::Reg,
            ),
            ("REGEDIT4\r\n[HKEY_CURRENT_USER]\r\n", Kind::Reg),
            ("REGEDIT4\r\r[HKEY_CURRENT_USER]\r", Kind::Reg),
            ("[ScriptFile]\r\nPath=C:\\a.vbs\r\n", Kind::Wsh),
            (
                "screen mode id:i:2\nfull address:s:192.0.2.1\nprompt for credentials:i:0\n",
                Kind::Rdp,
            ),
            (
                "\r\n; a comment\r\nFULL ADDRESS:s:host.invalid\r\nalternate shell:s:cmd.exe\r\n",
                Kind::Rdp,
            ),
            (
                "junk\r\n[InternetShortcut]\r\nURL=file://h/a.exe",
                Kind::Url,
            ),
        ] {
            assert_eq!(identify(text), Some(kind), "{text}");
        }
    }

    #[test]
    fn other_sections_and_prose_are_text() {
        for text in [
            "[settings]\ncolor=blue\n",
            "[Version]\nnumber=3\n",
            "[ScriptFile]\nname=a\n",
            "A shortcut has the section\n[InternetShortcut]\nwhich names the page.\n",
            "Note: this is prose.\nfull address: unknown\n",
            "[1] A footnote [2] and another.",
        ] {
            assert_eq!(identify(text), None, "{text}");
        }
    }
}
