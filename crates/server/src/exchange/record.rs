//! What the ledger keeps of an exchange.

use serde_json::{Map, Value, json};

use super::{
    Exchange, ExchangeError, ExchangeId, Grant, Issuance, Issuer, LEEWAY, Outcome, Resource, UnixTime,
    VerifiedToken,
};
use countersign_core::Provider;

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
        "claims": recorded_claims(issuer.provider, token),
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
    let (issuer, subject, detail) = match error {
        ExchangeError::Refused(refused) => {
            let token = &refused.token;
            let detail = json!({
                "explanation": refused.refusal.for_owner(),
                "publishers": refused.refusal.publishers(),
                "claims": recorded_claims(refused.provider, token),
            });
            (Some(token.issuer().to_string()), Some(token.subject().to_owned()), detail)
        }
        other => (None, None, json!({ "explanation": other.for_log() })),
    };
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
fn recorded_claims(provider: Provider, token: &VerifiedToken) -> Map<String, Value> {
    let names = provider.preset().recorded_claims;
    let claims = token.claims().as_map().iter();
    let wanted = claims.filter(|(name, value)| {
        if names.is_empty() {
            !value.is_object() && !value.is_array()
        } else {
            names.contains(&name.as_str())
        }
    });
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}
