//! `sekisho rules check|list|test`: the rules that a scan would use, and whether they do what they should.
//!
//! `test DIR` scans every file of a folder, each unpacked as by `scan`, and compares the rules that matched anywhere
//! in it with `DIR/expected.toml`:
//!
//! ```toml
//! [[sample]]
//! file = "vba/run-key.bas"          # below DIR
//! hits = ["autostart_run_key"]      # must match
//! allowed = ["suspicious_strings"]  # may match
//! ```
//!
//! Every other rule must miss, and a file that is not named must be missed by all of them. A sample that does not
//! exist and a rule name that is not in the set are mistakes too. Rules that no sample hits are named with `-v`.
//!
//! Exit status: 0 good, 1 not, 2 could not be read.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::model::{Report, Severity};
use crate::report::Detail;
use crate::rules::{RuleInfo, Rules, Strictness};
use crate::source::Walk;
use crate::text;

use super::exit::{Exit, Failure};
use super::pool::{Delivery, Outcome, Pool, Sink};
use super::settings::{LimitArguments, Settings, threads};
use super::{put, say};

/// What a folder of samples expects.
const EXPECTED: &str = "expected.toml";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compile the rules that a scan would use and say what is wrong with them
    Check {
        /// More rules: files or folders
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// List the rules that a scan would use
    List {
        /// Format of the output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Scan a folder of samples and compare what matched with its expected.toml
    ///
    /// expected.toml names the samples that rules hit:
    ///
    ///     [[sample]]
    ///     file = "vba/run-key.bas"          # below DIR
    ///     hits = ["autostart_run_key"]      # must match
    ///     allowed = ["suspicious_strings"]  # may match
    ///
    /// Every other rule must miss, and files that are not named must be missed by all rules. Exit status: 0 all as
    /// expected, 1 not, 2 something could not be read.
    #[command(verbatim_doc_comment)]
    Test {
        /// The folder
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// Samples scanned at the same time [default: one for each core]
        #[arg(short = 'j', long, value_name = "N")]
        threads: Option<NonZeroUsize>,
        #[command(flatten)]
        limits: LimitArguments,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JSON
    Json,
}

pub(super) fn run(settings: &Settings, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.command {
        Command::Check { paths } => check(settings, &paths),
        Command::List { format } => list(settings, format),
        Command::Test {
            folder,
            threads,
            limits,
        } => test(settings, &folder, threads, &limits),
    }
}

fn check(settings: &Settings, paths: &[PathBuf]) -> Result<Exit, Failure> {
    let (_, config) = settings.knowledge()?;
    let sources = settings.rule_sources(&config, paths)?;
    let files = sources.len();
    // Leniently, so that every mistake is told and not only the first.
    let rules = Rules::compile(sources, Strictness::Lenient).map_err(Failure::new)?;
    for bad in rules.skipped() {
        say(&bad.to_string());
    }
    let good = rules.list().len();
    let bad = rules.skipped().len();
    put(&format!("{files} files: {good} rules good, {bad} errors\n"))?;
    Ok(if bad == 0 { Exit::Success } else { Exit::Found })
}

fn compiled(settings: &Settings) -> Result<Rules, Failure> {
    let (_, config) = settings.knowledge()?;
    let sources = settings.rule_sources(&config, &[])?;
    Rules::compile(sources, settings.strictness()).map_err(Failure::new)
}

fn list(settings: &Settings, format: Format) -> Result<Exit, Failure> {
    let rules = compiled(settings)?.list();
    put(&match format {
        Format::Text => table(&rules),
        Format::Json => {
            let rules: Vec<_> = rules.iter().map(as_json).collect();
            serde_json::to_string_pretty(&rules).map_err(Failure::new)? + "\n"
        }
    })?;
    Ok(Exit::Success)
}

fn table(rules: &[RuleInfo]) -> String {
    let width = rules.iter().map(|rule| rule.name.len()).max();
    let width = width.unwrap_or_default().min(40);
    let line = |rule: &RuleInfo| {
        let attack = rule.attack.join(",");
        let line = format!(
            "{:<width$}  {:>3}  {attack:<10}  {}",
            rule.name, rule.score, rule.description
        );
        line.trim_end().to_owned() + "\n"
    };
    rules.iter().map(line).collect()
}

fn as_json(rule: &RuleInfo) -> serde_json::Value {
    serde_json::json!({
        "name": rule.name,
        "score": rule.score,
        "severity": Severity::of_score(rule.score),
        "attack": rule.attack,
        "description": rule.description,
    })
}

/// What a folder of samples expects of a rule set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    sample: Vec<Sample>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// Below the folder.
    file: PathBuf,
    /// Rules that must match.
    #[serde(default)]
    hits: BTreeSet<String>,
    /// Rules that may match.
    #[serde(default)]
    allowed: BTreeSet<String>,
}

fn test(
    settings: &Settings,
    folder: &Path,
    given: Option<NonZeroUsize>,
    limits: &LimitArguments,
) -> Result<Exit, Failure> {
    let manifest = folder.join(EXPECTED);
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(format!("{}: {why}", text::path(&manifest)))
            .hint("a folder of samples says in expected.toml which rules hit which file: see `sekisho rules test --help`")
    };
    let written = std::fs::read_to_string(&manifest).map_err(|error| cannot(&error))?;
    let expected: Expected = toml::from_str(&written).map_err(|error| cannot(&error))?;
    let (engine, config) = settings.engine(limits, &[])?;
    let known: BTreeSet<String> = engine
        .rules
        .list()
        .into_iter()
        .map(|rule| rule.name)
        .collect();
    let pool = Pool {
        engine,
        threads: threads(given, &config),
        passwords: crate::unpack::Passwords::default(),
        delivery: Delivery::AsGiven,
        without_opener: BTreeSet::new(),
        keep: Arc::new(|report| Matched {
            rules: rules_of(&report),
            path: report.path,
        }),
        weight: |_| 0,
    };
    let mut trial = Trial {
        manifest: text::path(&manifest),
        samples: expected
            .sample
            .into_iter()
            .map(|sample| (text::path(&folder.join(&sample.file)), sample))
            .collect(),
        hit: BTreeSet::new(),
        scanned: 0,
        wrong: 0,
        exit: Exit::Success,
    };
    trial.refuse_unknown(&known);
    pool.run(Walk::new(&[folder.to_path_buf()]), &mut trial)?;
    trial.end(&known, settings.detail())
}

/// The rules that matched somewhere in an input.
struct Matched {
    path: String,
    rules: BTreeSet<String>,
}

fn rules_of(report: &Report) -> BTreeSet<String> {
    let rule = |id: &str| id.strip_prefix("yara:").map(str::to_owned);
    report
        .findings
        .iter()
        .filter_map(|finding| rule(&finding.id))
        .collect()
}

struct Trial {
    manifest: String,
    /// Samples that have not come yet, by their path as shown.
    samples: BTreeMap<String, Sample>,
    hit: BTreeSet<String>,
    scanned: u64,
    wrong: u64,
    exit: Exit,
}

impl Trial {
    fn wrong(&mut self, what: &str) {
        say(what);
        self.wrong = self.wrong.saturating_add(1);
        self.exit = self.exit.merge(Exit::Found);
    }

    fn refuse_unknown(&mut self, known: &BTreeSet<String>) {
        let named = self
            .samples
            .values()
            .flat_map(|sample| sample.hits.union(&sample.allowed));
        let unknown: BTreeSet<String> = named
            .filter(|rule| !known.contains(*rule))
            .cloned()
            .collect();
        for rule in unknown {
            self.wrong(&format!(
                "{}: no rule {rule:?} in the set",
                self.manifest.clone()
            ));
        }
    }

    fn compare(&mut self, matched: &Matched) {
        let sample = self.samples.remove(&matched.path).unwrap_or_default();
        for missed in sample.hits.difference(&matched.rules) {
            self.wrong(&format!("{}: {missed} should have matched", matched.path));
        }
        for rule in &matched.rules {
            if !sample.hits.contains(rule) && !sample.allowed.contains(rule) {
                self.wrong(&format!("{}: {rule} should not have matched", matched.path));
            }
        }
        self.hit.extend(matched.rules.iter().cloned());
        self.scanned = self.scanned.saturating_add(1);
    }

    fn end(mut self, known: &BTreeSet<String>, detail: Detail) -> Result<Exit, Failure> {
        let missing: Vec<String> = self.samples.keys().cloned().collect();
        for path in missing {
            self.wrong(&format!(
                "{path}: named in {} but not there",
                self.manifest.clone()
            ));
        }
        let idle: Vec<&String> = known.difference(&self.hit).collect();
        if detail == Detail::Whole {
            for rule in &idle {
                put(&format!("{rule}: no sample hits it\n"))?;
            }
        }
        put(&format!(
            "{} samples, {} rules: {} mistakes, {} rules without a hit\n",
            self.scanned,
            known.len(),
            self.wrong,
            idle.len()
        ))?;
        Ok(self.exit)
    }
}

impl Sink<Matched> for Trial {
    fn deliver(&mut self, outcome: Outcome<Matched>) -> Result<(), Failure> {
        match outcome {
            Outcome::Done(matched) if matched.path == self.manifest => {}
            Outcome::Done(matched) => self.compare(&matched),
            Outcome::Unreadable(error) => {
                say(&error.to_string());
                self.exit = self.exit.merge(Exit::Failed);
            }
            Outcome::Skipped(skipped) => say(&skipped.to_string()),
        }
        Ok(())
    }
}
