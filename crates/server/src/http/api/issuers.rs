//! `/api/v1/issuers`: whose id tokens are exchanged, and the switch for each.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use countersign_core::{IssuerUrl, Provider, UnixTime};
use countersign_verify::IssuerHealth;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::input::{Json, Parameters};
use super::problem::Problem;
use super::{Changing, Reading};
use crate::http::App;
use crate::issuers::{CustomIssuerError, Issuer};
use crate::store::{StoredIssuer, Switch};

pub(super) fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list, add, remove)).routes(routes!(switch))
}

/// Issuers that there may be: each keeps keys and connections of its own.
const MAX_ISSUERS: usize = 1_000;

/// The issuers.
#[derive(Debug, Serialize, ToSchema)]
struct IssuerList {
    /// The issuers, in the order of their URLs.
    issuers: Vec<IssuerView>,
}

/// An issuer whose id tokens are exchanged.
#[derive(Debug, Serialize, ToSchema)]
struct IssuerView {
    /// Its URL, exactly as in `iss`.
    url: String,
    /// What its claims mean.
    preset: String,
    /// Whether it is in the configuration file; others were added here.
    configured: bool,
    /// How many access tokens one id token buys.
    max_exchanges: u32,
    /// Since when it is switched off, in Unix seconds.
    disabled_at: Option<i64>,
    /// How its keys are doing on this node; for owners and auditors.
    health: Option<HealthView>,
}

/// How an issuer's keys are doing on the node that answers.
#[derive(Debug, Serialize, ToSchema)]
struct HealthView {
    /// Whether there are keys that may be used. False before the first use, which is no fault.
    has_keys: bool,
    /// Seconds since they were fetched; `null` if they never were, or come from a file.
    key_set_age: Option<u64>,
    /// Fetches that failed since one succeeded.
    failures: u32,
    /// The stable code of the last failure.
    last_failure: Option<&'static str>,
    /// The same in words.
    last_failure_text: Option<String>,
    /// Seconds since the last failure.
    last_failure_age: Option<u64>,
}

impl HealthView {
    fn of(health: IssuerHealth) -> Self {
        let IssuerHealth { has_keys, key_set_age, failures, last_failure } = health;
        Self {
            has_keys,
            key_set_age: key_set_age.map(|age| age.as_secs()),
            failures,
            last_failure: last_failure.as_ref().map(|failure| failure.code),
            last_failure_age: last_failure.as_ref().map(|failure| failure.ago.as_secs()),
            last_failure_text: last_failure.map(|failure| failure.text),
        }
    }
}

/// Lists the issuers.
#[utoipa::path(get, path = "/issuers", tag = "issuers", responses((status = 200, body = IssuerList), Reading))]
async fn list(caller: Caller, State(app): State<Arc<App>>) -> Result<Answer<IssuerList>, Problem> {
    let issuers = &app.exchange.issuers;
    // Another node may have switched one a moment ago.
    issuers.refresh(&*app.exchange.store).await?;
    Ok(Answer(IssuerList {
        issuers: issuers.all().iter().map(|issuer| IssuerView::of(issuer, &caller, &app)).collect(),
    }))
}

impl IssuerView {
    fn of(issuer: &Issuer, caller: &Caller, app: &App) -> Self {
        let (issuers, url) = (&app.exchange.issuers, issuer.policy.issuer());
        Self {
            url: url.to_string(),
            preset: issuer.provider.to_string(),
            configured: issuers.is_configured(url),
            max_exchanges: issuer.max_exchanges,
            disabled_at: issuers.disabled_at(url).map(UnixTime::as_seconds),
            // Failures can name addresses inside of the operator's network.
            health: caller.must_read_all().is_ok().then(|| HealthView::of(issuer.keys.health())),
        }
    }
}

/// An issuer to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewIssuer {
    /// Its URL, exactly as in `iss`.
    #[schema(value_type = String, example = "https://gitlab.acme.example")]
    url: IssuerUrl,
    /// What its claims mean.
    #[schema(value_type = String, example = "gitlab")]
    preset: Provider,
}

/// Adds an issuer, where whoever runs the server lets people (`[custom_issuers]`). It must be at a public https address.
#[utoipa::path(post, path = "/issuers", tag = "issuers", request_body = NewIssuer, responses((status = 204), Changing))]
async fn add(
    caller: Caller,
    State(app): State<Arc<App>>,
    body: Json<NewIssuer>,
) -> Result<StatusCode, Problem> {
    caller.may_change()?;
    let NewIssuer { url, preset } = body.value;
    let exchange = &app.exchange;
    exchange.issuers.custom().check(&url, preset).map_err(|error| match error {
        CustomIssuerError::Disabled => Problem::forbidden(error.to_string()),
        other => Problem::invalid(other.to_string()),
    })?;
    if exchange.issuers.all().len() >= MAX_ISSUERS {
        return Err(Problem::conflict(format!(
            "there are {MAX_ISSUERS} issuers, which is as many as there may be"
        )));
    }
    let taken = || Problem::conflict(format!("{url} is there already"));
    if exchange.issuers.is_configured(&url) || url.as_str() == exchange.own.as_str() {
        return Err(taken());
    }
    let issuer =
        StoredIssuer { url: url.clone(), preset: Some(preset), created_at: caller.now(), disabled_at: None };
    if !exchange.store.add_issuer(issuer, &caller.author()).await? {
        return Err(taken());
    }
    exchange.issuers.refresh(&*exchange.store).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct RemoveParameters {
    /// The issuer's URL.
    #[param(value_type = String)]
    url: IssuerUrl,
}

/// Removes an issuer that was added here, which ends the tokens that its runs have.
#[utoipa::path(delete, path = "/issuers", tag = "issuers", params(RemoveParameters), responses((status = 204), Changing))]
async fn remove(
    caller: Caller,
    State(app): State<Arc<App>>,
    Parameters(wanted): Parameters<RemoveParameters>,
) -> Result<StatusCode, Problem> {
    caller.must_be_owner()?;
    let exchange = &app.exchange;
    if exchange.issuers.is_configured(&wanted.url) {
        return Err(Problem::conflict(format!(
            "{} is in the configuration, where it can be removed; here it can be switched off",
            wanted.url
        )));
    }
    if !exchange.store.remove_issuer(&wanted.url, &caller.author()).await? {
        return Err(Problem::not_found("added issuer"));
    }
    exchange.issuers.refresh(&*exchange.store).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Which way to switch an issuer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSwitch {
    /// The issuer's URL.
    #[schema(value_type = String)]
    url: IssuerUrl,
    /// Whether its id tokens are exchanged from now on.
    enabled: bool,
}

/// Switches an issuer off, which ends the tokens that its runs have, or on again. Works at once on every node.
#[utoipa::path(put, path = "/issuers/switch", tag = "issuers", request_body = NewSwitch,
    responses((status = 204), Changing))]
async fn switch(
    caller: Caller,
    State(app): State<Arc<App>>,
    body: Json<NewSwitch>,
) -> Result<StatusCode, Problem> {
    caller.must_be_owner()?;
    let NewSwitch { url, enabled } = body.value;
    let exchange = &app.exchange;
    exchange.issuers.refresh(&*exchange.store).await?;
    if !exchange.issuers.all().iter().any(|issuer| *issuer.policy.issuer() == url) {
        return Err(Problem::not_found("issuer"));
    }
    let switch = if enabled { Switch::On } else { Switch::Off };
    exchange.store.switch_issuer(&url, switch, &caller.author()).await?;
    exchange.issuers.refresh(&*exchange.store).await?;
    Ok(StatusCode::NO_CONTENT)
}
