//! tar (POSIX.1-2017, pax; GNU and old forms), by the tar crate over the bytes in memory.
//!
//! Nothing is written anywhere. Links are told; a hard link to a member in front is that member again, as it is once
//! unpacked. A member that breaks off gives what is there.

use std::collections::BTreeMap;
use std::io::Cursor;

use bytes::Bytes;

use crate::bytes::{index, length, slice};
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
    let start = label(&artifact.data);
    let data = artifact.data.slice(start..);
    let mut archive = tar::Archive::new(Cursor::new(data.clone()));
    // Archives glued together have blocks of zeros between them.
    archive.set_ignore_zeros(true);
    let entries = archive
        .entries()
        .map_err(|error| Trouble::Broken(error.to_string()))?;
    let mut faults = 0usize;
    let mut known = BTreeMap::new();
    for (count, entry) in entries.enumerate() {
        nest.tick()?;
        if count > CEILING {
            return Err(Trouble::TooMuch(Halt::Ceiling("tar members")));
        }
        match entry {
            Ok(mut entry) => {
                let next = nest.len();
                push(&mut entry, &data, start, &known, nest)?;
                if next < nest.len() {
                    known.insert(entry.path_bytes().into_owned(), next);
                }
            }
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

/// Bytes of the header that names a volume, at the front of what GNU tar writes: its size may be left out.
fn label(data: &[u8]) -> usize {
    const HEADER: usize = 512;
    let is_label = data.get(156) == Some(&b'V');
    let size = slice(data, 124, 12).unwrap_or_default();
    let is_empty = size.iter().all(|byte| matches!(byte, 0 | b' ' | b'0'));
    match is_label && is_empty && data.len() >= HEADER {
        true => HEADER,
        false => 0,
    }
}

/// Pushes an entry of `data`, which starts at byte `start` of the artifact.
fn push(
    entry: &mut tar::Entry<'_, Cursor<Bytes>>,
    data: &Bytes,
    start: usize,
    known: &BTreeMap<Vec<u8>, usize>,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let name = Name::from_raw(&entry.path_bytes());
    let kind = entry.header().entry_type();
    let at = index(entry.raw_header_position()).saturating_add(start);
    if kind.is_symlink() || kind.is_hard_link() {
        let target = entry.link_name_bytes().unwrap_or_default().into_owned();
        let same = known.get(&target).filter(|_| kind.is_hard_link());
        let same = same.and_then(|place| nest.children.get(*place));
        let same = same.map(|member| member.data.clone());
        let target = Name::from_raw(&target).text;
        nest.deviation(
            at,
            text::excerpt(&format!("{}: link to {target}", name.text)),
        );
        // A hard link has content in pax archives only; then it has a size.
        if entry.size() == 0 {
            if let Some(same) = same {
                nest.push(Child::new("tar-member", same).named(name))?;
            }
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
    let first = index(entry.raw_file_position());
    let size = entry.size();
    let stored = index(size).min(data.len().saturating_sub(first.min(data.len())));
    let range = first..first.saturating_add(stored);
    if kind.is_gnu_sparse() {
        let decoded = nest.read(entry, data.len(), size);
        let child =
            Child::new("tar-member", Payload::Paid(decoded.data.into())).named(name.clone());
        nest.push_decoded(child, decoded.fault, &name.text)?;
        return Ok(());
    }
    let inside = data.get(range.clone()).map(|_| data.slice(range.clone()));
    let inside = inside.unwrap_or_default();
    let range = range.start.saturating_add(start)..range.end.saturating_add(start);
    let missing = size.saturating_sub(length(inside.len()));
    if missing > 0 {
        nest.unread(
            range.end,
            format!(
                "{}: {missing} bytes lie beyond the end of the file",
                name.text
            ),
        );
    }
    nest.push(Child::new("tar-member", inside).named(name).at(range))?;
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
    fn a_hard_link_is_the_member_again_under_its_own_name() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        let content = b"first".as_slice();
        builder.append_data(&mut header, "a.txt", content).unwrap();
        for (name, target) in [("実行.bat", "a.txt"), ("b.bat", "other.txt")] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Link);
            header.set_size(0);
            builder.append_link(&mut header, name, target).unwrap();
        }
        let (children, facts, _) = open(&builder.into_inner().unwrap());
        let got: Vec<_> = children
            .iter()
            .map(|one| (one.label(), one.data.as_ref()))
            .collect();
        assert_eq!(got, [("a.txt", content), ("実行.bat", content)]);
        assert_eq!(facts.len(), 2, "{facts:?}");
    }

    #[test]
    fn the_name_of_a_volume_hides_no_member() {
        let mut label = vec![0; 512];
        label[..4].copy_from_slice(b"name");
        label[156] = b'V';
        let sum: u32 = label.iter().map(|byte| u32::from(*byte)).sum::<u32>() + 8 * 32;
        label[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        label[257..265].copy_from_slice(b"ustar  \0");
        let (plain, _, _) = open(&sample());
        let (named, facts, ended) = open(&[label, sample()].concat());
        assert!(ended.is_ok(), "{facts:?}");
        let contents = |children: &[Artifact]| -> Vec<_> {
            children.iter().map(|child| child.data.clone()).collect()
        };
        assert_eq!(contents(&named), contents(&plain));
        assert_eq!(
            named[0].at.clone().unwrap().start,
            plain[0].at.clone().unwrap().start + 512
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
