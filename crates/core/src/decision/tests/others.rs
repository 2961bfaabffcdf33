//! One run on each of the providers without a file here: let in as it is, and refused with one claim changed.

use super::*;

const UUID: &str = "a64b1c5e-0000-4000-8000-000000000001";
const OTHER: &str = "00000000-0000-4000-8000-000000000009";

/// Lets the run in, which teaches the pins of its conditions; with the wrong claim it is refused for that reason.
#[track_caller]
fn check(
    (provider, issuer): (Provider, &str),
    conditions: &[(&str, &str)],
    claims: Value,
    (claim, value, reason): (&str, Value, &str),
) {
    let case = Case::new(provider, issuer, conditions, claims);
    let grant = case.granted();
    let is_learned = |with: &str| conditions.iter().any(|(name, _)| *name == with);
    for pin in provider.preset().pins.iter().filter(|pin| is_learned(pin.learned_with)) {
        assert!(grant.learned().unwrap().has_given_pin(pin.claim), "{provider}: {}", pin.claim);
    }
    case.claim(claim, value).refused(reason);
}

#[test]
fn azure_devops() {
    let claims = json!({
        "sub": "p://acme/train/publish", "org_id": UUID, "prj_id": UUID, "def_id": "7", "rpo_id": "acme/train",
        "rpo_ref": "refs/heads/main",
    });
    let issuer = format!("https://vstoken.dev.azure.com/{UUID}");
    let wrong = ("rpo_ref", json!("refs/pull/7/merge"), "branch: expected main, came nothing");
    let conditions = [("project", UUID), ("pipeline", "7"), ("branch", "main")];
    check((Provider::AzureDevops, &issuer), &conditions, claims, wrong);
}

#[test]
fn semaphore() {
    let claims = json!({
        "org_id": UUID, "prj_id": UUID, "repo_slug": "acme/train", "branch": "main", "ref_type": "branch",
        "job_type": "pipeline_job",
    });
    let conditions = [("project", UUID), ("branch", "main")];
    let issuer = (Provider::Semaphore, "https://acme.semaphoreci.com");
    let wrong =
        ("ref_type", json!("pull-request"), "branch: expected main, came nothing (the claim branch is main)");
    check(issuer, &conditions, claims.clone(), wrong);
    for debug in ["debug_job", "project_debug_job"] {
        let wrong =
            ("job_type", json!(debug), "event: expected any job_type but debug_job, project_debug_job");
        check(issuer, &conditions, claims.clone(), wrong);
    }
}

#[test]
fn codefresh() {
    let claims = json!({
        "account_id": "a1", "account_name": "acme", "pipeline_id": "p1", "pipeline_name": "train/publish", "scm_ref": "main",
    });
    let conditions = [("account", "acme"), ("pipeline", "train/publish"), ("ref", "main")];
    let wrong = ("scm_pull_request_target_branch", json!("main"), "ref: expected main, came nothing");
    check((Provider::Codefresh, "https://oidc.codefresh.io"), &conditions, claims, wrong);
}

#[test]
fn spacelift() {
    let claims = json!({ "spaceId": "root", "callerId": "train", "runType": "TRACKED", "scope": "write" });
    let conditions = [("stack", "train"), ("scope", "write")];
    let wrong = ("runType", json!("PROPOSED"), "event: expected any runType but PROPOSED, came PROPOSED");
    check((Provider::Spacelift, "https://acme.app.spacelift.io"), &conditions, claims, wrong);
}

#[test]
fn hcp_terraform() {
    let claims = json!({
        "terraform_organization_id": "org-1", "terraform_organization_name": "acme", "terraform_workspace_id": "ws-1",
        "terraform_workspace_name": "train", "terraform_run_phase": "apply",
    });
    let conditions = [("organization", "acme"), ("workspace", "train"), ("phase", "apply")];
    let wrong = ("terraform_run_phase", json!("plan"), "phase: expected apply, came plan");
    check((Provider::HcpTerraform, "https://app.terraform.io"), &conditions, claims, wrong);
}

#[test]
fn env0() {
    let claims = json!({
        "apiKeyType": "oidc", "deploymentType": "deploy", "organizationId": UUID, "projectId": UUID,
        "environmentName": "prod",
    });
    let issuer = (Provider::Env0, "https://login.app.env0.com/");
    let wrong = ("projectId", json!(OTHER), "project: expected a64b1c5e");
    check(issuer, &[("project", UUID)], claims.clone(), wrong);
    let case = || Case::new(issuer.0, issuer.1, &[("project", UUID)], claims.clone());
    case().claim("apiKeyType", "personal").refused("kind of token: expected oidc, came \"personal\"");
    case().without("apiKeyType").refused("kind of token: expected oidc, came nothing");
    case()
        .claim("deploymentType", "prPlan")
        .refused("event: expected any deploymentType but prPlan, came prPlan");
}

#[test]
fn bitrise() {
    let issuer = (Provider::Bitrise, "https://token.builds.bitrise.io");
    let wrong = ("app_slug", json!("other"), "/app_slug: expected train, came other");
    check(issuer, &[("/app_slug", "train")], json!({ "app_slug": "train", "sub": "chosen" }), wrong);
    let chosen = Case::new(issuer.0, issuer.1, &[("/sub", "x")], json!({}));
    chosen.not_saved("whoever starts the job may choose it");
    // Anybody can have a repository's address in an app of their own.
    let repository = [("/repository_owner", "acme"), ("/repository_slug", "train")];
    Case::new(issuer.0, issuer.1, &repository, json!({})).not_saved("do not say whose runs are meant");
}

#[test]
fn fly() {
    let claims = json!({ "app_id": "1", "app_name": "train", "org_id": "2" });
    let wrong = ("app_name", json!("other"), "app: expected train, came other");
    check((Provider::Fly, "https://oidc.fly.io/acme"), &[("app", "train")], claims, wrong);
}

#[test]
fn vercel() {
    let claims = json!({ "owner_id": "team_1", "project_id": "prj_1", "environment": "production" });
    let conditions = [("project", "prj_1"), ("environment", "production")];
    let wrong = ("environment", json!("preview"), "environment: expected production, came preview");
    check((Provider::Vercel, "https://oidc.vercel.com"), &conditions, claims, wrong);
}

#[test]
fn modal() {
    let claims = json!({ "workspace_id": "ac-1", "app_id": "ap-1" });
    let conditions = [("workspace", "ac-1"), ("app", "ap-1")];
    let wrong = ("workspace_id", json!("ac-2"), "workspace: expected ac-1, came ac-2");
    check((Provider::Modal, "https://oidc.modal.com"), &conditions, claims, wrong);
}

#[test]
fn kubernetes() {
    let account = |namespace: &str, uid: &str| json!({ "namespace": namespace, "serviceaccount": { "name": "ci", "uid": uid } });
    let issuer = (Provider::Kubernetes, "https://oidc.eks.eu-west-1.amazonaws.com/id/0");
    let conditions = [("namespace", "acme"), ("service-account", "ci")];
    let claims = json!({ "sub": "system:serviceaccount:acme:ci", "kubernetes.io": account("acme", UUID) });
    let wrong = ("kubernetes.io", account("other", UUID), "namespace: expected acme, came other");
    check(issuer, &conditions, claims.clone(), wrong);
    // Made again under the same name.
    let pinned =
        Case::new(issuer.0, issuer.1, &conditions, claims).pin("kubernetes.io/serviceaccount/uid", UUID);
    pinned.granted();
    pinned
        .claim("kubernetes.io", account("acme", OTHER))
        .refused("pin kubernetes.io/serviceaccount/uid: expected a64b1c5e");
}

#[test]
fn aws() {
    const CLAIM: &str = "https://sts.amazonaws.com/";
    let issuer = (Provider::Aws, "https://x.tokens.sts.global.api.aws");
    let claims = json!({ CLAIM: { "aws_account": "123456789012", "request_tags": { "team": "ml" } } });
    let wrong = (CLAIM, json!({ "aws_account": "9" }), "account: expected 123456789012, came 9");
    check(issuer, &[("account", "123456789012")], claims, wrong);
    let tags = "/https:~1~1sts.amazonaws.com~1/request_tags";
    let condition = |pointer: &str| Case::new(issuer.0, issuer.1, &[(pointer, "ml")], json!({}));
    condition(tags).not_saved("whoever asks for the token chooses it");
    condition(&format!("{tags}/team")).not_saved("whoever asks for the token chooses it");
    condition(&format!("{tags}2")).rules().unwrap();
}

#[test]
fn azure() {
    let issuer = format!("https://login.microsoftonline.com/{UUID}/v2.0");
    let wrong = ("oid", json!(OTHER), "identity: expected a64b1c5e");
    let claims = json!({ "oid": UUID, "tid": UUID });
    check((Provider::Azure, &issuer), &[("identity", UUID)], claims, wrong);
}

#[test]
fn google() {
    let email = "ci@acme.iam.gserviceaccount.com";
    let claims = json!({ "sub": "113", "email": email, "email_verified": true });
    let wrong = ("email_verified", json!(false), "service-account: expected ci@acme");
    check((Provider::Google, "https://accounts.google.com"), &[("service-account", email)], claims, wrong);
}

#[test]
fn spiffe() {
    let id = "spiffe://acme.example.com/ci/publisher";
    let wrong = ("sub", json!("spiffe://acme.example.com/ci"), "id: expected spiffe://acme");
    check((Provider::Spiffe, "https://spire.example.com"), &[("id", id)], json!({ "sub": id }), wrong);
}
