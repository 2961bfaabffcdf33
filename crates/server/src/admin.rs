//! Admin tokens: how people and registries, as opposed to CI jobs, prove who they are.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::UnixTime;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use countersign_core::resource::{ResourcePattern, ResourcePatternError};

use crate::clock::{Randomness, fresh_id_at};

/// What an admin token's holder is known by. The token itself is shown once and not kept: only its hash is, which is
/// enough for a random secret of 256 bits.
#[derive(Clone, Debug, Serialize)]
pub struct AdminToken {
    /// Its id, for lists and removal.
    pub id: String,
    /// Who has it, as whoever made it wrote.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The resources that it is about.
    pub resources: Vec<ResourcePattern>,
    /// SHA-256 of the secret.
    #[serde(skip)]
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: UnixTime,
    /// The first second in which it is no longer good.
    pub expires_at: UnixTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<UnixTime>,
}

/// Seconds for which a use is not written down again: asking must stay cheap.
const USE_PRECISION: i64 = 60;

impl AdminToken {
    /// Whether a use at `now` is worth writing down.
    pub fn use_is_news(&self, now: UnixTime) -> bool {
        self.last_used_at.is_none_or(|last| now.as_seconds() - last.as_seconds() >= USE_PRECISION)
    }

    /// Whether no resource is outside of what it is about.
    pub fn is_about_everything(&self) -> bool {
        self.resources.contains(&ResourcePattern::everything())
    }

    /// Whether its holder may see what happens to that resource, by its canonical text.
    pub fn sees(&self, resource: &str) -> bool {
        match self.role {
            Role::Owner => true,
            Role::Maintainer | Role::Auditor => any_matches(&self.resources, resource),
            Role::Registry => false,
        }
    }
}

/// An admin token that can be made.
pub struct NewAdminToken {
    name: String,
    role: Role,
    resources: Vec<ResourcePattern>,
    lifetime: Duration,
}

/// Characters of a secret that somebody brings along: 32 random bytes in Base64 have more.
const SECRET_LENGTH: usize = 40;

/// Why there is no such admin token.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewAdminTokenError {
    /// Nobody would know whose it is.
    #[error(
        "expected a name of 1 to 100 characters, without control characters, that says who has the token"
    )]
    Name,
    /// It would last for ever, or not at all.
    #[error("expected a lifetime of 1 to 3650 days")]
    Lifetime,
    /// It could be guessed, or not be sent.
    #[error(
        "expected a secret of {SECRET_LENGTH} to 512 printable ASCII characters without spaces, made by a random generator, such \
         as `openssl rand -base64 32` does"
    )]
    Secret,
    /// It would be about nothing.
    #[error("a maintainer needs the resources that it may manage, such as acme/*")]
    NoResources,
    /// It would seem to be about less than it is.
    #[error("resources are for maintainers and auditors; the role {0} is about everything")]
    Resources(Role),
}

impl NewAdminToken {
    /// Checks what somebody wants.
    pub fn new(
        name: String,
        role: Role,
        resources: Vec<ResourcePattern>,
        lifetime: Duration,
    ) -> Result<Self, NewAdminTokenError> {
        const DAY: Duration = Duration::from_hours(24);
        if name.trim().is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(NewAdminTokenError::Name);
        }
        if !(DAY..=DAY * 3650).contains(&lifetime) {
            return Err(NewAdminTokenError::Lifetime);
        }
        let resources = match (role, resources.is_empty()) {
            (Role::Maintainer, true) => return Err(NewAdminTokenError::NoResources),
            (Role::Owner | Role::Registry, false) => return Err(NewAdminTokenError::Resources(role)),
            (_, true) => vec![ResourcePattern::everything()],
            (Role::Maintainer | Role::Auditor, false) => resources,
        };
        Ok(Self { name, role, resources, lifetime })
    }

    /// Makes it: what is kept, and the secret, which is shown once.
    pub fn made(self, now: UnixTime, randomness: &dyn Randomness) -> (AdminToken, SecretString) {
        let secret = fresh_secret(randomness);
        (self.made_of(&secret, now, randomness), secret)
    }

    /// Makes it of a secret that somebody brings along.
    pub fn made_with(
        self,
        secret: &SecretString,
        now: UnixTime,
        randomness: &dyn Randomness,
    ) -> Result<AdminToken, NewAdminTokenError> {
        let text = secret.expose_secret();
        let fits =
            (SECRET_LENGTH..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(self.made_of(secret, now, randomness)) } else { Err(NewAdminTokenError::Secret) }
    }

    fn made_of(self, secret: &SecretString, now: UnixTime, randomness: &dyn Randomness) -> AdminToken {
        AdminToken {
            id: fresh_id_at(now, randomness),
            name: self.name,
            role: self.role,
            resources: self.resources,
            hash: hash(secret),
            created_at: now,
            expires_at: now + self.lifetime,
            last_used_at: None,
        }
    }
}

/// Whether one of the patterns means that resource, by its canonical text.
fn any_matches(patterns: &[ResourcePattern], resource: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches_text(resource))
}

/// Whether something is about a resource that one of the patterns means; all is where there are none.
pub fn is_within(patterns: Option<&[ResourcePattern]>, resource: Option<&str>) -> bool {
    patterns.is_none_or(|patterns| resource.is_some_and(|resource| any_matches(patterns, resource)))
}

/// What an admin token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Owner,
    /// Read and change the publishers of its resources, read what happened to them, and revoke their tokens.
    Maintainer,
    /// Read all of that, and change nothing.
    Auditor,
    /// Ask whether access tokens are good (RFC 7662), and nothing else.
    Registry,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Maintainer, Self::Auditor, Self::Registry];

    /// The name in commands and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Maintainer => "maintainer",
            Self::Auditor => "auditor",
            Self::Registry => "registry",
        }
    }
}

/// No role of that name.
#[derive(Debug, Error)]
#[error("expected the role owner, maintainer, auditor or registry, found {0:?}")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or_else(|| UnknownRole(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Stands before admin tokens, so that scanners find leaked ones.
const PREFIX: &str = "countersign_admin_";

/// Makes the secret of a new token.
pub fn fresh_secret(randomness: &dyn Randomness) -> SecretString {
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    randomness.fill(&mut *bytes);
    SecretString::from(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(*bytes)))
}

/// The hash that a secret is known by.
pub fn hash(secret: &SecretString) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, secret.expose_secret().as_bytes()).as_ref());
    hash
}
