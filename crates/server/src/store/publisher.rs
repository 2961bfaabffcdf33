//! Publishers as they are kept, and how they change.

use std::collections::BTreeSet;

use countersign_core::publisher::{PublisherId, PublisherState, Revision};
use countersign_core::{IssuerUrl, Permission, Publisher, Resource, Rules, UnixTime};
use serde::Serialize;

use crate::admin::ResourcePattern;

/// A publisher with its history.
#[derive(Clone, Debug, Serialize)]
pub struct ListedPublisher {
    /// The publisher, or what is known of one that this version cannot read.
    #[serde(flatten, serialize_with = "either")]
    pub publisher: Result<Publisher, UnreadablePublisher>,
    /// When it was added.
    pub created_at: UnixTime,
    /// When it was last changed, by people or by the ids that its first run taught.
    pub changed_at: UnixTime,
    /// Until when it waits for its first run, if its resource did not exist when it was added; then it is removed.
    pub pending_until: Option<UnixTime>,
    /// When it last let a run in.
    pub last_used_at: Option<UnixTime>,
    /// How often it let a run in.
    pub exchanges: u64,
}

/// A publisher that this version refuses to read: it trusts nobody, and can be removed.
#[derive(Clone, Debug, Serialize)]
pub struct UnreadablePublisher {
    /// Its id.
    pub id: PublisherId,
    /// Its resource.
    pub resource: String,
    /// What is wrong with it.
    pub problem: String,
}

impl ListedPublisher {
    /// Its id.
    pub fn id(&self) -> &PublisherId {
        match &self.publisher {
            Ok(publisher) => &publisher.id,
            Err(unreadable) => &unreadable.id,
        }
    }

    /// What it is for, as text.
    pub fn resource(&self) -> String {
        match &self.publisher {
            Ok(publisher) => publisher.resource.to_string(),
            Err(unreadable) => unreadable.resource.clone(),
        }
    }
}

fn either<S: serde::Serializer>(
    publisher: &Result<Publisher, UnreadablePublisher>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match publisher {
        Ok(publisher) => publisher.serialize(serializer),
        Err(unreadable) => unreadable.serialize(serializer),
    }
}

/// Which publishers to list; what is `None` does not matter.
#[derive(Clone, Debug, Default)]
pub struct PublisherFilter {
    /// Those of this resource.
    pub resource: Option<Resource>,
    /// Those for this issuer.
    pub issuer: Option<IssuerUrl>,
    /// Those in this state.
    pub state: Option<PublisherState>,
    /// Those that have let nobody in since then, although they were there.
    pub unused_since: Option<UnixTime>,
    /// Those of resources that one of these patterns means.
    pub within: Option<Vec<ResourcePattern>>,
}

/// One change of the publishers.
#[derive(Clone, Debug)]
pub enum PublisherChange {
    /// Trusts someone more.
    Add {
        /// The new publisher.
        publisher: Box<Publisher>,
        /// Until when it waits for its first run; `None` if its resource exists.
        pending_until: Option<UnixTime>,
    },
    /// Trusts someone else. Ends the tokens.
    Replace {
        /// Which one.
        id: PublisherId,
        /// The revision that the change was made on; `None` changes any.
        expected: Option<Revision>,
        /// What it demands from now on.
        rules: Box<Rules>,
        /// What its tokens may do from now on.
        permission: Permission,
    },
    /// Enables or disables. Disabling ends the tokens, and enabling does not bring them back.
    SetState {
        /// Which one.
        id: PublisherId,
        /// See above.
        expected: Option<Revision>,
        /// The state from now on.
        state: PublisherState,
    },
    /// Trusts no more. Ends the tokens.
    Remove {
        /// Which one.
        id: PublisherId,
        /// See above.
        expected: Option<Revision>,
    },
}

/// Publishers that a resource has at most, disabled and pending ones included: each decision about it reads all of them.
pub const MOST_OF_A_RESOURCE: u32 = 100;

/// The resources that changes add publishers to, in the order of their names.
pub(super) fn growing(changes: &[PublisherChange]) -> BTreeSet<String> {
    let added = changes.iter().filter_map(|change| match change {
        PublisherChange::Add { publisher, .. } => Some(publisher.resource.to_string()),
        _ => None,
    });
    added.collect()
}

/// Marks a creation that may be sent twice, because its answer was lost, but must happen once.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// The key that the client chose.
    pub key: String,
    /// What it was first used with: a digest of the request.
    pub request: [u8; 32],
}

/// Why a set of changes was not made. Nothing of it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// There is no publisher of that id.
    Missing(PublisherId),
    /// It has another revision than the change was made on.
    Changed(PublisherId),
    /// There is a publisher of that id already.
    Exists(PublisherId),
    /// The idempotency key was used for another request.
    KeyReused,
    /// The resource would have more publishers than [`MOST_OF_A_RESOURCE`].
    TooMany(String),
}
