//! Asking the tables for messages: which fit a filter, the earliest first.
//!
//! Every part of a filter must fit; of a part that may be given several times one is enough. Kind, digest and name must
//! fit one and the same artifact of the message.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use globset::{GlobBuilder, GlobMatcher};
use serde::Serialize;
use thiserror::Error;

use crate::model::Level;

use super::read::Rows;
use super::{OutputError, Results, ShardId};

/// Artifacts that are named of a message.
const NAMED: usize = 20;

/// Text to be looked for, whatever its case: anywhere, or as a whole with `*` and `?` for what may stand there.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// Anywhere; lower case.
    Anywhere(String),
    /// As a whole.
    Whole(GlobMatcher),
}

/// A pattern that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a pattern: {0}")]
pub struct BadPattern(String);

impl std::str::FromStr for Pattern {
    type Err = BadPattern;

    fn from_str(text: &str) -> Result<Self, BadPattern> {
        if !text.contains(['*', '?']) {
            return Ok(Self::Anywhere(text.to_lowercase()));
        }
        let glob = GlobBuilder::new(text).case_insensitive(true).build();
        glob.map(|glob| Self::Whole(glob.compile_matcher()))
            .map_err(|error| BadPattern(error.to_string()))
    }
}

impl Pattern {
    /// Whether it fits a text.
    pub fn fits(&self, text: &str) -> bool {
        match self {
            Self::Anywhere(part) => text.to_lowercase().contains(part),
            Self::Whole(glob) => glob.is_match(text),
        }
    }
}

/// Which messages are asked for.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With one of these findings or combinations.
    pub findings: Vec<String>,
    /// Of one of these levels.
    pub levels: Vec<Level>,
    /// From an address that fits.
    pub sender: Option<Pattern>,
    /// To or Cc an address that fits.
    pub recipient: Option<Pattern>,
    /// With a subject that fits.
    pub subject: Option<Pattern>,
    /// Dated at or after, in microseconds since 1970.
    pub since: Option<i64>,
    /// Dated before, in microseconds since 1970.
    pub until: Option<i64>,
    /// With an artifact of one of these kinds.
    pub kinds: Vec<String>,
    /// With an artifact whose SHA-256 starts with one of these lower-case digits.
    pub hashes: Vec<String>,
    /// With an artifact whose name fits.
    pub name: Option<Pattern>,
    /// Among these messages.
    pub references: Option<std::collections::BTreeSet<String>>,
}

impl Filter {
    fn asks_for_artifacts(&self) -> bool {
        !self.kinds.is_empty() || !self.hashes.is_empty() || self.name.is_some()
    }

    fn fits_artifact(&self, rows: &Rows, row: usize) -> bool {
        let kind = rows.word("kind", row);
        let sha256 = rows.word("sha256", row);
        let any = |list: &[String], fits: &dyn Fn(&str) -> bool| {
            list.is_empty() || list.iter().any(|one| fits(one))
        };
        any(&self.kinds, &|one| one == kind)
            && any(&self.hashes, &|start| sha256.starts_with(start))
            && self
                .name
                .as_ref()
                .is_none_or(|name| rows.text("name", row).is_some_and(|text| name.fits(text)))
    }

    fn fits_message(&self, rows: &Rows, row: usize) -> bool {
        let level = rows.word("level", row);
        let fits = |pattern: &Option<Pattern>, column: &str| {
            let Some(pattern) = pattern else { return true };
            rows.text(column, row)
                .is_some_and(|text| pattern.fits(text))
        };
        let date = rows.time("date", row);
        let dated = |asked: Option<i64>, fits: &dyn Fn(i64, i64) -> bool| {
            asked.is_none_or(|asked| date.is_some_and(|date| fits(date, asked)))
        };
        (self.levels.is_empty() || self.levels.iter().any(|one| one.as_str() == level))
            && dated(self.since, &|date, since| date >= since)
            && dated(self.until, &|date, until| date < until)
            && fits(&self.sender, "from")
            && fits(&self.subject, "subject")
            && self
                .recipient
                .as_ref()
                .is_none_or(|recipient| rows.texts("to", row).iter().any(|to| recipient.fits(to)))
            && (self.findings.is_empty() || {
                let found = rows.texts("findings", row).into_iter();
                let mut found = found.chain(rows.texts("raised", row));
                found.any(|id| self.findings.contains(&id))
            })
            && self
                .references
                .as_ref()
                .is_none_or(|among| among.contains(rows.word("reference", row)))
    }
}

/// An artifact that fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Named {
    /// Its ordinal in the message.
    pub id: i64,
    /// What it is.
    pub kind: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Its name, safe to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A message that fits. Absent texts are empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// The message.
    pub reference: String,
    /// The source that it came from.
    pub source: String,
    /// Message-ID.
    pub message_id: String,
    /// Date as RFC 3339 in UTC.
    pub date: String,
    /// First address of From.
    pub from: String,
    /// Addresses of To and Cc.
    pub to: Vec<String>,
    /// Subject.
    pub subject: String,
    /// The verdict.
    pub level: String,
    /// 0 to 100.
    pub score: i64,
    /// Whether everything could be looked through.
    pub complete: bool,
    /// Ids of its findings and combinations.
    pub findings: Vec<String>,
    /// SHA-256 of the message.
    pub sha256: String,
    /// Artifacts that fit, at most 20, where artifacts were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Named>,
    #[serde(skip)]
    pub(super) time: Option<i64>,
}

/// The messages that fit, by date, those without one last.
pub fn query(
    results: &Results,
    filter: &Filter,
    threads: NonZeroUsize,
) -> Result<Vec<Hit>, OutputError> {
    let found = each_shard(results, threads, |shard| of_shard(results, filter, shard))?;
    let mut hits: Vec<Hit> = found.into_iter().flatten().collect();
    hits.sort_by(|a, b| {
        let time = |hit: &Hit| hit.time.unwrap_or(i64::MAX);
        time(a)
            .cmp(&time(b))
            .then_with(|| a.reference.cmp(&b.reference))
    });
    Ok(hits)
}

/// Does the same with each shard on several threads; the answers stand in the order of the shards.
pub(super) fn each_shard<T: Send>(
    results: &Results,
    threads: NonZeroUsize,
    work: impl Fn(&ShardId) -> Result<T, OutputError> + Sync,
) -> Result<Vec<T>, OutputError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<T, OutputError>)>> = Mutex::new(Vec::new());
    let shards = results.shards();
    let one_after_another = || {
        // Ends with the shards.
        while let Some((at, shard)) = {
            let at = next.fetch_add(1, Ordering::Relaxed);
            shards.get(at).map(|shard| (at, shard))
        } {
            let answer = work(shard);
            let failed = answer.is_err();
            let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
            done.push((at, answer));
            if failed {
                break;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..threads.get().min(shards.len()) {
            scope.spawn(one_after_another);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, answer)| answer).collect()
}

const COLUMNS: &[&str] = &[
    "reference",
    "source",
    "message_id",
    "date",
    "from",
    "to",
    "subject",
    "sha256",
    "level",
    "score",
    "complete",
    "findings",
    "raised",
];

fn of_shard(results: &Results, filter: &Filter, shard: &ShardId) -> Result<Vec<Hit>, OutputError> {
    let mut named: BTreeMap<String, Vec<Named>> = BTreeMap::new();
    if filter.asks_for_artifacts() {
        let columns = ["reference", "id", "kind", "sha256", "name"];
        for rows in results.rows("artifacts", shard, &columns)? {
            let rows = rows?;
            for row in (0..rows.len()).filter(|row| filter.fits_artifact(&rows, *row)) {
                let of_message = named
                    .entry(rows.word("reference", row).to_owned())
                    .or_default();
                if of_message.len() < NAMED {
                    of_message.push(Named {
                        id: rows.number("id", row).unwrap_or_default(),
                        kind: rows.word("kind", row).to_owned(),
                        sha256: rows.word("sha256", row).to_owned(),
                        name: rows.text("name", row).map(str::to_owned),
                    });
                }
            }
        }
        if named.is_empty() {
            return Ok(Vec::new());
        }
    }
    let mut hits = Vec::new();
    for rows in results.rows("messages", shard, COLUMNS)? {
        let rows = rows?;
        for row in 0..rows.len() {
            let artifacts = named.get(rows.word("reference", row));
            let fits = artifacts.is_some() || !filter.asks_for_artifacts();
            if fits && filter.fits_message(&rows, row) {
                hits.push(hit(&rows, row, artifacts.cloned().unwrap_or_default()));
            }
        }
    }
    Ok(hits)
}

/// The message of a row, which has the columns of [`COLUMNS`].
fn hit(rows: &Rows, row: usize, artifacts: Vec<Named>) -> Hit {
    let text = |name: &str| rows.word(name, row).to_owned();
    let time = rows.time("date", row);
    let mut findings = rows.texts("findings", row);
    findings.extend(rows.texts("raised", row));
    Hit {
        reference: text("reference"),
        source: text("source"),
        message_id: text("message_id"),
        date: time.map(shown).unwrap_or_default(),
        from: text("from"),
        to: rows.texts("to", row),
        subject: text("subject"),
        level: text("level"),
        score: rows.number("score", row).unwrap_or_default(),
        complete: rows.truth("complete", row),
        findings,
        sha256: text("sha256"),
        artifacts,
        time,
    }
}

/// A point in time as RFC 3339 in UTC; empty where it is out of all bounds.
pub(super) fn shown(microseconds: i64) -> String {
    jiff::Timestamp::from_microsecond(microseconds)
        .map(|time| time.to_string())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_or_the_whole_with_stars() {
        let fits = |pattern: &str, text: &str| pattern.parse::<Pattern>().unwrap().fits(text);
        assert!(fits("invoice", "2026 INVOICE.docm"));
        assert!(fits("*@branch.example", "Taro@Branch.example"));
        assert!(!fits("*@branch.example", "taro@branch.example.net"));
        assert!(fits("請求書", "11月請求書.docm") && !fits("請求書*", "11月請求書.docm"));
        assert!(fits("a?c", "a/c"));
        assert!("[*".parse::<Pattern>().is_err());
    }

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(shown(1_795_000_000_000_000), "2026-11-18T11:06:40Z");
        assert_eq!(shown(i64::MAX), "");
    }
}
