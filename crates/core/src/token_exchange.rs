//! The messages of the token exchange (RFC 8693 §2), as the Hugging Face Hub speaks them and as OAuth libraries do.

mod answer;
mod parameters;
mod request;

pub use answer::{ErrorCode, ErrorDescription, ErrorResponse, TokenResponse};
pub use parameters::{Parameters, ParametersError};
pub use request::{Scope, TokenRequest, TokenRequestError};

/// The `grant_type` of a token exchange.
pub const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// The token types of RFC 8693 §3 that this project takes or gives.
pub mod token_type {
    /// What is issued.
    pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
    /// What is exchanged, as the Hub's client names it.
    pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
    /// The same thing, as google-auth and others name it.
    pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
}
