//! What checking an access token costs a registry, beside the signature alone.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::access_token::{Actor, AuthorizationDetail, Status, StatusReference};
use countersign_core::{AccessToken, AccessTokenClaims, Permission, Resource, UnixTime};
use countersign_simulator::system_clock;
use countersign_verify::{
    AccessTokenVerifier, DiscoverySettings, Fetch, FetchError, FetchFuture, Online, StatusList,
};
use serde_json::json;
use tokio::time::Instant;

use crate::es256::SigningKey;
use crate::rate::{Rate, median};
use crate::workload::{AUDIENCE, RESOURCE};
use crate::{process, tell};

const AT_LEAST: Duration = Duration::from_secs(1);
const ROUNDS: usize = 9;
const TOKENS: u32 = 4_000;

/// Measures both in turns, on one thread, and prints the figures.
pub(crate) fn measure() -> anyhow::Result<()> {
    let registry = Registry::open()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // The first pass fetches keys and list.
    runtime.block_on(registry.verify())?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let signature = rate(|| registry.verify_signatures())?;
        let whole = rate(|| runtime.block_on(registry.verify()))?;
        rounds.push((signature, whole));
    }
    tell(&format!("{:<47} {:>10} {:>14}", "", "per second", "µs of CPU each"));
    let row = |name: &str, of: fn(&(Rate, Rate)) -> Rate| {
        let per_second = median(rounds.iter().map(|round| of(round).per_second));
        let cpu = median(rounds.iter().map(|round| of(round).cpu_micros));
        tell(&format!("{name:<47} {per_second:>10.0} {cpu:>14.1}"));
    };
    row("signature alone (ES256)", |(signature, _)| *signature);
    row("access token, with cached keys and status list", |(_, whole)| *whole);
    let ratio = median(rounds.iter().map(|(signature, whole)| whole.per_second / signature.per_second));
    let cpu_ratio = median(rounds.iter().map(|(signature, whole)| signature.cpu_micros / whole.cpu_micros));
    tell(&format!("{:<47} {:>8.0} % {:>12.0} %", "ratio", ratio * 100.0, cpu_ratio * 100.0));
    Ok(())
}

fn rate(pass: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<Rate> {
    let (start, cpu_before) = (Instant::now(), process::seconds_of_this_thread()?);
    let mut operations = 0;
    while start.elapsed() < AT_LEAST {
        pass()?;
        operations += TOKENS as usize;
    }
    Ok(Rate::new(operations, start.elapsed(), process::seconds_of_this_thread()? - cpu_before))
}

struct Registry {
    verifier: AccessTokenVerifier<Online>,
    resource: Resource,
    now: UnixTime,
    tokens: Vec<AccessToken>,
    key: ParsedPublicKey,
    /// What is signed of each token, and the signature.
    signatures: Vec<(String, Vec<u8>)>,
}

impl Registry {
    fn open() -> anyhow::Result<Self> {
        let now = system_clock()();
        let key = SigningKey::generate()?;
        let server = Arc::new(Server::new(&key, now)?);
        let verifier = AccessTokenVerifier::discovered(
            AUDIENCE.parse()?,
            AUDIENCE.parse()?,
            server,
            DiscoverySettings::default(),
        );
        let signed = (0..TOKENS)
            .map(|index| key.sign("at+jwt", &claims(index, now)?))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let tokens = signed.iter().map(|jwt| AccessToken::from(format!("hf_jwt_{jwt}"))).collect();
        let split = |jwt: &String| {
            let (signed, signature) = jwt.rsplit_once('.').context("a JWS has dots")?;
            Ok((signed.to_owned(), URL_SAFE_NO_PAD.decode(signature)?))
        };
        Ok(Self {
            verifier,
            resource: RESOURCE.parse()?,
            now,
            tokens,
            key: key.public_key()?,
            signatures: signed.iter().map(split).collect::<anyhow::Result<_>>()?,
        })
    }

    fn verify_signatures(&self) -> anyhow::Result<()> {
        for (signed, signature) in &self.signatures {
            let verified = self.key.verify_sig(signed.as_bytes(), signature);
            ensure!(std::hint::black_box(verified).is_ok(), "a signature does not verify");
        }
        Ok(())
    }

    async fn verify(&self) -> anyhow::Result<()> {
        for token in &self.tokens {
            let access = self.verifier.verify(token, &self.resource, Permission::Write, self.now).await?;
            std::hint::black_box(access);
        }
        Ok(())
    }
}

/// The server's documents, without a network.
#[derive(Debug)]
struct Server {
    keys: String,
    list: String,
}

impl Server {
    fn new(key: &SigningKey, now: UnixTime) -> anyhow::Result<Self> {
        let list = json!({
            "sub": list_url(),
            "iat": now,
            "exp": now + Duration::from_hours(1),
            "ttl": 60,
            // One in a hundred of those beyond our tokens.
            "status_list": StatusList::new(1 << 16, (TOKENS..1 << 16).step_by(100)).to_claim(),
        });
        Ok(Self { keys: key.key_set().to_string(), list: key.sign("statuslist+jwt", &list)? })
    }
}

impl Fetch for Server {
    fn get<'a>(&'a self, url: &'a str) -> FetchFuture<'a> {
        let jwks_uri = format!("{AUDIENCE}/keys");
        let answer = match url.strip_prefix(AUDIENCE) {
            Some("/.well-known/openid-configuration") => {
                Ok(json!({ "issuer": AUDIENCE, "jwks_uri": jwks_uri }).to_string())
            }
            Some("/keys") => Ok(self.keys.clone()),
            Some(LIST) => Ok(self.list.clone()),
            _ => Err(FetchError::Status(404)),
        };
        Box::pin(async move { answer.map(String::into_bytes) })
    }
}

const LIST: &str = "/status/AAAAAAAAAAAAAAAAAAAAAA";

fn list_url() -> String {
    format!("{AUDIENCE}{LIST}")
}

/// As the server makes them.
fn claims(index: u32, now: UnixTime) -> anyhow::Result<AccessTokenClaims> {
    let publisher = "publisher:01890000-0000-7000-8000-000000000001".to_owned();
    Ok(AccessTokenClaims {
        iss: AUDIENCE.to_owned(),
        sub: publisher.clone(),
        aud: AUDIENCE.to_owned(),
        exp: now + Duration::from_hours(1),
        iat: now,
        jti: format!("01890000-0000-7000-8000-{index:012}"),
        client_id: publisher,
        authorization_details: vec![AuthorizationDetail::new(RESOURCE.parse()?, Permission::Write)],
        act: Actor {
            iss: "https://token.actions.githubusercontent.com".to_owned(),
            sub: "repo:acme/train:ref:refs/heads/main".to_owned(),
        },
        status: Some(Status { status_list: StatusReference { idx: index, uri: list_url() } }),
    })
}
