//! The single checks and how each explains itself.
//!
//! Whether one passes is a function of its own: what is let in, as most is, needs no words.

use std::fmt;

use serde::Serialize;

use crate::claims::Scalar;
use crate::publisher::{Condition, Rules, Selector};
use crate::statement::Statement;

/// One thing that was looked at: what was expected, what came, and how to mend it.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    subject: String,
    expected: Vec<String>,
    actual: Actual,
    passed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

/// What a token had where something was expected.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Actual {
    /// A comparable value.
    Value(String),
    /// No such claim, or `null`.
    Absent,
    /// The claim is there, but not in the form that was asked for.
    Other {
        /// The claim.
        claim: String,
        /// What it holds.
        value: String,
    },
}

/// The longest piece of a claim that is shown.
const SHOWN: usize = 200;

impl Actual {
    /// A value, cut to a length that fits a message.
    pub fn value(text: &str) -> Self {
        Self::Value(shorten(text))
    }
}

impl Check {
    /// A check that did not hold.
    pub fn failed(subject: &str, expected: Vec<String>, actual: Actual, hint: &'static str) -> Self {
        Self { subject: subject.to_owned(), expected, actual, passed: false, hint: Some(hint) }
    }

    /// Whether it held.
    pub fn passed(&self) -> bool {
        self.passed
    }

    /// How to mend it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        self.hint
    }

    /// Says how to mend it, unless that is said already.
    pub(super) fn explain(&mut self, hint: &'static str) {
        self.hint.get_or_insert(hint);
    }

    /// What was looked at: a field, a pointer, `pin CLAIM`, `event`, `called workflow` or `publisher`.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, came {}", self.subject, self.expected.join(" or "), self.actual)?;
        self.hint.map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

impl fmt::Display for Actual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => f.write_str(value),
            Self::Absent => f.write_str("nothing"),
            Self::Other { claim, value } => write!(f, "nothing (the claim {claim} is {value})"),
        }
    }
}

/// What is asked of a run: the same list for those who only want to know whether it passes and for those who want to hear why.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    /// Whether somebody else's code or input may be running.
    Event,
    /// The provider's own.
    Guard,
    /// Whether a claim has one of the values.
    Condition(&'a Condition),
    /// Whether the run has this id of that claim, or one to learn.
    Pin(&'a str, Option<&'a str>),
}

impl<'a> Question<'a> {
    /// All but the pins.
    pub(super) fn general(rules: &'a Rules) -> impl Iterator<Item = Self> {
        [Self::Event, Self::Guard].into_iter().chain(rules.conditions().iter().map(Self::Condition))
    }

    /// The pins: a run must be right in everything else before its ids count (invariant 6).
    pub(super) fn pins(rules: &'a Rules) -> impl Iterator<Item = Self> {
        rules.pins().map(|(claim, id)| Self::Pin(claim, id))
    }

    /// Whether the run passes; `None` if that is no question for it.
    pub(super) fn passes(self, rules: &Rules, statement: &Statement) -> Option<bool> {
        match self {
            Self::Event => event_passes(rules, statement),
            Self::Guard => (rules.provider().preset().guard)(statement, rules).map(|check| check.passed),
            Self::Condition(condition) => Some(condition_passes(condition, statement)),
            Self::Pin(claim, id) => Some(pin_passes(claim, id, rules, statement)),
        }
    }

    /// The same, explained.
    pub(super) fn check(self, rules: &Rules, statement: &Statement) -> Option<Check> {
        match self {
            Self::Event => event(rules, statement),
            Self::Guard => (rules.provider().preset().guard)(statement, rules),
            Self::Condition(one) => Some(condition(one, statement)),
            Self::Pin(claim, id) => Some(pin(claim, id, rules, statement)),
        }
    }
}

/// Refuses events in which somebody else's code or input runs; `None` where the provider has no such thing.
///
/// An absent event is refused too: what cannot be seen cannot be excluded (F10).
fn event_passes(rules: &Rules, statement: &Statement) -> Option<bool> {
    let event = rules.provider().preset().event.as_ref()?;
    let name = statement.claims().text(event.claim);
    Some(name.is_some_and(|name| !event.refused.contains(&name) || rules.allows_event(name)))
}

/// The same, explained.
fn event(rules: &Rules, statement: &Statement) -> Option<Check> {
    let event = rules.provider().preset().event.as_ref()?;
    let passed = event_passes(rules, statement)?;
    let name = statement.claims().text(event.claim);
    let refused = event.refused.iter().filter(|name| !rules.allows_event(name));
    let refused: Vec<&str> = refused.copied().collect();
    Some(Check {
        subject: "event".to_owned(),
        expected: vec![format!("any {} but {}", event.claim, refused.join(", "))],
        actual: name.map_or(Actual::Absent, Actual::value),
        passed,
        hint: (!passed).then_some(event.reason),
    })
}

/// Compares a claim with the values of a condition.
fn condition_passes(condition: &Condition, statement: &Statement) -> bool {
    match condition.selector() {
        Selector::Field(field) => field.value_in(statement).is_some_and(|found| {
            let same = |value: &Scalar| matches!(value, Scalar::Text(text) if field.case.equal(text, &found));
            condition.values().iter().any(same)
        }),
        Selector::Pointer(pointer) => {
            let found = statement.claims().at(pointer).and_then(Scalar::from_json);
            found.is_some_and(|found| condition.values().contains(&found))
        }
    }
}

/// The same, explained.
fn condition(condition: &Condition, statement: &Statement) -> Check {
    let actual = match condition.selector() {
        Selector::Field(field) => field.value_in(statement).map_or_else(
            || unread(field.claim, statement.claims().value(field.claim)),
            |found| Actual::value(&found),
        ),
        Selector::Pointer(pointer) => {
            let claim = statement.claims().at(pointer);
            claim.and_then(Scalar::from_json).map_or_else(
                || unread(&pointer.to_string(), claim),
                |found| Actual::value(&found.to_string()),
            )
        }
    };
    Check {
        subject: condition.selector().to_string(),
        expected: condition.values().iter().map(|value| shorten(&value.to_string())).collect(),
        actual,
        passed: condition_passes(condition, statement),
        hint: None,
    }
}

fn unread(claim: &str, value: Option<&serde_json::Value>) -> Actual {
    match value {
        None | Some(serde_json::Value::Null) => Actual::Absent,
        Some(value) => Actual::Other {
            claim: claim.to_owned(),
            value: value.as_str().map_or_else(|| shorten(&value.to_string()), shorten),
        },
    }
}

/// Compares an immutable id with the pinned one, or demands that there is one to learn.
fn pin_passes(claim: &str, id: Option<&str>, rules: &Rules, statement: &Statement) -> bool {
    let Some(pin) = rules.provider().preset().pin(claim) else { return false };
    let passes = |found: &str| id.map_or_else(|| (pin.is_id)(found), |id| id == found);
    pin.value_in(statement).as_deref().is_some_and(passes)
}

/// The same, explained.
fn pin(claim: &str, id: Option<&str>, rules: &Rules, statement: &Statement) -> Check {
    let passed = pin_passes(claim, id, rules, statement);
    let found = rules.provider().preset().pin(claim).and_then(|pin| pin.value_in(statement));
    let found = found.as_deref();
    let is_another = id.is_some() && found.is_some();
    Check {
        subject: format!("pin {claim}"),
        expected: vec![id.map_or_else(|| "an id to learn".to_owned(), str::to_owned)],
        actual: found.map_or_else(|| unread(claim, statement.claims().value(claim)), Actual::value),
        passed,
        hint: (!passed && !is_another).then_some("the token must carry this id"),
    }
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
