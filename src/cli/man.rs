//! `sekisho man [COMMAND]`: a manual page on standard output, or all of them into a folder.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use crate::text;

use super::exit::{Exit, Failure};
use super::put;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The command whose page to write [default: the page of sekisho]
    #[arg(value_name = "COMMAND", conflicts_with = "output")]
    command: Option<String>,
    /// Write every page into this folder
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut command = super::Arguments::command();
    command.build();
    if let Some(folder) = &arguments.output {
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(command, folder))
            .map_err(|error| {
                Failure::new(format!("cannot write into {}: {error}", text::path(folder)))
            })?;
        return Ok(Exit::Success);
    }
    let command = match &arguments.command {
        None => command,
        Some(name) => command.find_subcommand(name).cloned().ok_or_else(|| {
            Failure::new(format!("no command {name:?}")).hint("`sekisho --help` lists them")
        })?,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|error| Failure::output(&error))?;
    put(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Success)
}
