//! Every reason why not, and how much of it to tell whom.

use serde::Serialize;

use super::check::Check;
use crate::issuer::IssuerUrl;
use crate::publisher::PublisherId;
use crate::resource::Resource;

/// Why no publisher trusts a token: for each publisher of the resource and issuer, what was expected and what came.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    resource: Resource,
    issuer: IssuerUrl,
    publishers: Vec<Report>,
}

/// The checks of one publisher.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    publisher: PublisherId,
    /// Whether the token's ids are those that the publisher is held to: it comes from the publisher's own repository.
    proven: bool,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(publisher: PublisherId, checks: Vec<Check>, proven: bool) -> Self {
        Self { publisher, proven, checks }
    }

    /// All checks, in the order they were made.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The checks that did not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed())
    }

    pub(super) fn all_passed(&self) -> bool {
        self.failures().next().is_none()
    }
}

impl Refusal {
    pub(super) fn new(resource: Resource, issuer: IssuerUrl, publishers: Vec<Report>) -> Self {
        Self { resource, issuer, publishers }
    }

    /// The publishers of this resource and issuer, the nearest to a match first; empty if there are none.
    pub fn publishers(&self) -> &[Report] {
        &self.publishers
    }

    /// What the caller may know (invariant 10, refusals teach): in full where the token's ids prove that it comes from
    /// a publisher's own repository; to anyone else what their own token says (`presented`), in the same words whether
    /// the resource exists, has publishers or not.
    pub fn for_caller(&self, presented: &str) -> String {
        let Self { resource, issuer, .. } = self;
        match self.publishers.iter().find(|report| report.proven) {
            Some(report) => {
                let failures: Vec<String> = report.failures().map(ToString::to_string).collect();
                let renamed = report.failures().any(|check| {
                    matches!(check.subject(), "repository" | "project" | "organization" | "pipeline")
                });
                let hint = if renamed {
                    "; the ids match, so the name changed: the owner has to change it here too"
                } else {
                    ""
                };
                format!("the trusted publisher of {resource} does not match: {}{hint}", failures.join("; "))
            }
            None => format!(
                "no trusted publisher of {resource} matches this id token of {issuer} ({presented}); whoever manages {resource} \
                 finds what was expected under the request id"
            ),
        }
    }

    /// The whole explanation, one line for each publisher and failed check, for the resource's owner.
    pub fn for_owner(&self) -> String {
        if self.publishers.is_empty() {
            return format!("{} has no trusted publisher for the issuer {}", self.resource, self.issuer);
        }
        let lines = self.publishers.iter().map(|report| {
            let failures: Vec<String> = report.failures().map(ToString::to_string).collect();
            format!("publisher {}: {}", report.publisher, failures.join("; "))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
