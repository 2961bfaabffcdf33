//! The registry: whether it answers, what time it has, and what it says of itself.

use std::time::Duration;

use countersign_client::http::{HttpError, Request, Response};
use countersign_client::{Client, Endpoint};
use countersign_core::time::LEEWAY;
use countersign_core::token_exchange::GRANT_TYPE;
use serde_json::Value;

use crate::command::doctor::http_date;
use crate::command::doctor::report::Step;
use crate::failure::{UNREACHABLE, chain};

/// Asks for the registry's metadata (RFC 8414).
pub(super) fn metadata(client: &Client) -> Result<Response, HttpError> {
    let url = format!("{}/.well-known/oauth-authorization-server", client.endpoint());
    client.surroundings().http.send(Request::get(url))
}

/// This machine's clock beside the registry's. A wrong one here makes good id tokens look expired.
pub(super) fn clock(client: &Client, answer: &Result<Response, HttpError>) -> Step {
    const NAME: &str = "clock";
    let Some((ahead, behind)) = difference(client, answer) else {
        return Step::skipped(NAME, "the registry did not say what time it has");
    };
    if ahead <= LEEWAY && behind <= LEEWAY {
        Step::good(NAME, "agrees with the registry's")
    } else {
        let (seconds, word) = if ahead > behind { (ahead, "ahead of") } else { (behind, "behind") };
        Step::remark(NAME, format!("{} s {word} the registry's; set this machine's", seconds.as_secs()))
    }
}

/// Whether the clocks are known to differ by more than the leeway.
pub(super) fn is_clock_wrong(client: &Client, answer: &Result<Response, HttpError>) -> bool {
    difference(client, answer).is_some_and(|(ahead, behind)| ahead > LEEWAY || behind > LEEWAY)
}

/// How far this machine's clock is ahead of the registry's, and how far behind: one of them is nothing.
fn difference(client: &Client, answer: &Result<Response, HttpError>) -> Option<(Duration, Duration)> {
    let date = http_date::read(answer.as_ref().ok()?.header("date")?)?;
    let now = client.surroundings().clock.now();
    Some((now.since(date), date.since(now)))
}

/// What the metadata says of the token endpoint.
pub(super) fn step(client: &Client, answer: &Result<Response, HttpError>) -> Step {
    const NAME: &str = "registry";
    let endpoint = client.endpoint();
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let variable = Endpoint::VARIABLE;
            let remedy = format!(
                "check --endpoint or {variable} (it is {endpoint}), the network and the proxy settings"
            );
            return Step::wrong(NAME, chain(error), UNREACHABLE, remedy);
        }
    };
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200);
    let Some(body) = body else {
        let detail = format!(
            "{endpoint} answers (status {}) and publishes no metadata; some registries do not",
            answer.status
        );
        return Step::remark(NAME, detail);
    };
    let grants = body["grant_types_supported"].as_array();
    if grants.is_some_and(|grants| !grants.iter().any(|grant| grant == GRANT_TYPE)) {
        return Step::remark(
            NAME,
            format!("the metadata of {endpoint} does not list the grant {GRANT_TYPE}"),
        );
    }
    match body["token_endpoint"].as_str() {
        Some(url) if url == endpoint.token_url() => {
            Step::good(NAME, format!("tokens are exchanged at {url}"))
        }
        Some(url) => {
            Step::remark(NAME, format!("its metadata names {url}, and {} is asked", endpoint.token_url()))
        }
        None => Step::remark(NAME, format!("the metadata of {endpoint} names no token endpoint")),
    }
}
