//! `countersign publishers disable|enable|remove`.

use std::process::ExitCode;

use clap::Args;
use countersign_core::publisher::PublisherId;
use serde_json::{Value, json};

use crate::administration::ServerArguments;
use crate::failure::Failure;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign publishers disable 0198c0de-0000-7000-8000-000000000000

Of several publishers all are changed, or none.";

/// `countersign publishers disable`, `enable` and `remove`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The publishers' ids, as `publishers list` shows them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<PublisherId>,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
    /// Where, and as whom.
    #[command(flatten)]
    server: ServerArguments,
}

/// What is done to them.
pub(super) struct Change {
    done: &'static str,
    change: fn(&PublisherId) -> Value,
}

pub(super) const DISABLE: Change =
    Change { done: "disabled", change: |id| json!({ "change": "set_state", "id": id, "state": "disabled" }) };
pub(super) const ENABLE: Change =
    Change { done: "enabled", change: |id| json!({ "change": "set_state", "id": id, "state": "enabled" }) };
pub(super) const REMOVE: Change =
    Change { done: "removed", change: |id| json!({ "change": "remove", "id": id }) };

/// Does it to all of them, whatever they have become since they were read: in an emergency nobody should have to read first.
pub(crate) fn run(arguments: Arguments, change: &Change, mut process: Process) -> Result<ExitCode, Failure> {
    let server = arguments.server.connect(&process.surroundings)?;
    let changes: Vec<Value> = arguments.ids.iter().map(change.change).collect();
    let _changed: Value =
        server.change("/publishers/changes", &json!({ "changes": changes }), process.random)?;
    if arguments.json {
        let done = json!({ "change": change.done, "ids": arguments.ids });
        writeln!(process.stdout, "{}", serde_json::to_string_pretty(&done)?)?;
    } else {
        for id in &arguments.ids {
            writeln!(process.stdout, "{} {id}", change.done)?;
        }
    }
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
