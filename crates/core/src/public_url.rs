//! The address under which a server is known.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The origin (`scheme://host[:port]`) under which clients reach the server: the issuer of its access tokens, and the
/// audience that id tokens must be minted for unless an issuer's settings say otherwise.
///
/// `https`, or `http` for loopback addresses only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicUrl(String);

impl PublicUrl {
    /// The URL as written, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a URL that this project would ask or trust.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// Another scheme, or none.
    #[error(
        "expected a URL that begins with https:// (http:// only for 127.0.0.0/8, [::1] and localhost), found {0:?}"
    )]
    Scheme(String),
    /// `http://` for an address that others can reach or pretend to be.
    #[error("http:// is accepted for loopback addresses only; use https:// for {0:?}")]
    PlainHttp(String),
    /// The host is not a lower-case DNS name or an address.
    #[error("expected a lower-case host name in ASCII, without user name, and not in punycode; found {0:?}")]
    Host(String),
    /// The port is not a number from 1 to 65535, or it is the scheme's own.
    #[error("expected a port from 1 to 65535 that is not the scheme's default, found {0:?}")]
    Port(String),
    /// More than an origin.
    #[error("expected scheme://host[:port] and nothing after it, found {0:?}")]
    NotAnOrigin(String),
}

impl FromStr for PublicUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        let rest = parse_origin(text)?;
        if rest.is_empty() { Ok(Self(text.to_owned())) } else { Err(UrlError::NotAnOrigin(rest.to_owned())) }
    }
}

impl TryFrom<String> for PublicUrl {
    type Error = UrlError;

    fn try_from(text: String) -> Result<Self, UrlError> {
        text.parse()
    }
}

impl From<PublicUrl> for String {
    fn from(url: PublicUrl) -> Self {
        url.0
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks scheme, host and port, and returns what follows them: empty, or beginning with `/`, `?` or `#`.
pub(crate) fn parse_origin(text: &str) -> Result<&str, UrlError> {
    let (scheme, rest) = text.split_once("://").ok_or_else(|| UrlError::Scheme(text.to_owned()))?;
    if !matches!(scheme, "https" | "http") {
        return Err(UrlError::Scheme(text.to_owned()));
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if !is_host(host) {
        return Err(UrlError::Host(authority.to_owned()));
    }
    if let Some(port) = port {
        let default = if scheme == "https" { 443 } else { 80 };
        match port.parse::<u16>() {
            Ok(number) if number != 0 && number != default && number.to_string() == port => {}
            _ => return Err(UrlError::Port(port.to_owned())),
        }
    }
    if scheme == "http" && !is_loopback(host) {
        return Err(UrlError::PlainHttp(host.to_owned()));
    }
    Ok(after)
}

pub(crate) fn is_loopback(host: &str) -> bool {
    matches!(host, "localhost" | "[::1]")
        || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    host.len() <= 253 && host.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.starts_with("xn--")
        && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::PublicUrl;

    #[test]
    fn drops_one_trailing_slash_and_refuses_paths() {
        let public = |text: &str| text.parse::<PublicUrl>().map(String::from);
        assert_eq!(public("https://hub.example.com/").unwrap(), "https://hub.example.com");
        assert_eq!(public("http://127.0.0.1:8080").unwrap(), "http://127.0.0.1:8080");
        for text in [
            "https://hub.example.com/x",
            "https://hub.example.com//",
            "https://h?x",
            "http://hub.example.com",
        ] {
            assert!(public(text).is_err(), "{text} was accepted");
        }
    }
}
