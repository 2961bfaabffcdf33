//! What a batch of exchanges does to the database, in one transaction and two round trips.
//!
//! The first locks what the exchanges rest on and uses their id tokens; the second writes what came of that and commits. Where one
//! of them has to be turned back, whose id token is used by then, everything is taken back, and the others are for the next batch.
//!
//! Batches of several connections and nodes run beside each other. What makes that right, under `READ COMMITTED`:
//!
//! - **Invariant 2.** Two uses of one id token meet in one row of `used_id_tokens`: its key is unique, so the second waits for
//!   the first to be committed or rolled back, and then finds the count as it is (`ON CONFLICT … WHERE exchanges < …`). The
//!   row and the record of the exchange are written by one transaction.
//! - **Forgetting.** A use could come in as the first one if another transaction forgot the row just now. Whoever forgets
//!   raises the horizon in the same statement, so both are committed together; and here the horizon is read once more in a
//!   statement after the use was written. If the row had been forgotten before, that statement sees the horizon that says
//!   so, and the batch is taken back. If it had not, the use met the row. The statement is the one that writes the batch's link
//!   of the chain, so the commit that follows it on its heels comes to nothing.
//! - **Invariant 3.** Nothing of a refusal touches that table, and nothing of what the publisher or the issuer turns back stays in it.
//! - **Invariant 8.** The publishers and issuers of a batch are locked, shared, from the comparison to the commit: see
//!   `changes.rs` and `issuers.rs` for the other side.
//! - **No deadlock among batches:** each table is locked in one statement, in the order of its key, and the tables in one
//!   order: issuers, publishers, id tokens. (Where the row of an issuer has to be made first, issuers come last; a deadlock is
//!   found there by the database, and one of the two made again.) What changes a publisher locks it alone from the start, see [`Locking`].

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::publisher::Revision;
use tokio_postgres::types::ToSql;

use super::connections::column;
use super::session::Session;
use super::{issuers, publishers};
use crate::store::audit::ExchangeRow;
use crate::store::{Actor, Author, Exchange, Issuance, Outcome, StatusEntry, StoreError, Verdict};

/// Compares publishers with what was decided on, and holds them to it until the end of the transaction.
pub(super) const LOCK_PUBLISHERS: &str =
    "SELECT id, revision, pending_until FROM publishers WHERE id = ANY($1) ORDER BY id FOR SHARE";
/// Locks one publisher that the exchange will change.
pub(super) const LOCK_PUBLISHERS_ALONE: &str =
    "SELECT id, revision, pending_until FROM publishers WHERE id = ANY($1) ORDER BY id FOR UPDATE";
/// Reads up to where id tokens may have been forgotten.
pub(super) const HORIZON: &str = "SELECT forgotten_until FROM replay_horizon";
/// Adds one use to each id token that has one left, and says to which. No id token may be there twice. Does nothing by itself, where the
/// transaction could not be opened, which it was sent together with.
pub(super) const USE_ID_TOKENS: &str =
    "INSERT INTO used_id_tokens (id_token, exchanges, max_exchanges, forget_at)
     SELECT id_token, 1, max_exchanges, forget_at
     FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS new (id_token, max_exchanges, forget_at)
     WHERE current_setting('countersign.transaction', true) = 'open'
     ORDER BY id_token
     ON CONFLICT (id_token) DO UPDATE
         SET exchanges = used_id_tokens.exchanges + 1, max_exchanges = excluded.max_exchanges,
             forget_at = greatest(used_id_tokens.forget_at, excluded.forget_at)
         WHERE used_id_tokens.exchanges < excluded.max_exchanges
     RETURNING id_token";
/// Forgets id tokens that expiry refuses by itself, and raises the horizon if there were any. Strictly before now: a token is
/// remembered as long as it is good; and it is over by the database's clock as well, since a node whose clock is ahead would forget
/// what is good on the others. The horizon goes no further than what was forgotten: whatever clocks say, it shuts out few.
/// What another transaction is forgetting is left to it.
pub(super) const FORGET_ID_TOKENS: &str = "WITH gone AS (
         DELETE FROM used_id_tokens WHERE id_token IN
             (SELECT id_token FROM used_id_tokens WHERE forget_at < least($1, extract(epoch FROM now())::bigint)
              ORDER BY forget_at LIMIT $2 FOR UPDATE SKIP LOCKED)
         RETURNING forget_at)
     UPDATE replay_horizon SET forgotten_until = (SELECT max(forget_at) + 1 FROM gone)
     WHERE forgotten_until <= (SELECT max(forget_at) FROM gone)";
/// Records exchanges.
pub(super) const INSERT_EXCHANGES: &str =
    "INSERT INTO exchanges (id, at, outcome, resource, issuer, subject, publisher, expires_at, status_list, status_index,
         detail, chain, batch)
     SELECT id, at, outcome, resource, issuer, subject, publisher, expires_at, status_list, status_index, detail, $12, $13
     FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[],
         $9::text[], $10::bigint[], $11::text[])
         AS new (id, at, outcome, resource, issuer, subject, publisher, expires_at, status_list, status_index, detail)";

/// How a batch locks its publishers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locking {
    /// Beside other batches. Exchanges that change their publisher come back as [`Answer::Alone`]: two batches that share a
    /// lock and both want to change what is locked would wait for each other.
    Shared,
    /// For one exchange, which may change its publisher.
    Alone,
}

/// It is recorded, or is about to be.
const RECORDED: Answer = Answer::Verdict(Verdict::Recorded);

/// What a batch says to one of its exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// This.
    Verdict(Verdict),
    /// It changes its publisher: it needs a transaction of its own.
    Alone,
    /// Another of the batch uses the same id token, or had to be turned back: it is for the next batch.
    Again,
}

/// Records exchanges, forgets up to `forget` id tokens, and commits.
pub(super) async fn record(
    mut session: Session,
    exchanges: &[&Exchange],
    locking: Locking,
    forget: usize,
) -> Result<Vec<Answer>, StoreError> {
    let recorded = async {
        let examined = examine(&session, exchanges, locking).await?;
        if examined.is_in_vain {
            return Ok(examined);
        }
        write(&mut session, exchanges, locking, forget, &examined.answers).await?;
        Ok(examined)
    };
    match recorded.await {
        Ok(Examined { mut answers, is_in_vain: true }) => {
            session.roll_back().await;
            for answer in &mut answers {
                if *answer == RECORDED {
                    *answer = Answer::Again;
                }
            }
            Ok(answers)
        }
        Ok(Examined { answers, .. }) => {
            session.report(answers.iter().filter(|answer| matches!(answer, Answer::Verdict(_))).count());
            session.committed();
            Ok(answers)
        }
        Err(error) => {
            session.abandon(&error).await;
            Err(error)
        }
    }
}

/// Writes what came of a batch, and commits.
async fn write(
    session: &mut Session,
    exchanges: &[&Exchange],
    locking: Locking,
    forget: usize,
    answers: &[Answer],
) -> Result<(), StoreError> {
    if let (Locking::Alone, [exchange]) = (locking, exchanges)
        && answers == [RECORDED]
    {
        change_publisher(session, exchange).await?;
    }
    let rows = Rows::of(recorded(exchanges, answers));
    rows.note_in(session);
    // A node whose clock is far ahead finds all id tokens expired and refuses them: it must not forget them, too.
    let now = recorded(exchanges, answers)
        .filter_map(|(exchange, issuance)| issuance.map(|_| exchange.at.as_seconds()))
        .max();
    let earliest = recorded(exchanges, answers)
        .filter_map(|(_, issuance)| issuance.map(|issuance| issuance.forget_at.as_seconds()))
        .min();
    tokio::try_join!(
        biased;
        // Before anything is forgotten by this very batch.
        session.seal(earliest),
        forget_id_tokens(session, now, forget),
        count_uses(session, recorded(exchanges, answers)),
        rows.insert(session),
        session.send_commit(),
    )
    .map_err(|error| session.of_commit(error))?;
    Ok(())
}

/// What the first round trip has found.
struct Examined {
    answers: Vec<Answer>,
    /// An id token is used for one that is turned back: the transaction must not be committed.
    is_in_vain: bool,
}

/// Opens the transaction, locks what the exchanges rest on, uses their id tokens, and answers those that come to nothing; the
/// others are to be recorded.
async fn examine(
    session: &Session,
    exchanges: &[&Exchange],
    locking: Locking,
) -> Result<Examined, StoreError> {
    let mut answers = before_asking(exchanges, locking);
    let uses: Vec<&Issuance> = recorded(exchanges, &answers).filter_map(|(_, issuance)| issuance).collect();
    if uses.is_empty() {
        session.open().await?;
        return Ok(Examined { answers, is_in_vain: false });
    }
    // Of those that are for the next batch, too: if they have to be turned back then, they are at once.
    let asked = || exchanges.iter().zip(&answers).filter(|(_, answer)| **answer != Answer::Alone);
    let issuances = || asked().filter_map(|(exchange, _)| issuance(exchange));
    let urls: BTreeSet<&str> = issuances().map(|issuance| issuance.issuer.as_str()).collect();
    let urls: Vec<&str> = urls.into_iter().collect();
    let ids: BTreeSet<&str> = issuances().map(|issuance| issuance.publisher.as_str()).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let lock = if locking == Locking::Alone { LOCK_PUBLISHERS_ALONE } else { LOCK_PUBLISHERS };
    let at = exchanges.first().map_or(0, |exchange| exchange.at.as_seconds());
    let locked: [&(dyn ToSql + Sync); 1] = [&ids];
    let ((), disabled, found, horizon, admitted) = tokio::try_join!(
        biased;
        // Asked first, so that it comes first.
        session.open(),
        issuers::disabled(session, &urls, at),
        session.query(lock, &locked),
        session.first(HORIZON, &[]),
        use_id_tokens(session, &uses),
    )?;
    let horizon: i64 = horizon.as_ref().map_or(Ok(0), |row| column(row, 0))?;
    let mut present: BTreeMap<&str, (Revision, Option<i64>)> = BTreeMap::new();
    for row in &found {
        present.insert(column(row, 0)?, (Revision(column(row, 1)?), column(row, 2)?));
    }
    let turned_back = |exchange: &Exchange, issuance: &Issuance| {
        let in_force = present.get(issuance.publisher.as_str()).filter(|(revision, pending_until)| {
            *revision == issuance.revision
                && pending_until.is_none_or(|until| until > exchange.at.as_seconds())
        });
        let Some((_, pending_until)) = in_force else {
            return Some(Answer::Verdict(Verdict::PublisherChanged));
        };
        if disabled.iter().any(|url| url == issuance.issuer.as_str()) {
            return Some(Answer::Verdict(Verdict::IssuerDisabled));
        }
        if issuance.forget_at.as_seconds() < horizon {
            return Some(Answer::Verdict(Verdict::TooLate));
        }
        (locking == Locking::Shared && pending_until.is_some()).then_some(Answer::Alone)
    };
    let mut is_in_vain = false;
    for (exchange, answer) in exchanges.iter().zip(&mut answers) {
        let Some(issuance) = issuance(exchange).filter(|_| *answer != Answer::Alone) else { continue };
        let is_first = *answer == RECORDED;
        let is_used = admitted.contains(issuance.id_token.as_bytes().as_slice());
        if let Some(reason) = turned_back(exchange, issuance) {
            *answer = reason;
            is_in_vain |= is_first && is_used;
        } else if is_first && !is_used {
            *answer = Answer::Verdict(Verdict::Replayed);
        }
    }
    Ok(Examined { answers, is_in_vain })
}

/// Those that cannot be in this transaction, whatever the database says. The others may be recorded.
fn before_asking(exchanges: &[&Exchange], locking: Locking) -> Vec<Answer> {
    let mut seen = BTreeSet::new();
    let answer = |exchange: &&Exchange| match issuance(exchange) {
        Some(issuance) if locking == Locking::Shared && issuance.learned.is_some() => Answer::Alone,
        Some(issuance) if !seen.insert(issuance.id_token) => Answer::Again,
        _ => RECORDED,
    };
    exchanges.iter().map(answer).collect()
}

/// The id tokens that had a use left.
async fn use_id_tokens(session: &Session, uses: &[&Issuance]) -> Result<BTreeSet<Vec<u8>>, StoreError> {
    let id_tokens: Vec<&[u8]> = uses.iter().map(|issuance| issuance.id_token.as_bytes().as_slice()).collect();
    let allowed: Vec<i64> = uses.iter().map(|issuance| i64::from(issuance.max_exchanges)).collect();
    let ends: Vec<i64> = uses.iter().map(|issuance| issuance.forget_at.as_seconds()).collect();
    // After what the others lock, also where that has to be prepared first.
    session.all_sent().await;
    let rows = session.query(USE_ID_TOKENS, &[&id_tokens, &allowed, &ends]).await?;
    rows.iter().map(|row| column(row, 0)).collect()
}

async fn forget_id_tokens(session: &Session, now: Option<i64>, limit: usize) -> Result<(), StoreError> {
    let Some(now) = now.filter(|_| limit > 0) else { return Ok(()) };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    session.execute(FORGET_ID_TOKENS, &[&now, &limit]).await.map(drop)
}

async fn count_uses(
    session: &Session,
    recorded: impl Iterator<Item = (&Exchange, Option<&Issuance>)>,
) -> Result<(), StoreError> {
    let mut uses: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (exchange, issuance) in recorded {
        if let Some(issuance) = issuance {
            let (last, count) = uses.entry(issuance.publisher.as_str()).or_default();
            *last = (*last).max(exchange.at.as_seconds());
            *count += 1;
        }
    }
    if uses.is_empty() {
        return Ok(());
    }
    let publishers: Vec<&str> = uses.keys().copied().collect();
    let (last, counts): (Vec<i64>, Vec<i64>) = uses.values().copied().unzip();
    session.execute(publishers::COUNT_USES, &[&publishers, &last, &counts, &session.chain()]).await.map(drop)
}

/// What the exchange does to its publisher, which is locked and as it was decided on.
async fn change_publisher(session: &mut Session, exchange: &Exchange) -> Result<(), StoreError> {
    let Some(issuance) = issuance(exchange) else { return Ok(()) };
    let author = Author { actor: Actor::Exchange, at: exchange.at, request: exchange.id.clone() };
    if let Some(rules) = &issuance.learned {
        publishers::learn(session, &author, &issuance.publisher, issuance.revision, rules).await?;
    }
    // One that is not pending stays as it is.
    publishers::confirm(session, &author, &issuance.publisher).await
}

fn issuance(exchange: &Exchange) -> Option<&Issuance> {
    match &exchange.outcome {
        Outcome::Issued(issuance) => Some(issuance),
        Outcome::Refused(_) => None,
    }
}

/// The exchanges that are recorded, with what they issue.
fn recorded<'a>(
    exchanges: &'a [&'a Exchange],
    answers: &'a [Answer],
) -> impl Iterator<Item = (&'a Exchange, Option<&'a Issuance>)> {
    let both = exchanges.iter().zip(answers);
    both.filter(|(_, answer)| **answer == RECORDED).map(|(exchange, _)| (*exchange, issuance(exchange)))
}

/// The rows of a batch, to be written by one statement.
struct Rows<'a> {
    rows: Vec<(&'a Exchange, Option<&'a Issuance>, Option<String>)>,
}

impl<'a> Rows<'a> {
    fn of(recorded: impl Iterator<Item = (&'a Exchange, Option<&'a Issuance>)>) -> Self {
        let rows = recorded.map(|(exchange, issuance)| {
            (exchange, issuance, exchange.resource.as_ref().map(ToString::to_string))
        });
        Self { rows: rows.collect() }
    }

    fn columns(&self) -> impl Iterator<Item = ExchangeRow<'_>> {
        self.rows.iter().map(|(exchange, issuance, resource)| ExchangeRow {
            id: &exchange.id.0,
            at: exchange.at.as_seconds(),
            outcome: match exchange.outcome {
                Outcome::Issued(_) => "issued",
                Outcome::Refused(code) => code,
            },
            resource: resource.as_deref(),
            issuer: exchange.issuer.as_deref(),
            subject: exchange.subject.as_deref(),
            publisher: issuance.map(|issuance| issuance.publisher.as_str()),
            expires_at: issuance.map(|issuance| issuance.expires_at.as_seconds()),
            status: issuance
                .and_then(|issuance| issuance.status.as_ref())
                .map(|StatusEntry { list, index }| (list.as_str(), *index)),
            detail: &exchange.detail,
        })
    }

    fn note_in(&self, session: &mut Session) {
        self.columns().for_each(|row| session.note_exchange(&row));
    }

    async fn insert(&self, session: &Session) -> Result<(), StoreError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows: Vec<ExchangeRow<'_>> = self.columns().collect();
        let ids: Vec<&str> = rows.iter().map(|row| row.id).collect();
        let times: Vec<i64> = rows.iter().map(|row| row.at).collect();
        let outcomes: Vec<&str> = rows.iter().map(|row| row.outcome).collect();
        let resources: Vec<Option<&str>> = rows.iter().map(|row| row.resource).collect();
        let issuers: Vec<Option<&str>> = rows.iter().map(|row| row.issuer).collect();
        let subjects: Vec<Option<&str>> = rows.iter().map(|row| row.subject).collect();
        let publishers: Vec<Option<&str>> = rows.iter().map(|row| row.publisher).collect();
        let ends: Vec<Option<i64>> = rows.iter().map(|row| row.expires_at).collect();
        let lists: Vec<Option<&str>> = rows.iter().map(|row| row.status.map(|(list, _)| list)).collect();
        let indices: Vec<Option<i64>> =
            rows.iter().map(|row| row.status.map(|(_, index)| i64::from(index))).collect();
        let details: Vec<&str> = rows.iter().map(|row| row.detail).collect();
        let (chain, number) = (session.chain(), session.number());
        session
            .execute(
                INSERT_EXCHANGES,
                &[
                    &ids,
                    &times,
                    &outcomes,
                    &resources,
                    &issuers,
                    &subjects,
                    &publishers,
                    &ends,
                    &lists,
                    &indices,
                    &details,
                    &chain,
                    &number,
                ],
            )
            .await
            .map(drop)
    }
}
