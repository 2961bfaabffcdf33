//! The vocabulary of trusted publishing and the decision at its heart.
//!
//! Everything here is pure: no I/O, no clock, no randomness, no environment. Whoever calls brings the effects in as
//! arguments. The two doors that matter for security are [`VerifiedToken::vouched_by_signature`], which only the
//! `countersign-verify` crate may open, and [`decide`], the only maker of a [`Grant`].

pub mod access_token;
pub mod algorithm;
pub mod audience;
pub mod claims;
pub mod decision;
pub mod issuer;
pub mod json;
pub mod lint;
pub mod pasted;
pub mod plan;
pub mod proposal;
pub mod provider;
pub mod public_url;
pub mod publisher;
pub mod publisher_file;
pub mod resource;
pub mod secret;
pub mod statement;
pub mod time;
pub mod token_exchange;
pub mod verified;

pub use access_token::{AccessTokenClaims, Permission};
pub use algorithm::Algorithm;
pub use audience::Audience;
pub use claims::{Claims, JsonPointer, Scalar};
pub use decision::{Grant, Refusal, decide};
pub use issuer::IssuerUrl;
pub use provider::Provider;
pub use public_url::PublicUrl;
pub use publisher::{Publisher, PublisherId, Rules};
pub use resource::Resource;
pub use secret::{AccessToken, IdToken};
pub use statement::Statement;
pub use time::UnixTime;
pub use verified::{FoldedToken, ReplayKey, VerifiedToken};
