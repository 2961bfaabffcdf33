//! The registered claims of RFC 7519 §4.1, read strictly.

use countersign_core::UnixTime;
use countersign_core::time::LEEWAY;
use serde_json::{Map, Value};
use thiserror::Error;

/// 9999-12-31T23:59:59Z. A later time is a mistake of units, or an attempt at an overflow.
const LAST_SECOND: i64 = 253_402_300_799;

const NUMERIC_DATE: &str = "a whole number of seconds since 1970-01-01, without fraction or exponent";

/// A claim is missing, has the wrong JSON type, or a value out of range.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected the claim `{claim}` to be {expected}, found {found}")]
pub struct MalformedClaim {
    claim: &'static str,
    expected: &'static str,
    found: String,
}

impl MalformedClaim {
    pub(crate) fn new(claim: &'static str, expected: &'static str, found: impl Into<String>) -> Self {
        Self { claim, expected, found: found.into() }
    }

    /// The name of the claim.
    pub fn claim(&self) -> &'static str {
        self.claim
    }
}

/// A token is not good at this moment.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotCurrent {
    /// `exp` has passed.
    #[error(
        "the token expired at {expired_at} and it is {now} (Unix seconds; {} s of leeway); request a new one right before \
         it is used", LEEWAY.as_secs()
    )]
    Expired {
        /// `exp`.
        expired_at: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
    /// `iat` or `nbf` lies ahead: somebody's clock is wrong.
    #[error(
        "the token's `{claim}` is {at}, but it is only {now} here (Unix seconds; {} s of leeway); check the clocks of \
         issuer and server", LEEWAY.as_secs()
    )]
    NotYet {
        /// `iat` or `nbf`.
        claim: &'static str,
        /// Its value.
        at: UnixTime,
        /// The time of the check.
        now: UnixTime,
    },
}

impl NotCurrent {
    /// A stable name of the cause.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Expired { .. } => "expired",
            Self::NotYet { .. } => "not_yet_valid",
        }
    }
}

/// The three times of a token. `exp` and `iat` are required; RFC 7519 would let both be absent.
#[derive(Debug)]
pub(crate) struct Times {
    pub(crate) expires_at: UnixTime,
    pub(crate) issued_at: UnixTime,
    not_before: Option<UnixTime>,
}

impl Times {
    /// Reads integers and nothing else: where a string or a fraction counts as absent, an expired token lives for ever
    /// (CVE-2026-25537).
    pub(crate) fn read(claims: &Map<String, Value>) -> Result<Self, MalformedClaim> {
        let required = |claim| numeric_date(claims, claim)?.ok_or_else(|| missing(claim, NUMERIC_DATE));
        Ok(Self {
            expires_at: required("exp")?,
            issued_at: required("iat")?,
            not_before: numeric_date(claims, "nbf")?,
        })
    }

    /// Checks that the token has begun and not ended, forgiving [`LEEWAY`] in both directions.
    pub(crate) fn check(&self, now: UnixTime) -> Result<(), NotCurrent> {
        if now >= self.expires_at + LEEWAY {
            return Err(NotCurrent::Expired { expired_at: self.expires_at, now });
        }
        for (claim, at) in [("iat", Some(self.issued_at)), ("nbf", self.not_before)] {
            if let Some(at) = at.filter(|at| *at > now + LEEWAY) {
                return Err(NotCurrent::NotYet { claim, at, now });
            }
        }
        Ok(())
    }
}

fn numeric_date(
    claims: &Map<String, Value>,
    claim: &'static str,
) -> Result<Option<UnixTime>, MalformedClaim> {
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_i64().filter(|seconds| (0..=LAST_SECOND).contains(seconds));
    let found =
        || if value.is_f64() || !value.is_number() { kind_of(Some(value)) } else { "one out of range" };
    let seconds = seconds.ok_or_else(|| MalformedClaim::new(claim, NUMERIC_DATE, found()))?;
    Ok(Some(UnixTime::from_seconds(seconds)))
}

/// Reads a claim that must be a string.
pub(crate) fn required_text<'a>(
    claims: &'a Map<String, Value>,
    claim: &'static str,
) -> Result<&'a str, MalformedClaim> {
    const TEXT: &str = "a string";
    match claims.get(claim) {
        Some(Value::String(text)) => Ok(text),
        other => Err(MalformedClaim::new(claim, TEXT, kind_of(other))),
    }
}

fn missing(claim: &'static str, expected: &'static str) -> MalformedClaim {
    MalformedClaim::new(claim, expected, kind_of(None))
}

/// The kind of a JSON value, for messages that must not repeat the value.
pub(crate) fn kind_of(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(number)) if number.is_f64() => "a number with a fraction or an exponent",
        Some(Value::Number(_)) => "an integer",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    }
}
