//! How an issuer's keys are doing: for whoever watches the server.

use std::error::Error as _;
use std::time::Duration;

use super::discovery::DiscoveryError;

/// How the keys of one issuer are doing, at the moment it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerHealth {
    /// Whether there are keys that may be used. False before the first use, which is no fault.
    pub has_keys: bool,
    /// The age of the keys, which is the time since the last fetch that succeeded; none if none has, or the keys are fixed.
    pub key_set_age: Option<Duration>,
    /// Fetches that failed since one succeeded.
    pub failures: u32,
    /// The last fetch that failed, even if others have succeeded since.
    pub last_failure: Option<FetchFailure>,
}

/// A fetch that failed. For operators: the text can name addresses inside of their network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchFailure {
    /// How long ago.
    pub ago: Duration,
    /// A stable name of the cause (see [`DiscoveryError::code`]).
    pub code: &'static str,
    /// What was expected, what came, what to do.
    pub text: String,
}

impl FetchFailure {
    pub(super) fn new(error: &DiscoveryError, ago: Duration) -> Self {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Self { ago, code: error.code(), text: format!("{error}{cause}") }
    }
}
