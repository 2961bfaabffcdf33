//! The `Authorization` header of a request.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

/// The credential under that scheme, whose case does not matter.
pub(crate) fn credential<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let (given, credential) = whole(headers)?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then_some(credential)
}

/// The whole value: what those read who expect no scheme.
pub(crate) fn whole(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()
}
