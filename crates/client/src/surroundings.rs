//! What a job's process has around it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use countersign_core::UnixTime;

use crate::command::{Command, CommandError};
use crate::http::Http;
use crate::variables::Variables;

/// Every effect that this crate has or feels. Nothing in it is global, so two tests never share anything.
#[derive(Clone)]
pub struct Surroundings {
    /// The environment variables, read once at the edge.
    pub variables: Variables,
    /// The way to mint and token endpoints.
    pub http: Arc<dyn Http>,
    /// Time, and the passing of it.
    pub clock: Arc<dyn Clock>,
    /// The file system, to read from.
    pub files: Arc<dyn Files>,
    /// Programs, which some providers mint through.
    pub commands: Arc<dyn Commands>,
}

/// Time: the wall clock to judge tokens by, the monotonic clock to measure lifetimes with.
pub trait Clock: Send + Sync {
    /// The wall clock: it may jump, so it only judges claims such as `exp`.
    fn now(&self) -> UnixTime;

    /// The time since some fixed point: it never goes back, whatever happens to the wall clock.
    fn monotonic(&self) -> Duration;

    /// Waits, between attempts.
    fn sleep(&self, duration: Duration);
}

/// The file system, as far as it is read.
pub trait Files: Send + Sync {
    /// Reads a small text file whole: an error of kind `FileTooLarge` beyond 1 MiB, `InvalidData` if it is not UTF-8.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// Programs, as far as they print something.
pub trait Commands: Send + Sync {
    /// Runs a program to its end, for a bounded time and without standard input, and returns what it printed.
    fn run(&self, command: &Command) -> Result<String, CommandError>;
}
