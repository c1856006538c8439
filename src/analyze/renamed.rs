//! Windows tools under another name: what a program calls itself against what its file is called.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::command_line;
use crate::model::{Fact, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "renamed",
    kinds: &[Kind::Pe],
    sees: Sees::Place,
    findings: &["renamed-system-binary"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let Some(name) = look.artifact.name.as_ref() else {
        return;
    };
    // Facts are noted on the first of equal bytes.
    let first = look
        .artifact
        .same_as
        .and_then(|id| look.tree.get(usize::try_from(id).ok()?));
    let facts = look
        .artifact
        .facts
        .iter()
        .chain(first.into_iter().flat_map(|first| &first.facts));
    for fact in facts {
        let Fact::Version {
            original,
            internal,
            product,
        } = fact
        else {
            continue;
        };
        let knowledge = &look.knowledge.commands;
        let claims = [original, internal].into_iter().flatten();
        let Some((claim, tool)) = claims
            .filter_map(|claim| Some((claim, knowledge.tool(&stem(claim))?)))
            .next()
        else {
            continue;
        };
        let own = name
            .files()
            .any(|file| knowledge.is_name_of(tool, &stem(&without_copy_mark(file))));
        let named = name.files().any(|file| !file.trim().is_empty());
        if named && !own {
            let product = product.as_deref().unwrap_or("a program");
            findings.report(Found::new(
                "renamed-system-binary",
                &format!("calls itself {claim} ({product})"),
            ));
            return;
        }
    }
}

/// The lower-case name without extension; resources of other languages carry a second one, `.MUI`.
fn stem(file: &str) -> String {
    let lower = file.trim().to_lowercase();
    let lower = lower.strip_suffix(".mui").unwrap_or(&lower);
    let program = command_line::program(lower);
    let known = [".dll", ".c", ".exe", ".bin", ".sys"];
    let bare = known
        .iter()
        .find_map(|extension| program.strip_suffix(extension))
        .unwrap_or(&program);
    // What it is renamed to by its extension alone is another finding's matter.
    bare.split('.').next().unwrap_or_default().to_owned()
}

/// A name without what browsers and Explorer add to a second copy: ` (1)`, ` - Copy`.
fn without_copy_mark(file: &str) -> String {
    let (bare, extension) = file.rsplit_once('.').unwrap_or((file, ""));
    let bare = bare.trim_end();
    let bare = match bare.rsplit_once('(') {
        Some((before, number))
            if number
                .strip_suffix(')')
                .is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) =>
        {
            before.trim_end()
        }
        _ => bare,
    };
    let bare = [" - copy", " - コピー"]
        .iter()
        .find_map(|mark| {
            let at = bare.len().checked_sub(mark.len())?;
            bare.get(at..)
                .filter(|end| end.to_lowercase() == *mark)
                .and_then(|_| bare.get(..at))
        })
        .unwrap_or(bare);
    format!("{bare}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{artifact, findings_of};
    use super::*;
    use crate::model::Name;

    fn fires(original: &str, name: &str) -> bool {
        let mut file = artifact(Kind::Pe);
        file.name = (!name.is_empty()).then(|| Name::of(name));
        file.facts = vec![Fact::Version {
            original: Some(original.to_owned()),
            internal: None,
            product: None,
        }];
        !findings_of("renamed", &[file]).is_empty()
    }

    #[test]
    fn a_tool_under_its_own_name_is_not_renamed() {
        for (original, name) in [
            ("PowerShell.EXE", "powershell.exe"),
            ("PowerShell.EXE.MUI", "POWERSHELL.EXE"),
            ("psexec.c", "PsExec64.exe"),
            ("Cmd.Exe", "tools/cmd (1).exe"),
            ("Cmd.Exe", "cmd - Copy.exe"),
            ("notepad.exe", "x.exe"),
            ("Cmd.Exe", ""),
        ] {
            assert!(!fires(original, name), "{original} as {name}");
        }
        for (original, name) in [
            ("PowerShell.EXE.MUI", "update.exe"),
            ("Cmd.Exe", "a.bin"),
            ("psexec.c", "svc.exe"),
            ("MSHTA.EXE", "docs/mshta.exe/readme.exe"),
        ] {
            assert!(fires(original, name), "{original} as {name}");
        }
    }
}
