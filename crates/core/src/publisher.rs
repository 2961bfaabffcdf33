//! Trusted publishers: the owner's rules on a resource.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

mod argument;
mod rules;

pub use argument::{ArgumentError, ConditionArgument, PinArgument};
pub use rules::{Condition, InvalidRules, RawRules, Rules, Selector};

use crate::access_token::Permission;
use crate::resource::Resource;

/// A rule that says which runs may have a token for a resource.
#[derive(Clone, Debug, Serialize)]
pub struct Publisher {
    /// Who it is.
    pub id: PublisherId,
    /// What it gives access to.
    pub resource: Resource,
    /// What a token must say.
    pub rules: Rules,
    /// What the issued token may do.
    pub permission: Permission,
    /// Whether it is in force.
    pub state: PublisherState,
    /// Counts its changes. A grant holds for one revision only: whoever records it compares and swaps.
    pub revision: Revision,
}

impl Publisher {
    /// What its tokens may do: what the owner wrote, as far as the resource's kind allows.
    pub fn highest_permission(&self) -> Permission {
        self.permission.min(self.resource.highest_permission())
    }
}

/// Whether a publisher is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PublisherState {
    /// Its runs get tokens.
    Enabled,
    /// It refuses everything until it is enabled again.
    Disabled,
}

/// The number of a publisher's present form; each change of rules, pins or state adds one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub i64);

/// The id of a publisher: a UUID in lower case, sorting by time of creation where it is of version 7.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublisherId(String);

/// Not a UUID as this project writes them.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("expected a publisher's id, a lower-case UUID as `publisher list` shows it; found {0:?}")]
pub struct PublisherIdError(String);

impl PublisherId {
    /// The UUID as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PublisherId {
    type Err = PublisherIdError;

    fn from_str(text: &str) -> Result<Self, PublisherIdError> {
        let lengths = [8, 4, 4, 4, 12];
        let groups: Vec<&str> = text.split('-').collect();
        let is_hex = |group: &str| group.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let fits = groups.len() == lengths.len()
            && groups.iter().zip(lengths).all(|(group, length)| group.len() == length && is_hex(group));
        if fits { Ok(Self(text.to_owned())) } else { Err(PublisherIdError(text.chars().take(80).collect())) }
    }
}

impl TryFrom<String> for PublisherId {
    type Error = PublisherIdError;

    fn try_from(text: String) -> Result<Self, PublisherIdError> {
        text.parse()
    }
}

impl From<PublisherId> for String {
    fn from(id: PublisherId) -> Self {
        id.0
    }
}

impl fmt::Display for PublisherId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
