//! The claims of the access tokens that are issued.

use serde::{Deserialize, Serialize};

use crate::resource::Resource;
use crate::time::UnixTime;

/// What a token may do with its resource. `Write` includes reading; neither includes managing publishers (invariant 7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Read what is there.
    Read,
    /// Read, and publish.
    Write,
}

impl Permission {
    /// The name in `actions` and in sentences.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// The `scope` that says the same, with all that it includes.
    pub const fn scope(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "read write",
        }
    }
}

/// The payload of an access token: a JWT of `typ: at+jwt` (RFC 9068 §2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The server that issued it: its public URL.
    pub iss: String,
    /// Whom registries attribute the work to: the user for a user's token, otherwise `publisher:<id>`.
    pub sub: String,
    /// The registry that it is for.
    pub aud: String,
    /// When it ends: the first second in which it is no longer good.
    pub exp: UnixTime,
    /// When it was issued.
    pub iat: UnixTime,
    /// Its own id, unique for ever.
    pub jti: String,
    /// The publisher that trusted the run: RFC 9068's client.
    pub client_id: String,
    /// What it may do, on which one resource (RFC 9396 §2); exactly one element.
    pub authorization_details: Vec<AuthorizationDetail>,
    /// The run that obtained it (RFC 8693 §4.1).
    pub act: Actor,
    /// Where it stands whether the token was revoked, if its server publishes that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// The `status` claim (draft-ietf-oauth-status-list-21 §6.1), with the one mechanism that is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The Token Status List.
    pub status_list: StatusReference,
}

/// A place in a Token Status List.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReference {
    /// The token's index, counted from 0.
    pub idx: u32,
    /// The list: where it is fetched, and its `sub`.
    pub uri: String,
}

/// The permission as RFC 9396 writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationDetail {
    /// Always [`AuthorizationDetail::TYPE`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The resource.
    pub identifier: Resource,
    /// The permission, and what it includes.
    pub actions: Vec<Permission>,
}

impl AuthorizationDetail {
    /// The `type` of the one detail that tokens carry.
    pub const TYPE: &'static str = "trusted_publishing";

    /// Permission on one resource.
    pub fn new(identifier: Resource, permission: Permission) -> Self {
        let all = [Permission::Read, Permission::Write];
        let actions = all.into_iter().filter(|action| *action <= permission).collect();
        Self { kind: Self::TYPE.to_owned(), identifier, actions }
    }
}

/// The CI run behind a token: issuer and subject of its id token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The issuer of the id token.
    pub iss: String,
    /// Its subject.
    pub sub: String,
}
