//! `sekisho config check|show|schema`: whether a configuration holds, what is in force, what may stand in it.
//!
//! Exit status of `check`: 0 good, 1 not, 2 could not be read.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::config::{BadConfig, Config};
use crate::knowledge::Knowledge;
use crate::text;

use super::exit::{Exit, Failure};
use super::settings::Settings;
use super::{put, say};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say whether a configuration holds
    Check {
        /// The file [default: the one that other commands would use]
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Print the configuration in force, with defaults spelled out
    Show,
    /// Print the JSON Schema of the configuration file
    Schema,
}

pub(super) fn run(settings: &Settings, arguments: &Arguments) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Check { file } => check(settings, file.clone()),
        Command::Show => {
            let (_, config) = settings.knowledge()?;
            let origin = match &config.origin {
                Some(path) => format!("# from {}\n", text::path(path)),
                None => "# no configuration file: built-in defaults\n".to_owned(),
            };
            put(&(origin + &config.to_toml()))?;
            Ok(Exit::Success)
        }
        Command::Schema => {
            let schema = serde_json::to_string_pretty(&Config::schema()).map_err(Failure::new)?;
            put(&(schema + "\n"))?;
            Ok(Exit::Success)
        }
    }
}

fn check(settings: &Settings, file: Option<PathBuf>) -> Result<Exit, Failure> {
    let Some(path) = file.or_else(|| settings.config_path()) else {
        put("no configuration file: built-in defaults\n")?;
        return Ok(Exit::Success);
    };
    let knowledge = Knowledge::embedded().map_err(Failure::new)?;
    match Config::read(&path, &knowledge.catalogue) {
        Ok(_) => {
            put(&format!("{}: good\n", text::path(&path)))?;
            Ok(Exit::Success)
        }
        Err(error @ BadConfig::Invalid { .. }) => {
            say(&error.to_string());
            Ok(Exit::Found)
        }
        Err(error @ BadConfig::Unreadable { .. }) => Err(Failure::new(error)),
    }
}
