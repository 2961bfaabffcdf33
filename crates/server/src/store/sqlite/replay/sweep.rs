//! Leaving out of the list what expiry refuses by itself.

use rusqlite::{Transaction, params};

use super::LastUse;
use crate::store::StoreError;

/// Goes round and round through the list.
///
/// Those that were used together mostly end together, so a page of the database is written once for all that leaves it. One that
/// is good for long keeps no other.
#[derive(Debug, Default)]
pub(in crate::store::sqlite) struct Sweep {
    /// The last number that was looked at; 0 before the first.
    hand: i64,
}

impl Sweep {
    /// Looks at the next `rows` uses, and forgets those that ended strictly before now: a token is remembered as long as it is good.
    ///
    /// An exchange may be older than the last use (it waited, or its node's clock is behind), so the horizon says how far
    /// forgetting has come, and nothing from before it is let in any more. It goes no further than what was forgotten: after a
    /// clock was ahead, it would shut out good tokens until their time is that clock's. No exchange waits for a great clean-up.
    pub(in crate::store::sqlite) fn advance(
        &mut self,
        transaction: &Transaction<'_>,
        last: &LastUse,
        rows: usize,
    ) -> Result<(), StoreError> {
        let rows = i64::try_from(rows).unwrap_or(i64::MAX);
        let now = last.at.as_seconds();
        // Without the last: the numbers go on from it.
        let mut statement = transaction.prepare_cached(
            "SELECT max(number), count(*), max(CASE WHEN forget_at < ?3 THEN forget_at END) FROM
                 (SELECT number, forget_at FROM used_id_tokens WHERE number > ?1 AND number < ?2 ORDER BY number LIMIT ?4)",
        )?;
        let (until, seen, latest): (Option<i64>, i64, Option<i64>) = statement
            .query_row(params![self.hand, last.number, now, rows], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
        let Some(until) = until else {
            self.hand = 0;
            return Ok(());
        };
        if let Some(latest) = latest {
            let mut statement = transaction.prepare_cached(
                "DELETE FROM used_id_tokens WHERE number > ?1 AND number <= ?2 AND forget_at < ?3",
            )?;
            statement.execute([self.hand, until, now])?;
            let mut statement = transaction
                .prepare_cached("UPDATE replay_horizon SET forgotten_until = max(forgotten_until, ?1)")?;
            statement.execute([latest + 1])?;
        }
        self.hand = if seen < rows { 0 } else { until };
        Ok(())
    }
}
