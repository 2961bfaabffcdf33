//! What a publisher demands of a token.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::claims::{JsonPointer, JsonPointerError, Scalar};
use crate::issuer::IssuerUrl;
use crate::provider::{Field, Provider};

/// An issuer, conditions that must all hold, and the immutable ids that runs are held to.
///
/// Part of invariant 5: rules without conditions, or that do not say whose runs are meant where an issuer serves many
/// customers, cannot be built. The checks run again whenever rules are read back from storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawRules", into = "RawRules")]
pub struct Rules {
    issuer: IssuerUrl,
    provider: Provider,
    conditions: Vec<Condition>,
    pins: BTreeMap<String, Option<String>>,
    allowed_events: BTreeSet<String>,
}

/// Conditions of one publisher: every exchange of its resource looks at all of them.
const MAX_CONDITIONS: usize = 50;
/// Values of one condition.
const MAX_VALUES: usize = 100;
/// Bytes of a value, or of a JSON Pointer.
const MAX_TEXT: usize = 1_000;

/// Rules as people and databases write them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawRules {
    /// The issuer, exactly as in `iss`.
    pub issuer: IssuerUrl,
    /// The provider whose fields the conditions may name.
    pub provider: Provider,
    /// Values that a claim may have, by preset field (`branch`) or JSON Pointer (`/runner_environment`).
    pub conditions: BTreeMap<String, Vec<Scalar>>,
    /// Immutable ids by claim; `null` where the first run will teach it.
    #[serde(default)]
    pub pins: BTreeMap<String, Option<String>>,
    /// Events accepted although the preset refuses them.
    #[serde(default)]
    pub allowed_events: BTreeSet<String>,
}

/// One claim and the values it may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    selector: Selector,
    values: Vec<Scalar>,
}

/// What a condition looks at.
#[derive(Clone, Debug)]
pub enum Selector {
    /// A friendly field of the provider's preset.
    Field(&'static Field),
    /// Any claim.
    Pointer(JsonPointer),
}

/// Why rules cannot be a publisher's.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidRules {
    /// Nothing would be checked but the issuer.
    #[error("a publisher needs at least one condition; without one every run of {0} would match")]
    NoConditions(IssuerUrl),
    /// Any customer of the provider would match.
    #[error("these conditions do not say whose runs are meant on {issuer}; {remedy}")]
    NoTenant {
        /// The issuer.
        issuer: IssuerUrl,
        /// What to add.
        remedy: &'static str,
    },
    /// The issuer is a known provider's.
    #[error(
        "the issuer {issuer} is {expected}'s: use --provider {expected}, which pins ids and refuses dangerous events"
    )]
    ForeignIssuer {
        /// The issuer.
        issuer: IssuerUrl,
        /// Whose it is.
        expected: Provider,
    },
    /// Neither a field of the preset nor a JSON Pointer.
    #[error("expected {known} or a JSON Pointer such as /claim, found the field {found:?}")]
    UnknownField {
        /// What was written.
        found: String,
        /// The preset's fields.
        known: String,
    },
    /// Begins with `/` but is no JSON Pointer.
    #[error(transparent)]
    Pointer(#[from] JsonPointerError),
    /// The claim says nothing about the run, or a provider lets its users choose it.
    #[error("a condition on {0} is refused: {1}")]
    Claim(JsonPointer, &'static str),
    /// A value that the field cannot have.
    #[error("expected {expected} as {field}, found {found}")]
    Value {
        /// The field or pointer.
        field: String,
        /// The form that values have.
        expected: &'static str,
        /// What was written.
        found: String,
    },
    /// More than one can look through.
    #[error("expected at most {MAX_CONDITIONS} conditions, found {0}; make several publishers")]
    TooMany(usize),
    /// Longer than any claim that identifies a run.
    #[error("expected names and values of at most {MAX_TEXT} bytes, found a longer one")]
    TooLong,
    /// `branch` and `tag` together.
    #[error("a run is on a branch or on a tag: conditions on both can never hold; make two publishers")]
    BranchAndTag,
    /// Not an id that the provider gives.
    #[error("expected {known} to pin for {provider}, found {found:?}")]
    UnknownPin {
        /// The provider.
        provider: Provider,
        /// What was written.
        found: String,
        /// What can be pinned.
        known: String,
    },
    /// An event that is not refused in the first place.
    #[error("only events that {provider} runs are refused for can be allowed ({known}), found {found:?}")]
    UnknownEvent {
        /// The provider.
        provider: Provider,
        /// What was written.
        found: String,
        /// What can be allowed.
        known: String,
    },
}

impl Rules {
    /// The issuer whose tokens they are about.
    pub fn issuer(&self) -> &IssuerUrl {
        &self.issuer
    }

    /// The provider whose preset they use.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The conditions, all of which must hold; at least one, or a given pin.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// Ids by claim; `None` where the first run will teach it.
    pub fn pins(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.pins.iter().map(|(claim, id)| (claim.as_str(), id.as_deref()))
    }

    /// Whether the publisher accepts an event that its preset refuses.
    pub fn allows_event(&self, event: &str) -> bool {
        self.allowed_events.contains(event)
    }

    /// Whether a condition is on that friendly field.
    pub fn has_field(&self, name: &str) -> bool {
        self.conditions
            .iter()
            .any(|condition| matches!(&condition.selector, Selector::Field(field) if field.name == name))
    }

    /// Whether a condition is on that whole claim, by pointer.
    pub fn has_pointer(&self, claim: &str) -> bool {
        self.conditions.iter().any(|condition| {
            matches!(&condition.selector, Selector::Pointer(pointer) if pointer.is_whole_claim() && pointer.claim() == claim)
        })
    }

    /// Whether that id is known rather than to be learned.
    pub fn has_given_pin(&self, claim: &str) -> bool {
        matches!(self.pins.get(claim), Some(Some(_)))
    }

    /// The same rules with ids filled in that a first run taught; those already known stay.
    #[must_use]
    pub fn with_learned(&self, ids: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        let mut learned = self.clone();
        for (claim, id) in ids {
            learned.pins.entry(claim.to_owned()).or_default().get_or_insert(id);
        }
        learned
    }
}

impl Condition {
    /// What it looks at.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The values of which the claim must have one; never empty.
    pub fn values(&self) -> &[Scalar] {
        &self.values
    }

    fn new(provider: Provider, name: &str, values: Vec<Scalar>) -> Result<Self, InvalidRules> {
        let (selector, values) = if name.starts_with('/') {
            let pointer: JsonPointer = name.parse()?;
            refuse_useless(provider, &pointer)?;
            (Selector::Pointer(pointer), values)
        } else {
            let field = provider.preset().field(name).ok_or_else(|| InvalidRules::UnknownField {
                found: name.to_owned(),
                known: listed(provider.preset().fields.iter().map(|field| field.name)),
            })?;
            let values = values.iter().map(|value| parse_value(field, value)).collect::<Result<_, _>>()?;
            (Selector::Field(field), values)
        };
        let wrong = |expected, found: String| InvalidRules::Value { field: name.to_owned(), expected, found };
        if values.is_empty() {
            return Err(wrong("at least one value", "none".to_owned()));
        }
        if values.len() > MAX_VALUES {
            return Err(wrong("at most 100 values", format!("{} values", values.len())));
        }
        if name.len() > MAX_TEXT
            || values.iter().any(|value| matches!(value, Scalar::Text(text) if text.len() > MAX_TEXT))
        {
            return Err(InvalidRules::TooLong);
        }
        if matches!(&selector, Selector::Field(field) if field.single) && values.len() > 1 {
            return Err(wrong("one value (make a publisher for each)", format!("{} values", values.len())));
        }
        // F6, F13: an empty text would match what a provider leaves empty.
        if values.contains(&Scalar::Text(String::new())) {
            return Err(wrong("a value", "an empty text".to_owned()));
        }
        Ok(Self { selector, values })
    }
}

fn parse_value(field: &'static Field, value: &Scalar) -> Result<Scalar, InvalidRules> {
    let wrong = |expected| InvalidRules::Value {
        field: field.name.to_owned(),
        expected,
        found: match value {
            Scalar::Text(text) => format!("{text:?}"),
            other => other.to_string(),
        },
    };
    match value {
        Scalar::Text(text) => (field.parse)(text).map(Scalar::Text).map_err(wrong),
        Scalar::Integer(_) | Scalar::Boolean(_) => Err(wrong("a text")),
    }
}

/// A condition that holds for every token, or on a claim that the run itself can choose, protects nothing.
fn refuse_useless(provider: Provider, pointer: &JsonPointer) -> Result<(), InvalidRules> {
    if matches!(pointer.claim(), "iss" | "aud" | "exp" | "nbf" | "iat" | "jti") {
        let reason = "it is checked for every token and says nothing about the run";
        return Err(InvalidRules::Claim(pointer.clone(), reason));
    }
    let written = pointer.to_string();
    let is_at_or_below = |unfit: &str| {
        written.strip_prefix(unfit).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match provider.preset().unfit_claims.iter().find(|(unfit, _)| is_at_or_below(unfit)) {
        Some((_, reason)) => Err(InvalidRules::Claim(pointer.clone(), reason)),
        None => Ok(()),
    }
}

impl TryFrom<RawRules> for Rules {
    type Error = InvalidRules;

    fn try_from(raw: RawRules) -> Result<Self, InvalidRules> {
        let RawRules { issuer, provider, conditions, pins, allowed_events } = raw;
        if let Some(expected) = Provider::owning(&issuer).filter(|owner| *owner != provider) {
            return Err(InvalidRules::ForeignIssuer { issuer, expected });
        }
        if conditions.len() > MAX_CONDITIONS {
            return Err(InvalidRules::TooMany(conditions.len()));
        }
        let conditions = conditions
            .into_iter()
            .map(|(name, values)| Condition::new(provider, &name, values))
            .collect::<Result<Vec<_>, _>>()?;
        check_pins(provider, &pins)?;
        check_events(provider, &allowed_events)?;
        let mut rules = Self { issuer, provider, conditions, pins, allowed_events };
        if rules.conditions.is_empty() && rules.pins.values().all(Option::is_none) {
            return Err(InvalidRules::NoConditions(rules.issuer));
        }
        if rules.has_field("branch") && rules.has_field("tag") {
            return Err(InvalidRules::BranchAndTag);
        }
        let preset = provider.preset();
        if !(preset.names_tenant)(&rules) {
            return Err(InvalidRules::NoTenant { issuer: rules.issuer, remedy: preset.tenant_remedy });
        }
        for pin in preset.pins {
            if rules.has_field(pin.learned_with) {
                rules.pins.entry(pin.claim.to_owned()).or_insert(None);
            }
        }
        Ok(rules)
    }
}

fn check_pins(provider: Provider, pins: &BTreeMap<String, Option<String>>) -> Result<(), InvalidRules> {
    for (claim, id) in pins {
        let pin = provider.preset().pin(claim).ok_or_else(|| InvalidRules::UnknownPin {
            provider,
            found: claim.clone(),
            known: listed(provider.preset().pins.iter().map(|pin| pin.claim)),
        })?;
        if let Some(id) = id.as_ref().filter(|id| !(pin.is_id)(id)) {
            return Err(InvalidRules::Value {
                field: claim.clone(),
                expected: pin.form,
                found: format!("{id:?}"),
            });
        }
    }
    Ok(())
}

fn check_events(provider: Provider, events: &BTreeSet<String>) -> Result<(), InvalidRules> {
    let refused = provider.preset().event.as_ref().map_or(&[][..], |event| event.refused);
    let unknown = events.iter().find(|event| !refused.contains(&event.as_str()));
    unknown.map_or(Ok(()), |found| {
        Err(InvalidRules::UnknownEvent {
            provider,
            found: found.clone(),
            known: listed(refused.iter().copied()),
        })
    })
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

impl From<Rules> for RawRules {
    fn from(rules: Rules) -> Self {
        let Rules { issuer, provider, conditions, pins, allowed_events } = rules;
        let conditions =
            conditions.into_iter().map(|condition| (condition.selector.to_string(), condition.values));
        Self { issuer, provider, conditions: conditions.collect(), pins, allowed_events }
    }
}

impl PartialEq for Selector {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Field(left), Self::Field(right)) => left.name == right.name,
            (Self::Pointer(left), Self::Pointer(right)) => left == right,
            _ => false,
        }
    }
}

impl Eq for Selector {}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field.name),
            Self::Pointer(pointer) => pointer.fmt(f),
        }
    }
}
