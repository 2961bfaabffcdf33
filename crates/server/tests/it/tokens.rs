//! Threats A, C and D as they meet the whole server: what is refused on the wire, and what is on record afterwards. The
//! rows in full are tested in `countersign-verify`.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::{IssuerUrl, Provider};
use serde_json::{Value, json};

use crate::program::{Program, prepare};
use crate::stage::{Stage, client, exchange_parameters, post_to};

const RESOURCE: &str = "acme/awesome-model";

async fn trusting() -> Stage {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_and_forged_tokens() {
    let stage = trusting().await;
    let good = stage.token();
    let (signed, _) = good.rsplit_once('.').unwrap();
    let unsigned = format!("{signed}.");
    stage.refused("x.y.z", RESOURCE, "encoding", "").await;
    stage.refused("not a token", RESOURCE, "parts", "").await;
    stage.refused(&unsigned, RESOURCE, "signature", "").await;
    stage.refused(&stage.simulator.github().forge(&stage.claims()), RESOURCE, "signature", "").await;
    assert_eq!(stage.issued().await, 0);
    assert_eq!(stage.exchange(&good, RESOURCE).await.status, 200, "e9: none of that used the good token up");
}

#[tokio::test(flavor = "multi_thread")]
async fn a16_large_bodies() {
    let stage = trusting().await;
    let body = exchange_parameters(&"a".repeat(17 * 1024), RESOURCE).to_string();
    let answer = stage.post("application/json", body).await;
    assert_eq!((answer.status, &answer.body["error"]), (413, &json!("invalid_request")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a20_our_own_access_token_is_no_id_token() {
    let stage = trusting().await;
    let answer = stage.exchange(&stage.token(), RESOURCE).await;
    let token = answer.body["access_token"].as_str().unwrap();
    stage.refused(token, RESOURCE, "encoding", "").await;
    stage.refused(token.strip_prefix("hf_jwt_").unwrap(), RESOURCE, "token_type", "").await;
}

/// What is never resolved cannot be rebound either (C4), nor lead to a private address (C3).
#[tokio::test(flavor = "multi_thread")]
async fn c1_c2_c3_c4_c8_an_issuer_nobody_configured_causes_no_request() {
    let stage = trusting().await;
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let trap_url = format!("http://{}", trap.local_addr().unwrap());
    let own = stage.simulator.github().issuer().to_string();
    let variants = [
        trap_url.clone(),
        format!("{trap_url}/github"),
        format!("{own}/"),
        own.to_uppercase(),
        own.replace("http://", "https://"),
        format!("{own}?x"),
        format!("{own}#x"),
        format!("{own}/../github"),
        own.replace("127.0.0.1", "127.0.0.1@evil.example.com"),
        own.replace("127.0.0.1", "localhost"),
        own.replace("127.0.0.1", "127.1"),
        format!(" {own}"),
        format!("{own}\u{0}"),
        "http://169.254.169.254/latest".to_owned(),
        "a".repeat(5_000),
        String::new(),
    ];
    for issuer in variants {
        stage
            .refused(
                &stage.token_with("iss", issuer),
                RESOURCE,
                "unknown_issuer",
                "not one whose id tokens are exchanged",
            )
            .await;
    }
    assert_eq!(stage.simulator.github().key_set_requests(), 0, "not even the configured issuer was asked");
    assert!(trap.accept().is_err(), "nobody connected to the trap");
}

#[tokio::test(flavor = "multi_thread")]
async fn c9_the_proxy_variables_of_the_environment_are_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = prepare(folder.path()).await;
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let proxy = format!("http://{}", trap.local_addr().unwrap());
    let names = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];
    let program = Program::start_with(folder.path(), &names.map(|name| (name, proxy.as_str())));
    let token =
        simulator.github().mint(&countersign_simulator::Overrides::new(), "https://trust.example.com");
    let body = exchange_parameters(&token, RESOURCE).to_string();
    let answer = post_to(&client(), &program.url, "application/json", body).await;
    program.kill();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(trap.accept().is_err(), "nobody connected to the proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_keys_belong_to_their_issuer() {
    let stage = trusting().await;
    // Both issuers' keys are in memory.
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
    let mut claims = stage.simulator.gitlab().claims(stage.now());
    claims.insert("aud".to_owned(), stage.url.as_str().into());
    stage.refused(&stage.simulator.gitlab().sign(&claims), RESOURCE, "no_publisher", "").await;
    // Signed by GitLab's key in GitHub's name, and the other way round.
    let as_github = stage.simulator.gitlab().sign(&stage.claims());
    stage.refused(&as_github, RESOURCE, "unknown_key", "").await;
    let mut claims = stage.claims();
    claims.insert("iss".to_owned(), stage.simulator.gitlab().issuer().as_str().into());
    stage.refused(&stage.sign(&claims), RESOURCE, "unknown_key", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_times_and_audience() {
    let stage = trusting().await;
    let now = stage.now().as_seconds();
    let rows: Vec<(&str, Value, &str)> = vec![
        ("exp", json!(now - 31), "expired"),
        ("exp", json!("never"), "malformed_claim"),
        ("exp", Value::Null, "malformed_claim"),
        ("nbf", json!(now + 31), "not_yet_valid"),
        ("iat", json!(now + 31), "not_yet_valid"),
        ("exp", json!(now + 3601), "lifetime"),
        ("aud", json!(""), "audience"),
        ("aud", json!([]), "audience"),
        ("aud", json!(7), "audience"),
        ("aud", json!(format!("{}/", stage.url)), "audience"),
        ("aud", json!(format!("{}.evil", stage.url)), "audience"),
        ("aud", json!([stage.url, "other"]), "audience"),
        ("sub", json!(""), "malformed_claim"),
        ("jti", json!(""), "malformed_claim"),
    ];
    for (claim, value, code) in &rows {
        let answer = stage.exchange(&stage.token_with(claim, value.clone()), RESOURCE).await;
        assert_eq!(
            (answer.status, &answer.body["error"]),
            (400, &json!("invalid_grant")),
            "{claim} = {value}"
        );
        assert_eq!(stage.recorded(&answer).await.outcome, *code, "{claim} = {value}");
    }
    assert_eq!(stage.issued().await, 0);
    assert_eq!(stage.exchange(&stage.token_with("aud", json!([stage.url])), RESOURCE).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn d2_e3_a_token_is_remembered_as_long_as_it_is_good() {
    let stage = trusting().await;
    let token = stage.token();
    let expiry = stage.now() + Duration::from_mins(5);
    assert_eq!(stage.exchange(&token, RESOURCE).await.status, 200);
    let other = stage.token();
    stage.clock.set(expiry + Duration::from_secs(29));
    // One second of leeway is left: still good, so still remembered, whatever was cleaned up by other exchanges.
    for _ in 0..20 {
        assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
    }
    let replay = stage.exchange(&token, RESOURCE).await;
    assert!(replay.body["error_description"].as_str().unwrap().contains("exchanged before"), "{replay:?}");
    assert_eq!(stage.exchange(&other, RESOURCE).await.status, 200);
    stage.clock.set(expiry + Duration::from_secs(30));
    stage.refused(&token, RESOURCE, "expired", "expired").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn b7_one_kid_of_two_issuers() {
    let folder = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| StaticIssuer::new(folder.path(), name));
    let stage = Stage::with(&format!("{}{}", ours.settings(), theirs.settings())).await;
    stage.trust_with(RESOURCE, Provider::Generic, &ours.url, &[("/team", "ml")]).await;
    let claims = |issuer: &StaticIssuer| {
        let now = stage.now().as_seconds();
        json!({ "iss": issuer.url, "sub": "job", "aud": stage.url, "iat": now, "exp": now + 60, "team": "ml" })
    };
    stage.refused(&theirs.sign(&claims(&theirs)), RESOURCE, "no_publisher", "").await;
    stage.refused(&theirs.sign(&claims(&ours)), RESOURCE, "signature", "").await;
    assert_eq!(stage.exchange(&ours.sign(&claims(&ours)), RESOURCE).await.status, 200);
}

/// An issuer that cannot be reached, with one ES256 key that is called `1` like every other's.
struct StaticIssuer {
    url: IssuerUrl,
    key: EcdsaKeyPair,
    file: PathBuf,
}

impl StaticIssuer {
    fn new(folder: &Path, name: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let (x, y) = key.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let file = folder.join(format!("{name}.json"));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "1", "alg": "ES256", "x": x, "y": y });
        std::fs::write(&file, json!({ "keys": [jwk] }).to_string()).unwrap();
        Self { url: format!("https://{name}.example.com").parse().unwrap(), key, file }
    }

    fn settings(&self) -> String {
        format!("[[issuers]]\nurl = \"{}\"\npreset = \"generic\"\njwks_file = {:?}\n", self.url, self.file)
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "ES256", "kid": "1", "typ": "JWT" });
        let signed =
            [header.to_string(), claims.to_string()].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn b12_keys_that_cannot_be_had_are_nobodys_refusal() {
    // An issuer that is configured and down: nobody listens on port 1.
    let url = "http://127.0.0.1:1";
    let down = Stage::with(&format!("[[issuers]]\nurl = \"{url}\"\npreset = \"generic\"")).await;
    let response = down
        .http
        .post(format!("{}/oauth/token", down.url))
        .header("content-type", "application/json")
        .body(exchange_parameters(&down.token_with("iss", url), RESOURCE).to_string());
    let response = response.send().await.unwrap();
    assert_eq!(response.status(), 503);
    let health = |url: &str| {
        let issuers = down.app.exchange.issuers.all();
        let issuer = issuers.iter().find(|issuer| issuer.policy.issuer().as_str() == url);
        issuer.unwrap().keys.health()
    };
    assert_eq!((health(url).failures, health(url).last_failure.unwrap().code), (1, "transport"));
    assert_eq!(health(down.simulator.github().issuer().as_str()).failures, 0, "each has its own");
    let retry_after: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((30..=60).contains(&retry_after), "when the issuer will be asked again: {retry_after}");
    assert!(response.text().await.unwrap().contains("temporarily_unavailable"));
}
