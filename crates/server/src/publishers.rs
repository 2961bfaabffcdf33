//! Publishers in memory.

use std::convert::Infallible;
use std::sync::Arc;

use countersign_core::{IssuerUrl, Provider, Publisher, Resource, UnixTime};
use quick_cache::sync::Cache;

mod shared_read;

use crate::issuers::Issuer;
use crate::store::{Store, StoreError};
use shared_read::SharedRead;

/// Resources whose publishers are kept in memory, whatever the number in the store.
const CAPACITY: usize = 10_000;

/// Reads that others can share; one that is pushed out serves those who have it already.
const READS: usize = 1_000;

/// Whose publishers they are, whose tokens they trust, and by which preset those are read: an issuer that is removed and added
/// again can have another.
type About = (Resource, IssuerUrl, Provider);
type Read = SharedRead<Arc<[Publisher]>>;

/// Publishers of the resources that are asked for most.
///
/// What is remembered may be out of date, and nothing is decided by that alone: the ledger compares the revision of
/// every grant, and a refusal counts only once it was made on [`PublisherCache::current`] publishers. So a publisher that
/// is removed, added or changed takes effect with the next exchange, on every node.
pub struct PublisherCache {
    store: Arc<dyn Store>,
    remembered: Cache<About, Arc<[Publisher]>>,
    /// A job that is refused asks what is in the store now, and a job that is refused often comes again and again.
    reads: Cache<About, Arc<Read>>,
}

impl PublisherCache {
    /// An empty memory of the store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, remembered: Cache::new(CAPACITY), reads: Cache::new(READS) }
    }

    /// The publishers as they were when last looked at, and whether that was just now.
    pub async fn remembered(
        &self,
        resource: &Resource,
        issuer: &Issuer,
        now: UnixTime,
    ) -> Result<(Arc<[Publisher]>, bool), StoreError> {
        match self.remembered.get(&about(resource, issuer)) {
            Some(publishers) => Ok((publishers, false)),
            None => Ok((self.current(resource, issuer, now).await?, true)),
        }
    }

    /// The publishers as they are in the store now. Of those that wait for their first run, the ones that did so at `now`, or when
    /// another exchange asked that shares the answer: the ledger looks at that again.
    pub async fn current(
        &self,
        resource: &Resource,
        issuer: &Issuer,
        now: UnixTime,
    ) -> Result<Arc<[Publisher]>, StoreError> {
        let key = about(resource, issuer);
        let Ok(read) = self.reads.get_or_insert_with(&key, || Ok::<_, Infallible>(Arc::default()));
        read.read(async || self.read(key, now).await).await
    }

    /// Reads them.
    ///
    /// Those that were made while the issuer had another preset are passed over: their conditions were checked against
    /// other meanings of its claims, and nothing would hold them to ids and events.
    async fn read(&self, key: About, now: UnixTime) -> Result<Arc<[Publisher]>, StoreError> {
        let (resource, url, provider) = &key;
        let (fitting, others): (Vec<Publisher>, Vec<Publisher>) = self
            .store
            .publishers_of(resource, url, now)
            .await?
            .into_iter()
            .partition(|p| p.rules.provider() == *provider);
        for other in others {
            let (made_for, now) = (other.rules.provider(), provider);
            tracing::warn!(publisher = %other.id, %made_for, %now, "a publisher of another preset is passed over; make it again");
        }
        let publishers: Arc<[Publisher]> = fitting.into();
        if publishers.is_empty() {
            // Strangers may ask for any name: what does not exist takes no room here.
            self.remembered.remove(&key);
        } else {
            self.remembered.insert(key, Arc::clone(&publishers));
        }
        Ok(publishers)
    }
}

fn about(resource: &Resource, issuer: &Issuer) -> About {
    (resource.clone(), issuer.policy.issuer().clone(), issuer.provider)
}
