//! `countersign explain`: what an exchange would come to, without making it.

use std::process::ExitCode;

use clap::Args;
use countersign_client::{Client, LoginError, RequestedResource};
use countersign_core::IdToken;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::administration::{AdminArguments, Administration};
use crate::failure::{Failure, REFUSED};
use crate::job::JobArguments;
use crate::paint::{Paint, Tone};
use crate::printable::printable;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign explain acme/awesome-model
  countersign explain acme/awesome-model --json
  countersign explain acme/awesome-model --id-token-file token.jwt --admin-token-file admin-token

The server explains what an exchange of the job's id token would come to. Nothing is issued, and the id token is not used
up. The job learns as much as it has proved; with an admin token that is about the resource, everything is shown.
Exit code 4 says that the exchange would be refused.";

/// `countersign explain`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What the token would be for
    resource: RequestedResource,
    /// Where and who.
    #[command(flatten)]
    job: JobArguments,
    /// Who asks beside the job.
    #[command(flatten)]
    admin: AdminArguments,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// What the server says, as far as it is shown.
#[derive(Deserialize)]
pub(crate) struct Explanation {
    outcome: String,
    code: Option<String>,
    message: String,
    decision: Option<Decision>,
}

impl Explanation {
    /// Whether the exchange would be granted.
    pub(crate) fn is_granted(&self) -> bool {
        self.outcome == "granted"
    }

    /// The same in a sentence.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }
}

/// What the server is asked.
pub(crate) fn question(id_token: &IdToken, resource: &RequestedResource) -> Value {
    json!({ "id_token": id_token.expose(), "resource": resource.as_str() })
}

#[derive(Deserialize)]
struct Decision {
    #[serde(default)]
    publishers: Vec<Report>,
    /// What the job is told instead.
    report: Option<Report>,
    #[serde(default)]
    elsewhere: Vec<Elsewhere>,
}

#[derive(Deserialize)]
struct Report {
    publisher: String,
    proven: bool,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Check {
    subject: String,
    expected: Vec<String>,
    actual: Actual,
    passed: bool,
    hint: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Actual {
    Value(String),
    Absent,
    Other { claim: String, value: String },
}

#[derive(Deserialize)]
struct Elsewhere {
    publisher: String,
    issuer: String,
}

/// Finds or mints the id token, and has the server explain.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let secret = arguments.admin.secret(&process.surroundings)?;
    let client = Client::new(process.surroundings.clone(), arguments.job.settings()?)?;
    let identity = client.identify().map_err(LoginError::from)?;
    let server = Administration::new(&process.surroundings, client.endpoint().clone(), secret);
    let answer: Value = server.ask("/explain", &question(identity.token(), &arguments.resource))?;
    let explanation: Explanation = serde_json::from_value(answer.clone())?;
    if arguments.json {
        writeln!(process.stdout, "{}", serde_json::to_string_pretty(&answer)?)?;
    } else {
        process.stdout.write_all(as_text(&explanation, process.paint).as_bytes())?;
    }
    process.stdout.flush()?;
    Ok(if explanation.is_granted() { ExitCode::SUCCESS } else { ExitCode::from(REFUSED) })
}

fn as_text(explanation: &Explanation, paint: Paint) -> String {
    let Explanation { outcome, code, message, decision } = explanation;
    let tone = if outcome == "granted" { Tone::Good } else { Tone::Wrong };
    let code = code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let head =
        format!("{}{}: {}\n", paint.show(tone, &printable(outcome)), printable(&code), printable(message));
    let Some(decision) = decision else { return head };
    let reports = decision.publishers.iter().chain(&decision.report).map(|report| shown(report, paint));
    let elsewhere = decision.elsewhere.iter().map(|Elsewhere { publisher, issuer }| {
        format!(
            "publisher {}: passed over, it is about runs of {}\n",
            printable(publisher),
            printable(issuer)
        )
    });
    [head].into_iter().chain(reports).chain(elsewhere).collect()
}

/// The checks of one publisher.
fn shown(report: &Report, paint: Paint) -> String {
    let proof = if report.proven { ", whose ids the run has" } else { "" };
    let head = format!("publisher {}{proof}\n", printable(&report.publisher));
    let lines = report.checks.iter().map(|check| {
        let (tone, mark) = if check.passed { (Tone::Good, "ok   ") } else { (Tone::Wrong, "wrong") };
        let actual = match &check.actual {
            Actual::Value(value) => value.clone(),
            Actual::Absent => "nothing".to_owned(),
            Actual::Other { claim, value } => format!("nothing (the claim {claim} is {value})"),
        };
        let hint = check.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let said =
            format!("{}: expected {}, came {actual}{hint}", check.subject, check.expected.join(" or "));
        format!("  {} {}\n", paint.show(tone, mark), printable(&said))
    });
    [head].into_iter().chain(lines).collect()
}
