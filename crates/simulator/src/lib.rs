//! Pretend CI providers, for demonstrations, tests and rehearsals.
//!
//! A [`Simulator`] is one server on the loopback interface that plays GitHub Actions under `/github`, GitLab CI under
//! `/gitlab` and every other provider under its name: discovery, key set, the claims of a real run, and what a job sees of
//! it: the environment variables and, where the provider has one, the endpoint that mints id tokens. Its keys live and die
//! with it, so nothing it signs is worth anything elsewhere.
//!
//! ```
//! use countersign_core::UnixTime;
//! use countersign_simulator::{Overrides, Simulator};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let simulator = Simulator::start().await?;
//! let github = simulator.github();
//!
//! // What a job of acme/train on main sees; an HTTP client can mint id tokens with it.
//! let environment = github.job(&Overrides::new().set("event_name", "workflow_dispatch"));
//! assert!(environment.contains(&("GITHUB_REPOSITORY".to_owned(), "acme/train".to_owned())));
//!
//! // The same without HTTP, at a time of one's own and with one claim changed.
//! let mut claims = github.claims(UnixTime::from_seconds(1_800_000_000));
//! claims.insert("aud".to_owned(), "https://trust.example.com".into());
//! claims.remove("jti");
//! let id_token = github.sign(&claims);
//! # assert_eq!(id_token.split('.').count(), 3);
//! # Ok(())
//! # }
//! ```

mod clock;
mod ids;
mod keys;
mod overrides;
mod random;

mod authorization;
mod jobs;
mod pretended;
mod provider;
mod routes;
mod simulator;

mod aws;
mod azure;
mod azure_devops;
mod bitbucket;
mod bitrise;
mod buildkite;
mod circleci;
mod codefresh;
mod depot;
mod env0;
mod fly;
mod forgejo;
mod gitea;
mod github;
mod gitlab;
mod google;
mod hcp_terraform;
mod kubernetes;
mod modal;
mod semaphore;
mod spacelift;
mod spiffe;
mod vercel;

pub use clock::{Clock, system_clock};
pub use github::GitHub;
pub use gitlab::GitLab;
pub use keys::OldKey;
pub use overrides::{OverrideError, Overrides};
pub use pretended::Pretended;
pub use provider::{Platform, Provider, Run};
pub use simulator::{Simulator, StartError};
