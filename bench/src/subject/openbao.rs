//! `OpenBao`'s JWT login, the peer: a token for whoever has a good id token, as a server in Go with a replicated log does it.
//!
//! It is set up as its manual says for one node: raft storage on disk, a role with two bound claims, the issuer's key given in PEM
//! so that nothing is fetched. It remembers no id token: each may log in as often as it likes.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::RsaPublicKeyComponents;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{Kept, Subject, bytes_below};
use crate::connection::{Connection, get, post};
use crate::generator::Target;
use crate::lifeline::{Order, Program};
use crate::postgres::free_port;
use crate::stage::{Stage, absolute};
use crate::workload::{AUDIENCE, KEYS};

const ROLE: &str = "bench";
/// How often a starting server is asked whether it is there, and how long between.
const ATTEMPTS: usize = 150;
const BETWEEN: Duration = Duration::from_millis(200);

/// What a login gives.
#[derive(Clone, Copy)]
pub(super) enum Tokens {
    /// Tokens that are stored, and can be revoked.
    Service,
    /// Tokens that are sealed and stored nowhere.
    Batch,
}

/// The running server.
pub(super) struct OpenBao {
    program: Program,
    address: SocketAddr,
    data: PathBuf,
    empty: u64,
}

impl OpenBao {
    /// Starts it on the measured core, and sets it up.
    pub(super) fn start(
        stage: &Stage,
        program: Option<&Path>,
        folder: &Path,
        tokens: Tokens,
    ) -> anyhow::Result<Self> {
        let program = absolute(program.context("--openbao says where its program is")?);
        let data = folder.join("data");
        fs::create_dir(&data)?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let config = json!({
            "storage": { "raft": { "path": data, "node_id": "bench" } },
            "listener": [{ "tcp": { "address": address, "tls_disable": true } }],
            "api_addr": format!("http://{address}"),
            "cluster_addr": format!("http://127.0.0.1:{}", free_port()?),
            "log_level": "warn",
        });
        let file = folder.join("openbao.json");
        fs::write(&file, config.to_string())?;
        let log = File::create(folder.join("log"))?;
        let mut serve = stage.pinning.measured(&program);
        serve
            .arg("server")
            .arg("-config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let started = Program::start(&mut serve);
        let program = started.with_context(|| format!("cannot start {}", program.display()))?;
        let mut server = Self { program, address, data, empty: 0 };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let key = in_pem(&fs::read(stage.folder.path().join(KEYS))?)?;
        runtime.block_on(server.set_up(&key, tokens))?;
        server.empty = bytes_below(&server.data)?;
        Ok(server)
    }

    async fn set_up(&self, key: &str, tokens: Tokens) -> anyhow::Result<()> {
        let mut connection = self.connect().await?;
        let shares = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let unsealing: Value = ask(&mut connection, &post("/v1/sys/init", "", &shares)).await?;
        ask(&mut connection, &post("/v1/sys/unseal", "", &json!({ "key": unsealing["keys"][0] }))).await?;
        let mut attempts = 0;
        while connection.send(&get("/v1/sys/health")).await?.status != 200 {
            attempts += 1;
            ensure!(attempts < ATTEMPTS, "OpenBao does not become the active node");
            sleep(BETWEEN).await;
        }
        let root = unsealing["root_token"].as_str().context("OpenBao has a root token")?;
        let root = format!("x-vault-token: {root}\r\n");
        let role = json!({
            "role_type": "jwt",
            "bound_audiences": [AUDIENCE],
            "bound_claims": { "repository": "acme/train", "ref": "refs/heads/main" },
            "user_claim": "sub",
            "token_type": match tokens { Tokens::Service => "service", Tokens::Batch => "batch" },
            "token_ttl": "1h",
            "token_policies": ["default"],
        });
        for (path, body) in [
            ("/v1/sys/auth/jwt", json!({ "type": "jwt" })),
            ("/v1/auth/jwt/config", json!({ "jwt_validation_pubkeys": [key] })),
            (&format!("/v1/auth/jwt/role/{ROLE}"), role),
        ] {
            ask(&mut connection, &post(path, &root, &body)).await?;
        }
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        for _ in 0..ATTEMPTS {
            if let Ok(connection) = Connection::open(self.address).await {
                return Ok(connection);
            }
            sleep(BETWEEN).await;
        }
        bail!("OpenBao does not start, its log is beside {}", self.data.display())
    }
}

impl Subject for OpenBao {
    fn target(&self) -> anyhow::Result<Target> {
        Ok(Target { addresses: vec![self.address], processes: vec![self.program.id()], database: None })
    }

    fn request(&self, id_token: &str) -> Vec<u8> {
        post("/v1/auth/jwt/login", "", &json!({ "role": ROLE, "jwt": id_token }))
    }

    fn order(&mut self, order: Order) -> anyhow::Result<()> {
        Ok(self.program.order(order)?)
    }

    fn finish(self: Box<Self>, _: usize) -> anyhow::Result<Kept> {
        Ok(Kept { stored: Some(bytes_below(&self.data)?.saturating_sub(self.empty)), commits: None })
    }
}

/// What it answers if it agrees; it says nothing where there is nothing to say.
async fn ask(connection: &mut Connection, request: &[u8]) -> anyhow::Result<Value> {
    let answer = connection.send(request).await?;
    let body = String::from_utf8_lossy(&answer.body);
    ensure!(matches!(answer.status, 200 | 204), "OpenBao answered {}: {body}", answer.status);
    Ok(serde_json::from_slice(&answer.body).unwrap_or_default())
}

/// The first key of a set as PEM has it (RFC 7468 §13).
fn in_pem(keys: &[u8]) -> anyhow::Result<String> {
    let keys: Value = serde_json::from_slice(keys)?;
    let number = |name: &str| {
        let text = keys["keys"][0][name].as_str().with_context(|| format!("the key has no {name}"))?;
        anyhow::Ok(URL_SAFE_NO_PAD.decode(text)?)
    };
    let key = RsaPublicKeyComponents { n: number("n")?, e: number("e")? };
    let der = key.as_der().context("the key is no RSA key")?;
    let lines = STANDARD.encode(der.as_ref());
    Ok(format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----\n"))
}

#[cfg(test)]
mod tests {
    use super::in_pem;

    #[test]
    fn a_key_of_a_set_becomes_pem() {
        let modulus = "w".repeat(342);
        let pem = in_pem(format!(r#"{{"keys":[{{"n":"{modulus}","e":"AQAB"}}]}}"#).as_bytes()).unwrap();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"), "{pem}");
        assert!(in_pem(br#"{"keys":[{"n":"AQAB"}]}"#).is_err());
    }
}
