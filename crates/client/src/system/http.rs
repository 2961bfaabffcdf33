//! The HTTP agent: ureq over rustls and aws-lc-rs.

use std::error::Error as _;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Timeout};

use super::{Names, socket};
use crate::http::{Http, HttpError, Method, Request, Response};

const CONNECT_WITHIN: Duration = Duration::from_secs(10);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const USER_AGENT: &str = concat!("countersign/", env!("CARGO_PKG_VERSION"));

/// Sends requests over the network: HTTP/1.1, TLS 1.2 or 1.3, through the proxy of the environment.
///
/// `http://` never goes through a proxy: it is spoken on this machine or inside a runner's own network only, and a proxy
/// would see the credentials. Each request has its own connection, so that an error before it was sent can be told
/// from one after; a job makes two of them an hour.
#[derive(Debug, Default)]
pub struct HttpAgent {
    /// Made at the first request, because reading the system's certificates takes longer than everything else at start.
    agent: OnceLock<Agent>,
}

impl HttpAgent {
    fn agent(&self, url: &str) -> Agent {
        if url.starts_with("http://") { agent(None) } else { self.agent.get_or_init(secure_agent).clone() }
    }
}

fn secure_agent() -> Agent {
    let system = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<Certificate<'static>> =
        system.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect();
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
        .root_certs(RootCerts::from(roots))
        .build();
    agent(Some(tls))
}

fn agent(tls: Option<TlsConfig>) -> Agent {
    let builder = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .timeout_connect(Some(CONNECT_WITHIN))
        .timeout_global(Some(ANSWER_WITHIN))
        .user_agent(USER_AGENT);
    let config = match tls {
        Some(tls) => builder.tls_config(tls).https_only(true).build(),
        None => builder.proxy(None).build(),
    };
    // ureq calls this part of its interface unfinished: a new version of it has to be tried with `cargo xtask dist`.
    if IS_STATIC {
        Agent::with_parts(config, DefaultConnector::default(), Names::default())
    } else {
        config.new_agent()
    }
}

/// Whether this program cannot count on the C library to look names up. musl's own does it without others.
const IS_STATIC: bool = cfg!(all(target_env = "gnu", target_feature = "crt-static"));

impl Http for HttpAgent {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        if let Some(path) = &request.socket {
            return socket::send(&request, path, ANSWER_WITHIN);
        }
        let host = request.host().to_owned();
        let limit = u64::try_from(request.limit).unwrap_or(u64::MAX);
        let describe = |error: ureq::Error| describe(host.clone(), &error);
        let agent = self.agent(&request.url);
        let mut call = ureq::http::Request::builder().uri(&request.url);
        for (name, value) in &request.headers {
            call = call.header(*name, value);
        }
        let answer = match request.method {
            Method::Get => call.body(()).map_err(Into::into).and_then(|call| agent.run(call)),
            Method::Post => {
                call.method("POST").body(request.body).map_err(Into::into).and_then(|call| agent.run(call))
            }
        };
        let mut answer = answer.map_err(describe)?;
        let body = answer.body_mut().with_config().limit(limit).read_to_vec().map_err(describe)?;
        let fields = answer
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        Ok(Response { status: answer.status().as_u16(), headers: fields.collect(), body })
    }
}

/// Sorts the library's errors by the only question that matters: may the request have reached the server?
fn describe(host: String, error: &ureq::Error) -> HttpError {
    use io::ErrorKind;
    use ureq::Error;
    let reason = reason(error);
    match error {
        Error::BodyExceedsLimit(_) => HttpError::TooLong { host },
        Error::Http(_) | Error::BadUri(_) | Error::RequireHttpsOnly(_) | Error::InvalidProxyUrl => {
            HttpError::Malformed { host, reason }
        }
        Error::HostNotFound
        | Error::ConnectionFailed
        | Error::ConnectProxyFailed(_)
        | Error::Timeout(Timeout::Resolve | Timeout::Connect) => HttpError::NoConnection { host, reason },
        Error::Tls(_) | Error::Rustls(_) => HttpError::Certificate { host, reason },
        Error::Io(error) => match error.kind() {
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable => HttpError::NoConnection { host, reason },
            _ if is_certificate_error(error) => HttpError::Certificate { host, reason },
            _ => HttpError::NoAnswer { host, reason },
        },
        _ => HttpError::NoAnswer { host, reason },
    }
}

fn is_certificate_error(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(_)))
}

/// The innermost cause, in the system's words; ureq's own sentences name no secret, its `BadUri` would name the URL.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::BadUri(_) | ureq::Error::Http(_) => "the URL or a header value is malformed".to_owned(),
        ureq::Error::RequireHttpsOnly(_) => "expected https:// or http://".to_owned(),
        ureq::Error::HostNotFound => "the host name did not resolve".to_owned(),
        ureq::Error::Timeout(step) => format!("timed out ({step})"),
        ureq::Error::Io(error) => error.to_string(),
        error => error.source().map_or_else(|| error.to_string(), ToString::to_string),
    }
}
