//! The registry that is asked.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use countersign_core::Audience;
use thiserror::Error;

use crate::variables::Variables;

/// The base URL of a registry, without a trailing slash; its token endpoint is `/oauth/token` below it.
///
/// `https`, or `http` for loopback addresses only, because an id token is a credential and travels in the request. The
/// Hub's own client takes any `http` address; there is no good use for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(Audience);

impl Endpoint {
    /// The Hugging Face Hub.
    pub const DEFAULT: &'static str = "https://huggingface.co";
    /// The variable that replaces it.
    pub const VARIABLE: &'static str = "HF_ENDPOINT";

    /// The one in `HF_ENDPOINT`, else the Hub.
    pub fn from_variables(variables: &Variables) -> Result<Self, EndpointError> {
        variables.text(Self::VARIABLE).unwrap_or(Self::DEFAULT).parse()
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What id tokens for it are minted for, unless somebody says otherwise: the URL itself.
    pub const fn audience(&self) -> &Audience {
        &self.0
    }

    /// Where tokens are exchanged.
    pub fn token_url(&self) -> String {
        format!("{}/oauth/token", self.as_str())
    }
}

/// Why a text is no address of a registry.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndpointError {
    /// Not an absolute URL of one of the two schemes.
    #[error("expected a URL such as https://registry.example.com, found {0:?}")]
    NotAUrl(String),
    /// `http` for an address that others can reach or pretend to be.
    #[error("http:// is accepted for loopback addresses only; use https:// for {0:?}")]
    PlainHttp(String),
    /// A user name or password, which belong nowhere in it and are not repeated here.
    #[error("expected a URL without user name and password")]
    Credentials,
    /// A query or a fragment.
    #[error("expected a URL without ? and #, found {0:?}")]
    NotABase(String),
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let text = text.trim_end_matches('/');
        let not_a_url = || EndpointError::NotAUrl(text.chars().take(80).collect());
        let audience: Audience = if text.contains('@') {
            return Err(EndpointError::Credentials);
        } else {
            text.parse().map_err(|_| not_a_url())?
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(not_a_url)?;
        if !matches!(scheme, "https" | "http") || rest.is_empty() || rest.starts_with(['/', ':', '\\']) {
            return Err(not_a_url());
        }
        if rest.contains(['?', '#', '\\']) {
            return Err(EndpointError::NotABase(text.chars().take(80).collect()));
        }
        let authority = rest.split('/').next().unwrap_or(rest);
        if scheme == "http" && !is_loopback(authority) {
            return Err(EndpointError::PlainHttp(authority.to_owned()));
        }
        Ok(Self(audience))
    }
}

fn is_loopback(authority: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if is_port(port) => host,
        _ => authority,
    };
    matches!(host, "localhost" | "[::1]")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    fn check(text: &str, expected: &str) {
        let outcome = text.parse::<Endpoint>();
        let found = outcome.map_or_else(|error| error.to_string(), |endpoint| endpoint.to_string());
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_trailing_slash_is_dropped() {
        check("https://hub.example.com/", "https://hub.example.com");
        check("https://hub.example.com//", "https://hub.example.com");
        check("https://hub.example.com/prefix/", "https://hub.example.com/prefix");
        check("https://HUB.example.com:443", "https://HUB.example.com:443");
    }

    #[test]
    fn http_is_for_loopback_only() {
        for text in ["http://127.0.0.1:8080", "http://127.9.9.9", "http://localhost:1", "http://[::1]:80"] {
            check(text, text);
        }
        for host in ["hub.example.com", "127.0.0.1.example.com", "localhost.example.com", "[::2]", "0.0.0.0"]
        {
            check(
                &format!("http://{host}"),
                &format!("http:// is accepted for loopback addresses only; use https:// for \"{host}\""),
            );
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_passwords() {
        let expected = "expected a URL such as https://registry.example.com, found";
        check("hub.example.com", &format!("{expected} \"hub.example.com\""));
        check("ftp://hub", &format!("{expected} \"ftp://hub\""));
        check("https://", &format!("{expected} \"https:\""));
        check("https://a b", &format!("{expected} \"https://a b\""));
        check("https://u:secret@hub", "expected a URL without user name and password");
        check("https://hub?x", "expected a URL without ? and #, found \"https://hub?x\"");
        check("http://127.0.0.1\\@evil", "expected a URL without user name and password");
    }
}
