//! Status lists: where registries that verify by themselves learn which tokens were revoked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::access_token::{Status, StatusReference};
use countersign_core::{PublicUrl, UnixTime};
use countersign_verify::StatusList;
use quick_cache::sync::Cache;
use serde_json::json;
use thiserror::Error;

use crate::clock::Randomness;
use crate::signing::{Signer, SigningError};
use crate::store::{StatusEntry, Store, StoreError};

/// Tokens in a list: 8 KiB before compression, less than a key set as soon as it is compressed.
const ENTRIES: u32 = 1 << 16;
/// How long a list takes in tokens. An hour later the last of them has ended, and nobody asks for the list any more.
const OPEN_FOR: Duration = Duration::from_mins(12);
/// How many times its `ttl` a list is good for: so long a registry goes on with its copy while it cannot reach any node.
const GOOD_FOR: u32 = 20;
/// Lists that are kept signed. Anybody may ask for any, so their number is bounded.
const KEPT: usize = 1024;
/// Random bytes of a list's id.
const ID_BYTES: usize = 16;

/// Gives tokens their places in lists, and signs lists.
///
/// A process has lists of its own, with random ids, and hands out their places from memory: nodes need not agree on
/// anything, and a place that a crash loses is a bit that nobody looks at. Which of a list's tokens were revoked is in the
/// ledger, so every node can sign every list.
pub struct StatusLists {
    /// How long registries may keep a list.
    ttl: Duration,
    open: Mutex<Option<OpenList>>,
    signed: Cache<ListId, SignedList>,
}

struct OpenList {
    id: ListId,
    next: u32,
    opened_at: UnixTime,
}

/// The id of a list, as its address ends: 22 characters of base64url.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ListId(String);

/// A list that was signed, and when.
#[derive(Clone)]
struct SignedList {
    jwt: Arc<str>,
    at: UnixTime,
}

/// Why a list cannot be had.
#[derive(Debug, Error)]
pub enum StatusListFailure {
    /// The ledger does not say what was revoked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl StatusLists {
    /// Lists that registries may keep for `ttl`, in whole seconds.
    pub fn new(ttl: Duration) -> Self {
        Self { ttl, open: Mutex::default(), signed: Cache::new(KEPT) }
    }

    /// How long registries may keep a list.
    pub fn ttl(&self) -> Duration {
        self.ttl
    }

    /// The place of a new token. No two get the same.
    pub fn next(&self, now: UnixTime, randomness: &dyn Randomness) -> StatusEntry {
        // A panic inside leaves a list that can go on.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_done = |list: &OpenList| {
            // A clock that was set back does not keep a list open.
            list.next >= ENTRIES || now < list.opened_at || now.since(list.opened_at) >= OPEN_FOR
        };
        let mut list = open.take().filter(|list| !is_done(list)).unwrap_or_else(|| OpenList {
            id: ListId::random(randomness),
            next: 0,
            opened_at: now,
        });
        let entry = StatusEntry { list: list.id.0.clone(), index: list.next };
        list.next += 1;
        *open = Some(list);
        entry
    }

    /// The list as a signed JWT (draft-ietf-oauth-status-list-21 §5.1), at most a second old.
    ///
    /// A list that was never opened has no revoked token, and is signed as such: it could only matter to a token of ours that
    /// names it, and there is none.
    pub async fn signed(
        &self,
        id: &ListId,
        own: &PublicUrl,
        store: &dyn Store,
        signer: &Signer,
        now: UnixTime,
    ) -> Result<Arc<str>, StatusListFailure> {
        self.signed.remove_if(id, |list| list.at != now);
        let sign = async {
            let revoked = store.revoked_in(&id.0).await?;
            let claims = json!({
                "iss": own.as_str(),
                "sub": id.url(own),
                "iat": now,
                "exp": now + self.ttl * GOOD_FOR,
                "ttl": self.ttl.as_secs(),
                "status_list": StatusList::new(ENTRIES, revoked).to_claim(),
            });
            let jwt = signer.keys().sign_status_list(&claims)?.into();
            Ok(SignedList { jwt, at: now })
        };
        self.signed.get_or_insert_async(id, sign).await.map(|list| list.jwt)
    }
}

impl ListId {
    /// Reads the end of an address; `None` if no list can have it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        (bytes.len() == ID_BYTES).then(|| Self(text.to_owned()))
    }

    fn random(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; ID_BYTES];
        randomness.fill(&mut bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    fn url(&self, own: &PublicUrl) -> String {
        url(&self.0, own)
    }
}

/// The claim `status` of the token at a place.
pub fn claim(entry: &StatusEntry, own: &PublicUrl) -> Status {
    Status { status_list: StatusReference { idx: entry.index, uri: url(&entry.list, own) } }
}

fn url(list: &str, own: &PublicUrl) -> String {
    format!("{own}/status/{list}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{Duration, ENTRIES, ListId, OPEN_FOR, StatusLists, UnixTime};
    use crate::clock::SystemRandomness;

    #[test]
    fn no_place_is_given_twice() {
        let lists = StatusLists::new(Duration::from_secs(15));
        let start = UnixTime::from_seconds(1_800_000_000);
        let mut seen = HashSet::new();
        let mut take = |now| {
            let entry = lists.next(now, &SystemRandomness);
            assert!(entry.index < ENTRIES && ListId::parse(&entry.list).is_some());
            assert!(seen.insert((entry.list.clone(), entry.index)));
            entry
        };
        let first = take(start);
        assert_eq!(first.index, 0);
        for _ in 1..ENTRIES {
            assert_eq!(take(start).list, first.list);
        }
        let second = take(start);
        assert!(second.list != first.list && second.index == 0, "a full list is followed by another");
        assert_eq!(take(start + OPEN_FOR - Duration::from_secs(1)).list, second.list);
        let third = take(start + OPEN_FOR);
        assert!(third.list != second.list && third.index == 0, "and so is an old one");
        assert_ne!(take(start).list, third.list, "the clock was set back");
    }

    #[test]
    fn only_what_can_be_an_id_is_one() {
        for text in [
            "",
            "x",
            "../../etc/passwd",
            "AAAAAAAAAAAAAAAAAAAAA",
            "AAAAAAAAAAAAAAAAAAAAAB",
            "AAAAAAAAAAAAAAAAAAAAAA=",
        ] {
            assert!(ListId::parse(text).is_none(), "{text}");
        }
        assert!(ListId::parse("AAAAAAAAAAAAAAAAAAAAAA").is_some());
    }
}
