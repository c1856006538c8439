//! `sekisho quarantine list|show|release|delete|export|purge|verify`: work on messages that are held or quarantined.
//!
//! Several may work at the same time, also while the gateway runs. Exit status: 0 done, 1 nothing matched (no such
//! message, or nothing left to be done to it), 2 error.

mod filter;
mod release;
mod show;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::config::{Age, Config};
use crate::knowledge::Knowledge;
use crate::quarantine::{Because, Mending, Store, StoreError, StoreSettings, Ticket};
use crate::text;

use super::exit::{Exit, Failure};
use super::output;
use super::settings::Settings;
use super::{put, say};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List messages, the newest first
    List {
        #[command(flatten)]
        filter: filter::Arguments,
        /// Format of the output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Show everything known of a message, and what was done to it
    Show {
        /// Number of the message
        #[arg(value_name = "ID")]
        id: Ticket,
        /// Format of the output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Send messages on to their recipients
    Release(release::Arguments),
    /// Delete messages; who, when and why stay known
    Delete {
        /// Numbers of messages
        #[arg(value_name = "ID", required = true)]
        ids: Vec<Ticket>,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Write a message into a file, as it came
    Export {
        /// Number of the message
        #[arg(value_name = "ID")]
        id: Ticket,
        /// File to write; must not exist yet
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Pack it with its report into a zip with the password "infected"
        #[arg(long)]
        zip: bool,
    },
    /// Remove what is older than `keep` of the configuration
    Purge {
        /// Remove what is older than this instead, such as 30d
        #[arg(long, value_name = "AGE")]
        older_than: Option<Age>,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
        /// Why, for the audit
        #[arg(long, value_name = "TEXT", default_value = "past its time")]
        reason: String,
    },
    /// Read every message, compare index and files, and mend what differs
    Verify {
        /// Only say what differs
        #[arg(long)]
        dry_run: bool,
        /// Format of the output
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// JSON
    Json,
}

/// What every command works with.
struct Desk {
    store: Store,
    knowledge: Knowledge,
    config: Config,
    /// In whose name.
    who: String,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let hint = error.hint();
        Self::new(error).hint_if(hint)
    }
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    let (knowledge, config) = settings.knowledge()?;
    let path = &config.quarantine.path;
    if !Store::exists(path)? {
        say(&format!("{}: no quarantine there yet", text::path(path)));
        return Ok(Exit::Found);
    }
    let store = Store::open(
        path,
        StoreSettings {
            keep: config.quarantine.keep,
            max_size: config.quarantine.max_size,
        },
    )?;
    let desk = Desk {
        store,
        knowledge,
        config,
        who: who(),
    };
    match &arguments.command {
        Command::List { filter, format } => list(&desk, filter, *format),
        Command::Show { id, format } => found(show::run(&desk, settings, *id, *format)),
        Command::Release(arguments) => release::run(settings, &desk, arguments),
        Command::Delete { ids, reason } => delete(&desk, ids, reason),
        Command::Export { id, output, zip } => found(export(&desk, *id, output, *zip)),
        Command::Purge {
            older_than,
            dry_run,
            reason,
        } => purge(&desk, *older_than, *dry_run, reason),
        Command::Verify { dry_run, format } => verify(&desk, *dry_run, *format),
    }
}

/// A message that is not there, or whose state forbids it, is told and is no error.
fn found(done: Result<(), Wrong>) -> Result<Exit, Failure> {
    match done {
        Ok(()) => Ok(Exit::Success),
        Err(Wrong::Store(error @ (StoreError::NotFound { .. } | StoreError::Refused { .. }))) => {
            say(&error.to_string());
            Ok(Exit::Found)
        }
        Err(Wrong::Store(error)) => Err(error.into()),
        Err(Wrong::Told(failure)) => Err(failure),
    }
}

/// What a command on one message may fail by.
enum Wrong {
    Store(StoreError),
    Told(Failure),
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Failure> for Wrong {
    fn from(failure: Failure) -> Self {
        Self::Told(failure)
    }
}

fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(value).map_err(Failure::new)?;
    put(&(json + "\n"))
}

fn list(desk: &Desk, filter: &filter::Arguments, format: Format) -> Result<Exit, Failure> {
    let entries = desk
        .store
        .list(&filter.filter(&desk.knowledge.catalogue)?)?;
    match format {
        Format::Json => json(&entries)?,
        Format::Text => put(&show::table(&entries))?,
    }
    if entries.is_empty() {
        say("no message matches");
        return Ok(Exit::Found);
    }
    if filter.is_limit(entries.len()) {
        say("there may be more: --limit N, 0 for all");
    }
    Ok(Exit::Success)
}

fn delete(desk: &Desk, ids: &[Ticket], reason: &str) -> Result<Exit, Failure> {
    let mut exit = Exit::Success;
    for id in ids {
        let because = Because {
            who: &desk.who,
            why: reason,
        };
        let done = desk.store.delete(*id, because).map_err(Wrong::from);
        exit = exit.merge(found(
            done.and_then(|()| Ok(put(&format!("{id}  deleted\n"))?)),
        )?);
    }
    Ok(exit)
}

fn export(desk: &Desk, id: Ticket, path: &std::path::Path, zip: bool) -> Result<(), Wrong> {
    let message = desk.store.message(id)?;
    if !zip {
        output::write(path, |file| file.write_all(&message))?;
        return Ok(());
    }
    let report = desk.store.report(id)?;
    let report = serde_json::to_vec_pretty(&report).map_err(Failure::new)?;
    let members = [
        (format!("{id}.eml"), message.as_slice()),
        ("report.json".to_owned(), report.as_slice()),
    ];
    output::write(path, |file| output::archive(file, &members))?;
    Ok(())
}

fn purge(
    desk: &Desk,
    older_than: Option<Age>,
    dry_run: bool,
    reason: &str,
) -> Result<Exit, Failure> {
    let age = older_than.map(|age| age.0);
    let gone: Vec<Ticket> = if dry_run {
        let entries = desk.store.past_its_time(age)?;
        entries.iter().map(|entry| entry.id).collect()
    } else {
        let because = Because {
            who: &desk.who,
            why: reason,
        };
        desk.store.purge(age, because)?
    };
    let said = if dry_run { "would expire" } else { "expired" };
    let lines: String = gone.iter().map(|id| format!("{id}  {said}\n")).collect();
    put(&lines)?;
    Ok(if gone.is_empty() {
        say("nothing is old enough");
        Exit::Found
    } else {
        Exit::Success
    })
}

fn verify(desk: &Desk, dry_run: bool, format: Format) -> Result<Exit, Failure> {
    let mending = if dry_run {
        Mending::Told
    } else {
        Mending::Done
    };
    let verified = desk.store.verify(mending)?;
    match format {
        Format::Json => json(&verified)?,
        Format::Text => put(&show::verified(&verified, mending))?,
    }
    let lost = verified
        .mismatches
        .iter()
        .any(|mismatch| mismatch.is_loss());
    Ok(if lost { Exit::Failed } else { Exit::Success })
}

/// Who runs the command: the user behind sudo, else the login name, with the user id that the system knows.
fn who() -> String {
    let name = ["SUDO_USER", "LOGNAME", "USER"]
        .iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty())
        .map(|name| text::excerpt(&name.to_string_lossy()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        if let Ok(process) = std::fs::metadata("/proc/self") {
            let uid = process.uid();
            let name = name.or_else(|| named(uid));
            return format!("{} (uid {uid})", name.as_deref().unwrap_or("somebody"));
        }
    }
    name.unwrap_or_else(|| "somebody".to_owned())
}

/// The name of a user by passwd(5), where cron or a container sets no variable.
#[cfg(unix)]
fn named(uid: u32) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, id) = (fields.next()?, fields.nth(1)?);
        (id == uid.to_string()).then(|| text::excerpt(name))
    })
}
