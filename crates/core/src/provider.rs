//! What is known of each CI provider.
//!
//! A provider is one file here with one [`Preset`]: data and small pure functions. Everything that treats providers
//! differently asks the preset; the only `match` over providers is [`Provider::preset`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod address;
mod cautions;
mod field;
mod issuer_form;
mod pin;
mod preset;

mod aws;
mod azure;
mod azure_devops;
mod bitbucket;
mod bitrise;
mod buildkite;
mod circleci;
mod codefresh;
mod depot;
mod env0;
mod fly;
mod forgejo;
mod generic;
mod gitea;
mod github;
mod gitlab;
mod google;
mod hcp_terraform;
mod kubernetes;
mod modal;
mod semaphore;
mod spacelift;
mod spiffe;
mod vercel;

pub use address::{Address, AddressError};
pub use cautions::Cautions;
pub use field::{Case, Field};
pub use pin::{Marks, Pin};
pub(crate) use preset::compared;
pub use preset::{Defaults, Event, Preset};

use crate::issuer::IssuerUrl;
use crate::verified::VerifiedToken;

/// A CI provider that this project knows, or `generic` for any OIDC issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Provider {
    /// GitHub Actions, on github.com, GHE.com and GitHub Enterprise Server.
    Github,
    /// GitLab CI, on gitlab.com and self-managed.
    Gitlab,
    /// CircleCI.
    Circleci,
    /// Buildkite.
    Buildkite,
    /// Bitbucket Pipelines.
    Bitbucket,
    /// Forgejo Actions.
    Forgejo,
    /// Gitea Actions.
    Gitea,
    /// Depot CI.
    Depot,
    /// Azure DevOps Pipelines.
    AzureDevops,
    /// Semaphore.
    Semaphore,
    /// Codefresh.
    Codefresh,
    /// Spacelift.
    Spacelift,
    /// HCP Terraform.
    HcpTerraform,
    /// env0.
    Env0,
    /// Bitrise.
    Bitrise,
    /// Fly.io machines.
    Fly,
    /// Vercel.
    Vercel,
    /// Modal.
    Modal,
    /// Kubernetes service accounts.
    Kubernetes,
    /// Roles of AWS accounts.
    Aws,
    /// Azure managed identities.
    Azure,
    /// Google Cloud.
    Google,
    /// SPIFFE workloads.
    Spiffe,
    /// Any other OIDC issuer: conditions by JSON Pointer only, nothing pinned.
    Generic,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::Github,
        Self::Gitlab,
        Self::Circleci,
        Self::Buildkite,
        Self::Bitbucket,
        Self::Forgejo,
        Self::Gitea,
        Self::Depot,
        Self::AzureDevops,
        Self::Semaphore,
        Self::Codefresh,
        Self::Spacelift,
        Self::HcpTerraform,
        Self::Env0,
        Self::Bitrise,
        Self::Fly,
        Self::Vercel,
        Self::Modal,
        Self::Kubernetes,
        Self::Aws,
        Self::Azure,
        Self::Google,
        Self::Spiffe,
        Self::Generic,
    ];

    /// The facts about it.
    pub const fn preset(self) -> &'static Preset {
        match self {
            Self::Github => &github::PRESET,
            Self::Gitlab => &gitlab::PRESET,
            Self::Circleci => &circleci::PRESET,
            Self::Buildkite => &buildkite::PRESET,
            Self::Bitbucket => &bitbucket::PRESET,
            Self::Forgejo => &forgejo::PRESET,
            Self::Gitea => &gitea::PRESET,
            Self::Depot => &depot::PRESET,
            Self::AzureDevops => &azure_devops::PRESET,
            Self::Semaphore => &semaphore::PRESET,
            Self::Codefresh => &codefresh::PRESET,
            Self::Spacelift => &spacelift::PRESET,
            Self::HcpTerraform => &hcp_terraform::PRESET,
            Self::Env0 => &env0::PRESET,
            Self::Bitrise => &bitrise::PRESET,
            Self::Fly => &fly::PRESET,
            Self::Vercel => &vercel::PRESET,
            Self::Modal => &modal::PRESET,
            Self::Kubernetes => &kubernetes::PRESET,
            Self::Aws => &aws::PRESET,
            Self::Azure => &azure::PRESET,
            Self::Google => &google::PRESET,
            Self::Spiffe => &spiffe::PRESET,
            Self::Generic => &generic::PRESET,
        }
    }

    /// The provider that an issuer belongs to, if that can be said from its URL.
    pub fn owning(issuer: &IssuerUrl) -> Option<Self> {
        Self::ALL.into_iter().find(|provider| provider.preset().owns(issuer))
    }

    /// What a token says of itself in the friendly fields, such as `repository acme/train, branch main`.
    pub fn presented(self, token: &VerifiedToken) -> String {
        let fields = self.preset().fields.iter();
        let told =
            fields.filter_map(|field| Some(format!("{} {}", field.name, field.value_in(token.statement())?)));
        let told: Vec<String> = told.collect();
        if told.is_empty() { format!("subject {}", token.subject()) } else { told.join(", ") }
    }
}

/// No provider of that name.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected a provider: {known}; found {0:?}", known = names())]
pub struct UnknownProvider(String);

fn names() -> String {
    Provider::ALL.map(|provider| provider.preset().name).join(", ")
}

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        let named = Self::ALL.into_iter().find(|provider| provider.preset().name == text);
        named.ok_or_else(|| UnknownProvider(text.to_owned()))
    }
}

impl TryFrom<String> for Provider {
    type Error = UnknownProvider;

    fn try_from(text: String) -> Result<Self, UnknownProvider> {
        text.parse()
    }
}

impl From<Provider> for String {
    fn from(provider: Provider) -> Self {
        provider.preset().name.to_owned()
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.preset().name)
    }
}

/// Why conditions on `sub` are refused where a provider has it so.
const TEMPLATED: &str =
    "the provider lets its users template `sub`; use the preset's fields or the claims behind it";

#[cfg(test)]
mod tests;
