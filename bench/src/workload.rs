//! What is exchanged: id tokens as GitHub signs them, each with its own `jti`, and all made before any clock starts.

use std::fs;
use std::path::Path;
use std::thread;

use anyhow::Context as _;
use countersign_core::token_exchange::{GRANT_TYPE, token_type};
use countersign_simulator::{Simulator, system_clock};
use serde_json::json;

use crate::connection::{Connection, get, post};

/// What id tokens are minted for. The server is told so, and may then listen on any free port.
pub(crate) const AUDIENCE: &str = "https://bench.example.com";
/// What access tokens are asked for.
pub(crate) const RESOURCE: &str = "acme/awesome-model";
/// What a publisher demands of the job that has these tokens.
pub(crate) const RULES: [(&str, &str); 3] =
    [("repository", "acme/train"), ("branch", "main"), ("workflow", "publish.yml")];
/// The ids that such a publisher learns from its first exchange.
pub(crate) const PINS: [(&str, &str); 2] = [("repository_id", "74"), ("repository_owner_id", "65")];

/// The issuer's key set, in the folder of a workload.
pub(crate) const KEYS: &str = "keys.json";
/// The issuer's URL.
pub(crate) const ISSUER: &str = "issuer.txt";
/// Id tokens, one a line.
pub(crate) const TOKENS: &str = "tokens.txt";

/// As many tokens are measured without a server: enough that none is in a cache by chance.
const MEASURED_ALONE: usize = 4_000;

/// An issuer, and id tokens of it.
pub(crate) struct Workload {
    pub(crate) issuer: String,
    pub(crate) tokens: Vec<String>,
}

impl Workload {
    /// Signs `count` tokens on all cores, and leaves in the folder what the server and the limit need.
    pub(crate) fn make(count: usize, folder: &Path) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let simulator = runtime.block_on(Simulator::start())?;
        let issuer = simulator.github().issuer().clone();
        let keys = runtime.block_on(async {
            let address = issuer.authority().parse().context("the simulator listens on an address")?;
            Connection::open(address).await?.send(&get("/github/.well-known/jwks")).await
        })?;
        fs::write(folder.join(KEYS), keys.body)?;
        fs::write(folder.join(ISSUER), issuer.as_str())?;

        let cores = thread::available_parallelism()?.get();
        let share = count.div_ceil(cores);
        let tokens = thread::scope(|scope| {
            let signers: Vec<_> = (0..cores).map(|_| scope.spawn(|| sign(&simulator, share))).collect();
            signers.into_iter().filter_map(|signer| signer.join().ok()).flatten().take(count).collect()
        });
        let workload = Self { issuer: issuer.to_string(), tokens };
        anyhow::ensure!(workload.tokens.len() == count, "a thread that signs id tokens has died");
        let alone = &workload.tokens[..count.min(MEASURED_ALONE)];
        fs::write(folder.join(TOKENS), alone.join("\n"))?;
        Ok(workload)
    }
}

fn sign(simulator: &Simulator, count: usize) -> Vec<String> {
    let clock = system_clock();
    let token = |_| {
        let mut claims = simulator.github().claims(clock());
        claims.insert("aud".to_owned(), AUDIENCE.into());
        simulator.github().sign(&claims)
    };
    (0..count).map(token).collect()
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
