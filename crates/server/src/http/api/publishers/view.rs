//! A publisher as the API shows it.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use countersign_core::lint::{Warning, lint};
use countersign_core::pasted::Change;
use countersign_core::publisher::{RawRules, Revision};
use countersign_core::{Publisher, Rules, Scalar, UnixTime};
use serde::Serialize;
use utoipa::ToSchema;

use super::body::ConditionValue;
use crate::http::App;
use crate::issuers::Found;
use crate::store::ListedPublisher;

/// A trusted publisher.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PublisherView {
    /// Its id.
    #[schema(example = "0198c0de-0000-7000-8000-000000000000")]
    id: String,
    /// What its tokens are for.
    #[schema(example = "acme/model")]
    resource: String,
    /// What it demands; `null` if this version cannot read it.
    rules: Option<RulesView>,
    /// What its tokens may do.
    permission: Option<PermissionName>,
    /// Whether it lets anybody in.
    state: Option<StateName>,
    /// The number of its present form, which is its `ETag` too.
    revision: Option<i64>,
    /// When it was added, in Unix seconds.
    created_at: i64,
    /// When it was last changed, by people or by the ids that its first run taught.
    changed_at: i64,
    /// Until when it waits for its first run.
    pending_until: Option<i64>,
    /// When it last let a run in.
    last_used_at: Option<i64>,
    /// How often it let a run in.
    exchanges: u64,
    /// Why this version cannot read it: then it trusts nobody, and can be removed.
    problem: Option<String>,
    /// What is weak about it.
    warnings: Vec<WarningView>,
}

/// What a publisher demands of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RulesView {
    /// The issuer, exactly as in `iss`.
    issuer: String,
    /// The provider whose preset it uses.
    provider: String,
    /// Values that a claim may have, by field or JSON Pointer.
    #[schema(value_type = BTreeMap<String, Vec<ConditionValue>>)]
    conditions: BTreeMap<String, Vec<Scalar>>,
    /// Immutable ids; `null` until the first run has taught it.
    pins: BTreeMap<String, Option<String>>,
    /// Events accepted although the preset refuses them.
    allowed_events: Vec<String>,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PermissionName {
    Read,
    Write,
}

/// Whether a publisher is in force.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StateName {
    Enabled,
    Disabled,
}

/// Something weak about a publisher.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct WarningView {
    /// A stable code.
    code: &'static str,
    /// How much it matters.
    #[schema(value_type = String, example = "high")]
    severity: countersign_core::lint::Severity,
    /// What is weak.
    problem: String,
    /// What could happen.
    consequence: String,
    /// What to do.
    remedy: String,
}

/// A value that was taken for something else than was written.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Correction {
    /// The field.
    field: String,
    /// What was written.
    written: String,
    /// What it was taken for.
    taken: String,
}

/// An answer about one publisher, with its `ETag`.
pub(crate) struct Tagged<T> {
    pub(super) revision: Option<Revision>,
    pub(super) body: T,
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        let tag =
            self.revision.and_then(|Revision(number)| HeaderValue::from_str(&format!("\"{number}\"")).ok());
        if let Some(tag) = tag {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

impl PublisherView {
    pub(crate) fn of(listed: &ListedPublisher, app: &App) -> Self {
        let seconds = |time: Option<UnixTime>| time.map(UnixTime::as_seconds);
        let publisher = listed.publisher.as_ref().ok();
        Self {
            id: listed.id().to_string(),
            resource: listed.resource(),
            rules: publisher.map(|publisher| RulesView::of(publisher.rules.clone())),
            permission: publisher.map(|publisher| match publisher.permission {
                countersign_core::Permission::Read => PermissionName::Read,
                countersign_core::Permission::Write => PermissionName::Write,
            }),
            state: publisher.map(|publisher| match publisher.state {
                countersign_core::publisher::PublisherState::Enabled => StateName::Enabled,
                countersign_core::publisher::PublisherState::Disabled => StateName::Disabled,
            }),
            revision: publisher.map(|publisher| publisher.revision.0),
            created_at: listed.created_at.as_seconds(),
            changed_at: listed.changed_at.as_seconds(),
            pending_until: seconds(listed.pending_until),
            last_used_at: seconds(listed.last_used_at),
            exchanges: listed.exchanges,
            problem: listed.publisher.as_ref().err().map(|unreadable| unreadable.problem.clone()),
            warnings: publisher.map(|publisher| warnings(publisher, app)).unwrap_or_default(),
        }
    }

    /// A publisher that is not kept yet.
    pub(super) fn draft(
        publisher: &Publisher,
        pending_until: Option<UnixTime>,
        now: UnixTime,
        app: &App,
    ) -> Self {
        let listed = ListedPublisher {
            publisher: Ok(publisher.clone()),
            created_at: now,
            changed_at: now,
            pending_until,
            last_used_at: None,
            exchanges: 0,
        };
        Self::of(&listed, app)
    }
}

impl RulesView {
    pub(crate) fn of(rules: Rules) -> Self {
        let RawRules { issuer, provider, conditions, pins, allowed_events } = rules.into();
        Self {
            issuer: issuer.to_string(),
            provider: provider.to_string(),
            conditions,
            pins,
            allowed_events: allowed_events.into_iter().collect(),
        }
    }
}

/// What is weak about a publisher, as its issuer is configured here.
fn warnings(publisher: &Publisher, app: &App) -> Vec<WarningView> {
    let max_exchanges = match app.exchange.issuers.find(publisher.rules.issuer().as_str()) {
        Found::Issuer(issuer) => issuer.max_exchanges,
        Found::Disabled | Found::Unknown => 1,
    };
    lint(&publisher.rules, max_exchanges).into_iter().map(Into::into).collect()
}

impl From<Warning> for WarningView {
    fn from(warning: Warning) -> Self {
        let Warning { code, severity, problem, consequence, remedy } = warning;
        Self { code: code.as_str(), severity, problem, consequence, remedy }
    }
}

impl From<Change> for Correction {
    fn from(change: Change) -> Self {
        let Change { field, written, taken } = change;
        Self { field, written, taken }
    }
}
