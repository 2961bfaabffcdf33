//! Fetching over HTTP with everything bounded.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING};
use reqwest::{Certificate, Client, Proxy, Response, redirect};
use thiserror::Error;

use super::network::{Network, NotPublic, Resolve, SystemResolver, VettedNames};
use super::{Fetch, FetchError, FetchFuture};

/// How issuers are reached.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// The longest time for a connection with TLS. Default: 5 s.
    pub connect_timeout: Duration,
    /// The longest time for a whole request. Default: 5 s.
    pub total_timeout: Duration,
    /// The largest body, in bytes. Default: 100 KiB; the largest real key set has about 20.
    pub max_body: usize,
    /// Certificates, in PEM, of authorities that are trusted beside those of the system. Default: none.
    pub root_certificates: Vec<u8>,
    /// The URL of a proxy for all requests. Default: none. The environment's `HTTPS_PROXY` is never used silently.
    pub proxy: Option<String>,
    /// Where requests may go. Default: to hosts of the public Internet only. With a proxy it is the proxy that resolves
    /// names and connects, so the choice is its own, and this has no effect.
    pub network: Network,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(5),
            max_body: 100 * 1024,
            root_certificates: Vec::new(),
            proxy: None,
            network: Network::default(),
        }
    }
}

/// Why there is no client for some settings.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpFetchError {
    /// The root certificates are not PEM.
    #[error("expected root certificates in PEM; {0}")]
    RootCertificates(String),
    /// The proxy is not a URL.
    #[error("expected the URL of a proxy such as http://proxy.example.com:3128; {0}")]
    Proxy(String),
    /// TLS could not be set up, for instance because the system has no certificates.
    #[error("the HTTP client could not be set up: {0}")]
    Client(String),
}

/// The real [`Fetch`]: HTTP with TLS, no redirects, no ambient proxy, no decompression, bounded time and size.
#[derive(Clone, Debug)]
pub struct HttpFetch {
    client: Client,
    total_timeout: Duration,
    max_body: usize,
    network: Network,
}

impl HttpFetch {
    /// Sets up a client. One for all issuers is enough: it keeps no state of theirs but connections.
    pub fn new(settings: &HttpSettings) -> Result<Self, HttpFetchError> {
        Self::with_resolver(settings, Arc::new(SystemResolver))
    }

    /// The same with another resolver than the system's.
    pub fn with_resolver(
        settings: &HttpSettings,
        resolver: Arc<dyn Resolve>,
    ) -> Result<Self, HttpFetchError> {
        // What is resolved here is then the proxy's own name, which the operator chose.
        let network = if settings.proxy.is_some() { Network::Any } else { settings.network };
        let roots = Certificate::from_pem_bundle(&settings.root_certificates);
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(VettedNames { network, resolver })
            // Requests are seconds to minutes apart: a connection that was kept may have died in silence by then, and a new one
            // is vetted anew.
            .pool_max_idle_per_host(0)
            // Another crate in the build may switch these on.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.total_timeout)
            .tls_certs_merge(roots.map_err(|error| HttpFetchError::RootCertificates(chain(&error)))?);
        if let Some(proxy) = &settings.proxy {
            let proxy = Proxy::all(proxy).map_err(|error| HttpFetchError::Proxy(chain(&error)))?;
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| HttpFetchError::Client(chain(&error)))?;
        Ok(Self { client, total_timeout: settings.total_timeout, max_body: settings.max_body, network })
    }

    async fn fetch(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        // The client connects to an address in the URL without resolving anything.
        self.network.check_literal(url)?;
        let request = self.client.get(url).header(ACCEPT, DOCUMENTS).header(ACCEPT_ENCODING, "identity");
        let response = request.send().await.map_err(|error| self.describe(error))?;
        if response.status() != 200 {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        if let Some(encoding) = response.headers().get(CONTENT_ENCODING).filter(|value| *value != "identity")
        {
            return Err(FetchError::Compressed(encoding.to_str().unwrap_or("?").to_owned()));
        }
        self.read(response).await
    }

    /// Reads chunk by chunk: `content-length` may be absent, or a lie.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, FetchError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.describe(error))? {
            if body.len() + chunk.len() > self.max_body {
                return Err(FetchError::TooLarge(self.max_body));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn describe(&self, error: reqwest::Error) -> FetchError {
        if let Some(refused) = sources(&error).find_map(|cause| cause.downcast_ref::<NotPublic>()) {
            FetchError::NotPublic(refused.clone())
        } else if error.is_timeout() {
            FetchError::Timeout(self.total_timeout)
        } else {
            FetchError::Transport(chain(&error.without_url()))
        }
    }
}

impl Fetch for HttpFetch {
    fn get<'a>(&'a self, url: &'a str) -> FetchFuture<'a> {
        Box::pin(self.fetch(url))
    }
}

/// Discovery documents and key sets, and status lists: all that is ever asked for.
const DOCUMENTS: &str = "application/json, application/statuslist+jwt";

/// reqwest says what failed in `Display` and why in the sources.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    for cause in sources(error) {
        text.push_str(": ");
        text.push_str(&cause.to_string());
    }
    text
}

fn sources(error: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
