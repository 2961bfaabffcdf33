//! `countersign publishers propose`.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::shown;
use crate::administration::{ServerArguments, Warned};
use crate::failure::Failure;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign publishers propose 0198c0de-0000-7000-8000-000000000000 >> publishers.yaml

The id is the request id that the refused job has shown. The entry asks for everything that the run had and that
identifies it; take out what other runs need not have. Nothing is added to the server.";

/// `countersign publishers propose`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The request id of the exchange that was refused
    #[arg(value_name = "REQUEST ID", value_parser = request_id)]
    exchange: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// Where, and as whom.
    #[command(flatten)]
    server: ServerArguments,
}

/// It becomes part of a path.
fn request_id(text: &str) -> Result<String, &'static str> {
    let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(text.to_owned()) } else { Err("expected a request id: letters, digits and -") }
}

#[derive(Deserialize)]
struct Proposal {
    resource: String,
    rules: Map<String, Value>,
    warnings: Vec<Warned>,
}

/// Shows it.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let server = arguments.server.connect(&process.surroundings)?;
    let path = format!("/exchanges/{}/proposal", arguments.exchange);
    let Proposal { resource, rules, warnings } = server.ask(&path, &json!({}))?;
    if arguments.json {
        let mut entry = rules;
        entry.insert("resource".to_owned(), resource.into());
        let proposal = json!({ "publisher": entry, "warnings": warnings });
        writeln!(process.stdout, "{}", serde_json::to_string_pretty(&proposal)?)?;
    } else {
        process.stdout.write_all(yaml(&resource, &rules).as_bytes())?;
        for warning in &warnings {
            process.stderr.write_all(shown::warning(warning, process.paint).as_bytes())?;
        }
    }
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// An entry of the file. What JSON writes is YAML too, and quoted it can be mistaken for nothing else.
fn yaml(resource: &str, rules: &Map<String, Value>) -> String {
    let mut lines = vec![format!("  - resource: {}", Value::from(resource))];
    for (name, value) in rules {
        match value {
            Value::Object(members) if members.is_empty() => {}
            Value::Array(elements) if elements.is_empty() => {}
            Value::Object(members) => {
                lines.push(format!("    {name}:"));
                lines.extend(
                    members
                        .iter()
                        .map(|(name, value)| format!("      {}: {value}", Value::from(name.as_str()))),
                );
            }
            value => lines.push(format!("    {name}: {value}")),
        }
    }
    lines.join("\n") + "\n"
}
