//! `countersign whoami`: who the registry would see.

use std::iter::once;
use std::process::ExitCode;

use clap::Args;
use countersign_client::{
    AmbientProvider, AudienceChoice, Client, Identity, LoginError, Source, UnverifiedClaims,
};
use countersign_core::UnixTime;
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::job::JobArguments;
use crate::printable::printable;
use crate::process::Process;

const HELP: &str = "\
Examples:
  countersign whoami
  countersign whoami --json
  countersign whoami --audience https://registry.example.com

The claims are what the id token says of itself. Nobody has verified them: this is to see what a publisher's conditions
must match. Neither the token nor its signature is shown.";

/// `countersign whoami`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// Where and who.
    #[command(flatten)]
    job: JobArguments,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Finds or mints the id token and prints where it is from and what it says. Sends nothing to the registry.
pub(crate) fn run(arguments: Arguments, process: Process) -> Result<ExitCode, Failure> {
    let client = Client::new(process.surroundings, arguments.job.settings()?)?;
    let identity = client.identify().map_err(LoginError::from)?;
    let claims = identity
        .claims()
        .map_err(|source| Failure::Unreadable { source_name: identity.source().to_string(), source })?;
    let mut stdout = process.stdout;
    if arguments.json {
        let shown = as_json(&client, &identity, &claims);
        writeln!(stdout, "{}", serde_json::to_string_pretty(&shown)?)?;
    } else {
        stdout.write_all(as_text(&client, &identity, &claims).as_bytes())?;
    }
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn as_text(client: &Client, identity: &Identity, claims: &UnverifiedClaims) -> String {
    let provider = identity.provider().map_or_else(
        || "none asked: the id token was supplied".to_owned(),
        |provider| format!("{} ({}), recognised by {}", provider.title(), provider.name(), provider.sign()),
    );
    let head = format!(
        "provider  {provider}\nid token  from {}, {}\nregistry  {}\naudience  {}\n",
        identity.source(),
        lifetime(claims, client.surroundings().clock.now()),
        client.endpoint(),
        audience(client, claims),
    );
    let remarks = identity.provider().map(remarks).unwrap_or_default();
    let remarks = remarks.into_iter().map(|remark| format!("remark    {remark}\n"));
    let heading = "claims    unverified: decoded only, nobody has checked the signature\n".to_owned();
    let claims = claims.claims().as_map();
    let width = claims.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let lines =
        claims.iter().map(|(name, value)| format!("  {:width$}  {}\n", printable(name), in_words(value)));
    once(head).chain(remarks).chain(once(heading)).chain(lines).collect()
}

/// What is unusual about the provider's tokens.
fn remarks(provider: &AmbientProvider) -> Vec<String> {
    let fixed = match provider.audience_choice() {
        AudienceChoice::Fixed(always) => Some(format!(
            "the audience is fixed: every id token of {} is for {always}, so whoever is shown one could show it elsewhere",
            provider.title()
        )),
        AudienceChoice::Asked | AudienceChoice::Declared => None,
    };
    fixed.into_iter().chain(provider.remark().map(str::to_owned)).collect()
}

fn lifetime(claims: &UnverifiedClaims, now: UnixTime) -> String {
    match claims.expires_at() {
        None => "without an expiry time".to_owned(),
        Some(end) if end <= now => format!("expired {} s ago", now.since(end).as_secs()),
        Some(end) => format!("expires in {} s", end.since(now).as_secs()),
    }
}

/// The audience that the registry expects, and a remark if the token is for somebody else.
fn audience(client: &Client, claims: &UnverifiedClaims) -> String {
    let (wanted, found) = (client.audience(), claims.audiences());
    if found.contains(&wanted.as_str()) {
        wanted.to_string()
    } else {
        format!("{wanted} expected, but the id token is for {:?}", found.join(", "))
    }
}

/// A claim for a person: strings bare, everything else as JSON.
fn in_words(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        other => printable(&other.to_string()),
    }
}

fn as_json(client: &Client, identity: &Identity, claims: &UnverifiedClaims) -> Value {
    let source = match identity.source() {
        Source::Argument => json!({ "kind": "argument" }),
        Source::Variable(name) => json!({ "kind": "variable", "name": name }),
        Source::Service(host) => json!({ "kind": "service", "host": host }),
        Source::File(path) => json!({ "kind": "file", "path": path.to_string_lossy() }),
        Source::Command(program) => json!({ "kind": "command", "program": program }),
    };
    let provider = identity.provider().map(|provider| {
        json!({
            "name": provider.name(),
            "title": provider.title(),
            "sign": provider.sign(),
            "audience": match provider.audience_choice() {
                AudienceChoice::Asked => "asked",
                AudienceChoice::Declared => "declared",
                AudienceChoice::Fixed(_) => "fixed",
            },
            "remarks": remarks(provider),
        })
    });
    json!({
        "provider": provider,
        "source": source,
        "endpoint": client.endpoint().as_str(),
        "audience": client.audience(),
        "verified": false,
        "unverified_claims": claims.claims().as_map(),
    })
}
