//! What the page tells, gathered from the tables in a bounded memory.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::read::Rows;
use super::super::{Campaign, OutputError, PartSummary, Results, campaigns};

/// Malicious messages that are shown.
pub(super) const WORST: usize = 100;

/// Findings that are shown of a message.
pub(super) const SHOWN: usize = 6;

/// Names that are counted at a time; beyond, the rarest are forgotten.
const COUNTED: usize = 100_000;

/// Days that dates may claim; mail is younger than the first and was not sent after the last.
const DAYS: std::ops::RangeInclusive<i16> = 1990..=2099;

/// How many messages are of each level.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) clean: u64,
    pub(super) suspicious: u64,
    pub(super) malicious: u64,
}

impl Levels {
    fn count(&mut self, level: &str) {
        let counter = match level {
            "malicious" => &mut self.malicious,
            "suspicious" => &mut self.suspicious,
            _ => &mut self.clean,
        };
        *counter = counter.saturating_add(1);
    }

    pub(super) fn add(&mut self, other: Self) {
        self.clean = self.clean.saturating_add(other.clean);
        self.suspicious = self.suspicious.saturating_add(other.suspicious);
        self.malicious = self.malicious.saturating_add(other.malicious);
    }

    /// Malicious and suspicious ones.
    pub(super) fn bad(self) -> u64 {
        self.suspicious.saturating_add(self.malicious)
    }

    pub(super) fn all(self) -> u64 {
        self.bad().saturating_add(self.clean)
    }
}

/// How often something was seen, and when.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) levels: Levels,
    /// Earliest and latest date of its malicious and suspicious messages, or of all where there is none of these.
    pub(super) first: Option<i64>,
    pub(super) last: Option<i64>,
}

impl Seen {
    fn count(&mut self, level: &str, date: Option<i64>) {
        let (was_bad, is_bad) = (self.levels.bad() > 0, level != "clean");
        self.levels.count(level);
        if is_bad && !was_bad {
            (self.first, self.last) = (date, date);
        } else if is_bad == was_bad {
            self.first = [self.first, date].into_iter().flatten().min();
            self.last = [self.last, date].into_iter().flatten().max();
        }
    }
}

/// Things that are counted by name.
#[derive(Debug, Default)]
pub(super) struct Tally {
    seen: BTreeMap<String, Seen>,
    /// Whether rare ones were forgotten.
    pub(super) approximate: bool,
}

impl Tally {
    fn count(&mut self, name: &str, level: &str, date: Option<i64>) {
        if let Some(seen) = self.seen.get_mut(name) {
            seen.count(level, date);
            return;
        }
        if self.seen.len() >= COUNTED {
            self.forget_the_rarest();
        }
        let mut seen = Seen::default();
        seen.count(level, date);
        self.seen.insert(name.to_owned(), seen);
    }

    /// Leaves half of the names at most.
    fn forget_the_rarest(&mut self) {
        let mut counts: Vec<u64> = self.seen.values().map(|seen| seen.levels.all()).collect();
        counts.sort_unstable();
        let middle = counts.get(counts.len() / 2).copied().unwrap_or_default();
        self.seen.retain(|_, seen| seen.levels.all() > middle);
        self.approximate = true;
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.seen.len()
    }

    /// All names, those of the most malicious and suspicious messages first.
    pub(super) fn ranked(&self) -> Vec<(&str, Seen)> {
        let names = self.seen.iter().map(|(name, seen)| (name.as_str(), *seen));
        let mut ranked: Vec<(&str, Seen)> = names.collect();
        ranked.sort_by(|a, b| {
            let order = |seen: Seen| (seen.levels.bad(), seen.levels.malicious, seen.levels.all());
            order(b.1).cmp(&order(a.1)).then(a.0.cmp(b.0))
        });
        ranked
    }
}

/// A finding of a message that is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) severity: String,
    pub(super) score: i64,
    pub(super) evidence: String,
    pub(super) decoded: Option<String>,
    pub(super) artifact: i64,
    pub(super) name: Option<String>,
    pub(super) kind: String,
}

/// A malicious message.
#[derive(Debug, Clone, Default)]
pub(super) struct Worst {
    pub(super) reference: String,
    pub(super) date: Option<i64>,
    pub(super) from: Option<String>,
    pub(super) to: Vec<String>,
    pub(super) subject: Option<String>,
    pub(super) score: i64,
    pub(super) raised: Vec<String>,
    pub(super) findings: Vec<Shown>,
    /// Findings that are not shown.
    pub(super) more: usize,
    pub(super) shard: usize,
    pub(super) order: u64,
}

/// Everything that the page tells.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) levels: Levels,
    pub(super) incomplete: u64,
    pub(super) bytes: u64,
    pub(super) errors: u64,
    pub(super) undated: u64,
    pub(super) days: BTreeMap<Date, Levels>,
    pub(super) findings: Tally,
    pub(super) senders: Tally,
    pub(super) recipients: Tally,
    pub(super) sites: Tally,
    pub(super) worst: Vec<Worst>,
    pub(super) campaigns: Vec<Campaign>,
    pub(super) order: u64,
}

const COLUMNS: &[&str] = &[
    "reference",
    "date",
    "from",
    "to",
    "sites",
    "subject",
    "size",
    "level",
    "score",
    "complete",
    "findings",
    "raised",
];

impl Facts {
    /// Reads the tables.
    pub(super) fn gather(results: &Results) -> Result<Self, OutputError> {
        let mut facts = Self::default();
        for (at, shard) in results.shards().iter().enumerate() {
            for rows in results.rows("messages", shard, COLUMNS)? {
                facts.messages(&rows?, at);
            }
            let part = PartSummary::read(results.folder(), shard)?.unwrap_or_default();
            facts.errors = facts.errors.saturating_add(part.errors);
        }
        facts.cut_worst(WORST);
        facts.evidence(results)?;
        facts.campaigns = campaigns::read(results.folder())?;
        Ok(facts)
    }

    fn messages(&mut self, rows: &Rows, shard: usize) {
        for row in 0..rows.len() {
            let level = rows.word("level", row);
            let date = rows.time("date", row).filter(|date| day(*date).is_some());
            self.levels.count(level);
            self.incomplete = self
                .incomplete
                .saturating_add(u64::from(!rows.truth("complete", row)));
            let size = rows.number("size", row).unwrap_or_default();
            self.bytes = self
                .bytes
                .saturating_add(u64::try_from(size).unwrap_or_default());
            match date.and_then(day) {
                Some(day) => self.days.entry(day).or_default().count(level),
                None => self.undated = self.undated.saturating_add(1),
            }
            for id in rows
                .texts("findings", row)
                .iter()
                .chain(&rows.texts("raised", row))
            {
                self.findings.count(id, level, date);
            }
            if level != "clean" {
                self.people(rows, row, level, date);
            }
            if level == "malicious" {
                self.worst.push(worst(rows, row, date, shard, self.order));
                self.order = self.order.saturating_add(1);
                if self.worst.len() >= WORST.saturating_mul(8) {
                    self.cut_worst(WORST);
                }
            }
        }
    }

    fn people(&mut self, rows: &Rows, row: usize, level: &str, date: Option<i64>) {
        if let Some(from) = rows.text("from", row) {
            self.senders.count(&from.to_lowercase(), level, date);
        }
        for to in rows.texts("to", row) {
            self.recipients.count(&to.to_lowercase(), level, date);
        }
        for site in rows.texts("sites", row) {
            self.sites.count(&site, level, date);
        }
    }

    /// Leaves the worst messages, the earliest first among equals.
    fn cut_worst(&mut self, most: usize) {
        self.worst
            .sort_by_key(|worst| (-worst.score, worst.date.unwrap_or(i64::MAX), worst.order));
        self.worst.truncate(most);
    }

    /// Adds the findings of the messages that are shown.
    fn evidence(&mut self, results: &Results) -> Result<(), OutputError> {
        let places = self.worst.iter().enumerate();
        let places: BTreeMap<String, usize> = places
            .map(|(at, worst)| (worst.reference.clone(), at))
            .collect();
        for (at, shard) in results.shards().iter().enumerate() {
            if !self.worst.iter().any(|worst| worst.shard == at) {
                continue;
            }
            let columns = [
                "reference",
                "artifact",
                "id",
                "severity",
                "score",
                "evidence",
                "decoded",
            ];
            for rows in results.rows("findings", shard, &columns)? {
                self.shown(&rows?, &places);
            }
        }
        for worst in &mut self.worst {
            worst.findings.sort_by_key(|shown| -shown.score);
            worst.more = worst.findings.len().saturating_sub(SHOWN);
            worst.findings.truncate(SHOWN);
        }
        for (at, shard) in results.shards().iter().enumerate() {
            if !self.worst.iter().any(|worst| worst.shard == at) {
                continue;
            }
            for rows in results.rows("artifacts", shard, &["reference", "id", "name", "kind"])? {
                self.name(&rows?, &places);
            }
        }
        Ok(())
    }

    fn shown(&mut self, rows: &Rows, places: &BTreeMap<String, usize>) {
        for row in 0..rows.len() {
            let place = places.get(rows.word("reference", row));
            let Some(worst) = place.and_then(|at| self.worst.get_mut(*at)) else {
                continue;
            };
            worst.findings.push(Shown {
                id: rows.word("id", row).to_owned(),
                severity: rows.word("severity", row).to_owned(),
                score: rows.number("score", row).unwrap_or_default(),
                evidence: rows.word("evidence", row).to_owned(),
                decoded: rows.text("decoded", row).map(str::to_owned),
                artifact: rows.number("artifact", row).unwrap_or_default(),
                ..Shown::default()
            });
        }
    }

    fn name(&mut self, rows: &Rows, places: &BTreeMap<String, usize>) {
        for row in 0..rows.len() {
            let place = places.get(rows.word("reference", row));
            let Some(worst) = place.and_then(|at| self.worst.get_mut(*at)) else {
                continue;
            };
            let id = rows.number("id", row).unwrap_or_default();
            for shown in worst
                .findings
                .iter_mut()
                .filter(|shown| shown.artifact == id)
            {
                shown.name = rows.text("name", row).map(str::to_owned);
                shown.kind = rows.word("kind", row).to_owned();
            }
        }
    }
}

fn worst(rows: &Rows, row: usize, date: Option<i64>, shard: usize, order: u64) -> Worst {
    Worst {
        reference: rows.word("reference", row).to_owned(),
        date,
        from: rows.text("from", row).map(str::to_owned),
        to: rows.texts("to", row),
        subject: rows.text("subject", row).map(str::to_owned),
        score: rows.number("score", row).unwrap_or_default(),
        raised: rows.texts("raised", row),
        shard,
        order,
        ..Worst::default()
    }
}

/// The day of a point in time in UTC, where mail may be of that day.
pub(super) fn day(microseconds: i64) -> Option<Date> {
    let time = jiff::Timestamp::from_microsecond(microseconds).ok()?;
    let date = TimeZone::UTC.to_datetime(time).date();
    DAYS.contains(&date.year()).then_some(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_names_forget_the_rarest_and_say_so() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.count("often@example", "malicious", None);
        }
        for number in 0..COUNTED {
            tally.count(&format!("{number}@example"), "malicious", None);
        }
        assert!(tally.approximate && tally.len() <= COUNTED);
        assert_eq!(tally.ranked().first().unwrap().0, "often@example");
    }

    #[test]
    fn the_first_sighting_is_that_of_a_bad_message() {
        let mut seen = Seen::default();
        for (level, date) in [
            ("clean", 1),
            ("suspicious", 5),
            ("clean", 9),
            ("malicious", 3),
        ] {
            seen.count(level, Some(date));
        }
        assert_eq!((seen.first, seen.last), (Some(3), Some(5)));
        assert_eq!((seen.levels.bad(), seen.levels.all()), (2, 4));
    }

    #[test]
    fn no_mail_is_of_the_year_1970() {
        assert_eq!(day(0), None);
        assert_eq!(day(i64::MAX), None);
        assert_eq!(
            day(1_795_000_000_000_000).unwrap().to_string(),
            "2026-11-18"
        );
    }
}
