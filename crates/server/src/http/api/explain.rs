//! `POST /api/v1/explain`: what an exchange would come to, and why. Nothing is issued or used up.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use countersign_core::decision::{Outcome, explain as explain_in_full, explain_to_caller};
use countersign_core::{IdToken, Resource};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Changing;
use super::caller::admin_token;
use super::input::Json;
use super::problem::Problem;
use crate::exchange::ExchangeError;
use crate::http::App;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(explain))
}

/// What to explain.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Question {
    /// The id token of a CI job.
    id_token: String,
    /// What the access token would be for.
    #[schema(value_type = String)]
    resource: Resource,
}

/// What an exchange would come to.
#[derive(Debug, Serialize, ToSchema)]
struct ExplanationView {
    /// What it would come to; to those who manage the resource, as if the id token was not used yet.
    outcome: OutcomeName,
    /// The stable code of a refusal.
    code: Option<&'static str>,
    /// The same in words.
    message: String,
    /// Every check of every publisher, nearest first; in full for whoever manages the resource, and for the job as far as
    /// its token has proved that it comes from a publisher's own repository.
    #[schema(value_type = Option<Object>)]
    decision: Option<Value>,
}

/// What an exchange would come to.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum OutcomeName {
    Granted,
    Refused,
}

/// Explains what an exchange would come to. An id token that is not used up is enough for what its job may know; an admin
/// token that is about the resource gets everything.
#[utoipa::path(post, path = "/explain", tag = "explanation", request_body = Question, security((), ("admin_token" = [])),
    responses((status = 200, body = ExplanationView), Changing))]
async fn explain(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Json<Question>,
) -> Result<Answer<ExplanationView>, Problem> {
    let Question { id_token, resource } = body.value;
    let manages = may_see_all(&app, &headers, &resource).await?;
    let examined = app.exchange.examine(&IdToken::from(id_token), &resource).await;
    let examined = match examined {
        Ok(examined) => examined,
        Err(error) if !error.is_about_the_token() => return Err(Problem::not_now(&error)),
        Err(error) => return Ok(Answer(ExplanationView::unverified(&error, manages))),
    };
    // Id tokens end up in logs. One that is used up buys nothing any more, so it must not buy what there is to know either,
    // except for those who may know anyway.
    if examined.is_used_up && !manages {
        return Ok(Answer(ExplanationView::unverified(&examined.replayed(), manages)));
    }
    let (token, publishers) = (&examined.token, &examined.publishers);
    let whole = explain_in_full(&resource, publishers, token.statement());
    let outcome = match whole.outcome() {
        Outcome::Granted { .. } => OutcomeName::Granted,
        Outcome::Refused => OutcomeName::Refused,
    };
    let for_caller = explain_to_caller(&resource, publishers, token, examined.issuer.provider);
    let code = match (outcome, manages, whole.publishers().is_empty()) {
        (OutcomeName::Granted, ..) => None,
        // To a stranger both read the same: neither says whether the resource exists.
        (OutcomeName::Refused, true, true) => Some("no_publisher"),
        (OutcomeName::Refused, ..) => Some("not_matched"),
    };
    let decision = if manages { serde_json::to_value(&whole) } else { serde_json::to_value(&for_caller) };
    Ok(Answer(ExplanationView {
        outcome,
        code,
        message: for_caller.message().to_owned(),
        decision: decision.ok(),
    }))
}

impl ExplanationView {
    fn unverified(error: &ExchangeError, manages: bool) -> Self {
        Self {
            outcome: OutcomeName::Refused,
            code: Some(error.code()),
            message: if manages { error.for_log() } else { error.to_string() },
            decision: None,
        }
    }
}

/// Whether the request bears an admin token that is about the resource. One that bears a bad one is refused: whoever sends
/// it believes to ask as somebody.
async fn may_see_all(app: &App, headers: &HeaderMap, resource: &Resource) -> Result<bool, Problem> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(false);
    }
    let token =
        admin_token(app, headers, app.exchange.clock.now()).await?.ok_or_else(Problem::unauthorized)?;
    Ok(token.sees(&resource.to_string()))
}
