//! Modal: a token in a container's variable.
//!
//! Source: Modal documentation, "Using OIDC to authenticate with external services".

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, declared};

/// Modal.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Modal,
    sign: "MODAL_IDENTITY_TOKEN or MODAL_TASK_ID",
    audience: AudienceChoice::Fixed("oidc.modal.com"),
    job: JobMark::IdToken,
    remark: Some("the token lives for 48 hours; let no code that you do not trust see it"),
    remedy: |_| {
        "create the sandbox with `include_oidc_identity_token=True`, and check that the App's name follows Modal's naming \
         rule"
            .to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&[VARIABLE, "MODAL_TASK_ID"]),
    mint: |surroundings, _| declared::first_of(surroundings, &[VARIABLE]),
};

const SNIPPET: &str = "modal.Sandbox.create(app=app, include_oidc_identity_token=True)";

const VARIABLE: &str = "MODAL_IDENTITY_TOKEN";
