//! What is known of one server and its jobs while requests are under way.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::ensure;
use countersign_core::{AccessToken, Permission, Resource, UnixTime};
use countersign_simulator::system_clock;
use countersign_verify::{AccessTokenVerifier, KeySet};
use tokio::sync::{RwLock, RwLockWriteGuard, watch};
use tokio::time::{Instant, timeout};

use super::Issuers;
use super::sender::Sender;
use super::server::{AUDIENCE, Running};
use super::verdict::{Tally, Weather};
use crate::connection::{Connection, get};

/// How long a server may take to issue tokens again once it has all that it needs.
const LONGEST_RECOVERY: Duration = Duration::from_mins(1);

/// What all senders to one server share.
pub(crate) struct Traffic {
    pub(super) issuers: Arc<Issuers>,
    at: Mutex<Server>,
    pub(super) tally: Arc<Tally>,
    weather: watch::Sender<Weather>,
    /// When the request was sent that got the last token.
    last_token: watch::Sender<Instant>,
    /// When the last token came, and the longest time without any.
    gap: Mutex<(Instant, Duration)>,
    verifier: RwLock<AccessTokenVerifier<KeySet>>,
    /// Held while a request of the load is under way.
    pub(super) going_on: RwLock<()>,
    /// Whether [`super::server::CHANGING`] has a publisher in force. Held while a request for it is under way.
    pub(super) trusted: RwLock<bool>,
}

/// Where the server is, and what time it has.
#[derive(Clone, Copy)]
struct Server {
    address: SocketAddr,
    metrics: SocketAddr,
    /// Seconds by which its clock is ahead.
    ahead: i64,
}

impl Traffic {
    pub(crate) async fn new(
        issuers: Arc<Issuers>,
        server: &Running,
        tally: Arc<Tally>,
    ) -> anyhow::Result<Self> {
        let at = Server { address: server.address()?, metrics: server.metrics()?, ahead: 0 };
        let verifier = RwLock::new(verifier(at.address).await?);
        Ok(Self {
            issuers,
            at: Mutex::new(at),
            tally,
            weather: watch::Sender::new(Weather::Fair),
            last_token: watch::Sender::new(Instant::now()),
            gap: Mutex::new((Instant::now(), Duration::ZERO)),
            verifier,
            going_on: RwLock::default(),
            trusted: RwLock::new(true),
        })
    }

    pub(crate) async fn sender(self: &Arc<Self>, number: u64) -> anyhow::Result<Sender> {
        Ok(Sender::new(Arc::clone(self), self.connect().await?, number))
    }

    pub(super) async fn connect(&self) -> anyhow::Result<Connection> {
        Connection::open(self.at().address).await
    }

    pub(super) fn weather(&self) -> Weather {
        *self.weather.borrow()
    }

    /// Goes on with another process in the place of the one that was there.
    pub(crate) fn follow(&self, server: &Running) -> anyhow::Result<()> {
        let mut at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        (at.address, at.metrics) = (server.address()?, server.metrics()?);
        Ok(())
    }

    /// Has the server's clock jump between two requests, and its jobs with it: from now on it is so many seconds ahead.
    pub(crate) async fn jump(
        &self,
        seconds: i64,
        jump: impl FnOnce() -> std::io::Result<()>,
    ) -> anyhow::Result<()> {
        let _nothing_under_way = self.going_on.write().await;
        jump()?;
        self.at.lock().unwrap_or_else(PoisonError::into_inner).ahead = seconds;
        Ok(())
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// Waits for a token that was asked for after that moment; how long after it that came.
    pub(crate) async fn recovered(&self, since: Instant) -> anyhow::Result<Duration> {
        let mut tokens = self.last_token.subscribe();
        let issued = timeout(LONGEST_RECOVERY, tokens.wait_for(|sent| *sent >= since)).await;
        ensure!(issued.is_ok(), "expected a token within {} s, none came", LONGEST_RECOVERY.as_secs());
        Ok(since.elapsed())
    }

    /// The longest time without any token.
    pub(crate) fn longest_gap(&self) -> Duration {
        self.gap.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Holds up the requests whose verdict is about to change.
    pub(crate) async fn trusted(&self) -> RwLockWriteGuard<'_, bool> {
        self.trusted.write().await
    }

    pub(crate) fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// What Prometheus would read.
    pub(crate) async fn metrics(&self) -> anyhow::Result<String> {
        let answer = Connection::open(self.at().metrics).await?.send(&get("/metrics")).await?;
        Ok(String::from_utf8(answer.body)?)
    }

    /// What a load balancer would read: whether the server can do its work.
    pub(crate) async fn is_ready(&self) -> anyhow::Result<bool> {
        let mut connection = Connection::open(self.at().address).await?;
        Ok(connection.send(&get("/readyz")).await?.status == 200)
    }

    fn at(&self) -> Server {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time that the server has.
    pub(super) fn now(&self) -> UnixTime {
        UnixTime::from_seconds(system_clock()().as_seconds() + self.at().ahead)
    }

    pub(super) fn note_token(&self, sent: Instant) {
        self.last_token.send_modify(|last| *last = sent.max(*last));
        let mut gap = self.gap.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        *gap = (now, gap.1.max(now - gap.0));
    }

    /// Checks an access token as a registry does, with newer keys if it has been signed with a new one.
    pub(super) async fn check(&self, token: &str, resource: &str) -> anyhow::Result<()> {
        let (access_token, resource): (AccessToken, Resource) = (token.to_owned().into(), resource.parse()?);
        let ask = |verifier: &AccessTokenVerifier<KeySet>| {
            verifier.verify(&access_token, &resource, Permission::Write, self.now())
        };
        let mut verified = ask(&*self.verifier.read().await);
        if verified.is_err() {
            let newer = verifier(self.at().address).await?;
            verified = ask(&newer);
            *self.verifier.write().await = newer;
        }
        match verified {
            Ok(access) => self.tally.note_issued(access.token_id()),
            Err(error) => self.tally.note_wrong(format!("an access token does not verify: {error}")),
        }
        Ok(())
    }
}

async fn verifier(address: SocketAddr) -> anyhow::Result<AccessTokenVerifier<KeySet>> {
    let keys = Connection::open(address).await?.send(&get("/.well-known/jwks.json")).await?;
    let keys = AccessTokenVerifier::keys(&keys.body)?;
    Ok(AccessTokenVerifier::offline(AUDIENCE.parse()?, AUDIENCE.parse()?, keys))
}
