//! AWS: the role of a function, container or pod, through `GetWebIdentityToken`.
//!
//! Keys alone are no sign: they lie on every developer's machine. Virtual machines are not asked for theirs; on one, the
//! variables have to be set.
//!
//! Source: AWS STS API, `GetWebIdentityToken`; AWS SDKs Reference Guide, "Container credential provider".

use std::path::Path;

use countersign_core::{Audience, Provider};
use serde_json::Value;

mod signature;

use signature::{Credentials, authorization, date_time};

use super::token_service::{Answer, ask, variable};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted, Obstacle};
use crate::http::Request;
use crate::retry;
use crate::surroundings::Surroundings;

/// AWS.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Aws,
    sign: "AWS_EXECUTION_ENV, AWS_LAMBDA_FUNCTION_NAME or AWS_CONTAINER_CREDENTIALS_…_URI",
    audience: AudienceChoice::Asked,
    job: JobMark::Nothing,
    remark: Some("everything that has this role has the same identity"),
    remedy: |_| {
        "enable outbound identity federation for the account, allow the role `sts:GetWebIdentityToken`, and set AWS_REGION: \
         the global endpoint does not mint"
            .to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| {
        let signs = ["AWS_EXECUTION_ENV", "AWS_LAMBDA_FUNCTION_NAME", FULL_URI, RELATIVE_URI];
        surroundings.variables.has_any(&signs)
    },
    mint,
};

const SNIPPET: &str = "\
{
  \"Effect\": \"Allow\",
  \"Action\": \"sts:GetWebIdentityToken\",
  \"Resource\": \"*\",
  \"Condition\": { \"ForAllValues:StringEquals\": { \"sts:IdentityTokenAudience\": {audience} } }
}";

const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const CONTAINERS: &str = "http://169.254.170.2";

fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let variables = &surroundings.variables;
    let region = variables.text("AWS_REGION").or_else(|| variables.text("AWS_DEFAULT_REGION"));
    let region = region.ok_or_else(|| Obstacle::unset("AWS_REGION"))?;
    let credentials = credentials(surroundings)?;
    let host = format!("sts.{region}.amazonaws.com");
    let audience: String = form_urlencoded::byte_serialize(audience.as_str().as_bytes()).collect();
    let body = format!(
        "Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1={audience}&DurationSeconds=300&SigningAlgorithm=RS256"
    );
    let now = surroundings.clock.now();
    let request = || {
        let request = Request::post_form(format!("https://{host}/"), body.clone())
            .header("x-amz-date", date_time(now))
            .header("authorization", authorization(&credentials, region, &host, &body, now));
        match &credentials.session_token {
            Some(token) => request.header("x-amz-security-token", token.clone()),
            None => request,
        }
    };
    ask(surroundings, request, Answer::Element("WebIdentityToken"))
}

/// Those in variables, else those that the container's host gives.
fn credentials(surroundings: &Surroundings) -> Result<Credentials, Obstacle> {
    let text = |name: &str| surroundings.variables.text(name).map(str::to_owned);
    if let (Some(access_key), Some(secret_key)) = (text("AWS_ACCESS_KEY_ID"), text("AWS_SECRET_ACCESS_KEY")) {
        return Ok(Credentials { access_key, secret_key, session_token: text("AWS_SESSION_TOKEN") });
    }
    let url = match text(RELATIVE_URI) {
        Some(path) => format!("{CONTAINERS}{path}"),
        None => {
            variable(surroundings, FULL_URI).map_err(|_| Obstacle::unset("AWS_ACCESS_KEY_ID"))?.to_owned()
        }
    };
    let token = container_token(surroundings)?;
    let request = || {
        let request = Request::get(url.clone());
        match &token {
            Some(token) => request.header("authorization", token.clone()),
            None => request,
        }
    };
    let response = retry::send(surroundings, request, super::token_service::is_transient)
        .map_err(Obstacle::Unreachable)?;
    if response.status != 200 {
        return Err(Obstacle::Status(response.status));
    }
    read(&response.body)
        .ok_or_else(|| Obstacle::NoToken("the credentials of the container's role".to_owned()))
}

/// What the container's host wants to see: in EKS a file keeps it fresh.
fn container_token(surroundings: &Surroundings) -> Result<Option<String>, Obstacle> {
    let Some(path) = surroundings.variables.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") else {
        return Ok(surroundings.variables.text("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(str::to_owned));
    };
    let unreadable =
        |error: std::io::Error| Obstacle::NotSetUp(format!("the file {path} cannot be read: {error}"));
    Ok(Some(surroundings.files.read(Path::new(path)).map_err(unreadable)?.trim().to_owned()))
}

fn read(body: &[u8]) -> Option<Credentials> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let text = |name: &str| Some(body.get(name)?.as_str()?.to_owned());
    Some(Credentials {
        access_key: text("AccessKeyId")?,
        secret_key: text("SecretAccessKey")?,
        session_token: text("Token"),
    })
}
