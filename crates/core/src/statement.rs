//! What an id token says.

use crate::claims::Claims;
use crate::issuer::IssuerUrl;

/// What an id token says of a run: its issuer and its claims.
///
/// By itself it proves nothing: anybody may write one down. A [`VerifiedToken`](crate::VerifiedToken) vouches for one, and a
/// decision asks for that; what only explains or proposes is content with this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    issuer: IssuerUrl,
    claims: Claims,
}

impl Statement {
    /// Puts the two together.
    pub fn new(issuer: IssuerUrl, claims: Claims) -> Self {
        Self { issuer, claims }
    }

    /// `iss`.
    pub fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    pub(crate) fn into_parts(self) -> (IssuerUrl, Claims) {
        (self.issuer, self.claims)
    }

    /// All claims, the registered ones included.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}
