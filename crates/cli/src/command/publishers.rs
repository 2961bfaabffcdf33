//! `countersign publishers`: trusted publishers, on a server and in a file.

mod add;
mod apply;
mod change;
mod lint;
mod list;
mod plan;
mod propose;
mod schema;
mod shown;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::failure::Failure;
use crate::process::Process;

/// `countersign publishers`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Shows the trusted publishers, or those of one resource
    List(list::Arguments),
    /// Trusts the runs that meet the given conditions to have tokens for a resource
    Add(add::Arguments),
    /// Stops publishers, and ends their tokens, until they are enabled again
    Disable(change::Arguments),
    /// Enables publishers again; tokens that disabling them ended stay dead
    Enable(change::Arguments),
    /// Removes publishers, and ends their tokens
    Remove(change::Arguments),
    /// Shows what has to change for the publishers to become those of a file
    Plan(plan::Arguments),
    /// Makes the publishers those of a file: all of the changes, or none
    Apply(apply::Arguments),
    /// Shows the publisher that would have let in a run that was refused, as an entry for a file
    Propose(propose::Arguments),
    /// Says what is weak in the publishers of a file, and what could happen
    Lint(lint::Arguments),
    /// Prints the JSON Schema of such a file, for editors
    Schema(schema::Arguments),
}

/// Does it.
pub(crate) fn run(arguments: Arguments, process: Process) -> Result<ExitCode, Failure> {
    match arguments.command {
        Command::List(arguments) => list::run(arguments, process),
        Command::Add(arguments) => add::run(arguments, process),
        Command::Disable(arguments) => change::run(arguments, &change::DISABLE, process),
        Command::Enable(arguments) => change::run(arguments, &change::ENABLE, process),
        Command::Remove(arguments) => change::run(arguments, &change::REMOVE, process),
        Command::Plan(arguments) => plan::run(arguments, process),
        Command::Apply(arguments) => apply::run(arguments, process),
        Command::Propose(arguments) => propose::run(arguments, process),
        Command::Lint(arguments) => lint::run(&arguments, process),
        Command::Schema(arguments) => schema::run(&arguments, process),
    }
}
