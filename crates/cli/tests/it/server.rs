//! The binary in the jobs of simulated providers, against the real server.

use countersign_core::{Permission, UnixTime};
use countersign_simulator::Overrides;
use serde_json::Value;

use crate::registry::{ISSUER_THAT_IS_DOWN, RESOURCE, Registry};

/// What was printed on standard output by a run that worked.
#[track_caller]
fn printed(shown: &str) -> &str {
    let output = shown.strip_prefix("exit 0\n--- stdout\n").unwrap_or_else(|| panic!("{shown}"));
    output.split_once("\n--- stderr\n").unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_job_gets_a_token_for_every_kind_of_resource() {
    let registry = Registry::new().await;
    for (resource, prefix, permission) in [
        (RESOURCE, "hf_jwt_eyJ", Permission::Write),
        ("pkg:pypi/acme-lib", "hf_jwt_eyJ", Permission::Write),
        ("acme", "hf_oauth_eyJ", Permission::Read),
    ] {
        let shown = registry.github(&Overrides::new()).run(&["token", resource]);
        let token = printed(&shown);
        assert!(token.starts_with(prefix), "{resource}: {shown}");
        assert!(shown.ends_with(&format!("--- stderr\n::add-mask::{token}\n")), "{shown}");
        registry.verify(token, resource, permission).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_the_servers_answer() {
    let registry = Registry::new().await;
    let shown = registry.github(&Overrides::new()).run(&["token", RESOURCE, "--json"]);
    let mut answer: Value = serde_json::from_str(printed(&shown)).unwrap();
    let token = answer["access_token"].take();
    registry.verify(token.as_str().unwrap(), RESOURCE, Permission::Write).await;
    insta::assert_snapshot!(answer.to_string(), @r#"{"access_token":null,"expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"bearer"}"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_show_the_servers_text_and_request_id() {
    let registry = Registry::new().await;
    let dev = registry.github(&Overrides::new().set("ref", "refs/heads/dev"));
    insta::assert_snapshot!(registry.refusal(&dev, &["token", RESOURCE]).await, @r"
    exit 4
    --- stdout
    --- stderr
    error: the server refused the exchange: invalid_grant: the trusted publisher of acme/model does not match: branch: expected main, came dev (status 400, request id REQUEST)
    ");
    let other = registry.github(&Overrides::new().set("repository", "octo/other"));
    insta::assert_snapshot!(registry.refusal(&other, &["token", RESOURCE]).await, @r"
    exit 4
    --- stdout
    --- stderr
    error: the server refused the exchange: invalid_grant: no trusted publisher of acme/model matches this id token of GITHUB (repository octo/other, branch main, workflow publish.yml); whoever manages acme/model finds what was expected under the request id (status 400, request id REQUEST)
    ");
    let from_fork = registry.github(&Overrides::new().set("event_name", "pull_request_target"));
    insta::assert_snapshot!(registry.refusal(&from_fork, &["token", RESOURCE]).await, @r"
    exit 4
    --- stdout
    --- stderr
    error: the server refused the exchange: invalid_grant: the trusted publisher of acme/model does not match: event: expected any event_name but pull_request_target, workflow_run, came pull_request_target (anybody who can open a pull request can start such a run, and it has the repository's identity) (status 400, request id REQUEST)
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_buys_once() {
    let registry = Registry::new().await;
    let job = registry.github(&Overrides::new()).with("MINE", &registry.id_token(&Overrides::new()));
    let arguments = ["token", RESOURCE, "--id-token-env", "MINE"];
    registry.verify(printed(&job.run(&arguments)), RESOURCE, Permission::Write).await;
    insta::assert_snapshot!(registry.refusal(&job, &arguments).await, @r"
    exit 4
    --- stdout
    --- stderr
    error: the server refused the exchange: invalid_grant: this id token was exchanged before (1 allowed); a job that needs another access token mints another id token (status 400, request id REQUEST)
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supplied_id_token_is_judged_by_the_server() {
    let registry = Registry::new().await;
    let elsewhere = registry.id_token(&Overrides::new().set("aud", "https://registry.example.com"));
    let job = registry.github(&Overrides::new()).with("HF_OIDC_ID_TOKEN", &elsewhere);
    insta::assert_snapshot!(registry.refusal(&job, &["token", RESOURCE]).await, @r"
    exit 4
    --- stdout
    --- stderr
    error: the server refused the exchange: invalid_grant: expected a token for audience SERVER, found `aud` 'https://registry.example.com'; request the id token for that audience alone (status 400, request id REQUEST)
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gitlab_job_has_its_id_token_in_a_variable() {
    let registry = Registry::new().await;
    let (own, other) = (registry.url.as_str(), "https://registry.example.com");
    for id_tokens in [
        &[("HF_ID_TOKEN", own)][..],
        &[("A_ID_TOKEN", other), ("OUR_ID_TOKEN", own)],
        &[("HF_ID_TOKEN", other), ("SECOND_ID_TOKEN", own)],
    ] {
        let shown = registry.gitlab(id_tokens).run(&["token", RESOURCE]);
        registry.verify(printed(&shown), RESOURCE, Permission::Write).await;
        assert!(shown.ends_with("--- stderr\n"), "masks are GitHub's: {shown}");
    }
    let exchanges = registry.exchanges().await.len();
    insta::assert_snapshot!(registry.gitlab(&[("A_ID_TOKEN", other)]).fail(&["token", RESOURCE]), @r#"
    exit 3
    --- stdout
    --- stderr
    error: GitLab CI gives this job no id token: expected a token for SERVER, found A_ID_TOKEN for "https://registry.example.com"; add `id_tokens: { HF_ID_TOKEN: { aud: SERVER } }` to the job, and if GitLab says that ID token issuance is disabled, let the project's `ci_id_token_sub_claim_components` begin with `project_id`
    "#);
    assert_eq!(registry.exchanges().await.len(), exchanges, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoami_shows_what_a_publisher_can_match() {
    let registry = Registry::new().await;
    let release = Overrides::new().set("environment", "release");
    let job = registry.github(&release);
    let shown = job.run(&["whoami"]);
    for line in [
        "provider  GitHub Actions (github), recognised by GITHUB_ACTIONS=true",
        "registry  SERVER",
        "audience  SERVER",
        "  repository             acme/train",
        "  repository_id          74",
        "  environment            release",
        "  workflow_ref           acme/train/.github/workflows/publish.yml@refs/heads/main",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line:?} is not in {shown}");
    }
    let shown = job.run(&["whoami", "--json"]);
    let answer: Value = serde_json::from_str(printed(&shown)).unwrap();
    let mut claims = registry.simulator.github().claims_of(&release, UnixTime::from_seconds(0));
    claims.retain(|name, _| !["iat", "nbf", "exp", "jti"].contains(&name.as_str()));
    for (name, value) in claims {
        assert_eq!(answer["unverified_claims"][&name], value, "{name}");
    }
    assert!(registry.exchanges().await.is_empty(), "the registry is not asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_without_identity() {
    let registry = Registry::new().await;
    let job = || registry.github(&Overrides::new());
    for (job, words) in [
        (job().without("GITHUB_ACTIONS"), "no supported CI OIDC provider detected"),
        (job().without("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), "`permissions: id-token: write`"),
        (job().with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another-jobs"), "answered with status 401"),
        (registry.gitlab(&[]), "`id_tokens: { HF_ID_TOKEN: { aud: SERVER } }`"),
    ] {
        for command in [&["token", RESOURCE][..], &["whoami"]] {
            let shown = job.fail(command);
            assert!(shown.starts_with("exit 3\n") && shown.contains(words), "{words:?}: {shown}");
        }
    }
    assert!(registry.exchanges().await.is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_serve_now() {
    let registry = Registry::new().await;
    let job = registry.github(&Overrides::new());
    // Nobody listens on this port; one that was free a moment ago may be another test's by now.
    let shown = job.fail(&["token", RESOURCE, "--endpoint", "http://127.0.0.1:1"]);
    assert!(shown.starts_with("exit 5\n") && shown.contains("could not be asked"), "{shown}");
    let unverifiable = registry.id_token(&Overrides::new().set("iss", ISSUER_THAT_IS_DOWN));
    let shown = job.with("HF_OIDC_ID_TOKEN", &unverifiable).fail(&["token", RESOURCE]);
    assert!(shown.starts_with("exit 5\n") && shown.contains("cannot exchange tokens now"), "{shown}");
}
