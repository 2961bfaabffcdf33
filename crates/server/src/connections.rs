//! Who may be connected, and for how long without doing anything.
//!
//! Each connection holds a descriptor and some memory, so there are only so many, and of one client address fewer. A client
//! that is slow keeps its place no longer than it is patiently waited for: the first request and headers (`serve.rs`), the
//! body (`http/body.rs`), taking the answer and coming back with another request (here).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::{Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::http::HeaderMap;
use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tower_service::Service;

mod activity;
mod guarded;

pub use activity::{Activity, Busy};
pub use guarded::Guarded;

use crate::config::LimitSettings;
use crate::limits::{ClientAddress, Forwarding, Network};
use crate::metrics::Metrics;

/// Lets connections in, as long as there is room.
#[derive(Clone, Debug)]
pub struct Doorkeeper(Arc<Door>);

#[derive(Debug)]
struct Door {
    most: usize,
    most_of_one: usize,
    idle: Duration,
    patience: Duration,
    forwarding: Forwarding,
    open: Mutex<Open>,
    metrics: Arc<Metrics>,
}

/// The open connections: all, and those of each client that is known by its address. No more entries than connections.
#[derive(Debug, Default)]
struct Open {
    all: usize,
    of: HashMap<Network, usize>,
}

/// A place among the open connections, for as long as it is held.
#[derive(Debug)]
pub struct Place {
    door: Arc<Door>,
    network: Option<Network>,
}

impl Doorkeeper {
    /// Nobody is in yet.
    pub fn new(settings: &LimitSettings, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Door {
            most: settings.connections,
            most_of_one: settings.connections_per_address,
            idle: settings.idle,
            patience: settings.patience,
            forwarding: Forwarding::new(settings.proxies),
            open: Mutex::default(),
            metrics,
        }))
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.0.open().all
    }

    /// A place for a connection from there; `None` if there is no room.
    fn place(&self, peer: SocketAddr) -> Option<Place> {
        // Behind proxies, all connections are theirs.
        let peer =
            self.0.forwarding.is_direct().then(|| self.0.forwarding.client(peer.ip(), &HeaderMap::new()));
        let network = peer.and_then(ClientAddress::network);
        let mut open = self.0.open();
        if open.all >= self.0.most {
            return None;
        }
        if let Some(network) = network {
            let count = open.of.entry(network).or_default();
            if *count >= self.0.most_of_one {
                return None;
            }
            *count += 1;
        }
        open.all += 1;
        Some(Place { door: Arc::clone(&self.0), network })
    }

    fn let_in<S>(&self, stream: TcpStream, service: S) -> io::Result<(Guarded<TcpStream>, Attended<S>)> {
        let peer = stream.peer_addr()?;
        let place = self.place(peer).ok_or_else(|| {
            self.0.metrics.connection_refused();
            io::Error::from(io::ErrorKind::QuotaExceeded)
        })?;
        stream.set_nodelay(true)?;
        let activity = Arc::new(Activity::begin(peer));
        let stream = Guarded::new(stream, place, Arc::clone(&activity), self.0.idle, self.0.patience);
        Ok((stream, Attended { service, activity }))
    }
}

impl Door {
    fn open(&self) -> MutexGuard<'_, Open> {
        // Every change is whole before anything can panic.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.door.open();
        open.all -= 1;
        if let Some(Entry::Occupied(mut count)) = self.network.map(|network| open.of.entry(network)) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// One that finds no room is closed without a word: an answer would cost what is missing.
impl<S> Accept<TcpStream, S> for Doorkeeper {
    type Stream = Guarded<TcpStream>;
    type Service = Attended<S>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.let_in(stream, service))
    }
}

/// A service whose requests know the connection that they came on.
#[derive(Clone, Debug)]
pub struct Attended<S> {
    service: S,
    activity: Arc<Activity>,
}

impl<S, B> Service<Request<B>> for Attended<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        self.activity.note();
        request.extensions_mut().insert(Arc::clone(&self.activity));
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn doorkeeper(configuration: &str) -> Doorkeeper {
        let config = Config::parse(configuration, std::path::Path::new("countersign.toml")).unwrap();
        Doorkeeper::new(&config.limits, Arc::default())
    }

    #[test]
    fn m1_one_client_does_not_take_all_places() {
        let doorkeeper = doorkeeper("[limits]\nconnections = 5\nconnections_per_address = 2\n");
        let place = |peer: &str| doorkeeper.place(peer.parse().unwrap());
        let held: Vec<_> = (1..=2).filter_map(|port| place(&format!("192.0.2.66:{port}"))).collect();
        assert!(held.len() == 2 && place("192.0.2.66:3").is_none());
        let networks = ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1"].map(place);
        assert!(networks[1].is_some() && networks[2].is_none(), "a network is one client");
        let last = place("127.0.0.1:1");
        assert!(last.is_some() && place("198.51.100.1:1").is_none(), "five are all");
        drop((held, networks, last));
        assert_eq!(doorkeeper.open(), 0);
        assert!(doorkeeper.0.open().of.is_empty(), "nothing is kept of those who left");
        assert!(place("192.0.2.66:3").is_some());
    }

    #[test]
    fn connections_of_a_proxy_are_not_one_clients() {
        for proxy in [
            "[limits]\ntrusted_proxies = 1\n",
            "behind_tls_proxy = true\npublic_url = \"https://a.example\"\n[limits]\n",
        ] {
            let doorkeeper = doorkeeper(&format!("{proxy}connections_per_address = 1\n"));
            let places = [1, 2].map(|port| doorkeeper.place(SocketAddr::from(([192, 0, 2, 1], port))));
            assert!(places.iter().all(Option::is_some), "{proxy}");
        }
    }
}
