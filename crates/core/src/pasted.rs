//! What people paste into a form, turned into what a publisher compares.
//!
//! One mechanism over the presets' fields: an address is taken apart and each field reads its part, and a field knows the
//! other ways in which people write it. What comes out passes the field's own parser like anything else, and what was
//! changed is told, to be shown before it is saved. White space, look-alike letters and wildcards stay refused (F1, F5, F7).
//!
//! Case is kept as it was written. Where a provider folds names (repositories and environments of GitHub) their comparison
//! folds too; everywhere else another case is another name, and no address is the proof of the right one.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::claims::Scalar;
use crate::provider::{Address, AddressError, Field};
use crate::publisher::RawRules;

/// Rules as they will be compared, and what was changed to get there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pasted {
    /// The rules.
    pub rules: RawRules,
    /// What differs from what was written.
    pub changes: Vec<Change>,
}

/// A value that is not compared as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The field.
    pub field: String,
    /// What was written.
    pub written: String,
    /// What it is taken for.
    pub taken: String,
}

/// Why a text cannot be a field's value. Nothing that may hold a password is repeated.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PasteError {
    /// The address itself is no good.
    #[error("{field}: {problem}")]
    Address {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: AddressError,
    },
    /// Not what the field takes.
    #[error("expected {expected} as {field}, found {found:?}")]
    Value {
        /// The field.
        field: &'static str,
        /// The form that values have.
        expected: &'static str,
        /// What was written.
        found: String,
    },
    /// The address is of another repository than the publisher.
    #[error("expected {field} of {expected}, found an address of {found}")]
    OfAnother {
        /// The field.
        field: &'static str,
        /// What the publisher is about.
        expected: String,
        /// What the address is about.
        found: String,
    },
}

/// Reads what people have written in the friendly fields of rules; conditions by pointer stay as they are.
///
/// It checks nothing else: [`Rules`](crate::Rules) does.
pub fn read_pasted(mut rules: RawRules) -> Result<Pasted, PasteError> {
    let preset = rules.provider.preset();
    let home = (preset.home)(&rules.issuer);
    let mut changes = Vec::new();
    let mut addresses: Vec<(&'static Field, String)> = Vec::new();
    for (name, values) in &mut rules.conditions {
        let Some(field) = preset.field(name) else { continue };
        for value in values {
            let Scalar::Text(written) = value else { continue };
            let taken = match Address::parse(written, home.as_deref()) {
                Some(address) => {
                    addresses.push((field, written.clone()));
                    from_address(field, address)?
                }
                None => from_text(field, written)?,
            };
            // What is saved is read again when it is changed, and must then still be what it is.
            if taken != *written && Address::parse(&taken, home.as_deref()).is_some() {
                return Err(unfit(field, &taken));
            }
            if taken != *written {
                let written = std::mem::replace(written, taken.clone());
                changes.push(Change { field: name.clone(), written, taken });
            }
        }
    }
    for (field, address) in addresses {
        agree(field, &address, home.as_deref(), &rules)?;
    }
    Ok(Pasted { rules, changes })
}

fn from_address(
    field: &'static Field,
    address: Result<Address<'_>, AddressError>,
) -> Result<String, PasteError> {
    let address = address.map_err(|problem| PasteError::Address { field: field.name, problem })?;
    let read = field.address.and_then(|read| read(&address));
    let found = || format!("an address of {}", address.host());
    let read = read.ok_or_else(|| unfit(field, &found()))?;
    (field.parse)(&read).map_err(|_| unfit(field, &read))
}

fn from_text(field: &'static Field, written: &str) -> Result<String, PasteError> {
    let meant = || (field.parse)(&field.shorthand.and_then(|shorthand| shorthand(written))?).ok();
    (field.parse)(written).ok().or_else(meant).ok_or_else(|| unfit(field, written))
}

/// The form that a field's values have is what its parser says of nothing at all.
fn unfit(field: &'static Field, found: &str) -> PasteError {
    let expected = (field.parse)("").err().unwrap_or("a value");
    PasteError::Value { field: field.name, expected, found: found.chars().take(200).collect() }
}

/// The file or branch of one repository is nothing that a publisher of another can ask for: whoever pastes it means
/// something else, such as a reusable workflow.
fn agree(
    field: &'static Field,
    written: &str,
    home: Option<&str>,
    rules: &RawRules,
) -> Result<(), PasteError> {
    let Some(Ok(address)) = Address::parse(written, home) else { return Ok(()) };
    for about in rules.provider.preset().fields.iter().filter(|about| about.single) {
        let Some(found) = about.address.and_then(|read| read(&address)) else { continue };
        let Some([Scalar::Text(expected)]) = rules.conditions.get(about.name).map(Vec::as_slice) else {
            continue;
        };
        if !about.case.equal(expected, &found) {
            return Err(PasteError::OfAnother { field: field.name, expected: expected.clone(), found });
        }
    }
    Ok(())
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, written, taken } = self;
        write!(f, "{field}: {taken}, from {written}")
    }
}

#[cfg(test)]
mod tests;
