//! Vercel: a token in a build's variable.
//!
//! Source: Vercel documentation, "OIDC Federation".

use countersign_core::Provider;

use super::{AmbientProvider, AudienceChoice, JobMark, declared};

/// Vercel.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Vercel,
    sign: "VERCEL_OIDC_TOKEN or VERCEL=1",
    audience: AudienceChoice::Declared,
    job: JobMark::IdToken,
    remark: Some("one token serves the whole build, usually for https://vercel.com/TEAM"),
    remedy: |_| {
        "enable OIDC federation in the project's settings; the token is usually for https://vercel.com/TEAM, so give that \
         with --audience and have the registry accept it"
            .to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| {
        surroundings.variables.has_any(&[VARIABLE]) || surroundings.variables.is_exactly("VERCEL", "1")
    },
    mint: |surroundings, _| declared::first_of(surroundings, &[VARIABLE]),
};

const SNIPPET: &str = "\
resource \"vercel_project\" \"publish\" {
  oidc_token_config = { issuer_mode = \"team\" }
}";

const VARIABLE: &str = "VERCEL_OIDC_TOKEN";
