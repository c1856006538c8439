//! The plan of a batch: its sources, the shards they are cut into, and what the results depend on.
//!
//! Equal sources, rules and options give equal plans on every computer, so that a shard can be done anywhere and at any
//! time. The plan stands in `plan.json`; a batch that goes on compares it with what is there now. Digests are over the
//! names and sizes of files and over samples of mailboxes, stores and archives: reading 100 GB only to digest them would
//! double the work. When files were changed last counts on the computer that made the plan.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::formats::mbox::Rest;
use crate::model::hex;
use crate::source::{Found, Hunt, Portion, Prey, Start, Unreadable, survey};
use crate::text;

use super::shard::{Shard, Slices};

/// Bytes of a sample, and how many are taken of one file.
const SAMPLE: usize = 64 << 10;
const SAMPLES: u64 = 16;

/// What the results depend on besides the sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Version of the program.
    pub version: String,
    /// SHA-256 over the rule sources.
    pub rules: String,
    /// Limits, thresholds, severities, passwords, what is kept: by name, as text.
    pub settings: BTreeMap<String, String>,
    /// Bytes of a shard.
    pub shard_size: u64,
}

/// A plan as it stands in `plan.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// SHA-256 over everything else but the times of files: equal plans have equal ids.
    pub id: String,
    /// Number of shards.
    pub shards: u64,
    /// What the results depend on besides the sources.
    pub options: Options,
    /// The sources in the order given.
    pub sources: Vec<SourceRecord>,
}

/// A source of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// Its path as given.
    pub path: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// SHA-256 over names, sizes and samples.
    pub digest: String,
    /// SHA-256 over the times of last changes.
    pub modified: String,
    /// Its mailboxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mailboxes: Vec<MailboxRecord>,
}

/// A mailbox of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxRecord {
    /// Its path.
    pub path: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 over samples of it.
    pub digest: String,
    /// Its messages.
    pub messages: u64,
    /// Where its shards start.
    pub starts: Vec<Start>,
}

/// A source that cannot be planned with.
#[derive(Debug, Error)]
#[error("{path}: {reason}")]
pub struct NoSource {
    /// The path, safe to show.
    pub path: String,
    /// Why not.
    pub reason: String,
}

/// A plan.
#[derive(Debug)]
pub struct Plan {
    /// What stands in `plan.json`.
    pub record: Record,
    /// The shards in order.
    pub shards: Vec<Shard>,
}

/// Shards that a mailbox has at least, where they are not smaller than [`SMALLEST`].
const PORTIONS: u64 = 16;

/// Bytes of a shard, at least: each has files of its own.
const SMALLEST: u64 = 4 << 20;

/// Sources as they were named.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// On the command line: each must be there.
    pub given: Vec<PathBuf>,
    /// In a list: what is not there is told and left out.
    pub listed: Vec<PathBuf>,
    /// The folder of the results, which may lie within a source and is none itself.
    pub results: Option<PathBuf>,
}

impl Plan {
    /// Makes a plan. Mailboxes are read once to find their shards, unless `known` has them; `told` hears of each that is.
    pub fn new(
        sources: &Sources,
        options: Options,
        known: Option<&Record>,
        told: &mut dyn FnMut(&Found),
    ) -> Result<Self, NoSource> {
        let mut maker = Maker {
            size: options.shard_size,
            known: known
                .into_iter()
                .flat_map(|record| &record.sources)
                .flat_map(|source| &source.mailboxes)
                .map(|mailbox| (mailbox.path.clone(), mailbox.clone()))
                .collect(),
            shards: Vec::new(),
            results: sources.results.as_deref(),
            told,
        };
        let mut records = Vec::new();
        for path in &sources.given {
            if let Err(error) = std::fs::metadata(path) {
                return Err(NoSource {
                    path: text::path(path),
                    reason: text::safe(&error.to_string()),
                });
            }
            records.push(maker.source(path));
        }
        for path in &sources.listed {
            records.push(maker.source(path));
        }
        let shards = maker.shards;
        let mut record = Record {
            id: String::new(),
            shards: crate::bytes::length(shards.len()),
            options,
            sources: records,
        };
        record.id = record.digest();
        Ok(Self { record, shards })
    }
}

impl Record {
    fn digest(&self) -> String {
        let mut digest = Sha256::new();
        // A plan is text and numbers throughout, so that this cannot fail.
        digest.update(serde_json::to_vec(&self.options).unwrap_or_default());
        for source in &self.sources {
            for part in [&source.path, &source.digest] {
                digest.update(part.as_bytes());
                digest.update([0]);
            }
        }
        hex(&digest.finalize())
    }

    /// What is different now, for people; `None` where a batch can go on.
    pub fn changed_since(&self, old: &Self, times: Times) -> Option<String> {
        let (new, was) = (&self.options, &old.options);
        if new.version != was.version {
            return Some(format!(
                "it was begun by version {} of the program, this is {}",
                was.version, new.version
            ));
        }
        if new.rules != was.rules {
            return Some("the rules have changed".to_owned());
        }
        if new.shard_size != was.shard_size {
            return Some(format!("the size of shards was {}", was.shard_size));
        }
        let names = was.settings.keys().chain(new.settings.keys());
        let differs = |name: &&String| was.settings.get(*name) != new.settings.get(*name);
        if let Some(name) = names.clone().find(differs) {
            return Some(format!("the setting {name} has changed"));
        }
        let paths = |record: &Self| -> Vec<String> {
            let paths = record.sources.iter().map(|source| source.path.clone());
            paths.collect()
        };
        let (then, now) = (paths(old), paths(self));
        if let Some(gone) = then.iter().find(|path| !now.contains(path)) {
            return Some(format!("the source {} is not given", text::safe(gone)));
        }
        if let Some(more) = now.iter().find(|path| !then.contains(path)) {
            return Some(format!("the source {} is new", text::safe(more)));
        }
        if then != now {
            return Some("the sources are given in another order".to_owned());
        }
        let pairs = old.sources.iter().zip(&self.sources);
        pairs
            .map(|(old, new)| new.changed_since(old, times))
            .find_map(|change| change)
    }
}

/// Whether times of last changes are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// They are: the plan was made here.
    Compared,
    /// They are not: copies of a source have times of their own.
    Ignored,
}

impl SourceRecord {
    fn changed_since(&self, old: &Self, times: Times) -> Option<String> {
        let path = text::safe(&self.path);
        if (old.files, old.bytes) != (self.files, self.bytes) {
            return Some(format!(
                "the source {path} has changed: it had {} files of {} bytes, it has {} of {}",
                old.files, old.bytes, self.files, self.bytes
            ));
        }
        if old.digest != self.digest {
            return Some(format!("the source {path} has changed"));
        }
        if times == Times::Compared && old.modified != self.modified {
            return Some(format!("the source {path} was written to"));
        }
        None
    }
}

/// A plan in the making.
struct Maker<'t> {
    size: u64,
    known: BTreeMap<String, MailboxRecord>,
    shards: Vec<Shard>,
    results: Option<&'t Path>,
    told: &'t mut dyn FnMut(&Found),
}

impl Maker<'_> {
    fn source(&mut self, path: &Path) -> SourceRecord {
        let name = text::path_lossless(path);
        let (mut digest, mut modified) = (Sha256::new(), Sha256::new());
        let mut record = SourceRecord {
            path: name.clone(),
            files: 0,
            bytes: 0,
            digest: String::new(),
            modified: String::new(),
            mailboxes: Vec::new(),
        };
        let mut slices = Slices::new(&name, self.size);
        for found in Hunt::new(path, self.results) {
            let found = match found {
                Ok(found) => found,
                Err(trouble) => {
                    digest.update(trouble.to_string());
                    slices.trouble(trouble);
                    continue;
                }
            };
            record.files = record.files.saturating_add(1);
            record.bytes = record.bytes.saturating_add(found.size);
            digest.update(found.path.as_os_str().as_encoded_bytes());
            digest.update([0]);
            digest.update(found.size.to_le_bytes());
            modified.update(found.modified.to_le_bytes());
            match self.file(&found, &name, &mut slices) {
                Ok((sample, mailbox)) => {
                    digest.update(sample);
                    record.mailboxes.extend(mailbox);
                }
                Err(error) => slices.trouble(Unreadable {
                    path: text::path(&found.path),
                    reason: text::safe(&error.to_string()),
                }),
            }
            self.shards.extend(slices.full());
        }
        self.shards.extend(slices.rest());
        record.digest = hex(&digest.finalize());
        record.modified = hex(&modified.finalize());
        record
    }

    /// Cuts a file into shards, or puts it into a slice. Gives a digest over samples of what is more than a message.
    fn file(
        &mut self,
        found: &Found,
        source: &str,
        slices: &mut Slices,
    ) -> std::io::Result<(String, Option<MailboxRecord>)> {
        let (path, bytes) = (found.path.clone(), found.size);
        let portion = match found.prey {
            Prey::Maildir | Prey::Single => {
                slices.add(found);
                return Ok((String::new(), None));
            }
            Prey::Mailbox => {
                let sample = sample(&path)?;
                let mailbox = self.mailbox(found, sample.clone())?;
                self.shards.extend(shards_of(&mailbox, &path, source));
                return Ok((sample, Some(mailbox)));
            }
            Prey::Store => Portion::Store(path.clone()),
            Prey::Archive(pack) => Portion::Archive(path.clone(), pack),
        };
        let sample = sample(&path)?;
        self.shards.push(Shard {
            source: source.to_owned(),
            portion,
            bytes,
            troubles: Vec::new(),
        });
        Ok((sample, None))
    }

    fn mailbox(&mut self, found: &Found, digest: String) -> std::io::Result<MailboxRecord> {
        let path = text::path_lossless(&found.path);
        if let Some(known) = self.known.get(&path)
            && (known.size, &known.digest) == (found.size, &digest)
        {
            return Ok(known.clone());
        }
        (self.told)(found);
        let mut file = File::open(&found.path)?;
        // Enough for several threads; what shards a mailbox has depends on nothing else, so that plans are the same everywhere.
        let size = self.size.min((found.size / PORTIONS).max(SMALLEST));
        let survey = survey(&mut file, size)?;
        Ok(MailboxRecord {
            path,
            size: survey.size,
            digest,
            messages: survey.messages,
            starts: survey.starts,
        })
    }
}

/// The shards of a mailbox.
fn shards_of<'a>(
    mailbox: &'a MailboxRecord,
    path: &'a Path,
    source: &'a str,
) -> impl Iterator<Item = Shard> + 'a {
    let starts = mailbox.starts.iter().enumerate();
    starts.map(move |(at, start)| {
        let next = mailbox.starts.get(at.saturating_add(1));
        let end = next.map_or(mailbox.size, |next| next.at);
        Shard {
            source: source.to_owned(),
            bytes: end.saturating_sub(start.at),
            portion: Portion::Mailbox {
                path: path.to_owned(),
                start: *start,
                end,
                behind: next.map_or(Rest::Ends, |_| Rest::Follows),
            },
            troubles: Vec::new(),
        }
    })
}

/// SHA-256 over samples of a file from its beginning to its end.
fn sample(path: &Path) -> std::io::Result<String> {
    let file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut digest = Sha256::new();
    let mut buffer = vec![0; SAMPLE];
    let last = size.saturating_sub(crate::bytes::length(SAMPLE));
    for number in 0..=SAMPLES {
        // In 128 bits, since sizes times numbers may leave 64.
        let at = u128::from(last).saturating_mul(u128::from(number)) / u128::from(SAMPLES);
        let len = file.read_at(&mut buffer, u64::try_from(at).unwrap_or(last))?;
        digest.update(buffer.get(..len).unwrap_or_default());
    }
    Ok(hex(&digest.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            version: "1".to_owned(),
            rules: "r".to_owned(),
            settings: BTreeMap::from([("timeout".to_owned(), "60".to_owned())]),
            shard_size: 100,
        }
    }

    fn plan(folder: &Path, options: Options, known: Option<&Record>) -> Plan {
        let sources = Sources {
            given: vec![folder.to_owned()],
            listed: vec![folder.join("gone")],
            results: None,
        };
        Plan::new(&sources, options, known, &mut |_| {}).unwrap()
    }

    #[test]
    fn equal_sources_give_equal_plans_and_every_change_is_told() {
        let folder = std::env::temp_dir().join(format!("plan-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("mails")).unwrap();
        let mailbox: String = (0..10)
            .map(|n| format!("From a 10:00\nSubject: {n}\n\n{}\n\n", "x".repeat(50)))
            .collect();
        std::fs::write(folder.join("a"), &mailbox).unwrap();
        std::fs::write(folder.join("mails/1.eml"), "Subject: 1\n\n").unwrap();
        let first = plan(&folder, options(), None);
        assert_eq!(first.record.sources[0].mailboxes[0].messages, 10);
        assert!(first.shards.len() > 5, "{:?}", first.shards);
        // The source that is not there is told in a shard of its own.
        let troubles = first.shards.iter().flat_map(|shard| &shard.troubles);
        assert_eq!(troubles.count(), 1);

        let again = plan(&folder, options(), Some(&first.record));
        assert_eq!(again.record, first.record);
        assert_eq!(
            again.record.changed_since(&first.record, Times::Compared),
            None
        );
        let told = |now: &Plan| {
            now.record
                .changed_since(&first.record, Times::Compared)
                .unwrap()
        };

        let other = Options {
            rules: "s".to_owned(),
            ..options()
        };
        assert_eq!(told(&plan(&folder, other, None)), "the rules have changed");
        let mut other = options();
        other
            .settings
            .insert("keep".to_owned(), "artifacts".to_owned());
        assert_eq!(
            told(&plan(&folder, other, None)),
            "the setting keep has changed"
        );
        // Other bytes, the same size: only a sample shows it.
        std::fs::write(
            folder.join("a"),
            mailbox.replace("Subject: 9", "Subject: 8"),
        )
        .unwrap();
        let changed = plan(&folder, options(), Some(&first.record));
        assert!(told(&changed).ends_with("has changed"));
        assert_ne!(changed.record.id, first.record.id);
        std::fs::write(folder.join("a"), &mailbox).unwrap();
        let written = plan(&folder, options(), None);
        assert!(told(&written).ends_with("was written to"));
        assert_eq!(written.record.id, first.record.id);
        assert_eq!(
            written.record.changed_since(&first.record, Times::Ignored),
            None
        );
        std::fs::write(folder.join("mails/2.eml"), "Subject: 2\n\n").unwrap();
        assert!(told(&plan(&folder, options(), None)).contains("it had 2 files"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
