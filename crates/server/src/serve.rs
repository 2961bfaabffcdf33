//! From a configuration to a running server.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use countersign_core::{Audience, PublicUrl};
use hyper_util::rt::TokioTimer;
use secrecy::SecretString;
use tokio::task::JoinSet;

mod housekeeping;

use crate::clock::{Clock, Randomness};
use crate::config::{Config, LimitSettings};
use crate::connections::Doorkeeper;
use crate::exchange::{Recording, Sampler, TokenExchange};
use crate::http::{App, Readiness, metrics_router, router};
use crate::idleness::Idleness;
use crate::issuers::Issuers;
use crate::limits::Limits;
use crate::metrics::Metrics;
use crate::publishers::PublisherCache;
use crate::signing::{EncryptionKey, Signer};
use crate::status::StatusLists;
use crate::store::{self, IfMissing, Store};
use housekeeping::{count_live_tokens, follow, tidy};

/// How long a stopping server waits for requests that it has accepted.
pub const GRACE: Duration = Duration::from_secs(30);
/// How often an HTTP/2 client is asked whether it is still there.
const PING: Duration = Duration::from_secs(10);
/// Bytes of the headers of a request; more are answered 431. Of HTTP/1 there may be 100 of them, hyper's default: any other
/// number costs an allocation each time.
const HEADER_BYTES: u32 = 16 * 1024;
/// Streams that an HTTP/2 client may have reset before they were accepted; one more ends the connection (CVE-2023-44487).
const RESETS: usize = 20;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 64;

/// The effects that a server is given.
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub randomness: Arc<dyn Randomness>,
    /// The key for signing keys if the environment has it (`COUNTERSIGN_ENCRYPTION_KEY`).
    pub encryption_key: Option<SecretString>,
    /// What the threads that will serve tell of when they have nothing to do, if they do.
    pub idleness: Option<Idleness>,
}

/// A server whose addresses are bound and whose parts are ready.
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
    plain_listener: Option<TcpListener>,
    tls: Option<RustlsConfig>,
    handle: Handle<SocketAddr>,
    doorkeeper: Doorkeeper,
    metrics: Option<(TcpListener, Doorkeeper)>,
    patience: Duration,
    keep_records: Option<Duration>,
}

impl Server {
    /// Binds the addresses, opens the store and makes everything ready. What is wrong shows here, not at the first request.
    pub async fn prepare(config: Config, surroundings: Surroundings) -> anyhow::Result<Self> {
        let listener = bind(config.listen)?;
        let plain_listener = config.plain_listen.map(bind).transpose()?;
        let metrics_listener = config.metrics.map(bind).transpose()?;
        let tls = match &config.tls {
            Some(files) => Some(
                RustlsConfig::from_pem_file(&files.certificate, &files.key).await.with_context(|| {
                    format!("[tls] cannot use {} with {}", files.certificate.display(), files.key.display())
                })?,
            ),
            None => None,
        };
        let own = match config.public_url.clone() {
            Some(url) => url,
            None => own_url(listener.local_addr()?, tls.is_some())?,
        };
        let store = store::open(&config.database, IfMissing::Make).await?;
        let encryption = encryption_key(&config, &surroundings, &*store).await?;
        let cursors = encryption.for_purpose("places in lists")?;
        let issuer = own.as_str().parse()?;
        let audience = config.tokens.audience.clone().unwrap_or_else(|| Audience::from(&own));
        let (now, randomness) = (surroundings.clock.now(), &*surroundings.randomness);
        let rotate_after = config.tokens.rotate_keys_after;
        let signer =
            Signer::load(&*store, encryption, issuer, audience.clone(), rotate_after, now, randomness)
                .await?;
        let metrics = Arc::new(Metrics::default());
        let watching = Arc::clone(&metrics);
        store.watch_batches(Box::new(move |exchanges| watching.committed(exchanges)));
        if let Some(idleness) = surroundings.idleness {
            store.heed(idleness);
        }
        let issuers = Issuers::new(config.issuers, config.custom_issuers, &own)?;
        issuers.refresh(&*store).await?;
        let exchange = TokenExchange {
            issuers,
            status_lists: StatusLists::new(config.tokens.status_ttl),
            own,
            audience,
            tokens: config.tokens,
            publishers: PublisherCache::new(Arc::clone(&store)),
            signer,
            store,
            clock: surroundings.clock,
            randomness: surroundings.randomness,
            sampler: Sampler::default(),
            recording: Recording::default(),
            limits: Limits::new(&config.limits),
            metrics: Arc::clone(&metrics),
        };
        let (error_profile, readiness) = (config.error_profile, Readiness::default());
        let app = Arc::new(App { exchange, error_profile, cursors, readiness });
        Ok(Self {
            app,
            listener,
            plain_listener,
            tls,
            handle: Handle::new(),
            doorkeeper: Doorkeeper::new(&config.limits, metrics),
            metrics: metrics_listener.map(|listener| (listener, watchers(&config.limits))),
            patience: config.limits.patience,
            keep_records: config.keep_records,
        })
    }

    /// Where clients reach it.
    pub fn public_url(&self) -> &PublicUrl {
        &self.app.exchange.own
    }

    /// The address that it listens on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The address that metrics are served at.
    pub fn metrics_address(&self) -> Option<std::io::Result<SocketAddr>> {
        self.metrics.as_ref().map(|(listener, _)| listener.local_addr())
    }

    /// The parts, for tests that look behind the wire.
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Stops the server once: new connections are refused, requests that were accepted are answered.
    pub fn stopper(&self) -> impl FnOnce() + Send + use<> {
        let handle = self.handle.clone();
        move || handle.graceful_shutdown(Some(GRACE))
    }

    /// Serves until it is stopped.
    pub async fn run(self) -> anyhow::Result<()> {
        let metrics = metrics_router(Arc::clone(&self.app), self.doorkeeper.clone()).into_make_service();
        let refreshing = tokio::spawn(follow(Arc::clone(&self.app)));
        let tidying = tokio::spawn(tidy(Arc::clone(&self.app), self.keep_records));
        let counting = self.metrics.is_some().then(|| tokio::spawn(count_live_tokens(Arc::clone(&self.app))));
        let service = router(self.app).into_make_service();
        let mut servers = JoinSet::new();
        let bounded =
            |listener| Ok::<_, std::io::Error>(bounded(listener, self.patience)?.handle(self.handle.clone()));
        if let Some((listener, doorkeeper)) = self.metrics {
            servers.spawn(bounded(listener)?.acceptor(doorkeeper).serve(metrics));
        }
        if let Some(listener) = self.plain_listener {
            let server = bounded(listener)?.acceptor(self.doorkeeper.clone());
            servers.spawn(server.serve(service.clone()));
        }
        let server = bounded(self.listener)?;
        if let Some(tls) = self.tls {
            let acceptor =
                RustlsAcceptor::new(tls).handshake_timeout(self.patience).acceptor(self.doorkeeper);
            servers.spawn(server.acceptor(acceptor).serve(service));
        } else {
            servers.spawn(server.acceptor(self.doorkeeper).serve(service));
        }
        while let Some(ended) = servers.join_next().await {
            ended??;
        }
        refreshing.abort();
        tidying.abort();
        counting.inspect(tokio::task::JoinHandle::abort);
        Ok(())
    }
}

/// Those who watch have few places of their own: they are let in when the server is full, and cannot fill it.
fn watchers(limits: &LimitSettings) -> Doorkeeper {
    let few = LimitSettings { connections: 16, connections_per_address: 16, ..limits.clone() };
    Doorkeeper::new(&few, Arc::default())
}

/// Connections that say nothing, drip their headers or have too many of them are closed, as are those that reset what they
/// have just asked for.
fn bounded(listener: TcpListener, patience: Duration) -> std::io::Result<axum_server::Server<SocketAddr>> {
    let mut server = axum_server::from_tcp(listener)?.first_request_timeout(patience);
    let http = server.http_builder();
    http.http1().timer(TokioTimer::new()).header_read_timeout(patience).max_buf_size(HEADER_BYTES as usize);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(RESETS)
        .keep_alive_interval(PING);
    Ok(server)
}

fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!("cannot listen on {address}; is another server there, or is the address not this machine's?")
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn own_url(address: SocketAddr, tls: bool) -> anyhow::Result<PublicUrl> {
    let scheme = if tls { "https" } else { "http" };
    let url = format!("{scheme}://{address}");
    url.parse().with_context(|| format!("{url} cannot be the public URL; set public_url"))
}

async fn encryption_key(
    config: &Config,
    surroundings: &Surroundings,
    store: &dyn Store,
) -> anyhow::Result<EncryptionKey> {
    let keys_exist = !store.signing_keys().await?.is_empty();
    let (given, file) = (surroundings.encryption_key.as_ref(), &config.encryption_key_file);
    Ok(EncryptionKey::load(given, file, keys_exist, &*surroundings.randomness)?)
}
