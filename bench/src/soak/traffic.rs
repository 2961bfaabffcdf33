//! Requests of all kinds, each with the verdict that it must come to.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use countersign_core::{AccessToken, Permission, Resource, UnixTime};
use countersign_simulator::{Overrides, system_clock};
use countersign_verify::{AccessTokenVerifier, KeySet};
use serde_json::{Map, Value};
use tokio::sync::{RwLock, RwLockWriteGuard};

use super::Issuers;
use super::server::{AUDIENCE, CHANGING, Running, STABLE};
use super::verdict::{Expected, Tally};
use crate::connection::{Answer, Connection, get};
use crate::workload::request;

/// A token.
pub(super) const ISSUED: Expected = &[200];
/// The id token or the publishers are to blame.
const REFUSED: Expected = &[400];
/// Come again.
pub(super) const UNAVAILABLE: Expected = &[503];
/// An issuer that has just come back may or may not have been asked again.
pub(super) const MAY_BE: Expected = &[200, 503];

/// What all senders share.
pub(super) struct Traffic {
    issuers: Arc<Issuers>,
    address: SocketAddr,
    metrics: SocketAddr,
    tally: Arc<Tally>,
    verifier: RwLock<AccessTokenVerifier<KeySet>>,
    /// Whether [`CHANGING`] has a publisher in force. Held while a request for it is under way.
    trusted: RwLock<bool>,
}

/// One connection, and what it remembers.
pub(super) struct Sender {
    traffic: Arc<Traffic>,
    connection: Connection,
    chance: u64,
    /// An id token that has bought what it may.
    used: Option<String>,
    /// An access token that nobody needs any more.
    issued: Option<String>,
}

impl Traffic {
    pub(super) async fn new(
        issuers: Arc<Issuers>,
        server: &Running,
        tally: Arc<Tally>,
    ) -> anyhow::Result<Self> {
        let address = server.address()?;
        let verifier = RwLock::new(verifier(address).await?);
        let (metrics, trusted) = (server.metrics()?, RwLock::new(true));
        Ok(Self { issuers, address, metrics, tally, verifier, trusted })
    }

    pub(super) async fn sender(self: &Arc<Self>, number: u64) -> anyhow::Result<Sender> {
        let connection = Connection::open(self.address).await?;
        Ok(Sender { traffic: Arc::clone(self), connection, chance: number + 1, used: None, issued: None })
    }

    /// Holds up the requests whose verdict is about to change.
    pub(super) async fn trusted(&self) -> RwLockWriteGuard<'_, bool> {
        self.trusted.write().await
    }

    pub(super) fn issuers(&self) -> &Issuers {
        &self.issuers
    }

    /// What Prometheus would read.
    pub(super) async fn metrics(&self) -> anyhow::Result<String> {
        let answer = Connection::open(self.metrics).await?.send(&get("/metrics")).await?;
        Ok(String::from_utf8(answer.body)?)
    }

    /// Checks an access token as a registry does, with newer keys if it has been signed with a new one.
    async fn check(&self, token: &str, resource: &str) -> anyhow::Result<()> {
        let (access_token, resource): (AccessToken, Resource) = (token.to_owned().into(), resource.parse()?);
        let ask = |verifier: &AccessTokenVerifier<KeySet>| {
            verifier.verify(&access_token, &resource, Permission::Write, system_clock()())
        };
        let mut verified = ask(&*self.verifier.read().await);
        if verified.is_err() {
            let newer = verifier(self.address).await?;
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
    pub(super) async fn next(&mut self) -> anyhow::Result<()> {
        match self.roll() % 20 {
            0..=8 => self.good().await,
            9 | 10 => self.of_changing_trust().await,
            11 => self.exchange("of GitLab, whatever becomes of it", &self.gitlab(), STABLE, ISSUED).await,
            12 => self.replay().await,
            13 => self.exchange("forged", &self.forged(), STABLE, REFUSED).await,
            14 => {
                self.with("of another repository", |claims| set(claims, "repository", "mallory/train")).await
            }
            15 => self.with("expired", expire).await,
            16 => {
                self.with("of an unknown issuer", |claims| set(claims, "iss", "https://evil.example.com"))
                    .await
            }
            17 => {
                self.with("for somebody else", |claims| set(claims, "aud", "https://hub.example.com")).await
            }
            18 => self.exchange("no token", "not.a.token", STABLE, REFUSED).await,
            _ => self.revoke().await,
        }
    }

    /// Asks with a token of the issuer that is late.
    pub(super) async fn ask_late(&mut self, expected: Expected) -> anyhow::Result<()> {
        let token = self.traffic.issuers.late.github().mint(&Overrides::new(), AUDIENCE);
        self.exchange("of the late issuer", &token, STABLE, expected).await
    }

    async fn good(&mut self) -> anyhow::Result<()> {
        let token = self.minted(|_| {});
        self.exchange("good", &token, STABLE, ISSUED).await?;
        self.used = Some(token);
        Ok(())
    }

    async fn of_changing_trust(&mut self) -> anyhow::Result<()> {
        let token = self.minted(|_| {});
        let traffic = Arc::clone(&self.traffic);
        let trusted = traffic.trusted.read().await;
        if *trusted {
            self.exchange("trusted at the moment", &token, CHANGING, ISSUED).await
        } else {
            self.exchange("not trusted at the moment", &token, CHANGING, REFUSED).await
        }
    }

    async fn replay(&mut self) -> anyhow::Result<()> {
        match self.used.take() {
            Some(token) => self.exchange("replayed", &token, STABLE, REFUSED).await,
            None => self.good().await,
        }
    }

    async fn with(
        &mut self,
        kind: &'static str,
        change: impl Fn(&mut Map<String, Value>),
    ) -> anyhow::Result<()> {
        let token = self.minted(change);
        self.exchange(kind, &token, STABLE, REFUSED).await
    }

    async fn revoke(&mut self) -> anyhow::Result<()> {
        let Some(token) = self.issued.take() else { return self.good().await };
        let body = format!("token={token}");
        let head = "POST /oauth/revoke HTTP/1.1\r\nhost: soak.example.com\r\ncontent-type: application/x-www-form-urlencoded";
        let request = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let answer = self.connection.send(request.as_bytes()).await?;
        self.traffic.tally.note("revoked", ISSUED, answer.status, &answer.body);
        Ok(())
    }

    async fn exchange(
        &mut self,
        kind: &'static str,
        token: &str,
        resource: &str,
        expected: Expected,
    ) -> anyhow::Result<()> {
        let Answer { status, body } = self.connection.send(&request(token, resource)).await?;
        self.traffic.tally.note(kind, expected, status, &body);
        if status == 200 {
            let answer: Value = serde_json::from_slice(&body)?;
            let token = answer["access_token"].as_str().context("the answer has an access token")?;
            self.traffic.check(token, resource).await?;
            self.issued = Some(token.to_owned());
        }
        Ok(())
    }

    /// A good token, but for what is changed of it.
    fn minted(&self, change: impl Fn(&mut Map<String, Value>)) -> String {
        let github = self.traffic.issuers.steady.github();
        let mut claims = github.claims(now());
        set(&mut claims, "aud", AUDIENCE);
        change(&mut claims);
        github.sign(&claims)
    }

    fn gitlab(&self) -> String {
        self.traffic.issuers.steady.gitlab().mint(&Overrides::new(), AUDIENCE)
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

fn now() -> UnixTime {
    system_clock()()
}

fn set(claims: &mut Map<String, Value>, name: &str, value: &str) {
    claims.insert(name.to_owned(), value.into());
}

fn expire(claims: &mut Map<String, Value>) {
    for (name, ago) in [("iat", 1_200), ("nbf", 1_200), ("exp", 900)] {
        claims.insert(name.to_owned(), (now().as_seconds() - ago).into());
    }
}
