//! Why a server did not do what it was asked.

use std::io;
use std::path::PathBuf;

use countersign_client::endpoint::EndpointError;
use countersign_client::http::HttpError;
use serde::Deserialize;
use thiserror::Error;

use crate::failure::{REFUSED, UNREACHABLE, USAGE};
use crate::printable::printable;

/// Why a server did not do what it was asked.
#[derive(Debug, Error)]
pub(crate) enum AdministrationError {
    /// Nobody says which server.
    #[error("expected --server, or the server's URL in COUNTERSIGN_SERVER")]
    NoServer,
    /// What is said is no address.
    #[error("--server, or COUNTERSIGN_SERVER, is no address of a server")]
    Server(#[source] EndpointError),
    /// Nobody says as whom.
    #[error(
        "expected an admin token in COUNTERSIGN_ADMIN_TOKEN, --admin-token-env or --admin-token-file; `countersign-server \
         admin-token add` makes one"
    )]
    NoAdminToken,
    /// What was put where a variable's name should be is none; it is not repeated.
    #[error("--admin-token-env expects the name of a variable, such as MY_TOKEN, and not a token or a value")]
    VariableName,
    /// The variable is not there. Its name is not repeated: an admin token could be one.
    #[error(
        "the variable that --admin-token-env names is not set; it should hold an admin token, and not be one"
    )]
    Unset,
    /// The file is not there.
    #[error("the admin token could not be read from {}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is empty, or has something in it that no token has. Not repeated.
    #[error("what should be an admin token is none: expected one line without white space")]
    NotAToken,
    /// The server cannot be reached.
    #[error("the server could not be asked")]
    Http(#[from] HttpError),
    /// It says why not.
    #[error("the server did not do it: {}: {} (status {status}, request id {})", printable(.code), printable(.detail), printable(.request_id))]
    Problem {
        /// A stable code.
        code: String,
        /// A sentence.
        detail: String,
        /// The HTTP status.
        status: u16,
        /// What the server's log calls the request.
        request_id: String,
    },
    /// Whoever answers is no server of ours.
    #[error(
        "the answer has status {status} and is no server's: is this its address, and does it serve /api/v1?"
    )]
    NoServerThere {
        /// The HTTP status.
        status: u16,
    },
    /// An answer that this version cannot read.
    #[error("the server's answer cannot be read; is it of another version?")]
    Answer(#[source] serde_json::Error),
}

/// RFC 9457, as far as it is shown.
#[derive(Deserialize)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) detail: String,
}

impl AdministrationError {
    /// The exit code, as `--help` lists it.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NoServer
            | Self::Server(_)
            | Self::NoAdminToken
            | Self::VariableName
            | Self::Unset
            | Self::File { .. }
            | Self::NotAToken => USAGE,
            Self::Problem { status, .. } if *status < 500 && *status != 429 => REFUSED,
            Self::Problem { .. } | Self::Http(_) | Self::NoServerThere { .. } | Self::Answer(_) => {
                UNREACHABLE
            }
        }
    }
}
