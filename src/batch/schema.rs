//! The columns of the tables, in their order. Plain types only, so that DuckDB, pandas and Spark read them as they are:
//! UTF-8 text, 64-bit integers, booleans, microseconds in UTC, and lists of these. New columns are added at the end;
//! a name never changes its meaning.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, TimeUnit};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Text.
    Text,
    /// A list of texts.
    Texts,
    /// An integer of 64 bits.
    Number,
    /// True or false.
    Truth,
    /// A point in time, microseconds in UTC.
    Time,
    /// A list of points in time.
    Times,
    /// A list of integers of 64 bits.
    Numbers,
}

impl Holds {
    /// Its name in SQL.
    pub fn as_sql(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Texts => "VARCHAR[]",
            Self::Number => "BIGINT",
            Self::Truth => "BOOLEAN",
            Self::Time => "TIMESTAMPTZ",
            Self::Times => "TIMESTAMPTZ[]",
            Self::Numbers => "BIGINT[]",
        }
    }

    fn data_type(self) -> DataType {
        let time = || DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()));
        let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
        match self {
            Self::Text => DataType::Utf8,
            Self::Texts => list(DataType::Utf8),
            Self::Number => DataType::Int64,
            Self::Truth => DataType::Boolean,
            Self::Time => time(),
            Self::Times => list(time()),
            Self::Numbers => list(DataType::Int64),
        }
    }
}

/// The time zone of every point in time.
pub(super) const UTC: &str = "UTC";

/// One column.
#[derive(Debug)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// What it means, in English.
    pub meaning: &'static str,
}

const fn column(name: &'static str, holds: Holds, meaning: &'static str) -> Column {
    Column {
        name,
        holds,
        meaning,
    }
}

/// One row a message, or a file that is no mail.
pub const MESSAGES: &[Column] = &[
    column(
        "reference",
        Holds::Text,
        "where it stands: `export.mbox#17`, `mail.pst:/Inbox#3`, a path; the key of all tables",
    ),
    column("source", Holds::Text, "the source it came from, as given"),
    column("message_id", Holds::Text, "Message-ID without its brackets"),
    column("date", Holds::Time, "Date, as the sender claims it"),
    column("from", Holds::Text, "first address of From"),
    column("to", Holds::Texts, "addresses of To and Cc, at most 100"),
    column(
        "sites",
        Holds::Texts,
        "distinct domains of `to`, lower case",
    ),
    column("subject", Holds::Text, "subject, at most 300 characters"),
    column("size", Holds::Number, "bytes"),
    column("sha256", Holds::Text, "SHA-256 of the bytes"),
    column("kind", Holds::Text, "what the bytes are, `eml` for a mail"),
    column("level", Holds::Text, "clean, suspicious or malicious"),
    column("score", Holds::Number, "0 to 100"),
    column(
        "complete",
        Holds::Truth,
        "whether everything in it could be looked through",
    ),
    column("findings", Holds::Texts, "distinct ids of its findings"),
    column(
        "raised",
        Holds::Texts,
        "distinct ids of its combinations of findings",
    ),
    column(
        "artifacts",
        Holds::Number,
        "how many things it is made of, itself included",
    ),
];

/// One row for each thing that was found in a message, itself included.
pub const ARTIFACTS: &[Column] = &[
    column("reference", Holds::Text, "the message"),
    column(
        "id",
        Holds::Number,
        "ordinal in the message; 0 is the message itself",
    ),
    column(
        "parent",
        Holds::Number,
        "id of the thing that it was found in",
    ),
    column(
        "via",
        Holds::Text,
        "how it was reached, such as `mime-part`, `zip-member`",
    ),
    column("depth", Holds::Number, "things above it"),
    column(
        "kind",
        Holds::Text,
        "what the bytes are, never what a name claims",
    ),
    column("size", Holds::Number, "bytes"),
    column("sha256", Holds::Text, "SHA-256 of the bytes"),
    column("name", Holds::Text, "its name, safe to show"),
    column(
        "declared",
        Holds::Text,
        "the media type that its container claims",
    ),
    column(
        "same_as",
        Holds::Number,
        "id of an earlier artifact of the message with the same bytes",
    ),
    column(
        "score",
        Holds::Number,
        "the worst of its own findings and of the combinations that these belong to",
    ),
    column(
        "payload",
        Holds::Truth,
        "whether it does something: it has a finding of macros, active-content, pdf, executables, scripts, web or of a rule",
    ),
    column(
        "vba",
        Holds::Text,
        "SHA-256 of a macro module without comments, layout, case, literals and the names that it chose",
    ),
    column(
        "tlsh",
        Holds::Text,
        "TLSH of a payload in text or code; of a macro module, without the same things",
    ),
];

/// One row for each finding.
pub const FINDINGS: &[Column] = &[
    column("reference", Holds::Text, "the message"),
    column("artifact", Holds::Number, "id of the artifact"),
    column("id", Holds::Text, "id in the catalogue, or `yara:RULE`"),
    column(
        "group",
        Holds::Text,
        "its group in the catalogue; `rules` for a rule",
    ),
    column(
        "severity",
        Holds::Text,
        "info, low, medium, high or critical",
    ),
    column("score", Holds::Number, "0 to 100"),
    column("evidence", Holds::Text, "what was seen"),
    column("offset", Holds::Number, "where in the artifact's bytes"),
    column("decoded", Holds::Text, "what it means once decoded"),
    column("attack", Holds::Texts, "ATT&CK technique ids"),
    column(
        "more",
        Holds::Number,
        "further ones of this id on this artifact that are not listed",
    ),
];

/// One row for each group of messages that carry the same or nearly the same payload.
pub const CAMPAIGNS: &[Column] = &[
    column(
        "campaign",
        Holds::Text,
        "its name, made of its first payload",
    ),
    column("first_seen", Holds::Time, "earliest date of its messages"),
    column("last_seen", Holds::Time, "latest date of its messages"),
    column("messages", Holds::Number, "how many messages"),
    column("level", Holds::Text, "the worst level of its messages"),
    column("score", Holds::Number, "the worst score of its payloads"),
    column("alike", Holds::Texts, "what joined them: sha256, vba, tlsh"),
    column("kinds", Holds::Texts, "kinds of its payloads"),
    column(
        "names",
        Holds::Texts,
        "names of its payloads and of the files that they lie in, most frequent first, at most 20",
    ),
    column(
        "payloads",
        Holds::Texts,
        "SHA-256 of its payloads, at most 1,000",
    ),
    column(
        "findings",
        Holds::Texts,
        "ids of what was found in its payloads",
    ),
    column(
        "senders",
        Holds::Texts,
        "addresses of From in order of appearance, at most 1,000",
    ),
    column(
        "recipients",
        Holds::Texts,
        "addresses of To and Cc in order of appearance, at most 10,000",
    ),
    column(
        "sites",
        Holds::Texts,
        "domains of the recipients in order of appearance, at most 1,000",
    ),
    column(
        "site_first_seen",
        Holds::Times,
        "when each of `sites` was first reached",
    ),
    column(
        "site_messages",
        Holds::Numbers,
        "how many messages went to each of `sites`",
    ),
    column(
        "references",
        Holds::Texts,
        "its messages in order of appearance, at most 10,000",
    ),
];

/// The tables that have a file for each shard, by the names of their folders.
pub const TABLES: &[(&str, &[Column])] = &[
    ("messages", MESSAGES),
    ("artifacts", ARTIFACTS),
    ("findings", FINDINGS),
];

/// The schema of a table's files. Every column may be null: a later version adds columns.
pub fn schema(columns: &[Column]) -> Schema {
    let field = |column: &Column| Field::new(column.name, column.holds.data_type(), true);
    Schema::new(columns.iter().map(field).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_table_has_a_column_twice_and_each_means_something() {
        for (table, columns) in TABLES.iter().chain(&[("campaigns", CAMPAIGNS)]) {
            let names: BTreeSet<&str> = columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), columns.len(), "{table}");
            assert!(
                columns.iter().all(|column| column.meaning.len() > 4),
                "{table}"
            );
        }
    }
}
