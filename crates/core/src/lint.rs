//! What is weak in a publisher, and what could happen.
//!
//! A publisher that is refused cannot be made at all ([`Rules`]); what is warned of here can, because it may be meant. What
//! differs from provider to provider is data in the preset.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod checks;

use crate::publisher::Rules;

/// Something that is weak in a publisher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Which weakness it is.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// What is weak.
    pub problem: String,
    /// What could happen.
    pub consequence: String,
    /// What to do about it.
    pub remedy: String,
}

/// How much a weakness matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; often there is nothing to do.
    Note,
    /// Somebody whom the owner did not mean may get a token, or nobody does.
    Warning,
}

/// The weaknesses. Their names are stable: scripts may rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A value looks like a pattern, but values are compared as they stand (F5).
    LooksLikePattern,
    /// An event is let in that the preset refuses.
    AllowedEvent,
    /// Only an owner is named, none of its repositories.
    AnyRepository,
    /// A reusable workflow is trusted, whoever calls it.
    AnyCaller,
    /// Neither a branch, a tag nor an environment is asked for.
    AnyBranch,
    /// Nothing holds the publisher to an immutable id.
    NamesOnly,
    /// All tokens of the provider have one audience.
    FixedAudience,
    /// Ids will be learned, and are not known yet.
    NotPinnedYet,
    /// Any customer of the provider has tokens of this issuer.
    SharedIssuer,
    /// Runs on machines of their owners are let in.
    SelfHostedRunners,
    /// One field may have several values.
    SeveralValues,
    /// An id token buys more than one access token.
    ReusableToken,
}

impl Code {
    /// All of them, what matters most first.
    pub const ALL: [Self; 12] = [
        Self::LooksLikePattern,
        Self::AllowedEvent,
        Self::AnyRepository,
        Self::AnyCaller,
        Self::AnyBranch,
        Self::NamesOnly,
        Self::FixedAudience,
        Self::NotPinnedYet,
        Self::SharedIssuer,
        Self::SelfHostedRunners,
        Self::SeveralValues,
        Self::ReusableToken,
    ];

    /// The name in records and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LooksLikePattern => "looks_like_pattern",
            Self::AllowedEvent => "allowed_event",
            Self::AnyRepository => "any_repository",
            Self::AnyCaller => "any_caller",
            Self::AnyBranch => "any_branch",
            Self::NamesOnly => "names_only",
            Self::FixedAudience => "fixed_audience",
            Self::NotPinnedYet => "not_pinned_yet",
            Self::SharedIssuer => "shared_issuer",
            Self::SelfHostedRunners => "self_hosted_runners",
            Self::SeveralValues => "several_values",
            Self::ReusableToken => "reusable_token",
        }
    }

    /// How much it matters.
    pub const fn severity(self) -> Severity {
        match self {
            Self::LooksLikePattern
            | Self::AllowedEvent
            | Self::AnyRepository
            | Self::AnyCaller
            | Self::AnyBranch
            | Self::NamesOnly
            | Self::FixedAudience => Severity::Warning,
            Self::NotPinnedYet
            | Self::SharedIssuer
            | Self::SelfHostedRunners
            | Self::SeveralValues
            | Self::ReusableToken => Severity::Note,
        }
    }
}

/// No weakness of that name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected a weakness such as any_branch, by its code; found {0:?}")]
pub struct UnknownCode(String);

impl FromStr for Code {
    type Err = UnknownCode;

    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let code = Self::ALL.into_iter().find(|code| code.as_str() == text);
        code.ok_or_else(|| UnknownCode(text.chars().take(80).collect()))
    }
}

/// What is weak in these rules, what matters most first.
///
/// `max_exchanges` is the issuer's setting on the server that will decide; where no server is asked, the preset's default.
pub fn lint(rules: &Rules, max_exchanges: u32) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = checks::ALL.iter().flat_map(|check| check(rules)).collect();
    warnings.extend(checks::reusable_token(max_exchanges));
    warnings.sort_by_key(|warning| warning.code);
    warnings
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, problem, consequence, remedy, .. } = self;
        write!(f, "{}: {problem}; {consequence}; {remedy}", code.as_str())
    }
}

#[cfg(test)]
mod tests;
