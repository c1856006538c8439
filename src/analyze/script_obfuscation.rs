//! Scripts that are put together, encoded or strewn with marks so that nobody can read them.
//!
//! Counted on what the script is made of, never on how long its lines are: minified scripts are ordinary.

use super::scripts::{KINDS, squeezed};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::script::{self, Language, batch};
use crate::formats::vba::{Event, Module, fold};
use crate::knowledge::{Behaviours, Obfuscation};
use crate::model::{Artifact, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "script_obfuscation",
    kinds: KINDS,
    sees: Sees::Content,
    findings: &["script-obfuscated"],
    run,
};

/// Bytes of a script that are looked at.
const LONGEST: usize = 2 << 20;

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    if !KINDS.contains(&artifact.kind) {
        return;
    }
    let behaviour = &look.knowledge.behaviour;
    let what = obfuscation(artifact, &behaviour.obfuscation);
    if let Some(what) = what.or_else(|| packed(artifact, behaviour)) {
        findings.report(Found::new("script-obfuscated", &what));
    }
}

/// What shows that JavaScript unpacks itself.
fn packed(artifact: &Artifact, behaviour: &Behaviours) -> Option<String> {
    let data = artifact.data.get(..LONGEST).unwrap_or(&artifact.data);
    if artifact.kind != Kind::Js || memchr::memmem::find(data, b"eval").is_none() {
        return None;
    }
    let squeezed = squeezed(&text::to_utf8(data), Kind::Js);
    let texts = behaviour.packed(&squeezed)?;
    Some(format!("unpacks itself: {}", texts.join(" ")))
}

/// What makes the script unreadable.
fn obfuscation(artifact: &Artifact, limits: &Obfuscation) -> Option<String> {
    let data = artifact.data.get(..LONGEST).unwrap_or(&artifact.data);
    let language = match artifact.kind {
        Kind::Jse | Kind::Vbe => return Some(artifact.kind.describe().to_owned()),
        Kind::Vbs => return of_basic(data, limits),
        Kind::Bat => return of_batch(data, limits),
        Kind::Ps1 => Language::PowerShell,
        Kind::Js | Kind::Wsf | Kind::Sct | Kind::Hta => Language::Js,
        _ => Language::Other,
    };
    let source = text::to_utf8(data);
    if is_brackets_only(&source) {
        return Some("written in six signs alone".to_owned());
    }
    let folded = script::folded(&source, language);
    let built = folded.built;
    let short = built.pieces_len
        <= limits
            .piece_len
            .saturating_mul(usize::try_from(built.pieces).unwrap_or(usize::MAX));
    let shown = || {
        let longest = folded.texts.iter().max_by_key(|(_, text)| text.len());
        longest.map(|(_, text)| text.as_str()).unwrap_or_default()
    };
    if built.characters >= limits.characters {
        return Some(format!(
            "{} characters given by their code: {}",
            built.characters,
            shown()
        ));
    }
    if built.pieces >= limits.pieces && short {
        return Some(format!("a text in {} pieces: {}", built.pieces, shown()));
    }
    if built.rearranged >= limits.rearranged && language == Language::PowerShell {
        return Some(format!(
            "{} texts rearranged: {}",
            built.rearranged,
            shown()
        ));
    }
    if folded.escaped >= limits.escaped {
        return Some(format!(
            "{} readable characters written as escapes: {}",
            folded.escaped,
            shown()
        ));
    }
    if folded.scrambled >= limits.scrambled {
        return Some(format!("{} names given by an obfuscator", folded.scrambled));
    }
    (folded.ticks >= limits.ticks).then(|| format!("{} marks within words", folded.ticks))
}

fn of_batch(data: &[u8], limits: &Obfuscation) -> Option<String> {
    let source = text::to_utf8(data);
    let expanded = batch::expand(&source);
    let text = expanded.text.unwrap_or_default();
    // Each line comes to one.
    let made = text.lines().zip(source.lines());
    let shown: String = made
        .filter(|(made, own)| made != own)
        .map(|(made, _)| made)
        .take(3)
        .collect::<Vec<_>>()
        .join(" ");
    if expanded.carets >= limits.carets {
        return Some(format!("{} carets within words: {shown}", expanded.carets));
    }
    if expanded.slices >= limits.slices {
        return Some(format!("{} slices of variables: {shown}", expanded.slices));
    }
    (expanded.pieces >= limits.variable_pieces)
        .then(|| format!("words in {} variables: {shown}", expanded.pieces))
}

fn of_basic(data: &[u8], limits: &Obfuscation) -> Option<String> {
    let module = Module::read(data);
    let mut found = None;
    fold(&module, &|_| 0, &mut |event| {
        if let Event::Text { text, .. } = event
            && found.is_none()
        {
            let built = text.built();
            let many =
                built.characters >= limits.characters || built.rearranged >= limits.rearranged;
            let pieces = usize::try_from(built.joined).unwrap_or(usize::MAX);
            let short = built.joined >= limits.pieces.saturating_mul(2)
                && text.as_str().len() <= limits.piece_len.saturating_mul(pieces);
            if many || short {
                found = Some(text.as_str().to_owned());
            }
        }
    });
    found.map(|text| format!("a text put together: {text}"))
}

/// JavaScript written in six signs alone.
fn is_brackets_only(source: &str) -> bool {
    let head: Vec<u8> = source
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .take(512)
        .collect();
    head.len() >= 64 && head.iter().all(|byte| b"[]()!+;".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    fn fires(kind: Kind, source: &str) -> bool {
        !findings_of("script_obfuscation", &[holding(kind, source.as_bytes())]).is_empty()
    }

    #[test]
    fn unreadable_scripts_are_told() {
        let codes = (0..20).map(|_| "104").collect::<Vec<_>>().join(",");
        let chain = (0..20).map(|_| "'ab'").collect::<Vec<_>>().join("+");
        let basic = (0..20).map(|_| "Chr(104)").collect::<Vec<_>>().join(" & ");
        for (kind, source) in [
            (Kind::Js, format!("x(String.fromCharCode({codes}))")),
            (Kind::Js, format!("x({chain})")),
            (Kind::Js, format!("x('{}')", "\\x41".repeat(50))),
            (
                Kind::Js,
                "_0x1a _0x2b _0x3c _0x4d _0x5e _0x6f _0x7a _0x8b".to_owned(),
            ),
            (Kind::Vbs, format!("x = {basic}\r\n")),
            (Kind::Bat, "p^o^w^e^r^s^h^e^l^l^.^e^x^e x\r\n".to_owned()),
            (
                Kind::Bat,
                "set a=abcdef\r\n%a:~0,1%%a:~1,1%%a:~2,1%%a:~3,1%%a:~4,1%%a:~5,1%\r\n".to_owned(),
            ),
            (Kind::Ps1, "I`n`v`o`k`e-`E`xpression x".to_owned()),
            (Kind::Jse, "#@~^".to_owned()),
        ] {
            assert!(fires(kind, &source), "{source}");
        }
    }

    #[test]
    fn minified_and_administrative_scripts_are_ordinary() {
        for (kind, source) in [
            (
                Kind::Js,
                "!function(e,t){\"use strict\";var n=String.fromCharCode(13,10),r='a'+n+'b';e.x=t?function(){return r.split('').reverse().join('')}:0}(window,1);",
            ),
            (
                Kind::Js,
                "var h='<table>'+'<tr><td>'+'a long piece of a page'+'</td></tr>'+'</table>';",
            ),
            (
                Kind::Ps1,
                "$p = 'C:\\' + $env:USERNAME + '\\logs'\nGet-ChildItem $p -Filter *.log |`\n  Remove-Item\n'{0} of {1}' -f 1, 2\n",
            ),
            (
                Kind::Bat,
                "@echo off\r\nset d=%date:~0,4%%date:~5,2%%date:~8,2%\r\nxcopy a b ^\r\n  /s\r\n",
            ),
            (
                Kind::Vbs,
                "s = \"a\" & vbCrLf & \"b\" & Chr(34) & x & Chr(34)\r\n",
            ),
        ] {
            assert!(!fires(kind, source), "{source}");
        }
    }
}
