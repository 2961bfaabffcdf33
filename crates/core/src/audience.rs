//! Audiences of tokens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::public_url::PublicUrl;

const MAX_LENGTH: usize = 512;

/// A value of `aud` that is accepted or asked for: compared byte for byte, without any normalisation (RFC 7519 §4.1.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Audience(String);

impl Audience {
    /// The value as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is empty, too long, or has white space or control characters in it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "expected an audience of 1 to {MAX_LENGTH} characters without white space or control characters, found {0:?}"
)]
pub struct AudienceError(String);

impl FromStr for Audience {
    type Err = AudienceError;

    fn from_str(text: &str) -> Result<Self, AudienceError> {
        let fits = !text.is_empty() && text.len() <= MAX_LENGTH;
        if fits && !text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(AudienceError(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for Audience {
    type Error = AudienceError;

    fn try_from(text: String) -> Result<Self, AudienceError> {
        text.parse()
    }
}

impl From<Audience> for String {
    fn from(audience: Audience) -> Self {
        audience.0
    }
}

impl From<&PublicUrl> for Audience {
    fn from(url: &PublicUrl) -> Self {
        Self(url.as_str().to_owned())
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
