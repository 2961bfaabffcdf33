//! `countersign publishers plan`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use countersign_core::Publisher;
use countersign_core::plan::{Plan, plan};

use crate::administration::{Administration, Listed, ServerArguments};
use crate::failure::{DIFFERENT, Failure};
use crate::printable::printable;
use crate::process::Process;
use crate::publisher_file;

const HELP: &str = "\
Examples:
  countersign publishers plan publishers.yaml
  countersign publishers plan publishers.yaml --check      # in CI: exit code 7 if anything differs

Ids that a publisher has learned are no differences.";

/// `countersign publishers plan`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The file, in YAML, TOML or JSON
    file: PathBuf,
    /// Exits with 7 if anything differs
    #[arg(long)]
    check: bool,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Where, and as whom.
    #[command(flatten)]
    server: ServerArguments,
}

/// Shows what would change.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let server = arguments.server.connect(&process.surroundings)?;
    let plan = of_file(&arguments.file, &server, &mut process)?;
    show(&plan, arguments.json, &mut process)?;
    let is_different = arguments.check && !plan.is_empty();
    Ok(if is_different { ExitCode::from(DIFFERENT) } else { ExitCode::SUCCESS })
}

/// What has to change on a server for a file to be true there.
pub(super) fn of_file(path: &Path, server: &Administration, process: &mut Process) -> Result<Plan, Failure> {
    let file = publisher_file::read(path, &*process.surroundings.files)?;
    let listed: Vec<Listed> = server.publishers(None, None)?;
    for listed in listed.iter().filter(|listed| listed.publisher().is_none()) {
        let said = format!(
            "the publisher {} of {} cannot be read, so no plan touches it; it trusts nobody: remove it",
            listed.id, listed.resource
        );
        writeln!(process.stderr, "{}", printable(&said))?;
    }
    let present: Vec<Publisher> = listed.iter().filter_map(Listed::publisher).collect();
    Ok(plan(&file, &present))
}

/// Prints it.
pub(super) fn show(plan: &Plan, json: bool, process: &mut Process) -> Result<(), Failure> {
    if json {
        writeln!(process.stdout, "{}", serde_json::to_string_pretty(plan)?)?;
    } else {
        for line in plan.to_string().lines() {
            writeln!(process.stdout, "{}", printable(line))?;
        }
    }
    process.stdout.flush()?;
    Ok(())
}
