//! The request.

use thiserror::Error;

use super::answer::ErrorCode;
use super::parameters::{Parameters, ParametersError};
use super::{GRANT_TYPE, token_type};
use crate::access_token::Permission;
use crate::public_url::PublicUrl;
use crate::resource::{Resource, ResourceError};
use crate::secret::IdToken;

/// What a client asks for: the exchange of an id token for an access token on one resource.
#[derive(Debug)]
pub struct TokenRequest {
    /// The id token, unverified.
    pub subject_token: IdToken,
    /// What the access token shall be for.
    pub resource: Resource,
    /// The `scope` that was asked for: RFC 8693 wants an answer to it.
    pub scope: Option<Scope>,
}

/// A requested scope, as far as it means something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `read` and not `write`: the token shall not be able to write.
    Read,
    /// Anything else. Scopes of other systems, which OAuth libraries send by default, ask for nothing in particular.
    Everything,
}

impl Scope {
    /// Scopes are words between spaces (RFC 6749 §3.3).
    fn read(text: &str) -> Self {
        let has = |word: &str| text.split(' ').any(|found| found == word);
        if has("read") && !has("write") { Self::Read } else { Self::Everything }
    }

    /// The most that it asks for.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Read => Permission::Read,
            Self::Everything => Permission::Write,
        }
    }
}

/// Why a request is not one that can be decided.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenRequestError {
    /// A body that cannot be read.
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// A parameter that is needed.
    #[error("the parameter {name} is missing; expected {expected}")]
    Missing {
        /// The parameter.
        name: &'static str,
        /// What it would hold.
        expected: &'static str,
    },
    /// Another grant than the token exchange.
    #[error("expected grant_type={GRANT_TYPE}")]
    GrantType,
    /// A type of subject token that cannot be exchanged.
    #[error("expected subject_token_type={} or {}", token_type::ID_TOKEN, token_type::JWT)]
    SubjectTokenType,
    /// A type of token that is not issued.
    #[error("this server issues {} only; leave requested_token_type out", token_type::ACCESS_TOKEN)]
    RequestedTokenType,
    /// Delegation is not supported, and ignoring it would issue something else than was asked for.
    #[error("actor_token is not supported")]
    ActorToken,
    /// Not a resource.
    #[error(transparent)]
    Resource(#[from] ResourceError),
    /// More than one target.
    #[error("a token is for one resource; ask for each with a request of its own")]
    SeveralTargets,
}

impl TokenRequestError {
    /// The OAuth error code, the same in both error profiles but for a malformed target (RFC 8693 §2.2.2).
    pub fn code(&self, target_code: ErrorCode) -> ErrorCode {
        match self {
            Self::GrantType => ErrorCode::UnsupportedGrantType,
            Self::SeveralTargets => ErrorCode::InvalidTarget,
            Self::Resource(_) => target_code,
            _ => ErrorCode::InvalidRequest,
        }
    }
}

impl TokenRequest {
    /// Reads the parameters of RFC 8693 §2.1; unknown ones are ignored (RFC 6749 §3.2).
    ///
    /// The target is `resource`, or `audience` where a client can send only that (google-auth). Beside a `resource`, an
    /// `audience` may only repeat it or name this server.
    pub fn from_parameters(parameters: &Parameters, own: &PublicUrl) -> Result<Self, TokenRequestError> {
        let required =
            |name, expected| parameters.text(name)?.ok_or(TokenRequestError::Missing { name, expected });
        if required("grant_type", GRANT_TYPE)? != GRANT_TYPE {
            return Err(TokenRequestError::GrantType);
        }
        let is_absent = |name| Ok::<_, ParametersError>(parameters.texts(name)?.is_empty());
        if !is_absent("actor_token")? || !is_absent("actor_token_type")? {
            return Err(TokenRequestError::ActorToken);
        }
        let kind = required("subject_token_type", token_type::ID_TOKEN)?;
        if ![token_type::ID_TOKEN, token_type::JWT].contains(&kind) {
            return Err(TokenRequestError::SubjectTokenType);
        }
        if parameters.text("requested_token_type")?.is_some_and(|kind| kind != token_type::ACCESS_TOKEN) {
            return Err(TokenRequestError::RequestedTokenType);
        }
        let subject_token = required("subject_token", "the id token of the CI job")?;
        Ok(Self {
            subject_token: IdToken::from(subject_token.to_owned()),
            resource: target(parameters, own)?,
            scope: parameters.text("scope")?.map(Scope::read),
        })
    }
}

fn target(parameters: &Parameters, own: &PublicUrl) -> Result<Resource, TokenRequestError> {
    let resources = parameters.texts("resource")?;
    let mut audiences = parameters.texts("audience")?;
    if resources.len() > 1 || audiences.len() > 1 {
        return Err(TokenRequestError::SeveralTargets);
    }
    // To name this server says nothing about what the token is for.
    audiences.retain(|audience| audience.strip_suffix('/').unwrap_or(audience) != own.as_str());
    let targets = resources.into_iter().chain(audiences).map(|text| Resource::from_request(text, own));
    let mut targets = targets.collect::<Result<Vec<_>, _>>()?;
    targets.dedup();
    match (targets.pop(), targets.is_empty()) {
        (Some(target), true) => Ok(target),
        (Some(_), false) => Err(TokenRequestError::SeveralTargets),
        (None, _) => Err(TokenRequestError::Missing {
            name: "resource",
            expected: "what the token is for, such as namespace/name",
        }),
    }
}

#[cfg(test)]
mod tests;
