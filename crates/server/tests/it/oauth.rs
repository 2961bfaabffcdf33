//! Threats I: the OAuth layer.

use countersign_core::token_exchange::token_type;
use countersign_server::clock::Clock as _;
use countersign_simulator::Overrides;
use serde_json::{Value, json};

use crate::program::{Program, RESOURCE, prepare};
use crate::stage::{Answer, Stage, client, exchange_parameters, post_to};

async fn with_change(stage: &Stage, change: impl FnOnce(&mut Value)) -> Answer {
    let mut parameters = exchange_parameters(&stage.token(), RESOURCE);
    change(&mut parameters);
    stage.post_json(&parameters).await
}

#[track_caller]
fn check(answer: &Answer, status: u16, error: &str, words: &str) {
    assert_eq!((answer.status, answer.body["error"].as_str()), (status, Some(error)), "{answer:?}");
    let description = answer.body["error_description"].as_str().unwrap();
    assert!(description.contains(words), "{description}");
    assert!(
        description.bytes().all(|byte| matches!(byte, 0x20..=0x21 | 0x23..=0x5B | 0x5D..=0x7E)),
        "i13: {description}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn i1_i18_one_way_to_a_token() {
    let stage = Stage::new().await;
    for path in ["/token", "/oauth/token/", "/oauth/refresh", "/oauth//token", "/OAUTH/TOKEN"] {
        let response = stage.http.post(format!("{}{path}", stage.url)).send().await.unwrap();
        assert_eq!(response.status(), 404, "{path}");
    }
    for method in [reqwest::Method::GET, reqwest::Method::PUT, reqwest::Method::DELETE] {
        let response = stage.http.request(method, format!("{}/oauth/token", stage.url)).send().await.unwrap();
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], "POST");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i2_content_types() {
    let stage = Stage::new().await;
    for kind in ["text/plain", "multipart/form-data; boundary=x", "", "application/jsonx"] {
        check(&stage.post(kind, "{}").await, 415, "invalid_request", "expected content-type");
    }
    // `Stage::refused` sends every refused token both as JSON and as a form, and compares the answers.
    check(
        &stage.post("application/json; charset=utf-8", "{}").await,
        400,
        "invalid_request",
        "grant_type is missing",
    );
    check(
        &stage.post("Application/X-WWW-Form-Urlencoded", "").await,
        400,
        "invalid_request",
        "grant_type is missing",
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn i3_repeated_parameters() {
    let stage = Stage::new().await;
    let twice = r#"{"grant_type":"x","grant_type":"y"}"#;
    check(&stage.post("application/json", twice).await, 400, "invalid_request", "occurs twice");
    let twice = "grant_type=x&grant_type=y";
    check(
        &stage.post("application/x-www-form-urlencoded", twice).await,
        400,
        "invalid_request",
        "more than once",
    );
    for body in ["", "[]", "null", "{", "\u{feff}{}"] {
        check(&stage.post("application/json", body).await, 400, "invalid_request", "JSON");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i4_i5_i6_i7_i8_i10_parameters() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let answer = with_change(&stage, |parameters| parameters["unknown"] = json!({ "x": 1 })).await;
    assert_eq!(answer.status, 200, "i4");
    let rows: [(&str, Value, &str, &str); 9] = [
        ("grant_type", json!("client_credentials"), "unsupported_grant_type", "expected grant_type="),
        (
            "subject_token_type",
            json!(token_type::ACCESS_TOKEN),
            "invalid_request",
            "expected subject_token_type=",
        ),
        ("actor_token", json!("x"), "invalid_request", "actor_token is not supported"),
        ("subject_token", json!(""), "invalid_request", "subject_token is missing"),
        ("subject_token", Value::Null, "invalid_request", "subject_token is missing"),
        ("subject_token", json!(7), "invalid_request", "must be a text"),
        ("resource", json!(["acme/awesome-model", "acme/other"]), "invalid_target", "one resource"),
        ("resource", json!("a/b/c/d"), "invalid_request", "expected a resource"),
        ("resource", json!("https://elsewhere.example.com/a/b"), "invalid_request", "is elsewhere"),
    ];
    for (name, value, error, words) in rows {
        check(&with_change(&stage, |parameters| parameters[name] = value).await, 400, error, words);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i9_what_does_not_exist_looks_like_what_is_not_trusted() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let stranger = |stage: &Stage| stage.token_with("repository", "evil/repo");
    let exists = stage
        .refused(
            &stranger(&stage),
            RESOURCE,
            "not_matched",
            "no trusted publisher of acme/awesome-model matches",
        )
        .await;
    let missing = stage
        .refused(
            &stranger(&stage),
            "acme/missing",
            "no_publisher",
            "no trusted publisher of acme/missing matches",
        )
        .await;
    let text = |answer: &Answer, resource: &str| {
        answer.body["error_description"].as_str().unwrap().replace(resource, "R")
    };
    assert_eq!(text(&exists, RESOURCE), text(&missing, "acme/missing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn i12_answers_are_never_cached() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    for (token, status) in [(stage.token(), 200), ("x.y.z".to_owned(), 400)] {
        let request =
            stage.http.post(format!("{}/oauth/token", stage.url)).header("content-type", "application/json");
        let response = request.body(exchange_parameters(&token, RESOURCE).to_string()).send().await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(
            (&response.headers()["cache-control"], &response.headers()["pragma"]),
            (&"no-store".parse().unwrap(), &"no-cache".parse().unwrap())
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn i13_hostile_claims_in_a_refusal() {
    let stage = Stage::new().await;
    let token = stage.token_with("ref", "refs/heads/\"\\\u{e9}\n\u{7}<script>");
    check(&stage.exchange(&token, RESOURCE).await, 400, "invalid_grant", "branch '?? ?<script>");
}

#[tokio::test(flavor = "multi_thread")]
async fn i15_tokens_in_the_url() {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    let url = format!("{}/oauth/token?subject_token=x", stage.url);
    let request = stage.http.post(url).header("content-type", "application/json");
    let response =
        request.body(exchange_parameters(&stage.token(), RESOURCE).to_string()).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("never in the URL"));
    assert_eq!(stage.issued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn i16_i17_a_removed_publisher_lets_nobody_in_from_that_moment() {
    let stage = Stage::new().await;
    let publisher = stage.trust(RESOURCE).await;
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200, "now it is remembered");
    stage.remove(&publisher).await;
    stage.refused(&stage.token(), RESOURCE, "no_publisher", "no trusted publisher").await;
    stage.trust(RESOURCE).await;
    assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200, "and an added one at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rfc8693_profile_names_errors_otherwise() {
    let stage = Stage::with("error_profile = \"rfc8693\"").await;
    check(&stage.exchange("x.y.z", RESOURCE).await, 400, "invalid_request", "");
    check(&stage.exchange(&stage.token(), RESOURCE).await, 400, "invalid_request", "no trusted publisher");
    check(&stage.exchange(&stage.token(), "a/b/c/d").await, 400, "invalid_target", "expected a resource");
}

#[tokio::test(flavor = "multi_thread")]
async fn i14_j7_no_token_in_logs_or_database() {
    let folder = tempfile::tempdir().unwrap();
    let simulator = prepare(folder.path()).await;
    let program = Program::start(folder.path());
    let github = simulator.github();
    let audience = "https://trust.example.com";
    let mut secrets = vec![
        github.mint(&Overrides::new(), audience),
        github.mint(&Overrides::new().set("repository", "evil/repo"), audience),
        github.forge(&github.claims(countersign_server::clock::SystemClock.now())),
    ];
    for token in secrets.clone() {
        let body = exchange_parameters(&token, RESOURCE).to_string();
        let answer = post_to(&client(), &program.url, "application/json", body).await;
        secrets.extend(answer.body["access_token"].as_str().map(str::to_owned));
    }
    assert_eq!(secrets.len(), 4, "three id tokens and the one that was issued");
    let log = program.stop();
    let files = std::fs::read_dir(folder.path().join("countersign-data")).unwrap();
    let stored: Vec<u8> = files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    let stored = String::from_utf8_lossy(&stored).into_owned();
    assert!(log.contains("exchange refused") && log.contains("TRACE"), "the log was caught: {log}");
    assert!(stored.contains("acme/awesome-model"), "the database was read");
    for token in &secrets {
        // The signature is what makes it usable; header and payload are no secret.
        let signature = token.rsplit('.').next().unwrap();
        assert!(!log.contains(signature) && !stored.contains(signature));
    }
}
