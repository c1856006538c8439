//! ACE archives: what is only stored is opened, the rest is told by its name.

use crate::formats::ace;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest};

/// Files that are told by their names.
const TOLD: usize = 16;

/// Pushes what is stored.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let listing = ace::read(data);
    if let Some(at) = listing.wrong {
        nest.deviation(at, "the checksum of a header does not hold");
    }
    let mut closed = 0usize;
    for file in listing.files.iter().filter(|file| !file.is_folder) {
        nest.tick()?;
        let name = Name::from_raw(file.name);
        let shown = text::excerpt(&name.text);
        if file.missing > 0 {
            nest.unread(
                file.data.start,
                format!("{shown}: {} bytes are missing", file.missing),
            );
        }
        if file.locked {
            nest.note(Trouble::Locked("ACE".to_owned()).into_fact(&shown));
        } else if file.is_split {
            nest.unread(
                file.data.start,
                format!("{shown}: goes on in another volume"),
            );
        } else if file.method != 0 {
            closed = closed.saturating_add(1);
            if closed <= TOLD {
                let what = format!("ACE method {}", file.method);
                nest.note(Trouble::NoReader(what).into_fact(&shown));
            }
        } else if !file.data.is_empty() {
            let content = data.get(file.data.clone()).unwrap_or_default();
            if file.missing == 0 && ace::checksum(content) != file.crc {
                let what = format!("{shown}: the checksum does not hold");
                nest.deviation(file.data.start, what);
            }
            let child = Child::new("ace-member", data.slice(file.data.clone()));
            nest.push(child.at(file.data.clone()).named(name))?;
        }
    }
    if let Some((at, why)) = listing.cut {
        nest.unread(at, format!("the rest of the archive: {why}"));
    }
    match closed.checked_sub(TOLD) {
        Some(more @ 1..) => Err(Trouble::NoReader(format!("ACE: {more} more files"))),
        _ if listing.files.is_empty() => Err(Trouble::NoReader("ACE".to_owned())),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::formats::ace::tests::archive;
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    #[test]
    fn stored_files_are_children_and_others_are_told_by_name() {
        let name = encoding_rs::SHIFT_JIS.encode("見積書.exe").0;
        let data = archive(&[(&name, 0, b"MZ"), (b"b.doc", 2, b"packed")]);
        let (children, facts) = opened("ace", &data);
        assert_eq!(
            (children[0].label(), children[0].data.as_ref()),
            ("見積書.exe", b"MZ".as_slice())
        );
        assert!(
            matches!(facts.as_slice(), [Fact::NoReader { what }] if what == "b.doc: ACE method 2"),
            "{facts:?}"
        );
        let (_, facts) = opened("ace", &data[..data.len() - 2]);
        assert!(facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })));
    }

    #[test]
    fn checksums_that_do_not_hold_are_told() {
        let whole = archive(&[(b"a.exe", 0, b"MZ")]);
        let (_, facts) = opened("ace", &whole);
        assert_eq!(facts, []);
        for (at, what) in [(whole.len() - 1, "a.exe: "), (47, "of a header")] {
            let mut lying = whole.clone();
            lying[at] ^= 1;
            let (children, facts) = opened("ace", &lying);
            assert_eq!(children.len(), 1);
            assert!(
                matches!(facts.as_slice(), [Fact::Deviation { what: told, .. }] if told.contains(what)),
                "{facts:?}"
            );
        }
    }

    #[test]
    fn many_files_are_told_as_many() {
        let data = archive(&vec![(b"a".as_slice(), 1, b"x".as_slice()); 20]);
        let budget = super::super::zip::tests::budget();
        let artifact = super::super::zip::tests::artifact(&data, crate::model::Kind::Ace);
        let mut seen = super::super::Seen::new();
        let mut nest = super::super::Nest::new(&budget, &mut seen, &artifact, 1);
        let ended = super::run(&artifact, &mut nest);
        assert!(
            matches!(ended, Err(crate::model::Trouble::NoReader(what)) if what == "ACE: 4 more files")
        );
        assert_eq!(nest.facts.len(), 16);
    }
}
