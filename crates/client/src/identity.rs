//! Where the job's id token comes from.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use countersign_core::{Audience, IdToken};
use thiserror::Error;

use crate::ambient::{self, AmbientProvider, MintError};
use crate::command::{Command, CommandError};
use crate::surroundings::Surroundings;
use crate::unverified::{UnverifiedClaims, UnverifiedError};

/// The variable with an id token that somebody else had minted.
pub const ID_TOKEN_VARIABLE: &str = "HF_OIDC_ID_TOKEN";
/// The variable with the path of a file that holds one, such as a volume that Kubernetes keeps fresh.
pub const ID_TOKEN_FILE_VARIABLE: &str = "HF_OIDC_ID_TOKEN_FILE";

/// An id token, and where it is from.
#[derive(Debug)]
pub struct Identity {
    token: IdToken,
    source: Source,
    provider: Option<&'static AmbientProvider>,
}

impl Identity {
    /// Finds the job's id token: the one supplied, else the one in `HF_OIDC_ID_TOKEN`, else the one in the file that
    /// `HF_OIDC_ID_TOKEN_FILE` names, else one that the provider mints (`provider` by name, else the one detected). With
    /// any of the first three, `provider` is not even looked at.
    pub fn find(
        surroundings: &Surroundings,
        supplied: Option<&Supplied>,
        provider: Option<&str>,
        audience: &Audience,
    ) -> Result<Self, IdentityError> {
        match Giver::find(surroundings, supplied, provider)? {
            Giver::Caller(supplied) => Self::brought(surroundings, &supplied),
            Giver::Provider(provider) => Ok(provider.mint(surroundings, audience)?),
        }
    }

    pub(crate) fn brought(surroundings: &Surroundings, supplied: &Supplied) -> Result<Self, IdentityError> {
        let (token, source) = match supplied {
            Supplied::Token(token) => (token.clone(), Source::Argument),
            Supplied::Variable(name) => {
                let unset = || IdentityError::Unset { variable: name.clone() };
                let token = surroundings.variables.text(name).ok_or_else(unset)?;
                (token.to_owned().into(), Source::Variable(name.clone()))
            }
            Supplied::File(path) => (read(surroundings, path)?, Source::File(path.clone())),
            Supplied::Command(command) => {
                let printed = surroundings.commands.run(command).map_err(IdentityError::Command)?;
                let no_token = || CommandError::Output { program: command.program.clone() };
                let token = alone(&printed).ok_or_else(|| IdentityError::Command(no_token()))?;
                (token, Source::Command(command.program.clone()))
            }
        };
        Ok(Self::supplied(token, source))
    }

    /// A token that was there before: it is exchanged as it is, and judged by the server alone.
    fn supplied(token: IdToken, source: Source) -> Self {
        Self { token, source, provider: None }
    }

    /// A token that a provider gave, after its checks.
    pub(crate) fn minted(token: IdToken, source: Source, provider: &'static AmbientProvider) -> Self {
        Self { token, source, provider: Some(provider) }
    }

    /// The token.
    pub const fn token(&self) -> &IdToken {
        &self.token
    }

    /// Where it is from.
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The provider that gave it; `None` for a supplied token.
    pub const fn provider(&self) -> Option<&'static AmbientProvider> {
        self.provider
    }

    /// What the token says of itself.
    pub fn claims(&self) -> Result<UnverifiedClaims, UnverifiedError> {
        UnverifiedClaims::read(&self.token)
    }
}

fn read(surroundings: &Surroundings, path: &Path) -> Result<IdToken, IdentityError> {
    let failed = |source| IdentityError::File { path: path.to_owned(), source };
    let text = surroundings.files.read(path).map_err(failed)?;
    not_blank(&text).ok_or_else(|| failed(io::Error::new(io::ErrorKind::InvalidData, "the file is blank")))
}

fn not_blank(text: &str) -> Option<IdToken> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned().into())
}

/// A token and nothing else. What a program says beside it, such as a greeting or an error, is nothing to send to a registry.
fn alone(printed: &str) -> Option<IdToken> {
    not_blank(printed).filter(|token| token.expose().bytes().all(|byte| byte.is_ascii_graphic()))
}

/// Who gives the id token.
pub(crate) enum Giver {
    /// The caller, who has one.
    Caller(Supplied),
    /// A provider, which mints it or has put it into the job.
    Provider(&'static AmbientProvider),
}

impl Giver {
    /// Finds out without asking for the token: see [`Identity::find`].
    pub(crate) fn find(
        surroundings: &Surroundings,
        supplied: Option<&Supplied>,
        provider: Option<&str>,
    ) -> Result<Self, IdentityError> {
        let variables = &surroundings.variables;
        if let Some(supplied) = supplied {
            return Ok(Self::Caller(supplied.clone()));
        }
        if variables.text(ID_TOKEN_VARIABLE).is_some() {
            return Ok(Self::Caller(Supplied::Variable(ID_TOKEN_VARIABLE.to_owned())));
        }
        if let Some(path) = variables.text(ID_TOKEN_FILE_VARIABLE) {
            return Ok(Self::Caller(Supplied::File(path.into())));
        }
        let provider = match provider {
            Some(name) => AmbientProvider::named(name)
                .ok_or_else(|| IdentityError::Unsupported { name: name.to_owned() })?,
            None => AmbientProvider::detected(surroundings).ok_or(IdentityError::NoProvider)?,
        };
        Ok(Self::Provider(provider))
    }
}

/// An id token that the caller brings.
#[derive(Clone, Debug)]
pub enum Supplied {
    /// The token itself.
    Token(IdToken),
    /// The name of the variable that holds it.
    Variable(String),
    /// The file that holds it.
    File(PathBuf),
    /// The command that prints it, asked anew each time.
    Command(Command),
}

/// Where an id token is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The caller gave it.
    Argument,
    /// A variable held it when the job started.
    Variable(String),
    /// The provider's token service at this host minted it.
    Service(String),
    /// A file held it.
    File(PathBuf),
    /// This program printed it.
    Command(String),
}

impl Source {
    /// Whether another token can be had when this one is used up.
    pub const fn mints_again(&self) -> bool {
        match self {
            // A file may be replaced, but nobody knows when.
            Self::Argument | Self::Variable(_) | Self::File(_) => false,
            Self::Service(_) | Self::Command(_) => true,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("an argument"),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::Service(host) => write!(f, "the token service at {host}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Command(program) => write!(f, "the program {program}"),
        }
    }
}

/// Why the job has no identity to show.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Nothing is known of where this runs.
    #[error(
        "no supported CI OIDC provider detected, and {ID_TOKEN_VARIABLE} is not set; run this in a job of one of {known}, \
         or set {ID_TOKEN_VARIABLE} to an id token",
        known = ambient::supported()
    )]
    NoProvider,
    /// A provider was named that this client does not know.
    #[error("the CI provider {name:?} is not supported; expected one of {known}", known = ambient::supported())]
    Unsupported {
        /// The name.
        name: String,
    },
    /// The variable that should hold the token does not.
    #[error("expected an id token in the variable {variable}, which is not set or blank")]
    Unset {
        /// The name.
        variable: String,
    },
    /// The file that should hold the token cannot be read, or is blank.
    #[error("expected an id token in the file {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The command that should print the token did not.
    #[error("the id token command gave none")]
    Command(#[source] CommandError),
    /// The provider gave none.
    #[error(transparent)]
    Mint(#[from] MintError),
}
