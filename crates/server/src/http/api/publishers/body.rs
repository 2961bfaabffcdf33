//! What people send to describe a publisher.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::pasted::read_pasted;
use countersign_core::publisher::{Condition, PublisherState, RawRules, Revision, Selector};
use countersign_core::{IssuerUrl, Permission, Provider, Publisher, Resource, Rules, Scalar};
use serde::Deserialize;
use utoipa::ToSchema;

use super::view::Correction;
use crate::http::App;
use crate::http::api::problem::Problem;
use crate::issuers;

/// A publisher to add.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPublisher {
    /// What a token will be for: `acme/model`, `datasets/acme/x`, a user name, `pkg:pypi/acme-lib`.
    #[schema(value_type = String, example = "acme/model")]
    resource: Resource,
    /// What it demands of a run.
    rules: NewRules,
    /// What the tokens may do; the most that the resource allows if it is left out.
    #[schema(value_type = Option<super::view::PermissionName>)]
    permission: Option<Permission>,
    /// Whether it lets anybody in: it does, if this is left out.
    #[schema(value_type = Option<super::view::StateName>)]
    state: Option<PublisherState>,
    /// The resource does not exist yet: the publisher waits 30 days for its first run, and is removed if there is none, or if
    /// somebody else's publishes first.
    #[serde(default)]
    pending: bool,
}

/// What a publisher demands of a run.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewRules {
    /// The CI provider: `github`, `gitlab`, … or `generic`.
    #[schema(value_type = String, example = "github")]
    provider: Provider,
    /// The issuer, exactly as in `iss`; the one configured issuer of the provider if it is left out.
    #[schema(value_type = Option<String>, example = "https://token.actions.githubusercontent.com")]
    issuer: Option<IssuerUrl>,
    /// Values that a claim may have, by the preset's field (`branch`) or by JSON Pointer (`/runner_environment`). What people
    /// paste, such as a repository's URL, is taken for what it says, and the answer tells.
    #[schema(value_type = BTreeMap<String, Vec<ConditionValue>>, example = json!({"repository": ["acme/train"], "branch": ["main"]}))]
    conditions: BTreeMap<String, Vec<Scalar>>,
    /// Immutable ids by claim; `null` where the first run teaches it. Those that are left out are learned too, except where a
    /// publisher that is changed has learned them already, for the same repository.
    #[serde(default)]
    pins: BTreeMap<String, Option<String>>,
    /// Events accepted although the preset refuses them, such as `workflow_run`.
    #[serde(default)]
    allowed_events: BTreeSet<String>,
}

/// A value of a claim, compared exactly and with its type.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes what `Scalar` reads")]
pub(crate) enum ConditionValue {
    Text(String),
    Integer(i64),
    Boolean(bool),
}

/// A publisher that can be added, and what was made of what was sent.
pub(super) struct Understood {
    pub(super) publisher: Publisher,
    pub(super) pending: bool,
    pub(super) corrections: Vec<Correction>,
}

/// Rules that can be a publisher's.
pub(super) struct UnderstoodRules {
    pub(super) rules: Rules,
    pub(super) corrections: Vec<Correction>,
}

impl NewPublisher {
    /// What it is for.
    pub(super) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Reads it as the server would keep it.
    pub(super) fn understood(self, app: &App) -> Result<Understood, Problem> {
        let Self { resource, rules, permission, state, pending } = self;
        let permission = understood_permission(permission, &resource)?;
        let UnderstoodRules { rules, corrections } = rules.understood(app)?;
        let id = app.exchange.fresh_id().0;
        let id = id.parse().map_err(|error| Problem::invalid(format!("{error}")))?;
        let (state, revision) = (state.unwrap_or(PublisherState::Enabled), Revision(1));
        let publisher = Publisher { id, resource, rules, permission, state, revision };
        Ok(Understood { publisher, pending, corrections })
    }
}

impl NewRules {
    /// The claims whose ids somebody has said something about.
    pub(super) fn given_pins(&self) -> BTreeSet<String> {
        self.pins.keys().cloned().collect()
    }

    pub(super) fn understood(self, app: &App) -> Result<UnderstoodRules, Problem> {
        let known = app.exchange.issuers.all();
        let known = known.iter().map(|issuer| (issuer.policy.issuer(), issuer.provider));
        let issuer = issuers::choose(self.provider, self.issuer.as_ref(), known)
            .map_err(|error| Problem::invalid(error.to_string()))?;
        let raw = RawRules {
            issuer,
            provider: self.provider,
            conditions: self.conditions,
            pins: self.pins,
            allowed_events: self.allowed_events,
        };
        let pasted = read_pasted(raw).map_err(|error| Problem::invalid(error.to_string()))?;
        let rules = Rules::try_from(pasted.rules).map_err(|error| Problem::invalid(error.to_string()))?;
        Ok(UnderstoodRules { rules, corrections: pasted.changes.into_iter().map(Into::into).collect() })
    }
}

impl UnderstoodRules {
    /// The same with the ids that `before` knew and that nobody has said anything about, where they are about the same:
    /// whoever changes the branch does not want to trust a repository anew (invariant 6).
    pub(super) fn keeping_ids_of(self, before: &Rules, given: &BTreeSet<String>) -> Self {
        let (rules, preset) = (&self.rules, self.rules.provider().preset());
        let about = |rules: &Rules, name: &str| -> Vec<Scalar> {
            let of_field = |condition: &&Condition| matches!(condition.selector(), Selector::Field(field) if field.name == name);
            rules
                .conditions()
                .iter()
                .filter(of_field)
                .flat_map(|condition| condition.values().to_vec())
                .collect()
        };
        if rules.issuer() != before.issuer() || rules.provider() != before.provider() {
            return self;
        }
        let untouched = preset.pins.iter().filter(|pin| {
            !given.contains(pin.claim) && about(rules, pin.learned_with) == about(before, pin.learned_with)
        });
        let known = untouched.filter_map(|pin| {
            let id = before.pins().find(|(claim, _)| *claim == pin.claim)?.1?;
            Some((pin.claim, id.to_owned()))
        });
        Self { rules: rules.with_learned(known), ..self }
    }
}

/// The permission that was asked for, or the highest that there is for the resource.
pub(super) fn understood_permission(
    wanted: Option<Permission>,
    resource: &Resource,
) -> Result<Permission, Problem> {
    let highest = resource.highest_permission();
    let permission = wanted.unwrap_or(highest);
    if permission == Permission::Write && highest == Permission::Read {
        return Err(Problem::invalid(format!(
            "expected the permission read: tokens for the user {resource} only read"
        )));
    }
    Ok(permission)
}
