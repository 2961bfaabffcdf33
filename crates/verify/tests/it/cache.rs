//! Threats B6 and B8 to B15: the key cache, in paused time.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::Algorithm;
use countersign_verify::{DiscoverySettings, Fetch, FetchError, IssuerHealth, IssuerKeys, KeyError, NoKey};
use tokio::task::{JoinSet, yield_now};
use tokio::time::advance;

use crate::fake_issuer::FakeIssuer;
use crate::signer::{EC, RSA, key_set};
use crate::token::ISSUER;

const COOLDOWN: Duration = Duration::from_mins(1);
const REFRESH_AFTER: Duration = Duration::from_mins(5);
const HARD_MAX_AGE: Duration = Duration::from_hours(1);

/// An issuer with one RSA key, and what we know of it: nothing yet.
fn issuer() -> (Arc<FakeIssuer>, Arc<IssuerKeys>) {
    let issuer = Arc::new(FakeIssuer::new(ISSUER, &[RSA.jwk()]));
    let fetch: Arc<dyn Fetch> = Arc::<FakeIssuer>::clone(&issuer);
    let algorithms = vec![Algorithm::Rs256, Algorithm::Es256];
    let settings = DiscoverySettings::default();
    (issuer, Arc::new(IssuerKeys::discovered(ISSUER.parse().unwrap(), algorithms, fetch, settings)))
}

async fn find(keys: &IssuerKeys, key_id: &str) -> Result<(), &'static str> {
    let algorithm = if key_id == "ec" { Algorithm::Es256 } else { Algorithm::Rs256 };
    keys.find(Some(key_id), algorithm).await.map(|_| ()).map_err(|error| error.code())
}

/// Lets a background fetch that waits for nothing come to its end.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

/// 1000 lookups at once, all with the same outcome.
async fn thousand(keys: &Arc<IssuerKeys>, key_id: &'static str) -> Result<(), &'static str> {
    let mut lookups = JoinSet::new();
    for _ in 0..1000 {
        let keys = Arc::clone(keys);
        lookups.spawn(async move { find(&keys, key_id).await });
    }
    let mut outcomes = lookups.join_all().await;
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.remove(0)
}

#[tokio::test(start_paused = true)]
async fn the_first_use_fetches_once() {
    let (issuer, keys) = issuer();
    assert_eq!(issuer.requests(), 0);
    assert_eq!(thousand(&keys, "rsa").await, Ok(()));
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn b6_an_empty_set_replaces_nothing_until_the_hard_max_age() {
    let (issuer, keys) = issuer();
    find(&keys, "rsa").await.unwrap();
    issuer.publish(&[]);
    advance(REFRESH_AFTER).await;
    find(&keys, "rsa").await.unwrap();
    settle().await;
    assert_eq!(issuer.requests(), 2);
    find(&keys, "rsa").await.unwrap();
    advance(HARD_MAX_AGE).await;
    assert_eq!(find(&keys, "rsa").await, Err("keys_unavailable"));
}

#[tokio::test(start_paused = true)]
async fn b8_unknown_keys_cause_one_fetch_per_cooldown() {
    let (issuer, keys) = issuer();
    find(&keys, "rsa").await.unwrap();
    assert_eq!(thousand(&keys, "unknown").await, Err("unknown_key"));
    assert_eq!(issuer.requests(), 1, "the first fetch has not cooled down");
    advance(COOLDOWN).await;
    assert_eq!(thousand(&keys, "unknown").await, Err("unknown_key"));
    assert_eq!(thousand(&keys, "unknown").await, Err("unknown_key"));
    assert_eq!(issuer.requests(), 2);
    advance(COOLDOWN).await;
    assert_eq!(thousand(&keys, "unknown").await, Err("unknown_key"));
    assert_eq!(issuer.requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn b8_the_cooldown_begins_when_a_slow_fetch_ends() {
    let (issuer, keys) = issuer();
    issuer.hang();
    let slow = tokio::spawn({
        let keys = Arc::clone(&keys);
        async move { find(&keys, "rsa").await }
    });
    settle().await;
    advance(COOLDOWN * 2).await;
    issuer.resume();
    slow.await.unwrap().unwrap();
    assert_eq!(find(&keys, "unknown").await, Err("unknown_key"));
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn b9_a_failure_cools_down_too() {
    let (issuer, keys) = issuer();
    issuer.answer(Err(FetchError::Status(500)));
    assert_eq!(thousand(&keys, "rsa").await, Err("keys_unavailable"));
    assert_eq!(thousand(&keys, "rsa").await, Err("keys_unavailable"));
    assert_eq!(issuer.requests(), 1);
    advance(Duration::from_secs(20)).await;
    let error = keys.find(Some("rsa"), Algorithm::Rs256).await.unwrap_err();
    assert!(
        matches!(error, KeyError::Unavailable { retry_after, .. } if retry_after == Duration::from_secs(40))
    );
    insta::assert_snapshot!(error, @"the keys of issuer https://token.example.com cannot be fetched just now; try again in 40 s");
    issuer.publish(&[RSA.jwk()]);
    advance(Duration::from_secs(40)).await;
    assert_eq!(thousand(&keys, "rsa").await, Ok(()));
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn b10_a_removed_key_is_refused_within_the_max_age() {
    let (issuer, keys) = issuer();
    find(&keys, "rsa").await.unwrap();
    issuer.publish(&[EC.jwk()]);
    advance(REFRESH_AFTER).await;
    find(&keys, "rsa").await.unwrap();
    settle().await;
    assert_eq!(find(&keys, "rsa").await, Err("unknown_key"));
    find(&keys, "ec").await.unwrap();
    // Without any use in between, the old key is not even used once.
    issuer.publish(&[RSA.jwk()]);
    advance(HARD_MAX_AGE).await;
    assert_eq!(find(&keys, "ec").await, Err("unknown_key"));
}

#[tokio::test(start_paused = true)]
async fn b11_cached_keys_are_answered_at_once_while_the_issuer_hangs() {
    let (issuer, keys) = issuer();
    find(&keys, "rsa").await.unwrap();
    issuer.hang();
    advance(REFRESH_AFTER).await;
    let waiting = tokio::spawn({
        let keys = Arc::clone(&keys);
        async move { find(&keys, "ec").await }
    });
    settle().await;
    assert_eq!(issuer.requests(), 2);
    assert_eq!(thousand(&keys, "rsa").await, Ok(()));
    assert!(!waiting.is_finished());
    issuer.publish(&[RSA.jwk(), EC.jwk()]);
    issuer.resume();
    assert_eq!(waiting.await.unwrap(), Ok(()));
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn b11_a_caller_that_gives_up_does_not_abort_the_fetch() {
    let (issuer, keys) = issuer();
    issuer.hang();
    let caller = tokio::spawn({
        let keys = Arc::clone(&keys);
        async move { find(&keys, "rsa").await }
    });
    settle().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    issuer.resume();
    settle().await;
    find(&keys, "rsa").await.unwrap();
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn b12_an_issuer_that_is_down_is_unavailable_only_beyond_the_hard_max_age() {
    let (issuer, keys) = issuer();
    find(&keys, "rsa").await.unwrap();
    issuer.answer(Err(FetchError::Transport("connection refused".to_owned())));
    for _ in 0..11 {
        advance(REFRESH_AFTER).await;
        find(&keys, "rsa").await.unwrap();
        settle().await;
    }
    assert!(keys.last_failure().is_some());
    // A key that might be new cannot be called wrong while the issuer cannot be asked.
    assert_eq!(find(&keys, "unknown").await, Err("keys_unavailable"));
    advance(REFRESH_AFTER).await;
    assert_eq!(find(&keys, "rsa").await, Err("keys_unavailable"));
    issuer.publish(&[RSA.jwk()]);
    advance(COOLDOWN).await;
    find(&keys, "rsa").await.unwrap();
    assert!(keys.last_failure().is_none());
}

#[tokio::test(start_paused = true)]
async fn health_tells_age_and_failures() {
    let (issuer, keys) = issuer();
    let unused = IssuerHealth { has_keys: false, key_set_age: None, failures: 0, last_failure: None };
    assert_eq!(keys.health(), unused);
    find(&keys, "rsa").await.unwrap();
    let fresh = IssuerHealth { has_keys: true, key_set_age: Some(Duration::ZERO), ..unused };
    assert_eq!(keys.health(), fresh);

    issuer.answer(Err(FetchError::Status(500)));
    for failures in 1..=2 {
        advance(REFRESH_AFTER).await;
        find(&keys, "rsa").await.unwrap();
        settle().await;
        let health = keys.health();
        assert_eq!((health.failures, health.has_keys), (failures, true));
        assert_eq!(health.key_set_age, Some(REFRESH_AFTER * failures));
        let failure = health.last_failure.unwrap();
        assert_eq!((failure.code, failure.ago), ("status", Duration::ZERO));
        insta::allow_duplicates! {
            insta::assert_snapshot!(failure.text, @"could not get the issuer's keys at https://token.example.com/keys: expected status 200, found 500; redirects are not followed");
        }
    }
    advance(HARD_MAX_AGE).await;
    assert!(!keys.health().has_keys);

    issuer.publish(&[RSA.jwk()]);
    find(&keys, "rsa").await.unwrap();
    let health = keys.health();
    assert_eq!((health.failures, health.key_set_age), (0, Some(Duration::ZERO)));
    assert_eq!(health.last_failure.unwrap().ago, HARD_MAX_AGE, "it is still told what went wrong last");
    assert_eq!(
        IssuerKeys::fixed(key_set(&[RSA.jwk()])).health(),
        IssuerHealth { key_set_age: None, ..fresh }
    );
}

#[tokio::test(start_paused = true)]
async fn b11_a_fetch_that_panics_is_a_failure_and_not_the_last() {
    let (issuer, keys) = issuer();
    issuer.panic();
    assert_eq!(find(&keys, "rsa").await, Err("keys_unavailable"));
    assert_eq!(keys.health().last_failure.unwrap().code, "interrupted");
    issuer.publish(&[RSA.jwk()]);
    advance(COOLDOWN).await;
    find(&keys, "rsa").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn b14_an_answer_that_is_no_key_set_replaces_nothing() {
    let (issuer, keys) = issuer();
    find(&keys, "rsa").await.unwrap();
    for answer in ["<html>maintenance</html>", "", "{}", "[]", "null", r#"{"keys":[{"kty":"oct","k":"AA"}]}"#]
    {
        issuer.answer(Ok(answer));
        advance(REFRESH_AFTER).await;
        find(&keys, "rsa").await.unwrap();
        settle().await;
        find(&keys, "rsa").await.unwrap();
    }
    assert_eq!(issuer.requests(), 7);
}

#[tokio::test(start_paused = true)]
async fn b15_a_new_key_is_accepted_on_first_try() {
    let (issuer, keys) = issuer();
    find(&keys, "rsa").await.unwrap();
    issuer.publish(&[RSA.jwk(), EC.jwk()]);
    advance(COOLDOWN).await;
    find(&keys, "ec").await.unwrap();
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_no_refresh_could_change_causes_none() {
    let (issuer, keys) = issuer();
    find(&keys, "rsa").await.unwrap();
    advance(COOLDOWN).await;
    let refusal = keys.find(Some("rsa"), Algorithm::Rs512).await.unwrap_err();
    assert!(matches!(refusal, KeyError::Unknown(NoKey::Algorithm { .. })));
    assert_eq!(issuer.requests(), 1);
}
