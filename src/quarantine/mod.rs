//! The quarantine: messages that are held or quarantined, on this machine's disk.
//!
//! An index (SQLite, write-ahead log, every commit synced) beside compressed files that are named by the SHA-256 of
//! the message. [`Store::put`] returns only after both are on the disk, and gives the same answer for the same
//! message again. Several processes use one store at the same time.
//!
//! | in the folder | what |
//! | --- | --- |
//! | `index.sqlite3` | who, when, what, the report, the audit; `-wal` and `-shm` beside it belong to it |
//! | `messages/ab/…` | the messages, as they came, zlib |
//! | `incoming/` | what is being written |
//! | `orphans/`, `damaged/` | files that [`Store::verify`] found without a row, or unlike their digest; kept for people |
//! | `lock` | shared by writers, exclusive for what takes files away |
//! | `tries`, `running-…` | which messages could not be scanned, and which are in work |
//! | `release.key` | the key of the tokens of released messages |
//!
//! No store of another kind exists yet, so there is no trait. What a message may do to a recipient is decided by
//! policy, and sending is the business of [`crate::notify`].

mod audit;
mod digest;
mod entry;
mod files;
mod index;
mod mend;
mod notices;
mod release;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod ticket;
mod time;
mod token;
mod tries;

use std::path::Path;

use thiserror::Error;

use crate::text;

pub use audit::{Because, Event};
pub use digest::message_digest;
pub use entry::{Entry, Filter, Released};
pub use mend::{Mending, Mismatch, Verified};
pub use notices::{Addressee, Outcome, PendingNotice, Role};
pub use release::{Claim, Repeat};
pub use state::State;
pub use store::{Deposit, Store, StoreSettings, Stored, Usage};
pub use ticket::Ticket;
pub use time::{parse as parse_time, shown as shown_time};
pub use token::{HEADER as RELEASE_HEADER, Redeemed};
pub use tries::{InWork, Tries};

/// The route of copies that only wait for the next hop to take them. No route of a configuration can have this name.
pub const UNDELIVERED: &str = "relay/undelivered";

/// Why the store did not do what was asked. Everything but [`StoreError::NotFound`] and [`StoreError::Refused`] means
/// that a message must stay with its sender's server.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk, a file or a lock does not answer.
    #[error("the quarantine cannot be reached: {what}: {source}")]
    Unreachable {
        /// What was tried, with the file, safe to show.
        what: String,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No room: by `max_size` or by the disk.
    #[error("the quarantine is full: {what}")]
    Full {
        /// What is full.
        what: String,
    },
    /// A file is not what it must be.
    #[error("the quarantine is damaged: {file}: {what}")]
    Corrupt {
        /// The file, safe to show.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// No message of that number.
    #[error("no message {ticket} in the quarantine")]
    NotFound {
        /// The number that was asked for.
        ticket: String,
    },
    /// The state of the message, or the token, does not allow it.
    #[error("{why}")]
    Refused {
        /// What stands against it.
        why: String,
    },
}

impl StoreError {
    /// What an administrator can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => {
                Some("the folder of [quarantine] path must be writable by the user of sekisho")
            }
            Self::Full { .. } => Some(
                "delete or purge messages (`sekisho quarantine delete|purge`), raise [quarantine] max_size, or give the disk room",
            ),
            Self::Corrupt { .. } => Some(
                "stop sekisho, keep a copy of the folder, and restore the file from a backup; the index: `sqlite3 index.sqlite3 .recover`; then `sekisho quarantine verify`",
            ),
            Self::NotFound { .. } => Some("`sekisho quarantine list` shows the numbers"),
            Self::Refused { .. } => None,
        }
    }

    fn io(what: &str, path: &Path, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full {
                what: format!("{}: {source}", text::path(path)),
            },
            _ => Self::Unreachable {
                what: format!("cannot {what} {}", text::path(path)),
                source: Box::new(source),
            },
        }
    }

    fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }
}
