//! Signing keys come and go without a registry meeting a token that it cannot verify.

use std::time::Duration;

use countersign_core::{AccessToken, Permission};
use countersign_server::clock::SystemRandomness;
use countersign_verify::AccessTokenVerifier;

use crate::stage::Stage;

const RESOURCE: &str = "acme/awesome-model";

macro_rules! on_every_engine {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test("").await;
            })*
        }

        #[cfg(unix)]
        mod postgres {
            use crate::postgres::{database, settings};

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&settings(&database().await)).await;
            })*
        }
    };
}

on_every_engine! {
    a_key_is_published_before_it_signs_and_until_its_last_token_ends
    a_revoked_key_is_gone_at_once_and_its_tokens_with_it
    of_nodes_that_find_a_key_due_one_makes_it
}

/// What a registry that fetches the key set now says to a token.
fn accepts(stage: &Stage, token: &str) -> bool {
    let jwks = stage.app.exchange.signer.keys().jwks().to_string();
    let keys = AccessTokenVerifier::keys(jwks.as_bytes()).unwrap();
    let verifier = AccessTokenVerifier::offline(stage.url.parse().unwrap(), stage.url.parse().unwrap(), keys);
    let token = AccessToken::from(token.to_owned());
    verifier.verify(&token, &RESOURCE.parse().unwrap(), Permission::Write, stage.now()).is_ok()
}

async fn issue(stage: &Stage) -> String {
    let answer = stage.exchange(&stage.token(), RESOURCE).await;
    answer.body["access_token"].as_str().unwrap().to_owned()
}

async fn pass(stage: &Stage, time: Duration) {
    stage.clock.set(stage.now() + time);
    let exchange = &stage.app.exchange;
    exchange.signer.refresh(&*exchange.store, stage.now(), &SystemRandomness).await.unwrap();
}

fn published(stage: &Stage) -> usize {
    stage.app.exchange.signer.keys().jwks()["keys"].as_array().unwrap().len()
}

async fn a_key_is_published_before_it_signs_and_until_its_last_token_ends(database: &str) {
    let stage = Stage::with(&format!("{database}[tokens]\nrotate_keys_after = \"24h\"")).await;
    stage.trust(RESOURCE).await;
    let first = stage.app.exchange.signer.keys().active_from();
    pass(&stage, Duration::from_hours(24) - Duration::from_secs(1)).await;
    assert_eq!(published(&stage), 1);
    pass(&stage, Duration::from_secs(1)).await;
    assert_eq!(published(&stage), 2, "the next is published");
    assert_eq!(stage.app.exchange.signer.keys().active_from(), first, "and does not sign yet");
    pass(&stage, Duration::from_mins(10) - Duration::from_secs(1)).await;
    let last_of_first = issue(&stage).await;
    pass(&stage, Duration::from_secs(1)).await;
    assert!(stage.app.exchange.signer.keys().active_from() > first, "now it signs");
    let first_of_second = issue(&stage).await;
    pass(&stage, Duration::from_mins(59)).await;
    assert!(accepts(&stage, &last_of_first) && accepts(&stage, &first_of_second));
    pass(&stage, Duration::from_mins(2)).await;
    assert_eq!(published(&stage), 1, "the first is retired");
    pass(&stage, Duration::from_hours(23)).await;
    assert_eq!(
        (published(&stage), stage.app.exchange.store.signing_keys().await.unwrap().len()),
        (2, 3),
        "one in a day"
    );
}

async fn a_revoked_key_is_gone_at_once_and_its_tokens_with_it(database: &str) {
    let stage = Stage::with(database).await;
    stage.trust(RESOURCE).await;
    let token = issue(&stage).await;
    assert!(accepts(&stage, &token));
    let store = &stage.app.exchange.store;
    let kid = store.signing_keys().await.unwrap().remove(0).kid;
    assert!(store.revoke_signing_key(&kid, &stage.author()).await.unwrap());
    assert!(!store.revoke_signing_key(&kid, &stage.author()).await.unwrap());
    pass(&stage, Duration::ZERO).await;
    assert!(!accepts(&stage, &token));
    assert_eq!(published(&stage), 1, "another has taken its place");
    assert!(accepts(&stage, &issue(&stage).await));
}

async fn of_nodes_that_find_a_key_due_one_makes_it(database: &str) {
    let stage = Stage::with(&format!("{database}[tokens]\nrotate_keys_after = \"24h\"")).await;
    stage.clock.set(stage.now() + Duration::from_hours(24));
    let refresh = || async {
        let exchange = &stage.app.exchange;
        exchange.signer.refresh(&*exchange.store, stage.now(), &SystemRandomness).await.unwrap();
    };
    tokio::join!(refresh(), refresh(), refresh(), refresh());
    assert_eq!(stage.app.exchange.store.signing_keys().await.unwrap().len(), 2);
}
