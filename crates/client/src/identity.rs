//! Where the job's id token comes from.

use std::fmt;

use countersign_core::{Audience, IdToken};
use thiserror::Error;

use crate::ambient::{self, AmbientProvider, MintError};
use crate::surroundings::Surroundings;
use crate::unverified::{UnverifiedClaims, UnverifiedError};

/// The variable with an id token that somebody else had minted.
pub const ID_TOKEN_VARIABLE: &str = "HF_OIDC_ID_TOKEN";

/// An id token, and where it is from.
#[derive(Debug)]
pub struct Identity {
    token: IdToken,
    source: Source,
    provider: Option<&'static AmbientProvider>,
}

impl Identity {
    /// Finds the job's id token: the one supplied, else the one in `HF_OIDC_ID_TOKEN`, else one that the provider mints
    /// (`provider` by name, else the one detected). With either of the first two, `provider` is not even looked at.
    pub fn find(
        surroundings: &Surroundings,
        supplied: Option<&Supplied>,
        provider: Option<&str>,
        audience: &Audience,
    ) -> Result<Self, IdentityError> {
        let variables = &surroundings.variables;
        match supplied {
            Some(Supplied::Token(token)) => return Ok(Self::supplied(token.clone(), Source::Argument)),
            Some(Supplied::Variable(name)) => {
                let unset = || IdentityError::Unset { variable: name.clone() };
                let token = variables.text(name).ok_or_else(unset)?;
                return Ok(Self::supplied(token.to_owned().into(), Source::Variable(name.clone())));
            }
            None => {}
        }
        if let Some(token) = variables.text(ID_TOKEN_VARIABLE) {
            let source = Source::Variable(ID_TOKEN_VARIABLE.to_owned());
            return Ok(Self::supplied(token.to_owned().into(), source));
        }
        let provider = match provider {
            Some(name) => AmbientProvider::named(name)
                .ok_or_else(|| IdentityError::Unsupported { name: name.to_owned() })?,
            None => AmbientProvider::detected(surroundings).ok_or(IdentityError::NoProvider)?,
        };
        Ok(provider.mint(surroundings, audience)?)
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

/// An id token that the caller brings.
#[derive(Clone, Debug)]
pub enum Supplied {
    /// The token itself.
    Token(IdToken),
    /// The name of the variable that holds it.
    Variable(String),
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
}

impl Source {
    /// Whether another token can be had when this one is used up.
    pub const fn mints_again(&self) -> bool {
        match self {
            Self::Argument | Self::Variable(_) => false,
            Self::Service(_) => true,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("an argument"),
            Self::Variable(name) => write!(f, "the variable {name}"),
            Self::Service(host) => write!(f, "the token service at {host}"),
        }
    }
}

/// Why the job has no identity to show.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Nothing is known of where this runs.
    #[error(
        "no supported CI OIDC provider detected, and {ID_TOKEN_VARIABLE} is not set; run this in a job of {known}, or \
         set {ID_TOKEN_VARIABLE} to an id token",
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
    /// The provider gave none.
    #[error(transparent)]
    Mint(#[from] MintError),
}
