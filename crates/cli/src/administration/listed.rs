//! A publisher as the server shows it.

use countersign_core::lint::{Severity, Warning};
use countersign_core::publisher::{PublisherId, PublisherState, Revision};
use countersign_core::publisher_file::Entry;
use countersign_core::{Permission, Publisher, Resource, Rules, UnixTime};
use serde::{Deserialize, Serialize};

/// A publisher with its history.
#[derive(Debug, Deserialize)]
pub(crate) struct Listed {
    /// Its id.
    pub(crate) id: PublisherId,
    /// What its tokens are for.
    pub(crate) resource: String,
    rules: Option<Rules>,
    permission: Option<Permission>,
    state: Option<PublisherState>,
    revision: Option<Revision>,
    /// Until when it waits for its first run.
    pub(crate) pending_until: Option<UnixTime>,
    #[serde(flatten)]
    pub(crate) used: Used,
    /// Why the server cannot read it.
    pub(crate) problem: Option<String>,
    /// What is weak in it.
    pub(crate) warnings: Vec<Warned>,
}

/// How much it was used.
#[derive(Debug, Deserialize)]
pub(crate) struct Used {
    /// When it last let a run in.
    pub(crate) last_used_at: Option<UnixTime>,
    /// How often it did.
    pub(crate) exchanges: u64,
}

/// Something weak, as the server says it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Warned {
    pub(crate) code: String,
    pub(crate) severity: Severity,
    pub(crate) problem: String,
    pub(crate) consequence: String,
    pub(crate) remedy: String,
}

impl Listed {
    /// The publisher; `None` if the server cannot read it.
    pub(crate) fn publisher(&self) -> Option<Publisher> {
        let Entry { resource, rules, permission, state } = self.entry()?;
        Some(Publisher { id: self.id.clone(), resource, rules, permission, state, revision: self.revision? })
    }

    /// What it is; `None` if the server cannot read it.
    pub(crate) fn entry(&self) -> Option<Entry> {
        let resource: Resource = self.resource.parse().ok()?;
        Some(Entry { resource, rules: self.rules.clone()?, permission: self.permission?, state: self.state? })
    }
}

impl From<Warning> for Warned {
    fn from(warning: Warning) -> Self {
        let Warning { code, severity, problem, consequence, remedy } = warning;
        Self { code: code.as_str().to_owned(), severity, problem, consequence, remedy }
    }
}
