//! A publisher fact by fact, and in which facts two forms of it differ.

use std::fmt;

use serde::Serialize;

use crate::claims::Scalar;
use crate::publisher::{Publisher, PublisherState};
use crate::publisher_file::Entry;

/// One fact of a publisher that changes. Values are compared with their types and apart, never as they are printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The field, pointer, `pin CLAIM`, `allowed event`, `permission` or `state`.
    pub field: String,
    /// The values it had; empty where an id would have been learned, `None` if it was not there.
    pub before: Option<Vec<Scalar>>,
    /// The values it will have; empty where an id will be learned, `None` if it will not be there.
    pub after: Option<Vec<Scalar>>,
}

/// Something that a publisher says, in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    field: String,
    values: Vec<Scalar>,
}

impl Fact {
    fn new(field: impl Into<String>, value: &str) -> Self {
        Self { field: field.into(), values: vec![Scalar::Text(value.to_owned())] }
    }
}

impl Entry {
    /// What it says, in one order for all.
    pub fn facts(&self) -> Vec<Fact> {
        let rules = &self.rules;
        let mut facts = vec![Fact::new("issuer", rules.issuer().as_str())];
        for condition in rules.conditions() {
            // Any of the values will do, so their order means nothing.
            let mut values = condition.values().to_vec();
            values.sort();
            values.dedup();
            facts.push(Fact { field: condition.selector().to_string(), values });
        }
        for (claim, id) in rules.pins() {
            let values = id.into_iter().map(|id| Scalar::Text(id.to_owned()));
            facts.push(Fact { field: format!("pin {claim}"), values: values.collect() });
        }
        let refused = rules.provider().preset().event.as_ref().map_or(&[][..], |event| event.refused);
        let allowed = refused.iter().filter(|name| rules.allows_event(name));
        facts.extend(allowed.map(|name| Fact::new("allowed event", name)));
        facts.push(Fact::new("permission", self.permission.as_str()));
        facts.push(Fact::new(
            "state",
            match self.state {
                PublisherState::Enabled => "enabled",
                PublisherState::Disabled => "disabled",
            },
        ));
        facts
    }
}

/// The facts in which a publisher differs from what it will be.
pub(super) fn between(publisher: &Publisher, after: &Entry) -> Vec<Difference> {
    let before = super::as_entry(publisher).facts();
    let after = after.facts();
    let gone = before.iter().filter(|fact| !after.contains(fact));
    let mut differences: Vec<Difference> = gone
        .map(|fact| Difference { field: fact.field.clone(), before: Some(fact.values.clone()), after: None })
        .collect();
    for Fact { field, values } in after.into_iter().filter(|fact| !before.contains(fact)) {
        match differences.iter_mut().find(|other| other.field == field && other.after.is_none()) {
            Some(difference) => difference.after = Some(values),
            None => differences.push(Difference { field, before: None, after: Some(values) }),
        }
    }
    differences
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, shown(&self.values))
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [before, after] = [&self.before, &self.after]
            .map(|values| values.as_deref().map_or_else(|| "nothing".to_owned(), shown));
        write!(f, "{}: {before} → {after}", self.field)
    }
}

fn shown(values: &[Scalar]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    if values.is_empty() { "learned from the first run".to_owned() } else { values.join(" or ") }
}
