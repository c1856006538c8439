//! `sekisho completions SHELL`: the completion script of a shell, on standard output.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::exit::{Exit, Failure};
use super::put;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let mut command = super::Arguments::command();
    clap_complete::generate(arguments.shell, &mut command, "sekisho", &mut script);
    put(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}
