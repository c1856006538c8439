//! `sekisho extract PATH -o DIR`: everything that was found in a file, as files.
//!
//! They are named by number and kind, never by an attacker's name, with mode 0600; their names stand in
//! `report.json`. With `--zip` the folder gets one archive instead, `artifacts.zip`, locked with the password
//! `infected` (AES-256), so that a virus scanner of the computer leaves it alone. Exit status: 0 written, 2 failed,
//! 3 written but something could not be looked through whole.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{AesMode, CompressionMethod};

use crate::model::{Artifact, Report};
use crate::report::Detail;
use crate::source::Walk;
use crate::text;

use super::exit::{Exit, Failure};
use super::pool::{Delivery, Outcome, Pool, Sink};
use super::put;
use super::settings::{LimitArguments, PasswordArguments, Settings};

/// What everybody who exchanges samples expects.
const PASSWORD: &str = "infected";

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

/// Makes a file that was not there before, readable by its owner only.
fn write(path: &Path, fill: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
        .open(path)
        .and_then(|mut file| fill(&mut file))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", text::path(path))))
}

fn write_archive(report: &Report, folder: &Path) -> Result<(), Failure> {
    let json = json(report)?;
    write(&folder.join(ARCHIVE), |file| {
        let mut archive = ZipWriter::new(file);
        let mut member = |name: &str, data: &[u8]| {
            let options = SimpleFileOptions::default()
                .compression_method(CompressionMethod::Deflated)
                .unix_permissions(0o600)
                .large_file(u32::try_from(data.len()).is_err())
                .with_aes_encryption(AesMode::Aes256, PASSWORD);
            archive.start_file(name, options)?;
            archive.write_all(data)
        };
        for artifact in &report.artifacts {
            member(&file_name(artifact), &artifact.data)?;
        }
        member(REPORT, &json)?;
        archive.finish()?;
        Ok(())
    })
}
