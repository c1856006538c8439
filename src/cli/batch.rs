//! `sekisho batch SOURCE… -o DIR`: mailbox exports, message by message, into tables that answer questions.
//!
//! The plan of a batch cuts its sources into shards; each writes its own part of the results when it is done, so that
//! a batch can be stopped or killed at any moment and gone on with (`--resume`), and done by several computers at once
//! (`--shard`, `--merge`). Progress goes to standard error: a bar on a terminal, else a line now and then.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Read as _};
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use sha2::{Digest, Sha256};

use crate::batch::checkpoint::{self, Begin, CannotGoOn, Lock};
use crate::batch::plan::{Options, Plan, Sources};
use crate::batch::progress::{Moment, Progress};
use crate::batch::run::Run;
use crate::batch::shard::{Selection, Shard};
use crate::batch::{Artifacts, Keep, Malicious, PartSummary, finish, merge};
use crate::config::{Config, Size};
use crate::engine::{Engine, Memory};
use crate::gateway::on_interrupt;
use crate::model::Level;
use crate::report::Detail;
use crate::text;

use super::exit::{Exit, Failure};
use super::scan::FailAt;
use super::settings::{LimitArguments, PasswordArguments, Settings, threads};
use super::{number_of, put, say};

/// How often progress is told where there is no terminal.
const LINE: Duration = Duration::from_secs(10);

/// How often the bar moves.
const TICK: Duration = Duration::from_millis(200);

/// Memory for what was seen of attachments before.
const REMEMBERED: usize = 64 << 20;

/// A mailbox of so many bytes takes a while to count.
const LARGE: u64 = 1 << 30;

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 1 a message at or above --fail-at, 2 something could not be read or the run failed, \
3 nothing found but something could not be looked through whole, 0 none of these."
)]
pub(super) struct Arguments {
    /// Mailboxes (mbox), Maildirs, Outlook stores, messages, folders and archives of them; - for a list of paths on
    /// standard input
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Folder for the results
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Go on with a batch that was stopped or killed
    #[arg(long)]
    resume: bool,
    /// Do only every N-th shard, beginning with the K-th, or the shards of a list such as 0,3,7-9
    #[arg(long, value_name = "K/N", conflicts_with = "merge")]
    shard: Option<Selection>,
    /// Unite results: the sources are folders of --shard runs
    #[arg(long, conflicts_with = "resume")]
    merge: bool,
    /// Keep what rules can be run over later
    #[arg(long, value_enum, value_name = "WHAT")]
    keep: Option<KeepName>,
    /// Write everything found in such messages into DIR/extracted
    #[arg(long, value_enum, value_name = "WHICH")]
    extract: Option<ExtractName>,
    /// Bytes of a shard of a mailbox or of a folder, at most
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    shard_size: Size,
    /// Scan an attachment in each message that carries it, also where equal bytes were scanned in the same place before;
    /// the results are the same
    #[arg(long)]
    scan_again: bool,
    /// Exit with 1 from this level on
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = FailAt::Suspicious)]
    fail_at: FailAt,
    /// Shards done at the same time [default: one for each core]
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    passwords: PasswordArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeepName {
    /// Every artifact of every message, once
    Artifacts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExtractName {
    /// Malicious messages
    Malicious,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    let started = Instant::now();
    if arguments.merge {
        return unite(settings, arguments, started);
    }
    let sources = sources(arguments)?;
    let passwords = arguments.passwords.read()?;
    let (engine, config) = settings.engine(&arguments.limits, &[])?;
    let options = options(arguments, &engine, &config, &passwords);
    let begin = match (arguments.resume, &arguments.shard) {
        (_, Some(_)) => Begin::Share,
        (true, None) => Begin::Resume,
        (false, None) => Begin::Anew,
    };
    let old = checkpoint::old_plan(&arguments.output, begin).map_err(told)?;
    let quiet = settings.detail() == Detail::Brief;
    let plan = Plan::new(&sources, options, old.as_ref(), &mut |found| {
        if !quiet && found.size >= LARGE {
            let (path, size) = (text::path(&found.path), HumanBytes(found.size));
            say(&format!("counting the messages of {path} ({size})"));
        }
    });
    let plan = plan.map_err(|error| {
        Failure::new(error).hint("give sources that are there; nothing was done yet")
    })?;
    let _lock = Lock::take(&arguments.output, &lock_name(arguments.shard.as_ref()));
    let _lock = _lock.map_err(told)?;
    checkpoint::begin(&arguments.output, &plan.record, begin).map_err(told)?;
    let (left, done) = left_to_do(arguments, plan.shards, begin)?;
    let run = Run {
        engine: Arc::clone(&engine),
        passwords,
        output: arguments.output.clone(),
        keep: keep(arguments),
        memory: (!arguments.scan_again).then(|| Arc::new(Memory::new(REMEMBERED))),
        threads: threads(arguments.threads, &config),
        shards: left,
    };
    let progress = Arc::new(Progress::new(run.bytes()));
    stop_on_interrupt(&progress)?;
    let mut total = done;
    let (of, watched) = (run.shards.len(), Arc::clone(&progress));
    let ended = watch(run, &watched, quiet)?;
    total.add(&ended);
    if progress.stopping() {
        let shards = progress.now().shards;
        let of = number_of(of, "shard");
        return Err(Failure::new(format!("stopped: {shards} of {of} done"))
            .hint("--resume goes on with the others"));
    }
    if arguments.shard.is_none() {
        finish(&arguments.output, &engine.knowledge, settings.language())?;
    }
    tell(arguments, quiet, &total, started)?;
    Ok(exit(arguments.fail_at, &total))
}

/// The sources as given, and those of the list on standard input.
fn sources(arguments: &Arguments) -> Result<Sources, Failure> {
    let mut sources = Sources {
        results: Some(arguments.output.clone()),
        ..Sources::default()
    };
    for path in &arguments.sources {
        if path.as_os_str() != "-" {
            sources.given.push(path.clone());
            continue;
        }
        let mut list = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "the user's own list")]
        std::io::stdin()
            .lock()
            .read_to_end(&mut list)
            .map_err(|error| Failure::new(format!("cannot read the list of sources: {error}")))?;
        let end = if list.contains(&0) { 0 } else { b'\n' };
        let paths = list.split(|byte| *byte == end);
        let paths = paths.map(|path| path.strip_suffix(b"\r").unwrap_or(path));
        let paths = paths.filter(|path| !path.is_empty());
        sources
            .listed
            .extend(paths.map(|path| PathBuf::from(std::ffi::OsStr::from_bytes(path))));
    }
    if sources.given.is_empty() && sources.listed.is_empty() {
        return Err(Failure::new("the list of sources is empty"));
    }
    Ok(sources)
}

/// What the results depend on, by name.
fn options(
    arguments: &Arguments,
    engine: &Engine,
    config: &Config,
    passwords: &crate::unpack::Passwords,
) -> Options {
    let limits = &engine.limits;
    let words = passwords.words.join("\n");
    let severities = config
        .severities
        .iter()
        .map(|(id, severity)| format!("{id}={}", severity.as_str()));
    let settings = [
        ("timeout", limits.timeout.as_secs().to_string()),
        ("max-depth", limits.max_depth.to_string()),
        ("max-artifacts", limits.max_artifacts.to_string()),
        ("max-unpacked", limits.max_unpacked.to_string()),
        ("max-file", limits.max_file.to_string()),
        ("max-ratio", limits.max_ratio.to_string()),
        ("score.suspicious", engine.thresholds.suspicious.to_string()),
        ("score.malicious", engine.thresholds.malicious.to_string()),
        ("score.severity", severities.collect::<Vec<_>>().join(" ")),
        (
            "password",
            crate::model::hex(&Sha256::digest(words.as_bytes())),
        ),
        ("show-passwords", passwords.show.to_string()),
        ("keep", arguments.keep.is_some().to_string()),
        ("extract", arguments.extract.is_some().to_string()),
    ];
    Options {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        rules: engine.rules.digest().to_owned(),
        settings: settings
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<BTreeMap<_, _>>(),
        shard_size: arguments.shard_size.0.max(1),
    }
}

fn keep(arguments: &Arguments) -> Keep {
    Keep {
        artifacts: match arguments.keep {
            Some(KeepName::Artifacts) => Artifacts::Kept,
            None => Artifacts::Dropped,
        },
        malicious: match arguments.extract {
            Some(ExtractName::Malicious) => Malicious::Extracted,
            None => Malicious::Left,
        },
    }
}

/// A name for the shards of a selection, for the lock on them.
fn lock_name(selection: Option<&Selection>) -> String {
    match selection {
        None => "all".to_owned(),
        Some(Selection::Every { first, of }) => format!("{first}-of-{of}"),
        Some(Selection::Listed(shards)) => {
            let list: Vec<String> = shards.iter().map(ToString::to_string).collect();
            let digest = crate::model::hex(&Sha256::digest(list.join(",").as_bytes()));
            digest.chars().take(16).collect()
        }
    }
}

/// The shards that are wanted and not done, and what the others came to.
fn left_to_do(
    arguments: &Arguments,
    shards: Vec<Shard>,
    begin: Begin,
) -> Result<(Vec<(u64, Shard)>, PartSummary), Failure> {
    let wanted = |number: u64| {
        let selection = arguments.shard.as_ref();
        selection.is_none_or(|selection| selection.has(number))
    };
    let count = crate::bytes::length(shards.len());
    let mut done = match begin {
        Begin::Anew => BTreeMap::new(),
        Begin::Resume | Begin::Share => {
            checkpoint::done(std::slice::from_ref(&arguments.output), count)?
        }
    };
    done.retain(|number, _| wanted(*number));
    let mut total = PartSummary::default();
    done.values().for_each(|part| total.add(part));
    let left = (0..)
        .zip(shards)
        .filter(|(number, _)| wanted(*number) && !done.contains_key(number));
    Ok((left.collect(), total))
}

/// The first interrupt stops the run after the messages in hand, the second one at once.
fn stop_on_interrupt(progress: &Arc<Progress>) -> Result<(), Failure> {
    let (progress, again) = (Arc::clone(progress), AtomicBool::new(false));
    on_interrupt(move || {
        if again.swap(true, Ordering::Relaxed) {
            #[expect(clippy::exit, reason = "asked for twice; shards in work leave nothing")]
            std::process::exit(i32::from(Exit::Failed.code()));
        }
        say("stopping; once more to stop at once");
        progress.stop();
    })
    .map_err(|error| Failure::new(format!("cannot listen for interrupts: {error}")))
}

/// Runs, and tells how far it is meanwhile.
fn watch(run: Run, progress: &Arc<Progress>, quiet: bool) -> Result<PartSummary, Failure> {
    let bar = (!quiet && std::io::stderr().is_terminal()).then(|| bar(progress.now().total));
    let (done, ended) = std::sync::mpsc::channel::<()>();
    let counted = Arc::clone(progress);
    let thread = std::thread::Builder::new()
        .name("batch".to_owned())
        .spawn(move || {
            let result = run.run(&counted);
            drop(done);
            result
        })
        .map_err(|error| Failure::new(format!("cannot start a thread: {error}")))?;
    if let Some(bar) = &bar {
        bar.tick();
    }
    let mut told_at = Instant::now();
    while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(TICK) {
        let now = progress.now();
        match &bar {
            Some(bar) => {
                bar.set_position(now.bytes);
                bar.set_message(format!(
                    "{}, {} not clean",
                    number_of(now.messages, "message"),
                    now.found
                ));
            }
            None if !quiet && told_at.elapsed() >= LINE => {
                told_at = Instant::now();
                say(&line(&now));
            }
            None => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
    match thread.join() {
        Ok(result) => result.map_err(Failure::from),
        Err(_) => Err(Failure::new("the run broke down")
            .hint("--resume goes on with it; please report the internal error above")),
    }
}

fn bar(total: u64) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(5));
    let template =
        "{elapsed} [{bar:30}] {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left, {msg}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

fn line(now: &Moment) -> String {
    let left = match now.left() {
        Some(left) => format!("{} left", HumanDuration(left)),
        None => "just begun".to_owned(),
    };
    format!(
        "{} of {}, {}/s, {left}, {}, {} not clean, {} not read",
        HumanBytes(now.bytes),
        HumanBytes(now.total),
        HumanBytes(now.rate()),
        number_of(now.messages, "message"),
        now.found,
        now.errors
    )
}

/// Unites the results of several folders.
fn unite(settings: &Settings, arguments: &Arguments, started: Instant) -> Result<Exit, Failure> {
    let folders = &arguments.sources;
    let quiet = settings.detail() == Detail::Brief;
    let (knowledge, _) = settings.knowledge()?;
    let _lock = Lock::take(&arguments.output, "all").map_err(told)?;
    let plan = checkpoint::complete(folders).map_err(told)?;
    // Processes that shared a folder left their parts where they belong.
    let same = |folder: &PathBuf| {
        let real = |path: &PathBuf| std::fs::canonicalize(path).ok();
        real(folder).is_some_and(|own| Some(own) == real(&arguments.output))
    };
    if !(folders.len() == 1 && folders.iter().all(same)) {
        merge(folders, &arguments.output)?;
        if let Some(plan) = plan {
            checkpoint::write(&arguments.output, &plan)?;
        }
    }
    let total = finish(&arguments.output, &knowledge, settings.language())?;
    tell(arguments, quiet, &total, started)?;
    Ok(exit(arguments.fail_at, &total))
}

fn tell(
    arguments: &Arguments,
    quiet: bool,
    total: &PartSummary,
    started: Instant,
) -> Result<(), Failure> {
    if quiet {
        return Ok(());
    }
    let errors = match total.errors {
        0 => String::new(),
        errors => format!(", {errors} not read (errors.ndjson)"),
    };
    let seconds = started.elapsed().as_secs_f64();
    put(&format!(
        "{}: {} clean, {} suspicious, {} malicious{errors}  ({seconds:.1} s)\n{}: results, summary.html for people\n",
        number_of(total.messages, "message"),
        total.clean,
        total.suspicious,
        total.malicious,
        text::path(&arguments.output)
    ))
}

fn exit(fail_at: FailAt, total: &PartSummary) -> Exit {
    let mut exit = Exit::Success;
    let levels = [
        (Level::Suspicious, total.suspicious),
        (Level::Malicious, total.malicious),
    ];
    for (level, messages) in levels {
        if messages > 0 {
            exit = exit.merge(fail_at.exit(level, true));
        }
    }
    if total.errors > 0 {
        exit = exit.merge(Exit::Failed);
    }
    if total.incomplete > 0 {
        exit = exit.merge(Exit::Incomplete);
    }
    exit
}

fn told(error: CannotGoOn) -> Failure {
    let hint = error.hint();
    Failure::new(error).hint_if(hint)
}
