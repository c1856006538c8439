//! Who is to be told of which message: a list in the index, so that nothing of it is lost with a process or while
//! the mail server is down.
//!
//! Storing a message writes nothing here. Whoever sends notices first asks for [`Store::unannounced`] messages, settles
//! with [`Store::announce`] who is told of each, then takes what is due and tells how it ended. What is taken comes
//! back by itself where its taker dies.

use rusqlite::{OptionalExtension as _, params};

use super::audit::{self, Because};
use super::entry::{self, Entry};
use super::index::all;
use super::{Store, StoreError, Ticket, time};

/// How long a notice stays with who took it, in seconds. Longer than any transaction with a server takes.
const LEASE: i64 = 900;

/// How long notices that are done are remembered, in seconds: by their Message-IDs ours are known again.
const REMEMBERED: i64 = 14 * 24 * 60 * 60;

/// Messages settled in one transaction.
const BATCH: i64 = 64;

/// As what somebody is told of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Who should have got it.
    Recipient,
    /// Who looks after the gateway.
    Administrator,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Recipient => "recipient",
            Self::Administrator => "administrator",
        }
    }
}

/// Somebody to tell of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// Who.
    pub address: String,
    /// As what.
    pub role: Role,
    /// Not before this time, in seconds since 1970.
    pub due: i64,
}

/// Somebody who is still to be told of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingNotice {
    /// The message.
    pub ticket: Ticket,
    /// Who is told.
    pub recipient: String,
    /// As what.
    pub role: Role,
    /// How often it was tried.
    pub tries: u32,
    /// Seconds since it was settled.
    pub age: i64,
    row: i64,
}

/// How an attempt to tell somebody ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// The server took the mail of this Message-ID.
    Sent {
        /// Without angle brackets.
        letter: &'a str,
    },
    /// It is to be tried again, in so many seconds.
    Later {
        /// Seconds.
        seconds: i64,
    },
    /// It is not tried again; the reason stands in the audit of the message.
    GivenUp {
        /// Why.
        reason: &'a str,
    },
}

impl Store {
    /// Messages of which it is not settled yet who is told, the oldest first; a bounded number. When asked for the
    /// first time, everything that is in the store counts as settled.
    pub fn unannounced(&self) -> Result<Vec<Entry>, StoreError> {
        let settled: Option<i64> = self.index.read(|connection| {
            Ok(connection
                .query_row("SELECT message FROM announced", [], |row| row.get(0))
                .optional()?)
        })?;
        let Some(settled) = settled else {
            self.index.write(|transaction| {
                transaction.execute(
                    "INSERT OR IGNORE INTO announced SELECT 1, coalesce(max(row), 0) FROM message",
                    [],
                )?;
                Ok(())
            })?;
            return Ok(Vec::new());
        };
        self.index
            .read(|connection| entry::after(connection, settled, BATCH))
    }

    /// Settles who is told of messages, the oldest first as [`Store::unannounced`] gave them.
    pub fn announce(&self, settled: &[(Entry, Vec<Addressee>)]) -> Result<(), StoreError> {
        let Some((last, _)) = settled.last() else {
            return Ok(());
        };
        self.index.write(|transaction| {
            for (entry, to) in settled {
                for addressee in to {
                    transaction.execute(
                        "INSERT OR IGNORE INTO notice (message, recipient, role, made, due) VALUES (?1, ?2, ?3, ?4, ?5)",
                        params![
                            entry.row,
                            addressee.address,
                            addressee.role.as_str(),
                            time::now(),
                            addressee.due
                        ],
                    )?;
                }
            }
            transaction.execute(
                "UPDATE announced SET message = max(message, ?1)",
                [last.row],
            )?;
            transaction.execute(
                "DELETE FROM notice WHERE done < ?1",
                [time::now().saturating_sub(REMEMBERED)],
            )?;
            Ok(())
        })
    }

    /// Gives back what a process that died had taken. Where another one is at work on the same store, somebody may be
    /// told twice.
    pub fn return_notices(&self) -> Result<(), StoreError> {
        self.index.write(|transaction| {
            transaction.execute(
                "UPDATE notice SET due = min(due, ?1) WHERE done IS NULL AND tries > 0",
                [time::now()],
            )?;
            Ok(())
        })
    }

    /// What is due, by recipient and in the order of the messages: at most `most` of one recipient, and nothing of
    /// those to whom `per_hour` letters went within an hour.
    pub fn take_notices(
        &self,
        most: usize,
        per_hour: u32,
    ) -> Result<Vec<PendingNotice>, StoreError> {
        let now = time::now();
        let due: bool = self.index.read(|connection| {
            Ok(connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM notice WHERE done IS NULL AND due <= ?1)",
                [now],
                |row| row.get(0),
            )?)
        })?;
        if !due {
            return Ok(Vec::new());
        }
        self.index.write(|transaction| {
            let mut statement = transaction.prepare(
                "SELECT n.row, m.ticket, n.recipient, n.role, n.tries, n.made FROM notice n \
                 JOIN message m ON m.row = n.message \
                 WHERE n.done IS NULL AND n.due <= ?1 AND ?3 > \
                 (SELECT count(DISTINCT s.letter) FROM notice s WHERE s.recipient = n.recipient AND s.done > ?2) \
                 ORDER BY n.recipient, n.message LIMIT 1000",
            )?;
            let rows = statement.query_map(params![now, now.saturating_sub(3600), per_hour], |row| {
                let made: i64 = row.get(5)?;
                Ok(PendingNotice {
                    row: row.get(0)?,
                    ticket: entry::read(row, 1, |text| text.parse().ok())?,
                    recipient: row.get(2)?,
                    role: entry::read(row, 3, |name| {
                        let roles = [Role::Recipient, Role::Administrator];
                        roles.into_iter().find(|role| role.as_str() == name)
                    })?,
                    tries: row.get(4)?,
                    age: now.saturating_sub(made),
                })
            })?;
            let mut taken: Vec<PendingNotice> = Vec::new();
            let mut of_one = 0;
            for notice in all(rows)? {
                let same = taken.last().is_some_and(|last| last.recipient == notice.recipient);
                of_one = if same { of_one + 1 } else { 1 };
                if of_one > most {
                    continue;
                }
                transaction.execute(
                    "UPDATE notice SET due = ?2, tries = tries + 1 WHERE row = ?1",
                    params![notice.row, now.saturating_add(LEASE)],
                )?;
                taken.push(notice);
            }
            Ok(taken)
        })
    }

    /// Notes how it ended for notices that were taken.
    pub fn end_notices(
        &self,
        notices: &[PendingNotice],
        outcome: &Outcome<'_>,
    ) -> Result<(), StoreError> {
        let now = time::now();
        self.index.write(|transaction| {
            for notice in notices {
                let because = Because {
                    who: "sekisho",
                    why: notice.role.as_str(),
                };
                let (what, detail) = match outcome {
                    Outcome::Sent { letter } => {
                        transaction.execute(
                            "UPDATE notice SET done = ?2, letter = ?3 WHERE row = ?1",
                            params![notice.row, now, letter],
                        )?;
                        ("told", notice.recipient.clone())
                    }
                    Outcome::Later { seconds } => {
                        transaction.execute(
                            "UPDATE notice SET due = ?2 WHERE row = ?1",
                            params![notice.row, now.saturating_add(*seconds)],
                        )?;
                        continue;
                    }
                    Outcome::GivenUp { reason } => {
                        transaction.execute(
                            "UPDATE notice SET done = ?2 WHERE row = ?1",
                            params![notice.row, now],
                        )?;
                        ("not-told", format!("{}: {reason}", notice.recipient))
                    }
                };
                audit::write(transaction, Some(notice.ticket), because, what, &detail)?;
            }
            Ok(())
        })
    }

    /// Whether a notice went out under this Message-ID.
    pub fn is_notice(&self, message_id: &str) -> Result<bool, StoreError> {
        self.index.read(|connection| {
            Ok(connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM notice WHERE letter = ?1)",
                [message_id],
                |row| row.get(0),
            )?)
        })
    }
}
