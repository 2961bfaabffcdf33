//! Invariant 8 for registries that verify by themselves: status lists, over real sockets, on two nodes.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::publisher::PublisherState;
use countersign_core::{AccessToken, Permission};
use countersign_server::store::PublisherChange;
use countersign_verify::{
    AccessTokenVerifier, DiscoverySettings, HttpFetch, HttpSettings, Network, Online, StatusList,
};
use serde_json::{Value, json};
use tokio::time::{advance, pause, resume};

use crate::stage::{Stage, exchange_parameters, post_to};

const RESOURCE: &str = "acme/awesome-model";
const TTL: Duration = Duration::from_secs(15);

/// A registry that knows the server's URL and nothing else.
fn registry(stage: &Stage) -> AccessTokenVerifier<Online> {
    let http = HttpSettings { network: Network::Any, ..HttpSettings::default() };
    let (issuer, audience) = (stage.url.parse().unwrap(), stage.url.parse().unwrap());
    let fetch = Arc::new(HttpFetch::new(&http).unwrap());
    AccessTokenVerifier::discovered(issuer, audience, fetch, DiscoverySettings::default())
}

async fn code(registry: &AccessTokenVerifier<Online>, stage: &Stage, token: &str) -> &'static str {
    let token = AccessToken::from(token.to_owned());
    let verified = registry.verify(&token, &RESOURCE.parse().unwrap(), Permission::Write, stage.now()).await;
    verified.map_or_else(|error| error.code(), |_| "good")
}

async fn issued_by(stage: &Stage, node: &str) -> String {
    let body = exchange_parameters(&stage.token(), RESOURCE).to_string();
    let answer = post_to(&stage.http, node, "application/json", body).await;
    answer.body["access_token"].as_str().unwrap().to_owned()
}

fn payload(jwt: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

/// The `ttl` passes, on all clocks.
async fn ttl_passes(stage: &Stage) {
    stage.clock.set(stage.now() + TTL);
    pause();
    advance(TTL).await;
    resume();
}

#[tokio::test]
async fn i17_invariant_8_status_lists_end_tokens_within_their_ttl_on_every_node() {
    let stage = Stage::new().await;
    let second = stage.second_node().await;
    let registry = registry(&stage);
    let removed = stage.trust(RESOURCE).await;
    let (here, elsewhere) = (issued_by(&stage, &stage.url).await, issued_by(&stage, &second).await);
    for token in [&here, &elsewhere] {
        assert_eq!(code(&registry, &stage, token).await, "good");
    }
    assert_ne!(
        payload(&here)["status"]["status_list"]["uri"],
        payload(&elsewhere)["status"]["status_list"]["uri"]
    );

    // Each is revoked at the other node.
    for (node, token) in [(&second, &here), (&stage.url, &elsewhere)] {
        let request = stage.http.post(format!("{node}/oauth/revoke"));
        let request = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("token={token}"));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let disabled = issued_by(&stage, &second).await;
    assert_eq!(code(&registry, &stage, &here).await, "good", "the registry's copy is young");
    ttl_passes(&stage).await;
    for token in [&here, &elsewhere] {
        assert_eq!(code(&registry, &stage, token).await, "revoked");
    }
    assert_eq!(code(&registry, &stage, &disabled).await, "good", "nobody else's token");

    // Tokens that were not touched themselves end with their publisher.
    let switch = async |state| {
        let change = PublisherChange::SetState { id: removed.clone(), expected: None, state };
        stage.change(change).await.unwrap()
    };
    switch(PublisherState::Disabled).await;
    ttl_passes(&stage).await;
    assert_eq!(code(&registry, &stage, &disabled).await, "revoked");
    switch(PublisherState::Enabled).await;
    let last = issued_by(&stage, &stage.url).await;
    ttl_passes(&stage).await;
    assert_eq!(code(&registry, &stage, &disabled).await, "revoked", "enabling brings no token back");
    assert_eq!(code(&registry, &stage, &last).await, "good");
    stage.remove(&removed).await;
    ttl_passes(&stage).await;
    assert_eq!(code(&registry, &stage, &last).await, "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_signs_every_list() {
    let stage = Stage::new().await;
    let second = stage.second_node().await;
    stage.trust(RESOURCE).await;
    let token = issued_by(&stage, &second).await;
    let reference = payload(&token)["status"]["status_list"].clone();
    let uri = reference["uri"].as_str().unwrap();
    let revoke = stage.http.post(format!("{}/oauth/revoke", stage.url));
    let revoke = revoke.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(revoke.body(format!("token={token}")).send().await.unwrap().status(), 200);
    for node in [&stage.url, &second] {
        let response = stage.http.get(uri.replace(&stage.url, node)).send().await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/statuslist+jwt");
        assert_eq!(response.headers()["cache-control"], "public, max-age=15");
        let jwt = response.text().await.unwrap();
        let header = URL_SAFE_NO_PAD.decode(jwt.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!((&header["typ"], &header["alg"]), (&json!("statuslist+jwt"), &json!("ES256")));
        let claims = payload(&jwt);
        let now = stage.now().as_seconds();
        assert_eq!(claims["iss"], stage.url);
        assert_eq!(claims["sub"], uri);
        assert_eq!(
            (&claims["iat"], &claims["exp"], &claims["ttl"]),
            (&json!(now), &json!(now + 300), &json!(15))
        );
        let list = StatusList::from_claim(&claims["status_list"]).unwrap();
        let index = u32::try_from(reference["idx"].as_u64().unwrap()).unwrap();
        assert_eq!(list, StatusList::new(65_536, [index]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_status_list() {
    let stage = Stage::new().await;
    let get = async |path: &str| {
        let response = stage.http.get(format!("{}/status/{path}", stage.url)).send().await.unwrap();
        (response.status().as_u16(), response.headers()["cache-control"].to_str().unwrap().to_owned())
    };
    let no_store = || "no-store".to_owned();
    for path in ["x", "AAAAAAAAAAAAAAAAAAAAAB", "..%2F..%2Fhealthz", "AAAAAAAAAAAAAAAAAAAAAA%00", "%FF"] {
        assert_eq!(get(path).await, (404, no_store()), "{path}");
    }
    // One that was never opened has nothing revoked in it, and costs nothing to say so.
    assert_eq!(get("AAAAAAAAAAAAAAAAAAAAAA").await, (200, "public, max-age=15".to_owned()));
    assert_eq!(get("AAAAAAAAAAAAAAAAAAAAAA?x=1").await.0, 200);
    assert_eq!(get("AAAAAAAAAAAAAAAAAAAAAA?time=1800000000").await, (501, no_store()));
    let post = stage.http.post(format!("{}/status/AAAAAAAAAAAAAAAAAAAAAA", stage.url));
    assert_eq!(post.send().await.unwrap().status(), 405);
}
