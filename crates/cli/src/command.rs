//! The commands: one file each.

pub(crate) mod cargo_credential;
pub(crate) mod completions;
pub(crate) mod doctor;
pub(crate) mod exec;
pub(crate) mod explain;
pub(crate) mod git_credential;
pub(crate) mod google_credential;
pub(crate) mod manual;
pub(crate) mod publishers;
pub(crate) mod simulate;
pub(crate) mod token;
pub(crate) mod whoami;

use std::process::ExitCode;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;
use crate::process::Process;

/// Does what the command line says.
pub(crate) fn run(arguments: Arguments, process: Process) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::Token(arguments) => token::run(arguments, process),
        Command::Exec(arguments) => exec::run(arguments, process),
        Command::GitCredential(arguments) => git_credential::run(arguments, process),
        Command::CargoCredential(arguments) => cargo_credential::run(arguments, process),
        Command::GoogleCredential(arguments) => google_credential::run(arguments, process),
        Command::Whoami(arguments) => whoami::run(arguments, process),
        Command::Doctor(arguments) => doctor::run(arguments, process),
        Command::Explain(arguments) => explain::run(arguments, process),
        Command::Publishers(arguments) => publishers::run(arguments, process),
        Command::Simulate(arguments) => simulate::run(arguments, process),
        Command::Completions(arguments) => completions::run(&arguments, process),
        Command::Manual(arguments) => manual::run(&arguments),
    }
}
