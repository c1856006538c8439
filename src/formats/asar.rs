//! Archives of Electron (asar): lengths, a list in JSON, and the files behind it one after the other.

use std::ops::Range;

use serde_json::Value;

use crate::bytes::{Deviation, index, slice, u32_at};

/// Files and folders of one archive.
const ENTRIES: usize = 200_000;

/// Bytes of a path.
const PATH: usize = 4096;

/// Bytes of a list that is read.
const LIST: usize = 64 << 20;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path.
    pub name: String,
    /// Its bytes, as far as they are there.
    pub data: Range<usize>,
    /// Whether some of them are not.
    pub is_cut: bool,
}

/// What an archive holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its files.
    pub files: Vec<File>,
    /// What could not be read.
    pub unread: Vec<Deviation>,
    /// Whether there were more than are read.
    pub full: bool,
}

/// Whether the lengths in front agree, and a list follows.
pub fn is_archive(data: &[u8]) -> bool {
    let fits = || {
        let (outer, inner, list) = (u32_at(data, 4)?, u32_at(data, 8)?, u32_at(data, 12)?);
        Some(inner.checked_add(4)? == outer && list.checked_add(4)? <= inner)
    };
    fits() == Some(true) && slice(data, 16, 8).is_some_and(|list| list.starts_with(b"{\"files\""))
}

/// Lists the files.
pub fn list(data: &[u8]) -> Listing {
    let mut listing = Listing::default();
    let len = index(u32_at(data, 12).unwrap_or_default());
    let start = index(u32_at(data, 4).unwrap_or_default()).saturating_add(8);
    let text = slice(data, 16, len).filter(|text| text.len() <= LIST);
    let list = text.and_then(|text| serde_json::from_slice::<Value>(text).ok());
    let Some(list) = list else {
        listing
            .unread
            .push(Deviation::new(16, "the list of files cannot be read"));
        return listing;
    };
    let mut waiting = vec![(String::new(), &list)];
    let mut count = 0usize;
    // Ends because the list is finite: each folder of it is entered once.
    while let Some((path, folder)) = waiting.pop() {
        let Some(entries) = folder.get("files").and_then(Value::as_object) else {
            continue;
        };
        for (name, entry) in entries {
            count = count.saturating_add(1);
            if count > ENTRIES {
                listing.full = true;
                return listing;
            }
            let path = match path.as_str() {
                "" => name.clone(),
                path if path.len() < PATH => format!("{path}/{name}"),
                _ => name.clone(),
            };
            if entry.get("files").is_some() {
                waiting.push((path, entry));
                continue;
            }
            let offset = entry.get("offset").and_then(Value::as_str);
            let size = entry.get("size").and_then(Value::as_u64).map(index);
            // Links have no size, and what is kept beside the archive no offset.
            if let (Some(offset), Some(size @ 1..)) = (offset, size) {
                let offset = offset
                    .parse()
                    .map_or(usize::MAX, |offset: u64| index(offset));
                let from = start.saturating_add(offset).min(data.len());
                let end = from.saturating_add(size).min(data.len());
                let is_cut = end.saturating_sub(from) < size;
                listing.files.push(File {
                    name: path,
                    data: from..end,
                    is_cut,
                });
            }
        }
    }
    listing
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An archive of files whose names have no folders, and one in a folder.
    pub(crate) fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let (mut list, mut content) = (serde_json::Map::new(), Vec::new());
        for (name, data) in files {
            let entry =
                serde_json::json!({ "size": data.len(), "offset": content.len().to_string() });
            list.insert((*name).to_owned(), entry);
            content.extend_from_slice(data);
        }
        let last = serde_json::json!({ "size": 4, "offset": content.len().to_string() });
        let beside = serde_json::json!({ "size": 9, "unpacked": true });
        list.insert(
            "folder".to_owned(),
            serde_json::json!({ "files": { "last.txt": last, "beside": beside } }),
        );
        let text = serde_json::json!({ "files": list })
            .to_string()
            .into_bytes();
        let padded = text.len().next_multiple_of(4);
        let mut out = Vec::new();
        for number in [4, padded + 8, padded + 4, text.len()] {
            out.extend(u32::try_from(number).unwrap().to_le_bytes());
        }
        out.extend(&text);
        out.resize(16 + padded, 0);
        out.extend(content);
        out.extend(b"last");
        out
    }

    #[test]
    fn files_are_listed_with_their_folders() {
        let data = archive(&[("見積書.js", b"x(1)")]);
        assert!(is_archive(&data));
        let listing = list(&data);
        let files: Vec<(&str, &[u8])> = listing
            .files
            .iter()
            .map(|file| (file.name.as_str(), &data[file.data.clone()]))
            .collect();
        assert_eq!(
            files,
            [
                ("見積書.js", b"x(1)".as_slice()),
                ("folder/last.txt", b"last")
            ]
        );
        assert!(list(&data[..data.len() - 1]).files[1].is_cut);
        assert!(!list(&data[..40]).unread.is_empty());
        assert!(!is_archive(b"\x04\0\0\0words of a file"));
    }
}
