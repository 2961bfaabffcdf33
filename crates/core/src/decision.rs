//! The decision: which publisher, if any, trusts a verified token.

use serde::Serialize;

mod check;
mod refusal;

pub use check::{Actual, Check};
pub use refusal::{Refusal, Report};

use crate::access_token::Permission;
use crate::publisher::{Publisher, PublisherId, PublisherState, Revision, Rules};
use crate::resource::Resource;
use crate::statement::Statement;
use crate::verified::VerifiedToken;

/// Permission to issue one token for one resource, with its reason. Only [`decide`] makes one.
///
/// It holds for the publisher as it was when it was decided: whoever records it must refuse if the revision has moved on.
#[derive(Clone, Debug)]
pub struct Grant {
    publisher: PublisherId,
    revision: Revision,
    resource: Resource,
    permission: Permission,
    learned: Option<Rules>,
    notices: Vec<Notice>,
}

/// Something the owner should know about a run that was let in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// The run has an environment and the publisher does not ask for one: setting it would narrow the trust.
    EnvironmentNotRequired {
        /// The environment of the run.
        environment: String,
    },
    /// Claims that the preset has never heard of: the provider has changed its tokens.
    UnknownClaims {
        /// Their names.
        names: Vec<String>,
    },
    /// Ids that this run taught the publisher.
    Pinned {
        /// The claims that are pinned from now on.
        claims: Vec<String>,
    },
}

impl Grant {
    /// The publisher that trusts the run.
    pub fn publisher(&self) -> &PublisherId {
        &self.publisher
    }

    /// The form of the publisher that it was decided on.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What the token will be for.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// What the token may do.
    pub fn permission(&self) -> Permission {
        self.permission
    }

    /// The publisher's rules with the ids that this run teaches; `None` if it teaches nothing.
    pub fn learned(&self) -> Option<&Rules> {
        self.learned.as_ref()
    }

    /// What the owner should know.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The same grant with at most `permission`: what a client asked for can narrow a grant, never widen it.
    #[must_use]
    pub fn narrowed_to(mut self, permission: Permission) -> Self {
        self.permission = self.permission.min(permission);
        self
    }
}

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
    let mut reports: Vec<(&Publisher, Report)> = publishers
        .iter()
        .filter(|publisher| publisher.resource == *resource && publisher.rules.issuer() == token.issuer())
        .map(|publisher| (publisher, examine(publisher, token.statement())))
        .collect();
    let matching = reports.iter().filter(|(_, report)| report.all_passed());
    let strictest = matching
        .max_by(|(left, a), (right, b)| a.checks().len().cmp(&b.checks().len()).then(right.id.cmp(&left.id)));
    if let Some((publisher, _)) = strictest {
        return Ok(grant(publisher, token));
    }
    reports.sort_by_key(|(_, report)| report.failures().count());
    Err(Refusal::new(
        resource.clone(),
        token.issuer().clone(),
        reports.into_iter().map(|(_, report)| report).collect(),
    ))
}

/// All checks of one publisher, pins last: a run must be right in everything else before its ids count (invariant 6).
fn examine(publisher: &Publisher, statement: &Statement) -> Report {
    let rules = &publisher.rules;
    let mut checks = Vec::new();
    if publisher.state == PublisherState::Disabled {
        checks.push(Check::failed(
            "publisher",
            vec!["enabled".to_owned()],
            Actual::value("disabled"),
            "the owner has disabled this publisher",
        ));
    }
    checks.extend(check::event(rules, statement));
    checks.extend((rules.provider().preset().guard)(statement, rules));
    checks.extend(rules.conditions().iter().map(|condition| check::condition(condition, statement)));
    let first_pin = checks.len();
    let is_named = checks.iter().all(Check::passed);
    checks.extend(rules.pins().map(|(claim, id)| check::pin(claim, id, rules, statement, is_named)));
    // The first pin of a preset is the repository's own; its owner's alone would prove too little.
    let own = rules.provider().preset().pins.first();
    let is_own = own.is_some_and(|pin| rules.has_given_pin(pin.claim));
    let known = rules.pins().zip(&checks[first_pin..]).filter(|((_, id), _)| id.is_some());
    let proven = is_own && known.into_iter().all(|(_, check)| check.passed());
    Report::new(publisher.id.clone(), checks, proven)
}

fn grant(publisher: &Publisher, token: &VerifiedToken) -> Grant {
    let rules = &publisher.rules;
    let preset = rules.provider().preset();
    let lessons: Vec<(&'static str, String)> = rules
        .pins()
        .filter(|(_, id)| id.is_none())
        .filter_map(|(claim, _)| {
            let pin = preset.pin(claim)?;
            Some((pin.claim, pin.value_in(token.statement())?.into_owned()))
        })
        .collect();
    Grant {
        publisher: publisher.id.clone(),
        revision: publisher.revision,
        resource: publisher.resource.clone(),
        permission: publisher.permission.min(publisher.resource.highest_permission()),
        learned: (!lessons.is_empty()).then(|| rules.with_learned(lessons.clone())),
        notices: notices(rules, token, &lessons),
    }
}

fn notices(rules: &Rules, token: &VerifiedToken, lessons: &[(&'static str, String)]) -> Vec<Notice> {
    let preset = rules.provider().preset();
    let mut notices = Vec::new();
    let asks_for_environment = rules.has_field("environment") || rules.has_pointer("environment");
    if let Some(environment) = preset.field("environment").and_then(|field| field.value_in(token.statement()))
        && !asks_for_environment
    {
        notices.push(Notice::EnvironmentNotRequired { environment: environment.into_owned() });
    }
    let unknown = token.claims().names().filter(|name| !is_known(preset.known_claims, name));
    let unknown: Vec<String> = unknown.map(str::to_owned).collect();
    if !preset.known_claims.is_empty() && !unknown.is_empty() {
        notices.push(Notice::UnknownClaims { names: unknown });
    }
    if !lessons.is_empty() {
        notices
            .push(Notice::Pinned { claims: lessons.iter().map(|(claim, _)| (*claim).to_owned()).collect() });
    }
    notices
}

/// GitHub's custom properties come as open-ended claim names.
fn is_known(known: &[&str], name: &str) -> bool {
    known.contains(&name) || name.starts_with("repo_property_")
}

#[cfg(test)]
mod tests;
