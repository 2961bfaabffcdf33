//! `/api/v1/exchanges`: what was asked, what was decided, and why.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use countersign_core::proposal::propose;
use countersign_core::publisher::PublisherId;
use countersign_core::{Claims, Statement, UnixTime};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::input::{Id, Parameters};
use super::list::List;
use super::problem::Problem;
use super::publishers::{RulesView, WarningView};
use super::{Changing, Reading};
use crate::http::App;
use crate::issuers::Found;
use crate::store::{ExchangeFilter, ExchangeId, RecordedExchange};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show)).routes(routes!(proposal))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    /// Those for this resource.
    resource: Option<String>,
    /// Those that this publisher let in.
    #[param(value_type = Option<String>)]
    publisher: Option<PublisherId>,
    /// Those of this issuer's id tokens.
    issuer: Option<String>,
    /// Those that came to this: `issued`, or the code of a refusal.
    outcome: Option<String>,
    /// Those of this `sub`.
    subject: Option<String>,
    /// Those with a recorded claim of that value, as `name:value`, such as `run_id:1234`.
    claim: Option<String>,
    /// Those at this time or later, in Unix seconds.
    since: Option<i64>,
    /// Those before this time.
    until: Option<i64>,
    /// The `next` of the part before.
    after: Option<String>,
    /// How many entries at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// A part of the exchanges.
#[derive(Debug, Serialize, ToSchema)]
struct ExchangeList {
    /// The exchanges, newest first.
    exchanges: Vec<ExchangeView>,
    /// Where the next part begins; `null` at the end. A search that took long has one although the part is not full.
    next: Option<String>,
}

/// An exchange.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ExchangeView {
    /// Its id: the request id that the caller saw, and the `jti` of the token.
    id: String,
    /// When, in Unix seconds.
    at: i64,
    /// `issued`, or the code of the refusal.
    outcome: String,
    /// The resource.
    resource: Option<String>,
    /// The issuer, if the id token was good.
    issuer: Option<String>,
    /// Its `sub`.
    subject: Option<String>,
    /// The publisher that let it in.
    publisher: Option<String>,
    /// When the token ends.
    expires_at: Option<i64>,
    /// When the token was revoked.
    revoked_at: Option<i64>,
    /// The whole explanation of a refusal.
    explanation: Option<String>,
    /// The claims that say which run it was.
    #[schema(value_type = Object)]
    claims: Value,
    /// What the owner should know.
    #[schema(value_type = Vec<Object>)]
    notices: Vec<Value>,
}

impl ExchangeView {
    pub(super) fn of(exchange: RecordedExchange) -> Self {
        let member = |name: &str| exchange.detail.get(name).cloned();
        Self {
            explanation: member("explanation").and_then(|text| text.as_str().map(str::to_owned)),
            claims: member("claims").unwrap_or_else(|| Value::Object(serde_json::Map::new())),
            notices: member("notices").and_then(|list| list.as_array().cloned()).unwrap_or_default(),
            id: exchange.id.0,
            at: exchange.at.as_seconds(),
            outcome: exchange.outcome,
            resource: exchange.resource,
            issuer: exchange.issuer,
            subject: exchange.subject,
            publisher: exchange.publisher,
            expires_at: exchange.expires_at.map(UnixTime::as_seconds),
            revoked_at: exchange.revoked_at.map(UnixTime::as_seconds),
        }
    }
}

/// Searches the exchanges for the resources that the caller may see.
#[utoipa::path(get, path = "/exchanges", tag = "exchanges", params(ListParameters),
    responses((status = 200, body = ExchangeList), Reading))]
async fn list(
    caller: Caller,
    State(app): State<Arc<App>>,
    Parameters(wanted): Parameters<ListParameters>,
) -> Result<Answer<ExchangeList>, Problem> {
    let claim = wanted.claim.as_deref().map(|text| {
        let split = text.split_once(':').map(|(name, value)| (name.to_owned(), value.to_owned()));
        split.ok_or_else(|| Problem::malformed(format!("claim: expected name:value, found {text:?}")))
    });
    let filter = ExchangeFilter {
        resource: wanted.resource,
        publisher: wanted.publisher,
        issuer: wanted.issuer,
        outcome: wanted.outcome,
        subject: wanted.subject,
        claim: claim.transpose()?,
        since: wanted.since.map(UnixTime::from_seconds),
        until: wanted.until.map(UnixTime::from_seconds),
        live_at: None,
        within: caller.horizon(),
    };
    let page = List::Exchanges.page(&app, wanted.after.as_deref(), wanted.limit)?;
    let part = app.exchange.store.exchanges(&filter, &page).await?;
    let exchanges = part.entries.into_iter().map(ExchangeView::of).collect();
    Ok(Answer(ExchangeList { exchanges, next: List::Exchanges.next(&app, part.next)? }))
}

/// Shows an exchange.
#[utoipa::path(get, path = "/exchanges/{id}", tag = "exchanges", params(("id" = String, Path)),
    responses((status = 200, body = ExchangeView), Reading))]
async fn show(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Result<Answer<ExchangeView>, Problem> {
    Ok(Answer(ExchangeView::of(visible(&caller, &app, id).await?)))
}

/// An exchange that the caller may see.
pub(super) async fn visible(caller: &Caller, app: &App, id: String) -> Result<RecordedExchange, Problem> {
    let exchange = app.exchange.store.exchange(&ExchangeId(id)).await?;
    let exchange = exchange.filter(|exchange| match &exchange.resource {
        Some(resource) => caller.sees(resource),
        None => caller.horizon().is_none(),
    });
    exchange.ok_or_else(|| Problem::not_found("exchange"))
}

/// The publisher that would have let a run in, for its owner to look at and to send to `POST /publishers`.
#[derive(Debug, Serialize, ToSchema)]
struct ProposalView {
    /// The resource.
    resource: String,
    /// What it would demand, as `POST /publishers` takes it.
    rules: RulesView,
    /// What is still weak in it.
    warnings: Vec<WarningView>,
}

/// Proposes the publisher that would have let the run of an exchange in. Adds nothing.
#[utoipa::path(post, path = "/exchanges/{id}/proposal", tag = "exchanges", params(("id" = String, Path)),
    responses((status = 200, body = ProposalView), Changing))]
async fn proposal(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Result<Answer<ProposalView>, Problem> {
    let exchange = visible(&caller, &app, id).await?;
    // Only of a verified token is the issuer on record.
    let issuer = exchange.issuer.as_deref().zip(exchange.resource.clone());
    let (issuer, resource) = issuer.ok_or_else(|| {
        Problem::invalid(
            "its id token was not good, so nothing in it can be trusted; the explanation says why",
        )
    })?;
    let Found::Issuer(known) = app.exchange.issuers.find(issuer) else {
        return Err(Problem::invalid(format!("id tokens of {issuer} are not exchanged here any more")));
    };
    let Some(Value::Object(claims)) = exchange.detail.get("claims").cloned() else {
        return Err(Problem::invalid("its claims are not on record"));
    };
    let statement = Statement::new(known.policy.issuer().clone(), Claims::new(claims));
    let proposal = propose(known.provider, &statement, known.max_exchanges)
        .map_err(|error| Problem::invalid(error.to_string()))?;
    Ok(Answer(ProposalView {
        resource,
        rules: RulesView::of(proposal.rules),
        warnings: proposal.warnings.into_iter().map(Into::into).collect(),
    }))
}
