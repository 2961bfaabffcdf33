//! `countersign publishers list`.

use std::process::ExitCode;

use clap::Args;
use countersign_core::{Resource, UnixTime};
use serde_json::Value;

use super::shown;
use crate::administration::ServerArguments;
use crate::failure::Failure;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign publishers list
  countersign publishers list acme/awesome-model --json
  countersign publishers list --unused-for 90";

/// Seconds.
const DAY: i64 = 24 * 60 * 60;

/// `countersign publishers list`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The resource; all that the admin token is about if it is left out
    resource: Option<Resource>,
    /// Only those that let nobody in for so many days, although they were there
    #[arg(long, value_name = "DAYS")]
    unused_for: Option<u32>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Where, and as whom.
    #[command(flatten)]
    server: ServerArguments,
}

/// Shows them.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let server = arguments.server.connect(&process.surroundings)?;
    let resource = arguments.resource.map(|resource| resource.to_string());
    let now = process.surroundings.clock.now();
    let since = |days: u32| UnixTime::from_seconds(now.as_seconds() - i64::from(days) * DAY);
    let unused_since = arguments.unused_for.map(since);
    if arguments.json {
        let publishers: Vec<Value> = server.publishers(resource.as_deref(), unused_since)?;
        writeln!(process.stdout, "{}", serde_json::to_string_pretty(&publishers)?)?;
    } else {
        let publishers = server.publishers(resource.as_deref(), unused_since)?;
        let shown: Vec<String> =
            publishers.iter().map(|listed| shown::listed(listed, now, process.paint)).collect();
        let shown = if shown.is_empty() { "no trusted publishers\n".to_owned() } else { shown.join("\n") };
        process.stdout.write_all(shown.as_bytes())?;
    }
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
