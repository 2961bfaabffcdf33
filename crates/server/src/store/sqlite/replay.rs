//! The replay memory.

use countersign_core::UnixTime;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::store::{IdTokenKey, Issuance, StoreError};

/// Adds one use if the id token has one left, and is young enough that its uses are still remembered.
pub(super) fn use_id_token(transaction: &Transaction<'_>, issuance: &Issuance) -> Result<bool, StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO used_id_tokens (id_token, exchanges, forget_at)
         SELECT ?1, 1, ?2 WHERE ?2 >= (SELECT forgotten_until FROM replay_horizon)
         ON CONFLICT (id_token) DO UPDATE
             SET exchanges = exchanges + 1, forget_at = max(forget_at, excluded.forget_at)
             WHERE exchanges < ?3",
    )?;
    let changed = statement.execute(params![
        issuance.id_token.as_bytes(),
        issuance.forget_at.as_seconds(),
        issuance.max_exchanges
    ])?;
    Ok(changed == 1)
}

pub(super) fn uses_of(connection: &Connection, id_token: &IdTokenKey) -> Result<u32, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT exchanges FROM used_id_tokens WHERE id_token = ?1")?;
    let uses = statement.query_row([id_token.as_bytes()], |row| row.get(0)).optional()?;
    Ok(uses.unwrap_or(0))
}

pub(super) fn forgotten_until(transaction: &Transaction<'_>) -> Result<i64, StoreError> {
    let mut statement = transaction.prepare_cached("SELECT forgotten_until FROM replay_horizon")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Forgets id tokens that expiry refuses by itself, going round and round through the memory in the order of its keys.
///
/// An index by time would find them without looking at others, but would have to be written with every exchange, and then each
/// row be fetched from a page of its own. This way a page is written once for all that leaves it.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    /// The last key that was looked at; empty before the first.
    hand: Vec<u8>,
}

impl Sweep {
    /// Looks at the next `rows` rows, and forgets those that ended strictly before now: a token is remembered as long as it is
    /// good.
    ///
    /// An exchange may be older than `now` (it waited, or its node's clock is behind), so the horizon says how far forgetting
    /// has come, and nothing from before it is let in any more. It goes no further than what was forgotten: after a clock was
    /// ahead, it would shut out good tokens until their time is that clock's. No exchange waits for a great clean-up.
    pub(super) fn advance(
        &mut self,
        transaction: &Transaction<'_>,
        now: UnixTime,
        rows: usize,
    ) -> Result<(), StoreError> {
        let (last, seen, latest) = self.look(transaction, now, rows)?;
        if let Some(latest) = latest {
            let mut statement = transaction.prepare_cached(
                "DELETE FROM used_id_tokens WHERE id_token > ?1 AND id_token <= ?2 AND forget_at < ?3",
            )?;
            statement.execute(params![self.hand, last, now.as_seconds()])?;
            let mut statement = transaction
                .prepare_cached("UPDATE replay_horizon SET forgotten_until = max(forgotten_until, ?1)")?;
            statement.execute([latest + 1])?;
        }
        self.hand = if seen < rows { Vec::new() } else { last };
        Ok(())
    }

    /// The last of the next rows, how many there are, and when the latest of those ended that can be forgotten.
    fn look(
        &self,
        transaction: &Transaction<'_>,
        now: UnixTime,
        rows: usize,
    ) -> Result<(Vec<u8>, usize, Option<i64>), StoreError> {
        let mut statement = transaction.prepare_cached(
            "SELECT id_token, forget_at FROM used_id_tokens WHERE id_token > ?1 ORDER BY id_token LIMIT ?2",
        )?;
        let mut found = statement.query(params![self.hand, i64::try_from(rows).unwrap_or(i64::MAX)])?;
        let (mut last, mut seen, mut latest) = (Vec::new(), 0, None);
        while let Some(row) = found.next()? {
            last.clear();
            last.extend_from_slice(row.get_ref(0)?.as_blob().map_err(StoreError::unreadable)?);
            seen += 1;
            let ended: i64 = row.get(1)?;
            if ended < now.as_seconds() {
                latest = latest.max(Some(ended));
            }
        }
        Ok((last, seen, latest))
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, Transaction};

    use super::{Sweep, UnixTime, forgotten_until, params};
    use crate::store::sqlite::schema;

    /// Id tokens that are good for this many seconds, one of them a second.
    const LIFE: i64 = 1_000;
    /// Rows that are looked at for each that comes.
    const LOOK: usize = 4;

    fn come(transaction: &Transaction<'_>, number: i64, forget_at: i64) {
        // Spread over the keys as hashes are.
        let key = number.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed()).to_be_bytes();
        let mut statement =
            transaction.prepare_cached("INSERT INTO used_id_tokens VALUES (?1, 1, ?2)").unwrap();
        statement.execute(params![key, forget_at]).unwrap();
    }

    fn remembered(transaction: &Transaction<'_>, since: i64) -> i64 {
        let count = "SELECT count(*) FROM used_id_tokens WHERE forget_at >= ?1";
        transaction.query_row(count, [since], |row| row.get(0)).unwrap()
    }

    #[test]
    fn the_memory_holds_what_is_good_and_little_more() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::prepare(&mut connection).unwrap();
        let transaction = connection.transaction().unwrap();
        let mut sweep = Sweep::default();
        for now in 0..5 * LIFE {
            come(&transaction, now, now + LIFE);
            sweep.advance(&transaction, UnixTime::from_seconds(now), LOOK).unwrap();
            let good = remembered(&transaction, now);
            assert_eq!(good, LIFE.min(now) + 1, "at {now}");
            let more = remembered(&transaction, 0) - good;
            assert!(more <= LIFE / 4, "at {now}, {more} are remembered for nothing");
            let horizon = forgotten_until(&transaction).unwrap();
            assert!(horizon <= now, "at {now}");
            assert!(
                now < LIFE + LIFE / 2 || horizon >= now - LIFE / 2,
                "at {now}, the horizon was {horizon}"
            );
        }
    }
}
