//! Exchanges: what is recorded, and what is on record.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use countersign_core::publisher::{PublisherId, Revision};
use countersign_core::{IssuerUrl, ReplayKey, Resource, Rules, UnixTime};
use serde::Serialize;
use serde_json::Value;

use crate::admin::{ResourcePattern, is_within};

/// One exchange to record: what was asked, and what was decided.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its id, which is also the request id and the `jti` of the token that was issued.
    pub id: ExchangeId,
    /// When.
    pub at: UnixTime,
    /// The resource that was asked for, if the request got that far.
    pub resource: Option<Resource>,
    /// The issuer of the id token, believed only if `outcome` says so.
    pub issuer: Option<String>,
    /// The subject of the id token, once verified.
    pub subject: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The claims that matter, and the decision in full, as JSON.
    pub detail: String,
}

/// What came of an exchange.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A token, if the ledger agrees.
    Issued(Box<Issuance>),
    /// Nothing was issued; the reason's stable code.
    Refused(&'static str),
}

/// Everything that has to hold at the moment a token is recorded.
#[derive(Clone, Debug)]
pub struct Issuance {
    /// The publisher that trusts the run, in exactly this revision.
    pub publisher: PublisherId,
    /// See above.
    pub revision: Revision,
    /// The publisher's rules with ids that this run teaches.
    pub learned: Option<Rules>,
    /// The issuer of the id token.
    pub issuer: IssuerUrl,
    /// The id token.
    pub id_token: IdTokenKey,
    /// How many tokens the id token may buy.
    pub max_exchanges: u32,
    /// Until when the id token must be remembered: its `exp` plus the leeway.
    pub forget_at: UnixTime,
    /// When the access token ends.
    pub expires_at: UnixTime,
    /// Where registries that verify offline find out whether it was revoked.
    pub status: Option<StatusEntry>,
}

/// What the replay memory knows an id token by: half of the SHA-256 of its issuer and its replay key.
///
/// The memory has all that are good, so what counts is how little each of them takes. Whoever finds two tokens with one key
/// (2⁶⁴ attempts) has the second of them refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdTokenKey([u8; 16]);

impl IdTokenKey {
    /// The key of an issuer's token.
    pub fn of(issuer: &IssuerUrl, token: &ReplayKey) -> Self {
        // No URL has a NUL, so no two pairs are written alike.
        let written = [issuer.as_str(), token.as_str()].join("\0");
        let mut key = [0; 16];
        key.iter_mut().zip(digest(&SHA256, written.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
        Self(key)
    }

    /// One that was written down by its bytes.
    pub(super) fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A token's place in a status list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusEntry {
    /// The list's id.
    pub list: String,
    /// The token's index in it, from 0.
    pub index: u32,
}

/// What the ledger says to an issuance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is on record.
    Recorded,
    /// The id token has bought all that it may; nothing is recorded.
    Replayed,
    /// The id token ended while the exchange waited, and its uses may have been forgotten; nothing is recorded.
    TooLate,
    /// The publisher is gone or not what the decision was made on; nothing is recorded.
    PublisherChanged,
    /// The issuer is switched off; nothing is recorded.
    IssuerDisabled,
}

/// An exchange's id: a UUID of version 7.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ExchangeId(pub String);

impl ExchangeId {
    /// An id that sorts before all that were made at that time or later, and after all that were made before.
    pub fn earliest_at(time: UnixTime) -> Self {
        let millis = u64::try_from(time.as_seconds()).unwrap_or(0).saturating_mul(1000) & 0xffff_ffff_ffff;
        Self(format!("{:08x}-{:04x}", millis >> 16, millis & 0xffff))
    }
}

impl fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An exchange as the ledger has it.
#[derive(Clone, Debug, Serialize)]
pub struct RecordedExchange {
    /// Its id.
    pub id: ExchangeId,
    /// When.
    pub at: UnixTime,
    /// `issued`, or the reason's code.
    pub outcome: String,
    /// The resource.
    pub resource: Option<String>,
    /// The issuer.
    pub issuer: Option<String>,
    /// The subject.
    pub subject: Option<String>,
    /// The publisher that let it in.
    pub publisher: Option<String>,
    /// When the issued token ends.
    pub expires_at: Option<UnixTime>,
    /// When the issued token was revoked.
    pub revoked_at: Option<UnixTime>,
    /// Claims and decision.
    pub detail: Value,
}

/// Tokens that are good, as far as they were counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveTokens {
    /// How many.
    pub count: u64,
    /// From where to go on; `None` at the end.
    pub next: Option<ExchangeId>,
}

/// Which exchanges to search for; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct ExchangeFilter {
    /// Those for this resource.
    pub resource: Option<String>,
    /// Those that this publisher let in.
    pub publisher: Option<PublisherId>,
    /// Those of this issuer's tokens.
    pub issuer: Option<String>,
    /// Those that came to this.
    pub outcome: Option<String>,
    /// Those of this subject.
    pub subject: Option<String>,
    /// Those whose recorded claim of that name has that value: `run_id`, `sha`, …
    pub claim: Option<(String, String)>,
    /// Those at that time or later.
    pub since: Option<UnixTime>,
    /// Those before that time.
    pub until: Option<UnixTime>,
    /// Those whose token is good at that time.
    pub live_at: Option<UnixTime>,
    /// Those for resources that one of these patterns means.
    pub within: Option<Vec<ResourcePattern>>,
}

/// Exchanges that one call of `count_live` looks at: some milliseconds of work.
pub(super) const COUNTED: i64 = 20_000;

impl LiveTokens {
    /// What a call found among `rows` exchanges, of which `last` is the newest.
    pub(super) fn counted(rows: i64, last: Option<String>, live: i64) -> Self {
        let next = last.filter(|_| rows == COUNTED).map(ExchangeId);
        Self { count: u64::try_from(live).unwrap_or(0), next }
    }
}

impl ExchangeFilter {
    /// Whether an exchange has the claim and a resource that were asked for: what no column of a table answers.
    pub(super) fn admits(&self, exchange: &RecordedExchange) -> bool {
        let has_claim = self.claim.as_ref().is_none_or(|(name, value)| exchange.has_claim(name, value));
        has_claim && is_within(self.within.as_deref(), exchange.resource.as_deref())
    }

    /// Whether [`ExchangeFilter::admits`] has anything to ask.
    pub(super) fn asks_for_more(&self) -> bool {
        self.claim.is_some() || self.within.is_some()
    }
}

impl RecordedExchange {
    /// Whether the record has a claim of that name whose value reads so.
    fn has_claim(&self, name: &str, value: &str) -> bool {
        match self.detail.get("claims").and_then(|claims| claims.get(name)) {
            Some(Value::String(text)) => text == value,
            Some(Value::Number(number)) => number.to_string() == value,
            Some(Value::Bool(boolean)) => boolean.to_string() == value,
            _ => false,
        }
    }
}

/// An exchange that came to nothing, to be recorded.
#[cfg(test)]
pub(super) fn refused(id: &str) -> Exchange {
    Exchange {
        id: ExchangeId(id.to_owned()),
        at: UnixTime::from_seconds(1_800_000_000),
        resource: None,
        issuer: None,
        subject: None,
        outcome: Outcome::Refused("expired"),
        detail: "{}".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{COUNTED, ExchangeId, LiveTokens, UnixTime};

    #[test]
    fn the_earliest_id_of_a_time_divides_before_from_after() {
        let at = 1_800_000_000;
        let id = |millis: u64, rest: [u8; 10]| {
            uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid().to_string()
        };
        let bound = ExchangeId::earliest_at(UnixTime::from_seconds(at)).0;
        let millis = u64::try_from(at).unwrap() * 1000;
        assert!(id(millis - 1, [0xff; 10]) < bound);
        assert!(bound < id(millis, [0; 10]));
        assert_eq!(ExchangeId::earliest_at(UnixTime::from_seconds(-5)).0, "00000000-0000");
    }

    #[test]
    fn a_count_goes_on_where_there_may_be_more() {
        let counted = |rows| LiveTokens::counted(rows, Some("x".to_owned()), 7).next;
        assert_eq!(counted(COUNTED), Some(ExchangeId("x".to_owned())));
        assert_eq!(counted(COUNTED - 1), None);
    }
}
