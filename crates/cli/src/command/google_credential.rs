//! `countersign google-credential`: the job's id token for Google's libraries, as an executable-sourced credential.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use countersign_client::{Client, LoginError, Settings};
use countersign_core::token_exchange::token_type;
use countersign_core::{Audience, IdToken, UnixTime};
use serde_json::{Value, json};

use crate::failure::{Failure, chain};
use crate::job::IdentityArguments;
use crate::process::Process;

const HELP: &str = "\
In the credential configuration that GOOGLE_APPLICATION_CREDENTIALS points to:
  \"credential_source\": {
    \"executable\": { \"command\": \"countersign google-credential\", \"timeout_millis\": 30000 }
  }
with \"subject_token_type\": \"urn:ietf:params:oauth:token-type:id_token\", and in the job
  GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1

Google's library makes the exchange itself, so what it gets is the id token. Every access token that it needs later, in
a job of any length, begins with a new id token.";

/// `countersign google-credential`.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct Arguments {
    /// What the id token is minted for [default: https: and the credential configuration's audience]
    #[arg(long)]
    audience: Option<Audience>,
    /// Who.
    #[command(flatten)]
    identity: IdentityArguments,
}

/// Where Google's libraries say what the credential configuration names (AIP-4117).
const AUDIENCE: &str = "GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE";

/// Prints the answer that Google's libraries read, whether there is a token or not.
///
/// Nothing goes to standard error: they read it together with standard output.
pub(crate) fn run(arguments: Arguments, mut process: Process) -> Result<ExitCode, Failure> {
    let (answer, code) = match id_token(arguments, &process) {
        Ok((token, end)) => (success(&token, end), ExitCode::SUCCESS),
        Err(failure) => {
            let (code, message) = (failure.code(), chain(&failure));
            let answer =
                json!({ "version": 1, "success": false, "code": code.to_string(), "message": message });
            (answer, ExitCode::from(code))
        }
    };
    writeln!(process.stdout, "{answer}")?;
    process.stdout.flush()?;
    Ok(code)
}

fn id_token(arguments: Arguments, process: &Process) -> Result<(IdToken, Option<UnixTime>), Failure> {
    let audience = match (arguments.audience, process.surroundings.variables.text(AUDIENCE)) {
        (Some(audience), _) => audience,
        (None, Some(text)) => usual_audience(text).parse().map_err(Failure::GoogleAudience)?,
        (None, None) => return Err(Failure::NoGoogleAudience),
    };
    let settings = Settings { audience: Some(audience), ..arguments.identity.settings()? };
    let client = Client::new(process.surroundings.clone(), settings)?;
    let identity = client.identify().map_err(LoginError::from)?;
    let end = identity.claims().ok().and_then(|claims| claims.expires_at());
    Ok((identity.token().clone(), end))
}

/// The audience that a workload identity pool accepts unless it was told another: the provider's full name as a URL.
fn usual_audience(text: &str) -> String {
    if text.starts_with("//") { format!("https:{text}") } else { text.to_owned() }
}

fn success(token: &IdToken, end: Option<UnixTime>) -> Value {
    let mut answer = json!({
        "version": 1,
        "success": true,
        "token_type": token_type::ID_TOKEN,
        "id_token": token.expose(),
    });
    if let Some(end) = end {
        answer["expiration_time"] = end.as_seconds().into();
    }
    answer
}
