//! What every command that shows the job's identity is told.

use std::path::PathBuf;

use clap::Args;
use countersign_client::{Command, Endpoint, Settings, Supplied};
use countersign_core::Audience;

use crate::failure::Failure;
use crate::variable_name::VariableName;

/// Which registry is asked, and with which identity.
#[derive(Debug, Args)]
pub(crate) struct JobArguments {
    // Parsed later: clap would repeat a password that was put here by mistake.
    /// The registry [default: the one in `HF_ENDPOINT`, else the Hugging Face Hub]
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// What the id token is minted for [default: the endpoint]
    #[arg(long)]
    audience: Option<Audience>,
    /// Who.
    #[command(flatten)]
    identity: IdentityArguments,
}

impl JobArguments {
    /// What the client takes.
    pub(crate) fn settings(self) -> Result<Settings, Failure> {
        let endpoint = self.endpoint.map(|text| text.trim().parse::<Endpoint>()).transpose();
        let endpoint = endpoint.map_err(Failure::Endpoint)?;
        Ok(Settings { endpoint, audience: self.audience, ..self.identity.settings()? })
    }
}

/// Which identity is shown.
#[derive(Debug, Args)]
pub(crate) struct IdentityArguments {
    /// The CI provider, such as github or gitlab [default: detected]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    // Parsed later: clap would repeat a token that was put here by mistake.
    /// The name of the variable that holds an id token; it is exchanged as it is
    #[arg(long, value_name = "NAME")]
    id_token_env: Option<String>,
    /// The file that holds an id token, read anew for each exchange
    #[arg(long, value_name = "FILE", conflicts_with = "id_token_env")]
    id_token_file: Option<PathBuf>,
    /// The command that prints an id token, split at white space and run anew for each exchange; no shell is between
    #[arg(long, value_name = "COMMAND", conflicts_with_all = ["id_token_env", "id_token_file"])]
    id_token_command: Option<String>,
}

impl IdentityArguments {
    /// What the client takes; registry and audience are as the environment has them.
    pub(crate) fn settings(self) -> Result<Settings, Failure> {
        let supplied = match (self.id_token_env, self.id_token_file, self.id_token_command) {
            (Some(name), _, _) => {
                let name = VariableName::read("--id-token-env", name)?;
                Some(Supplied::Variable(name.as_str().to_owned()))
            }
            (None, Some(path), _) => Some(Supplied::File(path)),
            (None, None, Some(text)) => Some(Supplied::Command(command(&text)?)),
            (None, None, None) => None,
        };
        Ok(Settings { supplied, provider: self.provider, ..Settings::default() })
    }
}

/// The command in an option. Its arguments may be secrets, so it is never repeated.
fn command(text: &str) -> Result<Command, Failure> {
    let Ok(command) = text.parse::<Command>();
    if command.program.is_empty() { Err(Failure::IdTokenCommand) } else { Ok(command) }
}
