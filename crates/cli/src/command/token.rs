//! `countersign token`: access tokens, where the next step looks for them.

mod form;

use std::process::ExitCode;

use clap::Args;
use countersign_client::{Client, RequestedResource};

use crate::command::token::form::FormArguments;
use crate::failure::Failure;
use crate::job::JobArguments;
use crate::masking::mask;
use crate::process::Process;
use crate::token_cache::CacheArguments;

const HELP: &str = "\
Examples:
  countersign token acme/awesome-model
  HF_TOKEN=$(countersign token datasets/acme/x) hf upload acme/x . --repo-type dataset
  countersign token acme --json
  countersign token acme/model acme/data --github-env MODEL_TOKEN --github-env DATA_TOKEN
  countersign token acme/model --id-token-env MY_ID_TOKEN --endpoint https://registry.example.com

The tokens alone go to standard output, a line each in the order of the resources; with --github-env, --github-output or
--dotenv nothing does. All are exchanged before any is written.

In GitHub Actions the command that masks a token in the log (::add-mask::) goes to standard error, where the runner reads
it too and $(...) does not: do not redirect standard error into a file or into standard output there. The same in Azure
Pipelines (##vso[task.setsecret]). Buildkite's agent is told by its job API. GitLab masks nothing that a job makes
itself; a dotenv file that is uploaded as a report can be read by whoever may read the job's artifacts, so keep it in the
job.";

/// `countersign token`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What the token is for: namespace/name, datasets/namespace/name, a user name, pkg:pypi/name …; several give several
    #[arg(required = true, value_name = "RESOURCE")]
    resources: Vec<RequestedResource>,
    /// Where and who.
    #[command(flatten)]
    job: JobArguments,
    /// Shared or not.
    #[command(flatten)]
    cache: CacheArguments,
    /// In which form.
    #[command(flatten)]
    form: FormArguments,
}

/// Exchanges the job's identity for each resource and puts the tokens where they are wanted.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let variables = process.surroundings.variables.clone();
    // Before the exchange: an id token shall not be used up for a token that has no place to go.
    let form = arguments.form.read(arguments.resources.len(), &variables)?;
    let cache = arguments.cache.read(&variables)?;
    let client = Client::new(process.surroundings, arguments.job.settings()?)?;
    let mut answers = Vec::new();
    for resource in arguments.resources {
        let answer = cache.login(&client, &resource, &mut process.stderr)?;
        mask(client.surroundings(), &answer.access_token, &mut process.stderr)?;
        answers.push((resource, answer));
    }
    form.write(&answers, &mut process.stdout, process.random)?;
    Ok(ExitCode::SUCCESS)
}
