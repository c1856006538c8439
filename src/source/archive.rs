//! Archives as sources of a batch: zip, tar and tar.gz of mailboxes, messages and stores, read as streams.
//!
//! An archive is one only where a member's name says that it is a mail; another one is a file like any other, and so
//! is one with locked members: the engine opens it with every reading and password it has. What a member holds is told
//! by its first bytes. Archives within archives are such files too.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};

use flate2::read::MultiGzDecoder;

use crate::formats::mbox::Rest;
use crate::limits::{Limits, RATIO_COUNTS_FROM};
use crate::text;

use super::hunt::{Prey, by_head, is_letter};
use super::mbox::Mailbox;
use super::messages::{Piece, Sink, member, trouble};
use super::{Unreadable, store};

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pack {
    /// Zip.
    Zip,
    /// tar.
    Tar,
    /// tar, compressed as a whole by gzip.
    TarGz,
}

/// Names of mailboxes and stores.
const MAILBOXES: &[&str] = &["mbox", "mbx", "pst", "ost"];

/// Members whose names are looked at before a stream is taken for something else.
const LOOKED_AT: usize = 1000;

/// Bytes of a stream that are read to find their names.
const READ_FOR_NAMES: u64 = 64 << 20;

/// Bytes that tell what a member is.
const HEAD: usize = 64 << 10;

/// Whether an archive can be read here and holds mails, by its members' names.
pub(super) fn holds_mails(path: &Path, pack: Pack) -> bool {
    match pack {
        Pack::Zip => zip_holds_mails(path).unwrap_or(false),
        Pack::Tar | Pack::TarGz => tar_holds_mails(path, pack).unwrap_or(false),
    }
}

fn zip_holds_mails(path: &Path) -> io::Result<bool> {
    let mut archive = zip::ZipArchive::new(BufReader::new(File::open(path)?))?;
    let mut mails = false;
    for at in 0..archive.len() {
        let member = archive.by_index_raw(at)?;
        if member.encrypted() {
            return Ok(false);
        }
        mails |= is_mail(Path::new(OsStr::from_bytes(member.name_raw())));
    }
    Ok(mails)
}

fn tar_holds_mails(path: &Path, pack: Pack) -> io::Result<bool> {
    let file = BufReader::new(File::open(path)?);
    if pack == Pack::Tar {
        let mut archive = tar::Archive::new(file);
        for entry in archive.entries_with_seek()?.take(LOOKED_AT) {
            if is_mail(&entry?.path()?) {
                return Ok(true);
            }
        }
        return Ok(false);
    }
    let mut archive = tar::Archive::new(MultiGzDecoder::new(file).take(READ_FOR_NAMES));
    for entry in archive.entries()?.take(LOOKED_AT) {
        if is_mail(&entry?.path()?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a name says that it is a mail or a mailbox: by its extension, or as a message of a Maildir.
fn is_mail(path: &Path) -> bool {
    let extension = path
        .extension()
        .map(|extension| extension.to_ascii_lowercase());
    let mailbox = extension.is_some_and(|own| MAILBOXES.iter().any(|other| own == *other));
    mailbox || is_letter(path) || in_maildir(path)
}

fn in_maildir(path: &Path) -> bool {
    let folder = path
        .parent()
        .and_then(|folder| folder.components().next_back());
    matches!(folder, Some(Component::Normal(name)) if name == "cur" || name == "new")
}

/// Hands on the messages and other files of an archive.
pub(super) fn read(path: &Path, pack: Pack, max_file: u64, sink: &mut Sink<'_>) -> ControlFlow<()> {
    let file = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) => return sink(trouble(path, &error)),
    };
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut archive = Archive {
        path,
        max_file,
        given: BTreeMap::new(),
    };
    match pack {
        Pack::Zip => archive.zip(file, sink),
        Pack::Tar => archive.tar(file, sink),
        Pack::TarGz => archive.tar(MultiGzDecoder::new(file).take(most(size)), sink),
    }
}

/// Bytes that may come out of `packed` ones: more are only in bombs.
fn most(packed: u64) -> u64 {
    packed
        .saturating_mul(Limits::default().max_ratio)
        .max(RATIO_COUNTS_FROM)
}

struct Archive<'a> {
    path: &'a Path,
    max_file: u64,
    /// References that were given, and how many members have that name.
    given: BTreeMap<String, usize>,
}

impl Archive<'_> {
    fn zip(&mut self, file: BufReader<File>, sink: &mut Sink<'_>) -> ControlFlow<()> {
        let mut archive = match zip::ZipArchive::new(file) {
            Ok(archive) => archive,
            Err(error) => return sink(trouble(self.path, &error)),
        };
        for at in 0..archive.len() {
            let opened = archive.by_index(at);
            let mut entry = match opened {
                Ok(entry) => entry,
                Err(error) => {
                    sink(trouble(self.path, &format!("member {at}: {error}")))?;
                    continue;
                }
            };
            if entry.is_dir() {
                continue;
            }
            let name = entry.name_raw().to_vec();
            let limit = most(entry.compressed_size());
            let mut limited = Limited::new(&mut entry, limit);
            self.member(&name, &mut limited, sink)?;
        }
        ControlFlow::Continue(())
    }

    fn tar(&mut self, from: impl Read, sink: &mut Sink<'_>) -> ControlFlow<()> {
        let mut archive = tar::Archive::new(from);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(error) => return sink(trouble(self.path, &error)),
        };
        for entry in entries {
            match entry {
                Ok(mut entry) if entry.header().entry_type().is_file() => {
                    let name = entry.path_bytes().into_owned();
                    self.member(&name, &mut entry, sink)?;
                }
                Ok(_) => {}
                // What follows a damaged header cannot be found.
                Err(error) => return sink(trouble(self.path, &error)),
            }
        }
        ControlFlow::Continue(())
    }

    /// A reference that no other member has: those of one name are counted from the second on.
    fn reference(&mut self, shown: &str) -> String {
        let plain = format!("{}:/{shown}", text::path_lossless(self.path));
        let Some(count) = self.given.get(&plain) else {
            self.given.insert(plain.clone(), 1);
            return plain;
        };
        // Ends because each turn tries another number, and only so many are taken; the next one goes on behind it.
        let mut number = count.saturating_add(1);
        let mut reference = format!("{plain}[{number}]");
        while self.given.contains_key(&reference) {
            number = number.saturating_add(1);
            reference = format!("{plain}[{number}]");
        }
        self.given.insert(plain, number);
        self.given.insert(reference.clone(), 1);
        reference
    }

    fn member(&mut self, name: &[u8], from: &mut dyn Read, sink: &mut Sink<'_>) -> ControlFlow<()> {
        // As Japanese Windows names them, too.
        let readings = text::name_readings(name);
        let shown = readings.into_iter().next().unwrap_or_default();
        let reference = self.reference(&shown);
        let failed = |error: &io::Error| {
            Piece::Trouble(Unreadable {
                path: text::safe(&reference),
                reason: text::safe(&error.to_string()),
            })
        };
        let mut head = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "bounded by HEAD")]
        let read = from.take(crate::bytes::length(HEAD)).read_to_end(&mut head);
        if let Err(error) = read {
            return sink(failed(&error));
        }
        let path = Path::new(&shown);
        let prey = match by_head(&head) {
            _ if is_letter(path) || in_maildir(path) => Prey::Single,
            prey => prey,
        };
        let mut stream = io::Cursor::new(head).chain(from);
        match prey {
            Prey::Mailbox => {
                let mailbox = Mailbox {
                    name: reference,
                    number: 1,
                    behind: Rest::Ends,
                    max_file: self.max_file,
                };
                mailbox.read(&mut stream, sink)
            }
            Prey::Store => match member(reference, name, &mut stream, self.max_file) {
                Ok(input) if input.facts.is_empty() => {
                    store::read_bytes(&input.path, &input.data, self.max_file, sink)
                }
                Ok(input) => {
                    let what = "a store larger than max-file in an archive: take it out, and give it by itself";
                    sink(Piece::Trouble(Unreadable {
                        path: text::safe(&input.path),
                        reason: what.to_owned(),
                    }))
                }
                Err(error) => sink(Piece::Trouble(error)),
            },
            Prey::Single | Prey::Maildir | Prey::Archive(_) => {
                let read = member(reference.clone(), name, &mut stream, self.max_file);
                match read {
                    Ok(mut input) => {
                        if in_maildir(path) {
                            input.name = None;
                            input.context.given = Some(crate::model::Kind::Eml);
                        }
                        let cut = !input.facts.is_empty();
                        sink(Piece::Message(input))?;
                        if cut {
                            let error = io::Error::other(
                                "larger than max-file, only its head was looked at",
                            );
                            sink(failed(&error))?;
                        }
                        ControlFlow::Continue(())
                    }
                    Err(error) => sink(Piece::Trouble(error)),
                }
            }
        }
    }
}

/// A member that may not give more than so many bytes: one that does is broken off with an error.
struct Limited<'r> {
    from: &'r mut dyn Read,
    left: u64,
}

impl<'r> Limited<'r> {
    fn new(from: &'r mut dyn Read, limit: u64) -> Self {
        Self { from, left: limit }
    }
}

impl Read for Limited<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.from.read(buffer)?;
        self.left = self
            .left
            .checked_sub(crate::bytes::length(len))
            .ok_or_else(|| io::Error::other("unpacks to more than 250 times its size"))?;
        Ok(len)
    }
}
