//! Releases, recipient by recipient: each is claimed before anything is sent, so that nobody gets a message twice
//! because two people pressed the button.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::audit::{self, Because};
use super::entry::{self, Entry, Released};
use super::index::Fault;
use super::store::change_state;
use super::{State, Store, StoreError, Ticket, time};

/// What became of a wish to release a message to a recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Send it now, with this token in the header [`super::RELEASE_HEADER`]; then tell [`Store::released`] or
    /// [`Store::not_released`].
    Granted {
        /// The token.
        token: String,
    },
    /// It was released to them before, or is being released.
    Before(Released),
}

/// Whether a message may go to a recipient once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Not if it went or may have gone to them before.
    Never,
    /// All the same.
    Again,
}

impl Store {
    /// Asks to release a message to a recipient. `digest`: [`super::message_digest`] of what will be sent.
    pub fn claim(
        &self,
        ticket: Ticket,
        recipient: &str,
        digest: &[u8; 32],
        repeat: Repeat,
    ) -> Result<Claim, StoreError> {
        let secret = self.files.secret()?;
        self.index.write(|transaction| {
            let entry = entry::find(transaction, ticket)?;
            if !entry.state.is_live() {
                return Err(StoreError::refused(format!(
                    "message {ticket} is {}: its bytes are gone",
                    entry.state.as_str()
                ))
                .into());
            }
            if repeat == Repeat::Never
                && let Some(before) = before(transaction, &entry, recipient)?
            {
                return Ok(Claim::Before(before));
            }
            transaction.execute(
                "INSERT INTO release VALUES (?1, ?2, ?3, NULL) \
                 ON CONFLICT (message, recipient) DO UPDATE SET at = excluded.at, reply = NULL",
                params![entry.row, recipient, time::now()],
            )?;
            let token = self.issue(transaction, &entry, recipient, digest, &secret)?;
            Ok(Claim::Granted { token })
        })
    }

    /// Notes that the next hop took the message for a recipient. Once every recipient of the envelope has it, the
    /// message is [`State::Released`].
    pub fn released(
        &self,
        ticket: Ticket,
        recipient: &str,
        reply: &str,
        because: Because<'_>,
    ) -> Result<(), StoreError> {
        self.index.write(|transaction| {
            let row = entry::find(transaction, ticket)?.row;
            transaction.execute(
                "UPDATE release SET at = ?3, reply = ?4 WHERE message = ?1 AND recipient = ?2",
                params![row, recipient, time::now(), reply],
            )?;
            let detail = format!("{recipient}: {reply}");
            audit::write(transaction, Some(ticket), because, "sent", &detail)?;
            let entry = entry::find(transaction, ticket)?;
            let reached = |wanted: &String| {
                entry
                    .released
                    .iter()
                    .any(|released| released.recipient == *wanted && released.reply.is_some())
            };
            let all = entry.envelope.recipients.iter().all(reached);
            if all && entry.state.may_become(State::Released) {
                change_state(transaction, &entry, State::Released, because, "")?;
            }
            Ok(())
        })
    }

    /// Notes that the next hop did not take the message for a recipient.
    pub fn not_released(
        &self,
        ticket: Ticket,
        recipient: &str,
        reply: &str,
        because: Because<'_>,
    ) -> Result<(), StoreError> {
        self.index.write(|transaction| {
            let entry = entry::find(transaction, ticket)?;
            transaction.execute(
                "DELETE FROM release WHERE message = ?1 AND recipient = ?2",
                params![entry.row, recipient],
            )?;
            let detail = format!("{recipient}: {reply}");
            Ok(audit::write(
                transaction,
                Some(ticket),
                because,
                "not-sent",
                &detail,
            )?)
        })
    }
}

fn before(
    transaction: &Transaction<'_>,
    entry: &Entry,
    recipient: &str,
) -> Result<Option<Released>, Fault> {
    Ok(transaction
        .query_row(
            "SELECT at, reply FROM release WHERE message = ?1 AND recipient = ?2",
            params![entry.row, recipient],
            |row| {
                Ok(Released {
                    recipient: recipient.to_owned(),
                    at: time::shown(row.get(0)?),
                    reply: row.get(1)?,
                })
            },
        )
        .optional()?)
}
