//! The command line.

use clap::{Args, Parser, Subcommand};
use countersign_client::{Endpoint, RequestedResource, Settings, Supplied};
use countersign_core::Audience;

use crate::failure::Failure;

const AFTER_HELP: &str = "\
Examples:
  countersign token acme/awesome-model
  HF_TOKEN=$(countersign token acme/awesome-model) hf upload acme/awesome-model .
  countersign token pkg:pypi/acme-lib --endpoint https://registry.example.com --json
  countersign whoami

Id tokens come from --id-token-env, else from HF_OIDC_ID_TOKEN, else from the CI provider that runs the job.

Exit codes:
  0  done
  1  something else went wrong, such as a closed output
  2  usage: an argument or a variable makes no sense
  3  no identity: no CI provider was detected, or it gave no usable id token
  4  refused: the server understood and said no; its reason is shown
  5  unreachable: the server could not be asked, cannot serve now, or is no token server";

const TOKEN_HELP: &str = "\
Examples:
  countersign token acme/awesome-model
  HF_TOKEN=$(countersign token datasets/acme/x) hf upload acme/x . --repo-type dataset
  countersign token acme --json
  countersign token acme/model --id-token-env MY_ID_TOKEN --endpoint https://registry.example.com

The token alone goes to standard output. In GitHub Actions the command that masks it in the log (::add-mask::) goes to
standard error, where the runner reads it too and $(...) does not: do not redirect standard error into a file or into
standard output there.";

const WHOAMI_HELP: &str = "\
Examples:
  countersign whoami
  countersign whoami --json
  countersign whoami --audience https://registry.example.com

The claims are what the id token says of itself. Nobody has verified them: this is to see what a publisher's conditions
must match. Neither the token nor its signature is shown.";

/// Exchanges a CI job's identity for a registry's short-lived access token; no secret is stored in CI.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints an access token for one resource
    Token(TokenArguments),
    /// Shows who the registry would see: the CI provider and the claims of this job's id token
    Whoami(WhoamiArguments),
}

/// `countersign token`.
#[derive(Debug, Args)]
#[command(after_help = TOKEN_HELP)]
pub(crate) struct TokenArguments {
    /// What the token is for: namespace/name, datasets/namespace/name, a user name, pkg:pypi/name …
    pub resource: RequestedResource,
    /// Where and who.
    #[command(flatten)]
    pub job: JobArguments,
    /// Prints the server's whole answer as JSON
    #[arg(long)]
    pub json: bool,
}

/// `countersign whoami`.
#[derive(Debug, Args)]
#[command(after_help = WHOAMI_HELP)]
pub(crate) struct WhoamiArguments {
    /// Where and who.
    #[command(flatten)]
    pub job: JobArguments,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Which registry is asked, and with which identity.
#[derive(Debug, Args)]
pub(crate) struct JobArguments {
    // Parsed later, as is the name below: clap would repeat a password or a token that was put here by mistake.
    /// The registry [default: the one in `HF_ENDPOINT`, else the Hugging Face Hub]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// What the id token is minted for [default: the endpoint]
    #[arg(long)]
    audience: Option<Audience>,
    /// The CI provider, such as github or gitlab [default: detected]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The name of the variable that holds an id token; it is exchanged as it is
    #[arg(long, value_name = "NAME")]
    id_token_env: Option<String>,
}

impl JobArguments {
    /// What the client takes.
    pub(crate) fn settings(self) -> Result<Settings, Failure> {
        let endpoint = self.endpoint.map(|text| text.trim().parse::<Endpoint>()).transpose();
        let supplied = match self.id_token_env {
            Some(name) if !is_variable_name(&name) => return Err(Failure::VariableName),
            name => name.map(Supplied::Variable),
        };
        Ok(Settings {
            endpoint: endpoint.map_err(Failure::Endpoint)?,
            audience: self.audience,
            supplied,
            provider: self.provider,
        })
    }
}

/// Letters, digits and `_`: no JWT is one, each has two dots.
fn is_variable_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
