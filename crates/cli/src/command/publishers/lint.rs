//! `countersign publishers lint`: what is weak in a file's publishers.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use countersign_core::Resource;
use countersign_core::lint::{Code, Severity, lint};
use countersign_core::publisher_file::{Entry, PublisherFile};
use serde_json::json;

use super::shown;
use crate::administration::Warned;
use crate::failure::{Failure, WEAK};
use crate::paint::Paint;
use crate::process::Process;
use crate::publisher_file;

const HELP: &str = "\
Examples:
  countersign publishers lint publishers.yaml
  countersign publishers lint publishers.yaml --allow any_branch
  countersign publishers lint publishers.yaml --json

Exit code 6 says that there is a warning that nobody has allowed; notes alone do not. No server is asked, so what an issuer
is set to there is not known: the presets' defaults stand for it.";

/// `countersign publishers lint`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// The file, in YAML, TOML or JSON
    file: PathBuf,
    /// A weakness that is meant, by its code; it is not shown
    #[arg(long, value_name = "CODE")]
    allow: Vec<Code>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What is weak in one publisher.
struct Weak<'a> {
    index: usize,
    resource: &'a Resource,
    warnings: Vec<Warned>,
}

/// Reads the file and shows what is weak in it.
pub(crate) fn run(arguments: &Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let file = publisher_file::read(&arguments.file, &*process.surroundings.files)?;
    let weak = weaknesses(&file, &arguments.allow);
    let is_warned =
        weak.iter().flat_map(|weak| &weak.warnings).any(|warning| warning.severity == Severity::Warning);
    if arguments.json {
        writeln!(process.stdout, "{}", serde_json::to_string_pretty(&as_json(&weak))?)?;
    } else {
        process.stdout.write_all(as_text(&file, &weak, process.paint).as_bytes())?;
    }
    process.stdout.flush()?;
    Ok(if is_warned { ExitCode::from(WEAK) } else { ExitCode::SUCCESS })
}

fn weaknesses<'a>(file: &'a PublisherFile, allowed: &[Code]) -> Vec<Weak<'a>> {
    let of_entry = |(index, entry): (usize, &'a Entry)| {
        let max_exchanges = entry.rules.provider().preset().defaults.max_exchanges;
        let mut warnings = lint(&entry.rules, max_exchanges);
        warnings.retain(|warning| !allowed.contains(&warning.code));
        let warnings = warnings.into_iter().map(Warned::from).collect();
        Weak { index, resource: &entry.resource, warnings }
    };
    file.entries().iter().enumerate().map(of_entry).filter(|weak| !weak.warnings.is_empty()).collect()
}

fn as_json(weak: &[Weak<'_>]) -> serde_json::Value {
    let of_each = weak
        .iter()
        .map(|weak| json!({ "index": weak.index, "resource": weak.resource, "warnings": weak.warnings }));
    json!({ "publishers": of_each.collect::<Vec<_>>() })
}

fn as_text(file: &PublisherFile, weak: &[Weak<'_>], paint: Paint) -> String {
    let of_each = weak.iter().map(|Weak { index, resource, warnings }| {
        let shown: String = warnings.iter().map(|warning| shown::warning(warning, paint)).collect();
        format!("publisher {} of the file, for {resource}\n{shown}", index + 1)
    });
    let count = |severity: Severity| {
        weak.iter().flat_map(|weak| &weak.warnings).filter(|warning| warning.severity == severity).count()
    };
    let (warnings, notes) = (count(Severity::Warning), count(Severity::Note));
    let total = format!("{} publishers: {warnings} warnings, {notes} notes\n", file.entries().len());
    of_each.chain([total]).collect()
}
