//! Reading requests to the API.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use countersign_core::publisher::Revision;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::http::body;
use crate::store::IdempotencyKey;

/// Bytes of a body: an id token, or a publisher with all that one may demand.
const MAX_BODY: usize = 32 * 1024;
/// Bytes of a body of those who have an admin token: a set of a thousand publishers fits.
const MAX_PROVEN_BODY: usize = 1024 * 1024;
/// Characters of an idempotency key.
const MAX_KEY: usize = 200;

/// A JSON body without unknown or repeated members.
pub(super) struct Json<T> {
    pub(super) value: T,
    digest: [u8; 32],
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        Self::read(request.into_body(), MAX_BODY).await
    }
}

/// A larger JSON body. Only for handlers whose caller has proved who they are before it is read.
pub(super) struct LargeJson<T>(pub(super) Json<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for LargeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        check_media_type(request.headers())?;
        Json::read(request.into_body(), MAX_PROVEN_BODY).await.map(Self)
    }
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    if body::content_type(headers) == "application/json" {
        Ok(())
    } else {
        Err(Problem::unsupported_media_type())
    }
}

impl<T: DeserializeOwned> Json<T> {
    async fn read(body: Body, limit: usize) -> Result<Self, Problem> {
        let bytes = body::bounded(body, limit).await.map_err(|unread| Problem::unread(unread, limit))?;
        let value = serde_json::from_slice(&bytes)
            .map_err(|error| Problem::malformed(format!("the body is not what this path takes: {error}")))?;
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, &bytes).as_ref());
        Ok(Self { value, digest: hash })
    }

    /// The key of the header `Idempotency-Key`, bound to this very body.
    pub(super) fn idempotency_key(&self, headers: &HeaderMap) -> Result<Option<IdempotencyKey>, Problem> {
        let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
        let key = value.to_str().ok().filter(|key| (1..=MAX_KEY).contains(&key.len()));
        let key = key.ok_or_else(|| {
            Problem::malformed(format!("expected an Idempotency-Key of 1 to {MAX_KEY} printable characters"))
        })?;
        Ok(Some(IdempotencyKey { key: key.to_owned(), request: self.digest }))
    }
}

/// Parameters of the query, without unknown ones.
pub(super) struct Parameters<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(value)| Self(value))
            .map_err(|error| Problem::malformed(error.body_text()))
    }
}

/// A part of the path.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<String>::from_request_parts(parts, state).await;
        path.map(|path| Self(path.0)).map_err(|error| Problem::malformed(error.body_text()))
    }
}

/// The revision of `If-Match`; `None` without one, or where any will do (`*`).
pub(super) fn expected_revision(headers: &HeaderMap) -> Result<Option<Revision>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let number =
        text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).and_then(|text| text.parse().ok());
    number.map(|number| Some(Revision(number))).ok_or_else(|| {
        Problem::malformed(format!(
            "If-Match: expected the ETag of the publisher, such as \"3\", found {text:?}"
        ))
    })
}
