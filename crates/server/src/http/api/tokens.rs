//! `/api/v1/tokens`: the access tokens that are good now.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_core::UnixTime;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::exchanges::{ExchangeView, visible};
use super::input::{Id, Parameters};
use super::list::List;
use super::problem::Problem;
use super::{Changing, Reading};
use crate::http::App;
use crate::store::ExchangeFilter;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(revoke))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    /// Those for this resource.
    resource: Option<String>,
    /// The `next` of the part before.
    after: Option<String>,
    /// How many entries at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// A part of the live tokens.
#[derive(Debug, Serialize, ToSchema)]
struct TokenList {
    /// The exchanges that issued them, newest first. The tokens themselves are not kept.
    tokens: Vec<ExchangeView>,
    /// Where the next part begins; `null` at the end.
    next: Option<String>,
}

/// Seconds that cover the life of every token: 60 minutes, and the differences of clocks.
const LIVE: i64 = 2 * 60 * 60;

/// Lists the tokens that are neither expired nor revoked, for the resources that the caller may see.
#[utoipa::path(get, path = "/tokens", tag = "tokens", params(ListParameters),
    responses((status = 200, body = TokenList), Reading))]
async fn list(
    caller: Caller,
    State(app): State<Arc<App>>,
    Parameters(wanted): Parameters<ListParameters>,
) -> Result<Answer<TokenList>, Problem> {
    let filter = ExchangeFilter {
        resource: wanted.resource,
        outcome: Some("issued".to_owned()),
        live_at: Some(caller.now()),
        since: Some(UnixTime::from_seconds(caller.now().as_seconds() - LIVE)),
        within: caller.horizon(),
        ..ExchangeFilter::default()
    };
    let page = List::Tokens.page(&app, wanted.after.as_deref(), wanted.limit)?;
    let part = app.exchange.store.exchanges(&filter, &page).await?;
    let tokens = part.entries.into_iter().map(ExchangeView::of).collect();
    Ok(Answer(TokenList { tokens, next: List::Tokens.next(&app, part.next)? }))
}

/// Revokes a token by its id (its `jti`). One that has been revoked stays revoked.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), Changing))]
async fn revoke(caller: Caller, State(app): State<Arc<App>>, Id(id): Id) -> Result<StatusCode, Problem> {
    let token = visible(&caller, &app, id).await?;
    caller.may_change()?;
    if token.outcome != "issued" {
        return Err(Problem::not_found("token"));
    }
    app.exchange.store.revoke_token(&token.id, &caller.author()).await?;
    Ok(StatusCode::NO_CONTENT)
}
