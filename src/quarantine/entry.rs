//! One message of the store, as lists show it, and the questions that lists answer.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params_from_iter};
use serde::{Deserialize, Serialize};

use crate::model::{Action, Envelope, MailSummary, hex};

use super::files::Digest;
use super::index::{Fault, Index};
use super::{State, StoreError, Ticket, time};

/// What is known of a message. Its bytes and its report are asked for by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The number to ask for it by.
    pub id: Ticket,
    /// Where it stands.
    pub state: State,
    /// What policy decided.
    pub action: Action,
    /// The route that decided.
    pub route: String,
    /// When it came, RFC 3339 in UTC.
    pub received: String,
    /// Verdict: `clean`, `suspicious`, `malicious`.
    pub level: String,
    /// 0 to 100.
    pub score: u8,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes.
    pub sha256: String,
    /// How it came.
    pub envelope: Envelope,
    /// What it says about itself; safe to show.
    pub mail: MailSummary,
    /// Ids of findings and combinations, each once.
    pub findings: Vec<String>,
    /// To whom it went.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<Released>,
    /// What is wrong with its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    #[serde(skip)]
    pub(super) row: i64,
    #[serde(skip)]
    pub(super) digest: Digest,
}

/// A recipient to whom a message was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    /// The address.
    pub recipient: String,
    /// When, RFC 3339 in UTC.
    #[serde(deserialize_with = "shown_seconds")]
    pub at: String,
    /// The answer of the next hop; none while it is being sent, or where the sending broke off without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

fn shown_seconds<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    i64::deserialize(from).map(time::shown)
}

/// Which messages are meant; an empty one means all of them. Texts are searched without regard to case.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// In one of these states; empty: in any.
    pub states: Vec<State>,
    /// Received at this time or later, in seconds since 1970.
    pub since: Option<i64>,
    /// Received before this time, in seconds since 1970.
    pub until: Option<i64>,
    /// In the envelope sender or in From.
    pub sender: Option<String>,
    /// In a recipient of the envelope.
    pub recipient: Option<String>,
    /// In the subject.
    pub subject: Option<String>,
    /// With one of these findings or combinations; empty: whatever was found.
    pub findings: Vec<String>,
    /// By this action.
    pub action: Option<Action>,
    /// By this route.
    pub route: Option<String>,
    /// At most as many.
    pub limit: Option<usize>,
}

const COLUMNS: &str = "SELECT m.row, m.ticket, m.state, m.action, m.route, m.received, m.level, m.score, m.size, m.digest, \
    m.envelope, m.mail, m.damage, \
    (SELECT json_group_array(f.id) FROM finding f WHERE f.message = m.row), \
    (SELECT json_group_array(json_object('recipient', r.recipient, 'at', r.at, 'reply', r.reply)) \
     FROM release r WHERE r.message = m.row) \
    FROM message m";

/// The message of a number.
pub(super) fn find(connection: &Connection, ticket: Ticket) -> Result<Entry, Fault> {
    let sql = format!("{COLUMNS} WHERE m.ticket = ?1");
    connection
        .query_row(&sql, [ticket.to_string()], entry)
        .optional()?
        .ok_or_else(|| {
            StoreError::NotFound {
                ticket: ticket.to_string(),
            }
            .into()
        })
}

/// The live message of a key.
pub(super) fn by_key(connection: &Connection, key: &Digest) -> Result<Option<Entry>, Fault> {
    let sql =
        format!("{COLUMNS} WHERE m.key = ?1 AND m.state IN ('held', 'quarantined', 'released')");
    Ok(connection.query_row(&sql, [key], entry).optional()?)
}

/// Messages behind a row, the oldest first.
pub(super) fn after(connection: &Connection, row: i64, limit: i64) -> Result<Vec<Entry>, Fault> {
    let sql = format!("{COLUMNS} WHERE m.row > ?1 ORDER BY m.row LIMIT ?2");
    let mut statement = connection.prepare(&sql)?;
    super::index::all(statement.query_map([row, limit], entry)?)
}

/// The messages that a filter lets through, the newest first.
pub(super) fn list(index: &Index, filter: &Filter) -> Result<Vec<Entry>, StoreError> {
    let (conditions, values) = conditions(filter);
    let mut sql = COLUMNS.to_owned();
    if !conditions.is_empty() {
        sql.push_str(" WHERE ");
        sql.push_str(&conditions.join(" AND "));
    }
    sql.push_str(" ORDER BY m.received DESC, m.row DESC");
    index.read(|connection| {
        let mut statement = connection.prepare(&sql)?;
        let rows = statement.query_map(params_from_iter(values), entry)?;
        let mut found = Vec::new();
        for row in rows {
            if filter.limit.is_some_and(|limit| found.len() >= limit) {
                break;
            }
            let row = row?;
            if filter.says(&row) {
                found.push(row);
            }
        }
        Ok(found)
    })
}

/// What of a filter the index answers.
fn conditions(filter: &Filter) -> (Vec<String>, Vec<Value>) {
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    let mut add = |condition: &str, new: Vec<Value>| {
        let marks = vec!["?"; new.len()].join(", ");
        conditions.push(condition.replace("??", &marks));
        values.extend(new);
    };
    if !filter.states.is_empty() {
        let states = filter.states.iter().map(|state| text(state.as_str()));
        add("m.state IN (??)", states.collect());
    }
    if let Some(since) = filter.since {
        add("m.received >= ??", vec![Value::Integer(since)]);
    }
    if let Some(until) = filter.until {
        add("m.received < ??", vec![Value::Integer(until)]);
    }
    if !filter.findings.is_empty() {
        let ids = filter.findings.iter().map(|id| text(id));
        add(
            "m.row IN (SELECT message FROM finding WHERE id IN (??))",
            ids.collect(),
        );
    }
    if let Some(action) = filter.action {
        add("m.action = ??", vec![text(action.as_str())]);
    }
    if let Some(route) = &filter.route {
        add("m.route = ??", vec![text(route)]);
    }
    (conditions, values)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

impl Filter {
    /// What of it is asked here: SQLite folds the case of ASCII only.
    fn says(&self, entry: &Entry) -> bool {
        let holds = |wanted: &Option<String>, texts: &[&str]| {
            wanted.as_ref().is_none_or(|wanted| {
                let wanted = wanted.to_lowercase();
                texts
                    .iter()
                    .any(|text| text.to_lowercase().contains(&wanted))
            })
        };
        let from = entry.mail.from.as_deref().unwrap_or_default();
        let subject = entry.mail.subject.as_deref().unwrap_or_default();
        let recipients: Vec<&str> = entry
            .envelope
            .recipients
            .iter()
            .map(String::as_str)
            .collect();
        holds(&self.sender, &[&entry.envelope.sender, from])
            && holds(&self.recipient, &recipients)
            && holds(&self.subject, &[subject])
    }
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let digest: Digest = row.get(9)?;
    Ok(Entry {
        row: row.get(0)?,
        id: read(row, 1, |text| text.parse().ok())?,
        state: read(row, 2, State::of_name)?,
        action: read(row, 3, |name| {
            Action::ALL
                .into_iter()
                .find(|action| action.as_str() == name)
        })?,
        route: row.get(4)?,
        received: time::shown(row.get(5)?),
        level: row.get(6)?,
        score: row.get(7)?,
        size: row.get(8)?,
        sha256: hex(&digest),
        digest,
        envelope: json(row, 10)?,
        mail: json(row, 11)?,
        damage: row.get(12)?,
        findings: json(row, 13)?,
        released: json(row, 14)?,
    })
}

pub(super) fn read<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    parse(&text).ok_or_else(|| {
        let what = format!("{text:?} is not to be expected there");
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, what.into())
    })
}

fn json<T: for<'a> Deserialize<'a>>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    read(row, column, |text| serde_json::from_str(text).ok())
}
