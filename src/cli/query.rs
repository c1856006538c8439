//! `sekisho query DIR`: which messages of a batch fit, the earliest first.
//!
//! Every filter must fit; of one that is given several times one is enough. Kind, hash and name must fit one and the
//! same thing in the message. Exit status: 0 some message fits, 1 none does, 2 error.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::batch::{Filter, Hit, OutputError, Pattern, Results, campaigns, query};
use crate::knowledge::Catalogue;
use crate::model::{Kind, Level};

use super::exit::{Exit, Failure};
use super::given::{ids, moment};
use super::settings::{Settings, threads};
use super::table::{aligned, csv, first_of};
use super::{number_of, put, say};

#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 some message fits, 1 none does, 2 error.")]
pub(super) struct Arguments {
    /// Folder that `sekisho batch -o` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// With this finding, combination or group of findings (may be repeated)
    #[arg(long, value_name = "ID|GROUP")]
    finding: Vec<String>,
    /// Of this level (may be repeated)
    #[arg(long, value_enum, value_name = "LEVEL")]
    level: Vec<LevelName>,
    /// With something of this kind in it, such as docm or lnk (may be repeated)
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Vec<Kind>,
    /// With something of this SHA-256 in it: all digits or the first ones, at least 6 (may be repeated)
    #[arg(long, value_name = "SHA256", value_parser = hash)]
    hash: Vec<String>,
    /// With something of this file name in it: a part of it, or all of it with * and ?
    #[arg(long, value_name = "TEXT")]
    name: Option<Pattern>,
    /// From this address: a part of it, or all of it with * and ?
    #[arg(long, value_name = "TEXT")]
    sender: Option<Pattern>,
    /// To or Cc this address: a part of it, or all of it with * and ?
    #[arg(long, value_name = "TEXT")]
    recipient: Option<Pattern>,
    /// With this subject: a part of it, or all of it with * and ?
    #[arg(long, value_name = "TEXT")]
    subject: Option<Pattern>,
    /// Dated since: a day (2026-11-24, UTC), a time (RFC 3339), or an age such as 90d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<i64>,
    /// Dated before: as for --since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<i64>,
    /// Of this campaign
    #[arg(long, value_name = "NAME")]
    campaign: Option<String>,
    /// At most as many; 0: all
    #[arg(long, value_name = "N", default_value_t = 0)]
    limit: usize,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Parts read at the same time [default: one for each core]
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// JSON
    Json,
    /// Comma-separated values, for spreadsheets
    Csv,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LevelName {
    /// Nothing at or above suspicious
    Clean,
    /// Suspicious
    Suspicious,
    /// Malicious
    Malicious,
}

impl From<LevelName> for Level {
    fn from(name: LevelName) -> Self {
        match name {
            LevelName::Clean => Self::Clean,
            LevelName::Suspicious => Self::Suspicious,
            LevelName::Malicious => Self::Malicious,
        }
    }
}

impl From<OutputError> for Failure {
    fn from(error: OutputError) -> Self {
        let hint = error.hint();
        Self::new(error).hint_if(hint)
    }
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    let (knowledge, config) = settings.knowledge()?;
    let results = Results::open(&arguments.folder)?;
    let filter = arguments.filter(&results, &knowledge.catalogue)?;
    let threads = NonZeroUsize::new(threads(arguments.threads, &config));
    let mut hits = query(&results, &filter, threads.unwrap_or(NonZeroUsize::MIN))?;
    let all = hits.len();
    if arguments.limit > 0 {
        hits.truncate(arguments.limit);
    }
    match arguments.format {
        Format::Table if hits.is_empty() => {}
        Format::Table => put(&(aligned(&HEAD, &rows(&hits)) + &summary(&hits)))?,
        Format::Json => put(&(serde_json::to_string_pretty(&hits).map_err(Failure::new)? + "\n"))?,
        Format::Csv => put(&csv(&CSV_HEAD, &csv_rows(&hits)))?,
    }
    if hits.is_empty() {
        say("no message fits");
        return Ok(Exit::Found);
    }
    if all > hits.len() {
        say(&format!("{all} messages fit: --limit 0 shows all"));
    }
    Ok(Exit::Success)
}

impl Arguments {
    fn filter(&self, results: &Results, catalogue: &Catalogue) -> Result<Filter, Failure> {
        let mut findings = Vec::new();
        for id in &self.finding {
            findings.extend(ids(catalogue, id)?);
        }
        let microseconds = |seconds: i64| seconds.saturating_mul(1_000_000);
        Ok(Filter {
            findings,
            levels: self.level.iter().copied().map(Level::from).collect(),
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            subject: self.subject.clone(),
            since: self.since.map(microseconds),
            until: self.until.map(microseconds),
            kinds: self
                .kind
                .iter()
                .map(|kind| kind.as_str().to_owned())
                .collect(),
            hashes: self.hash.clone(),
            name: self.name.clone(),
            references: match &self.campaign {
                Some(name) => Some(of_campaign(results, name)?),
                None => None,
            },
        })
    }
}

/// The messages of a campaign.
fn of_campaign(results: &Results, name: &str) -> Result<BTreeSet<String>, Failure> {
    let mut campaigns = campaigns(results)?.into_iter();
    let found = campaigns.find(|campaign| campaign.campaign == name);
    found
        .map(|campaign| campaign.references.into_iter().collect())
        .ok_or_else(|| {
            Failure::new(format!("no campaign {name:?}"))
                .hint("summary.html and campaigns.parquet name them")
        })
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::from_name(name).ok_or_else(|| "no such kind; `sekisho scan -v` shows kinds".to_owned())
}

fn hash(text: &str) -> Result<String, String> {
    let digits = text.len() >= 6 && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    digits
        .then(|| text.to_ascii_lowercase())
        .ok_or_else(|| "write 6 to 64 hexadecimal digits of a SHA-256".to_owned())
}

const HEAD: [&str; 8] = [
    "DATE",
    "LEVEL",
    "SCORE",
    "FROM",
    "TO",
    "SUBJECT",
    "REFERENCE",
    "FINDINGS",
];

fn rows(hits: &[Hit]) -> Vec<Vec<String>> {
    let row = |hit: &Hit| {
        vec![
            hit.date.clone(),
            level(hit),
            hit.score.to_string(),
            hit.from.clone(),
            first_of(&hit.to),
            hit.subject.clone(),
            hit.reference.clone(),
            hit.findings.join(" "),
        ]
    };
    hits.iter().map(row).collect()
}

/// The level, marked where something was left unseen.
fn level(hit: &Hit) -> String {
    let mark = if hit.complete { "" } else { "?" };
    format!("{}{mark}", hit.level)
}

/// What all of them come to.
fn summary(hits: &[Hit]) -> String {
    let dated = || hits.iter().filter(|hit| !hit.date.is_empty());
    let first = dated().next().map_or("–", |hit| hit.date.as_str());
    let last = dated().next_back().map_or("–", |hit| hit.date.as_str());
    let senders: BTreeSet<&str> = hits.iter().map(|hit| hit.from.as_str()).collect();
    let recipients: BTreeSet<&String> = hits.iter().flat_map(|hit| &hit.to).collect();
    format!(
        "\n{}, first {first}, last {last}; {}, {}\n",
        number_of(hits.len(), "message"),
        number_of(senders.len(), "sender"),
        number_of(recipients.len(), "recipient")
    )
}

const CSV_HEAD: [&str; 13] = [
    "date",
    "level",
    "score",
    "complete",
    "from",
    "to",
    "subject",
    "reference",
    "source",
    "message_id",
    "sha256",
    "findings",
    "artifacts",
];

fn csv_rows(hits: &[Hit]) -> Vec<Vec<String>> {
    let row = |hit: &Hit| {
        let artifacts = hit.artifacts.iter();
        let artifacts =
            artifacts.map(|artifact| artifact.name.as_deref().unwrap_or(&artifact.sha256));
        vec![
            hit.date.clone(),
            hit.level.clone(),
            hit.score.to_string(),
            hit.complete.to_string(),
            hit.from.clone(),
            hit.to.join(" "),
            hit.subject.clone(),
            hit.reference.clone(),
            hit.source.clone(),
            hit.message_id.clone(),
            hit.sha256.clone(),
            hit.findings.join(" "),
            artifacts.collect::<Vec<_>>().join(" "),
        ]
    };
    hits.iter().map(row).collect()
}
