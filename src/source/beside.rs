//! The other volumes of an archive, where they lie in the folder of the one that is read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::formats::volumes::{self, Scheme, Volume};
use crate::model::Name;

/// Entries of a folder that are looked at.
const ENTRIES: usize = 20_000;

/// Volumes at the most.
const VOLUMES: usize = 1000;

/// Other volumes of the set that a file's name puts it into, `most` bytes of all together. A volume that opens the
/// set gets the bytes of all others; to the others it is enough to know which there are, and the bytes of that one.
///
/// What cannot be read is left out, and so missing: the scan says so.
pub(super) fn volumes(path: &Path, most: u64) -> Vec<(Name, Bytes)> {
    let named = |name: &std::ffi::OsStr| volumes::of(name.to_str()?);
    let Some(own) = path.file_name().and_then(named) else {
        return Vec::new();
    };
    let opens = |number: usize| opens(own.scheme, number);
    let Ok(entries) = std::fs::read_dir(folder(path)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.take(ENTRIES).flatten() {
        let name = entry.file_name();
        let Some(other) = named(&name).filter(|other| other.is_beside(&own) && *other != own)
        else {
            continue;
        };
        // No link is followed, as in the walk of a folder.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && found.len() < VOLUMES {
            found.push((other.number, name, entry.path()));
        }
    }
    found.sort_by_key(|(number, ..)| *number);
    let mut left = most;
    let mut volumes = Vec::new();
    for (number, name, path) in found {
        let wanted = opens(own.number) || opens(number);
        let data = match wanted {
            true => read(&path, left),
            false => Some(Bytes::new()),
        };
        let Some(data) = data else {
            continue;
        };
        left = left.saturating_sub(crate::bytes::length(data.len()));
        volumes.push((Name::from_raw(name.as_encoded_bytes()), data));
    }
    volumes
}

/// The files that open the sets of which `paths` have volumes but not that one.
pub(super) fn openers(paths: &[PathBuf]) -> Vec<PathBuf> {
    let volume = |path: &PathBuf| volumes::of(path.file_name()?.to_str()?);
    let set =
        |path: &PathBuf, volume: Volume| (folder(path).to_owned(), volume.base, volume.scheme);
    let mut opened = BTreeSet::new();
    let mut closed = BTreeSet::new();
    for path in paths {
        if let Some(volume) = volume(path) {
            match opens(volume.scheme, volume.number) {
                true => opened.insert(set(path, volume)),
                false => closed.insert(set(path, volume)),
            };
        }
    }
    let opener = |(folder, base, scheme): &(PathBuf, String, Scheme)| {
        let entries = std::fs::read_dir(folder).ok()?;
        let mut names = entries.take(ENTRIES).flatten();
        let opener = names.find(|entry| {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let volume = entry.file_name().to_str().and_then(volumes::of);
            is_file
                && volume.is_some_and(|volume| {
                    volume.base == *base
                        && volume.scheme == *scheme
                        && opens(volume.scheme, volume.number)
                })
        })?;
        Some(folder.join(opener.file_name()))
    };
    closed.difference(&opened).filter_map(opener).collect()
}

/// Whether the volume of a number opens its set.
fn opens(scheme: Scheme, number: usize) -> bool {
    match scheme {
        Scheme::Zip => number == volumes::LAST,
        Scheme::Parts | Scheme::Letters | Scheme::Pieces => number == 1,
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// A file whole; none where it is longer than `most` bytes.
fn read(path: &Path, most: u64) -> Option<Bytes> {
    let head = super::read_file(path, most).ok()?;
    (!head.too_long).then_some(head.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volume_that_opens_a_set_is_found_for_the_others() {
        let folder = std::env::temp_dir().join(format!("sekisho-openers-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let paths = [
            "a.part1.rar",
            "a.part2.rar",
            "a.part3.rar",
            "b.part2.rar",
            "c.txt",
        ]
        .map(|name| folder.join(name));
        for path in &paths {
            std::fs::write(path, "x").unwrap();
        }
        let [first, second, third, lone, other] = &paths;
        let given = |paths: &[&PathBuf]| {
            openers(&paths.iter().map(|path| (*path).clone()).collect::<Vec<_>>())
        };
        assert_eq!(given(&[second, third]), std::slice::from_ref(first));
        assert!(given(&[third, first]).is_empty());
        assert!(given(&[lone, other]).is_empty());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
