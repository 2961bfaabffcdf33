//! The exchange.

use std::time::Duration;

use countersign_client::{ExchangeError, LoginError};
use countersign_core::token_exchange::TokenResponse;
use serde_json::json;

use crate::fake::{Job, chain, no_answer, no_connection, token_for};

fn login(job: &Job) -> Result<TokenResponse, LoginError> {
    job.client().login(&"acme/model".parse().unwrap())
}

fn supplied() -> Job {
    Job::default().with("HF_OIDC_ID_TOKEN", "a.b.c2lnbmF0dXJl")
}

fn failure(job: &Job) -> String {
    chain(&login(job).unwrap_err())
}

#[test]
fn posts_what_the_contract_says() {
    let job = supplied().issues("hf_jwt_x", 3600);
    let response = login(&job).unwrap();
    assert_eq!((response.access_token.expose(), response.expires_in), ("hf_jwt_x", Some(3600)));
    insta::assert_snapshot!(job.sent().join("\n--\n"), @r#"
    POST https://huggingface.co/oauth/token
    accept: application/json
    content-type: application/json
    {"grant_type":"urn:ietf:params:oauth:grant-type:token-exchange","resource":"acme/model","subject_token":"a.b.c2lnbmF0dXJl","subject_token_type":"urn:ietf:params:oauth:token-type:id_token"}
    "#);
}

#[test]
fn login_mints_and_exchanges() {
    let job = Job::github().mints().issues("hf_jwt_x", 3600);
    assert_eq!(login(&job).unwrap().access_token.expose(), "hf_jwt_x");
    assert_eq!(job.sent().len(), 2);
}

#[test]
fn a_token_that_is_minted_twice_in_one_second_is_minted_once_more() {
    let refusal = json!({ "error": "invalid_grant", "error_description": "exchanged before" }).to_string();
    let later = json!({ "value": token_for("https://huggingface.co").replace("c2ln", "bGF0") }).to_string();
    let job = Job::github().mints().issues("hf_jwt_x", 3600);
    let job = job.mints().answers(400, &refusal).answers(200, &later).issues("hf_jwt_y", 3600);
    let client = job.client();
    client.login(&"acme/model".parse().unwrap()).unwrap();
    let response = client.login(&"acme/data".parse().unwrap()).unwrap();
    assert_eq!((response.access_token.expose(), job.slept()), ("hf_jwt_y", vec![Duration::from_secs(1)]));

    // A refusal of a token that was not exchanged, or that does not come anew, stands.
    let job = Job::github().mints().answers(400, &refusal);
    assert!(failure(&job).contains("exchanged before") && job.slept().is_empty());
    let job = supplied().issues("hf_jwt_x", 3600).answers(400, &refusal);
    let client = job.client();
    client.login(&"acme/model".parse().unwrap()).unwrap();
    client.login(&"acme/model".parse().unwrap()).unwrap_err();
    assert!(job.slept().is_empty());
}

#[test]
fn a_refusal_shows_status_error_description_and_request_id() {
    let body =
        json!({ "error": "invalid_grant", "error_description": "no publisher trusts this" }).to_string();
    let job = supplied().answers_with(400, &[("x-request-id", "req-7")], &body);
    let error = login(&job).unwrap_err();
    assert!(matches!(error, LoginError::Exchange(ExchangeError::Refused(_))));
    insta::assert_snapshot!(chain(&error), @"the server refused the exchange: invalid_grant: no publisher trusts this (status 400, request id req-7)");
    insta::assert_snapshot!(failure(&supplied().answers(403, "<html>")), @"the server refused the exchange: an answer without an OAuth error (status 403)");
}

#[test]
fn what_a_server_says_cannot_forge_log_lines_or_repeat_the_token() {
    let body = json!({ "error": "x\n::set-env", "error_description": "\u{1b}[31m got a.b.c2lnbmF0dXJl" });
    let job = supplied().answers_with(400, &[("x-request-id", "a\tb")], &body.to_string());
    insta::assert_snapshot!(failure(&job), @"the server refused the exchange: x ::set-env: ?[31m got (id token) (status 400, request id a b)");
}

#[test]
fn only_what_certainly_did_not_happen_is_tried_again() {
    let job = supplied().fails(no_connection()).answers_with(503, &[("retry-after", "2")], "").issues("t", 1);
    login(&job).unwrap();
    assert_eq!(job.slept(), [Duration::from_millis(500), Duration::from_secs(2)]);
    let job = supplied().answers_with(429, &[("retry-after", "3")], "").issues("t", 1);
    login(&job).unwrap();
    assert_eq!(job.slept(), [Duration::from_secs(3)]);

    for job in [supplied().fails(no_answer()), supplied().answers(502, ""), supplied().answers(500, "")] {
        failure(&job);
        assert_eq!(job.sent().len(), 1);
    }
}

#[test]
fn a_server_that_cannot_serve_says_when() {
    let body =
        json!({ "error": "temporarily_unavailable", "error_description": "the store is away" }).to_string();
    let headers = [("retry-after", "60"), ("x-request-id", "req-8")];
    let job = supplied().answers_with(503, &headers, &body);
    insta::assert_snapshot!(failure(&job), @"https://huggingface.co cannot exchange tokens now: temporarily_unavailable: the store is away (status 503, request id req-8); try again in 60 s");
    assert!(job.slept().is_empty(), "a minute is for the person at the job to wait");
    insta::assert_snapshot!(failure(&supplied().answers(500, "")), @"https://huggingface.co cannot exchange tokens now: an answer without an OAuth error (status 500); try again later");
    insta::assert_snapshot!(failure(&supplied().fails(no_answer())), @"the token endpoint of https://huggingface.co could not be asked: hub did not answer: timed out");
}

#[test]
fn what_is_no_token_server_is_told_apart() {
    for (status, body) in
        [(404, "<html>"), (405, ""), (302, ""), (200, "<html>"), (200, r#"{"access_token":""}"#)]
    {
        let error = login(&supplied().answers(status, body)).unwrap_err();
        assert!(
            matches!(error, LoginError::Exchange(ExchangeError::NotATokenServer { .. })),
            "{status} {error}"
        );
    }
    insta::assert_snapshot!(failure(&supplied().answers(404, "<html>")), @"https://huggingface.co is no token server: expected a token response or an OAuth error at /oauth/token, found an answer without an OAuth error (status 404); check HF_ENDPOINT");
}

#[test]
fn an_access_token_that_could_forge_log_lines_is_none() {
    for token in ["hf_jwt_secret\n::set-env", "hf_jwt_secret x", "hf_jwt_secret\u{e9}", ""] {
        assert!(failure(&supplied().issues(token, 3600)).contains("is no token server"));
    }
}
