//! The replay memory: a list of uses in the database, and a table of them in the memory of each process.
//!
//! Invariant 2 rests on this. The list is the truth; the table only answers faster than an index could, which would have to be
//! written at another place for each id token. What protects is this: before a transaction uses one, it reads what the list has
//! that the table has not, while it holds the lock without which nobody writes. As a safeguard, each use is written under
//! the number after the last one read, which is a primary key: who has missed one that is still in the list fails. Who has read
//! one that the list does not have any more, since somebody put an older file in its place, reads it anew.
//!
//! So numbers must never begin anew: the last use stays in the list, whatever its age.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::UnixTime;
use rusqlite::{CachedStatement, Connection, Transaction, params};
use tokio::time::Instant;

mod sweep;
mod table;

pub(super) use sweep::Sweep;
use table::{Entry, Table};

use crate::store::{IdTokenKey, Issuance, StoreError};

/// Uses that are read at once: others may look at the table in between.
const SOME: u32 = 10_000;
/// For how long what was read is good enough for those who only ask, and little enough to read under the lock.
const FRESH: Duration = Duration::from_secs(1);

/// The memory of this process, for those who use id tokens and for those who only ask.
#[derive(Debug, Default)]
pub(super) struct ReplayMemory(Mutex<Known>);

/// What a process has read.
#[derive(Debug, Default)]
struct Known {
    /// The last use.
    last: Place,
    /// When it was read to its end.
    read_at: Option<Instant>,
    table: Table,
}

/// The number of a use, and whose it was: that tells two lists apart. 0 is before the first.
type Place = (i64, Option<IdTokenKey>);

/// The uses of one transaction.
pub(super) struct Uses<'a> {
    insertion: CachedStatement<'a>,
    memory: &'a ReplayMemory,
    /// Up to here, uses may have been forgotten.
    horizon: i64,
    /// Those of this transaction, which nobody else knows before it is committed.
    added: Added,
}

/// What a transaction added. Once it is committed, whoever wrote it need not read it.
pub(super) struct Added {
    /// The last use before, and the last with these.
    before: Place,
    last: Place,
    id_tokens: HashMap<IdTokenKey, Entry>,
}

/// What came of an attempt to use an id token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Attempt {
    /// It counts.
    Counted,
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
    /// Reads what there is to read unless that was done just now. After a start that can be a million uses: whoever is about to
    /// write does it before taking the lock that all others wait for.
    pub(super) fn refresh(&self, connection: &Connection) -> Result<(), StoreError> {
        if self.lock().is_fresh() { Ok(()) } else { self.catch_up(connection) }
    }

    /// Reads what was committed since the last time, by whichever process.
    pub(super) fn catch_up(&self, connection: &Connection) -> Result<(), StoreError> {
        let begun = Instant::now();
        loop {
            let mut known = self.lock();
            if known.read_some(connection)? < SOME {
                // While nobody else can have begun anew.
                known.read_at = known.read_at.max(Some(begun));
                return Ok(());
            }
        }
    }

    /// For a transaction that holds the write lock.
    pub(super) fn begin<'a>(&'a self, transaction: &'a Transaction<'a>) -> Result<Uses<'a>, StoreError> {
        self.catch_up(transaction)?;
        let mut statement = transaction.prepare_cached("SELECT forgotten_until FROM replay_horizon")?;
        let horizon = statement.query_row([], |row| row.get(0))?;
        let mut known = self.lock();
        known.table.tidy(horizon);
        let added = Added { before: known.last, last: known.last, id_tokens: HashMap::new() };
        let insertion = transaction.prepare_cached(
            "INSERT INTO used_id_tokens (number, id_token, exchanges, forget_at) VALUES (?1, ?2, ?3, ?4)",
        )?;
        Ok(Uses { insertion, memory: self, horizon, added })
    }

    /// Puts down what was committed, if nobody has read on meanwhile: then it is read like what others wrote.
    pub(super) fn committed(&self, added: Added) {
        let mut known = self.lock();
        if known.last == added.before {
            for (id_token, entry) in added.id_tokens {
                known.table.put(id_token, entry);
            }
            known.last = added.last;
        }
    }

    /// How often an id token was used, if that is known without asking: what this process has committed it knows at once, and
    /// what others have, with what was read last. For those who only ask; nobody uses an id token by it.
    pub(super) fn known_uses_of(&self, id_token: &IdTokenKey) -> Option<u32> {
        // Whoever reads a long list holds it for longer than it takes to ask on another thread.
        let known = self.0.try_lock().ok()?;
        known.is_fresh().then(|| known.uses_of(id_token))
    }

    /// How often an id token was used.
    pub(super) fn uses_of(&self, connection: &Connection, id_token: &IdTokenKey) -> Result<u32, StoreError> {
        self.catch_up(connection)?;
        Ok(self.lock().uses_of(id_token))
    }

    /// Whoever panicked meanwhile has left nothing half done that reading on does not do again.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Reads the next uses of the list, and says how many there were.
    fn read_some(&mut self, connection: &Connection) -> Result<u32, StoreError> {
        let mut statement = connection.prepare_cached(
            "SELECT number, id_token, exchanges, forget_at FROM used_id_tokens WHERE number >= ?1 ORDER BY number LIMIT ?2",
        )?;
        // And the last again, by which the list is recognised; where that is gone, one more.
        let mut rows = statement.query(params![self.last.0, SOME + 1])?;
        let (mut seen, mut read) = (0, 0);
        while let Some(row) = rows.next()? {
            let (number, id_token) = (row.get(0)?, IdTokenKey::from_bytes(row.get(1)?));
            seen += 1;
            if number == self.last.0 {
                if self.last.1 != Some(id_token) {
                    return Ok(self.begin_anew());
                }
                continue;
            }
            self.table.put(id_token, Entry { exchanges: row.get(2)?, forget_at: row.get(3)? });
            self.last = (number, Some(id_token));
            read += 1;
        }
        // There is always one, if there ever was.
        Ok(if seen == 0 && self.last.0 > 0 { self.begin_anew() } else { read })
    }

    fn is_fresh(&self) -> bool {
        self.read_at.is_some_and(|at| at.elapsed() < FRESH)
    }

    fn uses_of(&self, id_token: &IdTokenKey) -> u32 {
        self.table.get(id_token).map_or(0, |entry| entry.exchanges)
    }

    /// Forgets everything, for the list is another, and has the caller read on.
    fn begin_anew(&mut self) -> u32 {
        tracing::warn!("the list of used id tokens is older than it was, or another; it is read anew");
        *self = Self::default();
        SOME
    }
}

impl Uses<'_> {
    /// Adds one use if the id token has one left, and is young enough that its uses are still remembered.
    pub(super) fn add(&mut self, issuance: &Issuance) -> Result<Attempt, StoreError> {
        let (id_token, forget_at) = (issuance.id_token, issuance.forget_at.as_seconds());
        if forget_at < self.horizon {
            return Ok(Attempt::Forgotten);
        }
        let added = self.added.id_tokens.get(&id_token).copied();
        let before = match added {
            Some(entry) => entry,
            None => self.known(&id_token)?,
        };
        if before.exchanges >= issuance.max_exchanges {
            return Ok(Attempt::NoneLeft);
        }
        let entry = Entry { exchanges: before.exchanges + 1, forget_at: before.forget_at.max(forget_at) };
        let number = self.last() + 1;
        self.insertion.execute(params![number, id_token.as_bytes(), entry.exchanges, entry.forget_at])?;
        self.added.last = (number, Some(id_token));
        self.added.id_tokens.insert(id_token, entry);
        Ok(Attempt::Counted)
    }

    /// What is known of an id token from before this transaction, which holds the lock: nobody else adds to the list, so nobody can
    /// have read on, only forgotten everything, because the list under it was replaced.
    fn known(&self, id_token: &IdTokenKey) -> Result<Entry, StoreError> {
        let known = self.memory.lock();
        if known.last == self.added.before {
            Ok(known.table.get(id_token).unwrap_or_default())
        } else {
            Err(StoreError::unreadable("the list of used id tokens changed inside a transaction"))
        }
    }

    /// The number of the last use.
    pub(super) fn last(&self) -> i64 {
        self.added.last.0
    }

    /// What there is to put down once it is committed.
    pub(super) fn added(self) -> Added {
        self.added
    }
}

#[cfg(test)]
mod tests;
