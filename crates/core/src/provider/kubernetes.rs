//! Kubernetes service accounts, with an issuer for each cluster: GKE, EKS (IRSA), AKS and those that run their own.
//!
//! A namespace and a service account can be made again under the same names; the account's `uid` is pinned.
//!
//! Source: Kubernetes documentation, "Managing Service Accounts"; the issuers are those of the three clouds.

use std::borrow::Cow;
use std::time::Duration;

use serde_json::Value;

use super::field::parse_slug;
use super::{Cautions, Defaults, Field, Pin, Preset};
use crate::algorithm::Algorithm;
use crate::statement::Statement;

pub(super) const PRESET: Preset = Preset {
    name: "kubernetes",
    title: "Kubernetes",
    issuers: &[],
    // AKS writes its own with and without a slash at the end, and means two different issuers.
    issuer_forms: &[
        "https://container.googleapis.com/v1/projects/*/locations/*/clusters/*",
        "https://oidc.eks.*.amazonaws.com/id/*",
        "https://*.oic.prod-aks.azure.com/*/*",
        "https://*.oic.prod-aks.azure.com/*/*/",
        "https://oidc.prod-aks.azure.com/*",
        "https://oidc.prod-aks.azure.com/*/",
        "https://oidc.prod-aks.azure.com/*/*",
        "https://oidc.prod-aks.azure.com/*/*/",
    ],
    fields: &[
        Field::new("namespace", CLAIM, parse_slug).single().read_by(namespace),
        Field::new("service-account", CLAIM, parse_slug).single().read_by(service_account),
    ],
    pins: &[Pin::uuid("kubernetes.io/serviceaccount/uid", "service-account").of_place().read_by(uid)],
    event: None,
    guard: |_, _| None,
    names_tenant: |rules| {
        rules.has_field("namespace")
            || rules.has_given_pin("kubernetes.io/serviceaccount/uid")
            || rules.has_pointer("sub")
    },
    tenant_remedy: "a cluster serves many: set namespace=NAME and service-account=NAME",
    unfit_claims: &[],
    cautions: Cautions::NONE,
    home: |_| None,
    proposed_claims: &[],
    known_claims: &[],
    recorded_claims: &["jti", CLAIM, "sub"],
    // The kubelet keeps one token in the pod's file and replaces it before it ends.
    defaults: Defaults::new(&[Algorithm::Rs256], Duration::from_hours(24), 10),
};

const CLAIM: &str = "kubernetes.io";

fn namespace<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    text(statement.claims().value(claim)?.get("namespace")?)
}

fn service_account<'a>(statement: &'a Statement, claim: &str) -> Option<Cow<'a, str>> {
    text(statement.claims().value(claim)?.get("serviceaccount")?.get("name")?)
}

fn uid<'a>(statement: &'a Statement, _: &str) -> Option<Cow<'a, str>> {
    text(statement.claims().value(CLAIM)?.get("serviceaccount")?.get("uid")?)
}

fn text(value: &Value) -> Option<Cow<'_, str>> {
    value.as_str().filter(|text| !text.is_empty()).map(Cow::Borrowed)
}
