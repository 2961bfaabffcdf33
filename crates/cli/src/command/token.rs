//! `countersign token`: an access token on standard output.

use std::process::ExitCode;

use clap::Args;
use countersign_client::{Client, RequestedResource};

use crate::failure::Failure;
use crate::job::JobArguments;
use crate::masking::mask;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign token acme/awesome-model
  HF_TOKEN=$(countersign token datasets/acme/x) hf upload acme/x . --repo-type dataset
  countersign token acme --json
  countersign token acme/model --id-token-env MY_ID_TOKEN --endpoint https://registry.example.com

The token alone goes to standard output. In GitHub Actions the command that masks it in the log (::add-mask::) goes to
standard error, where the runner reads it too and $(...) does not: do not redirect standard error into a file or into
standard output there. The same in Azure Pipelines (##vso[task.setsecret]).";

/// `countersign token`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What the token is for: namespace/name, datasets/namespace/name, a user name, pkg:pypi/name …
    resource: RequestedResource,
    /// Where and who.
    #[command(flatten)]
    job: JobArguments,
    /// Prints the server's whole answer as JSON
    #[arg(long)]
    json: bool,
}

/// Exchanges the job's identity and prints the token, or with `--json` the whole answer.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let variables = process.surroundings.variables.clone();
    let client = Client::new(process.surroundings, arguments.job.settings()?)?;
    let response = client.login(&arguments.resource)?;
    mask(&variables, &response.access_token, &mut process.stderr)?;
    if arguments.json {
        writeln!(process.stdout, "{}", response.to_json()?)?;
    } else {
        writeln!(process.stdout, "{}", response.access_token.expose())?;
    }
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
