//! What has to change for the publishers there are to become those of a file.
//!
//! **Which publisher is which.** A file gives no ids: an entry and a publisher are the same if they are for the same resource,
//! issuer and provider and about the same thing, that is if the fields that may have one value only (repository, project,
//! organization …) are equal. Of several that could be meant, those with the fewest differences go together, in the order of
//! the file and of the publishers' ids. So another branch changes a publisher, which keeps the ids it has learned, while
//! another repository is another publisher, which has to learn its own.
//!
//! **Learned ids are no differences.** What the file leaves to be learned stays as it was learned. An id that the file gives
//! is compared, and one that could not have been learned is taken away if the file does not give it.

use std::fmt;

use serde::Serialize;

mod difference;

pub use difference::{Difference, Fact};

use crate::claims::Scalar;
use crate::publisher::{Condition, Publisher, PublisherId, Revision, Rules, Selector};
use crate::publisher_file::{Entry, PublisherFile};
use crate::resource::Resource;

/// The steps from what is there to what a file wants, in the order of resources and then of the file; removals last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The steps, those included that leave a publisher as it is.
    pub steps: Vec<Step>,
}

/// What happens to one publisher.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Step {
    /// It is made.
    Add {
        /// What it will be.
        after: Entry,
    },
    /// It is changed.
    Change {
        /// Which one.
        id: PublisherId,
        /// The form that this was planned on: whoever applies it must refuse if that has moved on.
        revision: Revision,
        /// What it will be, with what it has learned.
        after: Entry,
        /// What differs.
        differences: Vec<Difference>,
    },
    /// It is removed.
    Remove {
        /// Which one.
        id: PublisherId,
        /// As above.
        revision: Revision,
        /// What it was.
        before: Entry,
    },
    /// It stays.
    Keep {
        /// Which one.
        id: PublisherId,
        /// What it is.
        after: Entry,
    },
}

/// Plans how the publishers that a file manages become those of the file. Publishers of other resources are passed over.
pub fn plan(file: &PublisherFile, present: &[Publisher]) -> Plan {
    let mut managed: Vec<&Publisher> =
        present.iter().filter(|publisher| file.manages(&publisher.resource)).collect();
    managed.sort_by(|left, right| left.id.cmp(&right.id));
    let partners = partners(file.entries(), &managed);
    let wanted = file.entries().iter().zip(&partners).map(|(entry, partner)| match partner {
        Some(index) => change(entry, managed[*index]),
        None => Step::Add { after: entry.clone() },
    });
    let is_left = |index: &usize| !partners.contains(&Some(*index));
    let left = (0..managed.len()).filter(is_left).map(|index| {
        let publisher = managed[index];
        Step::Remove { id: publisher.id.clone(), revision: publisher.revision, before: as_entry(publisher) }
    });
    let mut steps: Vec<Step> = wanted.chain(left).collect();
    // Stable: within a resource the order stays.
    steps.sort_by(|left, right| left.resource().cmp(right.resource()));
    Plan { steps }
}

/// For each entry the publisher that it is about: the pairs with the fewest differences first.
fn partners(entries: &[Entry], present: &[&Publisher]) -> Vec<Option<usize>> {
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        for (other, publisher) in present.iter().enumerate() {
            if is_about_the_same(entry, publisher) {
                pairs.push((difference::between(publisher, &merged(entry, publisher)).len(), index, other));
            }
        }
    }
    pairs.sort_unstable();
    let mut partners = vec![None; entries.len()];
    for (_, index, other) in pairs {
        if partners[index].is_none() && !partners.contains(&Some(other)) {
            partners[index] = Some(other);
        }
    }
    partners
}

fn is_about_the_same(entry: &Entry, publisher: &Publisher) -> bool {
    entry.resource == publisher.resource
        && entry.rules.issuer() == publisher.rules.issuer()
        && entry.rules.provider() == publisher.rules.provider()
        && entry.rules.provider().preset().fields.iter().filter(|field| field.single).all(|field| {
            match (field_value(&entry.rules, field.name), field_value(&publisher.rules, field.name)) {
                (Some(left), Some(right)) => field.case.equal(left, right),
                (left, right) => left == right,
            }
        })
}

fn field_value<'a>(rules: &'a Rules, name: &str) -> Option<&'a str> {
    let is_named =
        |condition: &&Condition| matches!(condition.selector(), Selector::Field(field) if field.name == name);
    match rules.conditions().iter().find(is_named)?.values() {
        [Scalar::Text(value)] => Some(value),
        _ => None,
    }
}

fn change(entry: &Entry, publisher: &Publisher) -> Step {
    let after = merged(entry, publisher);
    let differences = difference::between(publisher, &after);
    if differences.is_empty() {
        return Step::Keep { id: publisher.id.clone(), after };
    }
    Step::Change { id: publisher.id.clone(), revision: publisher.revision, after, differences }
}

/// The entry with the ids that the publisher has learned where the entry leaves them to be learned.
fn merged(entry: &Entry, publisher: &Publisher) -> Entry {
    let pins = entry.rules.provider().preset().pins;
    let open = entry.rules.pins().filter(|(_, id)| id.is_none());
    let known = open.filter_map(|(claim, _)| {
        let (_, id) = publisher.rules.pins().find(|(known, _)| *known == claim)?;
        Some((pins.iter().find(|pin| pin.claim == claim)?.claim, id?.to_owned()))
    });
    Entry { rules: entry.rules.with_learned(known), ..entry.clone() }
}

fn as_entry(publisher: &Publisher) -> Entry {
    Entry {
        resource: publisher.resource.clone(),
        rules: publisher.rules.clone(),
        permission: publisher.permission,
        state: publisher.state,
    }
}

impl Plan {
    /// Whether nothing has to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Keep { .. }))
    }
}

impl Step {
    /// The resource that it is about.
    pub fn resource(&self) -> &Resource {
        match self {
            Self::Add { after } | Self::Change { after, .. } | Self::Keep { after, .. } => &after.resource,
            Self::Remove { before, .. } => &before.resource,
        }
    }
}

/// The plan for people: nothing of what stays but how much it is.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut resource = None;
        let mut counts = [0; 4];
        for step in &self.steps {
            counts[step.kind()] += 1;
            if matches!(step, Step::Keep { .. }) {
                continue;
            }
            if resource != Some(step.resource()) {
                writeln!(f, "{}", step.resource())?;
                resource = Some(step.resource());
            }
            fmt::Display::fmt(step, f)?;
        }
        let [added, changed, removed, kept] = counts;
        write!(f, "{added} to add, {changed} to change, {removed} to remove, {kept} as they are")
    }
}

impl Step {
    fn kind(&self) -> usize {
        match self {
            Self::Add { .. } => 0,
            Self::Change { .. } => 1,
            Self::Remove { .. } => 2,
            Self::Keep { .. } => 3,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add { after } => {
                writeln!(f, "  + {}", after.rules.provider().preset().title)?;
                after.facts().iter().try_for_each(|fact| writeln!(f, "      {fact}"))
            }
            Self::Change { id, differences, .. } => {
                writeln!(f, "  ~ {id}")?;
                differences.iter().try_for_each(|difference| writeln!(f, "      {difference}"))
            }
            Self::Remove { id, before, .. } => {
                writeln!(f, "  - {id}")?;
                before.facts().iter().try_for_each(|fact| writeln!(f, "      {fact}"))
            }
            Self::Keep { id, .. } => writeln!(f, "  = {id}"),
        }
    }
}

#[cfg(test)]
mod tests;
