//! `/api/v1/publishers`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use countersign_core::publisher::{PublisherId, PublisherState, Revision};
use countersign_core::{IssuerUrl, Permission, Resource, UnixTime};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

mod body;
mod changes;
mod view;

use super::caller::Caller;
use super::input::{Id, Json, Parameters, expected_revision};
use super::list::List;
use super::problem::Problem;
use super::{Changing, Reading};
use crate::http::App;
use crate::store::{ListedPublisher, PublisherChange, PublisherFilter};
use body::{NewPublisher, NewRules, understood_permission};
use view::{Correction, PublisherView, StateName, Tagged};
pub(super) use view::{RulesView, WarningView};

/// How long a pending publisher waits for its first run (threat K7).
const PENDING: Duration = Duration::from_hours(30 * 24);

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(preview))
        .routes(routes!(changes::apply))
        .routes(routes!(show, replace, remove))
        .routes(routes!(set_state))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    /// Those of this resource.
    #[param(value_type = Option<String>)]
    resource: Option<Resource>,
    /// Those for this issuer.
    #[param(value_type = Option<String>)]
    issuer: Option<IssuerUrl>,
    /// Those in this state.
    #[param(value_type = Option<StateName>)]
    state: Option<PublisherState>,
    /// Those that have let nobody in since this time, in Unix seconds, although they were there.
    unused_since: Option<i64>,
    /// The `next` of the part before.
    after: Option<String>,
    /// How many entries at most.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// A part of the publishers.
#[derive(Debug, Serialize, ToSchema)]
struct PublisherList {
    /// The publishers, oldest first.
    publishers: Vec<PublisherView>,
    /// Where the next part begins; `null` at the end.
    next: Option<String>,
}

/// Lists the publishers of the resources that the caller may see.
#[utoipa::path(get, path = "/publishers", tag = "publishers", params(ListParameters),
    responses((status = 200, body = PublisherList), Reading))]
async fn list(
    caller: Caller,
    State(app): State<Arc<App>>,
    Parameters(wanted): Parameters<ListParameters>,
) -> Result<Answer<PublisherList>, Problem> {
    let ListParameters { resource, issuer, state, unused_since, after, limit } = wanted;
    let unused_since = unused_since.map(UnixTime::from_seconds);
    let filter = PublisherFilter { resource, issuer, state, unused_since, within: caller.horizon() };
    let page = List::Publishers.page(&app, after.as_deref(), limit)?;
    let part = app.exchange.store.publishers(&filter, &page).await?;
    let publishers = part.entries.iter().map(|listed| PublisherView::of(listed, &app)).collect();
    Ok(Answer(PublisherList { publishers, next: List::Publishers.next(&app, part.next)? }))
}

/// A publisher, and what was made of what was sent.
#[derive(Debug, Serialize, ToSchema)]
struct Understanding {
    /// The publisher as it is kept.
    publisher: PublisherView,
    /// What was taken for something else than was written.
    corrections: Vec<Correction>,
}

/// Adds a publisher. With an `Idempotency-Key`, a request that is sent again within a day happens once.
#[utoipa::path(post, path = "/publishers", tag = "publishers", request_body = NewPublisher,
    params(("Idempotency-Key" = Option<String>, Header, description = "A key that is new for each creation")),
    responses((status = 201, body = Understanding, headers(("location" = String), ("etag" = String))), Changing))]
async fn create(
    caller: Caller,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Json<NewPublisher>,
) -> Result<Response, Problem> {
    let once = body.idempotency_key(&headers)?;
    caller.may_manage(body.value.resource())?;
    let understood = body.value.understood(&app)?;
    let pending_until = understood.pending.then(|| caller.now() + PENDING);
    let publisher = Box::new(understood.publisher);
    let change = PublisherChange::Add { publisher, pending_until };
    let made = app.exchange.store.change_publishers(vec![change], &caller.author(), once).await??;
    // The first request made it, and by now it was removed.
    let listed = made.first().ok_or_else(|| Problem::conflict("what this request made was removed since"))?;
    let location = format!("/api/v1/publishers/{}", listed.id());
    let body =
        Understanding { publisher: PublisherView::of(listed, &app), corrections: understood.corrections };
    let tagged = Tagged { revision: revision(listed), body };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], tagged).into_response())
}

/// Shows what a publisher would be, with everything that is weak about it, and adds nothing.
#[utoipa::path(post, path = "/publishers/preview", tag = "publishers", request_body = NewPublisher,
    responses((status = 200, body = Understanding), Changing))]
async fn preview(
    caller: Caller,
    State(app): State<Arc<App>>,
    body: Json<NewPublisher>,
) -> Result<Answer<Understanding>, Problem> {
    let understood = body.value.understood(&app)?;
    let pending_until = understood.pending.then(|| caller.now() + PENDING);
    Ok(Answer(Understanding {
        publisher: PublisherView::draft(&understood.publisher, pending_until, caller.now(), &app),
        corrections: understood.corrections,
    }))
}

/// Shows a publisher.
#[utoipa::path(get, path = "/publishers/{id}", tag = "publishers", params(("id" = String, Path)),
    responses((status = 200, body = PublisherView, headers(("etag" = String))), Reading))]
async fn show(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
) -> Result<Tagged<PublisherView>, Problem> {
    let (_, listed) = visible(&caller, &app, &id).await?;
    Ok(Tagged { revision: revision(&listed), body: PublisherView::of(&listed, &app) })
}

/// What a publisher demands from now on.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Replacement {
    /// What it demands from now on.
    rules: NewRules,
    /// What its tokens may do from now on; what they may do now if it is left out.
    #[schema(value_type = Option<view::PermissionName>)]
    permission: Option<Permission>,
}

/// Changes what a publisher demands, which ends the tokens that it let out. Needs `If-Match`.
#[utoipa::path(put, path = "/publishers/{id}", tag = "publishers", request_body = Replacement,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` that it was read with, or `*`")),
    responses((status = 200, body = Understanding, headers(("etag" = String))), Changing))]
async fn replace(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
    headers: HeaderMap,
    body: Json<Replacement>,
) -> Result<Tagged<Understanding>, Problem> {
    let (id, listed) = visible(&caller, &app, &id).await?;
    caller.may_change()?;
    if !headers.contains_key(header::IF_MATCH) {
        return Err(Problem::precondition_required());
    }
    // `*` means what is there now: what the first run teaches meanwhile must not be lost.
    let expected = expected_revision(&headers)?.or(revision(&listed));
    let (change, corrections) =
        replacement(id, &listed, expected, body.value.rules, body.value.permission, &app)?;
    let listed = one(&caller, &app, change).await?;
    let publisher = PublisherView::of(&listed, &app);
    Ok(Tagged { revision: revision(&listed), body: Understanding { publisher, corrections } })
}

/// The change that makes a publisher demand something else.
fn replacement(
    id: PublisherId,
    present: &ListedPublisher,
    expected: Option<Revision>,
    rules: NewRules,
    permission: Option<Permission>,
    app: &App,
) -> Result<(PublisherChange, Vec<Correction>), Problem> {
    let resource = present.resource().parse().map_err(|error| Problem::invalid(format!("{error}")))?;
    let kept = present.publisher.as_ref().ok().map(|present| present.permission);
    let permission = understood_permission(permission.or(kept), &resource)?;
    let given = rules.given_pins();
    let mut understood = rules.understood(app)?;
    if let Ok(present) = &present.publisher {
        understood = understood.keeping_ids_of(&present.rules, &given);
    }
    let rules = Box::new(understood.rules);
    Ok((PublisherChange::Replace { id, expected, rules, permission }, understood.corrections))
}

/// Whether a publisher lets anybody in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewState {
    #[schema(value_type = StateName)]
    state: PublisherState,
}

/// Disables a publisher, which ends its tokens, or enables it again.
///
/// Takes `If-Match` but does not ask for it: in an emergency nobody should have to read first.
#[utoipa::path(put, path = "/publishers/{id}/state", tag = "publishers", request_body = NewState,
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` that it was read with")),
    responses((status = 200, body = PublisherView, headers(("etag" = String))), Changing))]
async fn set_state(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
    headers: HeaderMap,
    body: Json<NewState>,
) -> Result<Tagged<PublisherView>, Problem> {
    let (id, _) = visible(&caller, &app, &id).await?;
    caller.may_change()?;
    let expected = expected_revision(&headers)?;
    let listed =
        one(&caller, &app, PublisherChange::SetState { id, expected, state: body.value.state }).await?;
    Ok(Tagged { revision: revision(&listed), body: PublisherView::of(&listed, &app) })
}

/// Removes a publisher, which ends its tokens.
#[utoipa::path(delete, path = "/publishers/{id}", tag = "publishers",
    params(("id" = String, Path), ("If-Match" = Option<String>, Header, description = "The `ETag` that it was read with")),
    responses((status = 204), Changing))]
async fn remove(
    caller: Caller,
    State(app): State<Arc<App>>,
    Id(id): Id,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let (id, _) = visible(&caller, &app, &id).await?;
    caller.may_change()?;
    let change = PublisherChange::Remove { id, expected: expected_revision(&headers)? };
    app.exchange.store.change_publishers(vec![change], &caller.author(), None).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// A publisher that the caller may see. Those of others do not exist for them (threat K1).
async fn visible(caller: &Caller, app: &App, id: &str) -> Result<(PublisherId, ListedPublisher), Problem> {
    let id: PublisherId = id.parse().map_err(|_| Problem::not_found("publisher"))?;
    let listed = app.exchange.store.publisher(&id).await?;
    let listed = listed.filter(|listed| caller.sees(&listed.resource()));
    listed.map(|listed| (id, listed)).ok_or_else(|| Problem::not_found("publisher"))
}

/// Makes one change that leaves a publisher.
async fn one(caller: &Caller, app: &App, change: PublisherChange) -> Result<ListedPublisher, Problem> {
    let made = app.exchange.store.change_publishers(vec![change], &caller.author(), None).await??;
    made.into_iter().next().ok_or_else(|| Problem::not_found("publisher"))
}

fn revision(listed: &ListedPublisher) -> Option<Revision> {
    listed.publisher.as_ref().ok().map(|publisher| publisher.revision)
}
