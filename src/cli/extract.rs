//! `sekisho extract PATH -o DIR`: everything that was found in a file, as files.
//!
//! They are named by number and kind, never by an attacker's name, with mode 0600; their names stand in
//! `report.json`. With `--zip` the folder gets one archive instead, `artifacts.zip`, locked with the password
//! `infected` (AES-256), so that a virus scanner of the computer leaves it alone. Exit status: 0 written, 2 failed,
//! 3 written but something could not be looked through whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::model::{Artifact, Report};
use crate::report::Detail;
use crate::source::Walk;
use crate::text;

use super::exit::{Exit, Failure};
use super::output::{archive, write};
use super::pool::{Delivery, Outcome, Pool, Sink, without_opener};
use super::put;
use super::settings::{LimitArguments, PasswordArguments, Settings};

const REPORT: &str = "report.json";
const ARCHIVE: &str = "artifacts.zip";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// File to take apart, or - for standard input
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Folder to write to; must be empty or not exist yet
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Pack the artifacts into artifacts.zip with the password "infected"
    #[arg(long)]
    zip: bool,
    #[command(flatten)]
    passwords: PasswordArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    if arguments.path.is_dir() {
        return Err(Failure::new(format!(
            "{}: is a folder; extract takes one file",
            text::path(&arguments.path)
        )));
    }
    refuse_what_is_not_empty(&arguments.output)?;
    let passwords = arguments.passwords.read()?;
    let (engine, _) = settings.engine(&arguments.limits, &[])?;
    let pool = Pool {
        engine,
        threads: 1,
        passwords,
        delivery: Delivery::AsGiven,
        without_opener: without_opener(std::slice::from_ref(&arguments.path)),
        keep: Arc::new(|report| report),
        weight: |_| 0,
    };
    let mut scanned = Scanned(None);
    pool.run(
        Walk::new(std::slice::from_ref(&arguments.path)),
        &mut scanned,
    )?;
    let report = scanned.0.ok_or_else(|| {
        Failure::new(format!("{}: nothing was read", text::path(&arguments.path)))
    })?;
    make_folder(&arguments.output)?;
    if arguments.zip {
        write_archive(&report, &arguments.output)?;
    } else {
        for artifact in &report.artifacts {
            write(&arguments.output.join(file_name(artifact)), |file| {
                file.write_all(&artifact.data)
            })?;
        }
    }
    let json = json(&report)?;
    write(&arguments.output.join(REPORT), |file| file.write_all(&json))?;
    if settings.detail() != Detail::Brief {
        put(&said(&report, arguments, settings.detail()))?;
    }
    Ok(if report.complete {
        Exit::Success
    } else {
        Exit::Incomplete
    })
}

/// The one report of the run.
struct Scanned(Option<Report>);

impl Sink<Report> for Scanned {
    fn deliver(&mut self, outcome: Outcome<Report>) -> Result<(), Failure> {
        match outcome {
            Outcome::Done(report) => {
                self.0 = Some(report);
                Ok(())
            }
            Outcome::Unreadable(error) => Err(Failure::new(error)),
            Outcome::Skipped(skipped) => Err(Failure::new(skipped)),
        }
    }
}

fn said(report: &Report, arguments: &Arguments, detail: Detail) -> String {
    let mut out = String::new();
    if detail == Detail::Whole {
        for artifact in &report.artifacts {
            out.push_str(&format!(
                "{}  {}\n",
                file_name(artifact),
                text::excerpt(artifact.label())
            ));
        }
    }
    let into = if arguments.zip {
        arguments.output.join(ARCHIVE)
    } else {
        arguments.output.clone()
    };
    out + &format!(
        "{}: {} ({} artifacts) written to {}\n",
        report.path,
        report.level.as_str(),
        report.artifacts.len(),
        text::path(&into)
    )
}

fn file_name(artifact: &Artifact) -> String {
    format!("{:04}-{}.bin", artifact.id, artifact.kind.as_str())
}

fn json(report: &Report) -> Result<Vec<u8>, Failure> {
    let mut json = serde_json::to_vec_pretty(report).map_err(Failure::new)?;
    json.push(b'\n');
    Ok(json)
}

fn refuse_what_is_not_empty(folder: &Path) -> Result<(), Failure> {
    let refused = |why: &str| {
        Failure::new(format!("{}: {why}", text::path(folder)))
            .hint("give -o a folder that is empty or does not exist yet")
    };
    match std::fs::read_dir(folder) {
        Ok(mut listing) => match listing.next() {
            None => Ok(()),
            Some(_) => Err(refused("the folder is not empty")),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(refused(&error.to_string())),
    }
}

fn make_folder(folder: &Path) -> Result<(), Failure> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(folder).map_err(|error| {
        Failure::new(format!(
            "cannot make the folder {}: {error}",
            text::path(folder)
        ))
    })
}

fn write_archive(report: &Report, folder: &Path) -> Result<(), Failure> {
    let json = json(report)?;
    let artifacts = report.artifacts.iter();
    let members = artifacts.map(|artifact| (file_name(artifact), &artifact.data[..]));
    let members: Vec<(String, &[u8])> = members
        .chain(std::iter::once((REPORT.to_owned(), json.as_slice())))
        .collect();
    write(&folder.join(ARCHIVE), |file| archive(file, &members))
}
