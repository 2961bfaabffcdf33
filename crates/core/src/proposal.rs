//! From a run that was refused, the publisher that would have let it in: for its owner to confirm.

use serde::Serialize;
use thiserror::Error;

use crate::claims::Scalar;
use crate::decision::{Check, failures};
use crate::lint::{Code, Warning, lint};
use crate::provider::{Field, Provider};
use crate::publisher::{InvalidRules, RawRules, Rules};
use crate::statement::Statement;

/// Rules that let one run in, as narrow as its claims allow, and what is still weak in them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The rules.
    pub rules: Rules,
    /// What the owner should think about before confirming.
    pub warnings: Vec<Warning>,
}

/// Why no publisher is proposed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Unproposable {
    /// The preset knows nothing in these claims.
    #[error(
        "the preset {0} knows nothing that identifies this run: choose among its claims, and write the conditions by hand"
    )]
    NothingKnown(&'static str),
    /// Whatever is known of the run does not make a publisher.
    #[error(transparent)]
    Rules(#[from] InvalidRules),
    /// Nothing would hold it to what has been reviewed.
    #[error(
        "the run is on no branch, tag or environment, as those of pull requests are: what lets it in would let in code that \
         nobody has reviewed; start one where the publisher shall be, or write the conditions by hand"
    )]
    NoBranch,
    /// It would be refused whatever its conditions: what somebody else may have started is trusted by hand or not at all.
    #[error("such a run is let in by no publisher that is made without thinking: {}", listed(.0))]
    Refused(Vec<Check>),
}

fn listed(checks: &[Check]) -> String {
    checks.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Proposes the publisher that lets this run in.
///
/// Every field of the preset that the run has becomes a condition and every id a pin, and the provider's own machines are
/// asked for if it ran there. Nothing that the preset refuses is ever proposed to be allowed. What is proposed passes
/// [`Rules`], and `decide` lets the same run in; the statement may come from what the ledger kept of it.
pub fn propose(
    provider: Provider,
    statement: &Statement,
    max_exchanges: u32,
) -> Result<Proposal, Unproposable> {
    let preset = provider.preset();
    let mut raw = RawRules {
        issuer: statement.issuer().clone(),
        provider,
        conditions: [].into(),
        pins: [].into(),
        allowed_events: [].into(),
    };
    let fields =
        preset.fields.iter().filter_map(|field| Some((field.name.to_owned(), value(field, statement)?)));
    let text = |claim: &str| statement.claims().text(claim).filter(|text| !text.is_empty());
    let hosted = preset.cautions.hosted.filter(|(claim, value)| text(claim) == Some(value));
    let claims = hosted.iter().map(|(claim, _)| claim).chain(preset.proposed_claims);
    let claims = claims.filter_map(|claim| Some((format!("/{claim}"), text(claim)?.to_owned())));
    raw.conditions.extend(fields.chain(claims).map(|(name, value)| (name, vec![Scalar::Text(value)])));
    let ids = preset.pins.iter().filter_map(|pin| Some((pin, pin.value_in(statement)?)));
    let ids = ids.filter(|(pin, id)| (pin.is_id)(id));
    raw.pins.extend(ids.map(|(pin, id)| (pin.claim.to_owned(), Some(id.into_owned()))));
    if raw.conditions.is_empty() && raw.pins.is_empty() {
        return Err(Unproposable::NothingKnown(preset.name));
    }
    let rules = Rules::try_from(raw)?;
    let refused = failures(&rules, statement);
    if !refused.is_empty() {
        return Err(Unproposable::Refused(refused));
    }
    let warnings = lint(&rules, max_exchanges);
    // A pull request's run is on no branch: what lets it in lets in whatever anybody proposes.
    if warnings.iter().any(|warning| warning.code == Code::AnyBranch) {
        return Err(Unproposable::NoBranch);
    }
    Ok(Proposal { rules, warnings })
}

/// What the run has in a field, if a condition can say it.
fn value(field: &Field, statement: &Statement) -> Option<String> {
    let found = field.value_in(statement)?;
    (field.parse)(&found).ok().filter(|value| *value == found)
}

#[cfg(test)]
mod tests;
