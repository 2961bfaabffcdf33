//! Threats E: replay, and invariants 1 to 3.

use std::time::Duration;

use countersign_core::Provider;
use serde_json::json;

use crate::stage::{Stage, exchange_parameters, post_to};

const RESOURCE: &str = "acme/awesome-model";

/// Waits for tasks that run at once.
async fn join_all<T: Send + 'static>(
    tasks: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    tasks.into_iter().collect::<tokio::task::JoinSet<T>>().join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn e1_the_second_use_is_a_replay() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let token = stage.token();
    assert_eq!(stage.exchange(&token, RESOURCE).await.status, 200);
    stage.refused(&token, RESOURCE, "replayed", "exchanged before (1 allowed)").await;
    assert_eq!(stage.issued().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn e2_e8_a_hundred_uses_at_once_on_two_nodes_buy_one_token() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let second = stage.second_node().await;
    let body = exchange_parameters(&stage.token(), RESOURCE).to_string();
    let answers = join_all((0..100).map(|number| {
        let (http, body) = (stage.http.clone(), body.clone());
        let url = if number % 2 == 0 { stage.url.clone() } else { second.clone() };
        async move { post_to(&http, &url, "application/json", body).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.body["error"] == "invalid_grant").count(), 99);
    assert_eq!(stage.issued().await, 1);
    let recorded = stage.latest(1_000).await;
    assert_eq!(
        recorded.iter().filter(|exchange| exchange.outcome == "replayed").count(),
        99,
        "the log says replay"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn e4_one_jti_of_two_issuers() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let gitlab = stage.simulator.gitlab();
    stage.trust_with(RESOURCE, Provider::Gitlab, gitlab.issuer(), &[("project", "acme/train")]).await;
    let mut claims = gitlab.claims(stage.now());
    claims.insert("aud".to_owned(), stage.url.as_str().into());
    claims.insert("jti".to_owned(), json!("the-same"));
    assert_eq!(stage.exchange(&stage.token_with("jti", "the-same"), RESOURCE).await.status, 200);
    assert_eq!(stage.exchange(&gitlab.sign(&claims), RESOURCE).await.status, 200);
    stage.refused(&stage.token_with("jti", "the-same"), RESOURCE, "replayed", "exchanged before").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn e5_e9_invariant_3_only_an_issued_token_uses_an_id_token_up() {
    let stage = Stage::new().await;
    let claims = stage.claims();
    let token = stage.sign(&claims);
    // A forgery with the victim's jti, a refusal for want of a publisher, one for want of a match.
    stage.refused(&stage.simulator.github().forge(&claims), RESOURCE, "signature", "").await;
    stage.refused(&token, RESOURCE, "no_publisher", "").await;
    stage
        .trust_with(
            RESOURCE,
            Provider::Github,
            stage.simulator.github().issuer(),
            &[("repository", "acme/else")],
        )
        .await;
    stage.refused(&token, RESOURCE, "not_matched", "").await;
    stage.trust(RESOURCE).await;
    assert_eq!(stage.exchange(&token, RESOURCE).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn e6_without_jti_the_token_itself_is_remembered() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let mut claims = stage.claims();
    claims.remove("jti");
    let token = stage.sign(&claims);
    assert_eq!(stage.exchange(&token, RESOURCE).await.status, 200);
    stage.refused(&token, RESOURCE, "replayed", "").await;
    claims.insert("run_id".to_owned(), json!("another"));
    assert_eq!(stage.exchange(&stage.sign(&claims), RESOURCE).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn e7_invariant_1_without_the_ledger_nothing_is_issued() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    // Another process drops the ledger under the server: every write fails.
    let path = stage.folder.path().join("countersign-data/countersign.db");
    let breaker = rusqlite::Connection::open(&path).unwrap();
    breaker.execute_batch("ALTER TABLE exchanges RENAME TO lost").unwrap();
    let token = stage.token();
    let answer = stage.exchange(&token, RESOURCE).await;
    assert_eq!((answer.status, &answer.body["error"]), (503, &json!("temporarily_unavailable")));
    assert!(
        !answer.body.to_string().contains("exchanges"),
        "the caller reads nothing of our tables: {answer:?}"
    );
    assert_eq!(readiness(&stage).await, 503, "what can be written elsewhere is no ledger");
    breaker.execute_batch("ALTER TABLE lost RENAME TO exchanges").unwrap();
    assert_eq!(stage.exchange(&token, RESOURCE).await.status, 200, "the failed attempt used nothing up");
    assert_eq!(readiness(&stage).await, 200);
    let uses: i64 = breaker.query_row("SELECT count(*) FROM used_id_tokens", [], |row| row.get(0)).unwrap();
    assert_eq!(uses, 1);
}

async fn readiness(stage: &Stage) -> u16 {
    stage.http.get(format!("{}/readyz", stage.url)).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn e7_a_server_that_failed_to_record_is_tried_again_after_a_while() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let breaker =
        rusqlite::Connection::open(stage.folder.path().join("countersign-data/countersign.db")).unwrap();
    breaker.execute_batch("ALTER TABLE exchanges RENAME TO lost").unwrap();
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 503);
    for (passed, expected) in [(0, 503), (4, 503), (1, 200)] {
        stage.clock.set(stage.now() + Duration::from_secs(passed));
        assert_eq!(readiness(&stage).await, expected, "after {passed} more seconds");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h5_of_two_first_uses_with_other_ids_exactly_one_is_pinned() {
    let stage = Stage::new().await;
    let second = stage.second_node().await;
    for round in 0..10 {
        let resource = format!("acme/model-{round}");
        stage.trust(&resource).await;
        let tokens = [stage.token_with("repository_id", "1"), stage.token_with("repository_id", "2")];
        let urls = [stage.url.clone(), second.clone()];
        let answers = join_all(tokens.into_iter().zip(urls).map(|(token, url)| {
            let (http, body) = (stage.http.clone(), exchange_parameters(&token, &resource).to_string());
            async move { post_to(&http, &url, "application/json", body).await }
        }))
        .await;
        let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 400], "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_hundred_uses_of_a_fresh_publisher_all_succeed() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let tokens: Vec<String> = (0..100).map(|_| stage.token()).collect();
    let answers = join_all(tokens.into_iter().map(|token| {
        let (http, url, body) =
            (stage.http.clone(), stage.url.clone(), exchange_parameters(&token, RESOURCE).to_string());
        async move { post_to(&http, &url, "application/json", body).await }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200), "learning the ids is nobody's refusal");
    assert_eq!(stage.issued().await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_cannot_fill_the_disk() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    for _ in 0..100 {
        stage.exchange("x.y.z", RESOURCE).await;
    }
    assert_eq!(stage.latest(1_000).await.len(), 60, "of what anybody can send");
    // A free account has endless good tokens, of which a refusal uses none up.
    let stranger = stage.token_with("repository_owner_id", "666");
    for _ in 0..100 {
        assert_eq!(stage.exchange(&stranger, "acme/other").await.status, 400);
    }
    let used = stage.token();
    for _ in 0..100 {
        stage.exchange(&used, RESOURCE).await;
    }
    let outcomes = stage.latest(1_000).await.into_iter().map(|exchange| exchange.outcome);
    let count = |outcome: &str| outcomes.clone().filter(|found| found == outcome).count();
    assert_eq!(
        (count("no_publisher"), count("issued"), count("replayed")),
        (60, 1, 60),
        "each tenant has its own room"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_what_may_be_forgotten_is_not_let_in() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let (start, token) = (stage.now(), stage.token());
    let other = stage.token();
    assert_eq!(stage.exchange(&token, RESOURCE).await.status, 200);
    // Its row goes with an exchange after its end; then the clock steps back to where it was good.
    stage.clock.set(start + Duration::from_secs(331));
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
    stage.clock.set(start);
    // Another process knows of the token what the ledger does, and no more.
    let ledger_alone = stage.second_node().await;
    for token in [&token, &other] {
        let body = exchange_parameters(token, RESOURCE).to_string();
        let answer = post_to(&stage.http, &ledger_alone, "application/json", body).await;
        assert_eq!(
            (answer.status, stage.recorded(&answer).await.outcome.as_str()),
            (400, "expired"),
            "{answer:?}"
        );
    }
    assert_eq!(stage.exchange(&token, RESOURCE).await.status, 400, "nor does the one that let it in before");
    assert_eq!(stage.issued().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_cannot_be_read_harms_nobody_and_can_be_removed() {
    let stage = Stage::new().await;
    let broken = stage.trust(RESOURCE).await;
    let database =
        rusqlite::Connection::open(stage.folder.path().join("countersign-data/countersign.db")).unwrap();
    database.execute("UPDATE publishers SET rules = '{}'", []).unwrap();
    stage.refused(&stage.token(), RESOURCE, "no_publisher", "no trusted publisher").await;
    stage.trust(RESOURCE).await;
    assert_eq!(
        stage.exchange(&stage.token(), RESOURCE).await.status,
        200,
        "the others of the resource go on"
    );
    let listed = stage.publishers().await;
    assert_eq!(listed.iter().filter(|listed| listed.publisher.is_err()).count(), 1);
    stage.remove(&broken).await;
    assert_eq!(stage.publishers().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_of_another_preset_is_passed_over() {
    let stage = Stage::new().await;
    // Made while the issuer was `generic`: no ids, no events.
    stage
        .trust_with(
            RESOURCE,
            Provider::Generic,
            stage.simulator.github().issuer(),
            &[("/ref", "refs/heads/main")],
        )
        .await;
    stage.refused(&stage.token(), RESOURCE, "no_publisher", "no trusted publisher").await;
}
