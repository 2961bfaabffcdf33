//! The single checks and how each explains itself.

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

/// Refuses events in which somebody else's code or input runs; `None` where the provider has no such thing.
///
/// An absent event is refused too: what cannot be seen cannot be excluded (F10).
pub(super) fn event(rules: &Rules, statement: &Statement) -> Option<Check> {
    let event = rules.provider().preset().event.as_ref()?;
    let name = statement.claims().text(event.claim);
    let passed = name.is_some_and(|name| !event.refused.contains(&name) || rules.allows_event(name));
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
pub(super) fn condition(condition: &Condition, statement: &Statement) -> Check {
    let expected = condition.values().iter().map(|value| shorten(&value.to_string())).collect();
    let (passed, actual) = match condition.selector() {
        Selector::Field(field) => match field.value_in(statement) {
            Some(found) => {
                let same =
                    |value: &Scalar| matches!(value, Scalar::Text(text) if field.case.equal(text, &found));
                (condition.values().iter().any(same), Actual::value(&found))
            }
            None => (false, unread(field.claim, statement.claims().value(field.claim))),
        },
        Selector::Pointer(pointer) => {
            let claim = statement.claims().at(pointer);
            match claim.and_then(Scalar::from_json) {
                Some(found) => (condition.values().contains(&found), Actual::value(&found.to_string())),
                None => (false, unread(&pointer.to_string(), claim)),
            }
        }
    };
    Check { subject: condition.selector().to_string(), expected, actual, passed, hint: None }
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
pub(super) fn pin(claim: &str, id: Option<&str>, rules: &Rules, statement: &Statement) -> Check {
    let pin = rules.provider().preset().pin(claim);
    let found = pin.and_then(|pin| pin.value_in(statement));
    let found = found.as_deref();
    let is_id = |found: &str| pin.is_some_and(|pin| (pin.is_id)(found));
    let passed = found.is_some_and(|found| id.map_or_else(|| is_id(found), |id| id == found));
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
