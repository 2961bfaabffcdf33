//! GitLab CI: gitlab.com and self-managed.
//!
//! There is nothing to call: the job declares `id_tokens`, each with an audience, and finds them in variables whose names
//! it chose. So the token is looked for where people put it, and taken by its audience.
//!
//! Source: GitLab documentation, "OpenID Connect (OIDC) authentication using ID tokens".

use countersign_core::{Audience, IdToken, Provider};

use super::{AmbientProvider, AudienceChoice, JobMark, Minted, Obstacle, declared};
use crate::surroundings::Surroundings;
use crate::unverified::UnverifiedClaims;
use crate::variables::Variables;

/// GitLab CI.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Gitlab,
    sign: "GITLAB_CI=true",
    audience: AudienceChoice::Declared,
    job: JobMark::IdToken,
    remark: Some("one token serves the whole job, and it is as old as the job"),
    remedy: |audience| {
        format!(
            "add `id_tokens: {{ {HUB_VARIABLE}: {{ aud: {audience} }} }}` to the job, and if GitLab says that ID token \
             issuance is disabled, let the project's `ci_id_token_sub_claim_components` begin with `project_id`"
        )
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.is_exactly("GITLAB_CI", "true"),
    mint,
};

const SNIPPET: &str = "\
publish:
  id_tokens:
    HF_ID_TOKEN:
      aud: {audience}";

const SUFFIX: &str = "_ID_TOKEN";
/// The name in the Hub's documentation.
const HUB_VARIABLE: &str = "HF_ID_TOKEN";

/// Looks in the Hub's variable, in the one that other tools derive from the audience, then in all that end in
/// `_ID_TOKEN`. A token for another audience is passed over: a job may have several.
fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let variables = &surroundings.variables;
    let derived = derived_name(audience);
    let names = [HUB_VARIABLE, &derived].into_iter().chain(variables.names_ending(SUFFIX));
    declared::first_for(variables, audience, names)
        .ok_or_else(|| Obstacle::NotSetUp(reason(variables, audience)))
}

/// The audience in capitals with `_` for everything that no variable's name may have: `HTTPS___HUB_EXAMPLE_COM_ID_TOKEN`.
fn derived_name(audience: &Audience) -> String {
    let fit = |character: char| match character {
        _ if character.is_ascii_alphanumeric() => character.to_ascii_uppercase(),
        _ => '_',
    };
    audience.as_str().chars().map(fit).chain(SUFFIX.chars()).collect()
}

fn reason(variables: &Variables, audience: &Audience) -> String {
    let found: Vec<String> = variables.names_ending(SUFFIX).map(|name| describe(variables, name)).collect();
    if found.is_empty() {
        format!("no variable ending in {SUFFIX} is set")
    } else {
        format!("expected a token for {audience}, found {}", found.join(", "))
    }
}

fn describe(variables: &Variables, name: &str) -> String {
    let token = IdToken::from(variables.text(name).unwrap_or_default().to_owned());
    match UnverifiedClaims::read(&token) {
        Ok(claims) => format!("{name} for {:?}", claims.audiences().join(", ")),
        Err(_) => format!("{name}, which holds no JWT"),
    }
}
