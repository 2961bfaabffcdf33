//! The chains of hashes that this process writes to.
//!
//! Transactions that run beside each other cannot share a chain, so each takes one for as long as it runs. A process keeps
//! the chains that it has used; one that nobody has written to for a while may be taken over by anybody, so there are not
//! many. Nothing depends on who holds which: a link is added by compare-and-swap on its chain's head.

use std::sync::{Mutex, PoisonError};

use countersign_core::UnixTime;
use tokio_postgres::GenericClient;

use super::connections::column;
use crate::store::StoreError;
use crate::store::audit::{ChainHead, Hash};
use crate::store::database_error::Fault;

/// Seconds after which a chain that nobody wrote to is free.
const IDLE: i64 = 60;
/// How often to try to begin one beside others that begin.
const ATTEMPTS: usize = 20;

/// Finds a chain to take over.
pub(super) const IDLE_CHAIN: &str =
    "SELECT id, number, hash, at FROM chains WHERE at < $1 ORDER BY id LIMIT 1";
/// Takes a chain, if nobody else did.
pub(super) const TAKE_CHAIN: &str = "UPDATE chains SET at = $3 WHERE id = $1 AND at = $2";
/// Begins a chain. Of processes that begin at once, all but one fail on the key.
pub(super) const NEW_CHAIN: &str = "INSERT INTO chains (id, number, hash, at, anchor_number, anchor_hash)
     SELECT coalesce(max(id), 0) + 1, 0, $1, $2, 0, $1 FROM chains RETURNING id";
/// The chains that are held and not in use.
#[derive(Default)]
pub(super) struct Chains(Mutex<Vec<ChainHead>>);

impl Chains {
    /// A chain of its own for a transaction: the one that was used last, or another.
    pub(super) async fn take(
        &self,
        client: &impl GenericClient,
        now: UnixTime,
    ) -> Result<ChainHead, StoreError> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match held {
            Some(chain) => Ok(chain),
            None => claim(client, now.as_seconds()).await,
        }
    }

    /// Takes a chain back after a transaction that ended for certain. Without this it is forgotten, and is free later.
    pub(super) fn give_back(&self, chain: ChainHead) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(chain);
    }
}

async fn claim(client: &impl GenericClient, now: i64) -> Result<ChainHead, StoreError> {
    if let Some(row) = client.query_opt(IDLE_CHAIN, &[&(now - IDLE)]).await? {
        let (id, at): (i64, i64) = (column(&row, 0)?, column(&row, 3)?);
        if client.execute(TAKE_CHAIN, &[&id, &at, &now]).await? == 1 {
            return Ok(ChainHead { chain: id, number: column(&row, 1)?, hash: hash(column(&row, 2)?)? });
        }
    }
    let zeros: Hash = [0; 32];
    for _ in 0..ATTEMPTS {
        match client.query_one(NEW_CHAIN, &[&zeros.as_slice(), &now]).await.map_err(StoreError::from) {
            Ok(row) => return Ok(ChainHead { chain: column(&row, 0)?, number: 0, hash: zeros }),
            // Others begin one as well; the key lets one at a time through.
            Err(StoreError::Database(error)) if matches!(error.fault(), Fault::Row | Fault::Race) => {}
            Err(error) => return Err(error),
        }
    }
    Err(StoreError::Overloaded)
}

/// A hash as its column has it.
pub(super) fn hash(bytes: &[u8]) -> Result<Hash, StoreError> {
    bytes.try_into().map_err(|_| StoreError::unreadable("expected a hash of 32 bytes"))
}
