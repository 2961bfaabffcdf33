//! `countersign publishers apply`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_core::plan::{Plan, Step};
use countersign_core::publisher_file::Entry;
use serde_json::{Value, json};

use super::plan;
use crate::administration::ServerArguments;
use crate::failure::Failure;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign publishers apply publishers.yaml
  countersign publishers apply publishers.yaml --json

It plans anew and shows the plan, then makes all of the changes or none. If anybody changes one of the publishers meanwhile,
nothing is done.";

/// Changes that the server takes at once.
const MOST: usize = 1_000;

/// `countersign publishers apply`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The file, in YAML, TOML or JSON
    file: PathBuf,
    /// Prints what was done as JSON
    #[arg(long)]
    json: bool,
    /// Where, and as whom.
    #[command(flatten)]
    server: ServerArguments,
}

/// Plans, shows the plan, and does it.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let server = arguments.server.connect(&process.surroundings)?;
    let plan = plan::of_file(&arguments.file, &server, &mut process)?;
    plan::show(&plan, arguments.json, &mut process)?;
    let changes = changes(&plan);
    if changes.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    if changes.len() > MOST {
        return Err(Failure::TooManyChanges { most: MOST, found: changes.len() });
    }
    let _changed: Value =
        server.change("/publishers/changes", &json!({ "changes": changes }), process.random)?;
    if !arguments.json {
        writeln!(process.stdout, "done")?;
    }
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// The plan as the server takes it. Trust ends before trust begins: what is removed goes first.
fn changes(plan: &Plan) -> Vec<Value> {
    let removals = plan.steps.iter().filter_map(|step| match step {
        Step::Remove { id, revision, .. } => {
            Some(json!({ "change": "remove", "id": id, "revision": revision }))
        }
        _ => None,
    });
    let others = plan.steps.iter().flat_map(|step| match step {
        Step::Add { after } => vec![json!({ "change": "add", "publisher": {
            "resource": after.resource, "rules": after.rules, "permission": after.permission, "state": after.state,
        } })],
        Step::Change { id, revision, after, differences } => {
            let Entry { rules, permission, state, .. } = after;
            let (states, rest): (Vec<_>, Vec<_>) =
                differences.iter().partition(|difference| difference.field == "state");
            let mut changes = Vec::new();
            if !rest.is_empty() {
                changes.push(json!({
                    "change": "replace", "id": id, "revision": revision, "rules": rules, "permission": permission,
                }));
            }
            if !states.is_empty() {
                // After a replacement the revision is another; nobody comes between in one set of changes.
                let revision = rest.is_empty().then_some(revision);
                changes.push(json!({ "change": "set_state", "id": id, "revision": revision, "state": state }));
            }
            changes
        }
        Step::Remove { .. } | Step::Keep { .. } => Vec::new(),
    });
    removals.chain(others).collect()
}
