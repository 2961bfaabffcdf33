//! Following the status lists of one server.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::access_token::StatusReference;
use countersign_core::{Algorithm, IssuerUrl, UnixTime};
use reqwest::Url;
use thiserror::Error;
use tokio::time::Instant;

use super::published::{Published, StatusListError};
use crate::fetch::Fetch;
use crate::fetch::kept::{Fetched, Kept};
use crate::issuer_keys::IssuerKeys;
use crate::issuer_keys::discovery::may_lead_to;

/// How the status lists of a server are followed.
#[derive(Clone, Debug)]
pub struct StatusSettings {
    /// What becomes of a token whose status cannot be had. Default: refused, as temporary.
    pub when_unavailable: WhenUnavailable,
    /// How many lists are kept; beyond that, the one that was fetched longest ago goes. Default: 1024, at most 32 KiB each. A
    /// server has about six an hour, more under heavy load.
    pub max_lists: usize,
    /// The shortest time from the end of a fetch, good or bad, to the next one of the same list. Default: 1 s.
    pub cooldown: Duration,
}

impl Default for StatusSettings {
    fn default() -> Self {
        Self { when_unavailable: WhenUnavailable::Refuse, max_lists: 1024, cooldown: Duration::from_secs(1) }
    }
}

/// What becomes of a token whose status is not known: its list was never fetched or has expired, and cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenUnavailable {
    /// It is refused, and may be tried again: a registry that cannot reach the server stops taking tokens once its copies
    /// have expired.
    Refuse,
    /// It is accepted until it expires: whoever can cut the registry off from the server can use revoked tokens.
    Accept,
}

/// Why a good token is not accepted after all, or not now.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StatusError {
    /// The token was revoked, or the publisher that it was issued for is no longer trusted.
    #[error(
        "the access token was revoked, or its publisher is not trusted any more; exchange a new id token if it should be"
    )]
    Revoked,
    /// The token names a list that is not its server's.
    #[error(
        "expected a status list of {issuer}, found one elsewhere: {found:?}; send a token as the server issues them"
    )]
    ForeignList {
        /// The server that is trusted.
        issuer: IssuerUrl,
        /// The `uri`, shortened.
        found: String,
    },
    /// The list has no such entry, so nothing is known of the token.
    #[error("expected an index below {entries}, the length of the token's status list; found {found}")]
    OutOfRange {
        /// The `idx`.
        found: u32,
        /// The length of the list.
        entries: usize,
    },
    /// Whether the token was revoked cannot be found out just now.
    #[error(
        "whether the access token was revoked cannot be found out just now; try again in {} s",
        retry_after.as_secs()
    )]
    Unavailable {
        /// How long no other attempt will be made; at least a second.
        retry_after: Duration,
        /// What failed last, for the log.
        source: Option<Arc<StatusListError>>,
    },
}

impl StatusError {
    /// A stable name of the cause, for logs and metrics.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::ForeignList { .. } => "foreign_status_list",
            Self::OutOfRange { .. } => "status_index",
            Self::Unavailable { .. } => "status_unavailable",
        }
    }
}

/// The lists of one server, as far as its tokens have led to them.
///
/// Only a token whose signature was verified gets here, so nobody but the server decides what is fetched, and that is
/// bounded to its own origin.
pub(crate) struct StatusLists {
    issuer: IssuerUrl,
    algorithms: &'static [Algorithm],
    keys: Arc<IssuerKeys>,
    fetch: Arc<dyn Fetch>,
    settings: StatusSettings,
    lists: Mutex<HashMap<Arc<str>, Arc<List>>>,
}

type List = Kept<Published, StatusListError>;

impl StatusLists {
    pub(crate) fn new(
        issuer: IssuerUrl,
        algorithms: &'static [Algorithm],
        keys: Arc<IssuerKeys>,
        fetch: Arc<dyn Fetch>,
        settings: StatusSettings,
    ) -> Self {
        Self { issuer, algorithms, keys, fetch, settings, lists: Mutex::default() }
    }

    /// The same with other settings, and nothing fetched yet.
    pub(crate) fn with(&self, settings: StatusSettings) -> Self {
        let (issuer, keys, fetch) = (self.issuer.clone(), Arc::clone(&self.keys), Arc::clone(&self.fetch));
        Self::new(issuer, self.algorithms, keys, fetch, settings)
    }

    /// Makes sure that the token at that place was not revoked.
    pub(crate) async fn check(
        self: &Arc<Self>,
        reference: &StatusReference,
        now: UnixTime,
    ) -> Result<(), StatusError> {
        let at = Instant::now();
        let list = self.list(&reference.uri, now)?;
        let known = list.current().filter(|copy| copy.value.is_current(now));
        if let Some(copy) = &known
            && at.duration_since(copy.asked_at) < copy.value.ttl / 2
        {
            return verdict(copy, reference.idx);
        }
        let refresh = list.refresh(at, || {
            let (lists, url) = (Arc::clone(self), reference.uri.clone());
            async move { lists.fetch(&url, now).await }
        });
        if let Some(mut running) = refresh
            && Self::must_wait(&list, known.as_deref(), at)
        {
            // Nothing is ever sent: the channel closes when the fetch has ended.
            let _ended = running.changed().await;
        }
        match list.current().filter(|copy| copy.value.is_current(now)) {
            Some(copy) => verdict(&copy, reference.idx),
            None if self.settings.when_unavailable == WhenUnavailable::Accept => Ok(()),
            None => Err(StatusError::Unavailable {
                retry_after: list.retry_after(Instant::now()),
                source: list.failure(),
            }),
        }
    }

    /// In the second half of its `ttl` a copy is renewed in the background. After that, requests wait for the new one, unless
    /// the server has just failed to give one: then the copy serves until it expires, and nobody waits for the next attempt.
    fn must_wait(list: &List, known: Option<&Fetched<Published>>, at: Instant) -> bool {
        known
            .is_none_or(|copy| at.duration_since(copy.asked_at) >= copy.value.ttl && list.failure().is_none())
    }

    async fn fetch(&self, url: &str, now: UnixTime) -> Result<Published, StatusListError> {
        let published =
            Published::fetch(url, &self.issuer, self.algorithms, &self.keys, &*self.fetch, now).await;
        if let Err(error) = &published {
            let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            tracing::warn!(issuer = %self.issuer, url, %error, cause, "status list not refreshed");
        }
        published
    }

    /// The list at a `uri`, which has to be the server's own.
    fn list(&self, uri: &str, now: UnixTime) -> Result<Arc<List>, StatusError> {
        // Nothing that can panic happens while it is held.
        let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(list) = lists.get(uri) {
            return Ok(Arc::clone(list));
        }
        let is_own = |url: &Url| url.as_str() == uri && may_lead_to(url, &self.issuer, &[]);
        if !Url::parse(uri).is_ok_and(|url| is_own(&url)) {
            let found = uri.chars().take(120).collect();
            return Err(StatusError::ForeignList { issuer: self.issuer.clone(), found });
        }
        make_room(&mut lists, self.settings.max_lists, now);
        let list = Arc::new(Kept::new(self.settings.cooldown));
        lists.insert(uri.into(), Arc::clone(&list));
        Ok(list)
    }
}

/// Forgets the lists that have expired, and if that is not enough the one that was fetched longest ago. A list that is in use
/// is fetched all the time.
fn make_room(lists: &mut HashMap<Arc<str>, Arc<List>>, limit: usize, now: UnixTime) {
    lists.retain(|_, list| list.current().is_none_or(|copy| copy.value.is_current(now)));
    while lists.len() >= limit.max(1) {
        let oldest = lists.iter().min_by_key(|(_, list)| list.current().map(|copy| copy.asked_at));
        let Some(uri) = oldest.map(|(uri, _)| Arc::clone(uri)) else { return };
        lists.remove(&uri);
    }
}

fn verdict(copy: &Fetched<Published>, index: u32) -> Result<(), StatusError> {
    match copy.value.list.is_revoked(index) {
        Some(false) => Ok(()),
        Some(true) => Err(StatusError::Revoked),
        None => Err(StatusError::OutOfRange { found: index, entries: copy.value.list.len() }),
    }
}

impl fmt::Debug for StatusLists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusLists").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}
