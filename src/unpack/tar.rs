//! tar (POSIX.1-2017, pax; GNU and old forms), by the tar crate over the bytes in memory.
//!
//! Nothing is written anywhere. Links have no content: they are told. A member that breaks off gives what is there.

use std::io::Cursor;

use crate::bytes::{index, length};
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Members and errors together at the most: the scan stops at fewer artifacts, but links and faults make none.
const CEILING: usize = 200_000;

/// Faults after which the rest is given up: behind a broken header nothing says where the next one is.
const FAULTS: usize = 16;

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut archive = tar::Archive::new(Cursor::new(artifact.data.clone()));
    // Archives glued together have blocks of zeros between them.
    archive.set_ignore_zeros(true);
    let entries = archive
        .entries()
        .map_err(|error| Trouble::Broken(error.to_string()))?;
    let mut faults = 0usize;
    for (count, entry) in entries.enumerate() {
        nest.tick()?;
        if count > CEILING {
            return Err(Trouble::TooMuch(Halt::Ceiling("tar members")));
        }
        match entry {
            Ok(mut entry) => push(&mut entry, artifact, nest)?,
            Err(error) => {
                faults = faults.saturating_add(1);
                let what = text::excerpt(&error.to_string());
                nest.note(Trouble::Broken(what).into_fact("tar header"));
                if faults >= FAULTS {
                    break;
                }
            }
        }
    }
    Ok(())
}

fn push(
    entry: &mut tar::Entry<'_, Cursor<bytes::Bytes>>,
    artifact: &Artifact,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let name = Name::from_raw(&entry.path_bytes());
    let kind = entry.header().entry_type();
    let at = index(entry.raw_header_position());
    if kind.is_symlink() || kind.is_hard_link() {
        let target = entry.link_name_bytes().unwrap_or_default().into_owned();
        let target = Name::from_raw(&target).text;
        nest.deviation(
            at,
            text::excerpt(&format!("{}: link to {target}", name.text)),
        );
        // A hard link has content in pax archives only; then it has a size.
        if entry.size() == 0 {
            return Ok(());
        }
    } else if kind.is_dir() && entry.size() == 0 {
        return Ok(());
    } else if !(kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()) {
        if entry.size() == 0 {
            return Ok(());
        }
        nest.deviation(
            at,
            format!(
                "{}: data of an entry of type {:#04x}",
                name.text,
                kind.as_byte()
            ),
        );
    }
    let start = index(entry.raw_file_position());
    let size = entry.size();
    let stored = index(size).min(
        artifact
            .data
            .len()
            .saturating_sub(start.min(artifact.data.len())),
    );
    let range = start..start.saturating_add(stored);
    if kind.is_gnu_sparse() {
        let decoded = nest.read(entry, artifact.data.len(), size);
        let child =
            Child::new("tar-member", Payload::Paid(decoded.data.into())).named(name.clone());
        nest.push_decoded(child, decoded.fault, &name.text)?;
        return Ok(());
    }
    let data = artifact
        .data
        .get(range.clone())
        .map(|_| artifact.data.slice(range.clone()));
    let data = data.unwrap_or_default();
    let missing = size.saturating_sub(length(data.len()));
    if missing > 0 {
        nest.unread(
            range.end,
            format!(
                "{}: {missing} bytes lie beyond the end of the file",
                name.text
            ),
        );
    }
    nest.push(Child::new("tar-member", data).named(name).at(range))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Seen;
    use super::super::zip::tests::{artifact, budget};
    use super::*;
    use crate::model::{Fact, Kind};

    fn sample() -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let long = format!("{}/報告.xls", "folder".repeat(40));
        for (name, content) in [("a.txt", "first"), (long.as_str(), "second")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(length(content.len()));
            builder
                .append_data(&mut header, name, content.as_bytes())
                .unwrap();
        }
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder
            .append_link(&mut header, "link", "/etc/passwd")
            .unwrap();
        builder.into_inner().unwrap()
    }

    fn open(data: &[u8]) -> (Vec<Artifact>, Vec<Fact>, Result<(), Trouble>) {
        let budget = budget();
        let artifact = artifact(data, Kind::Tar);
        let mut seen = Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        let ended = run(&artifact, &mut nest);
        (nest.children, nest.facts, ended)
    }

    #[test]
    fn files_have_their_long_names_and_links_are_told() {
        let (children, facts, ended) = open(&sample());
        assert_eq!(ended, Ok(()));
        let contents: Vec<&[u8]> = children.iter().map(|child| child.data.as_ref()).collect();
        assert_eq!(contents, [b"first".as_slice(), b"second"]);
        assert!(children[1].label().ends_with("folder/報告.xls"));
        assert!(
            matches!(facts.as_slice(), [Fact::Deviation { what, .. }] if what == "link: link to /etc/passwd"),
            "{facts:?}"
        );
    }

    #[test]
    fn a_cut_member_gives_what_is_there() {
        let data = sample();
        let (children, facts, _) = open(&data[..514]);
        assert_eq!(children[0].data.as_ref(), b"fi");
        assert!(
            facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
            "{facts:?}"
        );
    }

    #[test]
    fn a_lying_size_allocates_nothing() {
        let mut header = tar::Header::new_gnu();
        header.set_path("a.txt").unwrap();
        header.set_size(1 << 33);
        header.set_cksum();
        let (children, facts, _) = open(&[header.as_bytes().as_slice(), b"short"].concat());
        assert_eq!(children[0].data.as_ref(), b"short");
        assert!(
            facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
            "{facts:?}"
        );
    }

    #[test]
    fn a_broken_header_in_the_middle_is_told() {
        let mut data = sample();
        data[1024] ^= 0xff;
        let (children, facts, _) = open(&data);
        assert_eq!(children[0].data.as_ref(), b"first");
        assert!(
            facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
            "{facts:?}"
        );
    }
}
