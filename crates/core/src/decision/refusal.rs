//! Every reason why not, and how much of it to tell whom.

use serde::Serialize;

use super::report::Report;
use crate::issuer::IssuerUrl;
use crate::resource::Resource;

/// Why no publisher trusts a token: for each publisher of the resource and issuer, what was expected and what came.
#[derive(Clone, Debug, Serialize)]
pub struct Refusal {
    resource: Resource,
    issuer: IssuerUrl,
    publishers: Vec<Report>,
}

impl Refusal {
    pub(super) fn new(resource: Resource, issuer: IssuerUrl, publishers: Vec<Report>) -> Self {
        Self { resource, issuer, publishers }
    }

    /// The publishers of this resource and issuer, the nearest to a match first; empty if there are none.
    pub fn publishers(&self) -> &[Report] {
        &self.publishers
    }

    /// The nearest publisher whose own repository the token's ids prove it to come from.
    pub(super) fn proven(&self) -> Option<&Report> {
        self.publishers.iter().find(|report| report.proven())
    }

    /// What the caller may know (invariant 10, refusals teach): in full where the token's ids prove that it comes from
    /// a publisher's own repository; to anyone else what their own token says (`presented`), in the same words whether
    /// the resource exists, has publishers or not.
    pub fn for_caller(&self, presented: &str) -> String {
        let Self { resource, issuer, .. } = self;
        match self.proven() {
            Some(report) => {
                let failures: Vec<String> = report.failures().map(ToString::to_string).collect();
                format!("the trusted publisher of {resource} does not match: {}", failures.join("; "))
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
            format!("publisher {}: {}", report.publisher(), failures.join("; "))
        });
        shortened(lines.collect::<Vec<_>>().join("\n"))
    }
}

/// Bytes of an explanation that is kept and logged; the API explains in full.
const MAX_EXPLANATION: usize = 16 * 1024;

fn shortened(mut text: String) -> String {
    if text.len() > MAX_EXPLANATION {
        text.truncate(text.floor_char_boundary(MAX_EXPLANATION));
        text.push_str(" …");
    }
    text
}
