//! What a batch finds below the given paths: mailboxes, stores, archives of mails, messages and other files.
//!
//! What a file is its first bytes tell, but for messages with a name that says so: a folder of a million of them is
//! not opened twice. In a Maildir (a folder with `cur` and `new`) only messages count, also in the folders within it;
//! `tmp` holds none yet, and what lies beside those folders is the mail server's own, unless it is a mailbox.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::formats::mbox::{Rest, Splitter};
use crate::formats::{pst, tar};

use super::archive::{self, Pack};
use super::{Irregular, Source, Step, Unreadable, Walk};
use crate::text;

/// Bytes at the start of a file that tell what it is.
const HEAD: u64 = 64 << 10;

/// Names of single messages.
const LETTERS: &[&str] = &["eml", "emlx", "msg"];

/// What a file is to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prey {
    /// Many messages in one file.
    Mailbox,
    /// A store of Outlook.
    Store,
    /// An archive that holds mails.
    Archive(Pack),
    /// A message of a Maildir.
    Maildir,
    /// One message, or a file that is no mail.
    Single,
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where.
    pub path: PathBuf,
    /// What it is.
    pub prey: Prey,
    /// Its bytes.
    pub size: u64,
    /// When it was changed last, in nanoseconds from 1970.
    pub modified: i128,
}

/// Finds what lies below a path, in sorted order.
#[derive(Debug)]
pub struct Hunt {
    walk: Walk,
    maildirs: BTreeMap<PathBuf, bool>,
}

impl Hunt {
    /// A hunt below one path; a file is found by itself. What lies in the folder `leave_out`, where it is met below the
    /// path, is not found.
    pub fn new(path: &Path, leave_out: Option<&Path>) -> Self {
        Self {
            walk: Walk::new(&[path.to_owned()]).leaving_out(leave_out),
            maildirs: BTreeMap::new(),
        }
    }

    fn is_maildir(&mut self, folder: &Path) -> bool {
        /// Folders remembered: files come folder by folder.
        const REMEMBERED: usize = 1024;
        if let Some(known) = self.maildirs.get(folder) {
            return *known;
        }
        if self.maildirs.len() >= REMEMBERED {
            self.maildirs.clear();
        }
        let is_one = ["cur", "new"].iter().all(|name| folder.join(name).is_dir());
        self.maildirs.insert(folder.to_owned(), is_one);
        is_one
    }

    /// Whether a file lies in a Maildir, and what that makes of it.
    fn in_maildir(&mut self, path: &Path) -> Option<Place> {
        let folder = path.parent()?;
        if self.is_maildir(folder) {
            return Some(Place::Beside);
        }
        let above = folder.parent()?;
        let name = folder.file_name()?;
        if !self.is_maildir(above) {
            return None;
        }
        match name.as_encoded_bytes() {
            b"cur" | b"new" => Some(Place::Within),
            b"tmp" => Some(Place::Unfinished),
            _ => None,
        }
    }

    fn look(&mut self, path: PathBuf) -> Result<Option<Found>, Unreadable> {
        let unreadable = |error: std::io::Error| Unreadable {
            path: text::path(&path),
            reason: text::safe(&error.to_string()),
        };
        let metadata = std::fs::metadata(&path).map_err(unreadable)?;
        if let Some(what) = super::special(&metadata) {
            return Err(unreadable(std::io::Error::other(format!(
                "is {what}, not a file"
            ))));
        }
        let prey = match self.in_maildir(&path) {
            Some(Place::Unfinished) => return Ok(None),
            // Names that begin with a dot are no messages there.
            Some(Place::Within) if is_hidden(&path) => return Ok(None),
            Some(Place::Within) => Prey::Maildir,
            Some(Place::Beside) => match prey(&path).map_err(unreadable)? {
                Prey::Single if !is_letter(&path) => return Ok(None),
                other => other,
            },
            None if is_letter(&path) => Prey::Single,
            None => prey(&path).map_err(unreadable)?,
        };
        Ok(Some(Found {
            prey,
            size: metadata.len(),
            modified: modified(&metadata),
            path,
        }))
    }
}

/// Where in a Maildir a file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Within,
    Unfinished,
    Beside,
}

impl Iterator for Hunt {
    type Item = Result<Found, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        // Ends because each round takes a step of the walk.
        loop {
            let found = match self.walk.next()? {
                // `-` stands for a list of paths, and is none itself.
                Step::Input(Source::Stdin) => self.look(PathBuf::from("-")),
                Step::Input(Source::File(path)) => self.look(path),
                Step::Unreadable(error) => Err(error),
                Step::Skipped(skipped) if skipped.what == Irregular::Link => continue,
                Step::Skipped(skipped) => Err(Unreadable {
                    path: skipped.path,
                    reason: format!("is {}, not a file", skipped.what),
                }),
            };
            if let Some(found) = found.transpose() {
                return Some(found);
            }
        }
    }
}

fn modified(metadata: &Metadata) -> i128 {
    use std::os::unix::fs::MetadataExt as _;
    i128::from(metadata.mtime())
        .saturating_mul(1_000_000_000)
        .saturating_add(i128::from(metadata.mtime_nsec()))
}

fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether the name says that it is one message.
pub(super) fn is_letter(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|extension| extension.to_ascii_lowercase());
    extension.is_some_and(|extension| LETTERS.iter().any(|letter| extension == *letter))
}

/// What a file is by its first bytes.
fn prey(path: &Path) -> std::io::Result<Prey> {
    let mut head = Vec::new();
    #[expect(clippy::disallowed_methods, reason = "bounded by HEAD")]
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(match by_head(&head) {
        // An archive on which the reader breaks down is left to the engine.
        Prey::Archive(pack)
            if !std::panic::catch_unwind(|| archive::holds_mails(path, pack)).unwrap_or(false) =>
        {
            Prey::Single
        }
        other => other,
    })
}

/// What begins with these bytes; whether an archive holds mails is not looked at.
pub(super) fn by_head(head: &[u8]) -> Prey {
    if pst::is_store(head) {
        Prey::Store
    } else if is_mailbox(head) {
        Prey::Mailbox
    } else if head.starts_with(b"PK\x03\x04") {
        Prey::Archive(Pack::Zip)
    } else if head.starts_with(&[0x1f, 0x8b]) {
        Prey::Archive(Pack::TarGz)
    } else if tar::is_tar(head) {
        Prey::Archive(Pack::Tar)
    } else {
        Prey::Single
    }
}

/// Whether a file begins with a postmark, blank lines before it or not.
fn is_mailbox(head: &[u8]) -> bool {
    let blank = head
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    let head = head.get(blank..).unwrap_or_default();
    let bare = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    bare.starts_with(b"From ")
        && Splitter::default().first(head, Rest::Ends) == head.len().checked_sub(bare.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_a_mailbox() {
        assert_eq!(by_head(b"\r\n\nFrom a\nSubject: x\n"), Prey::Mailbox);
        assert_eq!(by_head(b"From a\rSubject: x\r"), Prey::Mailbox);
        assert_eq!(
            by_head(b"\xef\xbb\xbfFrom a\r\nSubject: x\r\n"),
            Prey::Mailbox
        );
        assert_eq!(by_head(b"From now on\nit goes down\n"), Prey::Single);
        assert_eq!(by_head(b""), Prey::Single);
        assert_eq!(by_head(b"PK\x03\x04"), Prey::Archive(Pack::Zip));
    }

    #[test]
    fn of_a_maildir_only_its_messages_are_found() {
        let root = std::env::temp_dir().join(format!("hunt-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        let files = [
            "box/cur/1.host:2,S",
            "box/new/2.host",
            "box/tmp/3.host",
            "box/dovecot-uidlist",
            "box/.Sent/cur/4.host:2,",
            "box/.Sent/new/.keep",
            "plain/cur/5",
            "plain/a.eml",
        ];
        for file in files {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "Subject: x\n\n").unwrap();
        }
        let found: Vec<(String, Prey)> = Hunt::new(&root, None)
            .map(|found| found.unwrap())
            .map(|found| {
                let path = found.path.strip_prefix(&root).unwrap().to_owned();
                (path.to_str().unwrap().to_owned(), found.prey)
            })
            .collect();
        let expected = [
            ("box/.Sent/cur/4.host:2,", Prey::Maildir),
            ("box/cur/1.host:2,S", Prey::Maildir),
            ("box/new/2.host", Prey::Maildir),
            ("plain/a.eml", Prey::Single),
            ("plain/cur/5", Prey::Single),
        ];
        assert_eq!(found, expected.map(|(path, prey)| (path.to_owned(), prey)));
        std::fs::remove_dir_all(&root).unwrap();
    }
}
