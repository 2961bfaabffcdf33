//! Bitbucket Pipelines, with an issuer for each workspace.
//!
//! The issuer contains the workspace's name, which can change hands; the token contains ids only. They are UUIDs in
//! braces, and the braces are part of them. `sub` changes with each step and is never read.
//!
//! Source: Atlassian support, "Integrate Pipelines with resource servers using OIDC".

use std::time::Duration;

use super::field::{branch_of_ref, parse_ref_name};
use super::pin::parse_braced_uuid;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;

pub(super) const PRESET: Preset = Preset {
    name: "bitbucket",
    title: "Bitbucket Pipelines",
    issuers: &[],
    issuer_forms: &["https://api.bitbucket.org/2.0/workspaces/*/pipelines-config/identity/oidc"],
    fields: &[
        Field::new("workspace", "workspaceUuid", parse_braced_uuid).shorthand(braced).single().id(),
        Field::new("repository", "repositoryUuid", parse_braced_uuid).shorthand(braced).single().id(),
        Field::new("branch", "branchName", parse_ref_name).shorthand(branch_of_ref).guarded(),
        Field::new("environment", "deploymentEnvironmentUuid", parse_braced_uuid)
            .shorthand(braced)
            .id()
            .guarded(),
    ],
    pins: &[
        Pin::braced_uuid("repositoryUuid", "repository").of_place(),
        Pin::braced_uuid("workspaceUuid", "repository"),
    ],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("workspace")
            || rules.has_field("repository")
            || rules.has_given_pin("workspaceUuid")
            || rules.has_given_pin("repositoryUuid")
    },
    tenant_remedy: "the workspace's name in the issuer can change hands: set repository={UUID} or workspace={UUID}, with \
                    the braces",
    unfit_claims: &[("/sub", "it changes with every step; use the preset's fields")],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[
        "aud",
        "branchName",
        "deploymentEnvironmentUuid",
        "exp",
        "iat",
        "iss",
        "jti",
        "nbf",
        "pipelineRunUuid",
        "pipelineUuid",
        "repositoryUuid",
        "stepUuid",
        "sub",
        "workspaceUuid",
    ],
    recorded_claims: &[
        "branchName",
        "deploymentEnvironmentUuid",
        "pipelineRunUuid",
        "pipelineUuid",
        "repositoryUuid",
        "stepUuid",
        "workspaceUuid",
    ],
    defaults: Defaults {
        algorithms: &[Algorithm::Rs256],
        max_lifetime: Duration::from_hours(24),
        // One token lies in the step's variable for all its commands.
        max_exchanges: 10,
    },
};

/// Pages show the ids without the braces that are part of them.
fn braced(text: &str) -> Option<String> {
    (!text.starts_with('{')).then(|| format!("{{{text}}}"))
}
