//! What readers of file systems have in common: files as ranges of an image.

use std::ops::Range;

use crate::bytes::Deviation;

/// Files and folders of one image that are looked at, at the most.
pub const ENTRIES: usize = 200_000;

/// Bytes of a path; deeper folders are entered all the same, under the end of theirs. Some times what Windows opens:
/// every file of a folder repeats its path.
pub const PATH: usize = 1024;

/// A path as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Path {
    /// In UTF-16, decoded.
    Text(String),
    /// In bytes of no declared charset.
    Raw(Vec<u8>),
}

impl Path {
    /// The path of an entry in a folder.
    pub fn join(&self, name: &Self) -> Self {
        match (self, name) {
            (Self::Text(path), Self::Text(name)) if path.len() < PATH => {
                Self::Text(joined(path, name))
            }
            (Self::Raw(path), Self::Raw(name)) if path.len() < PATH => {
                let slash: &[u8] = if path.is_empty() { b"" } else { b"/" };
                Self::Raw([path.as_slice(), slash, name].concat())
            }
            (Self::Text(path), Self::Raw(_)) if path.is_empty() => name.clone(),
            // A short name beside long ones.
            (Self::Text(_), Self::Raw(_)) | (Self::Raw(_), Self::Text(_))
                if self.likeliest().len() < PATH =>
            {
                Self::Text(joined(&self.likeliest(), &name.likeliest()))
            }
            _ => name.clone(),
        }
    }

    /// The likeliest text.
    pub(crate) fn likeliest(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Raw(raw) => crate::text::name_readings(raw).swap_remove(0),
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}/{name}")
    }
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path in the tree that it was found in; other names of the same entry follow.
    pub paths: Vec<Path>,
    /// Where its bytes lie in the image, as far as they are there.
    pub extents: Vec<Range<usize>>,
    /// Bytes that are declared and not there.
    pub missing: u64,
    /// The tree that it was found in.
    pub tree: &'static str,
}

/// What a file system holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// Its files.
    pub files: Vec<File>,
    /// What was odd.
    pub deviations: Vec<Deviation>,
    /// What could not be read.
    pub unread: Vec<Deviation>,
    /// Whether there were more than [`ENTRIES`], or more chains than there is data for.
    pub full: bool,
}

impl Listing {
    /// Adds what another tree of the same image shows.
    pub fn join(&mut self, other: Self) {
        self.files.extend(other.files);
        self.deviations.extend(other.deviations);
        self.unread.extend(other.unread);
        self.full |= other.full;
    }

    /// Notes what could not be read.
    pub fn miss(&mut self, at: usize, what: impl Into<String>) {
        if self.unread.len() < 64 {
            self.unread.push(Deviation::new(at, what));
        }
    }

    /// Notes something odd.
    pub fn odd(&mut self, at: usize, what: impl Into<String>) {
        if self.deviations.len() < 64 {
            self.deviations.push(Deviation::new(at, what));
        }
    }
}

/// The range of `size` bytes at `start` as far as it lies in an image of `len` bytes, and what is missing.
pub fn cut(start: u64, size: u64, len: usize) -> (Range<usize>, u64) {
    let from = crate::bytes::index(start).min(len);
    let end = from.saturating_add(crate::bytes::index(size)).min(len);
    let there = crate::bytes::length(end.saturating_sub(from));
    (from..end, size.saturating_sub(there))
}
