//! Shared issuers, each of which needs to be told whose runs are meant (F12).

use super::*;

/// A provider, an issuer that its customers share or whose name can change hands, a condition that says nothing of whose run
/// it is, and one that does.
type Row = (Provider, &'static str, (&'static str, &'static str), (&'static str, &'static str));

const UUID: &str = "a64b1c5e-0000-4000-8000-000000000001";
const SHARED: [Row; 15] = [
    (Provider::Circleci, "https://oidc.circleci.com", ("ref", "refs/heads/main"), ("organization", UUID)),
    (Provider::Buildkite, "https://agent.buildkite.com", ("branch", "main"), ("organization", "acme")),
    (
        Provider::Bitbucket,
        "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
        ("branch", "main"),
        ("workspace", "{a64b1c5e-0000-4000-8000-000000000001}"),
    ),
    (Provider::Depot, "https://identity.depot.dev", ("branch", "main"), ("organization", "org_1")),
    (
        Provider::Forgejo,
        "https://forge.example.com/api/actions",
        ("branch", "main"),
        ("repository", "acme/train"),
    ),
    (Provider::Semaphore, "https://acme.semaphoreci.com", ("branch", "main"), ("project", UUID)),
    (Provider::Codefresh, "https://oidc.codefresh.io", ("ref", "main"), ("account", "acme")),
    (Provider::HcpTerraform, "https://app.terraform.io", ("phase", "apply"), ("organization", "acme")),
    (Provider::Env0, "https://login.app.env0.com/", ("environment", "prod"), ("organization", UUID)),
    (Provider::Fly, "https://oidc.fly.io/acme", ("/machine_name", "m"), ("app", "train")),
    (Provider::Vercel, "https://oidc.vercel.com", ("environment", "production"), ("owner", "team_1")),
    (Provider::Modal, "https://oidc.modal.com", ("function", "fu-1"), ("workspace", "ac-1")),
    (
        Provider::Kubernetes,
        "https://oidc.eks.eu-west-1.amazonaws.com/id/0",
        ("service-account", "ci"),
        ("namespace", "ci"),
    ),
    (
        Provider::Azure,
        "https://sts.windows.net/a64b1c5e-0000-4000-8000-000000000001/",
        ("/appid", "x"),
        ("identity", UUID),
    ),
    (
        Provider::Google,
        "https://accounts.google.com",
        ("/azp", "1"),
        ("service-account", "ci@acme.iam.gserviceaccount.com"),
    ),
];

#[test]
fn f12_a_shared_issuer_needs_its_tenant() {
    for (provider, issuer, anybody, tenant) in SHARED {
        let case = |condition: (&str, &str)| Case::new(provider, issuer, &[condition], json!({}));
        case(anybody).not_saved("do not say whose runs are meant");
        case(tenant).rules().unwrap();
        let mut generic = case(("/x", "y"));
        generic.rules.provider = Provider::Generic;
        if Provider::owning(&generic.rules.issuer).is_some() {
            generic.not_saved(&format!("use --provider {provider}"));
        }
    }
}
