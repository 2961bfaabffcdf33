//! What is exchanged: id tokens as GitHub signs them, each with its own `jti`, and all made before any clock starts.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context as _, ensure};
use countersign_core::token_exchange::{GRANT_TYPE, token_type};
use countersign_simulator::{Overrides, Simulator, system_clock};
use serde_json::json;

use crate::connection::{Connection, get, post};
use crate::es256::SigningKey;

/// What id tokens are minted for: the server is told that this is its URL, and may then listen on any free port.
pub(crate) const AUDIENCE: &str = "https://bench.example.com";
/// What access tokens are asked for.
pub(crate) const RESOURCE: &str = "acme/awesome-model";
/// What a publisher demands of the job that has these tokens.
pub(crate) const RULES: [(&str, &str); 3] =
    [("repository", "acme/train"), ("branch", "main"), ("workflow", "publish.yml")];
/// The ids that such a publisher learns from its first exchange.
pub(crate) const PINS: [(&str, &str); 2] = [("repository_id", "74"), ("repository_owner_id", "65")];

/// The issuer's key set, in the folder of a measurement.
pub(crate) const KEYS: &str = "keys.json";
/// The issuer's URL.
pub(crate) const ISSUER: &str = "issuer.txt";
/// Id tokens, one a line.
pub(crate) const TOKENS: &str = "tokens.txt";

/// As many tokens are measured without a server: enough that none is in a cache by chance.
const MEASURED_ALONE: usize = 4_000;

/// Who signs the id tokens.
pub(crate) struct Issuer {
    simulator: Simulator,
    /// Signs in the place of the simulator's RSA key.
    key: Option<SigningKey>,
}

impl Issuer {
    /// One that signs as GitHub does, with RS256. Leaves in the folder what a server has to know of it.
    pub(crate) fn start(folder: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let simulator = runtime.block_on(Simulator::start())?;
        let issuer = simulator.github().issuer();
        let keys = runtime.block_on(async {
            let address = issuer.authority().parse().context("the simulator listens on an address")?;
            Connection::open(address).await?.send(&get("/github/.well-known/jwks")).await
        })?;
        fs::write(folder.join(KEYS), keys.body)?;
        fs::write(folder.join(ISSUER), issuer.as_str())?;
        Ok(Self { simulator, key: None })
    }

    /// The same with ES256, which signs twenty times as fast: for as many tokens as RSA would take ten minutes for.
    pub(crate) fn start_with_es256(folder: &Path) -> anyhow::Result<Self> {
        let key = SigningKey::generate()?;
        let issuer = Self { key: Some(key), ..Self::start(folder)? };
        if let Some(key) = &issuer.key {
            fs::write(folder.join(KEYS), key.key_set().to_string())?;
        }
        Ok(issuer)
    }

    /// Its URL.
    pub(crate) fn url(&self) -> &str {
        self.simulator.github().issuer().as_str()
    }

    /// What it signs with, as a configuration has it.
    pub(crate) fn algorithm(&self) -> &'static str {
        if self.key.is_some() { "ES256" } else { "RS256" }
    }

    /// Signs `count` tokens of the usual job on all cores.
    pub(crate) fn tokens(&self, count: usize) -> anyhow::Result<Vec<String>> {
        self.tokens_of(&Overrides::new(), count)
    }

    /// The same of a job that differs.
    pub(crate) fn tokens_of(&self, job: &Overrides, count: usize) -> anyhow::Result<Vec<String>> {
        let cores = thread::available_parallelism()?.get();
        let share = count.div_ceil(cores);
        let sign = || (0..share).map(|_| self.sign(job)).collect::<anyhow::Result<Vec<_>>>();
        let mut tokens = Vec::with_capacity(count + cores);
        thread::scope(|scope| {
            let signers: Vec<_> = (0..cores).map(|_| scope.spawn(sign)).collect();
            signers.into_iter().try_for_each(|signer| {
                tokens.extend(signer.join().ok().context("a thread that signs id tokens has died")??);
                anyhow::Ok(())
            })
        })?;
        tokens.truncate(count);
        ensure!(tokens.len() == count, "expected {count} id tokens, there are {}", tokens.len());
        Ok(tokens)
    }

    fn sign(&self, job: &Overrides) -> anyhow::Result<String> {
        let mut claims = self.simulator.github().claims_of(job, system_clock()());
        claims.insert("aud".to_owned(), AUDIENCE.into());
        match &self.key {
            None => Ok(self.simulator.github().sign(&claims)),
            Some(key) => key.sign("JWT", &claims),
        }
    }
}

/// The tokens that nobody has sent yet. None is sent twice to one server, but as a replay.
pub(crate) struct Tokens<'a>(pub(crate) &'a [String]);

impl<'a> Tokens<'a> {
    /// The next ones, as far as there are so many.
    pub(crate) fn take(&mut self, count: usize) -> &'a [String] {
        let (taken, left) = self.0.split_at(count.min(self.0.len()));
        self.0 = left;
        taken
    }
}

/// Leaves in the folder what the limit is measured on.
pub(crate) fn leave_for_the_limit(folder: &Path, tokens: &[String]) -> anyhow::Result<()> {
    let alone = &tokens[..tokens.len().min(MEASURED_ALONE)];
    Ok(fs::write(folder.join(TOKENS), alone.join("\n"))?)
}

/// As the Hub's own client asks.
pub(crate) fn request(id_token: &str, resource: &str) -> Vec<u8> {
    let body = json!({
        "grant_type": GRANT_TYPE,
        "subject_token_type": token_type::ID_TOKEN,
        "subject_token": id_token,
        "resource": resource,
    });
    post("/oauth/token", "", &body)
}
