//! The status lists that access tokens name, in paused time: the analogues of threats B6 to B14, C7 and D1 to D4.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::{AccessToken, Permission, UnixTime};
use countersign_verify::{
    AccessTokenError, AccessTokenVerifier, DiscoverySettings, Fetch, FetchError, Online, StatusError,
    StatusList, StatusSettings, WhenUnavailable,
};
use serde_json::{Value, json};
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, advance};

use crate::access_token::{REGISTRY, signed, valid};
use crate::fake_issuer::FakeIssuer;
use crate::signer::{EC, FORGER, RSA, Signer, key_set};
use crate::token::{NOW, Token, check_message};

const LIST: &str = "https://hub.example.com/status/1";
const TTL: Duration = Duration::from_secs(10);
const LIFETIME: Duration = Duration::from_mins(5);

/// A server, and a registry that trusts it. Its clock is the paused one.
struct Registry {
    server: Arc<FakeIssuer>,
    verifier: Arc<AccessTokenVerifier<Online>>,
    opened: Instant,
}

impl Registry {
    fn open() -> Self {
        Self::with(StatusSettings::default())
    }

    fn with(settings: StatusSettings) -> Self {
        let server = Arc::new(FakeIssuer::new(REGISTRY, &[EC.jwk(), RSA.jwk()]));
        let (fetch, url) = (Arc::<FakeIssuer>::clone(&server), || REGISTRY.parse().unwrap());
        let fetch: Arc<dyn Fetch> = fetch;
        let audience = REGISTRY.parse().unwrap();
        let verifier = AccessTokenVerifier::discovered(url(), audience, fetch, DiscoverySettings::default());
        let verifier = Arc::new(verifier.with_status_lists(settings));
        Self { server, verifier, opened: Instant::now() }
    }

    fn now(&self) -> i64 {
        NOW + i64::try_from(self.opened.elapsed().as_secs()).unwrap()
    }

    fn publish(&self, revoked: &[u32]) {
        self.answer(list(self.now(), revoked).signed_by(&EC));
    }

    fn answer(&self, text: String) {
        self.server.publish_status(LIST, Ok(text));
    }

    fn fail(&self) {
        self.server.publish_status(LIST, Err(FetchError::Status(500)));
    }

    async fn verify(&self, token: &str) -> Result<(), AccessTokenError> {
        let (token, now) = (AccessToken::from(token.to_owned()), UnixTime::from_seconds(self.now()));
        self.verifier.verify(&token, &"acme/model".parse().unwrap(), Permission::Write, now).await.map(drop)
    }

    async fn code(&self, token: &str) -> &'static str {
        match self.verify(token).await {
            Ok(()) => "good",
            Err(error) => {
                check_message(&error.to_string(), token);
                error.code()
            }
        }
    }

    /// 1000 verifications at once, all with the same outcome.
    async fn thousand(self: &Arc<Self>) -> &'static str {
        let mut running = JoinSet::new();
        for _ in 0..1000 {
            let registry = Arc::clone(self);
            running.spawn(async move { registry.code(&token(7)).await });
        }
        let mut outcomes = running.join_all().await;
        outcomes.dedup();
        assert_eq!(outcomes.len(), 1, "{outcomes:?}");
        outcomes[0]
    }
}

/// A list as the server makes it.
fn list(now: i64, revoked: &[u32]) -> Token {
    let claims = json!({
        "iss": REGISTRY, "sub": LIST, "iat": now, "exp": now + i64::try_from(LIFETIME.as_secs()).unwrap(),
        "ttl": TTL.as_secs(), "status_list": StatusList::new(64, revoked.iter().copied()).to_claim(),
    });
    Token { header: json!({"alg": "ES256", "kid": "ec", "typ": "statuslist+jwt"}), claims }
}

fn token(index: u32) -> String {
    token_at(index, LIST)
}

fn token_at(index: u32, uri: &str) -> String {
    let long = valid().claim("exp", NOW + 86_400);
    signed(&long.claim("status", json!({"status_list": {"idx": index, "uri": uri}})))
}

/// Lets a background fetch that waits for nothing come to its end.
async fn settle() {
    for _ in 0..20 {
        yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_token_is_refused_within_the_ttl() {
    let registry = Registry::open();
    registry.publish(&[]);
    assert_eq!(registry.code(&token(7)).await, "good");
    registry.publish(&[7]);
    advance(Duration::from_secs(4)).await;
    assert_eq!(registry.code(&token(7)).await, "good");
    assert_eq!(registry.server.status_requests(), 1, "the copy is young");
    // Nobody asks for a while: the next one waits for the new list.
    advance(Duration::from_secs(6)).await;
    let error = registry.verify(&token(7)).await.unwrap_err();
    insta::assert_snapshot!(error, @"the access token was revoked, or its publisher is not trusted any more; exchange a new id token if it should be");
    assert!(matches!(error, AccessTokenError::Status(StatusError::Revoked)) && !error.is_temporary());
    assert_eq!(registry.code(&token(8)).await, "good");
    assert_eq!(registry.server.status_requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_in_use_is_renewed_before_anybody_waits() {
    let registry = Registry::open();
    registry.publish(&[]);
    assert_eq!(registry.code(&token(7)).await, "good");
    registry.publish(&[7]);
    advance(TTL / 2).await;
    assert_eq!(registry.code(&token(7)).await, "good", "from the copy, while the new list is on its way");
    settle().await;
    assert_eq!(registry.code(&token(7)).await, "revoked");
    assert_eq!(registry.server.status_requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_status_is_asked_for_last_and_only_where_there_is_one() {
    let registry = Registry::open();
    registry.publish(&[7]);
    assert_eq!(registry.code(&signed(&valid())).await, "good", "a token without status");
    let other = AccessToken::from(token(7));
    let now = UnixTime::from_seconds(NOW);
    let refused =
        registry.verifier.verify(&other, &"acme/other".parse().unwrap(), Permission::Write, now).await;
    assert_eq!(refused.unwrap_err().code(), "resource");
    let forged = token(7).replace("hf_jwt_", "") + "AAAA";
    assert_eq!(registry.code(&forged).await, "signature");
    assert_eq!(registry.server.status_requests(), 0);
}

#[test]
fn an_offline_verifier_knows_no_status() {
    let keys = key_set(&[EC.jwk()]);
    let verifier = AccessTokenVerifier::offline(REGISTRY.parse().unwrap(), REGISTRY.parse().unwrap(), keys);
    let (token, now) = (AccessToken::from(token(7)), UnixTime::from_seconds(NOW));
    verifier.verify(&token, &"acme/model".parse().unwrap(), Permission::Write, now).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_malformed_status_claim_is_no_status_that_is_passed_over() {
    let registry = Registry::open();
    registry.publish(&[]);
    for status in [
        json!({}),
        json!("x"),
        json!({"status_list": {}}),
        json!({"status_list": {"idx": -1, "uri": LIST}}),
        json!({"status_list": {"idx": 4_294_967_296_u64, "uri": LIST}}),
        json!({"status_list": {"idx": "7", "uri": LIST}}),
        json!({"status_list": {"idx": 7.5, "uri": LIST}}),
        json!({"status_list": {"idx": 7}}),
        json!({"identifier_list": {"id": "x", "uri": LIST}}),
    ] {
        assert_eq!(registry.code(&signed(&valid().claim("status", status))).await, "malformed_claim");
    }
    assert_eq!(registry.server.status_requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn c7_a_list_elsewhere_is_not_fetched() {
    let registry = Registry::open();
    for uri in [
        "https://evil.example.com/status/1",
        "https://hub.example.com.evil.example.com/status/1",
        "https://hub.example.com@evil.example.com/status/1",
        "https://user:pw@hub.example.com/status/1",
        "https://hub.example.com:8443/status/1",
        "http://hub.example.com/status/1",
        "http://127.0.0.1/status/1",
        "https://hub.example.com/a/../status/1",
        "https://HUB.example.com/status/1",
        "file:///status/1",
        "/status/1",
        "",
    ] {
        registry.server.publish_status(uri, Ok(list(NOW, &[]).claim("sub", uri).signed_by(&EC)));
        assert_eq!(registry.code(&token_at(7, uri)).await, "foreign_status_list", "{uri}");
    }
    assert_eq!(registry.server.status_requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_index_beyond_the_list_is_refused() {
    let registry = Registry::open();
    registry.publish(&[]);
    assert_eq!(registry.code(&token(63)).await, "good");
    for index in [64, 65, u32::MAX] {
        assert_eq!(registry.code(&token(index)).await, "status_index");
    }
}

/// Nothing that is not exactly the server's list at that address, now, is believed; nor does it replace what was.
#[tokio::test(start_paused = true)]
async fn b14_d1_d4_d9_a_bad_list_says_nothing() {
    let zeros = |bytes: u32| StatusList::new(bytes * 8, []).to_claim();
    let now = NOW;
    let other = Signer::new("ec", EC.algorithm);
    let with = |claim: &str, value: Value| list(now, &[]).claim(claim, value).signed_by(&EC);
    let header = |name: &str, value: Value| list(now, &[]).header(name, value).signed_by(&EC);
    for (answer, why) in [
        (String::new(), "three parts"),
        ("<html></html>".to_owned(), "three parts"),
        (header("typ", json!("JWT")), "a status list of `typ` statuslist+jwt"),
        (header("typ", json!("at+jwt")), "a status list of `typ` statuslist+jwt"),
        (list(now, &[]).without("typ").signed_by(&EC), "a status list of `typ` statuslist+jwt"),
        (signed(&valid()).replace("hf_jwt_", ""), "a status list of `typ` statuslist+jwt"),
        (header("alg", json!("none")), "`alg`"),
        (header("jwk", EC.jwk()), "`jwk`"),
        (header("kid", json!("unknown")), "no usable key"),
        (list(now, &[]).signed_by(&other), "not signed by the server"),
        (
            list(now, &[]).header("alg", "RS256").header("kid", "rsa").signed_by(&RSA),
            "not signed by the server",
        ),
        (
            list(now, &[]).header("alg", "RS256").header("kid", "rsa").signed_by(&FORGER),
            "not signed by the server",
        ),
        (with("sub", json!("https://hub.example.com/status/2")), "expected the status list of https://hub"),
        (with("sub", json!(7)), "`sub`"),
        (with("iss", json!("https://other.example.com")), "expected a status list of https://hub"),
        (with("iss", Value::Null), "`iss`"),
        (with("exp", json!(now - 30)), "not current"),
        (with("exp", json!("never")), "`exp`"),
        (list(now, &[]).without("exp").signed_by(&EC), "`exp`"),
        (list(now, &[]).without("iat").signed_by(&EC), "`iat`"),
        (with("iat", json!(now + 60)), "not current"),
        (with("ttl", json!(0)), "`ttl`"),
        (with("ttl", json!(-1)), "`ttl`"),
        (with("ttl", json!("10")), "`ttl`"),
        (list(now, &[]).without("status_list").signed_by(&EC), "`bits`"),
        (with("status_list", json!({"bits": 2, "lst": "eNrbuRgAAhcBXQ"})), "1 bit"),
        (with("status_list", json!({"bits": 1, "lst": "eNrb"})), "zlib"),
        (with("status_list", zeros(32 * 1024 + 1)), "at most 262144 entries"),
        (with("padding", json!("a".repeat(90 * 1024))), "at most 102400 bytes"),
    ] {
        let registry = Registry::open();
        registry.answer(answer.clone());
        let error = registry.verify(&token(7)).await.unwrap_err();
        assert!(error.is_temporary() && error.code() == "status_unavailable", "{error}");
        let AccessTokenError::Status(StatusError::Unavailable { source: Some(cause), .. }) = error else {
            panic!("{error}");
        };
        let cause = format!("{cause} {:?}", std::error::Error::source(&*cause).map(ToString::to_string));
        assert!(cause.contains(why), "{why}: {cause}");

        let registry = Registry::open();
        registry.publish(&[7]);
        assert_eq!(registry.code(&token(7)).await, "revoked");
        registry.answer(answer);
        advance(TTL).await;
        assert_eq!(registry.code(&token(7)).await, "revoked", "{why}: it replaces nothing");
        assert_eq!(registry.server.status_requests(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn b12_a_copy_serves_until_it_expires_and_then_nothing_does() {
    let registry = Registry::open();
    registry.publish(&[7]);
    assert_eq!(registry.code(&token(8)).await, "good");
    registry.fail();
    for _ in 0..29 {
        advance(TTL).await;
        assert_eq!(registry.code(&token(8)).await, "good");
        assert_eq!(registry.code(&token(7)).await, "revoked");
        settle().await;
    }
    // 300 s, and the leeway of 30.
    advance(TTL * 4).await;
    let error = registry.verify(&token(8)).await.unwrap_err();
    insta::assert_snapshot!(error, @"whether the access token was revoked cannot be found out just now; try again in 1 s");
    assert!(error.is_temporary());
    registry.publish(&[7]);
    advance(Duration::from_secs(1)).await;
    assert_eq!(registry.code(&token(8)).await, "good", "it recovers by itself");
}

#[tokio::test(start_paused = true)]
async fn b12_to_go_on_without_status_is_an_explicit_choice() {
    let settings = StatusSettings { when_unavailable: WhenUnavailable::Accept, ..StatusSettings::default() };
    let registry = Registry::with(settings);
    registry.fail();
    assert_eq!(registry.code(&token(7)).await, "good");
    registry.publish(&[7]);
    advance(Duration::from_secs(1)).await;
    assert_eq!(registry.code(&token(7)).await, "revoked", "what is known counts");
    assert_eq!(registry.code(&token(64)).await, "status_index");
    assert_eq!(registry.code(&token_at(7, "https://evil.example.com/1")).await, "foreign_status_list");
}

#[tokio::test(start_paused = true)]
async fn b8_b9_one_fetch_per_cooldown_however_many_ask() {
    let registry = Arc::new(Registry::open());
    registry.fail();
    assert_eq!(registry.thousand().await, "status_unavailable");
    assert_eq!(registry.thousand().await, "status_unavailable");
    assert_eq!(registry.server.status_requests(), 1, "a failure cools down too");
    registry.publish(&[]);
    advance(Duration::from_secs(1)).await;
    assert_eq!(registry.thousand().await, "good");
    assert_eq!(registry.server.status_requests(), 2);
    advance(TTL).await;
    assert_eq!(registry.thousand().await, "good");
    assert_eq!(registry.server.status_requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn b11_a_server_that_hangs_delays_no_copy_that_is_young_enough() {
    let registry = Arc::new(Registry::open());
    registry.publish(&[7]);
    assert_eq!(registry.code(&token(8)).await, "good");
    registry.server.hang();
    advance(TTL / 2).await;
    assert_eq!(registry.thousand().await, "revoked", "at once, while the server is asked");
    assert_eq!(registry.server.status_requests(), 2);
    advance(TTL / 2).await;
    let waiting = tokio::spawn({
        let registry = Arc::clone(&registry);
        async move { registry.code(&token(8)).await }
    });
    settle().await;
    assert!(
        !waiting.is_finished(),
        "past its ttl, the copy is not used before the server has had its chance"
    );
    registry.server.resume();
    assert_eq!(waiting.await.unwrap(), "good");
    assert_eq!(registry.server.status_requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn b11_after_a_failure_nobody_waits_for_the_next_attempt() {
    let registry = Arc::new(Registry::open());
    registry.publish(&[7]);
    assert_eq!(registry.code(&token(8)).await, "good");
    registry.fail();
    advance(TTL).await;
    assert_eq!(registry.code(&token(8)).await, "good");
    registry.server.hang();
    advance(TTL).await;
    let verdict = tokio::spawn({
        let registry = Arc::clone(&registry);
        async move { registry.code(&token(7)).await }
    });
    settle().await;
    assert!(verdict.is_finished());
    assert_eq!(verdict.await.unwrap(), "revoked");
    assert_eq!(registry.server.status_requests(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_lists_is_bounded() {
    let registry = Registry::with(StatusSettings { max_lists: 2, ..StatusSettings::default() });
    let uri = |number: u32| format!("https://hub.example.com/status/{number}");
    for number in 1..=3 {
        let text = list(NOW, &[]).claim("sub", uri(number)).signed_by(&EC);
        registry.server.publish_status(&uri(number), Ok(text));
        advance(Duration::from_secs(1)).await;
        assert_eq!(registry.code(&token_at(7, &uri(number))).await, "good");
    }
    for (number, requests) in [(3, 3), (2, 3), (1, 4), (3, 4), (2, 5)] {
        assert_eq!(registry.code(&token_at(7, &uri(number))).await, "good");
        assert_eq!(registry.server.status_requests(), requests, "{number}");
    }
}
