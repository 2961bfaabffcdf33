//! `countersign cargo-credential`: a token for cargo, which asks for it by `cargo:token-from-stdout`.

use std::process::ExitCode;

use clap::Args;
use countersign_client::{Client, RequestedResource};

use crate::failure::Failure;
use crate::job::JobArguments;
use crate::masking::mask;
use crate::origin::Origin;
use crate::process::Process;
use crate::token_cache::CacheArguments;

const HELP: &str = "\
In .cargo/config.toml:
  [registries.acme]
  index = \"sparse+https://registry.example.com/index/\"
  credential-provider = [\"cargo:token-from-stdout\", \"countersign\", \"cargo-credential\", \"pkg:cargo/acme-lib\",
      \"--endpoint\", \"https://registry.example.com\"]

Then:
  cargo publish --registry acme

Cargo says which registry it asks for. A token goes to the endpoint's own host only, and to an index elsewhere when
--index names it.";

/// `countersign cargo-credential`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What the token is for, such as pkg:cargo/acme-lib
    resource: RequestedResource,
    /// The registry's index, if it is on another host than the endpoint
    #[arg(long, value_name = "URL")]
    index: Option<String>,
    /// Where and who.
    #[command(flatten)]
    job: JobArguments,
    /// Shared or not.
    #[command(flatten)]
    cache: CacheArguments,
}

/// Where cargo says which registry the token is for (Cargo reference, "cargo:token-from-stdout").
const INDEX: &str = "CARGO_REGISTRY_INDEX_URL";

/// Prints the token alone.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let variables = process.surroundings.variables.clone();
    let cache = arguments.cache.read(&variables)?;
    let client = Client::new(process.surroundings, arguments.job.settings()?)?;
    if let Some(asked) = variables.text(INDEX) {
        let known = arguments.index.as_deref().unwrap_or(client.endpoint().as_str());
        if Origin::of(without_kind(asked)) != Origin::of(without_kind(known)) {
            return Err(Failure::OtherIndex { asked: asked.to_owned(), known: known.to_owned() });
        }
    }
    let answer = cache.login(&client, &arguments.resource, &mut process.stderr)?;
    mask(client.surroundings(), &answer.access_token, &mut process.stderr)?;
    writeln!(process.stdout, "{}", answer.access_token.expose())?;
    process.stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Cargo writes the protocol of a sparse index before its URL.
fn without_kind(index: &str) -> &str {
    index.strip_prefix("sparse+").unwrap_or(index)
}
