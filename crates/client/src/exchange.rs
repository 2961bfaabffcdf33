//! The exchange: an id token for an access token (RFC 8693), as the Hugging Face Hub has it.

use std::fmt;
use std::time::Duration;

use countersign_core::IdToken;
use countersign_core::token_exchange::{ErrorDescription, GRANT_TYPE, TokenResponse, token_type};
use serde_json::{Value, json};
use thiserror::Error;

use crate::endpoint::Endpoint;
use crate::http::{HttpError, Request, Response};
use crate::resource::RequestedResource;
use crate::retry;
use crate::surroundings::Surroundings;

/// Exchanges the id token at the registry's token endpoint.
pub fn exchange(
    surroundings: &Surroundings,
    endpoint: &Endpoint,
    token: &IdToken,
    resource: &RequestedResource,
) -> Result<TokenResponse, ExchangeError> {
    let body = json!({
        "grant_type": GRANT_TYPE,
        "subject_token_type": token_type::ID_TOKEN,
        "subject_token": token.expose(),
        "resource": resource.as_str(),
    });
    let body = body.to_string();
    let request = || Request::post_json(endpoint.token_url(), body.clone());
    let answer = retry::send(surroundings, request, changed_nothing)
        .map_err(|source| ExchangeError::Unreachable { endpoint: endpoint.clone(), source })?;
    read(&answer, endpoint, token)
}

/// Whether the exchange certainly did not happen, so that it can be tried again.
///
/// An id token buys one access token. After a lost answer or a 502 the server may have used it up: a second attempt
/// would be refused as a replay, and that refusal would hide what really went wrong. Only where the request never left,
/// or the server says that it is not serving (503) or not serving us now (429), nothing has been used up.
fn changed_nothing(outcome: &Result<Response, HttpError>) -> bool {
    match outcome {
        Ok(answer) => matches!(answer.status, 429 | 503),
        Err(error) => matches!(error, HttpError::NoConnection { .. }),
    }
}

fn read(answer: &Response, endpoint: &Endpoint, token: &IdToken) -> Result<TokenResponse, ExchangeError> {
    let error = ServerError::read(answer, token);
    let endpoint = endpoint.clone();
    match answer.status {
        200..=299 => match TokenResponse::from_json(&answer.body) {
            Ok(response) if is_printable(response.access_token.expose()) => Ok(response),
            _ => Err(ExchangeError::NotATokenServer { endpoint, error }),
        },
        429 | 500..=599 => {
            Err(ExchangeError::Unavailable { endpoint, retry_after: retry::retry_after(answer), error })
        }
        401 | 403 => Err(ExchangeError::Refused(error)),
        400..=499 if error.code.is_some() => Err(ExchangeError::Refused(error)),
        _ => Err(ExchangeError::NotATokenServer { endpoint, error }),
    }
}

/// Access tokens are visible ASCII (RFC 6750 §2.1). Anything else could forge lines in the log of whoever prints it.
fn is_printable(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Why there is no access token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The server understood the request and said no. Its text says why and how to fix it.
    #[error("the server refused the exchange: {0}")]
    Refused(ServerError),
    /// The server could not be asked, or its answer was lost.
    #[error("the token endpoint of {endpoint} could not be asked")]
    Unreachable {
        /// The registry.
        endpoint: Endpoint,
        /// Why.
        source: HttpError,
    },
    /// The server cannot serve now.
    #[error("{endpoint} cannot exchange tokens now: {error}; try again {}", when(*.retry_after))]
    Unavailable {
        /// The registry.
        endpoint: Endpoint,
        /// When it asks to be asked again.
        retry_after: Option<Duration>,
        /// What it said.
        error: ServerError,
    },
    /// What answered does not speak the protocol.
    #[error(
        "{endpoint} is no token server: expected a token response or an OAuth error at /oauth/token, found {error}; check HF_ENDPOINT"
    )]
    NotATokenServer {
        /// The registry.
        endpoint: Endpoint,
        /// What it said.
        error: ServerError,
    },
}

fn when(retry_after: Option<Duration>) -> String {
    retry_after.map_or_else(|| "later".to_owned(), |wait| format!("in {} s", wait.as_secs()))
}

/// What a server said instead of giving a token, made safe to print: one line of ASCII without the id token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerError {
    /// The HTTP status.
    pub status: u16,
    /// The OAuth `error`.
    pub code: Option<String>,
    /// The OAuth `error_description`.
    pub description: Option<String>,
    /// The `x-request-id`, to be quoted to whoever runs the server.
    pub request_id: Option<String>,
}

impl ServerError {
    fn read(answer: &Response, token: &IdToken) -> Self {
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let member = |name: &str| Some(body.as_ref()?.get(name)?.as_str()?.to_owned());
        let safe = |mut text: String| {
            if !token.expose().is_empty() {
                text = text.replace(token.expose(), "(id token)");
            }
            let text = ErrorDescription::from(text.as_str());
            Some(text.as_str().trim().to_owned()).filter(|text| !text.is_empty())
        };
        // A token answer may come with the wrong status: its members never reach a message, only these two do.
        Self {
            status: answer.status,
            code: member("error").and_then(safe),
            description: member("error_description").and_then(safe),
            request_id: answer.header("x-request-id").map(str::to_owned).and_then(safe),
        }
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, &self.description) {
            (Some(code), Some(description)) => write!(f, "{code}: {description} ")?,
            (Some(text), None) | (None, Some(text)) => write!(f, "{text} ")?,
            (None, None) => f.write_str("an answer without an OAuth error ")?,
        }
        write!(f, "(status {}", self.status)?;
        if let Some(id) = &self.request_id {
            write!(f, ", request id {id}")?;
        }
        f.write_str(")")
    }
}
