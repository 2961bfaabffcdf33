//! `countersign google-credential`: what Google's libraries read, and the real google-auth, which reads it.

use std::path::Path;
use std::process::{Command, Stdio};

use countersign_core::Permission;
use countersign_simulator::Overrides;
use serde_json::{Value, json};

use crate::job::{Job, claims, id_token};
use crate::registry::{RESOURCE, Registry};

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

/// google-auth in this job, with our registry as its token endpoint: whether it got a token, and what it said.
fn google_auth(registry: &Registry, job: &Job) -> (bool, String, String) {
    let command =
        format!("{} google-credential --audience {}", env!("CARGO_BIN_EXE_countersign"), registry.url);
    let configuration = json!({
        "type": "external_account",
        "audience": RESOURCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:id_token",
        "token_url": format!("{}/oauth/token", registry.url),
        "credential_source": { "executable": { "command": command, "timeout_millis": 30000 } },
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("google.json");
    std::fs::write(&file, configuration.to_string()).unwrap();
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/venv/bin/python");
    assert!(python.exists(), "target/tools/venv is missing: run `cargo xtask test`, which installs it");
    let mut python = Command::new(python);
    python.args(["-c", include_str!("../../../server/tests/it/clients/google_auth.py")]).arg(file);
    python.env_clear().envs(job.variables()).env("GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES", "1");
    let output = python.stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().trim().to_owned();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn google_auth_exchanges_it() {
    let registry = Registry::new().await;
    let (success, token, said) = google_auth(&registry, &registry.github(&Overrides::new()));
    assert!(success, "{said}");
    registry.verify(&token, RESOURCE, Permission::Write).await;
    let (success, _, said) = google_auth(&registry, &Job::at(&registry.url, Vec::new()));
    assert!(!success && said.contains("no supported CI OIDC provider detected"), "{said}");
}
