//! What came between a provider and a token, in the words of the one provider's file.

use super::MintError;
use crate::command::CommandError;
use crate::http::HttpError;

/// Why a provider gave nothing: a [`MintError`] that does not name the provider and its remedy yet.
#[derive(Debug)]
pub(super) enum Obstacle {
    /// The job is not set up for id tokens, and this is what is missing.
    NotSetUp(String),
    /// The token service could not be asked.
    Unreachable(HttpError),
    /// It answered with this status.
    Status(u16),
    /// It answered with something else than this.
    NoToken(String),
    /// The provider's program gave nothing.
    Command(CommandError),
}

impl Obstacle {
    /// A variable that every job with id tokens has.
    pub(super) fn unset(variable: &str) -> Self {
        Self::NotSetUp(format!("{variable} is not set"))
    }

    /// The error that whoever runs the job reads.
    pub(super) fn at(self, title: &'static str, remedy: String) -> MintError {
        match self {
            Self::NotSetUp(reason) => MintError::NotSetUp { title, reason, remedy },
            Self::Unreachable(source) => MintError::Unreachable { title, source },
            Self::Status(status) => MintError::Refused { title, status, remedy },
            Self::NoToken(expected) => MintError::NoToken { title, expected },
            Self::Command(source) => MintError::Command { title, remedy, source },
        }
    }
}
