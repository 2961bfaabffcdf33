//! Why an exchange ended without a token.

use countersign_core::token_exchange::ErrorCode;
use countersign_core::{Provider, Refusal, VerifiedToken};
use countersign_verify::{KeyError, ParseError, VerifyError};
use thiserror::Error;

use crate::config::ErrorProfile;
use crate::issuers::Issuer;
use crate::limits::TooMany;
use crate::signing::SigningError;
use crate::store::StoreError;

/// Why an exchange ended without a token. `Display` is what the caller reads.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The id token is not even one.
    #[error(transparent)]
    Malformed(#[from] ParseError),
    /// Nobody configured its issuer.
    #[error(
        "the issuer {0} is not one whose id tokens are exchanged here; whoever runs this server can add it to [[issuers]]"
    )]
    UnknownIssuer(String),
    /// Whoever runs the server has switched it off.
    #[error(
        "id tokens of the issuer {0} are not exchanged at the moment; whoever runs this server has switched it off"
    )]
    IssuerDisabled(String),
    /// Its key is not the issuer's, or the issuer's keys cannot be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its signature, times, audience or another registered claim.
    #[error(transparent)]
    Unverified(#[from] VerifyError),
    /// No publisher trusts it.
    #[error("{}", .0.refusal.for_caller(&.0.run.provider.presented(&.0.run.token)))]
    Refused(Box<Refused>),
    /// It has bought all that it may.
    #[error(
        "this id token was exchanged before ({max_exchanges} allowed); a job that needs another access token mints another id \
         token"
    )]
    Replayed {
        /// How many exchanges its issuer's tokens allow.
        max_exchanges: u32,
        /// The run that came again.
        run: Box<Run>,
    },
    /// It ended while it was being exchanged, or it ends now and access tokens end with it.
    #[error("the id token has expired by now; mint another id token")]
    NothingLeft,
    /// Somebody changes the publisher all the time.
    #[error("the trusted publishers of this resource are being changed; try again")]
    PublisherKeepsChanging,
    /// Its tenant, or the token itself, was used more often than it may in a while.
    #[error(transparent)]
    TooMany(#[from] TooMany),
    /// As much is being exchanged as can be at once.
    #[error("the server has as many exchanges to do as it can; try again")]
    Busy,
    /// The ledger cannot be written, so nothing is issued (invariant 1).
    #[error("the server cannot record the exchange at the moment, so it issues nothing; try again")]
    Store(#[from] StoreError),
    /// The signing key does not work.
    #[error("the server cannot sign at the moment; try again")]
    Signing(#[from] SigningError),
}

/// A refusal with the run that it is about.
#[derive(Debug)]
pub struct Refused {
    /// The decision.
    pub refusal: Refusal,
    /// The run.
    pub run: Run,
}

/// A run whose token was good.
#[derive(Debug)]
pub struct Run {
    pub(super) token: VerifiedToken,
    pub(super) provider: Provider,
}

impl Run {
    pub(super) fn new(token: &VerifiedToken, issuer: &Issuer) -> Self {
        Self { token: token.clone(), provider: issuer.provider }
    }

    /// Whose run it is.
    pub(super) fn tenant(&self) -> String {
        tenant(&self.token, self.provider)
    }
}

/// Whose token it is, as far as its provider says: presets have the most general of their ids last.
pub(super) fn tenant(token: &VerifiedToken, provider: Provider) -> String {
    let pin = provider.preset().pins.last();
    let id = pin.and_then(|pin| pin.value_in(token.statement()));
    let id = id.unwrap_or(token.subject().into());
    [token.issuer().as_str(), " ", &id].concat()
}

impl ExchangeError {
    pub(super) fn unknown_issuer(iss: &str) -> Self {
        Self::UnknownIssuer(iss.chars().take(200).collect())
    }

    pub(super) fn disabled(issuer: &Issuer) -> Self {
        Self::IssuerDisabled(issuer.policy.issuer().to_string())
    }

    pub(super) fn refused(refusal: Refusal, token: &VerifiedToken, issuer: &Issuer) -> Self {
        Self::Refused(Box::new(Refused { refusal, run: Run::new(token, issuer) }))
    }

    pub(super) fn replayed(token: &VerifiedToken, issuer: &Issuer) -> Self {
        Self::Replayed { max_exchanges: issuer.max_exchanges, run: Box::new(Run::new(token, issuer)) }
    }

    /// The run, if its token was good.
    pub(super) fn run(&self) -> Option<&Run> {
        match self {
            Self::Refused(refused) => Some(&refused.run),
            Self::Replayed { run, .. } => Some(run),
            _ => None,
        }
    }

    /// The stable code for records and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(error) => error.code(),
            Self::UnknownIssuer(_) => "unknown_issuer",
            Self::IssuerDisabled(_) => "issuer_disabled",
            Self::Key(error) => error.code(),
            Self::Unverified(error) => error.code(),
            Self::Refused(refused) if refused.refusal.publishers().is_empty() => "no_publisher",
            Self::Refused(_) => "not_matched",
            Self::Replayed { .. } => "replayed",
            Self::NothingLeft => "expired",
            Self::PublisherKeepsChanging => "publisher_changing",
            Self::TooMany(_) => "rate_limited",
            Self::Busy => "overloaded",
            Self::Store(_) => "store_unavailable",
            Self::Signing(_) => "signing_failed",
        }
    }

    /// The code of the OAuth answer.
    pub fn oauth(&self, profile: ErrorProfile) -> ErrorCode {
        match self {
            Self::TooMany(_) => ErrorCode::SlowDown,
            Self::Store(_)
            | Self::Signing(_)
            | Self::PublisherKeepsChanging
            | Self::Busy
            | Self::Key(KeyError::Unavailable { .. }) => ErrorCode::TemporarilyUnavailable,
            _ => match profile {
                ErrorProfile::Hub => ErrorCode::InvalidGrant,
                ErrorProfile::Rfc8693 => ErrorCode::InvalidRequest,
            },
        }
    }

    /// What the log and the record read: the whole truth, without secrets.
    pub fn for_log(&self) -> String {
        match self {
            Self::Refused(refused) => refused.refusal.for_owner(),
            other => {
                let mut text = other.to_string();
                let mut source = std::error::Error::source(other);
                while let Some(cause) = source {
                    text = format!("{text}: {cause}");
                    source = cause.source();
                }
                text
            }
        }
    }

    /// Whether the fault is the token's.
    pub(super) fn is_refusal(&self) -> bool {
        !matches!(self.oauth(ErrorProfile::Hub), ErrorCode::TemporarilyUnavailable | ErrorCode::SlowDown)
    }

    /// Whether trying again with the same token would come to the same.
    pub fn is_about_the_token(&self) -> bool {
        !matches!(
            self.oauth(ErrorProfile::Hub),
            ErrorCode::TemporarilyUnavailable | ErrorCode::SlowDown | ErrorCode::ServerError
        )
    }

    /// After how many seconds it may be worth trying again, where the fault is not the token's.
    pub fn retry_after(&self) -> u64 {
        match self {
            Self::Key(KeyError::Unavailable { retry_after, .. }) => retry_after.as_secs().max(1),
            Self::TooMany(too_many) => too_many.seconds(),
            _ => 1,
        }
    }
}
