//! The other volumes of an archive, where they lie in the folder of the one that is read.

use std::path::Path;

use bytes::Bytes;

use crate::formats::volumes;
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
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
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
            found.push((other, name, entry.path()));
        }
    }
    found.sort_by_key(|(other, ..)| other.number);
    let mut left = most;
    let mut volumes = Vec::new();
    for (other, name, path) in found {
        let wanted = own.opens() || other.opens();
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

/// A file whole; none where it is longer than `most` bytes.
fn read(path: &Path, most: u64) -> Option<Bytes> {
    let head = super::read_file(path, most).ok()?;
    (!head.too_long).then_some(head.bytes)
}
