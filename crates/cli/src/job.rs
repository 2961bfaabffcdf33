//! What every command that shows the job's identity is told.

use std::path::PathBuf;

use clap::Args;
use countersign_client::{Endpoint, Settings, Supplied};
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
}

impl IdentityArguments {
    /// What the client takes; registry and audience are as the environment has them.
    pub(crate) fn settings(self) -> Result<Settings, Failure> {
        let name = self.id_token_env.map(|name| VariableName::read("--id-token-env", name)).transpose()?;
        let variable = name.map(|name| Supplied::Variable(name.as_str().to_owned()));
        let supplied = variable.or(self.id_token_file.map(Supplied::File));
        Ok(Settings { supplied, provider: self.provider, ..Settings::default() })
    }
}
