//! HTTP as this crate needs it: one small request, one small answer.

use std::fmt;
use std::path::PathBuf;

use thiserror::Error;

/// The most bytes of an answer's body that are read, unless the request says otherwise; token answers have a few thousand.
pub const MAX_BODY: usize = 1024 * 1024;

/// The media type of forms.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// Sends a request and returns the answer, whatever its status.
///
/// An implementation follows no redirect (the request carries credentials that were meant for one address), reads at
/// most [`Request::limit`], and gives up after a bounded time.
pub trait Http: Send + Sync {
    /// Sends it once; repeating is the caller's decision.
    fn send(&self, request: Request) -> Result<Response, HttpError>;
}

/// A request. URL, headers and body may hold secrets: `Debug` shows method and host only.
pub struct Request {
    /// What to do there.
    pub method: Method,
    /// An absolute `http` or `https` URL.
    pub url: String,
    /// Header fields.
    pub headers: Vec<(&'static str, String)>,
    /// The body of a POST.
    pub body: String,
    /// The most bytes of the answer's body that are read.
    pub limit: usize,
    /// The Unix socket that the server listens on, instead of the host of the URL.
    pub socket: Option<PathBuf>,
}

/// The methods that are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

impl Request {
    /// A GET that asks for JSON.
    pub fn get(url: String) -> Self {
        Self {
            method: Method::Get,
            url,
            headers: accepting_json(),
            body: String::new(),
            limit: MAX_BODY,
            socket: None,
        }
    }

    /// A POST of JSON that asks for JSON.
    pub fn post_json(url: String, body: String) -> Self {
        Self { method: Method::Post, url, headers: accepting_json(), body, limit: MAX_BODY, socket: None }
            .header("content-type", "application/json".to_owned())
    }

    /// A POST of a form, to a service that says what it answers in.
    pub fn post_form(url: String, body: String) -> Self {
        Self { method: Method::Post, url, headers: Vec::new(), body, limit: MAX_BODY, socket: None }
            .header("content-type", FORM.to_owned())
    }

    /// The same with one more header field.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same for a longer answer.
    #[must_use]
    pub fn up_to(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// The same to a server that listens on a Unix socket.
    #[must_use]
    pub fn through(self, socket: &str) -> Self {
        Self { socket: Some(socket.into()), ..self }
    }

    /// `host[:port]` of the URL, or the socket: what messages may show of it.
    pub fn host(&self) -> &str {
        self.socket.as_ref().and_then(|socket| socket.to_str()).unwrap_or_else(|| host_of(&self.url))
    }
}

fn accepting_json() -> Vec<(&'static str, String)> {
    vec![("accept", "application/json".to_owned())]
}

/// `host[:port]` of a URL, without user information.
pub(crate) fn host_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    authority.rsplit_once('@').map_or(authority, |(_, host)| host)
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({:?} {})", self.method, self.host())
    }
}

/// An answer. The body may hold a token: `Debug` shows the status only.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The header field of that lower-case name, if it is there.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({})", self.status)
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Nothing of the request left this machine: the name did not resolve, or nobody listened. Safe to repeat.
    #[error("no connection to {host}: {reason}; check the address, the network and the proxy settings")]
    NoConnection {
        /// Where it should have gone.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// The server could not prove who it is. Nothing of the request was sent, and repeating will not help.
    #[error(
        "{host} could not prove its identity: {reason}; if its certificate comes from a private authority, point SSL_CERT_FILE at that authority's certificate"
    )]
    Certificate {
        /// Where it should have gone.
        host: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// It was sent, or part of it, and no whole answer came: whether it took effect is not known.
    #[error("{host} did not answer: {reason}")]
    NoAnswer {
        /// Where it went.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// An answer longer than the request allows.
    #[error("{host} answered with more than was expected; is this the right address?")]
    TooLong {
        /// Who answered.
        host: String,
    },
    /// The request cannot be written: its URL or a header value is malformed.
    #[error("no request can be made to {host:?}: {reason}; check the address")]
    Malformed {
        /// What was taken for the host.
        host: String,
        /// What is wrong.
        reason: String,
    },
}
