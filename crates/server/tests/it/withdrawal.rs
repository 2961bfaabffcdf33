//! Invariant 8, threats I17 and J2, J3, J5: trust that is withdrawn ends at once.

use std::time::Duration;

use countersign_core::publisher::PublisherState;
use countersign_server::admin::{AdminToken, ResourcePattern, Role, fresh_secret, hash};
use countersign_server::clock::SystemRandomness;
use countersign_server::store::PublisherChange;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::stage::Stage;

const RESOURCE: &str = "acme/awesome-model";

/// A registry that asks about tokens.
struct Registry<'stage> {
    stage: &'stage Stage,
    secret: String,
}

impl<'stage> Registry<'stage> {
    async fn of(stage: &'stage Stage) -> Self {
        let secret = fresh_secret(&SystemRandomness);
        let token = AdminToken {
            id: "1".to_owned(),
            name: "upload-server".to_owned(),
            role: Role::Registry,
            resources: vec![ResourcePattern::everything()],
            hash: hash(&secret),
            created_at: stage.now(),
            expires_at: stage.now() + Duration::from_hours(2),
            last_used_at: None,
        };
        stage.app.exchange.store.add_admin_token(token, &stage.author()).await.unwrap();
        Self { stage, secret: secret.expose_secret().to_owned() }
    }

    async fn asks(&self, token: &str) -> Value {
        let (status, body) = introspect(self.stage, Some(&self.secret), token).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}

async fn introspect(stage: &Stage, secret: Option<&str>, token: &str) -> (u16, Value) {
    let mut request = stage.http.post(format!("{}/oauth/introspect", stage.url));
    if let Some(secret) = secret {
        request = request.header("authorization", format!("Bearer {secret}"));
    }
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").body(format!("token={token}"));
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    assert_eq!(response.headers()["cache-control"], "no-store");
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

async fn revoke(stage: &Stage, token: &str) -> u16 {
    let request = stage.http.post(format!("{}/oauth/revoke", stage.url));
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").body(format!("token={token}"));
    request.send().await.unwrap().status().as_u16()
}

async fn issued(stage: &Stage) -> String {
    let answer = stage.exchange(&stage.token(), RESOURCE).await;
    answer.body["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_token_is_described() {
    let stage = Stage::new().await;
    let publisher = stage.trust(RESOURCE).await;
    let registry = Registry::of(&stage).await;
    let described = registry.asks(&issued(&stage).await).await;
    assert_eq!(described["active"], true);
    assert_eq!(described["scope"], "read write");
    assert_eq!(described["client_id"], format!("publisher:{publisher}"));
    assert_eq!(described["authorization_details"][0]["identifier"], RESOURCE);
    let used = stage.app.exchange.store.admin_tokens().await.unwrap().remove(0);
    assert_eq!(used.last_used_at, Some(stage.now()));
}

#[tokio::test(flavor = "multi_thread")]
async fn i17_invariant_8_removing_trust_works_at_once() {
    let stage = Stage::new().await;
    let second = Stage { url: stage.second_node().await, ..Stage::new().await };
    let registry = Registry::of(&stage).await;
    let elsewhere = Registry { stage: &second, secret: registry.secret.clone() };
    let removed = stage.trust(RESOURCE).await;
    let token = issued(&stage).await;
    assert_eq!(registry.asks(&token).await["active"], true);
    assert_eq!(elsewhere.asks(&token).await["active"], true);
    stage.remove(&removed).await;
    assert_eq!(registry.asks(&token).await, json!({ "active": false }), "j3: and nothing else is said");
    assert_eq!(elsewhere.asks(&token).await, json!({ "active": false }), "on every node");

    let disabled = stage.trust(RESOURCE).await;
    let token = issued(&stage).await;
    let set = async |state| {
        stage.change(PublisherChange::SetState { id: disabled.clone(), expected: None, state }).await.unwrap()
    };
    set(PublisherState::Disabled).await;
    assert_eq!(registry.asks(&token).await["active"], false);
    stage.refused(&stage.token(), RESOURCE, "not_matched", "expected enabled, came disabled").await;
    set(PublisherState::Enabled).await;
    assert_eq!(registry.asks(&token).await["active"], false, "enabling brings no token back");
    stage.clock.set(stage.now() + Duration::from_secs(1));
    assert_eq!(registry.asks(&issued(&stage).await).await["active"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn j2_revoking() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let registry = Registry::of(&stage).await;
    let (token, other) = (issued(&stage).await, issued(&stage).await);
    assert_eq!(revoke(&stage, &token).await, 200);
    assert_eq!(registry.asks(&token).await, json!({ "active": false }));
    assert_eq!(registry.asks(&other).await["active"], true);
    for unknown in ["x", "hf_jwt_x", &token, &stage.token()] {
        assert_eq!(revoke(&stage, unknown).await, 200, "{unknown}");
    }
    let without = stage
        .http
        .post(format!("{}/oauth/revoke", stage.url))
        .header("content-type", "application/json")
        .body("{}");
    assert_eq!(without.send().await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn j3_introspection_needs_a_registry() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let registry = Registry::of(&stage).await;
    let token = issued(&stage).await;
    // J5: a minted token opens no door but its own.
    for secret in [None, Some("wrong"), Some(""), Some(token.as_str()), Some("countersign_admin_")] {
        let (status, body) = introspect(&stage, secret, &token).await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")), "{secret:?}");
    }
    for token in ["", "x", stage.token().as_str()] {
        let (_, body) = introspect(&stage, Some(&registry.secret), token).await;
        assert_ne!(body["active"], true, "{token}");
    }
    stage.clock.set(stage.now() + Duration::from_mins(61));
    assert_eq!(registry.asks(&token).await, json!({ "active": false }), "an expired token");
    stage.clock.set(stage.now() + Duration::from_hours(1));
    assert_eq!(introspect(&stage, Some(&registry.secret), &token).await.0, 401, "an expired admin token");
    assert!(stage.app.exchange.store.remove_admin_token("1", &stage.author()).await.unwrap());
    assert!(!stage.app.exchange.store.remove_admin_token("1", &stage.author()).await.unwrap());
}
