//! `countersign doctor`: what is wrong, and the one change to make.

mod endpoint;
mod examination;
mod fork;
mod http_date;
mod identity;
mod issuer;
mod report;

use std::process::ExitCode;

use clap::Args;
use countersign_client::{Client, RequestedResource};

use crate::command::doctor::examination::{Examination, Exchange};
use crate::failure::Failure;
use crate::job::JobArguments;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign doctor
  countersign doctor acme/awesome-model
  countersign doctor acme/awesome-model --exchange
  countersign doctor --endpoint https://trust.example.com --json

Looks, in this order, at the provider that was detected, its variables, whether it gives this job an id token, whether
this is a pull request from a fork, what the id token says (unverified), its audience, this machine's clock beside the
registry's, the issuer's discovery document and the registry's metadata. What does not depend on a step that failed is
still looked at. With a resource, the registry is asked what an exchange would come to, if it offers that. The exchange
itself is made with --exchange only, since it uses the id token up; the access token is not shown.

Ends with the one change to make, and with the lines to add where it is made in the job or in its provider's settings.
Exit code: 0 if nothing is wrong, else that of the first step that failed, as in `countersign --help`.";

/// `countersign doctor`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What a token would be for
    resource: Option<RequestedResource>,
    /// Makes the exchange too
    #[arg(long, requires = "resource")]
    exchange: bool,
    /// Where and who.
    #[command(flatten)]
    job: JobArguments,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Examines the job and prints what was found.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let settings = arguments.job.settings()?;
    let provider = settings.provider.clone();
    let client = Client::new(process.surroundings, settings)?;
    let exchange = match (&arguments.resource, arguments.exchange) {
        (None, _) => Exchange::LeftOut,
        (Some(resource), false) => Exchange::Explained(resource),
        (Some(resource), true) => Exchange::Made(resource),
    };
    let report = Examination::of(&client, provider.as_deref()).report(exchange);
    if arguments.json {
        writeln!(process.stdout, "{:#}", report.as_json())?;
    } else {
        process.stdout.write_all(report.as_text(process.paint, process.quiet).as_bytes())?;
    }
    process.stdout.flush()?;
    Ok(ExitCode::from(report.code()))
}
