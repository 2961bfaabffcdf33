//! The decision: which publisher, if any, trusts a verified token.

mod check;
mod explanation;
mod grant;
mod identity;
mod refusal;
mod report;

pub use check::{Actual, Check};
pub use explanation::{Elsewhere, Explanation, ForCaller, Outcome, explain, explain_to_caller};
pub use grant::{Grant, Notice};
pub use refusal::Refusal;
pub use report::Report;
pub(crate) use report::failures;

use crate::publisher::Publisher;
use crate::resource::Resource;
use crate::verified::VerifiedToken;

/// Decides whether a run may have a token for `resource`: the first purpose of this project.
///
/// Invariant 5, a decision reads only verified claims and only exact values: absent, null and differently typed claims
/// never match, there are no patterns, and every condition of a publisher must hold. Publishers of other resources or
/// issuers are passed over, whoever handed them in.
///
/// Of several publishers that match, the one that demands most is recorded. Otherwise the refusal says of each publisher
/// what was expected and what came, the nearest first.
pub fn decide(
    resource: &Resource,
    publishers: &[Publisher],
    token: &VerifiedToken,
) -> Result<Grant, Refusal> {
    if let Some(publisher) = report::granting(resource, publishers, token.statement()) {
        return Ok(grant::grant(publisher, token));
    }
    let examined = report::examined(resource, publishers, token.statement());
    Err(Refusal::new(resource.clone(), token.issuer().clone(), report::reports(examined)))
}

#[cfg(test)]
mod tests;
