//! The answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::token_type;
use crate::access_token::Permission;
use crate::json::push_text;
use crate::secret::AccessToken;

/// The answer to a successful exchange (RFC 8693 §2.2.1).
///
/// Holds a secret, so it does not implement `Serialize`: [`TokenResponse::to_json`] is the one way onto the wire.
#[derive(Clone, Debug)]
pub struct TokenResponse {
    /// The token.
    pub access_token: AccessToken,
    /// `urn:ietf:params:oauth:token-type:access_token`.
    pub issued_token_type: String,
    /// `bearer`, in lower case as the Hub has it.
    pub token_type: String,
    /// Seconds until the token ends; `None` only in answers of other servers.
    pub expires_in: Option<u64>,
    /// What the token may do, if a scope was asked for (RFC 6749 §5.1).
    pub scope: Option<String>,
}

/// The shape on the wire, as it is read.
#[derive(Deserialize)]
struct Wire {
    access_token: String,
    #[serde(default = "bearer")]
    token_type: String,
    expires_in: Option<u64>,
    #[serde(default = "access_token")]
    issued_token_type: String,
    scope: Option<String>,
}

/// What stands behind the token, as it is written.
#[derive(Serialize)]
struct Rest<'a> {
    token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
    issued_token_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

fn bearer() -> String {
    "bearer".to_owned()
}

fn access_token() -> String {
    token_type::ACCESS_TOKEN.to_owned()
}

impl TokenResponse {
    /// The answer with a token that is good for `expires_in` seconds.
    pub fn bearer(token: AccessToken, expires_in: u64, scope: Option<Permission>) -> Self {
        Self {
            access_token: token,
            issued_token_type: access_token(),
            token_type: bearer(),
            expires_in: Some(expires_in),
            scope: scope.map(|permission| permission.scope().to_owned()),
        }
    }

    /// The body, with the token in clear: for the wire only.
    pub fn to_json(&self) -> serde_json::Result<String> {
        let rest = serde_json::to_string(&Rest {
            token_type: &self.token_type,
            expires_in: self.expires_in,
            issued_token_type: &self.issued_token_type,
            scope: self.scope.as_deref(),
        })?;
        let token = self.access_token.expose();
        let mut body = String::with_capacity(token.len() + rest.len() + 32);
        body.push_str("{\"access_token\":");
        push_text(&mut body, token);
        body.push(',');
        body.push_str(rest.trim_start_matches('{'));
        Ok(body)
    }

    /// Reads the body that a server answered. The error names positions, never content.
    pub fn from_json(body: &[u8]) -> Result<Self, NotATokenResponse> {
        let wire: Wire = serde_json::from_slice(body).map_err(|_| NotATokenResponse)?;
        if wire.access_token.is_empty() {
            return Err(NotATokenResponse);
        }
        Ok(Self {
            access_token: wire.access_token.into(),
            issued_token_type: wire.issued_token_type,
            token_type: wire.token_type,
            expires_in: wire.expires_in,
            scope: wire.scope,
        })
    }
}

/// The body is not JSON with an `access_token`.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a JSON object with an access_token (RFC 8693 §2.2.1)")]
pub struct NotATokenResponse;

/// The `error` of an OAuth error answer (RFC 6749 §5.2, RFC 8693 §2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A parameter is missing, malformed or repeated.
    InvalidRequest,
    /// The id token is not good, or no publisher trusts it.
    InvalidGrant,
    /// The caller of a protected endpoint is not known.
    InvalidClient,
    /// The target cannot be served.
    InvalidTarget,
    /// Another grant than the token exchange.
    UnsupportedGrantType,
    /// Try again later: the fault is not the request's.
    TemporarilyUnavailable,
    /// Too many requests, try again later (RFC 8628 §3.5 has the code; nothing nearer is registered).
    SlowDown,
    /// A fault of the server.
    ServerError,
}

impl ErrorCode {
    /// The code on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidClient => "invalid_client",
            Self::InvalidTarget => "invalid_target",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::SlowDown => "slow_down",
            Self::ServerError => "server_error",
        }
    }
}

/// An `error_description`: only `%x20-21 / %x23-5B / %x5D-7E` (RFC 6749 §5.2), at most 1,000 characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ErrorDescription(String);

impl ErrorDescription {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for ErrorDescription {
    /// Replaces what the character set does not have: quotes by `'`, line ends by a space, anything else by `?`.
    fn from(text: &str) -> Self {
        let fitted = text.chars().take(1000).map(|character| match character {
            '"' => '\'',
            '\n' | '\t' => ' ',
            ' '..='~' if character != '\\' => character,
            _ => '?',
        });
        Self(fitted.collect())
    }
}

/// The body of an OAuth error answer.
#[derive(Clone, Debug, Serialize)]
pub struct ErrorResponse {
    /// The code.
    pub error: ErrorCode,
    /// The sentence for a person.
    pub error_description: ErrorDescription,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i13_error_description_keeps_to_its_character_set() {
        let description = ErrorDescription::from("a \"b\" \\ ü\n\u{7f}\0~!");
        assert_eq!(description.as_str(), "a 'b' ? ? ??~!");
        assert_eq!(ErrorDescription::from("x".repeat(5000).as_str()).as_str().len(), 1000);
    }

    #[test]
    fn the_answer_has_exactly_the_four_fields_of_the_hub() {
        let response = TokenResponse::bearer(AccessToken::from("hf_jwt_x".to_owned()), 3600, None);
        assert_eq!(
            response.to_json().unwrap(),
            r#"{"access_token":"hf_jwt_x","token_type":"bearer","expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}"#
        );
        assert!(!format!("{response:?}").contains("hf_jwt_x"));
    }

    #[test]
    fn what_json_writes_otherwise_comes_back_as_it_was() {
        for token in ["a\"b", "a\\", "\n", "a\u{7f}", "ü", ""] {
            let scope = Some(Permission::Write);
            let body =
                TokenResponse::bearer(AccessToken::from(token.to_owned()), 1, scope).to_json().unwrap();
            let read: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(
                (read["access_token"].as_str(), read["scope"].as_str()),
                (Some(token), Some("read write"))
            );
        }
    }

    #[test]
    fn answers_of_other_servers() {
        let response = TokenResponse::from_json(br#"{"access_token":"t","x":1}"#).unwrap();
        assert_eq!((response.expires_in, response.token_type.as_str()), (None, "bearer"));
        for body in [&b"<html>"[..], b"{}", br#"{"access_token":""}"#, br#"{"access_token":1}"#] {
            assert_eq!(TokenResponse::from_json(body).unwrap_err(), NotATokenResponse);
        }
    }
}
