//! Issuers of id tokens.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::public_url::{UrlError, is_loopback, parse_origin};

const MAX_LENGTH: usize = 255;
/// The issuers that do end in a bare slash. Everybody else who writes one has copied a browser's address.
const WITH_BARE_SLASH: [&str; 1] = ["https://login.app.env0.com/"];

/// The URL of an OIDC issuer, exactly as its tokens carry it in `iss`.
///
/// Compared byte for byte, never normalised: no two spellings are one issuer (OpenID Connect Discovery 1.0 §4.3). What a
/// browser or a person could mistake for another URL cannot be written at all: user information, query, fragment,
/// percent-escapes, dot segments, empty segments, upper-case hosts, punycode, default ports. A trailing slash is kept
/// where a path precedes it, because some Azure issuers end in one, and for the few hosts whose issuer is known to end in
/// it; it makes a different issuer.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IssuerUrl(String);

impl IssuerUrl {
    /// The URL as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `host` or `host:port`.
    pub fn authority(&self) -> &str {
        let rest = self.0.split_once("://").map_or("", |(_, rest)| rest);
        rest.split_once('/').map_or(rest, |(authority, _)| authority)
    }

    /// Whether it says by itself that it is on this machine: an address of 127.0.0.0/8, `[::1]` or `localhost`.
    pub fn is_loopback(&self) -> bool {
        let authority = self.authority();
        let port = authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']'));
        is_loopback(port.map_or(authority, |(host, _)| host))
    }
}

/// Why a text is not an issuer URL.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssuerUrlError {
    /// Scheme, host or port cannot be an issuer's.
    #[error(transparent)]
    Origin(#[from] UrlError),
    /// Longer than any provider's.
    #[error("an issuer URL has at most {MAX_LENGTH} characters; this one has {0}")]
    TooLong(usize),
    /// `https://host/`: providers write this one without the slash.
    #[error("write the issuer without the trailing slash, exactly as the tokens' `iss` has it")]
    BareSlash,
    /// An empty, `.` or `..` segment, or a character outside `A-Z a-z 0-9 - . _ ~`.
    #[error("an issuer's path consists of segments of A-Z a-z 0-9 - . _ ~; found {0:?}")]
    Path(String),
}

impl FromStr for IssuerUrl {
    type Err = IssuerUrlError;

    fn from_str(text: &str) -> Result<Self, IssuerUrlError> {
        if text.len() > MAX_LENGTH {
            return Err(IssuerUrlError::TooLong(text.len()));
        }
        let path = parse_origin(text)?;
        if WITH_BARE_SLASH.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        if path == "/" {
            return Err(IssuerUrlError::BareSlash);
        }
        if let Some(segments) = path.strip_prefix('/') {
            let segments = segments.strip_suffix('/').unwrap_or(segments);
            if !segments.split('/').all(is_segment) {
                return Err(IssuerUrlError::Path(path.to_owned()));
            }
        } else if !path.is_empty() {
            return Err(IssuerUrlError::Path(path.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

impl TryFrom<String> for IssuerUrl {
    type Error = IssuerUrlError;

    fn try_from(text: String) -> Result<Self, IssuerUrlError> {
        text.parse()
    }
}

impl From<IssuerUrl> for String {
    fn from(url: IssuerUrl) -> Self {
        url.0
    }
}

impl fmt::Display for IssuerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::IssuerUrl;

    #[test]
    fn accepts_the_issuers_of_real_providers() {
        for text in [
            "https://token.actions.githubusercontent.com",
            "https://token.actions.githubusercontent.com/octo-enterprise",
            "https://ghes.example.com/_services/token",
            "https://gitlab.example.com:8443",
            "https://oidc.circleci.com/org/a64b1c5e-0000-4000-8000-000000000000",
            "https://oidc.prod-aks.azure.com/00000000-0000-4000-8000-000000000000/",
            "https://login.app.env0.com/",
            "http://127.0.0.1:4000/github",
            "http://localhost:4000",
            "http://[::1]:4000",
        ] {
            assert_eq!(text.parse::<IssuerUrl>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn c2_confusable_issuers_are_refused_at_configuration() {
        let long = format!("https://issuer.example.com/{}", "a".repeat(255));
        for text in [
            "",
            "issuer.example.com",
            "http://issuer.example.com",
            "HTTPS://issuer.example.com",
            "https://Issuer.example.com",
            "https://issuer.example.com/",
            "https://issuer.example.com//",
            "https://issuer.example.com/a//b",
            "https://issuer.example.com/a/../b",
            "https://issuer.example.com/.",
            "https://issuer.example.com/a%2Fb",
            "https://issuer.example.com?x",
            "https://issuer.example.com/a?x=1",
            "https://issuer.example.com#x",
            "https://evil#@issuer.example.com",
            "https://issuer.example.com@evil",
            "https://user:pw@issuer.example.com",
            "https://issuer.example.com:443",
            "https://issuer.example.com:0",
            "https://issuer.example.com:",
            "https://issuer.example.com:99999",
            "https://issuer.example.com:+443",
            "https://issuer.example.com.",
            "https://.example.com",
            "https://-a.example.com",
            "https://xn--80ak6aa92e.com",
            "https://аpple.com",
            "https://issuer.example.com\\evil",
            "https://issuer.example.com /a",
            "https://*.example.com",
            "http://127.0.0.1.evil.com",
            "http://localhost.evil.com",
            "http://[::2]:80",
            "https://",
            long.as_str(),
        ] {
            assert!(text.parse::<IssuerUrl>().is_err(), "{text} was accepted");
        }
    }

    #[test]
    fn loopback_is_what_the_url_itself_says() {
        let is_loopback = |text: &str| text.parse::<IssuerUrl>().unwrap().is_loopback();
        for text in [
            "http://127.0.0.1:81/gitlab",
            "https://127.9.9.9",
            "http://[::1]:81",
            "http://[::1]",
            "http://localhost",
        ] {
            assert!(is_loopback(text), "{text}");
        }
        for text in [
            "https://localhost.example.com",
            "https://10.0.0.1",
            "https://[fe80::1]",
            "https://issuer.example.com",
        ] {
            assert!(!is_loopback(text), "{text}");
        }
    }

    #[test]
    fn authority_is_host_and_port() {
        let authority = |text: &str| text.parse::<IssuerUrl>().unwrap().authority().to_owned();
        assert_eq!(authority("https://gitlab.example.com"), "gitlab.example.com");
        assert_eq!(authority("http://127.0.0.1:81/gitlab"), "127.0.0.1:81");
    }
}
