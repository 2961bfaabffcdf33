//! `countersign manual`: the help as manual pages.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _};

use crate::arguments;
use crate::failure::Failure;

const HELP: &str = "\
Example:
  countersign manual /usr/local/share/man/man1 && man countersign-exec";

/// `countersign manual`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The folder to write to
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Writes `countersign.1` and a page for each command, as packages install them.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let command = arguments::Arguments::command().disable_help_subcommand(true);
    clap_mangen::generate_to(command, &arguments.folder)
        .map_err(|source| Failure::Manual { folder: arguments.folder.clone(), source })?;
    Ok(ExitCode::SUCCESS)
}
