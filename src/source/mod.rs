//! Inputs: files, folders, standard input; what a batch reads message by message; and the files of rules.
//!
//! A folder is walked in sorted order, one listing at a time, so that any number of files costs no memory. Symbolic
//! links are followed where they are given, never where they are met in a folder: so no walk leaves its folder or
//! runs in circles. Mailboxes are one input each there: their messages are artifacts. For a batch, [`Hunt`] finds mailboxes,
//! stores and archives of mails, and [`read`] hands on their messages one by one.

mod archive;
mod beneath;
mod beside;
mod hunt;
mod mbox;
mod messages;
mod rules;
mod store;
mod walk;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use thiserror::Error;

use crate::engine::Input;
use crate::limits::Halt;
use crate::model::{Fact, Name};
use crate::text;

pub use archive::Pack;
pub use beneath::{Folder, Met, NotOpened, Opened, open_beneath};
pub use hunt::{Found, Hunt, Prey};
pub use mbox::{Start, Survey, survey};
pub use messages::{Piece, Portion, Sink, read};
pub use rules::{NoRules, rule_sources};
pub use walk::{Skipped, Step, Walk};

/// Where an input comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input.
    Stdin,
    /// A file, as given or as met in a folder.
    File(PathBuf),
}

/// Why an input could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {reason}")]
pub struct Unreadable {
    /// The input, safe to show.
    pub path: String,
    /// Why.
    pub reason: String,
}

impl Source {
    /// The input as it is named in reports, not yet safe to show.
    pub fn path(&self) -> String {
        match self {
            Self::Stdin => "-".to_owned(),
            Self::File(path) => text::path_lossless(path),
        }
    }

    /// Reads at most `max_file` bytes. Of a longer input the head is taken, and a fact says that the rest is missing:
    /// a file that is too large must not pass as clean, nor must what is plain to see in its head.
    pub fn read(&self, max_file: u64) -> Result<Input, Unreadable> {
        let unreadable = |error: &dyn std::fmt::Display| Unreadable {
            path: text::safe(&self.path()),
            reason: text::safe(&error.to_string()),
        };
        let (data, name) = match self {
            Self::Stdin => (
                head(&mut std::io::stdin().lock(), 0, max_file)
                    .map_err(|error| unreadable(&error))?,
                None,
            ),
            Self::File(path) => (
                read_file(path, max_file).map_err(|error| unreadable(&error))?,
                path.file_name()
                    .map(|name| Name::from_raw(name.as_encoded_bytes())),
            ),
        };
        let mut input = data.input(self.path(), name, max_file);
        if let Self::File(path) = self {
            input.context.beside = beside::volumes(path, max_file);
        }
        Ok(input)
    }
}

/// Reads at most `max_file` bytes of a file that somebody else opened, from its beginning and without moving it.
/// Of a longer one the head is taken, and a fact says so.
pub fn read_opened(file: &File, path: String, max_file: u64) -> Result<Input, Unreadable> {
    let unreadable = |error: &dyn std::fmt::Display| Unreadable {
        path: text::safe(&path),
        reason: text::safe(&error.to_string()),
    };
    let metadata = file.metadata().map_err(|error| unreadable(&error))?;
    if !metadata.is_file() {
        return Err(unreadable(&"not a regular file"));
    }
    let mut from = Positioned { file, at: 0 };
    let data = head(&mut from, metadata.len(), max_file).map_err(|error| unreadable(&error))?;
    Ok(data.input(path, None, max_file))
}

/// Reads a file from a place of its own: who opened it shares the file's.
struct Positioned<'f> {
    file: &'f File,
    at: u64,
}

impl Read for Positioned<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let len = self.file.read_at(buffer, self.at)?;
        self.at = self.at.saturating_add(len as u64);
        Ok(len)
    }
}

/// The bytes of an input, up to the limit.
struct Head {
    bytes: Bytes,
    too_long: bool,
}

impl Head {
    fn input(self, path: String, name: Option<Name>, max_file: u64) -> Input {
        let facts = self.too_long.then(|| only_the_head(max_file));
        Input {
            path,
            name,
            data: self.bytes,
            facts: facts.into_iter().collect(),
            ..Input::default()
        }
    }
}

/// What is told of an input of which only the head was read.
fn only_the_head(max_file: u64) -> Fact {
    Fact::Limit {
        halt: Halt::Ceiling("max-file"),
        what: format!("only the first {max_file} bytes were read"),
    }
}

/// Why an input stands among the errors although its head was looked at.
fn too_large(size: u64) -> String {
    format!("{size} bytes: larger than max-file, only its head was looked at")
}

fn read_file(path: &Path, max_file: u64) -> std::io::Result<Head> {
    // A pipe or a device would block or never end; looked at before it is opened for that reason.
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(std::io::Error::other("is a folder"));
    }
    if let Some(what) = special(&metadata) {
        return Err(std::io::Error::other(format!("is {what}, not a file")));
    }
    let mut file = File::open(path)?;
    let size = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    head(&mut file, size, max_file)
}

fn head(from: &mut dyn Read, size: u64, max_file: u64) -> std::io::Result<Head> {
    let mut data = Vec::new();
    let expected = size.min(max_file).saturating_add(1);
    let expected = usize::try_from(expected).map_err(std::io::Error::other)?;
    data.try_reserve_exact(expected)
        .map_err(|_| std::io::Error::other(format!("no memory for {expected} bytes")))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "bounded by max_file; nothing is decoded here"
    )]
    from.take(max_file.saturating_add(1))
        .read_to_end(&mut data)?;
    let limit = usize::try_from(max_file).unwrap_or(usize::MAX);
    let too_long = data.len() > limit;
    data.truncate(limit);
    Ok(Head {
        bytes: data.into(),
        too_long,
    })
}

/// What a thing in the file system is that is neither a file nor a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Irregular {
    /// A symbolic link.
    Link,
    /// A named pipe.
    Pipe,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// Something else.
    Other,
}

impl std::fmt::Display for Irregular {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Link => "a symbolic link",
            Self::Pipe => "a pipe",
            Self::Socket => "a socket",
            Self::Device => "a device",
            Self::Other => "something special",
        })
    }
}

fn special(metadata: &std::fs::Metadata) -> Option<Irregular> {
    let kind = metadata.file_type();
    if kind.is_file() || kind.is_dir() {
        return None;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt as _;
        if kind.is_fifo() {
            return Some(Irregular::Pipe);
        }
        if kind.is_socket() {
            return Some(Irregular::Socket);
        }
        if kind.is_block_device() || kind.is_char_device() {
            return Some(Irregular::Device);
        }
    }
    Some(if kind.is_symlink() {
        Irregular::Link
    } else {
        Irregular::Other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_within_the_limit_is_read_whole() {
        let read = head(&mut &b"12345"[..], 5, 5).unwrap();
        assert_eq!((&*read.bytes, read.too_long), (&b"12345"[..], false));
    }

    #[test]
    fn of_a_longer_input_the_head_is_read_and_said_to_be_one() {
        let read = head(&mut &b"123456"[..], 6, 5).unwrap();
        assert_eq!((&*read.bytes, read.too_long), (&b"12345"[..], true));
        // A file that grew after its size was asked for.
        let grown = head(&mut &b"123456"[..], 1, 5).unwrap();
        assert!(grown.too_long);
    }

    #[test]
    fn reading_this_very_file_names_it_and_a_missing_one_is_an_error() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let input = Source::File(path.clone()).read(1 << 20).unwrap();
        assert_eq!(input.name.unwrap().text, "Cargo.toml");
        assert!(input.facts.is_empty());
        let input = Source::File(path).read(3).unwrap();
        assert_eq!(input.data.len(), 3);
        assert!(matches!(input.facts.as_slice(), [Fact::Limit { .. }]));
        let missing = Source::File("no-such-folder/x".into()).read(1).unwrap_err();
        assert!(missing.to_string().starts_with("no-such-folder/x: "));
    }
}
