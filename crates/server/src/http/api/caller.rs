//! Who asks, and what they may.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use countersign_core::{Resource, UnixTime};
use secrecy::SecretString;

use super::problem::Problem;
use crate::admin::{self, AdminToken, ResourcePattern, Role};
use crate::http::App;
use crate::limits::TooMany;
use crate::store::{Actor, Author, ExchangeId, StoreError};

/// The holder of an admin token, looked up for this request: what is withdrawn from a token is gone with the next one.
///
/// Invariant 7: an access token is no admin token, and nothing else administers. There are no cookies, so another site
/// cannot make a browser ask in somebody's name (threat K4).
pub(super) struct Caller {
    token: AdminToken,
    request: ExchangeId,
    now: UnixTime,
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let now = app.exchange.clock.now();
        let token = admin_token(app, &parts.headers, now).await?.ok_or_else(Problem::unauthorized)?;
        if token.role == Role::Registry {
            return Err(Problem::forbidden("the role registry introspects tokens and does nothing else"));
        }
        // Those who run the server may do so with programs; those who are let in may not fill it with what they make up.
        if token.role == Role::Maintainer && parts.method != Method::GET {
            admit_changes(app, &token, 1)?;
        }
        let request = parts.extensions.get::<ExchangeId>().cloned();
        Ok(Self { token, request: request.unwrap_or_else(|| app.exchange.fresh_id()), now })
    }
}

fn admit_changes(app: &App, token: &AdminToken, number: usize) -> Result<(), TooMany> {
    let exchange = &app.exchange;
    let admitted = exchange.limits.admit_changes(&token.id, number, exchange.clock.unix_millis());
    admitted.inspect_err(|too_many| exchange.metrics.limited(too_many.what))
}

/// The admin token in force that a request bears.
pub(in crate::http) async fn admin_token(
    app: &App,
    headers: &HeaderMap,
    now: UnixTime,
) -> Result<Option<AdminToken>, StoreError> {
    let value = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let Some((_, secret)) = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
    else {
        return Ok(None);
    };
    let hash = admin::hash(&SecretString::from(secret.trim()));
    app.exchange.store.use_admin_token(&hash, now).await
}

impl Caller {
    /// When the request came.
    pub(super) fn now(&self) -> UnixTime {
        self.now
    }

    /// The token.
    pub(super) fn token(&self) -> &AdminToken {
        &self.token
    }

    /// Who the audit log will name.
    pub(super) fn author(&self) -> Author {
        Author {
            actor: Actor::AdminToken(self.token.id.clone()),
            at: self.now,
            request: self.request.clone(),
        }
    }

    /// Whether they may see what happens to a resource, by its canonical text.
    pub(super) fn sees(&self, resource: &str) -> bool {
        self.token.sees(resource)
    }

    /// The resources that lists are limited to; `None` for all.
    pub(super) fn horizon(&self) -> Option<Vec<ResourcePattern>> {
        (self.token.role != Role::Owner).then(|| self.token.resources.clone())
    }

    /// May make so many changes in one request, of which the first is counted already.
    pub(super) fn may_change_so_many(&self, app: &App, number: usize) -> Result<(), Problem> {
        match self.token.role {
            Role::Maintainer => Ok(admit_changes(app, &self.token, number.saturating_sub(1))?),
            Role::Owner | Role::Auditor | Role::Registry => Ok(()),
        }
    }

    /// May change the publishers of a resource that they name.
    pub(super) fn may_manage(&self, resource: &Resource) -> Result<(), Problem> {
        self.may_change()?;
        if self.sees(&resource.to_string()) {
            return Ok(());
        }
        let patterns: Vec<String> = self.token.resources.iter().map(ToString::to_string).collect();
        Err(Problem::forbidden(format!(
            "this admin token is for {}, not for {resource}",
            patterns.join(", ")
        )))
    }

    /// May change anything at all.
    pub(super) fn may_change(&self) -> Result<(), Problem> {
        match self.token.role {
            Role::Owner | Role::Maintainer => Ok(()),
            Role::Auditor | Role::Registry => {
                Err(Problem::forbidden("the role auditor reads and changes nothing"))
            }
        }
    }

    /// May do what concerns the server as a whole.
    pub(super) fn must_be_owner(&self) -> Result<(), Problem> {
        match self.token.role {
            Role::Owner => Ok(()),
            role => Err(Problem::forbidden(format!(
                "this needs an admin token of the role owner; this one's is {role}"
            ))),
        }
    }

    /// May read what concerns the server as a whole.
    pub(super) fn must_read_all(&self) -> Result<(), Problem> {
        match self.token.role {
            Role::Owner => Ok(()),
            Role::Auditor if self.token.is_about_everything() => Ok(()),
            role => Err(Problem::forbidden(format!(
                "this needs an admin token of an owner, or of an auditor of everything; this one's role is {role}"
            ))),
        }
    }
}
