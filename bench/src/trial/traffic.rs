//! Requests of all kinds, each with the verdict that it must come to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use countersign_core::{AccessToken, Permission, Resource, UnixTime};
use countersign_simulator::{Overrides, Simulator, system_clock};
use countersign_verify::{AccessTokenVerifier, KeySet};
use serde_json::{Map, Value};
use tokio::sync::{RwLock, RwLockWriteGuard, watch};
use tokio::time::{Instant, timeout};

use super::Issuers;
use super::server::{AUDIENCE, CHANGING, Running, STABLE};
use super::verdict::{Expected, Tally, Weather};
use crate::connection::{Answer, Connection, get};
use crate::workload::request;

/// A token.
pub(crate) const ISSUED: Expected = &[200];
/// The id token or the publishers are to blame.
pub(crate) const REFUSED: Expected = &[400];
/// Come again.
pub(crate) const UNAVAILABLE: Expected = &[503];
/// An issuer that has just come back may or may not have been asked again.
pub(crate) const MAY_BE: Expected = &[200, 503];

/// How long a server may take for an answer, whatever has become of what it needs.
const LONGEST_ANSWER: Duration = Duration::from_secs(20);
/// How long a server may take to issue tokens again once it has all that it needs.
const LONGEST_RECOVERY: Duration = Duration::from_secs(60);

/// What all senders to one server share.
pub(crate) struct Traffic {
    issuers: Arc<Issuers>,
    at: Mutex<Server>,
    tally: Arc<Tally>,
    weather: watch::Sender<Weather>,
    /// When the request was sent that got the last token.
    last_token: watch::Sender<Instant>,
    longest_gap: Mutex<Duration>,
    verifier: RwLock<AccessTokenVerifier<KeySet>>,
    /// Held while a request of the load is under way.
    going_on: RwLock<()>,
    /// Whether [`CHANGING`] has a publisher in force. Held while a request for it is under way.
    trusted: RwLock<bool>,
}

/// Where the server is, and what time it has.
#[derive(Clone, Copy)]
struct Server {
    address: SocketAddr,
    metrics: SocketAddr,
    /// Seconds by which its clock is ahead.
    ahead: i64,
}

/// One connection, and what it remembers.
pub(crate) struct Sender {
    traffic: Arc<Traffic>,
    connection: Option<Connection>,
    chance: u64,
    /// An id token that has bought what it may.
    used: Option<String>,
    /// An access token that nobody needs any more.
    issued: Option<String>,
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
            longest_gap: Mutex::default(),
            verifier,
            going_on: RwLock::default(),
            trusted: RwLock::new(true),
        })
    }

    pub(crate) async fn sender(self: &Arc<Self>, number: u64) -> anyhow::Result<Sender> {
        let connection = Some(Connection::open(self.at().address).await?);
        Ok(Sender { traffic: Arc::clone(self), connection, chance: number + 1, used: None, issued: None })
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
        *self.longest_gap.lock().unwrap_or_else(PoisonError::into_inner)
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
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(system_clock()().as_seconds() + self.at().ahead)
    }

    fn note_token(&self, sent: Instant) {
        self.last_token.send_modify(|last| {
            let mut longest = self.longest_gap.lock().unwrap_or_else(PoisonError::into_inner);
            *longest = longest.max(sent.saturating_duration_since(*last));
            *last = sent.max(*last);
        });
    }

    /// Checks an access token as a registry does, with newer keys if it has been signed with a new one.
    async fn check(&self, token: &str, resource: &str) -> anyhow::Result<()> {
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

impl Sender {
    /// Sends one request, of a kind by chance: half of them are good.
    pub(crate) async fn next(&mut self) -> anyhow::Result<()> {
        let traffic = Arc::clone(&self.traffic);
        let _under_way = traffic.going_on.read().await;
        match self.roll() % 20 {
            0..=8 => self.good().await,
            9 | 10 => self.of_changing_trust().await,
            11 => self.of_gitlab().await,
            12 => self.replay().await,
            13 => self.exchange("forged", &self.forged(), STABLE, REFUSED).await.map(drop),
            14 => {
                self.with("of another repository", |claims| set(claims, "repository", "mallory/train")).await
            }
            15 => {
                let now = self.traffic.now();
                self.with("expired", |claims| expire(claims, now)).await
            }
            16 => {
                self.with("of an unknown issuer", |claims| set(claims, "iss", "https://evil.example.com"))
                    .await
            }
            17 => {
                self.with("for somebody else", |claims| set(claims, "aud", "https://hub.example.com")).await
            }
            18 => self.exchange("no token", "not.a.token", STABLE, REFUSED).await.map(drop),
            _ => self.revoke().await,
        }
    }

    /// Asks with a token of the issuer that is late.
    pub(crate) async fn ask_late(&mut self, expected: Expected) -> anyhow::Result<()> {
        let traffic = Arc::clone(&self.traffic);
        self.ask_of(&traffic.issuers.late, expected).await.map(drop)
    }

    /// Asks with a token of the GitHub of some simulator; the status of the answer.
    pub(crate) async fn ask_of(
        &mut self,
        issuer: &Simulator,
        expected: Expected,
    ) -> anyhow::Result<Option<u16>> {
        let token = issuer.github().mint(&Overrides::new(), AUDIENCE);
        self.exchange("of a late issuer", &token, STABLE, expected).await
    }

    async fn good(&mut self) -> anyhow::Result<()> {
        let token = self.minted(|_| {});
        if self.exchange("good", &token, STABLE, ISSUED).await? == Some(200) {
            self.traffic.tally.note_spent(&token);
            self.used = Some(token);
        }
        Ok(())
    }

    /// A good id token that nobody has used.
    pub(crate) fn good_token(&self) -> String {
        self.minted(|_| {})
    }

    /// Uses an id token that others use at the same time.
    pub(crate) async fn use_once_of_many(&mut self, token: &str) -> anyhow::Result<Option<u16>> {
        self.exchange("of many at once", token, STABLE, &[200, 400]).await
    }

    /// Tries id tokens again that have bought what they may. How many of them bought another token.
    pub(crate) async fn replay_all(&mut self, spent: &[String]) -> anyhow::Result<usize> {
        let mut succeeded = 0;
        for token in spent {
            succeeded +=
                usize::from(self.exchange("replayed at the end", token, STABLE, REFUSED).await? != Some(400));
        }
        Ok(succeeded)
    }

    async fn of_gitlab(&mut self) -> anyhow::Result<()> {
        let token = {
            let gitlab = self.traffic.issuers.steady.gitlab();
            let mut claims = gitlab.claims(self.traffic.now());
            set(&mut claims, "aud", AUDIENCE);
            gitlab.sign(&claims)
        };
        self.exchange("of GitLab, whatever becomes of it", &token, STABLE, ISSUED).await.map(drop)
    }

    async fn of_changing_trust(&mut self) -> anyhow::Result<()> {
        let token = self.minted(|_| {});
        let traffic = Arc::clone(&self.traffic);
        let trusted = traffic.trusted.read().await;
        if *trusted {
            self.exchange("trusted at the moment", &token, CHANGING, ISSUED).await.map(drop)
        } else {
            self.exchange("not trusted at the moment", &token, CHANGING, REFUSED).await.map(drop)
        }
    }

    async fn replay(&mut self) -> anyhow::Result<()> {
        match self.used.take() {
            Some(token) => self.exchange("replayed", &token, STABLE, REFUSED).await.map(drop),
            None => self.good().await,
        }
    }

    async fn with(
        &mut self,
        kind: &'static str,
        change: impl Fn(&mut Map<String, Value>),
    ) -> anyhow::Result<()> {
        let token = self.minted(change);
        self.exchange(kind, &token, STABLE, REFUSED).await.map(drop)
    }

    async fn revoke(&mut self) -> anyhow::Result<()> {
        let Some(token) = self.issued.take() else { return self.good().await };
        let body = format!("token={token}");
        let head = "POST /oauth/revoke HTTP/1.1\r\nhost: trial.example.com\r\ncontent-type: application/x-www-form-urlencoded";
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        self.ask("revoked", request.as_bytes(), ISSUED).await.map(drop)
    }

    /// The status of the answer, if there was one.
    async fn exchange(
        &mut self,
        kind: &'static str,
        token: &str,
        resource: &str,
        expected: Expected,
    ) -> anyhow::Result<Option<u16>> {
        let sent = Instant::now();
        let Some(Answer { status, body }) = self.ask(kind, &request(token, resource), expected).await? else {
            return Ok(None);
        };
        if status == 200 {
            self.traffic.note_token(sent);
            let answer: Value = serde_json::from_slice(&body)?;
            let token = answer["access_token"].as_str().context("the answer has an access token")?;
            self.traffic.check(token, resource).await?;
            self.issued = Some(token.to_owned());
        }
        Ok(Some(status))
    }

    /// Sends a request and takes down what it came to. In foul weather there may be no answer; then the next request goes
    /// over another connection.
    async fn ask(
        &mut self,
        kind: &'static str,
        request: &[u8],
        expected: Expected,
    ) -> anyhow::Result<Option<Answer>> {
        let before = *self.traffic.weather.borrow();
        let answer = self.send(request).await;
        let after = *self.traffic.weather.borrow();
        let weather = if before == Weather::Fair { after } else { before };
        match answer {
            Ok(answer) => {
                self.traffic.tally.note(kind, expected, weather, answer.status, &answer.body);
                Ok(Some(answer))
            }
            Err(error) => {
                self.traffic.tally.note_unanswered(kind, weather, &error);
                Ok(None)
            }
        }
    }

    async fn send(&mut self, request: &[u8]) -> anyhow::Result<Answer> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.traffic.at().address).await?,
        };
        let answer = timeout(LONGEST_ANSWER, connection.send(request)).await;
        let answer = answer.with_context(|| format!("no answer within {} s", LONGEST_ANSWER.as_secs()))??;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// A good token, but for what is changed of it.
    fn minted(&self, change: impl Fn(&mut Map<String, Value>)) -> String {
        let github = self.traffic.issuers.steady.github();
        let mut claims = github.claims(self.traffic.now());
        set(&mut claims, "aud", AUDIENCE);
        change(&mut claims);
        github.sign(&claims)
    }

    /// What one token says, with the signature of another.
    fn forged(&self) -> String {
        let (token, other) = (self.minted(|_| {}), self.minted(|_| {}));
        let content = token.rsplit_once('.').map_or("", |(content, _)| content);
        let signature = other.rsplit_once('.').map_or("", |(_, signature)| signature);
        format!("{content}.{signature}")
    }

    /// A little chance, the same in each run (Knuth's MMIX).
    fn roll(&mut self) -> u64 {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.chance >> 33
    }
}

fn set(claims: &mut Map<String, Value>, name: &str, value: &str) {
    claims.insert(name.to_owned(), value.into());
}

fn expire(claims: &mut Map<String, Value>, now: UnixTime) {
    for (name, ago) in [("iat", 1_200), ("nbf", 1_200), ("exp", 900)] {
        claims.insert(name.to_owned(), (now.as_seconds() - ago).into());
    }
}
