//! `countersign token`: an access token on standard output.

use std::io::Write;

use countersign_client::{Client, Surroundings};
use countersign_core::AccessToken;

use crate::arguments::TokenArguments;
use crate::failure::Failure;

/// Exchanges the job's identity and prints the token, or with `--json` the whole answer.
pub(crate) fn run(
    arguments: TokenArguments,
    surroundings: Surroundings,
    stdout: &mut impl Write,
    stderr: &mut impl Write,
) -> Result<(), Failure> {
    let is_github = surroundings.variables.is_exactly("GITHUB_ACTIONS", "true");
    let client = Client::new(surroundings, arguments.job.settings()?)?;
    let response = client.login(&arguments.resource)?;
    // Masked before it is printed: what the log has shown cannot be taken back.
    if is_github {
        writeln!(stderr, "{}", mask(&response.access_token))?;
        stderr.flush()?;
    }
    if arguments.json {
        writeln!(stdout, "{}", response.to_json()?)?;
    } else {
        writeln!(stdout, "{}", response.access_token.expose())?;
    }
    Ok(stdout.flush()?)
}

/// The workflow command that makes GitHub's runner show `***` instead. Its data escapes `%`; the client lets no token
/// with line ends through.
fn mask(token: &AccessToken) -> String {
    format!("::add-mask::{}", token.expose().replace('%', "%25"))
}
