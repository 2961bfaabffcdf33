//! Gitea Actions: GitHub's contract; the claims, which are not released yet, are taken from Forgejo.

use std::sync::Arc;

use axum::Router;
use countersign_core::Provider as Preset;
use serde_json::Value;

use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};
use crate::{forgejo, github};

/// The marker of Gitea Actions.
pub(crate) struct Gitea;

impl Platform for Gitea {
    const PRESET: Preset = Preset::Gitea;
    const KEY_SET: &'static str = "/.well-known/keys";

    fn claims(run: &Run<'_>) -> Value {
        forgejo::claims(run)
    }

    fn environment(provider: &Provider<Self>, overrides: &Overrides, _: &str) -> Vec<(String, String)> {
        let mut environment = provider.start_actions_job(overrides);
        environment.extend(variables([("GITEA_ACTIONS", "true")]));
        environment
    }

    fn routes(provider: Arc<Provider<Self>>) -> Router {
        github::mint_route(provider)
    }
}
