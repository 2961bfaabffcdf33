//! What a registry does with the access token of a request, in one small program.
//!
//! ```console
//! $ registry <issuer-url> <resource> [--read] [--audience <audience>] < token
//! ```
//!
//! The issuer is the public URL of the Countersign server; the resource is what the request wants to change, or with
//! `--read` to read. Tokens are expected to be for the issuer itself unless `--audience` says otherwise. The program
//! prints who may do what until when; or the reason why not, and exits with status 1.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::sync::Arc;

use countersign_core::{AccessToken, Permission, Resource, UnixTime};
use countersign_verify::{AccessTokenVerifier, DiscoverySettings, HttpFetch, HttpSettings, Network};

type Error = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (text, status) = match answer().await {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => (format!("refused: {error}"), ExitCode::FAILURE),
    };
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => status,
        Err(_) => ExitCode::FAILURE,
    }
}

async fn answer() -> Result<String, Error> {
    let request = Request::from_arguments(std::env::args().skip(1))?;
    let mut token = String::new();
    std::io::stdin().lock().read_to_string(&mut token)?;
    let token = AccessToken::from(token.trim().to_owned());

    // Once, when the registry starts. The keys are fetched at the first token, and kept fresh. A server on a private network
    // needs `Network::Any`.
    let issuer = request.issuer.parse()?;
    let http = HttpSettings { network: Network::of(&issuer), ..HttpSettings::default() };
    let fetch = Arc::new(HttpFetch::new(&http)?);
    let verifier = AccessTokenVerifier::discovered(
        issuer,
        request.audience.parse()?,
        fetch,
        DiscoverySettings::default(),
    );

    // For every request: one call, and an error is a refusal.
    let access = verifier.verify(&token, &request.resource, request.permission, now()?).await?;

    Ok(format!(
        "permitted: {} {}\nwho: {} (publisher {})\nrun: {} of {}\nuntil: {} (Unix seconds)",
        access.permission().as_str(),
        access.resource(),
        access.subject(),
        access.publisher(),
        access.run().sub,
        access.run().iss,
        access.expires_at(),
    ))
}

struct Request {
    issuer: String,
    audience: String,
    resource: Resource,
    permission: Permission,
}

impl Request {
    fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, Error> {
        const USAGE: &str =
            "usage: registry <issuer-url> <resource> [--read] [--audience <audience>] < token";
        let (mut permission, mut audience, mut positional) = (Permission::Write, None, Vec::new());
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--read" => permission = Permission::Read,
                "--audience" => audience = Some(arguments.next().ok_or(USAGE)?),
                _ if argument.starts_with('-') => return Err(USAGE.into()),
                _ => positional.push(argument),
            }
        }
        let [issuer, resource] = positional.try_into().map_err(|_| USAGE)?;
        Ok(Self {
            audience: audience.unwrap_or_else(|| issuer.clone()),
            resource: resource.parse()?,
            issuer,
            permission,
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the edge of the program: its clock is the system's")]
fn now() -> Result<UnixTime, Error> {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    Ok(UnixTime::from_seconds(i64::try_from(since_epoch.as_secs())?))
}
