//! GitHub Actions: github.com, GHE.com and GitHub Enterprise Server.
//!
//! Source: GitHub documentation, "OpenID Connect reference", "Methods for requesting the OIDC token".

use countersign_core::{Audience, IdToken, Provider};
use serde_json::Value;

use super::{AmbientProvider, MintError, Minted};
use crate::http::{HttpError, Request, Response};
use crate::identity::Source;
use crate::retry;
use crate::surroundings::Surroundings;

/// GitHub Actions.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Github,
    sign: "GITHUB_ACTIONS=true",
    detect: |surroundings| surroundings.variables.is_exactly("GITHUB_ACTIONS", "true"),
    mint,
};

const TITLE: &str = PROVIDER.provider.preset().title;
const REQUEST_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const REQUEST_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
const REMEDY: &str = "add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see \
    https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments";

fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let url = url_for(variable(surroundings, REQUEST_URL)?, audience);
    let credential = variable(surroundings, REQUEST_TOKEN)?;
    let request = || Request::get(url.clone()).header("authorization", format!("Bearer {credential}"));
    let answer = retry::send(surroundings, request, is_transient)
        .map_err(|source| MintError::Unreachable { title: TITLE, source })?;
    match answer.status {
        200..=299 => {
            let token = value(&answer.body).ok_or(MintError::NoToken { title: TITLE, field: "value" })?;
            Ok((token, Source::Service(request().host().to_owned())))
        }
        status => Err(MintError::Refused { title: TITLE, status, remedy: REMEDY }),
    }
}

fn variable<'a>(surroundings: &'a Surroundings, name: &str) -> Result<&'a str, MintError> {
    let not_set_up = || MintError::NotSetUp {
        title: TITLE,
        reason: format!("{name} is not set"),
        remedy: REMEDY.to_owned(),
    };
    surroundings.variables.text(name).ok_or_else(not_set_up)
}

/// Appends the audience. The URL has a query already, whose parameters the service needs: nothing is replaced.
fn url_for(url: &str, audience: &Audience) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let audience: String = form_urlencoded::byte_serialize(audience.as_str().as_bytes()).collect();
    format!("{url}{separator}audience={audience}")
}

/// Minting changes nothing, so everything that may pass is tried again; a refusal will not pass.
fn is_transient(outcome: &Result<Response, HttpError>) -> bool {
    match outcome {
        Ok(answer) => answer.status == 429 || answer.status >= 500,
        Err(error) => matches!(error, HttpError::NoConnection { .. } | HttpError::NoAnswer { .. }),
    }
}

fn value(body: &[u8]) -> Option<IdToken> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let token = body.get("value")?.as_str()?;
    (!token.is_empty()).then(|| IdToken::from(token.to_owned()))
}
