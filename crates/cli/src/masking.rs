//! Tokens in logs: each provider has its own way to be told what to hide.

use std::io::{self, Write};

use countersign_client::Variables;
use countersign_core::AccessToken;

/// Has the provider's log show `***` instead of the token, where it can be told while the job runs.
///
/// To be called before the token is written anywhere: what a log has shown cannot be taken back. The command goes to
/// standard error, which runners read as well as standard output and `$(...)` does not take.
pub(crate) fn mask(variables: &Variables, token: &AccessToken, stderr: &mut dyn Write) -> io::Result<()> {
    if let Some(command) = masking_of(variables) {
        writeln!(stderr, "{}", command(token.expose()))?;
        stderr.flush()?;
    }
    Ok(())
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
