//! Scripts, macros and build projects: what they decode or put together, as children of their own.
//!
//! One level each; the engine opens the children in turn. A child that says the same as its parent is none.

use std::borrow::Cow;

use memchr::memmem;

use crate::formats::script::{Dialect, Language, batch};
use crate::formats::{encoded, msbuild, script, vba};
use crate::identify;
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Kind, Trouble};
use crate::text;

use super::{Child, Nest};

/// Kinds that are looked into.
pub(super) const KINDS: &[Kind] = &[
    Kind::Js,
    Kind::Vbs,
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
    Kind::VbaSource,
    Kind::XlmSource,
    Kind::MsBuild,
];

/// How what is put together or decoded was reached.
const DECODED: &str = "decoded-text";

/// Longest text that is folded, in bytes; longer scripts are looked at as they are.
const LONGEST: usize = 4 << 20;

/// Longest script whose texts are put together once more where that was done already.
const LIBRARY: usize = 1 << 20;

/// Words by which scripts ask for more than a page gives them.
const SYSTEM: &[&str] = &[
    "powershell",
    "wscript",
    "cmd.exe",
    "cmd /c",
    "mshta",
    "rundll32",
    "regsvr32",
    "certutil",
    "bitsadmin",
    "activexobject",
    "createobject",
    "shell.application",
    "adodb",
    "http://",
    "https://",
];

/// Pushes what a script hides.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let source: Cow<'_, str> = text::to_utf8(&artifact.data);
    if source.len() > LONGEST {
        nest.note(Fact::Limit {
            halt: Halt::Ceiling("script of 4 MiB"),
            what: "texts in it were not put together".to_owned(),
        });
        return Ok(());
    }
    for (_, command) in script::encoded_commands(&source) {
        push(nest, command.into_bytes(), Some(Kind::Ps1))?;
    }
    for text in script::code_texts(&source) {
        // Handed to an interpreter of commands at most, where its own language cannot run it.
        let kind = match artifact.kind {
            Kind::VbaSource | Kind::XlmSource => Some(Kind::Bat),
            Kind::MsBuild => None,
            own => Some(own),
        };
        push(nest, text.into_bytes(), kind)?;
    }
    // Macros in Basic and in formulas have readers of their own.
    let macros = matches!(
        artifact.kind,
        Kind::VbaSource | Kind::XlmSource | Kind::MsBuild
    );
    if !macros {
        let texts = script::masked_texts(&source).into_iter();
        for text in texts.chain(script::based_texts(&source)) {
            // What a few characters say is told with their script.
            if text.len() >= PIECE {
                push(nest, text.into_bytes(), Some(artifact.kind))?;
            }
        }
    }
    nest.budget().check_time()?;
    match artifact.kind {
        Kind::Bat => {
            if let Some(plain) = behind_false_mark(&artifact.data) {
                push(nest, plain.to_vec(), Some(Kind::Bat))?;
            } else {
                let batch = batch::expand(&source);
                put_together(nest, artifact, batch.text.as_deref(), batch.exhausted)?;
            }
        }
        Kind::MsBuild => {
            project(nest, artifact)?;
        }
        Kind::Wsf | Kind::Sct | Kind::Hta => blocks(nest, &source)?,
        Kind::Js => folded(nest, artifact, &source, Language::Js)?,
        Kind::Ps1 => folded(nest, artifact, &source, Language::PowerShell)?,
        Kind::Vbs | Kind::VbaSource => basic(nest, artifact)?,
        Kind::XlmSource => {}
        _ => folded(nest, artifact, &source, Language::Other)?,
    }
    Ok(())
}

/// What stands behind the mark of a text of two bytes a character that is none: cmd reads bytes, viewers the mark.
fn behind_false_mark(data: &[u8]) -> Option<&[u8]> {
    let plain = data.strip_prefix(b"\xff\xfe")?;
    let head = plain.get(..64).unwrap_or(plain);
    (!head.contains(&0)).then_some(plain)
}

/// Characters of a literal that may be a piece of something encoded.
const PIECE: usize = 24;

/// Texts that a module puts together from pieces of something encoded. What its other texts come to is told by the
/// readers of Basic.
fn basic(nest: &mut Nest<'_>, artifact: &Artifact) -> Result<(), Trouble> {
    let of_run = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    // What stands between two quotes; whether as a text or between two texts is told by the reader of Basic.
    let pieces = artifact
        .data
        .split(|byte| *byte == b'"')
        .any(|text| text.len() >= PIECE && text.iter().all(of_run));
    if !pieces {
        return Ok(());
    }
    let mut texts = Vec::new();
    let module = vba::Module::read(&artifact.data);
    vba::fold(&module, &|_| 0, &mut |event| {
        if let vba::Event::Text { text, .. } = event
            && text.built().joined > 0
            && texts.len() < TEXTS
            && encoded::looks_encoded(text.as_str().trim())
        {
            texts.push(text.as_str().to_owned());
        }
    });
    for text in texts {
        super::encoded::in_text(text.as_bytes(), nest)?;
    }
    Ok(())
}

/// Encoded texts of one module at the most.
const TEXTS: usize = 64;

/// The scripts of an application in markup, each by itself.
fn blocks(nest: &mut Nest<'_>, source: &str) -> Result<(), Trouble> {
    for (range, dialect) in script::blocks(source) {
        let kind = match dialect {
            Dialect::Basic => Kind::Vbs,
            Dialect::Js => Kind::Js,
            Dialect::Other => Kind::Text,
        };
        let data = source.get(range).unwrap_or_default().as_bytes().to_vec();
        if !nest.holds(&data) {
            nest.push(Child::new("script-block", data).of_kind(kind))?;
        }
    }
    Ok(())
}

/// Code, commands and functions of a build project.
fn project(nest: &mut Nest<'_>, artifact: &Artifact) -> Result<(), Trouble> {
    let project = msbuild::read(&artifact.data, nest.budget())?;
    for expression in project.functions {
        nest.note(Fact::BuildFunction { expression });
    }
    for step in project.steps {
        match step {
            msbuild::Step::Command { element, line } => {
                nest.note(Fact::BuildCommand { element, line });
            }
            msbuild::Step::Import { element, target } => {
                nest.note(Fact::BuildImport { element, target });
            }
            msbuild::Step::InlineTask {
                name,
                factory,
                code,
            } => {
                nest.note(Fact::InlineTask {
                    name,
                    factory,
                    code: code.chars().take(text::EXCERPT).collect(),
                });
                push(nest, code.into_bytes(), None)?;
            }
        }
    }
    match project.broken {
        None => Ok(()),
        Some(what) => Err(Trouble::Broken(what)),
    }
}

fn folded(
    nest: &mut Nest<'_>,
    artifact: &Artifact,
    source: &str,
    language: Language,
) -> Result<(), Trouble> {
    let folded = script::folded(source, language);
    put_together(nest, artifact, folded.text.as_deref(), folded.exhausted)?;
    for payload in &folded.payloads {
        let kind = payload.run.then_some(artifact.kind);
        let data = unwidened(&payload.data);
        push(nest, data, kind)?;
    }
    Ok(())
}

/// Pushes a script with its texts put together, and tells where the work on it ran out.
fn put_together(
    nest: &mut Nest<'_>,
    artifact: &Artifact,
    text: Option<&str>,
    exhausted: bool,
) -> Result<(), Trouble> {
    if exhausted {
        nest.note(Fact::Limit {
            halt: Halt::Ceiling("work on one script"),
            what: "texts in it were put together only in part".to_owned(),
        });
    }
    // What is too much work again and again is not taken up level by level; nor is a whole library that hid nothing.
    let again = artifact.via == Some(DECODED);
    let hid = |text: &str| text.len() <= LIBRARY || reveals(text, &artifact.data);
    match text {
        Some(text) if !again || !exhausted && hid(text) => {
            push(nest, text.as_bytes().to_vec(), Some(artifact.kind))
        }
        _ => Ok(()),
    }
}

/// Whether a text says something of a system more often than the script did that it was put together from.
fn reveals(text: &str, script: &[u8]) -> bool {
    let (text, script) = (text.to_ascii_lowercase(), script.to_ascii_lowercase());
    let count = |text: &[u8], word: &str| memmem::find_iter(text, word.as_bytes()).count();
    let mut words = SYSTEM.iter();
    words.any(|word| count(text.as_bytes(), word) > count(&script, word))
}

/// Text of two bytes a character, as PowerShell encodes it, as UTF-8.
fn unwidened(data: &[u8]) -> Vec<u8> {
    let pairs = data.as_chunks::<2>();
    let wide = pairs.1.is_empty()
        && pairs.0.len() >= 4
        && pairs
            .0
            .iter()
            .all(|[low, high]| *high == 0 && (*low >= b' ' || low.is_ascii_whitespace()));
    if wide {
        pairs.0.iter().map(|[low, _]| *low).collect()
    } else {
        data.to_vec()
    }
}

/// Pushes what was decoded, once. Of no telling kind, it is text of the parent's.
fn push(nest: &mut Nest<'_>, data: Vec<u8>, kind: Option<Kind>) -> Result<(), Trouble> {
    if data.is_empty() || nest.holds(&data) {
        return Ok(());
    }
    let told = identify::identify(&data, nest.budget()).kind;
    let child = Child::new(DECODED, data);
    // A script that is told by its content is that, whatever handed it over.
    let child = match kind {
        Some(kind)
            if matches!(told, Kind::Text | Kind::Data | Kind::Csv | Kind::Email)
                || told == kind =>
        {
            child.of_kind(kind)
        }
        _ => child,
    };
    nest.push(child)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;
    use super::*;

    fn children(source: &str) -> Vec<(Kind, String)> {
        let (children, _) = opened("script", source.as_bytes());
        children
            .into_iter()
            .map(|child| {
                (
                    child.kind,
                    String::from_utf8_lossy(&child.data).into_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn padding_hides_nothing_of_a_script_in_a_script() {
        let put_together = |pieces: &str| {
            let padding = "x".repeat(LIBRARY);
            let source = format!("var q = '{padding}';\n{pieces}");
            let mut artifact = Artifact::alone(Kind::Js, source.into_bytes().into());
            artifact.via = Some(DECODED);
            let budget = crate::unpack::zip::tests::budget();
            let mut seen = crate::unpack::Seen::new();
            let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
            run(&artifact, &mut nest).unwrap();
            nest.children.len()
        };
        let hidden = "new ActiveXObject('WScr' + 'ipt.Sh' + 'ell').Run('ca' + 'lc.exe');";
        assert_eq!(put_together(hidden), 1);
        assert_eq!(put_together("f('a word ' + 'of a library');"), 0);
    }

    #[test]
    fn what_scripts_put_together_is_a_child_of_their_kind() {
        let js =
            "var s = new ActiveXObject(\"WScr\" + \"ipt.Shell\");\ns.Run(\"ca\" + \"lc.exe\");\n";
        let found = children(js);
        assert_eq!(found.len(), 1);
        assert!(
            found[0].0 == Kind::Js && found[0].1.contains("ActiveXObject(\"WScript.Shell\")"),
            "{found:?}"
        );
        let bat = "@echo off\r\nset a=ce\r\nset b=rtutil\r\n%a%%b% -decode x y\r\nexit /b\r\n";
        let found = children(bat);
        assert!(
            found[0].0 == Kind::Bat && found[0].1.contains("certutil -decode"),
            "{found:?}"
        );
    }

    #[test]
    fn scripts_in_markup_are_children_in_their_language() {
        let hta = "<html><head><hta:application id=\"x\"/><script language=\"VBScript\">\r\nCreateObject(\"WScr\" & \"ipt.Shell\").Run \"x\"\r\n</script></head></html>";
        let found = children(hta);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, Kind::Vbs);
    }

    #[test]
    fn a_program_in_digits_over_several_statements_is_a_child() {
        let digits: String = super::super::tests::pe()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let mut source = "Attribute VB_Name = \"M\"\r\nSub a()\r\n".to_owned();
        for piece in digits.as_bytes().chunks(200) {
            let piece = std::str::from_utf8(piece).unwrap();
            source.push_str(&format!("a = a & \"{piece}\"\r\nb = 1\r\n"));
        }
        source.push_str("w.z a\r\nEnd Sub\r\n");
        let found = children(&source);
        assert!(found.iter().any(|(kind, _)| *kind == Kind::Pe), "{found:?}");
    }

    #[test]
    fn a_batch_file_under_a_false_mark_is_read_as_cmd_reads_it() {
        let found = behind_false_mark(b"\xff\xfe&cls\r\nstart a\r\n");
        assert_eq!(found, Some(b"&cls\r\nstart a\r\n".as_slice()));
        assert_eq!(behind_false_mark(b"\xff\xfea\0b\0"), None);
        assert_eq!(behind_false_mark(b"start a\r\n"), None);
    }

    #[test]
    fn encoded_commands_are_powershell() {
        let bat = "@echo off\r\npowershell -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA\r\n";
        assert_eq!(children(bat), [(Kind::Ps1, "Write-Host 1".to_owned())]);
    }
}
