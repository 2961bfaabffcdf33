//! From the issuer URL to a verified signature.

use countersign_core::UnixTime;
use countersign_simulator::{OldKey, Overrides, Platform, Provider, Simulator};
use serde_json::Value;

use crate::{jwt, wire};

async fn key_set<P: Platform>(provider: &Provider<P>) -> Value {
    let discovery = format!("{}/.well-known/openid-configuration", provider.issuer());
    let (status, metadata) = wire::get(&discovery, None).await;
    assert_eq!(status, 200);
    assert_eq!(metadata["issuer"], provider.issuer().as_str());
    wire::get(metadata["jwks_uri"].as_str().unwrap(), None).await.1
}

async fn leads_to_its_own_key<P: Platform>(provider: &Provider<P>) -> Value {
    let token = provider.mint(&Overrides::new(), "https://trust.example.com");
    let keys = key_set(provider).await;
    assert!(jwt::verifies(&token, &keys));
    assert_eq!(jwt::header(&token)["alg"], "RS256");
    assert_eq!(jwt::header(&token)["typ"], "JWT");
    assert_eq!(jwt::header(&token)["x5t"], keys["keys"][0]["x5t"]);
    assert_eq!(keys["keys"][0]["use"], "sig");
    assert_eq!(jwt::claims(&token)["iss"], provider.issuer().as_str());
    keys
}

#[tokio::test]
async fn discovery_leads_to_the_key_that_signed() {
    let simulator = Simulator::start().await.unwrap();
    let github = leads_to_its_own_key(simulator.github()).await;
    let gitlab = leads_to_its_own_key(simulator.gitlab()).await;
    assert_ne!(github, gitlab, "each provider has its own key");
    assert_eq!(simulator.github().key_set_requests(), 1);
}

#[tokio::test]
async fn a_rotated_key_stays_or_goes() {
    let simulator = Simulator::start().await.unwrap();
    let github = simulator.github();
    let claims = github.claims(UnixTime::from_seconds(1_800_000_000));
    let [first, second, third] = [None, Some(OldKey::Kept), Some(OldKey::Dropped)].map(|old| {
        if let Some(old) = old {
            github.rotate_key(old);
        }
        github.sign(&claims)
    });
    assert_ne!(jwt::header(&first)["kid"], jwt::header(&second)["kid"]);
    let keys = key_set(github).await;
    assert_eq!([&first, &second, &third].map(|token| jwt::verifies(token, &keys)), [false, false, true]);

    github.rotate_key(OldKey::Kept);
    let keys = key_set(github).await;
    assert!(jwt::verifies(&third, &keys) && jwt::verifies(&github.sign(&claims), &keys));
    let forged = github.forge(&claims);
    assert_eq!(jwt::header(&forged)["kid"], jwt::header(&github.sign(&claims))["kid"]);
    assert!(!jwt::verifies(&forged, &keys));
}

#[tokio::test]
async fn dropping_the_simulator_frees_its_port() {
    let simulator = Simulator::start().await.unwrap();
    let authority = simulator.github().issuer().authority().to_owned();
    drop(simulator);
    tokio::task::yield_now().await;
    assert!(tokio::net::TcpStream::connect(authority).await.is_err());
}
