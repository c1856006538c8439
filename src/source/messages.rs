//! The messages of a portion of a source, handed on one by one.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use crate::engine::Input;
use crate::formats::mbox::Rest;
use crate::model::{Kind, Name};
use crate::text;

use super::archive::{self, Pack};
use super::mbox::{Mailbox, Start, open_range};
use super::{Source, Unreadable, store};

/// What a source gives.
#[derive(Debug)]
pub enum Piece {
    /// A message, or a file that is no mail; its path is its reference.
    Message(Input),
    /// Something that could not be read, or not whole.
    Trouble(Unreadable),
}

/// Takes what a source gives, until it has enough.
pub type Sink<'s> = dyn FnMut(Piece) -> ControlFlow<()> + 's;

/// A part of a source that is read by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Portion {
    /// Messages of a mailbox.
    Mailbox {
        /// The file.
        path: PathBuf,
        /// The first of them.
        start: Start,
        /// Offset of their end.
        end: u64,
        /// Whether others follow there.
        behind: Rest,
    },
    /// All messages of a store.
    Store(PathBuf),
    /// All messages and other files of an archive.
    Archive(PathBuf, Pack),
    /// Messages of a Maildir.
    Maildir(Vec<PathBuf>),
    /// Files.
    Files(Vec<PathBuf>),
}

impl Portion {
    /// The file that it is, or is a part of; `None` where it is many.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Mailbox { path, .. } | Self::Store(path) | Self::Archive(path, _) => Some(path),
            Self::Maildir(_) | Self::Files(_) => None,
        }
    }
}

/// Hands on the messages of a portion; of those larger than `max_file` bytes the head.
pub fn read(portion: &Portion, max_file: u64, sink: &mut Sink<'_>) -> ControlFlow<()> {
    match portion {
        Portion::Mailbox {
            path,
            start,
            end,
            behind,
        } => {
            let mailbox = Mailbox {
                name: text::path_lossless(path),
                number: start.number,
                behind: *behind,
                max_file,
            };
            match open_range(path, start.at, *end) {
                Ok(range) => {
                    let mut counted = Counted {
                        from: range,
                        len: 0,
                    };
                    mailbox.read(&mut counted, sink)?;
                    let planned = end.saturating_sub(start.at);
                    if counted.len < planned {
                        let what =
                            format!("ends {} bytes early", planned.saturating_sub(counted.len));
                        sink(trouble(path, &what))?;
                    }
                    ControlFlow::Continue(())
                }
                Err(error) => sink(trouble(path, &error)),
            }
        }
        Portion::Store(path) => store::read_file(path, max_file, sink),
        Portion::Archive(path, pack) => archive::read(path, *pack, max_file, sink),
        Portion::Maildir(paths) => {
            for path in paths {
                sink(maildir_message(path, max_file))?;
            }
            ControlFlow::Continue(())
        }
        Portion::Files(paths) => {
            for path in paths {
                whole(Source::File(path.clone()).read(max_file), path, sink)?;
            }
            ControlFlow::Continue(())
        }
    }
}

/// Hands on a file, and tells where only its head was read.
fn whole(read: Result<Input, Unreadable>, path: &Path, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let input = match read {
        Ok(input) => input,
        Err(error) => return sink(Piece::Trouble(error)),
    };
    let cut = !input.facts.is_empty();
    sink(Piece::Message(input))?;
    if cut {
        let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        sink(trouble(path, &super::too_large(size)))?;
    }
    ControlFlow::Continue(())
}

/// A message of a Maildir. Its reference is without the flags at the end of its name, which change when somebody reads
/// it; its name says nothing about what it is.
fn maildir_message(path: &Path, max_file: u64) -> Piece {
    let there = match path.try_exists() {
        Ok(false) => renamed(path).unwrap_or_else(|| path.to_owned()),
        _ => path.to_owned(),
    };
    match Source::File(there).read(max_file) {
        Ok(mut input) => {
            input.path = text::path_lossless(&unflagged(path));
            input.name = None;
            input.context.given = Some(Kind::Eml);
            Piece::Message(input)
        }
        Err(error) => Piece::Trouble(error),
    }
}

/// The path of a message without its flags.
fn unflagged(path: &Path) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    let name = path.file_name().unwrap_or_default().as_bytes();
    let at = name.windows(3).rposition(|window| window == b":2,");
    let bare = at.and_then(|at| name.get(..at)).unwrap_or(name);
    path.with_file_name(std::ffi::OsStr::from_bytes(bare))
}

/// The message that was there a moment ago: a server renames it when it is read or its flags change.
fn renamed(path: &Path) -> Option<PathBuf> {
    let bare = unflagged(path);
    let maildir = path.parent()?.parent()?;
    for folder in ["cur", "new"] {
        let listing = std::fs::read_dir(maildir.join(folder)).ok()?;
        let mut paths = listing.filter_map(|entry| Some(entry.ok()?.path()));
        let same = |path: &PathBuf| unflagged(path).file_name() == bare.file_name();
        if let Some(found) = paths.find(same) {
            return Some(found);
        }
    }
    None
}

/// A file of an archive or the like, by its name and bytes; of more than `max_file` bytes the head is taken.
pub(super) fn member(
    reference: String,
    name: &[u8],
    from: &mut dyn Read,
    max_file: u64,
) -> Result<Input, Unreadable> {
    let head = super::head(from, 0, max_file).map_err(|error| Unreadable {
        path: text::safe(&reference),
        reason: text::safe(&error.to_string()),
    })?;
    let file = name.rsplit(|byte| *byte == b'/').next().unwrap_or(name);
    Ok(head.input(reference, Some(Name::from_raw(file)), max_file))
}

pub(super) fn trouble(path: &Path, what: &dyn std::fmt::Display) -> Piece {
    Piece::Trouble(Unreadable {
        path: text::path(path),
        reason: text::safe(&what.to_string()),
    })
}

/// Counts what is read.
struct Counted<R> {
    from: R,
    len: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.from.read(buffer)?;
        self.len = self.len.saturating_add(crate::bytes::length(len));
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_no_part_of_a_reference() {
        let bare = |path: &str| unflagged(Path::new(path)).to_str().unwrap().to_owned();
        assert_eq!(bare("a/cur/1.M2.host:2,FRS"), "a/cur/1.M2.host");
        assert_eq!(bare("a/new/1.M2.host"), "a/new/1.M2.host");
        assert_eq!(bare("a/cur/x:2,y:2,"), "a/cur/x:2,y");
    }
}
