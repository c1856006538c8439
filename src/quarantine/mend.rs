//! Rows and files: after a process or a machine died, and whenever somebody asks, they are made to agree again.
//!
//! What was never promised to anybody (a half-written file) is removed. What may be a message (a file without a row:
//! somebody may have restored an old index) is moved to `orphans/`, a file unlike its digest to `damaged/`. A row
//! whose file is gone stays and says so; when the message comes again, it gets its bytes back.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::{OptionalExtension as _, params};
use serde::Serialize;

use crate::model::hex;
use crate::text;

use super::audit::{self, Because};
use super::entry::{Entry, Filter};
use super::files::{Digest, Unread, Waiting};
use super::index::{self, Fault};
use super::store::doom;
use super::{State, Store, StoreError};

const BECAUSE: Because<'static> = Because {
    who: "sekisho",
    why: "verify",
};

/// Whether [`Store::verify`] changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mending {
    /// It only tells.
    Told,
    /// It mends.
    Done,
}

/// Something that did not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "what", content = "about")]
#[non_exhaustive]
pub enum Mismatch {
    /// A file of a process that died, never promised to anybody: removed.
    Leftover(String),
    /// A file of a process that died after its row was written: moved to its place.
    Unsettled(String),
    /// A file without a row: moved to `orphans/`.
    Orphan(String),
    /// A file that no message needs any more: removed.
    Unneeded(String),
    /// A file that the index did not count, or counted wrongly: counted.
    Uncounted(String),
    /// A file that is none of the store's: left alone.
    Stranger(String),
    /// A message whose file is gone.
    Missing(String),
    /// A message whose file is not what it was: moved to `damaged/`.
    Damaged(String),
    /// A message whose file was gone and is there again.
    Recovered(String),
}

impl Mismatch {
    /// Whether bytes of a message are lost.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Missing(_) | Self::Damaged(_))
    }
}

/// What [`Store::verify`] saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Verified {
    /// Messages whose bytes were read and compared.
    pub messages: u64,
    /// What did not agree.
    pub mismatches: Vec<Mismatch>,
}

impl Store {
    /// Mends what can be seen without reading everything, unless somebody else is at work.
    pub(super) fn mend_at_start(&self) -> Result<(), StoreError> {
        if let Some(_alone) = self.files.alone_at_once()? {
            self.settle(Mending::Done, &mut Vec::new())?;
            self.take_doomed(None)?;
        }
        Ok(())
    }

    /// Gives files that wait for their place this place.
    pub(super) fn settle_waiting(&self) -> Result<(), StoreError> {
        let _alone = self.files.alone()?;
        self.settle(Mending::Done, &mut Vec::new())
    }

    fn settle(&self, mending: Mending, found: &mut Vec<Mismatch>) -> Result<(), StoreError> {
        for (digest, waiting) in self.files.waiting()? {
            let name = text::path(waiting.path());
            let row = match &digest {
                Some(digest) => self.live(digest)?.map(|size| (digest, size)),
                None => None,
            };
            match row {
                Some((digest, size)) if self.is_needed(digest, size, &waiting)? => {
                    found.push(Mismatch::Unsettled(name));
                    if mending == Mending::Done {
                        self.files.settle(&waiting, digest)?;
                    }
                }
                _ => {
                    found.push(Mismatch::Leftover(name));
                    if mending == Mending::Done {
                        self.files.forget(&waiting)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a waiting file is whole and the one in its place is not.
    fn is_needed(&self, digest: &Digest, size: u64, waiting: &Waiting) -> Result<bool, StoreError> {
        let is_whole = |read: Result<Vec<u8>, Unread>| match read {
            Ok(_) => Ok(true),
            Err(Unread::Missing | Unread::Damaged(_)) => Ok(false),
            Err(Unread::Failed(error)) => Err(error),
        };
        Ok(!is_whole(self.files.read(digest, size))?
            && is_whole(self.files.read_at(waiting.path(), digest, size))?)
    }

    /// Size of a live message of these bytes.
    fn live(&self, digest: &Digest) -> Result<Option<u64>, StoreError> {
        self.index.read(|connection| {
            Ok(connection
                .query_row(
                    "SELECT size FROM message WHERE digest = ?1 AND state IN ('held', 'quarantined', 'released') LIMIT 1",
                    [digest],
                    |row| row.get(0),
                )
                .optional()?)
        })
    }

    /// Reads every message, compares rows with files both ways, and mends what differs. Others may work meanwhile:
    /// they wait only while names are compared.
    pub fn verify(&self, mending: Mending) -> Result<Verified, StoreError> {
        self.index.check()?;
        let mut verified = Verified::default();
        let mut suspects = Vec::new();
        let live = Filter {
            states: State::ALL
                .into_iter()
                .filter(|state| state.is_live())
                .collect(),
            ..Filter::default()
        };
        for entry in self.list(&live)? {
            verified.messages = verified.messages.saturating_add(1);
            let is_whole = self.read_settled(&entry).is_ok();
            if !is_whole || entry.damage.is_some() {
                suspects.push(entry);
            }
        }
        let _alone = self.files.alone()?;
        let found = &mut verified.mismatches;
        self.settle(mending, found)?;
        let mut lost = BTreeSet::new();
        for entry in &suspects {
            if self.judge(entry, mending, found)? {
                lost.insert(entry.digest);
            }
        }
        self.compare_files(&lost, mending, found)?;
        if mending == Mending::Done {
            self.take_doomed(None)?;
        }
        Ok(verified)
    }

    /// Looks again at a message whose file was missed or damaged before the lock was held. Answers whether its
    /// bytes are lost.
    fn judge(
        &self,
        before: &Entry,
        mending: Mending,
        found: &mut Vec<Mismatch>,
    ) -> Result<bool, StoreError> {
        let entry = self.get(before.id)?;
        if !entry.state.is_live() {
            return Ok(false);
        }
        let about = entry.id.to_string();
        let path = self.files.message(&entry.digest);
        let damage = match self.read_settled(&entry) {
            Ok(_) if entry.damage.is_none() => return Ok(false),
            Ok(_) => {
                found.push(Mismatch::Recovered(about));
                None
            }
            Err(Unread::Missing) => {
                found.push(Mismatch::Missing(about));
                Some("its file is gone")
            }
            Err(Unread::Damaged(what)) => {
                found.push(Mismatch::Damaged(about));
                if mending == Mending::Done {
                    self.files.set_aside(&path, "damaged")?;
                }
                Some(what)
            }
            Err(Unread::Failed(error)) => return Err(error),
        };
        // Missing after it was set aside as damaged says no more than is known.
        if mending == Mending::Told || (damage.is_some() && entry.damage.is_some()) {
            return Ok(damage.is_some());
        }
        self.index.write(|transaction| {
            transaction.execute(
                "UPDATE message SET damage = ?2 WHERE row = ?1",
                params![entry.row, damage],
            )?;
            if damage.is_some() {
                transaction.execute("DELETE FROM file WHERE digest = ?1", [entry.digest])?;
            }
            let what = if damage.is_some() {
                "damaged"
            } else {
                "recovered"
            };
            let detail = damage.unwrap_or_default();
            Ok(audit::write(
                transaction,
                Some(entry.id),
                BECAUSE,
                what,
                detail,
            )?)
        })?;
        Ok(damage.is_some())
    }

    /// Compares the names of files with the index, both ways.
    fn compare_files(
        &self,
        lost: &BTreeSet<Digest>,
        mending: Mending,
        found: &mut Vec<Mismatch>,
    ) -> Result<(), StoreError> {
        let doomed = self.digests("SELECT digest FROM doomed")?;
        let needed = self.digests(
            "SELECT DISTINCT digest FROM message WHERE state IN ('held', 'quarantined', 'released')",
        )?;
        let mut orphans = Vec::new();
        for (digest, path) in self.files.messages()? {
            let name = text::path(&path);
            match digest {
                Some(digest) if path == self.files.message(&digest) => {
                    if lost.contains(&digest) {
                        // Told already.
                    } else if needed.contains(&digest) {
                        self.count(&digest, &path, mending, found)?;
                    } else if doomed.contains(&digest) {
                        found.push(Mismatch::Unneeded(name));
                    } else {
                        found.push(Mismatch::Orphan(name));
                        orphans.push(path);
                    }
                }
                _ => found.push(Mismatch::Stranger(name)),
            }
        }
        for path in orphans.iter().filter(|_| mending == Mending::Done) {
            self.files.set_aside(path, "orphans")?;
        }
        for digest in self.digests("SELECT digest FROM file")?.difference(&needed) {
            found.push(Mismatch::Uncounted(hex(digest)));
            if mending == Mending::Done {
                self.index.write(|transaction| doom(transaction, digest))?;
            }
        }
        if mending == Mending::Done {
            self.index.write(|transaction| {
                transaction.execute(
                    "UPDATE usage SET bytes = (SELECT coalesce(sum(stored), 0) FROM file)",
                    [],
                )?;
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Makes the index know the size of a file.
    fn count(
        &self,
        digest: &Digest,
        path: &Path,
        mending: Mending,
        found: &mut Vec<Mismatch>,
    ) -> Result<(), StoreError> {
        let size = path
            .metadata()
            .map_err(|error| StoreError::io("read", path, error))?
            .len();
        let known: Option<u64> = self.index.read(|connection| {
            Ok(connection
                .query_row(
                    "SELECT stored FROM file WHERE digest = ?1",
                    [digest],
                    |row| row.get(0),
                )
                .optional()?)
        })?;
        if known == Some(size) {
            return Ok(());
        }
        found.push(Mismatch::Uncounted(text::path(path)));
        if mending == Mending::Told {
            return Ok(());
        }
        self.index.write(|transaction| {
            transaction.execute("DELETE FROM file WHERE digest = ?1", [digest])?;
            transaction.execute("INSERT INTO file VALUES (?1, ?2)", params![digest, size])?;
            Ok(())
        })
    }

    fn digests(&self, sql: &str) -> Result<BTreeSet<Digest>, StoreError> {
        self.index.read(|connection| {
            let mut statement = connection.prepare(sql)?;
            let rows: Result<Vec<Digest>, Fault> =
                index::all(statement.query_map([], |row| row.get(0))?);
            Ok(rows?.into_iter().collect())
        })
    }
}
