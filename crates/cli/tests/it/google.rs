//! `countersign google-credential`: what Google's libraries read.

use serde_json::Value;

use crate::job::{Job, claims, id_token};

const POOL: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/github";

#[test]
fn gives_the_id_token_for_the_pool() {
    let audience = format!("https:{POOL}");
    let token = id_token(&claims(&audience));
    let job = Job::github().minting("200 OK", &format!(r#"{{"value":"{token}"}}"#));
    let job = job.with("GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE", POOL);
    // The one output that shows an id token, which `run` would not let pass.
    let output = job.command(&["google-credential"]).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["id_token"], token);
    let rest = String::from_utf8(output.stdout).unwrap().replace(&token, "ID_TOKEN");
    insta::assert_snapshot!(rest, @r#"{"expiration_time":4102444800,"id_token":"ID_TOKEN","success":true,"token_type":"urn:ietf:params:oauth:token-type:id_token","version":1}"#);
    assert!(job.requests()[0].contains("audience=https%3A%2F%2Fiam.googleapis.com%2Fprojects%2F1"));
    assert_eq!(job.requests().len(), 1, "Google's library makes the exchange");
}

#[test]
fn a_failure_is_an_answer_too() {
    let job = Job::github().without("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    insta::assert_snapshot!(job.fail(&["google-credential", "--audience", "x"]), @r#"
    exit 3
    --- stdout
    {"code":"3","message":"GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_TOKEN is not set; add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments","success":false,"version":1}
    --- stderr
    "#);
    insta::assert_snapshot!(Job::github().fail(&["google-credential"]), @r#"
    exit 2
    --- stdout
    {"code":"2","message":"expected --audience, or GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE, which Google's libraries set","success":false,"version":1}
    --- stderr
    "#);
}
