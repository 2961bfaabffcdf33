//! The commands: one file each.

mod token;
mod whoami;

use std::io::Write;

use countersign_client::Surroundings;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

/// Does what the command line says. Results go to `stdout` and nothing else does.
pub(crate) fn run(
    arguments: Arguments,
    surroundings: Surroundings,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
) -> Result<(), Failure> {
    match arguments.command {
        Command::Token(arguments) => token::run(arguments, surroundings, stdout, stderr),
        Command::Whoami(arguments) => whoami::run(arguments, surroundings, stdout),
    }
}
