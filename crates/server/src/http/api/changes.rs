//! `/api/v1/changes`: the audit log of everything but exchanges.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use countersign_core::UnixTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Reading;
use super::caller::Caller;
use super::input::Parameters;
use super::list::List;
use super::problem::Problem;
use crate::http::App;
use crate::store::{Change, ChangeFilter};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    /// Those about this resource.
    resource: Option<String>,
    /// Those of this target, such as `publisher:ID`.
    target: Option<String>,
    /// Those by this actor, such as `admin_token:ID`, `command`, `exchange`, `holder` or `server`.
    actor: Option<String>,
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

/// A part of the changes.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeList {
    /// The changes, newest first.
    changes: Vec<ChangeView>,
    /// Where the next part begins; `null` at the end.
    next: Option<String>,
}

/// Who did what to what.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeView {
    /// The request that did it.
    request: String,
    /// Its number among the changes of the request.
    ordinal: u32,
    /// When, in Unix seconds.
    at: i64,
    /// Who.
    actor: String,
    /// What: `publisher.added`, `token.revoked` …
    action: String,
    /// To what.
    target: String,
    /// The resource that it is about.
    resource: Option<String>,
    /// What it was like.
    #[schema(value_type = Option<Object>)]
    before: Option<Value>,
    /// What it is like since.
    #[schema(value_type = Option<Object>)]
    after: Option<Value>,
}

/// Lists the changes; those who may not see everything see what is about their resources.
#[utoipa::path(get, path = "/changes", tag = "audit", params(ListParameters),
    responses((status = 200, body = ChangeList), Reading))]
async fn list(
    caller: Caller,
    State(app): State<Arc<App>>,
    Parameters(wanted): Parameters<ListParameters>,
) -> Result<Answer<ChangeList>, Problem> {
    let ListParameters { resource, target, actor, since, until, after, limit } = wanted;
    let (since, until) = (since.map(UnixTime::from_seconds), until.map(UnixTime::from_seconds));
    let filter = ChangeFilter { resource, target, actor, since, until, within: caller.horizon() };
    let page = List::Changes.page(&app, after.as_deref(), limit)?;
    let part = app.exchange.store.changes(&filter, &page).await?;
    Ok(Answer(ChangeList {
        changes: part.entries.into_iter().map(ChangeView::of).collect(),
        next: List::Changes.next(&app, part.next)?,
    }))
}

impl ChangeView {
    fn of(change: Change) -> Self {
        let Change { request, ordinal, at, actor, action, target, resource, before, after } = change;
        let at = at.as_seconds();
        Self { request: request.0, ordinal, at, actor, action, target, resource, before, after }
    }
}
