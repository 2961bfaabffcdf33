//! The replay memory: a list of uses in the database, and a table of them in the memory of each process.
//!
//! Invariant 2 rests on this. The list is the truth; the table only answers faster than an index could, which would have to be
//! written at another place for each id token. Before a transaction uses one, it reads what the list has that the table has not,
//! while it holds the lock without which nobody writes. And each use is written under the number after the last one seen,
//! which is a primary key: who has missed one, for whatever reason, fails.
//!
//! So numbers must never begin anew: the last use stays in the list, whatever its age.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use countersign_core::UnixTime;
use rusqlite::{Connection, Transaction, params};

mod sweep;
mod table;

pub(super) use sweep::Sweep;
use table::{Table, Used};

use crate::store::{IdTokenKey, Issuance, StoreError};

/// The memory of this process, for those who use id tokens and for those who only ask.
#[derive(Debug, Default)]
pub(super) struct ReplayMemory(Mutex<Known>);

/// What a process has read.
#[derive(Debug, Default)]
struct Known {
    /// The number of the last use.
    last: i64,
    /// Up to here, uses may have been forgotten.
    horizon: i64,
    table: Table,
}

/// The uses of one transaction.
pub(super) struct Uses<'a> {
    transaction: &'a Transaction<'a>,
    memory: &'a ReplayMemory,
    horizon: i64,
    last: i64,
    /// Those of this transaction, which nobody else knows before it is committed.
    added: HashMap<IdTokenKey, Used>,
}

/// What came of an attempt to use an id token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// It counts.
    Added,
    /// The id token has bought all that it may.
    NoneLeft,
    /// The id token is so old that its uses may have been forgotten.
    Forgotten,
}

/// The last use that a transaction added.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastUse {
    /// When.
    pub(super) at: UnixTime,
    /// Its place in the list.
    pub(super) number: i64,
}

impl ReplayMemory {
    /// For a transaction that holds the write lock.
    pub(super) fn begin<'a>(&'a self, transaction: &'a Transaction<'a>) -> Result<Uses<'a>, StoreError> {
        let mut known = self.known()?;
        known.catch_up(transaction)?;
        let (horizon, last) = (known.horizon, known.last);
        Ok(Uses { transaction, memory: self, horizon, last, added: HashMap::new() })
    }

    /// How often an id token was used.
    pub(super) fn uses_of(&self, connection: &Connection, id_token: &IdTokenKey) -> Result<u32, StoreError> {
        let mut known = self.known()?;
        known.catch_up(connection)?;
        Ok(known.table.get(id_token).map_or(0, |used| used.exchanges))
    }

    fn known(&self) -> Result<MutexGuard<'_, Known>, StoreError> {
        self.0.lock().map_err(|_| StoreError::Closed)
    }
}

impl Known {
    /// Reads what was committed since the last time, by whichever process.
    fn catch_up(&mut self, connection: &Connection) -> Result<(), StoreError> {
        // First: what was forgotten after this is not in the list any more, and needs no place in the table.
        let mut statement = connection.prepare_cached("SELECT forgotten_until FROM replay_horizon")?;
        self.horizon = statement.query_row([], |row| row.get(0))?;
        let mut statement = connection.prepare_cached(
            "SELECT number, id_token, exchanges, forget_at FROM used_id_tokens WHERE number > ?1 ORDER BY number",
        )?;
        let mut rows = statement.query([self.last])?;
        while let Some(row) = rows.next()? {
            let id_token = IdTokenKey::from_bytes(row.get(1)?);
            let used = Used { exchanges: row.get(2)?, forget_at: row.get(3)? };
            self.table.put(id_token, used, self.horizon);
            self.last = row.get(0)?;
        }
        Ok(())
    }
}

impl Uses<'_> {
    /// Adds one use if the id token has one left, and is young enough that its uses are still remembered.
    pub(super) fn add(&mut self, issuance: &Issuance) -> Result<Use, StoreError> {
        let (id_token, forget_at) = (issuance.id_token, issuance.forget_at.as_seconds());
        if forget_at < self.horizon {
            return Ok(Use::Forgotten);
        }
        let before = match self.added.get(&id_token) {
            Some(used) => Some(*used),
            None => self.memory.known()?.table.get(&id_token),
        };
        let used = before.unwrap_or_default();
        if used.exchanges >= issuance.max_exchanges {
            return Ok(Use::NoneLeft);
        }
        let used = Used { exchanges: used.exchanges + 1, forget_at: used.forget_at.max(forget_at) };
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO used_id_tokens (number, id_token, exchanges, forget_at) VALUES (?1, ?2, ?3, ?4)",
        )?;
        statement.execute(params![self.last + 1, id_token.as_bytes(), used.exchanges, used.forget_at])?;
        self.last += 1;
        self.added.insert(id_token, used);
        Ok(Use::Added)
    }

    /// The number of the last use.
    pub(super) fn last(&self) -> i64 {
        self.last
    }
}

#[cfg(test)]
mod tests;
