//! Spacelift: a token for the account's host in a variable and in a file.
//!
//! Source: Spacelift documentation, "OpenID Connect".

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, declared};

/// Spacelift.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Spacelift,
    sign: "SPACELIFT_OIDC_TOKEN or TF_VAR_spacelift_run_id",
    audience: AudienceChoice::Fixed("the host of the Spacelift account"),
    job: JobMark::IdToken,
    remark: Some("one token serves the whole run, for an hour; in a proposed run it is refused"),
    remedy: |_| {
        "check that the account's plan has OpenID Connect, and that nothing removed the variable".to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&[VARIABLE, "TF_VAR_spacelift_run_id"]),
    mint: |surroundings, _| {
        declared::first_of(surroundings, &[VARIABLE]).or_else(|unset| {
            declared::in_file(surroundings, "/mnt/workspace/spacelift.oidc").map_err(|_| unset)
        })
    },
};

const SNIPPET: &str = "\
stack_defaults:
  before_apply:
    - countersign doctor --audience ACCOUNT.app.spacelift.io";

const VARIABLE: &str = "SPACELIFT_OIDC_TOKEN";
