//! Why a text is not a token that could be verified.

use countersign_core::algorithm::AlgorithmError;
use thiserror::Error;

use crate::registered::MalformedClaim;

/// Why a text is not a token that could be verified. No message repeats the token or a part of it, other than short
/// header values.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseError {
    /// Larger than any provider's token.
    #[error("expected a token of at most {limit} bytes, found {found}; send the token alone")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The most that is accepted.
        limit: usize,
    },
    /// Not a signed JWT in compact form: encrypted (five parts), in JSON form, or something else altogether.
    #[error(
        "expected a signed JWT: three parts separated by dots; found {0} part(s); send the token itself, unencrypted \
         and unquoted"
    )]
    Parts(usize),
    /// A part is not base64url as RFC 7515 §2 has it.
    #[error(
        "the token's {0} is not base64url without padding; send the token exactly as it was issued, without line breaks"
    )]
    Encoding(&'static str),
    /// Header or payload is no JSON object, or one that two readers could understand differently.
    #[error("the token's {part} is not acceptable JSON: {problem}")]
    Json {
        /// `header` or `payload`.
        part: &'static str,
        /// What is wrong, and where.
        problem: String,
    },
    /// `alg` is not the exact name of an asymmetric algorithm: `none` and the `HS` family are not among them.
    #[error("the token's header has an unusable `alg`: {0}")]
    Algorithm(#[from] AlgorithmError),
    /// A header member has the wrong type or size.
    #[error("expected the header's `{member}` to be {expected}, found {found}")]
    HeaderMember {
        /// Its name.
        member: &'static str,
        /// What it should be.
        expected: &'static str,
        /// The JSON type of what came, or its length.
        found: String,
    },
    /// A header member that would change how the token is to be read, or bring its own key.
    #[error("the token's header has `{0}`, which is never accepted; have the token issued without it")]
    ForbiddenMember(&'static str),
    /// Another kind of JWT, such as an access token in place of an id token.
    #[error("expected {expected}, found a token of `typ` {found:?}; send the right kind of token")]
    Type {
        /// What would have been accepted.
        expected: &'static str,
        /// The `typ` that came, shortened.
        found: String,
    },
    /// `iss` is missing or not a string, so that no issuer can be looked up.
    #[error(transparent)]
    Issuer(MalformedClaim),
}

impl ParseError {
    /// A stable name of the cause, for logs, metrics and the audit trail.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "too_long",
            Self::Parts(_) => "parts",
            Self::Encoding(_) => "encoding",
            Self::Json { .. } => "json",
            Self::Algorithm(_) => "algorithm",
            Self::HeaderMember { .. } => "header_member",
            Self::ForbiddenMember(_) => "forbidden_header_member",
            Self::Type { .. } => "token_type",
            Self::Issuer(_) => "issuer",
        }
    }
}
