//! `sekisho retro DIR --rules FILE`: new rules over what a batch kept, without reading the mailboxes again.
//!
//! Only the given rules run. Exit status: 0 something matched, 1 nothing did, 2 error, 3 nothing matched but something
//! was not kept or could not be looked through.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::batch::{Found, Results, Retro, RetroHit, Sighting};
use crate::rules::Rules;
use crate::source::rule_sources;
use crate::text;

use super::exit::{Exit, Failure};
use super::query::Format;
use super::settings::{Settings, threads};
use super::table::{aligned, csv, first_of};
use super::{number_of, put, say};

/// Addresses that are listed of a rule.
const LISTED: usize = 20;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 something matched, 1 nothing did, 2 error, 3 nothing matched but something was not \
kept or could not be looked through."
)]
pub(super) struct Arguments {
    /// Folder that `sekisho batch --keep artifacts -o` wrote
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Time for one thing that was kept
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    timeout: u64,
    /// Parts looked through at the same time [default: one for each core]
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    let given = settings.given_rules();
    if given.is_empty() {
        return Err(Failure::new("no rules are given").hint("--rules FILE names the rules to run"));
    }
    let results = Results::open(&arguments.folder)?;
    let mut sources = Vec::new();
    for path in given {
        sources.extend(rule_sources(path).map_err(Failure::new)?);
    }
    let rules = Rules::compile(sources.clone(), settings.strictness()).map_err(|error| {
        Failure::new(format!("a rule does not compile\n{error}"))
            .hint("--rules-lenient skips such rules; `sekisho rules check` lists them all")
    })?;
    for bad in rules.skipped() {
        say(&format!("rule skipped\n{bad}"));
    }
    let (_, config) = settings.knowledge()?;
    let threads = NonZeroUsize::new(threads(arguments.threads, &config));
    let retro = Retro {
        rules: &rules,
        sources: &sources,
        timeout: Duration::from_secs(arguments.timeout),
        threads: threads.unwrap_or(NonZeroUsize::MIN),
    };
    let found = retro.run(&results)?;
    match arguments.format {
        Format::Table => put(&page(&found))?,
        Format::Json => put(&(serde_json::to_string_pretty(&found).map_err(Failure::new)? + "\n"))?,
        Format::Csv => put(&csv(&CSV_HEAD, &csv_rows(&found.hits)))?,
    }
    let unseen = found.missing.saturating_add(found.failed);
    if unseen > 0 {
        say(&format!(
            "{} of what the batch found was not kept, {} could not be looked through",
            found.missing, found.failed
        ));
    }
    Ok(match (found.hits.is_empty(), unseen) {
        (false, _) => Exit::Success,
        (true, 0) => Exit::Found,
        (true, _) => Exit::Incomplete,
    })
}

/// Rule by rule, then match by match.
fn page(found: &Found) -> String {
    let mut out = String::new();
    for rule in &found.rules {
        sighting(&mut out, rule);
    }
    if !found.hits.is_empty() {
        out.push_str(&aligned(
            &HEAD,
            &found.hits.iter().map(row).collect::<Vec<_>>(),
        ));
        out.push('\n');
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{} things looked at, {} matches",
        found.scanned,
        found.hits.len()
    );
    out
}

fn sighting(out: &mut String, rule: &Sighting) {
    let shown = |date: &str| {
        if date.is_empty() {
            "–".to_owned()
        } else {
            text::safe(date)
        }
    };
    let _ = writeln!(
        out,
        "{}  score {}  {}\n  {}, first {} ({}), last {}",
        text::safe(&rule.rule),
        rule.score,
        text::excerpt(&rule.description),
        number_of(rule.messages, "message"),
        shown(&rule.first_seen),
        text::safe(&rule.first_message),
        shown(&rule.last_seen)
    );
    for (caption, addresses) in [("from", &rule.senders), ("to", &rule.recipients)] {
        let listed: Vec<String> = addresses
            .iter()
            .take(LISTED)
            .map(|text| text::safe(text))
            .collect();
        let more = match addresses.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let _ = writeln!(out, "  {caption}: {}{more}", listed.join(", "));
    }
    out.push('\n');
}

const HEAD: [&str; 8] = [
    "DATE",
    "RULE",
    "FROM",
    "TO",
    "SUBJECT",
    "FOUND IN",
    "REFERENCE",
    "EVIDENCE",
];

fn row(hit: &RetroHit) -> Vec<String> {
    vec![
        hit.date.clone(),
        hit.rule.clone(),
        hit.from.clone(),
        first_of(&hit.to),
        hit.subject.clone(),
        format!("{} [{}]", hit.name, hit.kind),
        hit.reference.clone(),
        hit.evidence.clone(),
    ]
}

const CSV_HEAD: [&str; 13] = [
    "date",
    "rule",
    "score",
    "from",
    "to",
    "subject",
    "reference",
    "artifact",
    "kind",
    "name",
    "sha256",
    "evidence",
    "offset",
];

fn csv_rows(hits: &[RetroHit]) -> Vec<Vec<String>> {
    let row = |hit: &RetroHit| {
        vec![
            hit.date.clone(),
            hit.rule.clone(),
            hit.score.to_string(),
            hit.from.clone(),
            hit.to.join(" "),
            hit.subject.clone(),
            hit.reference.clone(),
            hit.artifact.to_string(),
            hit.kind.clone(),
            hit.name.clone(),
            hit.sha256.clone(),
            hit.evidence.clone(),
            hit.offset
                .map(|offset| offset.to_string())
                .unwrap_or_default(),
        ]
    };
    hits.iter().map(row).collect()
}
