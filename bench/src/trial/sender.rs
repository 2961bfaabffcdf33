//! Requests of all kinds, each with the verdict that it must come to.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use countersign_core::UnixTime;
use countersign_simulator::{Overrides, Simulator};
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};

use super::server::{AUDIENCE, CHANGING, STABLE};
use super::traffic::Traffic;
use super::verdict::{Expected, Weather};
use crate::connection::{Answer, Connection};
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

impl Sender {
    pub(super) fn new(traffic: Arc<Traffic>, connection: Connection, number: u64) -> Self {
        Self { traffic, connection: Some(connection), chance: number + 1, used: None, issued: None }
    }

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
        let before = self.traffic.weather();
        let answer = self.send(request).await;
        let after = self.traffic.weather();
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
            None => self.traffic.connect().await?,
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
