//! The command line.

use clap::{Parser, Subcommand};

use crate::command::{
    cargo_credential, completions, doctor, exec, explain, git_credential, google_credential, manual,
    publishers, simulate, token, whoami,
};

const AFTER_HELP: &str = "\
Examples:
  countersign token acme/awesome-model
  HF_TOKEN=$(countersign token acme/awesome-model) hf upload acme/awesome-model .
  countersign exec acme/awesome-model -- hf upload acme/awesome-model .
  countersign token pkg:pypi/acme-lib --endpoint https://registry.example.com --json
  countersign whoami
  countersign doctor acme/awesome-model --exchange
  countersign simulate github --claim repository=acme/other -- countersign whoami

Id tokens come from --id-token-env, --id-token-file or --id-token-command, else from HF_OIDC_ID_TOKEN or the file in
HF_OIDC_ID_TOKEN_FILE, else from the CI provider, the app platform or the cloud that runs the job, in this order.

Exit codes:
  0  done
  1  something else went wrong, such as a closed output
  2  usage: an argument or a variable makes no sense
  3  no identity: no CI provider was detected, or it gave no usable id token
  4  refused: the server understood and said no; its reason is shown
  5  unreachable: the server could not be asked, cannot serve now, or is no token server
  6  weak: `publishers lint` has a warning
  7  different: `publishers plan --check` has found changes to make";

/// Exchanges a CI job's identity for a registry's short-lived access token; no secret is stored in CI.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, after_help = AFTER_HELP, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Says what is wrong and nothing else
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints an access token for one resource
    Token(token::Arguments),
    /// Runs a command with a token that stays fresh for as long as it runs
    Exec(exec::Arguments),
    /// Gives git a token as its password: a credential helper
    GitCredential(git_credential::Arguments),
    /// Gives cargo a token: for cargo:token-from-stdout
    CargoCredential(cargo_credential::Arguments),
    /// Gives Google's libraries the job's id token: an executable-sourced credential
    GoogleCredential(google_credential::Arguments),
    /// Shows who the registry would see: the CI provider and the claims of this job's id token
    Whoami(whoami::Arguments),
    /// Looks for what is wrong, and ends with the one change to make
    Doctor(doctor::Arguments),
    /// Explains what an exchange would come to, without making it
    Explain(explain::Arguments),
    /// Manages trusted publishers, on a server and in a file
    Publishers(publishers::Arguments),
    /// Runs a command as if inside a CI provider's job, to rehearse it
    Simulate(simulate::Arguments),
    /// Prints completions for a shell
    Completions(completions::Arguments),
    /// Writes manual pages, one for each command
    Manual(manual::Arguments),
}
