//! All checks of a publisher, and which publisher they leave.

use serde::Serialize;

use super::check::{Actual, Check, Question};
use super::identity;
use crate::provider::Marks;
use crate::publisher::{Publisher, PublisherId, PublisherState, Rules};
use crate::resource::Resource;
use crate::statement::Statement;

/// The checks of one publisher.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    publisher: PublisherId,
    /// Whether the token's ids are those that the publisher is held to: it comes from the publisher's own repository.
    proven: bool,
    checks: Vec<Check>,
}

impl Report {
    /// Whose checks they are.
    pub fn publisher(&self) -> &PublisherId {
        &self.publisher
    }

    /// Whether the token's ids are those that the publisher is held to: it comes from the publisher's own repository.
    pub fn proven(&self) -> bool {
        self.proven
    }

    /// All checks, in the order they were made.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The checks that did not hold.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| !check.passed())
    }
}

/// The publishers of that resource and the statement's issuer, each with its report, the nearest to a match first: the
/// fewest failures, and of equally many those that are proven.
pub(super) fn examined<'a>(
    resource: &Resource,
    publishers: &'a [Publisher],
    statement: &Statement,
) -> Vec<(&'a Publisher, Report)> {
    let mut examined: Vec<(&Publisher, Report)> = concerned(resource, publishers, statement)
        .map(|publisher| (publisher, examine(publisher, statement)))
        .collect();
    examined.sort_by_key(|(_, report)| (report.failures().count(), !report.proven));
    examined
}

/// The publisher that lets the run in: of several the one that demands most, and the oldest of those.
pub(super) fn granting<'a>(
    resource: &Resource,
    publishers: &'a [Publisher],
    statement: &Statement,
) -> Option<&'a Publisher> {
    let matching = concerned(resource, publishers, statement)
        .filter_map(|publisher| Some((publisher, demands(publisher, statement)?)));
    let strictest = matching.max_by(|(left, a), (right, b)| a.cmp(b).then(right.id.cmp(&left.id)));
    strictest.map(|(publisher, _)| publisher)
}

/// The publishers of that resource and the statement's issuer.
fn concerned<'a>(
    resource: &Resource,
    publishers: &'a [Publisher],
    statement: &Statement,
) -> impl Iterator<Item = &'a Publisher> {
    publishers.iter().filter(move |publisher| {
        publisher.resource == *resource && publisher.rules.issuer() == statement.issuer()
    })
}

/// How many checks a publisher makes, if the run passes all: those of its report, without the words.
fn demands(publisher: &Publisher, statement: &Statement) -> Option<usize> {
    if publisher.state == PublisherState::Disabled {
        return None;
    }
    let rules = &publisher.rules;
    let questions = Question::general(rules).chain(Question::pins(rules));
    let mut passes = questions.filter_map(|question| question.passes(rules, statement));
    passes.try_fold(0, |count, passes| passes.then_some(count + 1))
}

/// The reports alone.
pub(super) fn reports(examined: Vec<(&Publisher, Report)>) -> Vec<Report> {
    examined.into_iter().map(|(_, report)| report).collect()
}

/// All checks of one publisher.
fn examine(publisher: &Publisher, statement: &Statement) -> Report {
    let (mut checks, proven) = examine_rules(&publisher.rules, statement);
    if publisher.state == PublisherState::Disabled {
        let disabled = Check::failed(
            "publisher",
            vec!["enabled".to_owned()],
            Actual::value("disabled"),
            "the owner has disabled this publisher",
        );
        checks.insert(0, disabled);
    }
    Report { publisher: publisher.id.clone(), proven, checks }
}

/// The checks of these rules that do not hold: none if a publisher of them lets the run in.
pub(crate) fn failures(rules: &Rules, statement: &Statement) -> Vec<Check> {
    let (checks, _) = examine_rules(rules, statement);
    checks.into_iter().filter(|check| !check.passed()).collect()
}

/// The checks of rules, pins last: a run must be right in everything else before its ids count (invariant 6); and whether
/// its ids prove that it comes from their own repository.
fn examine_rules(rules: &Rules, statement: &Statement) -> (Vec<Check>, bool) {
    let check = |question: Question<'_>| question.check(rules, statement);
    let mut checks: Vec<Check> = Question::general(rules).filter_map(check).collect();
    let first_pin = checks.len();
    checks.extend(Question::pins(rules).filter_map(check));
    // Its owner's id alone would prove too little.
    let own = rules.provider().preset().pins.iter().find(|pin| pin.marks == Marks::Place);
    let is_own = own.is_some_and(|pin| rules.has_given_pin(pin.claim));
    let known = rules.pins().zip(&checks[first_pin..]).filter(|((_, id), _)| id.is_some());
    let proven = is_own && known.into_iter().all(|(_, check)| check.passed());
    let (others, pins) = checks.split_at_mut(first_pin);
    identity::tell(others, pins, rules);
    (checks, proven)
}
