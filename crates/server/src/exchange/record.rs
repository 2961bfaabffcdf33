//! What the ledger keeps of an exchange.

use countersign_core::decision::Notice;
use countersign_core::time::LEEWAY;
use countersign_core::{AccessTokenClaims, Grant, Permission, Provider, Resource, UnixTime, VerifiedToken};
use serde::{Serialize, Serializer};

use super::error::ExchangeError;
use crate::issuers::Issuer;
use crate::store::{Exchange, ExchangeId, IdTokenKey, Issuance, Outcome, StatusEntry};

/// The part of a record that only people read, as JSON.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission: Option<Permission>,
    #[serde(skip_serializing_if = "<[Notice]>::is_empty")]
    notices: &'a [Notice],
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<RecordedClaims<'a>>,
}

/// The claims that say which run it was.
struct RecordedClaims<'a>(&'a VerifiedToken, Provider);

pub(super) fn issued(
    id: &ExchangeId,
    grant: &Grant,
    token: &VerifiedToken,
    issuer: &Issuer,
    status: StatusEntry,
    claims: &AccessTokenClaims,
) -> Exchange {
    let detail = Detail {
        explanation: None,
        permission: Some(grant.permission()),
        notices: grant.notices(),
        claims: Some(RecordedClaims(token, issuer.provider)),
    };
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
        detail: detail.written(),
    }
}

pub(super) fn refused(
    id: &ExchangeId,
    error: &ExchangeError,
    resource: &Resource,
    now: UnixTime,
) -> Exchange {
    let run = error.run();
    let detail = Detail {
        explanation: Some(error.for_log()),
        permission: None,
        notices: &[],
        claims: run.map(|run| RecordedClaims(&run.token, run.provider)),
    };
    Exchange {
        id: id.clone(),
        at: now,
        resource: Some(resource.clone()),
        issuer: run.map(|run| run.token.issuer().to_string()),
        subject: run.map(|run| run.token.subject().to_owned()),
        outcome: Outcome::Refused(error.code()),
        detail: detail.written(),
    }
}

impl Detail<'_> {
    fn written(&self) -> String {
        // Texts, numbers and maps with text keys: nothing that JSON cannot say.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Serialize for RecordedClaims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(token, provider) = self;
        let claims = token.claims().as_map().iter();
        serializer.collect_map(claims.filter(|(name, value)| provider.preset().records(name, value)))
    }
}
