//! CircleCI.
//!
//! Its command cannot be played by a server, so a token for the asked audience lies in `CIRCLE_OIDC_TOKEN_V2`, where an
//! organization that has set its audience finds one; `CIRCLE_OIDC_TOKEN` is for the organization's id, as usual.
//!
//! Source: CircleCI documentation, "Using OpenID Connect tokens in jobs".

use std::time::Duration;

use countersign_core::Provider as Preset;
use serde_json::{Value, json};

use crate::ids::uuid_of;
use crate::overrides::Overrides;
use crate::provider::{Platform, Provider, Run, variables};

/// The marker of CircleCI.
pub(crate) struct CircleCi;

impl Platform for CircleCi {
    const PRESET: Preset = Preset::Circleci;
    const KEY_SET: &'static str = "/.well-known/jwks-pub.json";

    fn claims(run: &Run<'_>) -> Value {
        let text = |claim: &str, usual: &str| run.overrides.text_or(claim, usual);
        let organization = text(ORGANIZATION, &uuid_of("acme"));
        let project = text("oidc.circleci.com/project-id", &uuid_of("acme/train"));
        let origin = text("oidc.circleci.com/vcs-origin", "github.com/acme/train");
        let reference = text("oidc.circleci.com/vcs-ref", "refs/heads/main");
        let user = uuid_of("octocat");
        json!({
            "iss": run.issuer,
            "sub": format!(
                "org/{organization}/project/{project}/user/{user}/vcs-origin/{origin}/vcs-ref/{reference}"
            ),
            "iat": run.now,
            "exp": run.now + Duration::from_hours(1),
            "oidc.circleci.com/context-ids": [uuid_of("context")],
            "oidc.circleci.com/job-id": uuid_of(run.token_id),
            ORGANIZATION: organization,
            "oidc.circleci.com/pipeline-definition-id": uuid_of("acme/train pipeline"),
            "oidc.circleci.com/pipeline-id": uuid_of("run"),
            "oidc.circleci.com/project-id": project,
            "oidc.circleci.com/ssh-rerun": false,
            "oidc.circleci.com/vcs-origin": origin,
            "oidc.circleci.com/vcs-ref": reference,
            "oidc.circleci.com/workflow-id": uuid_of("workflow"),
        })
    }

    fn environment(
        provider: &Provider<Self>,
        overrides: &Overrides,
        audience: &str,
    ) -> Vec<(String, String)> {
        let claims = provider.claims_of(overrides, provider.now());
        let text = |claim: &str| claims.get(claim).and_then(Value::as_str).unwrap_or_default();
        variables([
            ("CI", "true"),
            ("CIRCLECI", "true"),
            ("CIRCLE_ORGANIZATION_ID", text(ORGANIZATION)),
            ("CIRCLE_PROJECT_ID", text("oidc.circleci.com/project-id")),
            ("CIRCLE_OIDC_TOKEN", &provider.mint(overrides, text(ORGANIZATION))),
            ("CIRCLE_OIDC_TOKEN_V2", &provider.mint(overrides, audience)),
        ])
    }
}

const ORGANIZATION: &str = "oidc.circleci.com/org-id";
