//! The command line: one file per command, arguments, exit codes. The only place that prints.
//!
//! Results go to standard output, talk to standard error. A command gets the common [`Settings`] and its own
//! arguments, and answers with an [`Exit`].

mod batch;
mod completions;
mod config;
mod disarm;
mod exit;
mod extract;
mod findings;
mod given;
mod man;
mod output;
mod pool;
mod quarantine;
mod query;
mod retro;
mod rules;
mod scan;
mod serve;
mod settings;
mod table;

use std::ffi::OsString;
use std::io::Write as _;

use clap::{Parser, Subcommand};

use crate::text;

pub use exit::Exit;

use exit::Failure;
use settings::{Common, Settings};

/// Unpacks mails, documents and archives to the last macro, says with evidence what is in them, and scores it.
#[derive(Debug, Parser)]
#[command(
    name = "sekisho",
    version,
    arg_required_else_help = true,
    subcommand_required = true
)]
#[command(
    after_help = "Exit status of scan: 1 something found, 2 an input could not be read or the run failed, \
3 nothing found but something could not be looked through whole, 0 none of these."
)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Scan files, folders, or standard input
    Scan(scan::Arguments),
    /// Write everything found in a file into a folder
    Extract(extract::Arguments),
    /// Write a copy of a file without its macros and other active content
    Disarm(disarm::Arguments),
    /// Scan mailbox exports message by message, and leave results that answer questions
    Batch(batch::Arguments),
    /// Explain the findings
    Findings(findings::Arguments),
    /// Run the gateway: milter, metrics
    Serve(serve::Arguments),
    /// Ask the results of a batch for messages
    Query(Box<query::Arguments>),
    /// Run new rules over what a batch kept
    Retro(retro::Arguments),
    /// Work on messages that are held or quarantined
    Quarantine(quarantine::Arguments),
    /// Check, list and try YARA rules
    Rules(rules::Arguments),
    /// Check and show the configuration
    Config(config::Arguments),
    /// Write a completion script for a shell
    Completions(completions::Arguments),
    /// Write the manual pages
    Man(man::Arguments),
}

/// Runs the program with its arguments, the first of which is its own name.
pub fn run(arguments: impl Iterator<Item = OsString>) -> Exit {
    report_panics_briefly();
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            // Where even that cannot be written, the exit code still tells.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Failed
            } else {
                Exit::Success
            };
        }
    };
    let settings = Settings::new(arguments.common);
    let ended = match arguments.command {
        Command::Scan(arguments) => scan::run(&settings, &arguments),
        Command::Extract(arguments) => extract::run(&settings, &arguments),
        Command::Disarm(arguments) => disarm::run(&settings, &arguments),
        Command::Batch(arguments) => batch::run(&settings, &arguments),
        Command::Findings(arguments) => findings::run(&settings, &arguments),
        Command::Serve(arguments) => serve::run(settings, &arguments),
        Command::Query(arguments) => query::run(&settings, &arguments),
        Command::Retro(arguments) => retro::run(&settings, &arguments),
        Command::Quarantine(arguments) => quarantine::run(&settings, &arguments),
        Command::Rules(arguments) => rules::run(&settings, arguments),
        Command::Config(arguments) => config::run(&settings, &arguments),
        Command::Completions(arguments) => completions::run(&arguments),
        Command::Man(arguments) => man::run(&arguments),
    };
    match ended {
        Ok(exit) => exit,
        Err(Failure::NobodyReads) => Exit::Success,
        Err(Failure::Told { message, hint }) => {
            say(&message);
            if let Some(hint) = hint {
                say(&format!("hint: {hint}"));
            }
            Exit::Failed
        }
    }
}

/// Says something on standard error. Lines stay lines; everything else that could fool a terminal is escaped.
fn say(message: &str) {
    let mut stderr = std::io::stderr().lock();
    let mut prefix = "sekisho: ";
    for line in message.lines() {
        // Where standard error is gone there is nobody to tell.
        let _ = writeln!(stderr, "{prefix}{}", text::safe(line));
        prefix = "";
    }
}

/// A number of things, for people: `1 message`, `2 messages`.
fn number_of(number: impl TryInto<u64>, one: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {one}{ending}")
}

/// Writes a result to standard output.
fn put(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::output(&error))
}

/// A panic is caught at the engine's edge and becomes a finding; what is said of it here is one line for a bug
/// report, and nothing of it unescaped: its message may quote the input.
fn report_panics_briefly() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        let message = panic.payload_as_str().unwrap_or_default();
        say(&format!(
            "internal error at {}: {} (a bug; the report says scanner-crashed)",
            place.unwrap_or_default(),
            text::excerpt(message)
        ));
    }));
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_table_of_arguments_holds() {
        Arguments::command().debug_assert();
    }
}
