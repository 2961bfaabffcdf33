//! GitHub Actions.

use countersign_client::http::HttpError;
use countersign_client::{IdentityError, Settings, Source};
use serde_json::json;

use crate::fake::{HUB, Job, MINT_URL, NOW, chain, claims, id_token, no_answer, no_connection};

fn failure(job: &Job) -> String {
    chain(&job.client().identify().unwrap_err())
}

#[test]
fn mints_by_appending_the_audience_to_the_query() {
    let job = Job::github().mints();
    let identity = job.client().identify().unwrap();
    assert_eq!(identity.source(), &Source::Service("mint.example.com".to_owned()));
    assert_eq!(identity.provider().unwrap().name(), "github");
    insta::assert_snapshot!(job.sent().join("\n--\n"), @r"
    GET https://mint.example.com/token?api-version=2.0&audience=https%3A%2F%2Fhuggingface.co
    accept: application/json
    authorization: Bearer mint-secret
    ");
}

#[test]
fn a_url_without_query_gets_one() {
    let job = Job::github().with("ACTIONS_ID_TOKEN_REQUEST_URL", "https://mint.example.com/token").mints();
    job.client().identify().unwrap();
    assert!(job.sent()[0].starts_with("GET https://mint.example.com/token?audience=https%3A%2F%2F"));
}

#[test]
fn the_audience_can_be_given() {
    let job = Job::github();
    let mut wanted = claims();
    wanted["aud"] = json!("npm:registry.example.com");
    let job = job.answers(200, &json!({ "value": id_token(&wanted) }).to_string());
    let audience = Some("npm:registry.example.com".parse().unwrap());
    let client =
        countersign_client::Client::new(job.surroundings(), Settings { audience, ..Settings::default() });
    client.unwrap().identify().unwrap();
    assert!(job.sent()[0].contains("&audience=npm%3Aregistry.example.com\n"));
}

#[test]
fn only_exactly_true_is_github() {
    for value in ["True", "1", "", " true", "true "] {
        let job = Job::github().with("GITHUB_ACTIONS", value);
        let error = job.client().identify().unwrap_err();
        assert!(matches!(error, IdentityError::NoProvider), "{value:?}: {error}");
    }
}

#[test]
fn a_missing_or_blank_variable_names_the_permission() {
    for name in ["ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"] {
        let missing = failure(&Job::github().without(name));
        assert_eq!(missing, failure(&Job::github().with(name, "")));
        assert_eq!(missing, failure(&Job::github().with(name, "  ")));
        assert!(missing.contains(&format!("{name} is not set")));
    }
    insta::assert_snapshot!(failure(&Job::github().without("ACTIONS_ID_TOKEN_REQUEST_URL")), @"GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_URL is not set; add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments");
}

#[test]
fn what_may_pass_is_tried_again() {
    for status in [429, 500, 502, 503] {
        let job = Job::github().answers(status, "").fails(no_connection()).mints();
        job.client().identify().unwrap();
        assert_eq!((job.sent().len(), job.slept().len()), (3, 2), "{status}");
    }
    let job = Job::github().fails(no_answer()).mints();
    job.client().identify().unwrap();
}

#[test]
fn attempts_end() {
    let job = Job::github().answers(500, "").answers(500, "").answers(500, "mint-secret");
    insta::assert_snapshot!(failure(&job), @"the token service of GitHub Actions answered with status 500 instead of an id token; add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments");
    let job = Job::github().fails(no_connection()).fails(no_connection()).fails(no_connection());
    insta::assert_snapshot!(failure(&job), @"the token service of GitHub Actions could not be asked: no connection to hub: connection refused; check the address, the network and the proxy settings");
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    for status in [400, 401, 403, 404, 302] {
        let job = Job::github().answers(status, "");
        assert!(failure(&job).contains(&status.to_string()));
    }
    let certificate = HttpError::Certificate { host: "hub".to_owned(), reason: "unknown issuer".to_owned() };
    failure(&Job::github().fails(certificate));
}

#[test]
fn an_answer_without_token_is_no_token() {
    for body in ["", "{}", "[]", r#"{"value":1}"#, r#"{"value":""}"#, r#"{"token":"c2lnbmF0dXJl"}"#] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(failure(&Job::github().answers(200, body)), @r#"the token service of GitHub Actions answered without an id token: expected a JSON object with the text "value""#);
        }
    }
}

#[test]
fn a_token_that_the_registry_would_refuse_is_not_sent() {
    let changed = |name: &str, value: serde_json::Value| {
        let mut claims = claims();
        claims[name] = value;
        failure(&Job::github().answers(200, &json!({ "value": id_token(&claims) }).to_string()))
    };
    insta::assert_snapshot!(changed("aud", json!("https://github.com/acme")), @r#"GitHub Actions gave an id token for "https://github.com/acme", expected one for "https://huggingface.co"; nothing was sent"#);
    insta::assert_snapshot!(changed("exp", json!(NOW - 60)), @"GitHub Actions gave an id token that expired 60 s ago; start the job again, and check this machine's clock");
    insta::assert_snapshot!(changed("exp", json!("soon")), @r#"GitHub Actions gave an id token without an expiry time (claim "exp"); nothing was sent"#);
    let job = Job::github().answers(200, r#"{"value":"c2lnbmF0dXJl"}"#);
    insta::assert_snapshot!(failure(&job), @"what GitHub Actions gave as an id token is none: expected a JWT, that is three base64url parts separated by dots; found something else");
    assert!(MINT_URL.contains('?') && HUB.starts_with("https"));
}
