//! The real surroundings: the only place of this crate where effects are real.

mod clock;
mod commands;
mod files;
mod http;
mod names;
mod socket;

use std::sync::Arc;

pub use clock::SystemClock;
pub use commands::SystemCommands;
pub use files::SystemFiles;
pub use http::HttpAgent;
pub use names::{NameError, Names};

use crate::surroundings::Surroundings;
use crate::variables::Variables;

/// This process' surroundings. The variables are an argument because only `main` reads the environment.
///
/// One exception is the HTTP agent: it takes the proxy from `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, and the trusted
/// certificate authorities from `SSL_CERT_FILE`, `SSL_CERT_DIR` or the system, as its libraries read them.
pub fn surroundings(variables: Variables) -> Surroundings {
    Surroundings {
        variables,
        http: Arc::new(HttpAgent::default()),
        clock: Arc::new(SystemClock::default()),
        files: Arc::new(SystemFiles),
        commands: Arc::new(SystemCommands),
    }
}
