//! The whole decision as data, for people and programs that want to understand it.

use serde::Serialize;

use super::grant::{Lessons, Notice};
use super::refusal::Refusal;
use super::report::{self, Report};
use crate::access_token::Permission;
use crate::issuer::IssuerUrl;
use crate::provider::Provider;
use crate::publisher::{Publisher, PublisherId};
use crate::resource::Resource;
use crate::statement::Statement;
use crate::verified::VerifiedToken;

/// What [`decide`](super::decide) says of a run, and why, publisher by publisher: for the resource's owner.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    #[serde(flatten)]
    outcome: Outcome,
    resource: Resource,
    issuer: IssuerUrl,
    publishers: Vec<Report>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<Elsewhere>,
}

/// How a decision ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The run may have a token.
    Granted {
        /// The publisher that lets it in.
        publisher: PublisherId,
        /// What the token may do.
        permission: Permission,
        /// What the owner should know.
        notices: Vec<Notice>,
    },
    /// It may not.
    Refused,
}

/// A publisher of the resource that was passed over, because it is about runs of another issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Elsewhere {
    publisher: PublisherId,
    issuer: IssuerUrl,
}

/// What the job itself may know of a decision (invariant 10).
#[derive(Clone, Debug, Serialize)]
pub struct ForCaller {
    #[serde(flatten)]
    outcome: CallerOutcome,
    /// The same in a sentence.
    message: String,
    /// The checks of the publisher that the run has proved to be its own, if it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum CallerOutcome {
    Granted { permission: Permission },
    Refused,
}

/// Explains the decision on a run for the resource's owner, with every check, the publisher that lets it in first and
/// then the nearest.
///
/// Made of the same checks as the decision itself, so the two cannot disagree. It issues nothing, so a statement is
/// enough: what the ledger kept of an exchange can be explained long after.
pub fn explain(resource: &Resource, publishers: &[Publisher], statement: &Statement) -> Explanation {
    let mut examined = report::examined(resource, publishers, statement);
    let granting = report::granting(resource, publishers, statement);
    let outcome = granting.map_or(Outcome::Refused, |publisher| Outcome::Granted {
        publisher: publisher.id.clone(),
        permission: publisher.highest_permission(),
        notices: Lessons::of(&publisher.rules, statement).notices(&publisher.rules, statement),
    });
    examined.sort_by_key(|(publisher, _)| granting.is_none_or(|granting| granting.id != publisher.id));
    let of_others = publishers.iter().filter(|publisher| {
        publisher.resource == *resource && publisher.rules.issuer() != statement.issuer()
    });
    let elsewhere = of_others.map(|publisher| Elsewhere {
        publisher: publisher.id.clone(),
        issuer: publisher.rules.issuer().clone(),
    });
    Explanation {
        outcome,
        resource: resource.clone(),
        issuer: statement.issuer().clone(),
        publishers: report::reports(examined),
        elsewhere: elsewhere.collect(),
    }
}

/// Explains the decision to the job that holds the token, as far as it has proved that it comes from a publisher's own
/// repository (invariant 10). It takes a verified token, because a statement proves nothing.
pub fn explain_to_caller(
    resource: &Resource,
    publishers: &[Publisher],
    token: &VerifiedToken,
    provider: Provider,
) -> ForCaller {
    let Explanation { outcome, resource, issuer, publishers, .. } =
        explain(resource, publishers, token.statement());
    match outcome {
        Outcome::Granted { permission, .. } => ForCaller {
            outcome: CallerOutcome::Granted { permission },
            message: format!(
                "a trusted publisher of {resource} lets this run have a token to {}",
                permission.as_str()
            ),
            report: None,
        },
        Outcome::Refused => {
            let refusal = Refusal::new(resource, issuer, publishers);
            ForCaller {
                outcome: CallerOutcome::Refused,
                message: refusal.for_caller(&provider.presented(token)),
                report: refusal.proven().cloned(),
            }
        }
    }
}

impl Explanation {
    /// How the decision ends.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// The publishers of this resource and issuer: the one that lets the run in, then the nearest to a match.
    pub fn publishers(&self) -> &[Report] {
        &self.publishers
    }

    /// The publishers of this resource that are about runs of other issuers.
    pub fn elsewhere(&self) -> &[Elsewhere] {
        &self.elsewhere
    }
}

impl Elsewhere {
    /// Which publisher it is.
    pub fn publisher(&self) -> &PublisherId {
        &self.publisher
    }

    /// The issuer whose runs it is about.
    pub fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }
}

impl ForCaller {
    /// The outcome in a sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The checks of the publisher that the run has proved to be its own, if it has.
    pub fn report(&self) -> Option<&Report> {
        self.report.as_ref()
    }
}
