//! The JOSE header: what is read of it, and what is never tolerated in it.

use countersign_core::Algorithm;
use serde_json::{Map, Value};

use super::error::ParseError;
use crate::registered::kind_of;

/// The longest key id, in bytes. Real ones are UUIDs and thumbprints.
const MAX_KEY_ID_LENGTH: usize = 256;

/// Members that bring or locate a key (RFC 8725 §3.10), change what is signed (RFC 7797), demand an extension that nobody
/// here implements (RFC 7515 §4.1.11), or wrap something else (`cty`, `zip`).
///
/// `x5t` and `x5t#S256` are not among them: they are mere thumbprints, which GitHub sends.
const FORBIDDEN: [&str; 8] = ["jku", "x5u", "jwk", "x5c", "crit", "b64", "cty", "zip"];

/// The kinds of JWT that can be told apart by `typ` (RFC 8725 §3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// `typ` absent or `JWT`: providers do not type their id tokens explicitly.
    IdToken,
    /// `at+jwt`, short or as a full media type (RFC 9068 §2.1).
    AccessToken,
    /// `statuslist+jwt`, short or as a full media type (draft-ietf-oauth-status-list-21 §5.1).
    #[cfg(feature = "fetch")]
    StatusList,
}

impl TokenKind {
    fn accepts(self, typ: Option<&str>) -> bool {
        match self {
            Self::IdToken => typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT")),
            Self::AccessToken => matches!(typ, Some("at+jwt" | "application/at+jwt")),
            #[cfg(feature = "fetch")]
            Self::StatusList => matches!(typ, Some("statuslist+jwt" | "application/statuslist+jwt")),
        }
    }

    const fn expected(self) -> &'static str {
        match self {
            Self::IdToken => "an id token of `typ` JWT or without `typ`",
            Self::AccessToken => "an access token of `typ` at+jwt",
            #[cfg(feature = "fetch")]
            Self::StatusList => "a status list of `typ` statuslist+jwt",
        }
    }

    /// The longest one that is looked at, in bytes. The longest id token of a provider has about 4 KiB; a status list of
    /// [`crate::StatusList::MAX_ENTRIES`] that could not be compressed at all has 60.
    pub(super) const fn max_length(self) -> usize {
        match self {
            Self::IdToken | Self::AccessToken => 16 * 1024,
            #[cfg(feature = "fetch")]
            Self::StatusList => 100 * 1024,
        }
    }
}

/// The members of a header that matter, all others having been refused or found harmless.
#[derive(Debug)]
pub(crate) struct Header {
    /// `alg`.
    pub(crate) algorithm: Algorithm,
    /// `kid`: a name to look up among the issuer's keys, never a path or a URL.
    pub(crate) key_id: Option<String>,
}

impl Header {
    /// Reads the header of a token that should be of `kind`. Unknown members are ignored (RFC 7515 §4).
    pub(crate) fn read(members: &Map<String, Value>, kind: TokenKind) -> Result<Self, ParseError> {
        if let Some(name) = FORBIDDEN.into_iter().find(|name| members.contains_key(*name)) {
            return Err(ParseError::ForbiddenMember(name));
        }
        let typ = text(members, "typ", "a string")?;
        if !kind.accepts(typ) {
            let found = typ.unwrap_or("(none)").chars().take(40).collect();
            return Err(ParseError::Type { expected: kind.expected(), found });
        }
        let algorithm =
            text(members, "alg", ALGORITHM)?.ok_or_else(|| member("alg", ALGORITHM, "nothing"))?;
        Ok(Self { algorithm: algorithm.parse()?, key_id: key_id(members)? })
    }
}

const ALGORITHM: &str = "the name of a signature algorithm";
const KEY_ID: &str = "a string of 1 to 256 bytes";

fn key_id(members: &Map<String, Value>) -> Result<Option<String>, ParseError> {
    match text(members, "kid", KEY_ID)? {
        Some(id) if id.is_empty() || id.len() > MAX_KEY_ID_LENGTH => {
            Err(member("kid", KEY_ID, format!("{} bytes", id.len())))
        }
        id => Ok(id.map(str::to_owned)),
    }
}

fn text<'a>(
    members: &'a Map<String, Value>,
    name: &'static str,
    expected: &'static str,
) -> Result<Option<&'a str>, ParseError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(member(name, expected, kind_of(Some(other)))),
    }
}

fn member(member: &'static str, expected: &'static str, found: impl Into<String>) -> ParseError {
    ParseError::HeaderMember { member, expected, found: found.into() }
}
