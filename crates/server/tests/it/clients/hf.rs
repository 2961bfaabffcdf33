//! `hf` of `huggingface_hub`: the contract's own client.

use std::process::Command;
use std::time::Duration;

use countersign_core::Permission;
use countersign_server::clock::{Clock as _, SystemClock};
use countersign_simulator::Overrides;

use super::live::{Live, Ran};
use super::tool;
use crate::program::RESOURCE;

/// `hf auth token`, with nothing yet that says who runs it.
fn hf(live: &Live, resource: &str) -> Command {
    let mut command = live.command(&tool("venv/bin/hf"));
    command.args(["auth", "token"]).env("HF_ENDPOINT", &live.url).env("HF_OIDC_RESOURCE", resource);
    // It would look for newer versions of itself on the internet, and colours its words even for a pipe.
    command.env("HF_HUB_DISABLE_UPDATE_CHECK", "1").env("NO_COLOR", "1");
    command
}

fn in_github(live: &Live, resource: &str, overrides: &Overrides) -> Ran {
    Ran::of(hf(live, resource).envs(live.simulator.github().job(overrides)))
}

fn with_id_token(live: &Live, id_token: &str) -> Ran {
    Ran::of(hf(live, RESOURCE).env("HF_OIDC_ID_TOKEN", id_token))
}

/// What it says, up to its advice on debugging it.
fn words(stderr: &str) -> &str {
    stderr.split("\nHint: ").next().unwrap_or(stderr)
}

fn refusal(live: &Live, ran: &Ran) -> String {
    words(&live.refusal(ran)).to_owned()
}

async fn trusting() -> Live {
    let live = Live::new().await;
    live.trust(RESOURCE);
    live
}

#[tokio::test(flavor = "multi_thread")]
async fn a_github_job_gets_a_token() {
    let live = trusting().await;
    let ran = in_github(&live, RESOURCE, &Overrides::new());
    assert!(ran.token().starts_with("hf_jwt_eyJ"), "{ran:?}");
    live.verify(ran.token(), RESOURCE, Permission::Write).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_resource() {
    let live = Live::new().await;
    for resource in ["datasets/acme/x", "spaces/acme/x", "kernels/acme/x", "buckets/acme/x"] {
        live.trust(resource);
        let ran = in_github(&live, resource, &Overrides::new());
        assert!(ran.token().starts_with("hf_jwt_eyJ"), "{resource}: {ran:?}");
        live.verify(ran.token(), resource, Permission::Write).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_gets_a_token_of_their_own() {
    let live = Live::new().await;
    live.trust("julien");
    let ran = in_github(&live, "julien", &Overrides::new());
    assert!(ran.token().starts_with("hf_oauth_eyJ"), "{ran:?}");
    live.verify(ran.token(), "julien", Permission::Read).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_that_was_minted_before() {
    let live = trusting().await;
    let ran = with_id_token(&live, &live.id_token());
    live.verify(ran.token(), RESOURCE, Permission::Write).await;
    // `hf` asks no service of GitLab: whoever runs it there passes the job's id token on.
    live.trust_with(&format!("{RESOURCE} --provider gitlab --set project=acme/train --set ref=main"));
    let ran = with_id_token(&live, &live.simulator.gitlab().mint(&Overrides::new(), &live.url));
    live.verify(ran.token(), RESOURCE, Permission::Write).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_the_right_repository_is_told_everything() {
    let live = trusting().await;
    let ran = in_github(&live, RESOURCE, &Overrides::new().set("ref", "refs/heads/dev"));
    insta::assert_snapshot!(refusal(&live, &ran), @r"
    Error: (Request ID: REQUEST)

    Bad request:
    invalid_grant: the trusted publisher of acme/awesome-model does not match: branch: expected main, came dev
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_repository_is_told_what_it_said_and_the_owner_everything() {
    let live = Live::new().await;
    let publisher = live.trust(RESOURCE);
    let other = Overrides::new().set("repository", "octo/other");
    let told = refusal(&live, &in_github(&live, RESOURCE, &other));
    insta::assert_snapshot!(told, @r"
    Error: (Request ID: REQUEST)

    Bad request:
    invalid_grant: no trusted publisher of acme/awesome-model matches this id token of GITHUB (repository octo/other, branch main, workflow publish.yml); whoever manages acme/awesome-model finds what was expected under the request id
    ");
    let recorded = live.recorded();
    let explanation = recorded["detail"]["explanation"].as_str().unwrap();
    insta::assert_snapshot!(live.plain(explanation).replace(&publisher, "PUBLISHER"), @"publisher PUBLISHER: repository: expected acme/train, came octo/other; pin repository_id: expected 74, came 855377075; pin repository_owner_id: expected 65, came 424407250");
    // The words are the same where nobody is trusted: they do not tell which resources exist.
    let nothing = refusal(&live, &in_github(&live, "acme/nothing", &other));
    assert_eq!(nothing.replace("acme/nothing", RESOURCE), told);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_resource() {
    let live = trusting().await;
    let ran = in_github(&live, "models/acme/x", &Overrides::new());
    assert!(!ran.succeeded && ran.stderr.contains("invalid_request: "), "{ran:?}");
    insta::assert_snapshot!(words(&ran.stderr).split("invalid_request: ").nth(1).unwrap(), @"expected a resource such as namespace/name, datasets/namespace/name (or spaces, kernels, buckets), a user name, or a Package URL such as pkg:pypi/name; found 'models/acme/x'");
    assert!(ran.stderr.contains("Request ID: "), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay() {
    let live = trusting().await;
    let id_token = live.id_token();
    assert!(with_id_token(&live, &id_token).succeeded);
    insta::assert_snapshot!(refusal(&live, &with_id_token(&live, &id_token)), @r"
    Error: (Request ID: REQUEST)

    Bad request:
    invalid_grant: this id token was exchanged before (1 allowed); a job that needs another access token mints another id token
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_id_token() {
    let live = trusting().await;
    let then = SystemClock.now() - Duration::from_hours(1);
    let mut claims = live.simulator.github().claims(then);
    claims.insert("aud".to_owned(), live.url.as_str().into());
    let ran = with_id_token(&live, &live.simulator.github().sign(&claims));
    insta::assert_snapshot!(refusal(&live, &ran), @r"
    Error: (Request ID: REQUEST)

    Bad request:
    invalid_grant: the token expired at TIME and it is TIME (Unix seconds; 30 s of leeway); request a new one right before it is used
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_for_somebody_else() {
    let live = trusting().await;
    let id_token = live.simulator.github().mint(&Overrides::new(), "https://github.com/acme");
    insta::assert_snapshot!(refusal(&live, &with_id_token(&live, &id_token)), @r"
    Error: (Request ID: REQUEST)

    Bad request:
    invalid_grant: expected a token for audience SERVER, found `aud` 'https://github.com/acme'; request the id token for that audience alone
    ");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_with_a_private_authority() {
    let live = Live::with_tls().await;
    live.trust(RESOURCE);
    let ran = in_github(&live, RESOURCE, &Overrides::new());
    live.verify(ran.token(), RESOURCE, Permission::Write).await;
    // Without knowing the authority it sends nothing.
    let mut stranger = hf(&live, RESOURCE);
    stranger.env_remove("SSL_CERT_FILE").env("HF_OIDC_ID_TOKEN", live.id_token());
    let ran = Ran::of(&mut stranger);
    assert!(!ran.succeeded && ran.stderr.contains("certificate verify failed"), "{ran:?}");
    assert_eq!(live.recorded()["outcome"], "issued", "nothing has come since");
}
