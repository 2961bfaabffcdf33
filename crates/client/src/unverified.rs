//! What an id token says of itself.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::{Claims, IdToken, IssuerUrl, UnixTime, json};
use serde_json::Value;
use thiserror::Error;

const MAX_LENGTH: usize = 64 * 1024;

/// The claims of an id token whose signature nobody has checked: for a person to read, and to notice early that a
/// registry would refuse it. Nothing may be granted on them. They hold no part of the signature.
#[derive(Clone, Debug)]
pub struct UnverifiedClaims(Claims);

impl UnverifiedClaims {
    /// Decodes the payload of a JWT.
    pub fn read(token: &IdToken) -> Result<Self, UnverifiedError> {
        let text = token.expose();
        let mut parts = text.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(UnverifiedError::NotAJwt);
        };
        if text.len() > MAX_LENGTH {
            return Err(UnverifiedError::TooLong(text.len()));
        }
        let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| UnverifiedError::NotAJwt)?;
        json::strict_object(&payload)
            .map(|members| Self(Claims::new(members)))
            .map_err(UnverifiedError::Payload)
    }

    /// The claims, to be shown.
    pub const fn claims(&self) -> &Claims {
        &self.0
    }

    /// The issuer, if it can be one.
    pub fn issuer(&self) -> Option<IssuerUrl> {
        self.0.text("iss")?.parse().ok()
    }

    /// The audiences: `aud` is a string or an array of strings (RFC 7519 §4.1.3).
    pub fn audiences(&self) -> Vec<&str> {
        match self.0.value("aud") {
            Some(Value::String(audience)) => vec![audience],
            Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// When the token ends.
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.0.value("exp")?.as_i64().map(UnixTime::from_seconds)
    }
}

/// Why a token's claims cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum UnverifiedError {
    /// Not three base64url parts.
    #[error("expected a JWT, that is three base64url parts separated by dots; found something else")]
    NotAJwt,
    /// Longer than any provider's.
    #[error("expected a JWT of at most {MAX_LENGTH} bytes, found one of {0}")]
    TooLong(usize),
    /// The payload is no JSON object.
    #[error("the payload of the id token cannot be read")]
    Payload(#[source] json::JsonError),
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use countersign_core::IdToken;

    use super::UnverifiedClaims;

    fn read(payload: &str) -> Result<UnverifiedClaims, String> {
        let token = format!("eyJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(payload));
        UnverifiedClaims::read(&IdToken::from(token)).map_err(|error| error.to_string())
    }

    #[test]
    fn audience_is_a_string_or_an_array() {
        let rows: [(&str, &[&str]); 5] = [
            (r#"{"aud":"a"}"#, &["a"]),
            (r#"{"aud":["a","b"]}"#, &["a", "b"]),
            (r#"{"aud":["a",1]}"#, &["a"]),
            (r#"{"aud":7}"#, &[]),
            ("{}", &[]),
        ];
        for (payload, expected) in rows {
            assert_eq!(read(payload).unwrap().audiences(), expected, "{payload}");
        }
    }

    #[test]
    fn what_is_no_jwt_is_refused() {
        for text in ["", "x", "a.b", "a.e30", "a.e30.c.d", "a.e30=.c", "a.!.c", "a.W10.c"] {
            let error = UnverifiedClaims::read(&IdToken::from(text.to_owned()));
            assert!(error.is_err(), "{text:?} was accepted");
        }
        assert!(read(r#"{"aud":"a","aud":"b"}"#).is_err());
        let long = format!("a.{}.c", "e".repeat(70_000));
        let error = UnverifiedClaims::read(&IdToken::from(long)).unwrap_err();
        insta::assert_snapshot!(error, @"expected a JWT of at most 65536 bytes, found one of 70004");
    }
}
