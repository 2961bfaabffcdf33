//! Budgets of addresses, tenants and id tokens, and whom they must not hit.

use std::time::Duration;

use serde_json::Value;

use countersign_server::issuers::Found;

use crate::stage::{Stage, exchange_parameters};

const RESOURCE: &str = "acme/awesome-model";
const VICTIM: &str = "198.51.100.1";
const ATTACKER: &str = "192.0.2.66";

/// What came back: the status, the body and `Retry-After`.
type Answer = (u16, Value, Option<String>);

async fn stage(limits: &str) -> Stage {
    let stage = Stage::with(&format!("[limits]\ntrusted_proxies = 1\n{limits}\n")).await;
    stage.trust(RESOURCE).await;
    stage
}

/// Exchanges from an address behind the one proxy, which appends it to whatever the client wrote there.
async fn exchange(stage: &Stage, address: &str, token: &str) -> Answer {
    let request = stage
        .http
        .post(format!("{}/oauth/token", stage.url))
        .header("content-type", "application/json")
        .header("x-forwarded-for", format!("203.0.113.7, {address}"))
        .body(exchange_parameters(token, RESOURCE).to_string());
    answer(request).await
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let retry_after = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
    assert!(response.headers().contains_key("x-request-id"));
    (status, serde_json::from_str(&response.text().await.unwrap()).unwrap_or(Value::Null), retry_after)
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_an_address_that_asks_too_often_is_told_when_to_come_again() {
    let stage = stage("requests_per_address = 3").await;
    for _ in 0..3 {
        assert_eq!(exchange(&stage, VICTIM, "forged").await.0, 400);
    }
    let (status, body, retry_after) = exchange(&stage, VICTIM, &stage.token()).await;
    assert_eq!((status, retry_after.as_deref()), (429, Some("20")));
    insta::assert_snapshot!(body, @r#"{"error":"slow_down","error_description":"this address sends more requests than one may; try again in 20 s"}"#);
    assert_eq!(exchange(&stage, "198.51.100.2", &stage.token()).await.0, 200, "another address");
    let ask = async |path: &str| {
        answer(stage.http.get(format!("{}{path}", stage.url)).header("x-forwarded-for", VICTIM)).await.0
    };
    assert_eq!(ask("/healthz").await, 200, "health checks cost nothing");
    for expected in [404, 404, 404, 429] {
        assert_eq!(
            ask("/x").await,
            expected,
            "exchanges have a budget of their own; also where there is nothing"
        );
    }
    stage.clock.set(stage.now() + Duration::from_secs(20));
    assert_eq!(exchange(&stage, VICTIM, "forged").await.0, 400);
    assert_eq!(exchange(&stage, VICTIM, &stage.token()).await.0, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn l9_jobs_that_share_an_address_take_nothing_from_each_other() {
    let stage = stage("requests_per_address = 3").await;
    for _ in 0..20 {
        assert_eq!(exchange(&stage, VICTIM, &stage.token()).await.0, 200);
    }
    for _ in 0..2 {
        assert_eq!(exchange(&stage, VICTIM, "forged").await.0, 400);
    }
    for _ in 0..20 {
        assert_eq!(exchange(&stage, VICTIM, &stage.token()).await.0, 200, "there is one place left for all");
    }
    assert_eq!(exchange(&stage, VICTIM, "forged").await.0, 400);
    assert_eq!(exchange(&stage, VICTIM, "forged").await.0, 429, "and what was given back is no credit");
}

#[tokio::test(flavor = "multi_thread")]
async fn l10_tenants_without_end_have_their_issuers_budget() {
    let stage = Stage::with_both("limits.trusted_proxies = 1", "exchanges_per_minute = 5").await;
    stage.trust(RESOURCE).await;
    let gitlab = |tenant: u32| {
        let mut claims = stage.simulator.gitlab().claims(stage.now());
        claims.insert("aud".to_owned(), stage.url.as_str().into());
        claims.insert("namespace_id".to_owned(), tenant.to_string().into());
        stage.simulator.gitlab().sign(&claims)
    };
    for tenant in 0..5 {
        assert_eq!(exchange(&stage, ATTACKER, &gitlab(tenant)).await.0, 400, "nobody trusts it");
    }
    let (status, body, retry_after) = exchange(&stage, ATTACKER, &gitlab(5)).await;
    assert_eq!((status, retry_after.as_deref()), (429, Some("12")));
    insta::assert_snapshot!(body, @r#"{"error":"slow_down","error_description":"the jobs of this issuer exchange more id tokens than all of one issuer's may; try again in 12 s"}"#);
    for _ in 0..9 {
        assert_eq!(exchange(&stage, VICTIM, &stage.token()).await.0, 200, "another issuer's");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l4_a_forgery_that_names_the_victim_uses_up_nothing_of_the_victims() {
    let stage = stage("requests_per_address = 50\nexchanges_per_tenant = 5").await;
    let signed = stage.token();
    let (content, signature) = signed.rsplit_once('.').unwrap();
    let forgery = format!("{content}.{}", signature.chars().rev().collect::<String>());
    for attempt in 0..60 {
        let (status, body, _) = exchange(&stage, ATTACKER, &forgery).await;
        assert_eq!(status, if attempt < 50 { 400 } else { 429 }, "{attempt} {body}");
    }
    for _ in 0..5 {
        assert_eq!(exchange(&stage, VICTIM, &stage.token()).await.0, 200);
    }
    let (status, body, retry_after) = exchange(&stage, VICTIM, &stage.token()).await;
    assert_eq!((status, retry_after.as_deref()), (429, Some("12")), "its own budget it can use up");
    insta::assert_snapshot!(body, @r#"{"error":"slow_down","error_description":"the jobs of this owner exchange more id tokens than one owner's may; try again in 12 s"}"#);
    let unused = stage.token();
    assert_eq!(exchange(&stage, VICTIM, &unused).await.0, 429);
    stage.clock.set(stage.now() + Duration::from_secs(12));
    assert_eq!(exchange(&stage, VICTIM, &unused).await.0, 200, "a 429 uses no id token up");
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_a_stolen_id_token_takes_a_small_part_of_its_tenants_budget() {
    let stage = stage("exchanges_per_tenant = 600").await;
    let stolen = stage.token();
    assert_eq!(exchange(&stage, VICTIM, &stolen).await.0, 200);
    for _ in 0..29 {
        assert_eq!(exchange(&stage, ATTACKER, &stolen).await.0, 400);
    }
    let (status, body, _) = exchange(&stage, ATTACKER, &stolen).await;
    assert_eq!(status, 429);
    insta::assert_snapshot!(body, @r#"{"error":"slow_down","error_description":"this id token is sent more often than one may be; try again in 2 s"}"#);
    assert_eq!(exchange(&stage, VICTIM, &stage.token()).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn l6_guesses_at_a_registrys_secret_are_counted() {
    let stage = stage("requests_per_address = 3").await;
    let guess = async || {
        let request = stage
            .http
            .post(format!("{}/oauth/introspect", stage.url))
            .header("x-forwarded-for", ATTACKER)
            .header("authorization", "Bearer countersign_admin_guess")
            .header("content-type", "application/x-www-form-urlencoded")
            .body("token=x");
        answer(request).await.0
    };
    for expected in [401, 401, 401, 429] {
        assert_eq!(guess().await, expected);
    }
    let explain = || {
        let body = serde_json::json!({ "id_token": "x.y.z", "resource": RESOURCE }).to_string();
        let request = stage.http.post(format!("{}/api/v1/explain", stage.url)).body(body);
        request
            .header("x-forwarded-for", "192.0.2.67")
            .header("authorization", "Bearer x")
            .header("content-type", "application/json")
    };
    for _ in 0..3 {
        assert_ne!(answer(explain()).await.0, 429);
    }
    assert_eq!(answer(explain()).await.0, 429, "an explanation costs as much as an exchange, whoever asks");
    assert_eq!(exchange(&stage, ATTACKER, &stage.token()).await.0, 200, "guesses have a budget of their own");
}

#[tokio::test(flavor = "multi_thread")]
async fn l3_under_the_api_the_answer_is_a_problem() {
    let stage = stage("requests_per_address = 3").await;
    let ask = async |path: &str| {
        let request = stage.http.get(format!("{}{path}", stage.url)).header("x-forwarded-for", VICTIM);
        let response = request.send().await.unwrap();
        let header = |name| response.headers()[name].to_str().unwrap().to_owned();
        let seen = (response.status().as_u16(), header("content-type"));
        let retry_after = (seen.0 == 429).then(|| header("retry-after"));
        (seen, retry_after, response.text().await.unwrap())
    };
    let problem = "application/problem+json".to_owned();
    assert_eq!(ask("/api/v2").await.0, (404, problem.clone()), "also where there is nothing");
    assert_eq!(ask("/api/v1/explain").await.0, (405, problem.clone()));
    assert_eq!(ask("/apiary").await.0, (404, "application/json".to_owned()));
    for path in ["/api/v1/explain", "/api/v1/publishers", "/api/v1/openapi.json", "/api/v2"] {
        let (seen, retry_after, body) = ask(path).await;
        assert_eq!((seen, retry_after.as_deref()), ((429, problem.clone()), Some("20")), "{path}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((&body["status"], &body["code"]), (&429.into(), &"rate_limited".into()), "{path}");
    }
    assert_eq!(ask("/apiary").await.0, (429, "application/json".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_an_address_that_the_client_made_up_is_not_believed() {
    let stage = stage("requests_per_address = 2").await;
    for (invention, expected) in [("10.0.0.1", 400), ("10.0.0.2", 400), ("10.0.0.3", 429)] {
        let status = exchange(&stage, &format!("{invention}, {VICTIM}"), "forged").await.0;
        assert_eq!(status, expected, "{invention}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn l7_as_many_exchanges_at_once_as_there_are_places_and_no_queue() {
    let stage = stage("exchanges_in_flight = 1").await;
    let token = stage.token();
    let place = stage.app.exchange.limits.begin_exchange().unwrap();
    let (status, body, retry_after) = exchange(&stage, VICTIM, &token).await;
    assert_eq!((status, retry_after.as_deref()), (503, Some("1")));
    insta::assert_snapshot!(body, @r#"{"error":"temporarily_unavailable","error_description":"the server has as many exchanges to do as it can; try again"}"#);
    drop(place);
    assert_eq!(exchange(&stage, VICTIM, &token).await.0, 200, "it used no id token up");
    assert!(stage.app.exchange.limits.begin_exchange().is_some(), "and the place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn l8_who_waits_for_an_issuers_keys_takes_no_place_among_the_exchanges() {
    let stage = stage("exchanges_in_flight = 1").await;
    let Found::Issuer(issuer) = stage.app.exchange.issuers.find(stage.simulator.gitlab().issuer().as_str())
    else {
        panic!()
    };
    let all_wait = issuer.waiting.acquire_many(u32::try_from(issuer.waiting.available_permits()).unwrap());
    let _all_wait = all_wait.await.unwrap();
    let mut claims = stage.simulator.gitlab().claims(stage.now());
    claims.insert("aud".to_owned(), stage.url.as_str().into());
    let gitlab = stage.simulator.gitlab().sign(&claims);
    assert_eq!(exchange(&stage, VICTIM, &gitlab).await.0, 503, "of this issuer no more wait");
    assert_eq!(exchange(&stage, VICTIM, &stage.token()).await.0, 200, "another's tokens are exchanged");
}
