//! Permission, and what the owner should know of it.

use serde::Serialize;

use crate::access_token::Permission;
use crate::provider::compared;
use crate::publisher::{Publisher, PublisherId, Revision, Rules};
use crate::resource::Resource;
use crate::statement::Statement;
use crate::verified::VerifiedToken;

/// Permission to issue one token for one resource, with its reason. Only [`decide`](super::decide) makes one.
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

pub(super) fn grant(publisher: &Publisher, token: &VerifiedToken) -> Grant {
    let rules = &publisher.rules;
    let lessons = Lessons::of(rules, token.statement());
    Grant {
        publisher: publisher.id.clone(),
        revision: publisher.revision,
        resource: publisher.resource.clone(),
        permission: publisher.highest_permission(),
        notices: lessons.notices(rules, token.statement()),
        learned: (!lessons.0.is_empty()).then(|| rules.with_learned(lessons.0)),
    }
}

/// The ids that a run teaches a publisher.
pub(super) struct Lessons(Vec<(&'static str, String)>);

impl Lessons {
    pub(super) fn of(rules: &Rules, statement: &Statement) -> Self {
        let unknown = rules.pins().filter(|(_, id)| id.is_none());
        let learned = unknown.filter_map(|(claim, _)| {
            let pin = rules.provider().preset().pin(claim)?;
            Some((pin.claim, pin.value_in(statement)?.into_owned()))
        });
        Self(learned.collect())
    }

    /// What the owner should know of the run.
    pub(super) fn notices(&self, rules: &Rules, statement: &Statement) -> Vec<Notice> {
        let preset = rules.provider().preset();
        let mut notices = Vec::new();
        let asks_for_environment = rules.has_field("environment") || rules.has_pointer("environment");
        if let Some(environment) = preset.field("environment").and_then(|field| field.value_in(statement))
            && !asks_for_environment
        {
            notices.push(Notice::EnvironmentNotRequired { environment: environment.into_owned() });
        }
        // GitHub's custom properties come as open-ended claim names.
        let unknown = compared(preset.known_claims, statement.claims())
            .filter(|(name, _, is_listed)| !is_listed && !name.starts_with("repo_property_"));
        let unknown: Vec<String> = unknown.map(|(name, _, _)| name.to_owned()).collect();
        if !preset.known_claims.is_empty() && !unknown.is_empty() {
            notices.push(Notice::UnknownClaims { names: unknown });
        }
        if !self.0.is_empty() {
            let claims = self.0.iter().map(|(claim, _)| (*claim).to_owned());
            notices.push(Notice::Pinned { claims: claims.collect() });
        }
        notices
    }
}
