//! The boundary to the network.

use std::fmt::Debug;
use std::pin::Pin;
use std::time::Duration;

use thiserror::Error;

mod address;
pub(crate) mod http;
pub(crate) mod kept;
pub(crate) mod network;

use network::NotPublic;

/// The answer of a [`Fetch`], some time later.
pub type FetchFuture<'a> = Pin<Box<dyn Future<Output = Result<Vec<u8>, FetchError>> + Send + 'a>>;

/// Gets small documents over HTTP. [`crate::HttpFetch`] is the real one; tests bring their own.
pub trait Fetch: Debug + Send + Sync {
    /// Gets the body at `url`: of a 200 answer only, without following redirects, in bounded time and size.
    fn get<'a>(&'a self, url: &'a str) -> FetchFuture<'a>;
}

/// Why a document could not be had.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchError {
    /// No connection, or one that broke: name resolution, TCP, TLS.
    #[error("the request failed: {0}")]
    Transport(String),
    /// The host is where only [`crate::Network::Any`] may go.
    #[error(transparent)]
    NotPublic(#[from] NotPublic),
    /// Connecting or reading took too long.
    #[error("no complete answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// Any status but 200. Redirects are not followed: a host that redirects could send us anywhere.
    #[error("expected status 200, found {0}; redirects are not followed")]
    Status(u16),
    /// The body is larger than a key set ever is.
    #[error("expected at most {0} bytes, found more")]
    TooLarge(usize),
    /// The body is compressed although `identity` was asked for. Nothing is ever decompressed: a bomb stays small.
    #[error("expected an uncompressed answer, found content-encoding {0:?}")]
    Compressed(String),
}

impl FetchError {
    /// A stable name of the cause, for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Transport(_) => "transport",
            Self::NotPublic(_) => "not_public",
            Self::Timeout(_) => "timeout",
            Self::Status(_) => "status",
            Self::TooLarge(_) => "too_large",
            Self::Compressed(_) => "compressed",
        }
    }
}
