//! `countersign completions`: what the shell may complete.

use std::process::ExitCode;

use clap::{Args, CommandFactory as _};
use clap_complete::{Shell, generate};

use crate::arguments;
use crate::failure::Failure;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign completions bash > ~/.local/share/bash-completion/completions/countersign
  countersign completions zsh > ~/.zfunc/_countersign
  countersign completions fish > ~/.config/fish/completions/countersign.fish";

/// `countersign completions`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Prints the script that the shell reads.
pub(crate) fn run(arguments: &Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    // The generator has no way to report a closed output: it writes to memory, and this reports.
    let mut script = Vec::new();
    generate(arguments.shell, &mut arguments::Arguments::command(), "countersign", &mut script);
    process.stdout.write_all(&script)?;
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
