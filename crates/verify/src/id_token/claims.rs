//! The claims that every id token must have, whoever issued it.

use countersign_core::UnixTime;
use countersign_core::time::LEEWAY;
use serde_json::{Map, Value};

use super::error::VerifyError;
use crate::policy::IssuerPolicy;
use crate::registered::{MalformedClaim, Times, kind_of, required_text};

const MAX_SUBJECT_LENGTH: usize = 1024;
const MAX_TOKEN_ID_LENGTH: usize = 255;

/// Checks how long the token lives and how old it is. The lifetime is the issuer's doing and gets no leeway.
pub(super) fn check_durations(
    times: &Times,
    policy: &IssuerPolicy,
    now: UnixTime,
) -> Result<(), VerifyError> {
    let lifetime = times.expires_at.as_seconds() - times.issued_at.as_seconds();
    let max = policy.max_lifetime().as_secs();
    if !u64::try_from(lifetime).is_ok_and(|lifetime| (1..=max).contains(&lifetime)) {
        return Err(VerifyError::Lifetime { issuer: policy.issuer().clone(), max, found: lifetime });
    }
    let (age, max) = (now.since(times.issued_at).as_secs(), policy.max_age().as_secs());
    if age > max + LEEWAY.as_secs() {
        return Err(VerifyError::TooOld { max, found: age });
    }
    Ok(())
}

/// Checks that every audience of the token is ours (RFC 7519 §4.1.3, RFC 8725 §3.9).
///
/// Every, not any: whoever else a token is meant for could replay it here.
pub(super) fn check_audience(aud: Option<&Value>, policy: &IssuerPolicy) -> Result<(), VerifyError> {
    let ours = |value: &Value| {
        value.as_str().is_some_and(|text| policy.audiences().iter().any(|ours| ours.as_str() == text))
    };
    let accepted = match aud {
        Some(Value::Array(values)) => !values.is_empty() && values.iter().all(ours),
        Some(value) => ours(value),
        None => false,
    };
    if accepted { Ok(()) } else { Err(VerifyError::audience(policy, describe(aud))) }
}

/// Shows strings, which callers need to see to correct them, and only the type of anything else.
fn describe(aud: Option<&Value>) -> String {
    let show = |value: &Value| match value {
        Value::String(text) => format!("{:?}", text.chars().take(120).collect::<String>()),
        other => kind_of(Some(other)).to_owned(),
    };
    match aud {
        None => "missing".to_owned(),
        Some(Value::Array(values)) => {
            let more = if values.len() > 4 { ", and more" } else { "" };
            format!("[{}{more}]", values.iter().take(4).map(show).collect::<Vec<_>>().join(", "))
        }
        Some(value) => show(value),
    }
}

/// Reads `sub`, which goes into audit rows and access tokens as it is.
pub(super) fn subject(claims: &Map<String, Value>) -> Result<String, MalformedClaim> {
    const SUBJECT: &str = "a string of 1 to 1024 bytes without control characters";
    plain_text(claims, "sub", SUBJECT, MAX_SUBJECT_LENGTH).map(str::to_owned)
}

/// Reads `jti`, which may be absent but not odd: an id that the ledger cannot store is one that nobody remembers.
pub(super) fn token_id(claims: &Map<String, Value>) -> Result<Option<&str>, MalformedClaim> {
    const TOKEN_ID: &str = "a string of 1 to 255 bytes without control characters";
    match claims.get("jti") {
        None => Ok(None),
        Some(_) => plain_text(claims, "jti", TOKEN_ID, MAX_TOKEN_ID_LENGTH).map(Some),
    }
}

fn plain_text<'a>(
    claims: &'a Map<String, Value>,
    claim: &'static str,
    expected: &'static str,
    max_length: usize,
) -> Result<&'a str, MalformedClaim> {
    let text = required_text(claims, claim)?;
    let problem = match text.len() {
        0 => "an empty string".to_owned(),
        length if length > max_length => format!("{length} bytes"),
        _ if text.chars().any(char::is_control) => "control characters".to_owned(),
        _ => return Ok(text),
    };
    Err(MalformedClaim::new(claim, expected, problem))
}
