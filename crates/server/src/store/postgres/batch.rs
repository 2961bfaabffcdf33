//! What a batch of exchanges does to the database, in one transaction: first what locks what the exchanges rest on and uses their
//! id tokens, then what writes what came of that and commits.
//!
//! Where nothing speaks against it, both go in **one round trip**, written as if nothing had to be turned back. Whether that was so is
//! among the [terms](Terms) of the link, so the database holds to it: if anything had to be, the link cannot be written and the commit
//! comes to nothing. Then the first half has said what, and the others are for the next batch. Where that is likely, since it just
//! happened, there are **two round trips**, and what is turned back is not written. An id token that is used by then for one that is turned
//! back is why everything is taken back there, too. Outside a transaction each statement that writes does nothing, and the link fails, for when
//! it could not be opened (forgetting is right by itself).
//!
//! Batches of several connections and nodes run beside each other. What makes that right, under `READ COMMITTED`:
//!
//! - **Invariant 2.** Two uses of one id token meet in one row of `used_id_tokens`: its key is unique, so the second waits for
//!   the first to be committed or rolled back, and then finds the count as it is (`ON CONFLICT … WHERE exchanges < …`). The
//!   row and the record of the exchange are written by one transaction.
//! - **Forgetting.** A use could come in as the first one if another transaction forgot the row just now. Whoever forgets
//!   raises the horizon in the same statement, so both are committed together; and here the horizon is read once more in a
//!   statement after the use was written. If the row had been forgotten before, that statement sees the horizon that says
//!   so, and the batch is taken back. If it had not, the use met the row. The statement is the one that writes the batch's link.
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
use super::journal::Terms;
use super::session::Session;
use super::{issuers, publishers};
use crate::store::audit::ExchangeRow;
use crate::store::{Actor, Author, Exchange, Issuance, Outcome, StatusEntry, StoreError, Verdict};

/// Compares publishers with what was decided on, and holds them to it until the end of the transaction. The inner `SELECT` hides from
/// PostgreSQL's planner how many there are: it would make a plan for each batch, which takes three times as long as to run it.
pub(super) const LOCK_PUBLISHERS: &str = "SELECT id, revision, pending_until
     FROM unnest((SELECT $1::text[])) AS wanted (id) JOIN publishers USING (id) ORDER BY id FOR SHARE OF publishers";
/// Locks one publisher that the exchange will change.
pub(super) const LOCK_PUBLISHERS_ALONE: &str = "SELECT id, revision, pending_until
     FROM unnest((SELECT $1::text[])) AS wanted (id) JOIN publishers USING (id) ORDER BY id FOR UPDATE OF publishers";
/// Reads up to where id tokens may have been forgotten.
pub(super) const HORIZON: &str = "SELECT forgotten_until FROM replay_horizon";
/// Adds one use to each id token that has one left, and says to which. The transaction is told to how many. No id token may be there
/// twice.
pub(super) const USE_ID_TOKENS: &str = "WITH used AS (
         INSERT INTO used_id_tokens (id_token, exchanges, max_exchanges, forget_at)
         SELECT id_token, 1, max_exchanges, forget_at
         FROM unnest($1::bytea[], $2::bigint[], $3::bigint[]) AS new (id_token, max_exchanges, forget_at)
         WHERE current_setting('countersign.transaction', true) = 'open'
         ORDER BY id_token
         ON CONFLICT (id_token) DO UPDATE
             SET exchanges = used_id_tokens.exchanges + 1, max_exchanges = excluded.max_exchanges,
                 forget_at = greatest(used_id_tokens.forget_at, excluded.forget_at)
             WHERE used_id_tokens.exchanges < excluded.max_exchanges
         RETURNING id_token)
     SELECT id_token, told
     FROM used CROSS JOIN (SELECT set_config('countersign.uses', count(*)::text, true) AS told FROM used) AS uses";
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
         AS new (id, at, outcome, resource, issuer, subject, publisher, expires_at, status_list, status_index, detail)
     WHERE current_setting('countersign.transaction', true) = 'open'";

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

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Committed,
    /// Some had to be turned back for which it had done something.
    InVain,
}

/// Records exchanges, forgets up to `forget` id tokens, and commits.
pub(super) async fn record(
    mut session: Session,
    exchanges: &[&Exchange],
    locking: Locking,
    forget: usize,
) -> Result<Vec<Answer>, StoreError> {
    let foreseen = before_asking(exchanges, locking);
    let at_once = locking == Locking::Shared && session.foresees(issuances(exchanges, &foreseen));
    let ended = if at_once {
        record_at_once(&mut session, exchanges, forget, &foreseen).await
    } else {
        record_what_is_right(&mut session, exchanges, locking, forget, &foreseen).await
    };
    let (mut answers, ending) = match ended {
        Ok(ended) => ended,
        Err(error) => {
            if at_once {
                // Whatever it was: the next attempt asks first.
                session.expects(false);
            }
            session.abandon(&error).await;
            return Err(error);
        }
    };
    if locking == Locking::Shared && issuances(exchanges, &foreseen).next().is_some() {
        session.expects(is_as_foreseen(&foreseen, &answers));
    }
    if ending == Ending::Committed {
        if !at_once {
            // By now the issuers' rows are there for certain.
            session.has_seen(issuances(exchanges, &foreseen));
        }
        session.report(answers.iter().filter(|answer| matches!(answer, Answer::Verdict(_))).count());
        session.committed();
        return Ok(answers);
    }
    session.roll_back().await;
    for answer in answers.iter_mut().filter(|answer| **answer == RECORDED) {
        *answer = Answer::Again;
    }
    Ok(answers)
}

/// In one round trip, as if everything were as foreseen. If it is not, nothing is done.
async fn record_at_once(
    session: &mut Session,
    exchanges: &[&Exchange],
    forget: usize,
    foreseen: &[Answer],
) -> Result<(Vec<Answer>, Ending), StoreError> {
    let rows = Rows::of(recorded(exchanges, foreseen));
    rows.note_in(session);
    let (session, terms) = (&*session, rows.terms());
    let (examined, written) = tokio::join!(
        biased;
        examine(session, exchanges, Locking::Shared, foreseen),
        write(session, &rows, forget, &terms),
    );
    match (examined, written) {
        (Ok((answers, _)), Ok(())) if is_as_foreseen(foreseen, &answers) => Ok((answers, Ending::Committed)),
        // The link's terms were not what they should be. It is on record by now: no token must come of it.
        (_, Ok(())) => {
            Err(StoreError::Unavailable("a batch was recorded that had to be turned back".to_owned()))
        }
        (Ok((answers, _)), Err(StoreError::Database(error)))
            if error.is_race() && !is_as_foreseen(foreseen, &answers) =>
        {
            Ok((answers, Ending::InVain))
        }
        (Ok(_), Err(error)) => Err(error),
        (Err(error), Err(_)) => Err(session.of_commit(error)),
    }
}

/// Whether all are recorded that were to be. Whether those are turned back by now that were for the next batch does not matter.
fn is_as_foreseen(foreseen: &[Answer], answers: &[Answer]) -> bool {
    foreseen.iter().zip(answers).all(|(foreseen, answer)| *foreseen != RECORDED || *answer == RECORDED)
}

/// In two round trips: the second writes what is right after the first.
async fn record_what_is_right(
    session: &mut Session,
    exchanges: &[&Exchange],
    locking: Locking,
    forget: usize,
    foreseen: &[Answer],
) -> Result<(Vec<Answer>, Ending), StoreError> {
    let (answers, is_in_vain) = examine(session, exchanges, locking, foreseen).await?;
    if is_in_vain {
        return Ok((answers, Ending::InVain));
    }
    if let (Locking::Alone, [exchange]) = (locking, exchanges)
        && answers == [RECORDED]
    {
        change_publisher(session, exchange).await?;
    }
    let rows = Rows::of(recorded(exchanges, &answers));
    rows.note_in(session);
    // Everything else was looked at, and is locked.
    let terms = Terms { earliest: rows.earliest(), ..Terms::default() };
    write(session, &rows, forget, &terms).await?;
    Ok((answers, Ending::Committed))
}

/// Writes rows with their link, which has these terms, and commits.
async fn write(
    session: &Session,
    rows: &Rows<'_>,
    forget: usize,
    terms: &Terms<'_>,
) -> Result<(), StoreError> {
    // What is asked together with this comes first, also where it has to be prepared.
    session.all_sent().await;
    let (sealed, forgotten, counted, inserted, committed) = tokio::join!(
        biased;
        // Before anything is forgotten by this very batch.
        session.seal(terms),
        forget_id_tokens(session, rows.latest(), forget),
        count_uses(session, rows.issued()),
        rows.insert(session),
        session.send_commit(),
    );
    // The first that failed is why the others did.
    sealed.and(forgotten).and(counted).and(inserted).and(committed).map_err(|error| session.of_commit(error))
}

/// Opens the transaction, locks what the exchanges rest on, uses their id tokens, and answers those that come to nothing; the
/// others are to be recorded. Says, too, whether an id token is used for one that is turned back: then the transaction must not be
/// committed.
async fn examine(
    session: &Session,
    exchanges: &[&Exchange],
    locking: Locking,
    foreseen: &[Answer],
) -> Result<(Vec<Answer>, bool), StoreError> {
    let mut answers = foreseen.to_vec();
    let uses: Vec<&Issuance> = recorded(exchanges, foreseen).filter_map(|(_, issuance)| issuance).collect();
    if uses.is_empty() {
        session.open().await?;
        return Ok((answers, false));
    }
    let urls: BTreeSet<&str> =
        issuances(exchanges, foreseen).map(|issuance| issuance.issuer.as_str()).collect();
    let urls: Vec<&str> = urls.into_iter().collect();
    let ids: BTreeSet<&str> =
        issuances(exchanges, foreseen).map(|issuance| issuance.publisher.as_str()).collect();
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
    Ok((answers, is_in_vain))
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
    issued: impl Iterator<Item = (&Exchange, &Issuance)>,
) -> Result<(), StoreError> {
    let mut uses: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for (exchange, issuance) in issued {
        let (last, count) = uses.entry(issuance.publisher.as_str()).or_default();
        *last = (*last).max(exchange.at.as_seconds());
        *count += 1;
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

/// What is asked about: of those that are for the next batch, too. If they have to be turned back then, they are at once.
fn issuances<'a>(exchanges: &'a [&'a Exchange], answers: &'a [Answer]) -> impl Iterator<Item = &'a Issuance> {
    let asked = exchanges.iter().zip(answers).filter(|(_, answer)| **answer != Answer::Alone);
    asked.filter_map(|(exchange, _)| issuance(exchange))
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

    /// Those that issue something, with what they issue.
    fn issued(&self) -> impl Iterator<Item = (&'a Exchange, &'a Issuance)> {
        self.rows.iter().filter_map(|(exchange, issuance, _)| issuance.map(|issuance| (*exchange, issuance)))
    }

    /// When the last of them was decided. A node whose clock is far ahead finds all id tokens expired and refuses them: it must
    /// not forget them, too, so refusals say nothing here.
    fn latest(&self) -> Option<i64> {
        self.issued().map(|(exchange, _)| exchange.at.as_seconds()).max()
    }

    /// When the first of their id tokens may be forgotten.
    fn earliest(&self) -> Option<i64> {
        self.issued().map(|(_, issuance)| issuance.forget_at.as_seconds()).min()
    }

    /// What has to be so for all of them to be recorded.
    fn terms(&self) -> Terms<'a> {
        let publishers: BTreeSet<(&str, i64)> =
            self.issued().map(|(_, issuance)| (issuance.publisher.as_str(), issuance.revision.0)).collect();
        let issuers: BTreeSet<&str> = self.issued().map(|(_, issuance)| issuance.issuer.as_str()).collect();
        let uses = self.issued().count();
        Terms {
            earliest: self.earliest(),
            uses: (uses > 0).then(|| uses.to_string()),
            publishers: publishers.into_iter().collect(),
            issuers: issuers.into_iter().collect(),
        }
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
