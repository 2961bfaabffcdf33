//! What the ledger keeps of an exchange.

use serde_json::{Map, Value, json};

use countersign_core::time::LEEWAY;
use countersign_core::{Grant, Resource, UnixTime, VerifiedToken};

use super::error::{ExchangeError, Run};
use crate::issuers::Issuer;
use crate::store::{Exchange, ExchangeId, Issuance, Outcome};

pub(super) fn issued(
    id: &ExchangeId,
    grant: &Grant,
    token: &VerifiedToken,
    issuer: &Issuer,
    now: UnixTime,
    expires_at: UnixTime,
) -> Exchange {
    let detail = json!({
        "permission": grant.permission(),
        "notices": grant.notices(),
        "claims": recorded_claims(&Run::new(token, issuer)),
    });
    Exchange {
        id: id.clone(),
        at: now,
        resource: Some(grant.resource().clone()),
        issuer: Some(token.issuer().to_string()),
        subject: Some(token.subject().to_owned()),
        outcome: Outcome::Issued(Box::new(Issuance {
            publisher: grant.publisher().clone(),
            revision: grant.revision(),
            learned: grant.learned().cloned(),
            issuer: token.issuer().clone(),
            id_token: token.replay_key().clone(),
            max_exchanges: issuer.max_exchanges,
            forget_at: token.expires_at() + LEEWAY,
            expires_at,
        })),
        detail: detail.to_string(),
    }
}

pub(super) fn refused(
    id: &ExchangeId,
    error: &ExchangeError,
    resource: &Resource,
    now: UnixTime,
) -> Exchange {
    let mut detail = json!({ "explanation": error.for_log() });
    let (mut issuer, mut subject) = (None, None);
    if let Some(run) = error.run() {
        issuer = Some(run.token.issuer().to_string());
        subject = Some(run.token.subject().to_owned());
        detail["claims"] = recorded_claims(run).into();
    }
    Exchange {
        id: id.clone(),
        at: now,
        resource: Some(resource.clone()),
        issuer,
        subject,
        outcome: Outcome::Refused(error.code()),
        detail: detail.to_string(),
    }
}

/// The claims that say which run it was. Where a provider's are known, those that describe persons stay out.
fn recorded_claims(run: &Run) -> Map<String, Value> {
    let names = run.provider.preset().recorded_claims;
    let claims = run.token.claims().as_map().iter();
    let wanted = claims.filter(|(name, value)| {
        if names.is_empty() {
            !value.is_object() && !value.is_array()
        } else {
            names.contains(&name.as_str())
        }
    });
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}
