//! Tokens that stay fresh.

use std::thread;
use std::time::Duration;

use countersign_client::TokenCache;
use serde_json::{Value, json};

use crate::fake::Job;

fn token(cache: &TokenCache, resource: &str) -> String {
    cache.token(&resource.parse().unwrap()).unwrap().expose().to_owned()
}

/// The first token is `first`; one second before `replaced_after` it still is, and from then on it is `second`.
fn check(job: Job, expires_in: Value, replaced_after: u64) {
    let mints = job.surroundings().variables.text("GITHUB_ACTIONS").is_some();
    let minting = |job: Job| if mints { job.mints() } else { job };
    let job = minting(minting(job).issues("first", expires_in)).issues("second", 3600);
    let cache = TokenCache::new(job.client());
    assert_eq!(token(&cache, "acme/model"), "first");
    job.pass(Duration::from_secs(replaced_after - 1));
    assert_eq!(token(&cache, "acme/model"), "first");
    job.pass(Duration::from_secs(1));
    assert_eq!(token(&cache, "acme/model"), "second");
}

#[test]
fn replaced_five_minutes_early_when_it_can_be_minted_again() {
    check(Job::github(), json!(3600), 3300);
    check(Job::github(), json!(null), 3300);
    check(Job::github(), json!(301), 1);
    check(Job::github(), json!(300), 150);
}

#[test]
fn replaced_at_its_end_when_the_id_token_was_supplied() {
    let supplied = || Job::default().with("HF_OIDC_ID_TOKEN", "a.b.c");
    check(supplied(), json!(3600), 3600);
    check(supplied(), json!(null), 3600);
    check(supplied(), json!(60), 60);
}

#[test]
fn concurrent_callers_share_one_exchange() {
    let job = Job::github().mints().issues("only", 3600);
    let cache = TokenCache::new(job.client());
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(token(&cache, "acme/model"), "only"));
        }
    });
    assert_eq!(job.sent().len(), 2);
}

#[test]
fn each_resource_has_its_own_token() {
    let job = Job::github().mints().issues("model", 3600).mints().issues("data", 3600);
    let cache = TokenCache::new(job.client());
    assert_eq!(token(&cache, "acme/model"), "model");
    assert_eq!(token(&cache, "datasets/acme/x"), "data");
    assert_eq!(token(&cache, "acme/model"), "model");
}

#[test]
fn a_failed_replacement_is_an_error_and_the_next_call_tries_again() {
    let job =
        Job::github().mints().issues("first", 3600).mints().answers(403, "").mints().issues("second", 3600);
    let cache = TokenCache::new(job.client());
    assert_eq!(token(&cache, "acme/model"), "first");
    job.pass(Duration::from_secs(3400));
    assert!(cache.token(&"acme/model".parse().unwrap()).is_err());
    assert_eq!(token(&cache, "acme/model"), "second");
    assert!(!format!("{cache:?}").contains("second"));
}
