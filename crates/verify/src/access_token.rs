//! Access tokens, as registries check them.

use countersign_core::access_token::{Actor, AuthorizationDetail};
use countersign_core::{
    AccessToken, AccessTokenClaims, Algorithm, Audience, IssuerUrl, Permission, Resource, UnixTime,
};
use serde_json::Value;

use crate::envelope::{Envelope, TokenKind};
use crate::key::VerificationKey;
use crate::key_set::KeySet;
use crate::registered::{Times, required_text};

mod error;
#[cfg(feature = "fetch")]
mod online;
mod prefix;

pub use error::AccessTokenError;
#[cfg(feature = "fetch")]
pub use online::Online;

/// What the server signs with. A registry need not be told: the list is closed.
const ALGORITHMS: [Algorithm; 1] = [Algorithm::Es256];

/// Checks the access tokens of one server for one registry.
///
/// ```
/// # use countersign_core::{AccessToken, Permission, UnixTime};
/// # use countersign_verify::{AccessTokenVerifier, KeySet};
/// # fn check(jwk_set: &[u8], token: String, now: UnixTime) -> Result<(), Box<dyn std::error::Error>> {
/// let keys = AccessTokenVerifier::keys(jwk_set)?;
/// let verifier = AccessTokenVerifier::offline(
///     "https://trust.example.com".parse()?,
///     "https://registry.example.com".parse()?,
///     keys,
/// );
/// let token = AccessToken::from(token);
/// let access = verifier.verify(&token, &"acme/model".parse()?, Permission::Write, now)?;
/// println!("{} publishes for {}", access.run().sub, access.resource());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AccessTokenVerifier<Keys = KeySet> {
    issuer: IssuerUrl,
    audience: Audience,
    keys: Keys,
}

impl AccessTokenVerifier<KeySet> {
    /// Reads the server's `/.well-known/jwks.json`.
    pub fn keys(jwk_set: &[u8]) -> Result<KeySet, crate::KeySetError> {
        KeySet::parse(jwk_set, &ALGORITHMS)
    }

    /// Verifies tokens that `issuer`, the server's public URL, made for `audience`, with keys that are at hand.
    ///
    /// Nothing is asked of anybody, so **a revoked token stays good until it expires**, an hour at most: whoever wants to
    /// know chooses [`AccessTokenVerifier::discovered`], or asks the server (RFC 7662).
    pub fn offline(issuer: IssuerUrl, audience: Audience, keys: KeySet) -> Self {
        Self { issuer, audience, keys }
    }

    /// Verifies a token without asking what it permits: for the server that issued it, to revoke or introspect it.
    /// Registries ask [`AccessTokenVerifier::verify`].
    pub fn authenticate(
        &self,
        token: &AccessToken,
        now: UnixTime,
    ) -> Result<AccessTokenClaims, AccessTokenError> {
        let envelope = open(token)?;
        let key = self.keys.find(envelope.key_id(), envelope.algorithm())?;
        Ok(self.authorize(envelope, &key, now)?.claims)
    }

    /// Verifies a token and the permission to do one thing to one resource: a single question, so that no half of the
    /// answer can be forgotten.
    pub fn verify(
        &self,
        token: &AccessToken,
        resource: &Resource,
        permission: Permission,
        now: UnixTime,
    ) -> Result<AuthorizedAccess, AccessTokenError> {
        let envelope = open(token)?;
        let key = self.keys.find(envelope.key_id(), envelope.algorithm())?;
        self.authorize(envelope, &key, now)?.permit(resource, permission)
    }
}

fn open(token: &AccessToken) -> Result<Envelope<'_>, AccessTokenError> {
    let jwt = prefix::strip(token.expose()).ok_or(AccessTokenError::Prefix)?;
    let envelope = Envelope::open(jwt, TokenKind::AccessToken)?;
    if ALGORITHMS.contains(&envelope.algorithm()) {
        Ok(envelope)
    } else {
        Err(AccessTokenError::Algorithm(envelope.algorithm()))
    }
}

impl<Keys> AccessTokenVerifier<Keys> {
    /// The same order as for id tokens: signature first, then the claims.
    fn authorize(
        &self,
        envelope: Envelope<'_>,
        key: &VerificationKey,
        now: UnixTime,
    ) -> Result<Verified, AccessTokenError> {
        let claims = envelope.verify(key)?.into_map();
        let issuer = required_text(&claims, "iss")?;
        if issuer != self.issuer.as_str() {
            return Err(AccessTokenError::issuer(&self.issuer, issuer));
        }
        Times::read(&claims)?.check(now)?;
        let audience = required_text(&claims, "aud")?;
        if audience != self.audience.as_str() {
            return Err(AccessTokenError::audience(&self.audience, audience));
        }
        let claims: AccessTokenClaims = serde_json::from_value(Value::Object(claims))
            .map_err(|error| AccessTokenError::Claims(error.to_string().chars().take(160).collect()))?;
        let [detail] = claims.authorization_details.as_slice() else {
            return Err(AccessTokenError::Claims("expected exactly one authorization detail".to_owned()));
        };
        if detail.kind != AuthorizationDetail::TYPE {
            return Err(AccessTokenError::Claims(format!(
                "expected a detail of type {}",
                AuthorizationDetail::TYPE
            )));
        }
        let detail = detail.clone();
        Ok(Verified { claims, detail })
    }
}

/// A good token, of which it is not known yet whether it permits what is asked.
struct Verified {
    claims: AccessTokenClaims,
    detail: AuthorizationDetail,
}

impl Verified {
    fn permit(
        self,
        resource: &Resource,
        permission: Permission,
    ) -> Result<AuthorizedAccess, AccessTokenError> {
        let Self { claims, detail } = self;
        if detail.identifier != *resource {
            let (expected, found) = (Box::new(resource.clone()), Box::new(detail.identifier));
            return Err(AccessTokenError::Resource { expected, found });
        }
        if !detail.actions.iter().any(|action| *action >= permission) {
            return Err(AccessTokenError::Permission {
                expected: permission,
                resource: Box::new(detail.identifier),
            });
        }
        Ok(AuthorizedAccess { claims, resource: detail.identifier, permission })
    }
}

/// Permission to do one thing to one resource.
///
/// A proof: only [`AccessTokenVerifier::verify`] makes one, so a function that takes it cannot be called unauthorized.
#[derive(Clone, Debug)]
pub struct AuthorizedAccess {
    claims: AccessTokenClaims,
    resource: Resource,
    permission: Permission,
}

impl AuthorizedAccess {
    /// The resource that was asked for.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// What was asked for; the token may permit more.
    pub fn permission(&self) -> Permission {
        self.permission
    }

    /// Whom to attribute the work to: a user, or `publisher:<id>`.
    pub fn subject(&self) -> &str {
        &self.claims.sub
    }

    /// The publisher that trusted the run.
    pub fn publisher(&self) -> &str {
        &self.claims.client_id
    }

    /// The CI run that obtained the token: issuer and subject of its id token.
    pub fn run(&self) -> &Actor {
        &self.claims.act
    }

    /// The first second in which the token is no longer good.
    pub fn expires_at(&self) -> UnixTime {
        self.claims.exp
    }

    /// The `jti`: the exchange that the token came from, under which the server's ledger has it.
    pub fn token_id(&self) -> &str {
        &self.claims.jti
    }
}
