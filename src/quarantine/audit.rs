//! The audit: who did what to which message, when and why. Rows are only ever added; triggers of the index hold that.

use rusqlite::{Connection, params};
use serde::Serialize;

use super::index::{self, Index};
use super::{StoreError, Ticket, time};

/// In whose name and for what reason something is done.
#[derive(Debug, Clone, Copy)]
pub struct Because<'a> {
    /// A person or a part of the program.
    pub who: &'a str,
    /// The reason, as given.
    pub why: &'a str,
}

/// One row of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Who.
    pub who: String,
    /// What was done: `stored`, `released`, `deleted`, …
    pub what: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// To whom or what, where that needs saying.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

/// Adds a row.
pub(super) fn write(
    connection: &Connection,
    ticket: Option<Ticket>,
    because: Because<'_>,
    what: &str,
    detail: &str,
) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT INTO audit (at, who, what, message, why, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                time::now(),
                because.who,
                what,
                ticket.map(|ticket| ticket.to_string()),
                because.why,
                detail
            ],
        )
        .map(drop)
}

/// The rows of one message, the oldest first.
pub(super) fn of(index: &Index, ticket: Ticket) -> Result<Vec<Event>, StoreError> {
    index.read(|connection| {
        let mut statement = connection.prepare(
            "SELECT at, who, what, why, detail FROM audit WHERE message = ?1 ORDER BY number",
        )?;
        let rows = statement.query_map([ticket.to_string()], |row| {
            Ok(Event {
                at: time::shown(row.get(0)?),
                who: row.get(1)?,
                what: row.get(2)?,
                why: row.get(3)?,
                detail: row.get(4)?,
            })
        })?;
        index::all(rows)
    })
}
