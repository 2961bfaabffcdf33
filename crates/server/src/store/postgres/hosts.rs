//! Connecting to one of several hosts, and listening to what a server says beside its answers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::Connect;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::Host;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, Error, Socket};

/// How many warnings came while statements ran, on any connection of a pool.
///
/// There is one that matters. A commit that waits for its synchronous standby and is cancelled (by an operator who finds it
/// hanging, say) succeeds with a warning: it is on the disk of a primary that may be lost with it. Invariant 1 needs more.
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings(Arc<AtomicU64>);

impl Warnings {
    /// Their number so far.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Hosts of which one is the primary.
///
/// A host that says nothing is given up in time to try the next: one that was lost without a word would keep all others from
/// being asked. Where the last connection was made is tried first, so that nobody goes back to a former primary that came
/// back and does not know what it is.
pub(super) struct Hosts<T> {
    each: Vec<Config>,
    tls: T,
    patience: Duration,
    last: AtomicUsize,
    warnings: Warnings,
}

impl<T> Hosts<T> {
    /// The hosts of an address; all of them together are tried for `patience`.
    pub(super) fn of(server: &Config, tls: T, patience: Duration, warnings: Warnings) -> Self {
        let each = match server.get_hosts() {
            [_] => vec![server.clone()],
            hosts => (0..hosts.len()).map(|index| only(server, index)).collect(),
        };
        let patience = patience / u32::try_from(each.len()).unwrap_or(u32::MAX).max(1);
        Self { each, tls, patience, last: AtomicUsize::new(0), warnings }
    }
}

type Connected = Result<(Client, JoinHandle<()>), Error>;

impl<T> Connect for Hosts<T>
where
    T: MakeTlsConnect<Socket> + Clone + Send + Sync,
    T::Stream: Send + 'static,
    T::TlsConnect: Send,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    fn connect(&self, _: &Config) -> Pin<Box<dyn Future<Output = Connected> + Send + '_>> {
        Box::pin(async move {
            let first = self.last.load(Ordering::Relaxed);
            let others = (0..self.each.len()).filter(|index| *index != first);
            let mut failure = None;
            for index in std::iter::once(first).chain(others) {
                match timeout(self.patience, self.each[index].connect(self.tls.clone())).await {
                    Ok(Ok((client, connection))) => {
                        self.last.store(index, Ordering::Relaxed);
                        return Ok((client, listen(connection, self.warnings.clone()).await));
                    }
                    Ok(Err(error)) => failure = Some(error),
                    Err(_) => {}
                }
            }
            match failure {
                Some(error) => Err(error),
                // None of them says anything: whoever asked for a connection has waited long enough by now.
                None => std::future::pending().await,
            }
        })
    }
}

/// Works for a connection until it ends, and counts the warnings. Not those from its beginning: they are about the database.
async fn listen<S, T>(mut connection: Connection<S, T>, warnings: Warnings) -> JoinHandle<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    std::future::poll_fn(|context| {
        while let Poll::Ready(Some(Ok(_))) = connection.poll_message(context) {}
        Poll::Ready(())
    })
    .await;
    tokio::spawn(async move {
        while let Some(message) = std::future::poll_fn(|context| connection.poll_message(context)).await {
            match message {
                Ok(AsyncMessage::Notice(notice)) if notice.code().code().starts_with("01") => {
                    warnings.0.fetch_add(1, Ordering::SeqCst);
                    tracing::warn!(message = notice.message(), "the database warns");
                }
                Ok(_) => {}
                Err(error) => return tracing::debug!(%error, "a connection to the database has ended"),
            }
        }
    })
}

/// The same with one of its hosts alone.
fn only(server: &Config, index: usize) -> Config {
    let mut one = Config::new();
    match server.get_hosts().get(index) {
        Some(Host::Tcp(name)) => one.host(name.as_str()),
        #[cfg(unix)]
        Some(Host::Unix(path)) => one.host_path(path),
        None => &mut one,
    };
    server.get_hostaddrs().get(index).map(|address| one.hostaddr(*address));
    server.get_ports().get(index).or(server.get_ports().first()).map(|port| one.port(*port));
    server.get_user().map(|user| one.user(user));
    server.get_password().map(|password| one.password(password));
    server.get_dbname().map(|name| one.dbname(name));
    server.get_options().map(|options| one.options(options));
    server.get_application_name().map(|name| one.application_name(name));
    server.get_connect_timeout().map(|time| one.connect_timeout(*time));
    server.get_tcp_user_timeout().map(|time| one.tcp_user_timeout(*time));
    server.get_keepalives_interval().map(|time| one.keepalives_interval(time));
    server.get_keepalives_retries().map(|count| one.keepalives_retries(count));
    one.keepalives(server.get_keepalives()).keepalives_idle(server.get_keepalives_idle());
    one.ssl_mode(server.get_ssl_mode()).ssl_negotiation(server.get_ssl_negotiation());
    one.channel_binding(server.get_channel_binding());
    one.target_session_attrs(server.get_target_session_attrs());
    one
}
