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
