//! Token services: a request, and a token in the answer.

use countersign_core::{Audience, IdToken};
use serde_json::Value;

use super::{Minted, Obstacle};
use crate::http::{HttpError, Request, Response};
use crate::identity::Source;
use crate::retry;
use crate::surroundings::Surroundings;

/// Where the token is in an answer.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// The text of that name in a JSON object.
    Member(&'static str),
    /// The whole body, bare or as a JSON string.
    Body,
    /// The content of the XML element of that name, without attributes.
    Element(&'static str),
}

/// Sends the request, again while that may help, and takes the token out of the answer.
pub(super) fn ask(surroundings: &Surroundings, request: impl Fn() -> Request, answer: Answer) -> Minted {
    let response = retry::send(surroundings, &request, is_transient).map_err(Obstacle::Unreachable)?;
    match response.status {
        200..=299 => {
            let token = token(&response.body, answer).ok_or_else(|| Obstacle::NoToken(answer.expected()))?;
            Ok((token, Source::Service(request().host().to_owned())))
        }
        status => Err(Obstacle::Status(status)),
    }
}

/// Appends a parameter to a URL that may have some already, which its service needs: nothing is replaced.
pub(super) fn with_parameter(url: &str, name: &str, value: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    let value: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
    format!("{url}{separator}{name}={value}")
}

/// [`with_parameter`] for the one that most services have.
pub(super) fn with_audience(url: &str, audience: &Audience) -> String {
    with_parameter(url, "audience", audience.as_str())
}

/// The trimmed variable.
pub(super) fn variable<'a>(surroundings: &'a Surroundings, name: &str) -> Result<&'a str, Obstacle> {
    surroundings.variables.text(name).ok_or_else(|| Obstacle::unset(name))
}

/// Minting changes nothing, so everything that may pass is tried again; a refusal will not pass.
pub(super) fn is_transient(outcome: &Result<Response, HttpError>) -> bool {
    match outcome {
        Ok(answer) => answer.status == 429 || answer.status >= 500,
        Err(error) => matches!(error, HttpError::NoConnection { .. } | HttpError::NoAnswer { .. }),
    }
}

impl Answer {
    fn expected(self) -> String {
        match self {
            Self::Member(name) => format!("a JSON object with the text {name:?}"),
            Self::Body => "nothing but the token".to_owned(),
            Self::Element(name) => format!("the XML element {name:?}"),
        }
    }
}

fn token(body: &[u8], answer: Answer) -> Option<IdToken> {
    let json = || serde_json::from_slice::<Value>(body).ok();
    let text = match answer {
        Answer::Member(name) => json()?.get(name)?.as_str()?.to_owned(),
        Answer::Body => match json() {
            Some(value) => value.as_str()?.to_owned(),
            None => str::from_utf8(body).ok()?.trim().to_owned(),
        },
        Answer::Element(name) => {
            let (_, rest) = str::from_utf8(body).ok()?.split_once(&format!("<{name}>"))?;
            rest.split_once(&format!("</{name}>"))?.0.trim().to_owned()
        }
    };
    (!text.is_empty()).then(|| IdToken::from(text))
}
