//! What holds for all presets.

use super::{Marks, Provider};
use crate::issuer::IssuerUrl;

fn check(issuer: &str, expected: Option<Provider>) {
    let issuer: IssuerUrl = issuer.parse().unwrap();
    let owners: Vec<Provider> =
        Provider::ALL.into_iter().filter(|provider| provider.preset().owns(&issuer)).collect();
    assert_eq!(owners, Vec::from_iter(expected), "{issuer}");
    assert_eq!(Provider::owning(&issuer), expected, "{issuer}");
}

#[test]
fn an_issuer_belongs_to_one_provider() {
    let uuid = "a64b1c5e-0000-4000-8000-000000000000";
    for (issuer, expected) in [
        ("https://token.actions.githubusercontent.com", Some(Provider::Github)),
        ("https://token.actions.githubusercontent.com/octo-enterprise", Some(Provider::Github)),
        ("https://token.actions.octo.ghe.com", Some(Provider::Github)),
        ("https://token.actions.octo.ghe.com/octo", Some(Provider::Github)),
        ("https://ghes.example.com/_services/token", Some(Provider::Github)),
        ("https://gitlab.com", Some(Provider::Gitlab)),
        ("https://gitlab.example.com", None),
        ("https://oidc.circleci.com", Some(Provider::Circleci)),
        (&format!("https://oidc.circleci.com/org/{uuid}"), Some(Provider::Circleci)),
        ("https://agent.buildkite.com", Some(Provider::Buildkite)),
        (
            "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
            Some(Provider::Bitbucket),
        ),
        ("https://forge.example.com/api/actions", Some(Provider::Forgejo)),
        ("https://gitea.example.com/api/actions/oidc", Some(Provider::Gitea)),
        ("https://identity.depot.dev", Some(Provider::Depot)),
        (&format!("https://vstoken.dev.azure.com/{uuid}"), Some(Provider::AzureDevops)),
        ("https://acme.semaphoreci.com", Some(Provider::Semaphore)),
        ("https://oidc.codefresh.io", Some(Provider::Codefresh)),
        ("https://acme.app.spacelift.io", Some(Provider::Spacelift)),
        ("https://app.terraform.io", Some(Provider::HcpTerraform)),
        ("https://login.app.env0.com/", Some(Provider::Env0)),
        ("https://token.builds.bitrise.io", Some(Provider::Bitrise)),
        ("https://oidc.fly.io/acme", Some(Provider::Fly)),
        ("https://oidc.vercel.com", Some(Provider::Vercel)),
        ("https://oidc.vercel.com/acme", Some(Provider::Vercel)),
        ("https://oidc.modal.com", Some(Provider::Modal)),
        (
            "https://container.googleapis.com/v1/projects/p/locations/europe-west1/clusters/c",
            Some(Provider::Kubernetes),
        ),
        ("https://oidc.eks.eu-west-1.amazonaws.com/id/0123ABC", Some(Provider::Kubernetes)),
        (&format!("https://westeurope.oic.prod-aks.azure.com/{uuid}/{uuid}/"), Some(Provider::Kubernetes)),
        (&format!("https://oidc.prod-aks.azure.com/{uuid}"), Some(Provider::Kubernetes)),
        ("https://abc123-0.tokens.sts.global.api.aws", Some(Provider::Aws)),
        (&format!("https://login.microsoftonline.com/{uuid}/v2.0"), Some(Provider::Azure)),
        (&format!("https://sts.windows.net/{uuid}/"), Some(Provider::Azure)),
        (&format!("https://sts.windows.net/{uuid}"), None),
        ("https://accounts.google.com", Some(Provider::Google)),
        ("https://identity.depot.dev.evil.example.com", None),
        ("https://ci.example.com", None),
    ] {
        check(issuer, expected);
    }
}

#[test]
fn presets_are_sound() {
    for provider in Provider::ALL {
        let preset = provider.preset();
        assert_eq!(preset.name.parse(), Ok(provider));
        for pin in preset.pins {
            assert!(preset.field(pin.learned_with).is_some(), "{provider}: {}", pin.claim);
        }
        for issuer in preset.issuers {
            assert!(issuer.parse::<IssuerUrl>().is_ok(), "{issuer}");
        }
        let read =
            preset.pins.iter().map(|pin| pin.claim).chain(preset.event.iter().map(|event| event.claim));
        for claim in read.chain(preset.recorded_claims.iter().copied()) {
            assert!(
                preset.known_claims.is_empty() || preset.known_claims.contains(&claim),
                "{provider}: {claim}"
            );
        }
        for claims in [preset.known_claims, preset.recorded_claims] {
            assert!(claims.is_sorted(), "{provider}: {claims:?}");
        }
        assert!(preset.defaults.max_exchanges > 0 && !preset.defaults.algorithms.is_empty());
    }
}

#[test]
fn a_preset_has_one_id_of_the_place_that_runs_come_from_or_none() {
    let without = [
        Provider::Aws,
        Provider::Bitrise,
        Provider::Generic,
        Provider::Modal,
        Provider::Spacelift,
        Provider::Spiffe,
    ];
    for provider in Provider::ALL {
        let pins = provider.preset().pins;
        let places: Vec<usize> = (0..pins.len()).filter(|index| pins[*index].marks == Marks::Place).collect();
        // More particular than that nothing is.
        let expected = if without.contains(&provider) { vec![] } else { vec![0] };
        assert_eq!(places, expected, "{provider}");
    }
}

#[test]
fn pins_go_from_the_particular_to_the_general() {
    let ends = |provider: Provider| {
        let pins = provider.preset().pins;
        (pins.first().map(|pin| pin.claim), pins.last().map(|pin| pin.claim))
    };
    for (provider, own, tenant) in [
        (Provider::Github, "repository_id", "repository_owner_id"),
        (Provider::Gitlab, "project_id", "namespace_id"),
        (Provider::Circleci, "oidc.circleci.com/project-id", "oidc.circleci.com/org-id"),
        (Provider::Buildkite, "pipeline_id", "organization_id"),
        (Provider::Bitbucket, "repositoryUuid", "workspaceUuid"),
        (Provider::Forgejo, "repository_id", "repository_owner_id"),
        (Provider::Gitea, "repository_id", "repository_owner_id"),
        (Provider::Depot, "repository_id", "org_id"),
        (Provider::AzureDevops, "prj_id", "org_id"),
        (Provider::Semaphore, "prj_id", "org_id"),
        (Provider::Codefresh, "pipeline_id", "account_id"),
        (Provider::HcpTerraform, "terraform_workspace_id", "terraform_organization_id"),
        (Provider::Env0, "projectId", "organizationId"),
        (Provider::Fly, "app_id", "org_id"),
        (Provider::Vercel, "project_id", "owner_id"),
        (Provider::Azure, "oid", "tid"),
    ] {
        assert_eq!(ends(provider), (Some(own), Some(tenant)), "{provider}");
    }
}
