//! Archives with some members changed: a zip by its packed bytes, others rebuilt as a zip. Names are kept; a notice
//! bears the name of the file that it stands for, with `.txt` behind.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Refusal;
use super::members::{self, Packed};
use crate::limits::Budget;
use crate::model::{Artifact, Fact, Family, Id};

/// What becomes of one member.
pub(super) struct Change<'a> {
    /// The member.
    pub(super) artifact: &'a Artifact,
    /// Its new bytes; none for a notice.
    pub(super) new: Option<Bytes>,
    /// The notice.
    pub(super) notice: String,
    /// The extension that goes with the new bytes.
    pub(super) extension: Option<&'static str>,
}

/// The mark by which a text editor of Windows knows UTF-8.
const MARK: &str = "\u{feff}";

/// A zip with some members changed; every other member keeps its packed bytes, and its lock where it has one.
pub(super) fn edit(
    data: &Bytes,
    changes: &[Change<'_>],
    budget: &Budget,
) -> Result<Bytes, Refusal> {
    let mut members = members::read(data, members::Locked::Kept, budget)?;
    let mut taken: BTreeSet<String> = members.iter().map(|member| member.text.clone()).collect();
    for change in changes {
        let at = change.artifact.at.as_ref().map(|range| range.start);
        let found = members.iter().position(|member| {
            let start = member.at.as_ref().map(|range| range.start);
            start.is_some() && start == at
        });
        let member = found.and_then(|found| members.get_mut(found));
        let hidden = || {
            let what = crate::text::excerpt(change.artifact.label());
            Refusal::Broken(format!("{what}: only another reading shows it"))
        };
        let member = member.ok_or_else(hidden)?;
        // What was changed is no longer where it stood.
        member.at = None;
        match &change.new {
            Some(new) => {
                member.fill(new)?;
                if let Some(extension) = change.extension {
                    member.rename(&free(&with_extension(&member.text, extension), &mut taken));
                }
            }
            None => {
                let name = free(&format!("{}.txt", member.text), &mut taken);
                *member = notice(&name, &change.notice)?;
            }
        }
    }
    members::write(&members, budget)
}

/// A zip of what was in an archive of another format, or of what a compressed file held.
pub(super) fn rebuild(
    archive: &Artifact,
    children: &[&Artifact],
    changes: &[Change<'_>],
    budget: &Budget,
) -> Result<Bytes, Refusal> {
    let unread = archive.facts.iter().any(|fact| {
        matches!(
            fact,
            Fact::Unread { .. } | Fact::Limit { .. } | Fact::NoReader { .. } | Fact::Crashed { .. }
        )
    });
    if unread {
        return Err(Refusal::Broken("not all of it was read".to_owned()));
    }
    let change_of = |id: Id| changes.iter().find(|change| change.artifact.id == id);
    // A compressed archive becomes the archive that it held.
    if archive.kind.family() == Family::Compressed
        && let [only] = children
        && let Some(change) = change_of(only.id)
        && let (Some(new), Some("zip")) = (&change.new, change.extension)
    {
        return Ok(new.clone());
    }
    let mut taken = BTreeSet::new();
    let mut members = Vec::new();
    for child in children {
        budget.tick().map_err(Refusal::Limit)?;
        let name = plain(child, archive);
        let member = match change_of(child.id) {
            None => Packed::new(&free(&name, &mut taken), &child.data)?,
            Some(change) => match &change.new {
                Some(new) => {
                    let name = match change.extension {
                        Some(extension) => with_extension(&name, extension),
                        None => name,
                    };
                    Packed::new(&free(&name, &mut taken), new)?
                }
                None => notice(&free(&format!("{name}.txt"), &mut taken), &change.notice)?,
            },
        };
        members.push(member);
    }
    members::write(&members, budget)
}

fn notice(name: &str, text: &str) -> Result<Packed, Refusal> {
    Packed::new(name, &notice_text(text))
}

/// A notice as a file.
pub(super) fn notice_text(text: &str) -> Vec<u8> {
    let lines = text.replace('\n', "\r\n");
    format!("{MARK}{lines}").into_bytes()
}

/// The name of a member that leads nowhere but into the folder it is unpacked to; what was only compressed has the name
/// of the file that held it, without its last part.
fn plain(child: &Artifact, archive: &Artifact) -> String {
    let name = child.name.as_ref();
    let name = name.and_then(|name| name.readings.first());
    let name = name.map(String::as_str).unwrap_or_default();
    let steps = name.split(['/', '\\']);
    let steps: Vec<&str> = steps
        .filter(|step| !matches!(*step, "" | "." | "..") && !step.contains(':'))
        .collect();
    if !steps.is_empty() {
        return steps.join("/");
    }
    let kind = child.kind.as_str();
    let held = archive.name.as_ref().map(|name| name.text.as_str());
    let held = held.filter(|_| archive.kind.family() == Family::Compressed);
    let held = held.and_then(|name| name.rsplit(['/', '\\']).next()?.rsplit_once('.'));
    let held = held.map(|(stem, _)| stem);
    match held.filter(|stem| stem.chars().any(char::is_alphanumeric)) {
        Some(stem) if stem.contains('.') => stem.to_owned(),
        Some(stem) => format!("{stem}.{kind}"),
        None => format!("{:04}.{kind}", child.id),
    }
}

/// A name with another extension.
pub(in crate::rewrite) fn with_extension(name: &str, extension: &str) -> String {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    match folder {
        "" => format!("{stem}.{extension}"),
        folder => format!("{folder}/{stem}.{extension}"),
    }
}

/// A name that nothing has yet, and that is taken from now on.
fn free(name: &str, taken: &mut BTreeSet<String>) -> String {
    let mut free = name.to_owned();
    let mut number = 1usize;
    // Ends because there are fewer names than numbers.
    while !taken.insert(free.clone()) {
        number = number.saturating_add(1);
        free = match name.rsplit_once('.') {
            Some((stem, extension)) => format!("{stem}.{number}.{extension}"),
            None => format!("{name}.{number}"),
        };
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Kind, Name};

    #[test]
    fn what_was_only_compressed_has_the_name_of_its_file() {
        let named = |kind, name: &str| {
            let mut artifact = Artifact::alone(kind, Bytes::new());
            artifact.name = (!name.is_empty()).then(|| Name::of(name));
            artifact
        };
        let child = named(Kind::Docm, "");
        for (kind, file, expected) in [
            (Kind::Gz, "報告.docm.gz", "報告.docm"),
            (Kind::Gz, "drawing.svgz", "drawing.docm"),
            (Kind::Gz, "folder.x/..", "0000.docm"),
            (Kind::Gz, "", "0000.docm"),
            (Kind::SevenZip, "a.docm.7z", "0000.docm"),
        ] {
            assert_eq!(plain(&child, &named(kind, file)), expected, "{file}");
        }
        let own = named(Kind::Docm, "own.docm");
        assert_eq!(plain(&own, &named(Kind::Gz, "a.docm.gz")), "own.docm");
    }

    #[test]
    fn names_stay_apart_and_lead_nowhere_else() {
        let mut taken = BTreeSet::from(["a.exe".to_owned(), "a.exe.txt".to_owned()]);
        assert_eq!(free("a.exe.txt", &mut taken), "a.exe.2.txt");
        assert_eq!(free("b", &mut taken), "b");
        assert_eq!(free("b", &mut taken), "b.2");
        assert_eq!(with_extension("x.y/報告.docm", "docx"), "x.y/報告.docx");
        assert_eq!(with_extension("x.y/none", "zip"), "x.y/none.zip");
    }
}
