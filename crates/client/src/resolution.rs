//! Which token a program uses that was told none: the order of the Hub's own client.

use std::io;
use std::path::{Path, PathBuf};

use countersign_core::AccessToken;
use thiserror::Error;

use crate::cache::TokenCache;
use crate::client::LoginError;
use crate::resource::{RequestedResource, RequestedResourceError};
use crate::variables::Variables;

/// The variable that opts in to the exchange, by naming what the token shall be for.
pub const RESOURCE_VARIABLE: &str = "HF_OIDC_RESOURCE";
/// The variables with a token, in order.
pub const TOKEN_VARIABLES: [&str; 2] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];

/// A token, and where it is from.
#[derive(Debug)]
pub struct ResolvedToken {
    /// The token.
    pub token: AccessToken,
    /// Where it is from.
    pub origin: Origin,
}

/// Where a token is from.
#[derive(Debug, PartialEq, Eq)]
pub enum Origin {
    /// An exchange for this resource.
    Exchange(RequestedResource),
    /// A variable.
    Variable(&'static str),
    /// A token file.
    File(PathBuf),
}

/// Why no token could be resolved. Having none at all is no error.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ResolutionError {
    /// `HF_OIDC_RESOURCE` names nothing.
    #[error("the variable {RESOURCE_VARIABLE} names no resource")]
    Resource(#[source] RequestedResourceError),
    /// The exchange failed. Whoever set `HF_OIDC_RESOURCE` asked for that token and gets no other.
    #[error("{RESOURCE_VARIABLE} asks for a token from the job's identity, and there is none")]
    Exchange(#[source] LoginError),
    /// A token file is there and cannot be read.
    #[error("the token file {} cannot be read; change its permissions, or set HF_TOKEN_PATH", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl TokenCache {
    /// Resolves the token: by exchange if `HF_OIDC_RESOURCE` is set, else from `HF_TOKEN` or `HUGGING_FACE_HUB_TOKEN`,
    /// else from the token file.
    ///
    /// With `HF_OIDC_RESOURCE` set every failure is an error, never a silent fall back to another token: that one might
    /// be allowed more.
    pub fn resolve(&self) -> Result<Option<ResolvedToken>, ResolutionError> {
        let surroundings = self.client().surroundings();
        let variables = &surroundings.variables;
        if let Some(resource) = variables.text(RESOURCE_VARIABLE) {
            let resource: RequestedResource = resource.parse().map_err(ResolutionError::Resource)?;
            let token = self.token(&resource).map_err(ResolutionError::Exchange)?;
            return Ok(Some(ResolvedToken { token, origin: Origin::Exchange(resource) }));
        }
        for name in TOKEN_VARIABLES {
            if let Some(text) = variables.text(name) {
                let token = AccessToken::from(text.to_owned());
                return Ok(Some(ResolvedToken { token, origin: Origin::Variable(name) }));
            }
        }
        let Some(path) = token_path(variables) else { return Ok(None) };
        match surroundings.files.read(&path) {
            Ok(text) if text.trim().is_empty() => Ok(None),
            Ok(text) => {
                let token = AccessToken::from(text.trim().to_owned());
                Ok(Some(ResolvedToken { token, origin: Origin::File(path) }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ResolutionError::File { path, source }),
        }
    }
}

/// `HF_TOKEN_PATH`, else `token` in `HF_HOME`, else in `huggingface` in `XDG_CACHE_HOME`, else in `~/.cache`; `None` where
/// that needs a home directory and there is none.
fn token_path(variables: &Variables) -> Option<PathBuf> {
    let home = || variables.text("HOME").or_else(|| variables.text("USERPROFILE")).map(PathBuf::from);
    let expand = |text: &str| match text.strip_prefix('~') {
        Some("") => home(),
        Some(rest) if rest.starts_with(['/', '\\']) => Some(home()?.join(&rest[1..])),
        _ => Some(Path::new(text).to_owned()),
    };
    if let Some(path) = variables.text("HF_TOKEN_PATH") {
        return expand(path);
    }
    let directory = match (variables.text("HF_HOME"), variables.text("XDG_CACHE_HOME")) {
        (Some(directory), _) => expand(directory)?,
        (None, Some(cache)) => expand(cache)?.join("huggingface"),
        (None, None) => home()?.join(".cache/huggingface"),
    };
    Some(directory.join("token"))
}
