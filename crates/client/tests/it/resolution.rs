//! The order of the Hub's own client.

use std::io::ErrorKind;

use countersign_client::{Origin, ResolutionError, ResolvedToken, TokenCache};

use crate::fake::{Job, chain};

fn resolve(job: &Job) -> Result<Option<ResolvedToken>, ResolutionError> {
    TokenCache::new(job.client()).resolve()
}

fn check(job: &Job, token: &str, origin: &Origin) {
    let resolved = resolve(job).unwrap().unwrap();
    assert_eq!((resolved.token.expose(), &resolved.origin), (token, origin));
}

fn everything() -> Job {
    Job::github()
        .with("HF_OIDC_RESOURCE", " acme/model ")
        .with("HF_TOKEN", " hub \n")
        .with("HUGGING_FACE_HUB_TOKEN", "old")
        .with("HOME", "/home/ci")
        .file("/home/ci/.cache/huggingface/token", Ok("stored\n"))
}

#[test]
fn exchange_then_variables_then_file_then_nothing() {
    let job = everything().mints().issues("exchanged", 3600);
    check(&job, "exchanged", &Origin::Exchange("acme/model".parse().unwrap()));
    let job = everything().with("HF_OIDC_RESOURCE", " ");
    check(&job, "hub", &Origin::Variable("HF_TOKEN"));
    let job = job.with("HF_TOKEN", "\t");
    check(&job, "old", &Origin::Variable("HUGGING_FACE_HUB_TOKEN"));
    let job = job.without("HUGGING_FACE_HUB_TOKEN");
    check(&job, "stored", &Origin::File("/home/ci/.cache/huggingface/token".into()));
    assert!(job.sent().is_empty());
    assert!(resolve(&job.file("/home/ci/.cache/huggingface/token", Ok(" \n"))).unwrap().is_none());
    assert!(resolve(&Job::default()).unwrap().is_none());
}

#[test]
fn the_token_file_is_where_the_variables_say() {
    let rows: &[(&[(&str, &str)], &str)] = &[
        (&[("HF_TOKEN_PATH", "/t"), ("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/t"),
        (&[("HF_TOKEN_PATH", "~/t")], "/home/ci/t"),
        (&[("HF_TOKEN_PATH", " "), ("HF_HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/h/token"),
        (&[("HF_HOME", "~/h")], "/home/ci/h/token"),
        (&[("XDG_CACHE_HOME", "/x")], "/x/huggingface/token"),
        (&[], "/home/ci/.cache/huggingface/token"),
    ];
    for (variables, path) in rows {
        let job = Job::default().with("HOME", "/home/ci").file(path, Ok("stored"));
        let job = variables.iter().fold(job, |job, (name, value)| job.with(name, value));
        check(&job, "stored", &Origin::File(path.into()));
    }
}

#[test]
fn opting_in_never_falls_back() {
    let failure = |job: &Job| chain(&resolve(job).unwrap_err());
    let outside = everything().without("GITHUB_ACTIONS");
    insta::assert_snapshot!(failure(&outside), @"HF_OIDC_RESOURCE asks for a token from the job's identity, and there is none: no supported CI OIDC provider detected, and HF_OIDC_ID_TOKEN is not set; run this in a job of one of (providers), or set HF_OIDC_ID_TOKEN to an id token");
    failure(&everything().without("ACTIONS_ID_TOKEN_REQUEST_URL"));
    failure(&everything().mints().answers(400, r#"{"error":"invalid_grant"}"#));
    failure(&everything().mints().answers(500, ""));
    insta::assert_snapshot!(failure(&everything().with("HF_OIDC_RESOURCE", "acme model")), @r#"the variable HF_OIDC_RESOURCE names no resource: expected a resource such as namespace/name, datasets/namespace/name, a user name or pkg:pypi/name, without white space; found "acme model""#);
}

#[test]
fn a_token_file_that_cannot_be_read_is_an_error() {
    let job = Job::default().with("HF_TOKEN_PATH", "/t").file("/t", Err(ErrorKind::PermissionDenied));
    insta::assert_snapshot!(chain(&resolve(&job).unwrap_err()), @"the token file /t cannot be read; change its permissions, or set HF_TOKEN_PATH: permission denied");
}
