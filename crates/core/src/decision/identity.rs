//! Names and ids that no longer go together: what has happened, and how to mend it.

use super::check::Check;
use crate::provider::{Marks, Pin};
use crate::publisher::Rules;

/// Explains the checks in which a name and its ids disagree.
///
/// A right name with a wrong id has changed hands (G1, G2); a repository's own id with another owner's says that it was
/// transferred (G4); right ids with a wrong name, that it was renamed (G3).
pub(super) fn tell(names: &mut [Check], ids: &mut [Check], rules: &Rules) {
    let preset = rules.provider().preset();
    let given = rules.pins().enumerate().filter(|(_, (_, id))| id.is_some());
    let given: Vec<(usize, &Pin)> =
        given.filter_map(|(index, (claim, _))| Some((index, preset.pin(claim)?))).collect();
    let is_own = given.iter().any(|(index, pin)| pin.marks == Marks::Place && ids[*index].passed());
    for name in names.iter_mut().filter(|check| !check.passed()) {
        let mut held = given.iter().filter(|(_, pin)| pin.learned_with == name.subject()).peekable();
        if is_own && held.peek().is_some() && held.all(|(index, _)| ids[*index].passed()) {
            name.explain(RENAMED);
        }
    }
    for (index, pin) in given {
        if ids[index].passed() {
            continue;
        }
        if names.iter().any(|check| check.subject() == pin.learned_with && check.passed()) {
            ids[index].explain(OTHER_ID);
        } else if is_own {
            ids[index].explain(TRANSFERRED);
        }
    }
}

const RENAMED: &str = "the ids match, so the name changed: the owner has to change it in the publisher too";
const OTHER_ID: &str = "this id is not the one that the publisher is held to: the name is the same, the repository or its \
                        owner is not; it was transferred, or deleted and created again";
const TRANSFERRED: &str = "this id is not the one that the publisher is held to: the repository is the same, its owner is \
                           not; it was transferred";
