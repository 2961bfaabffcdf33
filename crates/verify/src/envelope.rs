//! The outside of a token: three parts, a header, a payload, a signature (RFC 7515 §3.1, compact serialization).

use countersign_core::json::{JsonError, strict_object};
use countersign_core::{Algorithm, Claims};
use serde_json::{Map, Value};

use crate::base64url;
use crate::key::{BadSignature, VerificationKey};

mod error;
mod header;

pub use error::ParseError;
pub(crate) use header::{Header, TokenKind};

/// A token taken apart. Nothing in it is believed.
///
/// One mechanism for id tokens and access tokens: what is refused here is refused for both.
pub(crate) struct Envelope<'token> {
    signed: &'token str,
    header: Header,
    payload: Claims,
    signature: Vec<u8>,
}

impl<'token> Envelope<'token> {
    /// Checks size and shape, and reads header and payload. No member of the header is ever followed.
    pub(crate) fn open(token: &'token str, kind: TokenKind) -> Result<Self, ParseError> {
        let limit = kind.max_length();
        if token.len() > limit {
            return Err(ParseError::TooLong { found: token.len(), limit });
        }
        let (signed, header, payload, signature) = split(token)?;
        Ok(Self {
            signed,
            header: Header::read(&part("header", header, |bytes| strict_object(&bytes))?, kind)?,
            payload: part("payload", payload, Claims::read)?,
            signature: base64url::decode(signature).ok_or(ParseError::Encoding("signature"))?,
        })
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.header.algorithm
    }

    pub(crate) fn key_id(&self) -> Option<&str> {
        self.header.key_id.as_deref()
    }

    /// The claims, unverified.
    pub(crate) fn payload(&self) -> &Map<String, Value> {
        self.payload.as_map()
    }

    /// The bytes under the signature: header and payload in their one canonical encoding.
    pub(crate) fn signed(&self) -> &'token [u8] {
        self.signed.as_bytes()
    }

    /// Checks the signature, and hands out the claims only if it is good.
    pub(crate) fn verify(self, key: &VerificationKey) -> Result<Claims, BadSignature> {
        key.verify(self.signed.as_bytes(), &self.signature)?;
        Ok(self.payload)
    }
}

/// Finds the two dots without collecting what lies between: a token of a million dots costs one scan.
fn split(token: &str) -> Result<(&str, &str, &str, &str), ParseError> {
    let parts = || ParseError::Parts(token.bytes().filter(|byte| *byte == b'.').count() + 1);
    let (signed, signature) = token.rsplit_once('.').ok_or_else(parts)?;
    let (header, payload) = signed.split_once('.').ok_or_else(parts)?;
    if payload.contains('.') { Err(parts()) } else { Ok((signed, header, payload, signature)) }
}

fn part<T>(
    part: &'static str,
    text: &str,
    read: impl FnOnce(Vec<u8>) -> Result<T, JsonError>,
) -> Result<T, ParseError> {
    let bytes = base64url::decode(text).ok_or(ParseError::Encoding(part))?;
    read(bytes).map_err(|problem| ParseError::Json { part, problem: problem.to_string() })
}
