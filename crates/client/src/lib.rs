//! The job's side of trusted publishing: a CI provider's identity in, a registry's short-lived access token out.
//!
//! [`Client`] finds out which provider runs the job, has an id token minted for the registry's audience, and exchanges
//! it at the registry's [`Endpoint`]. [`TokenCache`] keeps one access token per resource fresh for as long as the
//! process runs, and resolves tokens in the order that the Hugging Face Hub's own client does.
//!
//! Every effect comes in through [`Surroundings`]; [`system`] holds the real ones. Calls block: an async program makes
//! them from a blocking thread.
//!
//! ```no_run
//! use countersign_client::{Client, Settings, Variables, system};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let variables = Variables::from_iter([("GITHUB_ACTIONS", "true")]); // a program passes its environment
//! let client = Client::new(system::surroundings(variables), Settings::default())?;
//! let response = client.login(&"acme/awesome-model".parse()?)?;
//! # let _ = response;
//! # Ok(())
//! # }
//! ```

mod surroundings;

pub mod command;
pub mod http;
mod variables;

mod client;

pub mod ambient;
pub mod identity;

mod unverified;

pub mod endpoint;
pub mod exchange;
pub mod resource;
mod revocation;

mod cache;
mod fresh;
mod job_key;
mod lease;

pub mod resolution;
mod retry;

pub mod system;

pub use ambient::{AmbientProvider, AudienceChoice, JobMark, MintError};
pub use cache::TokenCache;
pub use client::{Client, LoginError, Settings, SetupError};
pub use command::{Command, CommandError};
pub use endpoint::Endpoint;
pub use exchange::ExchangeError;
pub use fresh::FreshToken;
pub use http::Http;
pub use identity::{Identity, IdentityError, Source, Supplied};
pub use job_key::{JobKey, SealedAnswer};
pub use resolution::{Origin, ResolutionError, ResolvedToken};
pub use resource::RequestedResource;
pub use surroundings::{Clock, Commands, Files, Surroundings};
pub use unverified::{UnverifiedClaims, UnverifiedError};
pub use variables::Variables;
