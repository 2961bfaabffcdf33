//! Tokens in logs: each provider has its own way to be told what to hide.

use std::io::{self, Write};

use countersign_client::http::Request;
use countersign_client::{Surroundings, Variables};
use countersign_core::AccessToken;
use serde_json::json;

use crate::failure::chain;

/// Has the provider's log show `***` instead of the token, where it can be told while the job runs.
///
/// To be called before the token is written anywhere: what a log has shown cannot be taken back. The command goes to
/// standard error, which runners read as well as standard output and `$(...)` does not take.
pub(crate) fn mask(
    surroundings: &Surroundings,
    token: &AccessToken,
    stderr: &mut dyn Write,
) -> io::Result<()> {
    if let Some(command) = masking_of(&surroundings.variables) {
        writeln!(stderr, "{}", command(token.expose()))?;
    } else if let Some(request) = redaction(&surroundings.variables, token) {
        let outcome = match surroundings.http.send(request) {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!("it answered with status {}", answer.status)),
            Err(error) => Err(chain(&error)),
        };
        if let Err(reason) = outcome {
            let advice = "let no command print it";
            writeln!(
                stderr,
                "countersign: the agent could not be told to hide the token in the log ({reason}); {advice}"
            )?;
        }
    }
    stderr.flush()
}

/// How the provider of this job is told. The client lets no token with line ends through; both escape the per cent sign.
fn masking_of(variables: &Variables) -> Option<fn(&str) -> String> {
    if variables.is_exactly("GITHUB_ACTIONS", "true") {
        // GitHub documentation, "Workflow commands"; Forgejo and Gitea take the same.
        Some(|token| format!("::add-mask::{}", token.replace('%', "%25")))
    } else if variables.text("TF_BUILD").is_some() {
        // Azure DevOps documentation, "Logging commands".
        Some(|token| format!("##vso[task.setsecret]{}", token.replace('%', "%AZP25")))
    } else {
        None
    }
}

/// Buildkite's agent is told by a request to its job API, which is on a socket of this job (Buildkite documentation, "Internal
/// job API"; the agent's `redactor add` does the same).
fn redaction(variables: &Variables, token: &AccessToken) -> Option<Request> {
    if !variables.is_exactly("BUILDKITE", "true") {
        return None;
    }
    let socket = variables.text("BUILDKITE_AGENT_JOB_API_SOCKET")?;
    let credential = variables.text("BUILDKITE_AGENT_JOB_API_TOKEN")?;
    let body = json!({ "redact": token.expose() }).to_string();
    let request = Request::post_json("http://job/api/current-job/v0/redactions".to_owned(), body);
    Some(request.header("authorization", format!("Bearer {credential}")).through(socket))
}
