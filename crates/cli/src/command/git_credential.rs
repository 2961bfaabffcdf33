//! `countersign git-credential`: git's credential helper.

mod request;

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use countersign_client::{Client, RequestedResource};

use crate::command::git_credential::request::Request;
use crate::failure::Failure;
use crate::job::JobArguments;
use crate::masking::mask;
use crate::origin::Origin;
use crate::process::Process;
use crate::token_cache::{CacheArguments, TokenCache};

const HELP: &str = "\
One line of configuration, and every git command against that server uses the job's identity:
  git config --global credential.https://trust.example.com.helper \\
      '!countersign git-credential --endpoint https://trust.example.com --resource acme/model'

For several repositories, let git say which one:
  git config --global credential.https://trust.example.com.useHttpPath true
  git config --global credential.https://trust.example.com.helper \\
      '!countersign git-credential --endpoint https://trust.example.com'
Then the resource is the path of the URL, without .git: https://trust.example.com/datasets/acme/x.git is datasets/acme/x.

A token is given for the endpoint's own host only; git is told nothing about any other. If there is no token, git stops
instead of asking for a password.";

/// `countersign git-credential`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What the token is for [default: the path that git names]
    #[arg(long)]
    resource: Option<RequestedResource>,
    /// The user name that the server expects beside a token
    #[arg(long, default_value = "x-access-token", value_name = "NAME")]
    username: String,
    /// Where and who.
    #[command(flatten)]
    job: JobArguments,
    /// Shared or not.
    #[command(flatten)]
    cache: CacheArguments,
    /// What git wants; it adds this itself
    operation: Operation,
}

/// What git asks of a helper (gitcredentials(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Operation {
    /// A user name and a password
    Get,
    /// Remember: nothing is that git would have to bring
    Store,
    /// Forget: the server took the token no more
    Erase,
}

/// Answers git: a user name and an access token, or nothing if another server is meant.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let variables = process.surroundings.variables.clone();
    let cache = arguments.cache.read(&variables)?;
    match (arguments.operation, &cache) {
        (Operation::Store, _) | (Operation::Erase, TokenCache::Off) => return Ok(ExitCode::SUCCESS),
        (Operation::Get, _) | (Operation::Erase, TokenCache::In(_)) => {}
    }
    let request = Request::read(&mut process.stdin)?;
    let client = Client::new(process.surroundings, arguments.job.settings()?)?;
    if Origin::of(&request.url()) != Origin::of(client.endpoint().as_str()) {
        return Ok(ExitCode::SUCCESS);
    }
    let resource = request.resource(arguments.resource, client.endpoint());
    if arguments.operation == Operation::Erase {
        cache.forget(&client, &resource?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let answer = resource.and_then(|resource| cache.login(&client, &resource, &mut process.stderr));
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => {
            // Whoever configured this wants this token: no other helper is asked, and no person.
            writeln!(process.stdout, "quit=1")?;
            process.stdout.flush()?;
            return Err(failure);
        }
    };
    mask(client.surroundings(), &answer.access_token, &mut process.stderr)?;
    writeln!(process.stdout, "username={}\npassword={}", arguments.username, answer.access_token.expose())?;
    if let Some(lifetime) = answer.expires_in {
        let end = client.surroundings().clock.now() + std::time::Duration::from_secs(lifetime);
        // For a credential cache beside this helper; git before 2.40 passes over it.
        writeln!(process.stdout, "password_expiry_utc={end}")?;
    }
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}
