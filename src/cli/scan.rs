//! `sekisho scan PATH…`: one report for each file, whatever it is.
//!
//! Text, JSON, SARIF and HTML come in the order of the inputs, NDJSON as each is done. `--format json` gives one
//! object for one file, and an array as soon as several paths or a folder are given. An input longer than
//! `--max-file` is looked at as far as that and is not complete.

use std::io::{IsTerminal as _, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::{Level, Report};
use crate::report::{Detail, Format, Renderer, Shape, Totals};
use crate::source::{Irregular, Walk};

use super::exit::{Exit, Failure};
use super::pool::{Delivery, Outcome, Pool, Sink, without_opener};
use super::say;
use super::settings::{LimitArguments, PasswordArguments, Settings, threads};

/// Shorter runs get no progress bar.
const LONG_RUN: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Files, folders, or - for standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Format of the output
    #[arg(long, value_enum, default_value_t = FormatName::Text)]
    format: FormatName,
    /// Exit with 1 from this level on
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = FailAt::Suspicious)]
    fail_at: FailAt,
    /// Inputs scanned at the same time [default: one for each core]
    #[arg(short = 'j', long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    passwords: PasswordArguments,
    #[command(flatten)]
    limits: LimitArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// For people
    Text,
    /// One JSON document: an object for one file, else an array
    Json,
    /// One JSON object a line, as soon as it is done
    Ndjson,
    /// SARIF 2.1.0
    Sarif,
    /// One page for a browser
    Html,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailAt {
    /// Suspicious or malicious
    Suspicious,
    /// Malicious only
    Malicious,
}

impl FailAt {
    /// What one report means for the exit code.
    pub(super) fn exit(self, level: Level, complete: bool) -> Exit {
        let least = match self {
            Self::Suspicious => Level::Suspicious,
            Self::Malicious => Level::Malicious,
        };
        if level >= least {
            Exit::Found
        } else if complete {
            Exit::Success
        } else {
            Exit::Incomplete
        }
    }
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    let started = Instant::now();
    let dashes = arguments
        .paths
        .iter()
        .filter(|path| path.as_os_str() == "-");
    if dashes.count() > 1 {
        return Err(Failure::new("- (standard input) can be given only once"));
    }
    let passwords = arguments.passwords.read()?;
    let (engine, config) = settings.engine(&arguments.limits, &[])?;
    let format = match arguments.format {
        FormatName::Text => Format::Text,
        FormatName::Json => Format::Json,
        FormatName::Ndjson => Format::Ndjson,
        FormatName::Sarif => Format::Sarif,
        FormatName::Html => Format::Html,
    };
    let renderer = Renderer::new(Arc::clone(&engine), format, settings.language())
        .detail(settings.detail())
        .paint(settings.paint())
        .shape(shape(&arguments.paths));
    let renderer = Arc::new(renderer);
    let pool = Pool {
        engine,
        threads: threads(arguments.threads, &config),
        passwords,
        delivery: if format == Format::Ndjson {
            Delivery::AsDone
        } else {
            Delivery::AsGiven
        },
        without_opener: without_opener(&arguments.paths),
        keep: keep(Arc::clone(&renderer)),
        weight: |piece: &Piece| piece.text.as_ref().map_or(0, String::len),
    };
    let mut output = Output {
        renderer,
        detail: settings.detail(),
        fail_at: arguments.fail_at,
        started,
        bar: None,
        totals: Totals::default(),
        exit: Exit::Success,
        separate: false,
    };
    output.put(&output.renderer.begin())?;
    pool.run(Walk::new(&arguments.paths), &mut output)?;
    output.end()
}

/// One file gives one object; what a folder holds must not decide the shape.
fn shape(paths: &[PathBuf]) -> Shape {
    match paths {
        [path] if !path.is_dir() => Shape::One,
        _ => Shape::Many,
    }
}

/// What is kept of a report: its piece of the output, and what it counts as.
struct Piece {
    text: Result<String, serde_json::Error>,
    level: Level,
    complete: bool,
}

fn keep(renderer: Arc<Renderer>) -> Arc<dyn Fn(Report) -> Piece + Send + Sync> {
    Arc::new(move |report| Piece {
        text: renderer.report(&report),
        level: report.level,
        complete: report.complete,
    })
}

struct Output {
    renderer: Arc<Renderer>,
    detail: Detail,
    fail_at: FailAt,
    started: Instant,
    bar: Option<ProgressBar>,
    totals: Totals,
    exit: Exit,
    /// Whether something stands before the next piece.
    separate: bool,
}

impl Output {
    fn put(&self, text: &str) -> Result<(), Failure> {
        let write = || {
            let mut stdout = std::io::stdout().lock();
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush())
                .map_err(|error| Failure::output(&error))
        };
        match &self.bar {
            Some(bar) if !text.is_empty() => bar.suspend(write),
            _ => write(),
        }
    }

    fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(message)),
            None => say(message),
        }
    }

    fn end(mut self) -> Result<Exit, Failure> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.totals.elapsed = self.started.elapsed();
        self.put(&self.renderer.end(&self.totals))?;
        Ok(self.exit)
    }
}

impl Sink<Piece> for Output {
    fn deliver(&mut self, outcome: Outcome<Piece>) -> Result<(), Failure> {
        match outcome {
            Outcome::Done(piece) => {
                self.totals.count(piece.level, piece.complete);
                self.exit = self
                    .exit
                    .merge(self.fail_at.exit(piece.level, piece.complete));
                let text = piece.text.map_err(Failure::new)?;
                if !text.is_empty() {
                    if self.separate {
                        self.put(self.renderer.between())?;
                    }
                    self.put(&text)?;
                    self.separate = true;
                }
            }
            Outcome::Unreadable(error) => {
                self.totals.unreadable = self.totals.unreadable.saturating_add(1);
                self.exit = self.exit.merge(Exit::Failed);
                self.say(&error.to_string());
            }
            Outcome::Skipped(skipped) => {
                // Links are ordinary in folders; what they point at is scanned where it lies.
                if skipped.what != Irregular::Link || self.detail == Detail::Whole {
                    self.say(&skipped.to_string());
                }
            }
        }
        self.tick();
        Ok(())
    }

    fn tick(&mut self) {
        if self.bar.is_none()
            && self.detail != Detail::Brief
            && self.started.elapsed() > LONG_RUN
            && std::io::stderr().is_terminal()
        {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            let found = self.totals.suspicious.saturating_add(self.totals.malicious);
            bar.set_message(format!(
                "{} inputs, {found} not clean",
                self.totals.reports()
            ));
            bar.tick();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_decides_before_what_is_incomplete() {
        let exit = FailAt::Suspicious;
        assert_eq!(exit.exit(Level::Suspicious, false), Exit::Found);
        assert_eq!(exit.exit(Level::Clean, false), Exit::Incomplete);
        assert_eq!(exit.exit(Level::Clean, true), Exit::Success);
        let exit = FailAt::Malicious;
        assert_eq!(exit.exit(Level::Suspicious, true), Exit::Success);
        assert_eq!(exit.exit(Level::Suspicious, false), Exit::Incomplete);
        assert_eq!(exit.exit(Level::Malicious, true), Exit::Found);
    }
}
