//! The CI providers that a job may run on, and how each gives it an id token.
//!
//! A provider is one file here with one [`AmbientProvider`], and one entry in [`ALL`].

mod github;
mod gitlab;

use countersign_core::time::LEEWAY;
use countersign_core::{Audience, IdToken, Provider};
use thiserror::Error;

use crate::http::HttpError;
use crate::identity::{Identity, Source};
use crate::surroundings::Surroundings;
use crate::unverified::{UnverifiedClaims, UnverifiedError};

/// All of them, in the order of detection: the first that recognises the job has it.
pub const ALL: &[&AmbientProvider] = &[&github::PROVIDER, &gitlab::PROVIDER];

/// A CI provider, as seen from inside a job.
#[derive(Debug)]
pub struct AmbientProvider {
    /// Whose claims its tokens carry: name and title come from there.
    provider: Provider,
    /// What it is recognised by, in words.
    sign: &'static str,
    /// Whether the job runs on it.
    detect: fn(&Surroundings) -> bool,
    /// Has it mint (or finds) an id token for the audience. The token is checked in [`AmbientProvider::mint`].
    mint: fn(&Surroundings, &Audience) -> Minted,
}

/// A token as the provider gave it, before any check, and where it is from.
type Minted = Result<(IdToken, Source), MintError>;

impl AmbientProvider {
    /// The provider that this job runs on.
    pub fn detected(surroundings: &Surroundings) -> Option<&'static Self> {
        ALL.iter().copied().find(|provider| (provider.detect)(surroundings))
    }

    /// The provider of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|provider| provider.name() == name)
    }

    /// The name on command lines.
    pub fn name(&self) -> &'static str {
        self.provider.preset().name
    }

    /// The name in sentences.
    pub fn title(&self) -> &'static str {
        self.provider.preset().title
    }

    /// What it is recognised by, such as `GITHUB_ACTIONS=true`.
    pub const fn sign(&self) -> &'static str {
        self.sign
    }

    /// Has an id token minted for the audience.
    ///
    /// What the registry would refuse for certain is refused here, before anything is sent to it: a token that is no
    /// JWT, that is for somebody else, or that has expired.
    pub fn mint(
        &'static self,
        surroundings: &Surroundings,
        audience: &Audience,
    ) -> Result<Identity, MintError> {
        let (token, source) = (self.mint)(surroundings, audience)?;
        let title = self.title();
        let claims =
            UnverifiedClaims::read(&token).map_err(|source| MintError::Unreadable { title, source })?;
        if !claims.audiences().contains(&audience.as_str()) {
            let (expected, found) = (audience.clone(), claims.audiences().join(", "));
            return Err(MintError::Audience { title, expected, found });
        }
        let now = surroundings.clock.now();
        match claims.expires_at() {
            None => Err(MintError::NoExpiry { title }),
            Some(end) if end + LEEWAY <= now => {
                Err(MintError::Expired { title, seconds: now.since(end).as_secs() })
            }
            Some(_) => Ok(Identity::minted(token, source, self)),
        }
    }
}

/// The names of all providers with their titles, for messages.
pub(crate) fn supported() -> String {
    let names = ALL.iter().map(|provider| format!("{} ({})", provider.name(), provider.title()));
    names.collect::<Vec<_>>().join(", ")
}

/// Why a provider gave no usable id token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MintError {
    /// The job is not set up for id tokens.
    #[error("{title} gives this job no id token: {reason}; {remedy}")]
    NotSetUp {
        /// The provider.
        title: &'static str,
        /// What is missing.
        reason: String,
        /// The line to add to the job.
        remedy: String,
    },
    /// The provider's token service could not be asked.
    #[error("the token service of {title} could not be asked")]
    Unreachable {
        /// The provider.
        title: &'static str,
        /// Why.
        source: HttpError,
    },
    /// It answered with an error. Its body is not shown: it is no message to this job's log.
    #[error("the token service of {title} answered with status {status} instead of an id token; {remedy}")]
    Refused {
        /// The provider.
        title: &'static str,
        /// The status.
        status: u16,
        /// What to look at.
        remedy: &'static str,
    },
    /// It answered with something else than a token.
    #[error(
        "the token service of {title} answered without an id token: expected a JSON object with the text {field:?}"
    )]
    NoToken {
        /// The provider.
        title: &'static str,
        /// Where the token should have been.
        field: &'static str,
    },
    /// What it gave is no JWT.
    #[error("what {title} gave as an id token is none")]
    Unreadable {
        /// The provider.
        title: &'static str,
        /// Why.
        source: UnverifiedError,
    },
    /// The token is for another audience.
    #[error("{title} gave an id token for {found:?}, expected one for \"{expected}\"; nothing was sent")]
    Audience {
        /// The provider.
        title: &'static str,
        /// The audience that was asked for.
        expected: Audience,
        /// The audiences of the token.
        found: String,
    },
    /// The token has ended already.
    #[error(
        "{title} gave an id token that expired {seconds} s ago; start the job again, and check this machine's clock"
    )]
    Expired {
        /// The provider.
        title: &'static str,
        /// How long ago.
        seconds: u64,
    },
    /// The token never ends, so no registry takes it.
    #[error("{title} gave an id token without an expiry time (claim \"exp\"); nothing was sent")]
    NoExpiry {
        /// The provider.
        title: &'static str,
    },
}
