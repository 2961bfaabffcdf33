//! `/api/v1/signing-keys`.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_core::UnixTime;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::input::{Id, Json};
use super::problem::Problem;
use super::{Changing, Reading};
use crate::http::App;
use crate::signing::{LEAD, SigningError};
use crate::store::SealedKey;

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, rotate)).routes(routes!(revoke))
}

/// The signing keys.
#[derive(Debug, Serialize, ToSchema)]
struct KeyList {
    /// The keys, in the order in which they sign; retired and revoked ones included.
    signing_keys: Vec<KeyView>,
}

/// A signing key. Its private half never leaves the server.
#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    /// Its key id.
    kid: String,
    /// When it was made, in Unix seconds.
    created_at: i64,
    /// When it begins to sign.
    active_from: i64,
    /// When it was revoked.
    revoked_at: Option<i64>,
}

impl KeyView {
    fn of(key: &SealedKey) -> Self {
        Self {
            kid: key.kid.clone(),
            created_at: key.created_at.as_seconds(),
            active_from: key.active_from.as_seconds(),
            revoked_at: key.revoked_at.map(UnixTime::as_seconds),
        }
    }
}

/// Lists the signing keys. For owners and auditors.
#[utoipa::path(get, path = "/signing-keys", tag = "signing keys", responses((status = 200, body = KeyList), Reading))]
async fn list(caller: Caller, State(app): State<Arc<App>>) -> Result<Answer<KeyList>, Problem> {
    caller.must_read_all()?;
    let keys = app.exchange.store.signing_keys().await?;
    Ok(Answer(KeyList { signing_keys: keys.iter().map(KeyView::of).collect() }))
}

/// When the new key signs.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rotation {
    /// Signs with it at once, before registries know it: they refuse its tokens until they have fetched it. By default it
    /// signs in ten minutes.
    #[serde(default)]
    now: bool,
}

/// Makes a new signing key. For owners.
#[utoipa::path(post, path = "/signing-keys", tag = "signing keys", request_body = Rotation,
    responses((status = 201, body = KeyView), Changing))]
async fn rotate(
    caller: Caller,
    State(app): State<Arc<App>>,
    body: Json<Rotation>,
) -> Result<(StatusCode, Answer<KeyView>), Problem> {
    caller.must_be_owner()?;
    let exchange = &app.exchange;
    let lead = if body.value.now { Duration::ZERO } else { LEAD };
    let made = exchange.signer.rotate(&*exchange.store, lead, &caller.author(), &*exchange.randomness).await;
    match made {
        Ok(key) => Ok((StatusCode::CREATED, Answer(KeyView::of(&key)))),
        Err(SigningError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::conflict(error.to_string())),
    }
}

/// Revokes a signing key, in an emergency: tokens signed with it are worth nothing from now on. For owners.
#[utoipa::path(delete, path = "/signing-keys/{kid}", tag = "signing keys", params(("kid" = String, Path)),
    responses((status = 204), Changing))]
async fn revoke(caller: Caller, State(app): State<Arc<App>>, Id(kid): Id) -> Result<StatusCode, Problem> {
    caller.must_be_owner()?;
    if app.exchange.store.revoke_signing_key(&kid, &caller.author()).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::not_found("signing key in use"))
    }
}
