//! The store: what the gateway puts in, what administrators ask of it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rusqlite::{OptionalExtension as _, Transaction, params};

use crate::model::{Action, Envelope, Report};
use crate::text;

use super::audit::{self, Because, Event};
use super::digest::{key, whole_digest};
use super::entry::{self, Entry, Filter};
use super::files::{Digest, Files, Unread, pack, unpack};
use super::index::{Fault, Index};
use super::{State, StoreError, Ticket, time};

/// In whose name the store does what nobody asked for.
const SELF: &str = "sekisho";

/// How much a store takes and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreSettings {
    /// How long a message is kept after it was received.
    pub keep: Duration,
    /// Bytes of all files and of the index.
    pub max_size: u64,
}

/// What is put into the store.
#[derive(Debug, Clone, Copy)]
pub struct Deposit<'a> {
    /// The message as it came, every byte.
    pub message: &'a [u8],
    /// How it came.
    pub envelope: &'a Envelope,
    /// What was found.
    pub report: &'a Report,
    /// Name of the route that decided.
    pub route: &'a str,
    /// What it decided: [`Action::Hold`] or [`Action::Quarantine`]; [`Action::Strip`] or [`Action::Disarm`] for the
    /// original of a message that went on changed.
    pub action: Action,
    /// When it came.
    pub received: SystemTime,
}

/// What [`Store::put`] made of a message. Both are equally safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is in the store now.
    New(Ticket),
    /// It was there before.
    Known(Ticket),
}

impl Stored {
    /// The number to ask for it by.
    pub fn ticket(self) -> Ticket {
        match self {
            Self::New(ticket) | Self::Known(ticket) => ticket,
        }
    }
}

/// How full a store is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Usage {
    /// Bytes of files and index.
    pub bytes: u64,
    /// Bytes at the most.
    pub max_size: u64,
    /// Messages whose bytes are kept.
    pub messages: u64,
}

/// An open store. Threads share it; every process opens its own.
#[derive(Debug)]
pub struct Store {
    pub(super) files: Files,
    pub(super) index: Index,
    settings: StoreSettings,
}

impl Store {
    /// Whether there is a store at `path`, whole or not.
    pub fn exists(path: &Path) -> Result<bool, StoreError> {
        for name in ["index.sqlite3", "messages"] {
            let place = path.join(name);
            let exists = place.try_exists();
            if exists.map_err(|error| StoreError::io("read", &place, error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Opens the store at `path`, or makes it, and mends what a process that died has left.
    pub fn open(path: &Path, settings: StoreSettings) -> Result<Self, StoreError> {
        let place = path.join("index.sqlite3");
        let is_new = place.metadata().map_or(0, |file| file.len()) == 0;
        let files = Files::open(path)?;
        let guard = if is_new { Some(files.alone()?) } else { None };
        // Looked at again, since another process may have made it meanwhile.
        let is_new = place.metadata().map_or(0, |file| file.len()) == 0;
        if is_new && files.any_messages()? {
            return Err(StoreError::Corrupt {
                file: text::path(&place),
                what: "it is gone, but there are messages beside it".to_owned(),
            });
        }
        let index = Index::open(&place)?;
        drop(guard);
        let store = Self {
            files,
            index,
            settings,
        };
        store.mend_at_start()?;
        Ok(store)
    }

    /// Stores a message, and returns only after it is on the disk with its row. The same message (same sender, same
    /// recipients, same bytes behind the leading trace headers) that is held, quarantined or released answers with
    /// the number that it has, and is quarantined from then on if that is asked for.
    ///
    /// [`StoreError::Full`]: no room, though everything that was past its time is gone by then.
    pub fn put(&self, deposit: &Deposit<'_>) -> Result<Stored, StoreError> {
        let state = match deposit.action {
            Action::Hold => State::Held,
            // The original of what went on without some of its parts.
            Action::Quarantine | Action::Strip | Action::Disarm => State::Quarantined,
            other => {
                return Err(StoreError::refused(format!(
                    "action {} is none that stores a message",
                    other.as_str()
                )));
            }
        };
        let key = key(deposit.envelope, deposit.message);
        let damaged = match self.known(&key)? {
            Some((known, true)) => {
                self.tighten(&known, deposit, state)?;
                return Ok(Stored::Known(known.id));
            }
            Some((known, false)) => Some(known),
            None => None,
        };
        let packed = pack(deposit.message);
        let json = serde_json::to_vec(deposit.report).map_err(|error| StoreError::Unreachable {
            what: "cannot write the report".to_owned(),
            source: Box::new(error),
        })?;
        let report = pack(&json);
        self.make_room((packed.len() as u64).saturating_add(report.len() as u64))?;
        let _shared = self.files.share()?;
        let digest = whole_digest(deposit.message);
        let waiting = self.files.write(&digest, &packed)?;
        let parcel = Parcel {
            deposit,
            key,
            digest,
            state,
            stored: packed.len() as u64,
            report: &report,
            report_size: json.len() as u64,
        };
        let written = self
            .index
            .write(|transaction| parcel.insert(transaction, damaged.as_ref()));
        match written {
            Ok(Some(stored)) => {
                self.files.settle(&waiting, &digest)?;
                Ok(stored)
            }
            Ok(None) => {
                // Another process put the same message at the same time, and was first.
                self.files.forget(&waiting)?;
                let known = self
                    .index
                    .read(|connection| entry::by_key(connection, &key))?;
                let known = known
                    .ok_or_else(|| self.index.nonsense("a row that was just there is gone"))?;
                self.tighten(&known, deposit, state)?;
                Ok(Stored::Known(known.id))
            }
            Err(error) => {
                // Not promised to anybody; where even this fails, the next start takes it away.
                let _ = self.files.forget(&waiting);
                Err(error)
            }
        }
    }

    /// The live message of a key, and whether its bytes can be read.
    fn known(&self, key: &Digest) -> Result<Option<(Entry, bool)>, StoreError> {
        let Some(known) = self
            .index
            .read(|connection| entry::by_key(connection, key))?
        else {
            return Ok(None);
        };
        match self.read_settled(&known) {
            Ok(_) => Ok(Some((known, true))),
            Err(Unread::Missing | Unread::Damaged(_)) => Ok(Some((known, false))),
            Err(Unread::Failed(error)) => Err(error),
        }
    }

    /// A message that comes again with a stricter action than before.
    fn tighten(
        &self,
        known: &Entry,
        deposit: &Deposit<'_>,
        state: State,
    ) -> Result<(), StoreError> {
        if known.state != State::Held || state != State::Quarantined {
            return Ok(());
        }
        let because = Because {
            who: SELF,
            why: "came again with a stricter action",
        };
        self.index.write(|transaction| {
            transaction.execute(
                "UPDATE message SET state = 'quarantined', action = ?2, route = ?3 WHERE row = ?1 AND state = 'held'",
                params![known.row, deposit.action.as_str(), deposit.route],
            )?;
            Ok(audit::write(transaction, Some(known.id), because, "quarantined", "")?)
        })
    }

    /// Refuses what does not fit; what is past its time makes room first.
    fn make_room(&self, bytes: u64) -> Result<(), StoreError> {
        let fits = || -> Result<bool, StoreError> {
            let usage = self.usage()?;
            Ok(usage.bytes.saturating_add(bytes) <= usage.max_size)
        };
        if fits()? {
            return Ok(());
        }
        let because = Because {
            who: SELF,
            why: "past its time",
        };
        if !self.purge(None, because)?.is_empty() && fits()? {
            return Ok(());
        }
        Err(StoreError::Full {
            what: format!(
                "{} bytes more do not fit into max_size = {} bytes",
                bytes, self.settings.max_size
            ),
        })
    }

    /// Whether it would take a message now.
    pub fn ready(&self) -> Result<(), StoreError> {
        self.files.try_out()?;
        let usage = self.usage()?;
        match usage.bytes < usage.max_size {
            true => Ok(()),
            false => Err(StoreError::Full {
                what: format!("max_size = {} bytes is used up", usage.max_size),
            }),
        }
    }

    /// How full it is.
    pub fn usage(&self) -> Result<Usage, StoreError> {
        let (bytes, messages): (u64, u64) = self.index.read(|connection| {
            Ok(connection.query_row(
                "SELECT bytes, (SELECT count(*) FROM message WHERE state IN ('held', 'quarantined', 'released')) FROM usage",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?)
        })?;
        Ok(Usage {
            bytes: bytes.saturating_add(self.index.size()?),
            max_size: self.settings.max_size,
            messages,
        })
    }

    /// Messages, the newest first.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
        entry::list(&self.index, filter)
    }

    /// One message.
    pub fn get(&self, ticket: Ticket) -> Result<Entry, StoreError> {
        self.index
            .read(|connection| entry::find(connection, ticket))
    }

    /// The bytes of a message, as it came.
    pub fn message(&self, ticket: Ticket) -> Result<Vec<u8>, StoreError> {
        let entry = self.get(ticket)?;
        if !entry.state.is_live() {
            return Err(StoreError::refused(format!(
                "message {ticket} is {}: its bytes are gone",
                entry.state.as_str()
            )));
        }
        let mut read = self.read_settled(&entry);
        if matches!(read, Err(Unread::Missing)) {
            // Its file may be between its two places.
            self.settle_waiting()?;
            read = self.read_settled(&entry);
        }
        let what = match read {
            Ok(bytes) => return Ok(bytes),
            Err(Unread::Failed(error)) => return Err(error),
            Err(Unread::Missing) => "it is gone",
            Err(Unread::Damaged(what)) => what,
        };
        Err(StoreError::Corrupt {
            file: text::path(&self.files.message(&entry.digest)),
            what: what.to_owned(),
        })
    }

    pub(super) fn read_settled(&self, entry: &Entry) -> Result<Vec<u8>, Unread> {
        self.files.read(&entry.digest, entry.size)
    }

    /// The report of a message as JSON; none once the message is deleted or expired.
    pub fn report(&self, ticket: Ticket) -> Result<Option<serde_json::Value>, StoreError> {
        let packed: Option<(Vec<u8>, u64)> = self.index.read(|connection| {
            Ok(connection
                .query_row(
                    "SELECT json, r.size FROM report r JOIN message m ON m.row = r.message WHERE m.ticket = ?1",
                    [ticket.to_string()],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?)
        })?;
        let Some((packed, size)) = packed else {
            return Ok(None);
        };
        unpack(&packed, size)
            .and_then(|json| serde_json::from_slice(&json).ok())
            .map(Some)
            .ok_or_else(|| {
                self.index
                    .nonsense(&format!("the report of {ticket} does not unpack"))
            })
    }

    /// What was done to a message, the oldest first.
    pub fn audit(&self, ticket: Ticket) -> Result<Vec<Event>, StoreError> {
        audit::of(&self.index, ticket)
    }

    /// Moves a message between `held` and `quarantined`.
    pub fn mark(
        &self,
        ticket: Ticket,
        state: State,
        because: Because<'_>,
    ) -> Result<(), StoreError> {
        if !matches!(state, State::Held | State::Quarantined) {
            return Err(StoreError::refused(
                "only held and quarantined can be set by hand",
            ));
        }
        self.index.write(|transaction| {
            let entry = entry::find(transaction, ticket)?;
            change_state(transaction, &entry, state, because, "")
        })
    }

    /// Deletes a message: the bytes and the report go, the row and the audit stay.
    pub fn delete(&self, ticket: Ticket, because: Because<'_>) -> Result<(), StoreError> {
        self.take_away(ticket, State::Deleted, because)
    }

    /// Lets everything expire that was received longer ago than `older_than` or else than the settings keep it.
    /// Answers with the numbers. Files set aside by [`Store::verify`] go by the same age.
    pub fn purge(
        &self,
        older_than: Option<Duration>,
        because: Because<'_>,
    ) -> Result<Vec<Ticket>, StoreError> {
        let expired = self.past_its_time(older_than)?;
        let mut gone = Vec::with_capacity(expired.len());
        for entry in expired {
            match self.take_away(entry.id, State::Expired, because) {
                Ok(()) => gone.push(entry.id),
                // Another process was first.
                Err(StoreError::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let age = older_than.unwrap_or(self.settings.keep);
        if let Some(before) = SystemTime::now().checked_sub(age) {
            self.files.purge_aside(before)?;
        }
        Ok(gone)
    }

    /// What [`Store::purge`] would let expire.
    pub fn past_its_time(&self, older_than: Option<Duration>) -> Result<Vec<Entry>, StoreError> {
        let age = older_than.unwrap_or(self.settings.keep);
        self.list(&Filter {
            states: State::ALL
                .into_iter()
                .filter(|state| state.is_live())
                .collect(),
            until: Some(time::now().saturating_sub(time::span(age))),
            ..Filter::default()
        })
    }

    fn take_away(
        &self,
        ticket: Ticket,
        state: State,
        because: Because<'_>,
    ) -> Result<(), StoreError> {
        let _alone = self.files.alone()?;
        let digest = self.index.write(|transaction| {
            let entry = entry::find(transaction, ticket)?;
            change_state(transaction, &entry, state, because, "")?;
            transaction.execute("DELETE FROM report WHERE message = ?1", [entry.row])?;
            transaction.execute("DELETE FROM token WHERE message = ?1", [entry.row])?;
            doom(transaction, &entry.digest)?;
            Ok(entry.digest)
        })?;
        self.take_doomed(Some(&digest))
    }

    /// Takes away the files that no message needs any more. The lock must be held alone.
    pub(super) fn take_doomed(&self, only: Option<&Digest>) -> Result<(), StoreError> {
        let doomed: Vec<Digest> = self.index.read(|connection| {
            let mut statement = connection.prepare("SELECT digest FROM doomed")?;
            super::index::all(statement.query_map([], |row| row.get(0))?)
        })?;
        for digest in doomed
            .iter()
            .filter(|digest| only.is_none_or(|only| only == *digest))
        {
            self.files.remove(digest)?;
            self.index.write(|transaction| {
                transaction.execute("DELETE FROM doomed WHERE digest = ?1", [digest])?;
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Moves a message to another state, if it may go there.
pub(super) fn change_state(
    transaction: &Transaction<'_>,
    entry: &Entry,
    state: State,
    because: Because<'_>,
    detail: &str,
) -> Result<(), Fault> {
    if !entry.state.may_become(state) {
        let (id, is, wanted) = (entry.id, entry.state.as_str(), state.as_str());
        return Err(StoreError::refused(match entry.state == state {
            true => format!("message {id} is {is} already"),
            false => format!("message {id} is {is} and cannot become {wanted}"),
        })
        .into());
    }
    transaction.execute(
        "UPDATE message SET state = ?2 WHERE row = ?1",
        params![entry.row, state.as_str()],
    )?;
    Ok(audit::write(
        transaction,
        Some(entry.id),
        because,
        state.as_str(),
        detail,
    )?)
}

/// Marks a file to be taken away, if no message needs it.
pub(super) fn doom(transaction: &Transaction<'_>, digest: &Digest) -> Result<(), Fault> {
    let needed: bool = transaction.query_row(
        "SELECT EXISTS (SELECT 1 FROM message WHERE digest = ?1 AND state IN ('held', 'quarantined', 'released'))",
        [digest],
        |row| row.get(0),
    )?;
    if !needed {
        transaction.execute("DELETE FROM file WHERE digest = ?1", [digest])?;
        transaction.execute("INSERT OR IGNORE INTO doomed VALUES (?1)", [digest])?;
    }
    Ok(())
}

/// A message on its way into the index.
struct Parcel<'a> {
    deposit: &'a Deposit<'a>,
    key: Digest,
    digest: Digest,
    state: State,
    stored: u64,
    report: &'a [u8],
    report_size: u64,
}

impl Parcel<'_> {
    /// Adds the row, or gives the row of a message whose bytes were lost these ones. None: another live message has
    /// the key.
    fn insert(
        &self,
        transaction: &Transaction<'_>,
        damaged: Option<&Entry>,
    ) -> Result<Option<Stored>, Fault> {
        let known = entry::by_key(transaction, &self.key)?;
        let stored = match (known, damaged) {
            (Some(known), Some(damaged)) if known.digest == damaged.digest => {
                self.restore(transaction, &known)?;
                Stored::Known(known.id)
            }
            (Some(_), _) => return Ok(None),
            (None, _) => Stored::New(self.add(transaction)?),
        };
        transaction.execute(
            "INSERT INTO file VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            params![self.digest, self.stored],
        )?;
        transaction.execute("DELETE FROM doomed WHERE digest = ?1", [self.digest])?;
        Ok(Some(stored))
    }

    fn restore(&self, transaction: &Transaction<'_>, known: &Entry) -> Result<(), Fault> {
        transaction.execute(
            "UPDATE message SET digest = ?2, size = ?3, damage = NULL WHERE row = ?1",
            params![known.row, self.digest, self.deposit.message.len()],
        )?;
        if known.digest != self.digest {
            doom(transaction, &known.digest)?;
        }
        let because = Because {
            who: SELF,
            why: "came again after its file was damaged",
        };
        Ok(audit::write(
            transaction,
            Some(known.id),
            because,
            "restored",
            "",
        )?)
    }

    fn add(&self, transaction: &Transaction<'_>) -> Result<Ticket, Fault> {
        let Deposit {
            message,
            envelope,
            report,
            route,
            action,
            received,
        } = self.deposit;
        let ticket = Ticket::random()?;
        let mail = report.artifacts.first().and_then(|root| root.mail.clone());
        let json = |value: serde_json::Result<String>| {
            value.map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        };
        transaction.execute(
            "INSERT INTO message (ticket, key, digest, size, state, action, route, received, level, score, envelope, mail) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                ticket.to_string(),
                self.key,
                self.digest,
                message.len(),
                self.state.as_str(),
                action.as_str(),
                route,
                time::seconds(*received),
                report.level.as_str(),
                report.score,
                json(serde_json::to_string(envelope))?,
                json(serde_json::to_string(&mail.unwrap_or_default()))?,
            ],
        )?;
        let row = transaction.last_insert_rowid();
        transaction.execute(
            "INSERT INTO report VALUES (?1, ?2, ?3)",
            params![row, self.report_size, self.report],
        )?;
        let found = report.findings.iter().map(|finding| &*finding.id);
        let raised = report.raised.iter().map(|raised| raised.by.as_str());
        let mut statement = transaction.prepare("INSERT OR IGNORE INTO finding VALUES (?1, ?2)")?;
        for id in found.chain(raised) {
            statement.execute(params![row, id])?;
        }
        let because = Because {
            who: SELF,
            why: route,
        };
        audit::write(
            transaction,
            Some(ticket),
            because,
            self.state.as_str(),
            "stored",
        )?;
        Ok(ticket)
    }
}
