//! What an issuer's tokens are held to.

use std::time::Duration;

use countersign_core::{Algorithm, Audience, IssuerUrl};
use thiserror::Error;

/// What the id tokens of one issuer are held to.
///
/// An empty list never means "anything goes": a policy without audiences or algorithms cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerPolicy {
    issuer: IssuerUrl,
    audiences: Vec<Audience>,
    algorithms: Vec<Algorithm>,
    max_lifetime: Duration,
    max_age: Duration,
}

/// Why settings make no policy.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// Without an audience, tokens minted for anybody would be accepted.
    #[error("issuer {0} has no audience; set at least one, usually the public URL of this server")]
    NoAudience(IssuerUrl),
    /// Without an algorithm, no token could be verified.
    #[error("issuer {0} has no signature algorithm; set at least one, usually RS256")]
    NoAlgorithm(IssuerUrl),
    /// With a lifetime or an age of zero, no token could be accepted.
    #[error(
        "issuer {0} allows tokens a lifetime or an age of less than a second; set both to at least 1 second"
    )]
    NoTime(IssuerUrl),
}

impl IssuerPolicy {
    /// Holds the tokens of `issuer` to the rest: every audience of a token is one of `audiences`, its algorithm one of
    /// `algorithms` (in order of preference for keys that name none), `exp` − `iat` at most `max_lifetime`, and its age
    /// when it is exchanged at most `max_age`. Durations count in whole seconds.
    pub fn new(
        issuer: IssuerUrl,
        audiences: Vec<Audience>,
        algorithms: Vec<Algorithm>,
        max_lifetime: Duration,
        max_age: Duration,
    ) -> Result<Self, PolicyError> {
        if audiences.is_empty() {
            return Err(PolicyError::NoAudience(issuer));
        }
        if algorithms.is_empty() {
            return Err(PolicyError::NoAlgorithm(issuer));
        }
        if max_lifetime.as_secs() == 0 || max_age.as_secs() == 0 {
            return Err(PolicyError::NoTime(issuer));
        }
        Ok(Self { issuer, audiences, algorithms, max_lifetime, max_age })
    }

    /// Whose tokens these are.
    pub fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// What tokens may be meant for; never empty.
    pub fn audiences(&self) -> &[Audience] {
        &self.audiences
    }

    /// What tokens may be signed with; never empty.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    /// The longest time from `iat` to `exp`.
    pub fn max_lifetime(&self) -> Duration {
        self.max_lifetime
    }

    /// The longest time from `iat` to the exchange.
    pub fn max_age(&self) -> Duration {
        self.max_age
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, IssuerPolicy, PolicyError};
    use countersign_core::Algorithm;

    #[test]
    fn d8_a_policy_without_audience_or_algorithm_cannot_exist() {
        let issuer = || "https://issuer.example.com".parse().unwrap();
        let ours = || vec!["https://hub.example.com".parse().unwrap()];
        let hour = Duration::from_hours(1);
        let rs256 = vec![Algorithm::Rs256];
        let refusal = |audiences, algorithms, lifetime, age| {
            IssuerPolicy::new(issuer(), audiences, algorithms, lifetime, age).unwrap_err()
        };
        assert_eq!(refusal(vec![], rs256.clone(), hour, hour), PolicyError::NoAudience(issuer()));
        assert_eq!(refusal(ours(), vec![], hour, hour), PolicyError::NoAlgorithm(issuer()));
        assert_eq!(refusal(ours(), rs256.clone(), Duration::ZERO, hour), PolicyError::NoTime(issuer()));
        assert_eq!(refusal(ours(), rs256, hour, Duration::from_millis(999)), PolicyError::NoTime(issuer()));
    }
}
