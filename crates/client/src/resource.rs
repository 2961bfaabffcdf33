//! What a token is asked for.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

const MAX_LENGTH: usize = 1024;

/// The resource in a request, as the person at the job wrote it.
///
/// Not [`countersign_core::Resource`]: which forms exist is for the registry to say, and it need not be ours. Only what
/// cannot be a resource anywhere is refused here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestedResource(String);

impl RequestedResource {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The text is empty, too long, or has white space or control characters in it.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "expected a resource such as namespace/name, datasets/namespace/name, a user name or pkg:pypi/name, without white space; found {0:?}"
)]
pub struct RequestedResourceError(String);

impl FromStr for RequestedResource {
    type Err = RequestedResourceError;

    fn from_str(text: &str) -> Result<Self, RequestedResourceError> {
        let fits = !text.is_empty() && text.len() <= MAX_LENGTH;
        if fits && !text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RequestedResourceError(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for RequestedResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::RequestedResource;

    #[test]
    fn only_what_is_a_resource_nowhere_is_refused() {
        for text in ["acme/model", "datasets/acme/x", "acme", "pkg:pypi/acme-lib", "https://hub/acme/ü"] {
            assert_eq!(text.parse::<RequestedResource>().unwrap().as_str(), text);
        }
        for text in ["", " ", "acme /model", "acme/model\n", "a\u{0}", &"a".repeat(1025)] {
            assert!(text.parse::<RequestedResource>().is_err(), "{text:?} was accepted");
        }
    }
}
