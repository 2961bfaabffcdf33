//! The claims of both providers, and what follows from an override.

use countersign_core::{Provider as Preset, UnixTime};
use countersign_simulator::{Overrides, Simulator};
use serde_json::{Value, json};

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// Which claims a run with these overrides has: `(overrides, expected claims)`.
type Case = (&'static str, &'static [(&'static str, &'static str)]);

const GITHUB: [Case; 9] = [
    (
        "",
        &[
            ("sub", "repo:acme/train:ref:refs/heads/main"),
            ("repository_id", "74"),
            ("repository_owner", "acme"),
            ("repository_owner_id", "65"),
            ("ref_type", "branch"),
            ("workflow_ref", "acme/train/.github/workflows/publish.yml@refs/heads/main"),
            ("job_workflow_ref", "acme/train/.github/workflows/publish.yml@refs/heads/main"),
            ("head_ref", ""),
        ],
    ),
    (
        "repository=octo/other",
        &[
            ("sub", "repo:octo/other:ref:refs/heads/main"),
            ("repository_owner", "octo"),
            ("job_workflow_ref", "octo/other/.github/workflows/publish.yml@refs/heads/main"),
        ],
    ),
    ("repository=acme/other", &[("repository_owner_id", "65"), ("repository", "acme/other")]),
    (
        "repository=acme/renamed repository_id=74",
        &[("repository_id", "74"), ("sub", "repo:acme/renamed:ref:refs/heads/main")],
    ),
    (
        "ref=refs/tags/v1",
        &[
            ("sub", "repo:acme/train:ref:refs/tags/v1"),
            ("ref_type", "tag"),
            ("workflow_ref", "acme/train/.github/workflows/publish.yml@refs/tags/v1"),
        ],
    ),
    (
        "event_name=pull_request",
        &[
            ("sub", "repo:acme/train:pull_request"),
            ("ref", "refs/pull/7/merge"),
            ("head_ref", "patch-1"),
            ("base_ref", "main"),
        ],
    ),
    (
        "event_name=pull_request_target",
        &[
            ("sub", "repo:acme/train:ref:refs/heads/main"),
            ("ref", "refs/heads/main"),
            ("head_ref", "patch-1"),
        ],
    ),
    ("environment=prod:eu", &[("sub", "repo:acme/train:environment:prod%3Aeu"), ("environment", "prod:eu")]),
    (
        "workflow_ref=acme/train/.github/workflows/other.yml@refs/heads/main sub=anything",
        &[
            ("job_workflow_ref", "acme/train/.github/workflows/other.yml@refs/heads/main"),
            ("sub", "anything"),
        ],
    ),
];

const GITLAB: [Case; 4] = [
    (
        "",
        &[
            ("sub", "project_path:acme/train:ref_type:branch:ref:main"),
            ("project_id", "20"),
            ("namespace_id", "72"),
            ("ref_path", "refs/heads/main"),
            ("ref_protected", "true"),
        ],
    ),
    (
        "ref=v1 ref_type=tag",
        &[("ref_path", "refs/tags/v1"), ("sub", "project_path:acme/train:ref_type:tag:ref:v1")],
    ),
    ("ref_path=refs/tags/v2", &[("ref", "v2"), ("ref_type", "tag")]),
    (
        "project_path=octo/group/other environment=prod",
        &[
            ("namespace_path", "octo/group"),
            ("job_project_path", "octo/group/other"),
            ("deployment_tier", "production"),
        ],
    ),
];

fn check(cases: &[Case], claims_of: impl Fn(&Overrides) -> Value) {
    for (overrides, expected) in cases {
        let claims = claims_of(&overrides.parse().unwrap());
        for (name, value) in *expected {
            assert_eq!(claims[name], *value, "{name} with {overrides:?}");
        }
    }
}

#[tokio::test]
async fn derived_claims_follow_overrides() {
    let simulator = Simulator::start().await.unwrap();
    check(&GITHUB, |overrides| Value::Object(simulator.github().claims_of(overrides, NOW)));
    check(&GITLAB, |overrides| Value::Object(simulator.gitlab().claims_of(overrides, NOW)));
}

#[tokio::test]
async fn other_names_have_other_ids() {
    let simulator = Simulator::start().await.unwrap();
    let other = Overrides::new().set("repository", "octo/other");
    let claims = simulator.github().claims_of(&other, NOW);
    assert_ne!(claims["repository_id"], "74");
    assert_ne!(claims["repository_owner_id"], "65");
    let claims = simulator.gitlab().claims_of(&Overrides::new().set("project_path", "octo/other"), NOW);
    assert_ne!(claims["project_id"], "20");
    assert_ne!(claims["namespace_id"], "72");
}

#[tokio::test]
async fn the_immutable_subject_carries_the_ids() {
    let simulator = Simulator::start().await.unwrap();
    let claims = simulator.github().claims_of(&Overrides::new().with_immutable_subject(), NOW);
    assert_eq!(claims["sub"], "repo:acme@65/train@74:ref:refs/heads/main");
}

#[tokio::test]
async fn gitlab_types_and_times_are_gitlabs() {
    let simulator = Simulator::start().await.unwrap();
    let gitlab = simulator.gitlab();
    let claims = gitlab.claims(NOW);
    assert_eq!(claims["runner_id"], 1);
    assert_eq!(claims["nbf"], NOW.as_seconds() - 5);
    let host = gitlab.issuer().as_str().strip_prefix("http://").unwrap();
    assert_eq!(claims["ci_config_ref_uri"], format!("{host}/acme/train//.gitlab-ci.yml@refs/heads/main"));
    let foreign = gitlab.claims_of(&"ci_config_ref_uri:=null".parse().unwrap(), NOW);
    assert_eq!(foreign["ci_config_ref_uri"], json!(null));
}

#[tokio::test]
async fn every_claim_is_known_to_the_preset() {
    let simulator = Simulator::start().await.unwrap();
    let environment = Overrides::new().set("environment", "prod");
    let in_environments = [
        (Preset::Github, simulator.github().claims_of(&environment, NOW)),
        (Preset::Gitlab, simulator.gitlab().claims_of(&environment, NOW)),
    ];
    let usual =
        simulator.providers().map(|played| (played.preset(), played.claims_of(&Overrides::new(), NOW)));
    for (preset, claims) in usual.chain(in_environments) {
        let known = preset.preset().known_claims;
        let unknown: Vec<_> =
            claims.keys().filter(|name| !known.is_empty() && !known.contains(&name.as_str())).collect();
        assert!(unknown.is_empty(), "{preset}: {unknown:?}");
        // Kubernetes has its id inside of a claim.
        for pin in preset.preset().pins.iter().filter(|_| preset != Preset::Kubernetes) {
            assert!((pin.is_id)(claims[pin.claim].as_str().unwrap()), "{preset}: {}", pin.claim);
        }
    }
}

#[tokio::test]
async fn everybody_is_played() {
    let simulator = Simulator::start().await.unwrap();
    for preset in Preset::ALL {
        assert_eq!(simulator.provider(preset).is_some(), preset != Preset::Generic, "{preset}");
    }
}

const OTHERS: [(Preset, Case); 4] = [
    (
        Preset::Circleci,
        (
            "oidc.circleci.com/vcs-ref=refs/tags/v1 oidc.circleci.com/org-id=o oidc.circleci.com/project-id=p",
            &[(
                "sub",
                "org/o/project/p/user/1481aa56-0000-4000-8000-0000c01f5ae8/vcs-origin/github.com/acme/train/vcs-ref/refs/tags/v1",
            )],
        ),
    ),
    (
        Preset::Buildkite,
        (
            "pipeline_slug=other build_branch=dev build_commit=0",
            &[("sub", "organization:acme:pipeline:other:ref:refs/heads/dev:commit:0:step:publish")],
        ),
    ),
    (
        Preset::Forgejo,
        (
            "repository=acme/train ref=refs/tags/v1",
            &[
                ("sub", "repo:acme-65/train-74:ref:refs/tags/v1"),
                ("ref_type", "tag"),
                ("workflow_ref", "acme/train/.forgejo/workflows/publish.yml@refs/tags/v1"),
            ],
        ),
    ),
    (Preset::Depot, ("repository=acme/train", &[("repository_id", "74"), ("org_id", "org_acme")])),
];

#[tokio::test]
async fn other_providers_derive_too() {
    let simulator = Simulator::start().await.unwrap();
    for (preset, case) in OTHERS {
        let provider = simulator.provider(preset).unwrap();
        check(&[case], |overrides| Value::Object(provider.claims_of(overrides, NOW)));
    }
}

#[tokio::test]
async fn tokens_lie_in_the_variables_that_jobs_read() {
    let simulator = Simulator::start().await.unwrap();
    let own = |preset: Preset| simulator.provider(preset).unwrap().issuer().clone();
    for (preset, variable, audience) in [
        (Preset::Gitlab, "HF_ID_TOKEN", json!("https://hub.example.com")),
        (Preset::Circleci, "CIRCLE_OIDC_TOKEN_V2", json!("https://hub.example.com")),
        (
            Preset::Bitbucket,
            "BITBUCKET_STEP_OIDC_TOKEN",
            json!([
                "ari:cloud:bitbucket::workspace/45fd71af-0000-4000-8000-0000aef9ae13",
                "https://hub.example.com"
            ]),
        ),
        (Preset::Semaphore, "SEMAPHORE_OIDC_TOKEN", own(Preset::Semaphore).as_str().into()),
        (Preset::Spacelift, "SPACELIFT_OIDC_TOKEN", own(Preset::Spacelift).authority().into()),
        (Preset::HcpTerraform, "TFC_WORKLOAD_IDENTITY_TOKEN", json!("https://hub.example.com")),
        (Preset::Env0, "ENV0_OIDC_TOKEN", json!("https://prod.env0.com")),
        (Preset::Vercel, "VERCEL_OIDC_TOKEN", json!("https://hub.example.com")),
        (Preset::Modal, "MODAL_IDENTITY_TOKEN", json!("oidc.modal.com")),
        (Preset::Kubernetes, "HF_OIDC_ID_TOKEN", json!(["https://hub.example.com"])),
        (Preset::Fly, "HF_OIDC_ID_TOKEN", json!("https://hub.example.com")),
        (Preset::Aws, "HF_OIDC_ID_TOKEN", json!("https://hub.example.com")),
        (Preset::Spiffe, "HF_OIDC_ID_TOKEN", json!(["https://hub.example.com"])),
    ] {
        let job = simulator.provider(preset).unwrap().job(&Overrides::new(), "https://hub.example.com");
        let (_, token) = job.iter().find(|(name, _)| name == variable).unwrap();
        assert_eq!(crate::jwt::claims(token)["aud"], audience, "{preset}");
    }
}

#[tokio::test]
async fn a_gitlab_job_has_its_tokens_in_variables() {
    let simulator = Simulator::start().await.unwrap();
    let tokens = [("HF_ID_TOKEN", "https://hub.example.com"), ("NPM_ID_TOKEN", "npm:registry.example.com")];
    let variables = simulator.gitlab().job(&Overrides::new(), &tokens);
    let value =
        |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap();
    assert_eq!(value("GITLAB_CI"), "true");
    for (name, audience) in tokens {
        assert_eq!(crate::jwt::claims(value(name))["aud"], audience);
    }
}
