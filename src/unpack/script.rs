//! Scripts, macros and build projects: what they decode or put together, as children of their own.
//!
//! One level each; the engine opens the children in turn. A child that says the same as its parent is none.

use std::borrow::Cow;

use crate::formats::script::{Folded, Language, batch};
use crate::formats::{msbuild, script};
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

/// Longest text that is folded, in bytes; longer scripts are looked at as they are.
const LONGEST: usize = 4 << 20;

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
    nest.budget().check_time()?;
    match artifact.kind {
        Kind::Bat => {
            if let Some(text) = batch::expand(&source).text {
                push(nest, text.into_bytes(), Some(Kind::Bat))?;
            }
        }
        Kind::MsBuild => {
            project(nest, artifact)?;
        }
        Kind::Js | Kind::Wsf | Kind::Sct | Kind::Hta => {
            folded(nest, artifact, &source, Language::Js)?;
        }
        Kind::Ps1 => folded(nest, artifact, &source, Language::PowerShell)?,
        // What its texts come to is told by the readers of Basic.
        Kind::Vbs | Kind::VbaSource | Kind::XlmSource => {}
        _ => folded(nest, artifact, &source, Language::Other)?,
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
    let Folded {
        text,
        payloads,
        exhausted,
        ..
    } = script::fold(source, language);
    if exhausted {
        nest.note(Fact::Limit {
            halt: Halt::Ceiling("work on one script"),
            what: "texts in it were put together only in part".to_owned(),
        });
    }
    if let Some(text) = text {
        push(nest, text.into_bytes(), Some(artifact.kind))?;
    }
    for payload in payloads {
        let kind = payload.run.then_some(artifact.kind);
        let data = unwidened(payload.data);
        push(nest, data, kind)?;
    }
    Ok(())
}

/// Text of two bytes a character, as PowerShell encodes it, as UTF-8.
fn unwidened(data: Vec<u8>) -> Vec<u8> {
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
        data
    }
}

/// Pushes what was decoded, once. Of no telling kind, it is text of the parent's.
fn push(nest: &mut Nest<'_>, data: Vec<u8>, kind: Option<Kind>) -> Result<(), Trouble> {
    if data.is_empty() || nest.holds(&data) {
        return Ok(());
    }
    let told = identify::identify(&data, nest.budget()).kind;
    let child = Child::new("decoded-text", data);
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
    fn encoded_commands_are_powershell() {
        let bat = "@echo off\r\npowershell -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA\r\n";
        assert_eq!(children(bat), [(Kind::Ps1, "Write-Host 1".to_owned())]);
    }
}
