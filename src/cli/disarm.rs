//! `sekisho disarm PATH -o OUT`: a copy of a file without its active content.
//!
//! The file may be a document, an archive or a whole mail. What is taken out is told by finding and place; what was
//! written was scanned again before. A file with nothing to take out is copied as it is. Where something cannot be
//! taken out, nothing is written. Exit status: 0 written, 1 refused, 2 failed.

mod told;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;
use clap::{Args, ValueEnum};

use crate::engine::{Context, Engine, Input, Worker};
use crate::limits::Budget;
use crate::model::{Artifact, Fact, Report};
use crate::policy::Policy;
use crate::rewrite::Notice;
use crate::rewrite::disarm::{Notices, Proven, Refusal, Removed, Retype, Selection, Task, proven};
use crate::source::Source;
use crate::text;
use crate::unpack::Passwords;

use super::exit::{Exit, Failure};
use super::output::replace;
use super::put;
use super::settings::{LimitArguments, PasswordArguments, Settings};
use told::Told;

/// Stack of the thread that works, in bytes: parser crates may recurse on input.
const STACK: usize = 16 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// File to disarm, or - for standard input
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// File to write, or a folder for a file of the same name, but never the file itself; - for standard output
    #[arg(short, long, value_name = "OUT", required_unless_present = "dry_run")]
    output: Option<PathBuf>,
    /// Say what would be taken out, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Take out only findings of this group or id (may be repeated, or a list with commas)
    #[arg(long, value_name = "GROUP|ID", value_delimiter = ',')]
    only: Vec<String>,
    /// Give documents the type without macros where theirs claims some (docm becomes docx), and files the name that goes
    /// with it
    #[arg(long)]
    rename: bool,
    /// Change parts of mails that are signed too: their signature no longer holds
    #[arg(long)]
    break_signatures: bool,
    /// Format of what is said
    #[arg(long, value_enum, default_value_t = FormatName::Text)]
    format: FormatName,
    #[command(flatten)]
    passwords: PasswordArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// What became of the input.
struct Ended {
    before: Report,
    /// What was made, where something had to go.
    made: Result<Option<Proven>, Refusal>,
    /// Reasons of the allowances by which something stays.
    allowed: Vec<String>,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.path.is_dir() {
        return Err(Failure::new(format!(
            "{}: is a folder; disarm takes one file",
            text::path(&arguments.path)
        )));
    }
    let passwords = arguments.passwords.read()?;
    let (engine, config) = settings.engine(&arguments.limits, &[])?;
    let catalogue = &engine.knowledge.catalogue;
    let selection = match arguments.only.is_empty() {
        true => Selection::usual().map_err(Failure::new)?,
        false => {
            let names = arguments.only.iter().map(|name| name.trim());
            Selection::named(names, catalogue).map_err(|error| {
                Failure::new(error).hint("`sekisho findings` lists groups and ids")
            })?
        }
    };
    let source = match arguments.path.as_os_str() == "-" {
        true => Source::Stdin,
        false => Source::File(arguments.path.clone()),
    };
    let input = source.read(engine.limits.max_file).map_err(Failure::new)?;
    let policy = Policy::new(&config.policy, engine.thresholds);
    let data = input.data.clone();
    let ended = apart(|| {
        let job = Job {
            engine: &engine,
            selection: &selection,
            arguments,
            passwords: &passwords,
            policy: &policy,
        };
        job.run(&input)
    })?;
    let output = match (&ended.made, &arguments.output) {
        (Ok(made), Some(output)) if !arguments.dry_run => Some(target(
            arguments,
            output,
            made.as_ref().and_then(|proven| proven.made.extension),
        )),
        _ => None,
    };
    if let (Ok(made), Some(output)) = (&ended.made, &output) {
        let data = made.as_ref().map_or(&data, |proven| &proven.made.data);
        match output.as_os_str() == "-" {
            true => std::io::stdout()
                .write_all(data)
                .map_err(|error| Failure::output(&error))?,
            false => put_in_place(&arguments.path, output, data)?,
        }
    }
    let told = Told {
        before: &ended.before,
        made: &ended.made,
        allowed: &ended.allowed,
        output: output.as_deref(),
        catalogue,
        language: settings.language(),
        detail: settings.detail(),
        dry_run: arguments.dry_run,
    };
    let said = match arguments.format {
        FormatName::Text => told.text(),
        FormatName::Json => told.json()?,
    };
    match output.as_deref() == Some(Path::new("-")) {
        true => super::say(&said),
        false => put(&said)?,
    }
    Ok(match ended.made {
        Ok(_) => Exit::Success,
        Err(_) => Exit::Found,
    })
}

/// Runs work on a thread with a stack for it; a breakdown of the whole is a failure to be told.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let guarded = || catch_unwind(AssertUnwindSafe(work));
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, guarded)
            .map_err(Failure::new)?;
        match thread.join() {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) | Err(_) => Err(Failure::new("the file broke the program down")),
        }
    })
}

/// Writes the result, but never over the file that it was made of.
fn put_in_place(input: &Path, output: &Path, data: &[u8]) -> Result<(), Failure> {
    let whole = |path: &Path| path.canonicalize().ok();
    if whole(output).is_some_and(|output| whole(input) == Some(output)) {
        let what = format!("{} is the file to disarm", text::path(output));
        return Err(Failure::new(what).hint("give -o another name: the original is not touched"));
    }
    replace(output, data)
}

/// The file to write. A document of another type has a name that goes with it, or its program would not open it; an
/// archive that became a zip is written where it was said, unless names are to follow.
fn target(arguments: &Arguments, output: &Path, extension: Option<&'static str>) -> PathBuf {
    let folder = output.is_dir();
    let file = match arguments.path.file_name() {
        Some(name) if folder => output.join(name),
        _ => output.to_owned(),
    };
    let follows = folder || arguments.rename || extension != Some("zip");
    match extension.filter(|_| follows && output.as_os_str() != "-") {
        Some(extension) => file.with_extension(extension),
        None => file,
    }
}

struct Job<'a> {
    engine: &'a Engine,
    selection: &'a Selection,
    arguments: &'a Arguments,
    passwords: &'a Passwords,
    policy: &'a Policy,
}

impl Job<'_> {
    fn run(&self, input: &Input) -> Ended {
        let mut worker = Worker::new(self.engine);
        let (path, name) = (input.path.clone(), input.name.clone());
        let mut scan = |data: &Bytes| {
            worker.scan(Input {
                path: path.clone(),
                name: name.clone(),
                data: data.clone(),
                facts: Vec::new(),
                context: Context {
                    passwords: self.passwords.clone(),
                    ..Context::default()
                },
            })
        };
        let cut = !input.facts.is_empty();
        let before = scan(&input.data);
        let catalogue = &self.engine.knowledge.catalogue;
        let today = jiff::tz::Offset::UTC
            .to_datetime(jiff::Timestamp::now())
            .date();
        let (stays, allowed) = self.policy.lifted_for_all(&before, catalogue, today);
        let made = match cut {
            true => Err(Refusal::Broken("only its head was read".to_owned())),
            false => self.make(&before, &stays, &mut scan),
        };
        Ended {
            before,
            made,
            allowed,
        }
    }

    fn make(
        &self,
        before: &Report,
        stays: &BTreeSet<usize>,
        scan: &mut dyn FnMut(&Bytes) -> Report,
    ) -> Result<Option<Proven>, Refusal> {
        let catalogue = &self.engine.knowledge.catalogue;
        let mut findings = self.selection.of(before, catalogue);
        findings.retain(|finding| !stays.contains(finding));
        if !before.complete && self.arguments.only.is_empty() {
            return Err(unseen(before, catalogue));
        }
        if findings.is_empty() {
            return Ok(None);
        }
        let notice = Notice::of_file(before, catalogue);
        let text = |part: &Artifact, removed: &[Removed]| notice.text(part, removed);
        let line = |part: &Artifact| notice.line(part);
        let usual = Task::usual(before, &findings, &text, &line);
        let task = Task {
            notices: match self.arguments.only.is_empty() {
                true => usual.notices,
                false => Notices::From(0),
            },
            retype: match self.arguments.rename {
                true => Retype::Plain,
                false => usual.retype,
            },
            break_signatures: self.arguments.break_signatures,
            ..usual
        };
        let limits = self.engine.limits.clone();
        let deadline = Instant::now().checked_add(limits.timeout);
        proven(&task, &Budget::new(limits, deadline), scan).map(Some)
    }
}

/// Why a file that was not looked through whole is not called disarmed.
fn unseen(report: &Report, catalogue: &crate::knowledge::Catalogue) -> Refusal {
    let locked = report.findings.iter().any(|finding| {
        let group = catalogue
            .entry(&finding.id)
            .map(|entry| entry.group.as_str());
        group == Some("encrypted") || finding.id == "pdf-encrypted"
    });
    let member = report.artifacts.iter().find_map(|artifact| {
        artifact.facts.iter().find_map(|fact| match fact {
            Fact::Locked { what, .. } => what.clone(),
            _ => None,
        })
    });
    match locked {
        true => member.map_or(Refusal::Locked, |name| {
            let what = "is locked, and what is in it was not seen";
            Refusal::Broken(format!("{name} {what}"))
        }),
        false => Refusal::Broken("it could not be looked through whole".to_owned()),
    }
}
