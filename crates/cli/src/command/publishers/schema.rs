//! `countersign publishers schema`: the format of the file, for programs.

use std::process::ExitCode;

use clap::Args;
use countersign_core::publisher_file::schema;

use crate::failure::Failure;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign publishers schema > publishers.schema.json

An editor with a YAML language server then completes and checks a file that begins with
  # yaml-language-server: $schema=./publishers.schema.json";

/// `countersign publishers schema`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {}

/// Prints the schema.
pub(crate) fn run(_: &Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    writeln!(process.stdout, "{}", serde_json::to_string_pretty(&schema())?)?;
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
