//! `/api/v1/admin-tokens`: who may do what here.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_core::UnixTime;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::input::{Id, Json};
use super::problem::Problem;
use super::{Changing, Reading};
use crate::admin::{AdminToken, NewAdminToken, ResourcePattern, Role};
use crate::http::App;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(remove)).routes(routes!(me))
}

/// The admin tokens.
#[derive(Debug, Serialize, ToSchema)]
struct AdminTokenList {
    /// The tokens, oldest first, without their secrets, which are not kept.
    admin_tokens: Vec<AdminTokenView>,
}

/// An admin token.
#[derive(Debug, Serialize, ToSchema)]
struct AdminTokenView {
    /// Its id.
    id: String,
    /// Who has it.
    name: String,
    /// What it may do.
    role: RoleName,
    /// The resources that it is about.
    resources: Vec<String>,
    /// When it was made, in Unix seconds.
    created_at: i64,
    /// The first second in which it is no longer good.
    expires_at: i64,
    /// When it was last used, to the minute.
    last_used_at: Option<i64>,
}

/// What an admin token may do.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RoleName {
    Owner,
    Maintainer,
    Auditor,
    Registry,
}

impl AdminTokenView {
    fn of(token: &AdminToken) -> Self {
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            role: match token.role {
                Role::Owner => RoleName::Owner,
                Role::Maintainer => RoleName::Maintainer,
                Role::Auditor => RoleName::Auditor,
                Role::Registry => RoleName::Registry,
            },
            resources: token.resources.iter().map(ToString::to_string).collect(),
            created_at: token.created_at.as_seconds(),
            expires_at: token.expires_at.as_seconds(),
            last_used_at: token.last_used_at.map(UnixTime::as_seconds),
        }
    }
}

/// Shows the token that the request bears.
#[utoipa::path(get, path = "/me", tag = "admin tokens", responses((status = 200, body = AdminTokenView), Reading))]
async fn me(caller: Caller) -> Answer<AdminTokenView> {
    Answer(AdminTokenView::of(caller.token()))
}

/// Lists the admin tokens. For owners and auditors.
#[utoipa::path(get, path = "/admin-tokens", tag = "admin tokens",
    responses((status = 200, body = AdminTokenList), Reading))]
async fn list(caller: Caller, State(app): State<Arc<App>>) -> Result<Answer<AdminTokenList>, Problem> {
    caller.must_read_all()?;
    let tokens = app.exchange.store.admin_tokens().await?;
    Ok(Answer(AdminTokenList { admin_tokens: tokens.iter().map(AdminTokenView::of).collect() }))
}

/// An admin token to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Who will have it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it may do.
    #[schema(value_type = RoleName)]
    role: Role,
    /// The resources that it is about, such as `acme/*` or `pkg:pypi/acme-*`. A maintainer needs at least one; for an auditor
    /// all if there is none; owners and registries have no choice.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    resources: Vec<ResourcePattern>,
    /// In how many days it ends.
    #[schema(minimum = 1, maximum = 3650)]
    days: u32,
}

/// An admin token that was just made.
#[derive(Serialize, ToSchema)]
struct Made {
    /// What is kept of it.
    admin_token: AdminTokenView,
    /// The token: it is shown this once.
    secret: String,
}

/// Makes an admin token and shows it: this once. For owners.
#[utoipa::path(post, path = "/admin-tokens", tag = "admin tokens", request_body = Wanted,
    responses((status = 201, body = Made), Changing))]
async fn add(
    caller: Caller,
    State(app): State<Arc<App>>,
    body: Json<Wanted>,
) -> Result<(StatusCode, Answer<Made>), Problem> {
    caller.must_be_owner()?;
    let Wanted { name, role, resources, days } = body.value;
    let lifetime = Duration::from_hours(24) * days;
    let new = NewAdminToken::new(name, role, resources, lifetime);
    let new = new.map_err(|error| Problem::invalid(error.to_string()))?;
    let (token, secret) = new.made(caller.now(), &*app.exchange.randomness);
    let view = AdminTokenView::of(&token);
    app.exchange.store.add_admin_token(token, &caller.author()).await?;
    // The one place that shows a secret, to the person who asked for it.
    Ok((StatusCode::CREATED, Answer(Made { admin_token: view, secret: secret.expose_secret().to_owned() })))
}

/// Removes an admin token; it stops working at once. For owners.
#[utoipa::path(delete, path = "/admin-tokens/{id}", tag = "admin tokens", params(("id" = String, Path)),
    responses((status = 204), Changing))]
async fn remove(caller: Caller, State(app): State<Arc<App>>, Id(id): Id) -> Result<StatusCode, Problem> {
    caller.must_be_owner()?;
    if app.exchange.store.remove_admin_token(&id, &caller.author()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("admin token"))
    }
}
