//! New rules over what a batch kept: which messages carry something that they match, since when, and who got it.
//!
//! Every artifact of the tables is looked at under the place that it had in its message, each distinct one once: by
//! its bytes, and where a rule asks for names or places, by these too. The mailboxes are not needed.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::model::Name;
use crate::rules::{Globals, RuleMatch, RuleScanner, RuleSource, Rules};

use super::query::{each_shard, shown};
use super::read::Rows;
use super::{OutputError, Results, ShardId, Store};

/// What rules may ask of the place of the bytes.
const PLACE: &[&str] = &[
    "filename",
    "filepath",
    "extension",
    "filetype",
    "kind",
    "via",
    "parent_kind",
    "depth",
    "owner",
];

/// Longest path of names; longer ones are cut at the front, as in a scan.
const LONGEST_PATH: usize = 512;

/// A match of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetroHit {
    /// The rule.
    pub rule: String,
    /// 0 to 100.
    pub score: u8,
    /// The message.
    pub reference: String,
    /// Date of the message as RFC 3339 in UTC, empty where it has none.
    pub date: String,
    /// First address of From.
    pub from: String,
    /// Addresses of To and Cc.
    pub to: Vec<String>,
    /// Subject.
    pub subject: String,
    /// The artifact's ordinal in the message.
    pub artifact: i64,
    /// What it is.
    pub kind: String,
    /// Its name, safe to show.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// What matched.
    pub evidence: String,
    /// Where, as an offset in the artifact's bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    #[serde(skip)]
    time: Option<i64>,
}

/// What a rule found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The rule.
    pub rule: String,
    /// Its description.
    pub description: String,
    /// 0 to 100.
    pub score: u8,
    /// Messages.
    pub messages: usize,
    /// Earliest date, empty where no message has one.
    pub first_seen: String,
    /// The earliest message.
    pub first_message: String,
    /// Latest date.
    pub last_seen: String,
    /// Addresses of From in order of appearance.
    pub senders: Vec<String>,
    /// Addresses of To and Cc in order of appearance.
    pub recipients: Vec<String>,
}

/// What all rules found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Rule by rule, those that found nothing left out.
    pub rules: Vec<Sighting>,
    /// Every match, by date.
    pub hits: Vec<RetroHit>,
    /// Distinct artifacts that were looked at.
    pub scanned: u64,
    /// Distinct artifacts that were not kept.
    pub missing: u64,
    /// Distinct artifacts that could not be looked through: damaged, or out of time.
    pub failed: u64,
}

/// Rules to be run, and how.
#[derive(Debug)]
pub struct Retro<'a> {
    /// The rules.
    pub rules: &'a Rules,
    /// Their sources.
    pub sources: &'a [RuleSource],
    /// Time for one artifact.
    pub timeout: Duration,
    /// Threads.
    pub threads: NonZeroUsize,
}

impl Retro<'_> {
    /// Runs the rules over everything that was kept.
    pub fn run(&self, results: &Results) -> Result<Found, OutputError> {
        let run = Run {
            retro: self,
            results,
            store: results.store()?,
            by_place: ask_for_place(self.sources),
            known: Mutex::default(),
            counts: Mutex::default(),
        };
        let hits = each_shard(results, self.threads, |shard| run.shard(shard))?;
        let mut hits: Vec<RetroHit> = hits.into_iter().flatten().collect();
        hits.sort_by(|a, b| {
            let time = |hit: &RetroHit| hit.time.unwrap_or(i64::MAX);
            let key = |hit: &RetroHit| (time(hit), hit.artifact);
            key(a)
                .cmp(&key(b))
                .then_with(|| (&a.reference, &a.rule).cmp(&(&b.reference, &b.rule)))
        });
        let counts = run
            .counts
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(Found {
            rules: sightings(&hits, self.rules),
            hits,
            scanned: counts.scanned,
            missing: counts.missing,
            failed: counts.failed,
        })
    }
}

/// Whether a word of a source may be one of the globals that tell of a place.
fn ask_for_place(sources: &[RuleSource]) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    sources
        .iter()
        .flat_map(|source| source.text.split(|c| !is_word(c)))
        .any(|word| PLACE.contains(&word))
}

#[derive(Debug, Default)]
struct Counts {
    scanned: u64,
    missing: u64,
    failed: u64,
}

/// Bytes, and the place where rules ask for it.
type Key = ([u8; 32], Option<Box<str>>);

struct Run<'a> {
    retro: &'a Retro<'a>,
    results: &'a Results,
    store: Store,
    by_place: bool,
    /// What matched in what was looked at; most of it matches nothing.
    known: Mutex<BTreeMap<Key, Option<Arc<[RuleMatch]>>>>,
    counts: Mutex<Counts>,
}

/// What is known of an artifact of the message whose rows are being read.
struct Above {
    path: String,
    kind: String,
}

const ARTIFACT_COLUMNS: &[&str] = &[
    "reference",
    "id",
    "parent",
    "via",
    "depth",
    "kind",
    "size",
    "sha256",
    "name",
];

impl<'a> Run<'a> {
    fn shard(&self, shard: &ShardId) -> Result<Vec<RetroHit>, OutputError> {
        let mut scanner = self.retro.rules.scanner();
        let mut hits: Vec<RetroHit> = Vec::new();
        let mut reference = String::new();
        let mut above: Vec<Above> = Vec::new();
        let mut said: BTreeSet<(String, String)> = BTreeSet::new();
        for rows in self.results.rows("artifacts", shard, ARTIFACT_COLUMNS)? {
            let rows = rows?;
            for row in 0..rows.len() {
                if rows.word("reference", row) != reference {
                    rows.word("reference", row).clone_into(&mut reference);
                    above.clear();
                    said.clear();
                }
                let place = Place::of(&rows, row, &above);
                let found = self.look(&rows, row, &place, &mut scanner)?;
                let found = found.iter().flat_map(|found| found.iter());
                // What is true of equal bytes is said at the first of them.
                let news = found.filter(|found| {
                    let sha256 = rows.word("sha256", row).to_owned();
                    said.insert((sha256, found.rule.name.clone()))
                });
                hits.extend(news.map(|found| hit(&rows, row, found)));
                above.push(place.above());
            }
        }
        if !hits.is_empty() {
            self.messages(shard, &mut hits)?;
        }
        Ok(hits)
    }

    fn look(
        &self,
        rows: &Rows,
        row: usize,
        place: &Place<'_>,
        scanner: &mut RuleScanner<'a>,
    ) -> Result<Option<Arc<[RuleMatch]>>, OutputError> {
        let digest = rows.word("sha256", row);
        let Some(bytes) = super::campaigns::digest(digest) else {
            return Ok(None);
        };
        let key: Key = (bytes, self.by_place.then(|| place.key()));
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known().get(&key) {
            return Ok(found.clone());
        }
        let size = rows.number("size", row).unwrap_or_default();
        let size = usize::try_from(size).unwrap_or_default();
        let data = match self.store.take(digest, size) {
            Ok(data) => data,
            Err(OutputError::Damaged { .. }) => {
                self.count(|counts| &mut counts.failed);
                known().insert(key, None);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut found = None;
        match data {
            None => self.count(|counts| &mut counts.missing),
            Some(data) => match scanner.scan(&data, place.globals(), Some(self.retro.timeout)) {
                Ok(matches) => {
                    self.count(|counts| &mut counts.scanned);
                    found = (!matches.is_empty()).then(|| matches.into());
                }
                Err(_) => {
                    self.count(|counts| &mut counts.failed);
                    *scanner = self.retro.rules.scanner();
                }
            },
        }
        known().insert(key, found.clone());
        Ok(found)
    }

    fn count(&self, of: impl FnOnce(&mut Counts) -> &mut u64) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = of(&mut counts);
        *count = count.saturating_add(1);
    }

    /// Adds what is known of the messages.
    fn messages(&self, shard: &ShardId, hits: &mut [RetroHit]) -> Result<(), OutputError> {
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, hit) in hits.iter().enumerate() {
            places.entry(hit.reference.clone()).or_default().push(at);
        }
        let columns = ["reference", "date", "from", "to", "subject"];
        for rows in self.results.rows("messages", shard, &columns)? {
            let rows = rows?;
            for row in 0..rows.len() {
                let of_message = places.get(rows.word("reference", row)).into_iter();
                for at in of_message.flatten() {
                    hits.get_mut(*at)
                        .into_iter()
                        .for_each(|hit| hit.tell(&rows, row));
                }
            }
        }
        Ok(())
    }
}

impl RetroHit {
    /// Takes over what is known of its message.
    fn tell(&mut self, rows: &Rows, row: usize) {
        self.time = rows.time("date", row);
        self.date = self.time.map(shown).unwrap_or_default();
        rows.word("from", row).clone_into(&mut self.from);
        self.to = rows.texts("to", row);
        rows.word("subject", row).clone_into(&mut self.subject);
    }
}

fn hit(rows: &Rows, row: usize, found: &RuleMatch) -> RetroHit {
    let text = |name: &str| rows.word(name, row).to_owned();
    RetroHit {
        rule: found.rule.name.clone(),
        score: found.rule.score,
        reference: text("reference"),
        date: String::new(),
        from: String::new(),
        to: Vec::new(),
        subject: String::new(),
        artifact: rows.number("id", row).unwrap_or_default(),
        kind: text("kind"),
        name: text("name"),
        sha256: text("sha256"),
        evidence: found.evidence.text.clone(),
        offset: found.evidence.offset,
        time: None,
    }
}

/// The place of an artifact, as rules may ask for it.
struct Place<'a> {
    filename: String,
    extension: String,
    filetype: String,
    path: String,
    kind: &'a str,
    via: &'a str,
    parent_kind: &'a str,
    depth: u32,
}

impl<'a> Place<'a> {
    fn of(rows: &'a Rows, row: usize, above: &'a [Above]) -> Self {
        let name = rows.text("name", row).map(|text| Name::of(unescaped(text)));
        let parent = rows.number("parent", row);
        let parent = parent.and_then(|parent| above.get(usize::try_from(parent).ok()?));
        let path = match (name.as_ref().and_then(|name| name.readings.first()), parent) {
            (None, None) => String::new(),
            (None, Some(parent)) => parent.path.clone(),
            (Some(name), Some(parent)) if !parent.path.is_empty() => {
                format!("{}/{name}", parent.path)
            }
            (Some(name), _) => name.clone(),
        };
        let surplus = path.chars().count().saturating_sub(LONGEST_PATH);
        let kind = rows.word("kind", row);
        let files = name.as_ref().and_then(|name| name.files().next());
        let extension = name.as_ref().and_then(|name| name.extensions().next());
        Self {
            filename: files.unwrap_or_default().to_owned(),
            extension: extension
                .map(|extension| format!(".{extension}"))
                .unwrap_or_default(),
            filetype: kind.to_ascii_uppercase(),
            path: if path.len() > LONGEST_PATH {
                path.chars().skip(surplus).collect()
            } else {
                path
            },
            kind,
            via: rows.word("via", row),
            parent_kind: parent
                .map(|parent| parent.kind.as_str())
                .unwrap_or_default(),
            depth: rows
                .number("depth", row)
                .and_then(|depth| u32::try_from(depth).ok())
                .unwrap_or_default(),
        }
    }

    fn globals(&self) -> Globals<'_> {
        Globals {
            filename: &self.filename,
            filepath: &self.path,
            extension: &self.extension,
            filetype: &self.filetype,
            kind: self.kind,
            via: self.via,
            parent_kind: self.parent_kind,
            depth: self.depth,
        }
    }

    fn key(&self) -> Box<str> {
        let depth = self.depth.to_string();
        [
            &self.path,
            &self.filename,
            self.kind,
            self.via,
            self.parent_kind,
            &depth,
        ]
        .join("\0")
        .into()
    }

    fn above(self) -> Above {
        Above {
            path: self.path,
            kind: self.kind.to_owned(),
        }
    }
}

/// A name as it was before [`crate::text::safe`] made it safe to show, so that rules see what they would have seen in a
/// scan. Line ends and tabs stay escaped: `\n` may as well be a folder and a file.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut pieces = text.split("\\u{");
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let c = piece.split_once('}').and_then(|(digits, rest)| {
            let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            crate::text::is_deceptive(c).then_some((c, rest))
        });
        match c {
            Some((c, rest)) => {
                out.push(c);
                out.push_str(rest);
            }
            None => {
                out.push_str("\\u{");
                out.push_str(piece);
            }
        }
    }
    out
}

/// What each rule found; the hits stand by date.
fn sightings(hits: &[RetroHit], rules: &Rules) -> Vec<Sighting> {
    let mut found: Vec<Sighting> = Vec::new();
    for rule in rules.list() {
        let own = || hits.iter().filter(|hit| hit.rule == rule.name);
        let Some(first) = own().next() else { continue };
        let messages: BTreeSet<&str> = own().map(|hit| hit.reference.as_str()).collect();
        let last = own().rfind(|hit| hit.time.is_some());
        found.push(Sighting {
            description: rule.description,
            score: rule.score,
            messages: messages.len(),
            first_seen: first.date.clone(),
            first_message: first.reference.clone(),
            last_seen: last.map(|hit| hit.date.clone()).unwrap_or_default(),
            senders: in_order(own().map(|hit| &hit.from).filter(|from| !from.is_empty())),
            recipients: in_order(own().flat_map(|hit| &hit.to)),
            rule: rule.name,
        });
    }
    found
}

fn in_order<'a>(texts: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts
        .filter(|text| seen.insert(text.as_str()))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_they_were_before_they_were_made_safe() {
        for name in [
            "a\u{202e}fdp.exe",
            "報告書.docm",
            "C:\\new\\u{x}\\u{41}.txt",
            "\\u{202e",
        ] {
            assert_eq!(unescaped(&crate::text::safe(name)), name, "{name:?}");
        }
    }

    #[test]
    fn only_rules_that_ask_for_a_place_are_run_for_each() {
        let source = |text: &str| RuleSource {
            origin: String::new(),
            text: text.to_owned(),
        };
        assert!(!ask_for_place(&[source(
            "rule a { strings: $a = \"kinds of filenames\" condition: $a }"
        )]));
        assert!(ask_for_place(&[source(
            "rule a { condition: kind==\"docm\" }"
        )]));
    }
}
