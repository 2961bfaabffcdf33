//! How the program fails: what it says, and its exit code.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use countersign_client::endpoint::EndpointError;
use countersign_client::{ExchangeError, IdentityError, LoginError, SetupError, UnverifiedError};
use countersign_core::Provider;
use countersign_core::audience::AudienceError;
use countersign_core::publisher::ArgumentError;
use countersign_simulator::{OverrideError, StartError};
use thiserror::Error;

use crate::administration::AdministrationError;
use crate::child::ChildError;
use crate::paint::{Paint, Tone};
use crate::publisher_file::PublisherFileError;
use crate::token_cache::VARIABLE as CACHE;

/// Anything that has no code of its own.
pub(crate) const OTHER: u8 = 1;
/// An argument or a variable makes no sense; clap uses the same code.
pub(crate) const USAGE: u8 = 2;
/// The job has no identity to show.
pub(crate) const NO_IDENTITY: u8 = 3;
/// The server said no.
pub(crate) const REFUSED: u8 = 4;
/// The server could not be asked, cannot serve now, or is none.
pub(crate) const UNREACHABLE: u8 = 5;
/// There is something weak in what was looked at.
pub(crate) const WEAK: u8 = 6;
/// What is there differs from what should be.
pub(crate) const DIFFERENT: u8 = 7;

/// Why a command did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// `--endpoint` is no address.
    #[error("--endpoint is no address of a registry")]
    Endpoint(#[source] EndpointError),
    /// What should be a variable's name is none. Not repeated: it may be the token itself.
    #[error("{0} expects the name of a variable, such as MY_TOKEN, and not a token or a value")]
    VariableName(&'static str),
    /// `--id-token-command` names no program.
    #[error(
        "--id-token-command expects a program and its arguments, such as `print-token --audience X`; found nothing"
    )]
    IdTokenCommand,
    /// `COUNTERSIGN_CACHE` says neither yes nor no.
    #[error("the variable {CACHE} expects 1 or 0; found {0:?}")]
    CacheVariable(String),
    /// Not as many names as resources.
    #[error("{option} expects one name for each resource; found {names} for {resources}")]
    OneEach {
        /// Which names.
        option: &'static str,
        /// How many there are.
        names: usize,
        /// How many there should be.
        resources: usize,
    },
    /// GitHub's runner is not there, or tells no file.
    #[error(
        "{option} writes to the file in {variable}, which is not set; it is in a step of GitHub Actions only"
    )]
    NoRunnerFile {
        /// What asked for it.
        option: &'static str,
        /// Where its path should be.
        variable: &'static str,
    },
    /// Neither the command line nor git says what the token is for.
    #[error("expected --resource, or a path from git; for that, set credential.useHttpPath to true")]
    NoGitResource,
    /// Cargo asks for a token for somebody else.
    #[error(
        "cargo asks for a token for the index {asked:?}, and this one is for {known:?}; if they belong together, add --index {asked}"
    )]
    OtherIndex {
        /// Whom cargo asks for.
        asked: String,
        /// Whom the token is for.
        known: String,
    },
    /// Nobody says what the id token is for.
    #[error("expected --audience, or GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE, which Google's libraries set")]
    NoGoogleAudience,
    /// What the credential configuration names is no audience.
    #[error("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE is no audience")]
    GoogleAudience(#[source] AudienceError),
    /// A claim is not written as one.
    #[error("--claim cannot be read")]
    Claim(#[from] OverrideError),
    /// No pretend provider can be started.
    #[error("no provider can be pretended")]
    Simulator(#[from] StartError),
    /// Threads cannot be had.
    #[error("no provider can be pretended: the system gives no more threads")]
    Runtime(#[source] io::Error),
    /// There is no such pretend provider.
    #[error("nobody plays {asked}; expected one of {played}")]
    NobodyPlays {
        /// The provider.
        asked: Provider,
        /// Those that there are.
        played: String,
    },
    /// There is nothing to run.
    #[error("expected a command after --, such as `-- hf upload acme/awesome-model .`")]
    NoCommand,
    /// `HF_ENDPOINT` is no address.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// No identity, or no token for it.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// A supplied id token is no JWT, so there is nothing to show.
    #[error("the id token from {source_name} cannot be read")]
    Unreadable {
        /// Where it is from.
        source_name: String,
        /// Why.
        source: UnverifiedError,
    },
    /// The command did not run to its end.
    #[error(transparent)]
    Child(#[from] ChildError),
    /// There is no place for the token file.
    #[error(
        "the token file could not be written; set RUNNER_TEMP or TMPDIR to a folder that this user may write to"
    )]
    TokenFile(#[source] io::Error),
    /// A file cannot be written to.
    #[error("{} could not be written; check that this user may write to it", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A server was not asked, or did not do it.
    #[error(transparent)]
    Administration(#[from] AdministrationError),
    /// What was written for a publisher makes none.
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    /// A publisher is not what was written.
    #[error(
        "nothing was added: what was written is taken for something else, as shown above; if it is meant, add --yes"
    )]
    NotAsWritten,
    /// More than one request takes.
    #[error(
        "expected at most {most} changes at once, found {found}; split the file, since more cannot be done all or not at all"
    )]
    TooManyChanges {
        /// How many a request takes.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// The file of publishers says nothing.
    #[error(transparent)]
    PublisherFile(#[from] PublisherFileError),
    /// The manual pages cannot be written.
    #[error("the manual pages could not be written to {}; it must be a folder that is there", .folder.display())]
    Manual {
        /// Where to.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Standard output or standard error is closed or full.
    #[error("the output could not be written")]
    Output(#[from] io::Error),
    /// What was to be printed cannot be written as JSON.
    #[error("the answer could not be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Failure {
    /// The exit code, as `--help` lists it.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Endpoint(_)
            | Self::VariableName(_)
            | Self::IdTokenCommand
            | Self::CacheVariable(_)
            | Self::OneEach { .. }
            | Self::NoRunnerFile { .. }
            | Self::NoGitResource
            | Self::OtherIndex { .. }
            | Self::NoGoogleAudience
            | Self::GoogleAudience(_)
            | Self::Claim(_)
            | Self::NobodyPlays { .. }
            | Self::NoCommand
            | Self::Setup(_)
            | Self::PublisherFile(_)
            | Self::Argument(_)
            | Self::NotAsWritten
            | Self::TooManyChanges { .. }
            | Self::Login(LoginError::Identity(IdentityError::Unsupported { .. })) => USAGE,
            Self::Login(LoginError::Identity(_)) | Self::Unreadable { .. } => NO_IDENTITY,
            Self::Login(LoginError::Exchange(ExchangeError::Refused(_))) => REFUSED,
            Self::Login(LoginError::Exchange(_)) => UNREACHABLE,
            Self::Administration(error) => error.exit_code(),
            Self::Child(error) => error.code(),
            Self::Login(_)
            | Self::Simulator(_)
            | Self::Runtime(_)
            | Self::TokenFile(_)
            | Self::File { .. }
            | Self::Output(_)
            | Self::Manual { .. }
            | Self::Json(_) => OTHER,
        }
    }
}

/// The error and its causes, a line each.
pub(crate) fn report(failure: &Failure, paint: Paint) -> String {
    let mut lines = vec![format!("{} {failure}\n", paint.show(Tone::Wrong, "error:"))];
    let mut cause = failure.source();
    while let Some(error) = cause {
        lines.push(format!("  {} {error}\n", paint.show(Tone::Faint, "caused by:")));
        cause = error.source();
    }
    lines.concat()
}

/// The error and its causes, in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
