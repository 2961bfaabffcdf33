//! `countersign publishers add`.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use countersign_core::publisher::{ConditionArgument, PinArgument};
use countersign_core::{IssuerUrl, Provider, Resource};
use serde::Deserialize;
use serde_json::{Value, json};

use super::shown;
use crate::administration::{Listed, ServerArguments};
use crate::failure::Failure;
use crate::printable::printable;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign publishers add acme/awesome-model --provider github --set repository=acme/train --set branch=main
  countersign publishers add acme/awesome-model --provider github --set repository=https://github.com/acme/train \\
      --set workflow=.github/workflows/publish.yml --yes
  countersign publishers add acme/new --provider gitlab --set project=acme/train --set ref=main --pending --dry-run

What is pasted, such as a repository's URL, is taken for what it says and shown; it is added only with --yes.";

/// `countersign publishers add`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The publisher.
    #[command(flatten)]
    wanted: Wanted,
    /// Adds it even if what was written is taken for something else
    #[arg(long)]
    yes: bool,
    /// Shows what it would be, and adds nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// Prints the publisher as JSON
    #[arg(long)]
    json: bool,
    /// Where, and as whom.
    #[command(flatten)]
    server: ServerArguments,
}

/// The publisher as it is written.
#[derive(Debug, Args)]
struct Wanted {
    /// What a token will be for
    resource: Resource,
    /// The provider: github, gitlab, … or generic
    #[arg(long)]
    provider: Provider,
    /// The issuer, exactly as in `iss` [default: the provider's one that the server knows]
    #[arg(long, value_name = "URL")]
    issuer: Option<IssuerUrl>,
    /// A condition: a field of the provider (branch=main) or a JSON Pointer (/runner_environment=github-hosted); given twice
    /// for one field, either value will do; := is followed by JSON (/pro:=true)
    #[arg(long = "set", value_name = "FIELD=VALUE")]
    conditions: Vec<ConditionArgument>,
    /// An immutable id that the runs must have, instead of the one that the first run teaches
    #[arg(long = "pin", value_name = "CLAIM=ID")]
    pins: Vec<PinArgument>,
    /// Accepts an event that the provider's preset refuses, such as `workflow_run`
    #[arg(long = "allow-event", value_name = "EVENT")]
    allowed_events: Vec<String>,
    /// The tokens may read only
    #[arg(long)]
    read_only: bool,
    /// The resource does not exist yet: the publisher waits 30 days for its first run
    #[arg(long)]
    pending: bool,
}

/// What the server made of what was sent.
#[derive(Deserialize)]
struct Understanding {
    publisher: Value,
    corrections: Vec<Correction>,
}

#[derive(Deserialize)]
struct Correction {
    field: String,
    written: String,
    taken: String,
}

/// Shows what the server makes of it, and adds it if that is what was written.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let body = arguments.wanted.body()?;
    let server = arguments.server.connect(&process.surroundings)?;
    let seen: Understanding = server.ask("/publishers/preview", &body)?;
    for Correction { field, written, taken } in &seen.corrections {
        let said = format!("{field}: {written} is taken for {taken}");
        writeln!(process.stderr, "{}", printable(&said))?;
    }
    let is_added = !arguments.dry_run && (seen.corrections.is_empty() || arguments.yes);
    let understood = if is_added { server.change("/publishers", &body, process.random)? } else { seen };
    if arguments.json {
        writeln!(process.stdout, "{}", serde_json::to_string_pretty(&understood.publisher)?)?;
    } else {
        let listed: Listed = serde_json::from_value(understood.publisher)?;
        let lead = if is_added { "added" } else { "this would be added" };
        let said = listed.entry().map(|entry| shown::entry(&entry)).unwrap_or_default();
        let id = if is_added { format!(" as {}", listed.id) } else { String::new() };
        let weak = listed.warnings.iter().map(|warning| shown::warning(warning, process.paint));
        let weak: String = weak.collect();
        write!(process.stdout, "{lead} to {}{id}\n{said}{weak}", printable(&listed.resource))?;
    }
    process.stdout.flush()?;
    if is_added || arguments.dry_run { Ok(ExitCode::SUCCESS) } else { Err(Failure::NotAsWritten) }
}

impl Wanted {
    /// As the server takes it.
    fn body(self) -> Result<Value, Failure> {
        Ok(json!({
            "resource": self.resource,
            "permission": self.read_only.then_some("read"),
            "pending": self.pending,
            "rules": {
                "provider": self.provider,
                "issuer": self.issuer,
                "conditions": ConditionArgument::collect(self.conditions),
                "pins": PinArgument::collect(self.pins)?,
                "allowed_events": BTreeSet::from_iter(self.allowed_events),
            },
        }))
    }
}
