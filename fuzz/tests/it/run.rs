//! A run and a publisher that trusts it, for targets that edit the run.

use countersign_core::access_token::Permission;
use countersign_core::publisher::{PublisherState, Revision};
use countersign_core::{
    Claims, Grant, IssuerUrl, Publisher, Refusal, ReplayKey, Resource, Rules, UnixTime, VerifiedToken, decide,
};
use serde_json::{Map, Value, json};

use crate::edit::{Edits, edited};

/// For each run: which claim is edited, how, and which type it then has; twice, since one edit alone is easily noticed.
pub(crate) type Changes = [(u8, u8, Edits); 2];

pub(crate) fn resource() -> Resource {
    "acme/awesome-model".parse().unwrap()
}

pub(crate) fn publisher(rules: Rules) -> Publisher {
    Publisher {
        id: "01890000-0000-7000-8000-000000000001".parse().unwrap(),
        resource: resource(),
        rules,
        permission: Permission::Write,
        state: PublisherState::Enabled,
        revision: Revision(1),
    }
}

pub(crate) fn token(issuer: &IssuerUrl, claims: Map<String, Value>) -> VerifiedToken {
    let (subject, end) = ("whatever the template says".to_owned(), UnixTime::from_seconds(2_000_000_000));
    let replay_key = ReplayKey::from_jti("1");
    VerifiedToken::vouched_by_signature(issuer.clone(), subject, end, replay_key, Claims::new(claims))
}

/// Edits the claims and decides on them by the rules. A refusal's explanations are made too, as they are parsers of a kind.
pub(crate) fn decide_on(
    rules: &Value,
    claims: &Value,
    changes: &Changes,
) -> (Map<String, Value>, Option<Grant>) {
    let rules: Rules = serde_json::from_value(rules.clone()).unwrap();
    let Value::Object(mut claims) = claims.clone() else { unreachable!() };
    for change in changes {
        edit_claim(&mut claims, change);
    }
    let token = token(rules.issuer(), claims.clone());
    let provider = rules.provider();
    let decision = decide(&resource(), &[publisher(rules)], &token);
    let explain = |refusal: Refusal| {
        assert!(!refusal.for_owner().is_empty());
        assert!(!refusal.for_caller(&provider.presented(&token)).is_empty());
    };
    (claims, decision.map_err(explain).ok())
}

fn edit_claim(claims: &mut Map<String, Value>, (which, kind, edits): &(u8, u8, Edits)) {
    let index = usize::from(*which) % claims.len();
    let Some((name, value)) = claims.iter().nth(index).map(|(name, value)| (name.clone(), value.clone()))
    else {
        return;
    };
    let text = value.as_str().unwrap_or_default();
    // The values of other claims are examples too: a branch may be called like a workflow.
    let others: Vec<&str> = claims.values().filter_map(Value::as_str).collect();
    let new = edited(if kind % 3 == 0 { &others } else { std::slice::from_ref(&text) }, edits);
    let value = match kind {
        0..=3 => Value::Null,
        4..=6 => json!([new]),
        7..=9 => json!({ "0": new }),
        10..=12 => new.parse::<i64>().map_or(Value::Bool(true), Value::from),
        13..=15 => return drop(claims.remove(&name)),
        _ => Value::from(new),
    };
    claims.insert(name, value);
}

/// The claim, if it is a text.
pub(crate) fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name).and_then(Value::as_str)
}
