//! `POST /api/v1/publishers/changes`: a set of changes, all or none, as `countersign publishers apply` makes them.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::HeaderMap;
use countersign_core::Permission;
use countersign_core::publisher::{PublisherState, Revision};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{NewPublisher, NewRules};
use super::view::{PermissionName, PublisherView, StateName};
use super::{PENDING, replacement, visible};
use crate::http::App;
use crate::http::api::Changing;
use crate::http::api::caller::Caller;
use crate::http::api::input::LargeJson;
use crate::http::api::problem::Problem;
use crate::store::PublisherChange;

/// Changes that one request may make.
const MAX: usize = 1_000;

/// Changes that are made together.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeSet {
    /// The changes, in the order in which they are made.
    #[schema(max_items = 1000)]
    changes: Vec<RequestedChange>,
}

/// One change. A `revision` that is given must be the one that the publisher has.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
enum RequestedChange {
    /// Adds a publisher.
    Add {
        /// The publisher.
        publisher: NewPublisher,
    },
    /// Changes what a publisher demands, which ends its tokens.
    Replace {
        /// Which one.
        id: String,
        /// The revision that was read.
        revision: i64,
        /// What it demands from now on.
        rules: NewRules,
        /// What its tokens may do from now on; what they may do now if it is left out.
        #[schema(value_type = Option<PermissionName>)]
        permission: Option<Permission>,
    },
    /// Disables or enables a publisher.
    SetState {
        /// Which one.
        id: String,
        /// The revision that was read.
        revision: Option<i64>,
        /// The state from now on.
        #[schema(value_type = StateName)]
        state: PublisherState,
    },
    /// Removes a publisher, which ends its tokens.
    Remove {
        /// Which one.
        id: String,
        /// The revision that was read.
        revision: Option<i64>,
    },
}

/// What came of a set of changes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Changed {
    /// The publishers that were added or changed, as they are now.
    publishers: Vec<PublisherView>,
}

/// Makes all of the changes or none.
#[utoipa::path(post, path = "/publishers/changes", tag = "publishers", request_body = ChangeSet,
    params(("Idempotency-Key" = Option<String>, Header, description = "A key that is new for each set")),
    responses((status = 200, body = Changed), Changing))]
pub(super) async fn apply(
    caller: Caller,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    LargeJson(body): LargeJson<ChangeSet>,
) -> Result<Answer<Changed>, Problem> {
    let once = body.idempotency_key(&headers)?;
    caller.may_change()?;
    if body.value.changes.len() > MAX {
        return Err(Problem::invalid(format!(
            "expected at most {MAX} changes, found {}",
            body.value.changes.len()
        )));
    }
    caller.may_change_so_many(&app, body.value.changes.len())?;
    let (store, author) = (&app.exchange.store, caller.author());
    let made = match (all_understood(&caller, &app, body.value.changes).await, once) {
        (Ok(changes), once) => store.change_publishers(changes, &author, once).await??,
        // What it removes is not there any more, perhaps because it was made before: then it is answered as it was.
        (Err(problem), Some(key)) => store.repeated(&author, &key).await?.ok_or(problem)??,
        (Err(problem), None) => return Err(problem),
    };
    Ok(Answer(Changed { publishers: made.iter().map(|listed| PublisherView::of(listed, &app)).collect() }))
}

async fn all_understood(
    caller: &Caller,
    app: &App,
    requested: Vec<RequestedChange>,
) -> Result<Vec<PublisherChange>, Problem> {
    let mut changes = Vec::with_capacity(requested.len());
    for (number, change) in requested.into_iter().enumerate() {
        let change = understood(caller, app, change).await;
        changes.push(change.map_err(|problem| problem.about(&format!("change {number}")))?);
    }
    Ok(changes)
}

async fn understood(caller: &Caller, app: &App, change: RequestedChange) -> Result<PublisherChange, Problem> {
    Ok(match change {
        RequestedChange::Add { publisher } => {
            caller.may_manage(publisher.resource())?;
            let understood = publisher.understood(app)?;
            let pending_until = understood.pending.then(|| caller.now() + PENDING);
            PublisherChange::Add { publisher: Box::new(understood.publisher), pending_until }
        }
        RequestedChange::Replace { id, revision, rules, permission } => {
            let (id, listed) = visible(caller, app, &id).await?;
            replacement(id, &listed, Some(Revision(revision)), rules, permission, app)?.0
        }
        RequestedChange::SetState { id, revision, state } => {
            let (id, _) = visible(caller, app, &id).await?;
            PublisherChange::SetState { id, expected: revision.map(Revision), state }
        }
        RequestedChange::Remove { id, revision } => {
            let (id, _) = visible(caller, app, &id).await?;
            PublisherChange::Remove { id, expected: revision.map(Revision) }
        }
    })
}
