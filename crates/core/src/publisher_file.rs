//! Publishers in a file under version control.
//!
//! Here is the shape; whoever reads a file brings the syntax (YAML, TOML, JSON) as a serde format, and with it the line and
//! column of what is wrong. Nothing is left out silently: unknown keys are errors, and each entry passes the same checks as
//! a publisher that is made by hand.

use serde::Deserialize;
use thiserror::Error;

mod entry;
mod schema;
mod values;

pub use entry::{Entry, InvalidEntry};
pub use schema::schema;

use crate::resource::{Resource, ResourcePattern};

/// The publishers that resources are to have: all that are in the file, and no others.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RawFile")]
pub struct PublisherFile {
    manages: Vec<ResourcePattern>,
    entries: Vec<Entry>,
}

/// A file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    /// The resources that have no other publishers than those of this file, as patterns such as `acme/*`; without it
    /// those that the file names. Only with it does taking out a resource's last publisher remove it.
    manages: Option<Vec<ResourcePattern>>,
    /// The publishers.
    publishers: Vec<Entry>,
}

/// Why a file as a whole says nothing clear.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InvalidFile {
    /// The same rules twice: which permission or state is meant?
    #[error("two publishers of {0} have the same rules: leave one of them")]
    Repeated(Resource),
    /// Somebody else's resource.
    #[error("expected publishers of what the file manages ({manages}), found one of {found}")]
    Unmanaged {
        /// What the file says it manages.
        manages: String,
        /// The entry's resource.
        found: Resource,
    },
}

impl PublisherFile {
    /// The publishers, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether a resource has no other publishers than those of this file.
    pub fn manages(&self, resource: &Resource) -> bool {
        self.manages.iter().any(|pattern| pattern.matches(resource))
            || self.entries.iter().any(|entry| entry.resource == *resource)
    }
}

impl TryFrom<RawFile> for PublisherFile {
    type Error = InvalidFile;

    fn try_from(raw: RawFile) -> Result<Self, InvalidFile> {
        let RawFile { manages, publishers: entries } = raw;
        if let Some(manages) = &manages {
            let stray =
                entries.iter().find(|entry| !manages.iter().any(|pattern| pattern.matches(&entry.resource)));
            if let Some(stray) = stray {
                let manages: Vec<&str> = manages.iter().map(ResourcePattern::as_str).collect();
                return Err(InvalidFile::Unmanaged {
                    manages: manages.join(", "),
                    found: stray.resource.clone(),
                });
            }
        }
        let is_repeated = |(index, entry): (usize, &Entry)| {
            entries[..index]
                .iter()
                .any(|other| other.resource == entry.resource && other.rules == entry.rules)
        };
        match entries.iter().enumerate().find(|entry| is_repeated(*entry)) {
            Some((_, entry)) => Err(InvalidFile::Repeated(entry.resource.clone())),
            None => Ok(Self { manages: manages.unwrap_or_default(), entries }),
        }
    }
}

#[cfg(test)]
mod tests;
