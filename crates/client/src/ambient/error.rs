//! Why there is no id token.

use countersign_core::Audience;
use thiserror::Error;

use crate::command::CommandError;
use crate::http::HttpError;
use crate::unverified::UnverifiedError;

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
        remedy: String,
    },
    /// It answered with something else than a token.
    #[error("the token service of {title} answered without an id token: expected {expected}")]
    NoToken {
        /// The provider.
        title: &'static str,
        /// What the answer should have been.
        expected: String,
    },
    /// Its program gave none.
    #[error("the command that gives id tokens in jobs of {title} gave none; {remedy}")]
    Command {
        /// The provider.
        title: &'static str,
        /// What to do.
        remedy: String,
        /// Why.
        source: CommandError,
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
    #[error(
        "{title} gave an id token for {found:?}, expected one for \"{expected}\"; nothing was sent{remedy}"
    )]
    Audience {
        /// The provider.
        title: &'static str,
        /// The audience that was asked for.
        expected: Audience,
        /// The audiences of the token.
        found: String,
        /// The line to change, after `; `, where the audience is in the job's definition; otherwise nothing.
        remedy: String,
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
