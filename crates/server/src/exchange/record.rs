//! What the ledger keeps of an exchange.

use countersign_core::decision::Notice;
use countersign_core::json::push_object;
use countersign_core::time::LEEWAY;
use countersign_core::{AccessTokenClaims, Grant, Permission, Provider, Resource, UnixTime, VerifiedToken};
use serde::Serialize;

use super::error::ExchangeError;
use crate::issuers::Issuer;
use crate::store::{Exchange, ExchangeId, IdTokenKey, Issuance, Outcome, StatusEntry};

/// The part of a record that only people read, as JSON: this, and the claims that say which run it was.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<Permission>,
    #[serde(skip_serializing_if = "<[Notice]>::is_empty")]
    notices: &'a [Notice],
}

/// Room for the claims that say which run it was.
const USUAL_CLAIMS: usize = 1024;

pub(super) fn issued(
    id: &ExchangeId,
    grant: &Grant,
    token: &VerifiedToken,
    issuer: &Issuer,
    status: StatusEntry,
    claims: &AccessTokenClaims,
) -> Exchange {
    let detail = Detail { explanation: None, permission: Some(grant.permission()), notices: grant.notices() };
    Exchange {
        id: id.clone(),
        at: claims.iat,
        resource: Some(grant.resource().clone()),
        issuer: Some(token.issuer().to_string()),
        subject: Some(token.subject().to_owned()),
        outcome: Outcome::Issued(Box::new(Issuance {
            publisher: grant.publisher().clone(),
            revision: grant.revision(),
            learned: grant.learned().cloned(),
            issuer: token.issuer().clone(),
            id_token: IdTokenKey::of(token.issuer(), token.replay_key()),
            max_exchanges: issuer.max_exchanges,
            forget_at: token.expires_at() + LEEWAY,
            expires_at: claims.exp,
            status: Some(status),
        })),
        detail: detail.written(Some((token, issuer.provider))),
    }
}

pub(super) fn refused(
    id: &ExchangeId,
    error: &ExchangeError,
    resource: &Resource,
    now: UnixTime,
) -> Exchange {
    let run = error.run();
    let detail = Detail { explanation: Some(error.for_log()), permission: None, notices: &[] };
    Exchange {
        id: id.clone(),
        at: now,
        resource: Some(resource.clone()),
        issuer: run.map(|run| run.token.issuer().to_string()),
        subject: run.map(|run| run.token.subject().to_owned()),
        outcome: Outcome::Refused(error.code()),
        detail: detail.written(run.map(|run| (&run.token, run.provider))),
    }
}

impl Detail<'_> {
    fn written(&self, run: Option<(&VerifiedToken, Provider)>) -> String {
        // Texts, and lists and maps of them: nothing that JSON cannot say.
        let mut json = serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned());
        if let Some((token, provider)) = run {
            json.reserve(USUAL_CLAIMS);
            json.pop();
            json.push_str(if json.len() > 1 { ",\"claims\":" } else { "\"claims\":" });
            push_object(&mut json, provider.preset().recorded(token.claims()));
            json.push('}');
        }
        json
    }
}
