//! How often id tokens were used: what this node has seen, and what the database says. For those who are refused; whoever uses an id
//! token asks [the ledger](super::batch).

use std::collections::HashMap;
use std::sync::Arc;

use countersign_core::UnixTime;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::connections::column;
use super::session::Database;
use crate::pace::Pace;
use crate::store::{Exchange, IdTokenKey, Outcome, StoreError, Verdict};

/// Says how often id tokens were used.
pub(super) const USES_OF: &str = "SELECT id_token, exchanges
     FROM unnest((SELECT $1::bytea[])) AS wanted (id_token) JOIN used_id_tokens USING (id_token)";

/// Id tokens whose uses are remembered.
const REMEMBERED: usize = 50_000;
/// Questions that one read answers at most.
const AT_ONCE: usize = 256;
/// Questions that may wait; beyond that a server is overloaded and says so at once.
const QUEUE: usize = 4096;
/// Reads at once: where a connection hangs, the others go on.
const READS: usize = 4;

/// What this node has seen of id tokens.
pub(super) struct SeenUses(Cache<IdTokenKey, Seen>);

/// What there is to see of one.
#[derive(Clone, Copy, Default)]
struct Seen {
    /// So many exchanges with it were recorded here.
    recorded: u32,
    /// So many may have been recorded anywhere, and none was left.
    none_left_of: u32,
    /// Until when it is good.
    forget_at: i64,
}

/// A use of an id token that an exchange asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Use {
    id_token: IdTokenKey,
    max_exchanges: u32,
    at: i64,
    forget_at: i64,
}

impl Use {
    /// What the exchange uses, if it issues something.
    pub(super) fn of(exchange: &Exchange) -> Option<Self> {
        let Outcome::Issued(issuance) = &exchange.outcome else { return None };
        Some(Self {
            id_token: issuance.id_token,
            max_exchanges: issuance.max_exchanges,
            at: exchange.at.as_seconds(),
            forget_at: issuance.forget_at.as_seconds(),
        })
    }
}

impl Default for SeenUses {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl SeenUses {
    /// What the ledger said of a use. What is noted of one id token at the same time, or in another order than it happened in, may count
    /// for less than it was, never for more.
    pub(super) fn note(&self, one: Use, verdict: Verdict) {
        let seen = self.of(&one.id_token, one.at);
        let seen = match verdict {
            Verdict::Recorded => Seen { recorded: seen.recorded.saturating_add(1), ..seen },
            Verdict::Replayed => Seen { none_left_of: seen.none_left_of.max(one.max_exchanges), ..seen },
            Verdict::PublisherChanged | Verdict::IssuerDisabled | Verdict::TooLate => return,
        };
        self.0.insert(one.id_token, Seen { forget_at: seen.forget_at.max(one.forget_at), ..seen });
    }

    /// How often it was used at least.
    pub(super) fn count(&self, id_token: &IdTokenKey, now: UnixTime) -> u32 {
        let seen = self.of(id_token, now.as_seconds());
        seen.recorded.max(seen.none_left_of)
    }

    /// What was seen of it, unless that was another of the same name, which has ended.
    fn of(&self, id_token: &IdTokenKey, now: i64) -> Seen {
        self.0.get(id_token).filter(|seen| seen.forget_at >= now).unwrap_or_default()
    }
}

/// Asks the database, once for all who want to know.
pub(super) struct UseCounts {
    questions: mpsc::Sender<Question>,
}

struct Question {
    id_token: IdTokenKey,
    reply: oneshot::Sender<Result<u32, StoreError>>,
}

impl UseCounts {
    pub(super) fn start(database: Arc<Database>) -> Self {
        let (questions, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(database, queue));
        Self { questions }
    }

    /// How often it was used, as the database has it now.
    pub(super) async fn of(&self, id_token: IdTokenKey) -> Result<u32, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.questions.try_send(Question { id_token, reply })?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

async fn run(database: Arc<Database>, mut queue: mpsc::Receiver<Question>) {
    let (reads, mut pace) = (Arc::new(Semaphore::new(READS)), Pace::default());
    while let Some(first) = queue.recv().await {
        let Ok(read) = Arc::clone(&reads).acquire_owned().await else { return };
        pace.step().await;
        let mut questions = vec![first];
        while questions.len() < AT_ONCE
            && let Ok(next) = queue.try_recv()
        {
            questions.push(next);
        }
        let database = Arc::clone(&database);
        tokio::spawn(async move {
            answer(&database, questions).await;
            drop(read);
        });
    }
}

/// One read for all of them. The database is given up on in time, so none waits for ever; whoever has gone is passed over.
async fn answer(database: &Database, mut questions: Vec<Question>) {
    questions.retain(|question| !question.reply.is_closed());
    if questions.is_empty() {
        return;
    }
    let answers = read(database, &questions).await;
    for Question { id_token, reply } in questions {
        let answer = match &answers {
            Ok(uses) => Ok(uses.get(&id_token).copied().unwrap_or_default()),
            Err(StoreError::Overloaded) => Err(StoreError::Overloaded),
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        };
        drop(reply.send(answer));
    }
}

async fn read(database: &Database, questions: &[Question]) -> Result<HashMap<IdTokenKey, u32>, StoreError> {
    let wanted: Vec<&[u8]> = questions.iter().map(|asked| asked.id_token.as_bytes().as_slice()).collect();
    let rows = database.query(USES_OF, &[&wanted]).await?;
    let uses = rows.iter().map(|row| {
        let id_token = <[u8; 16]>::try_from(column::<&[u8]>(row, 0)?).map_err(StoreError::unreadable)?;
        // A number that is none is no reason to explain anything.
        let uses = u32::try_from(column::<i64>(row, 1)?).unwrap_or(u32::MAX);
        Ok((IdTokenKey::from_bytes(id_token), uses))
    });
    uses.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, Database as Settings};

    fn key(number: u8) -> IdTokenKey {
        IdTokenKey::from_bytes([number; 16])
    }

    fn one_use(max_exchanges: u32) -> Use {
        Use { id_token: key(1), max_exchanges, at: 0, forget_at: 300 }
    }

    fn after(notes: &[(u32, Verdict)]) -> u32 {
        let seen = SeenUses::default();
        for (max_exchanges, verdict) in notes {
            seen.note(one_use(*max_exchanges), *verdict);
        }
        assert_eq!(seen.count(&key(2), UnixTime::from_seconds(0)), 0, "another");
        seen.count(&key(1), UnixTime::from_seconds(300))
    }

    #[test]
    fn e1_what_a_node_saw_of_an_id_token_is_never_more_than_was() {
        use Verdict::{IssuerDisabled, PublisherChanged, Recorded, Replayed, TooLate};
        assert_eq!(after(&[]), 0);
        assert_eq!(after(&[(3, Recorded), (3, Recorded)]), 2);
        assert_eq!(after(&[(3, Replayed)]), 3, "others used it");
        assert_eq!(after(&[(1, Recorded), (1, Replayed)]), 1);
        assert_eq!(after(&[(1, Replayed), (1, Recorded)]), 1, "noted in another order");
        assert_eq!(after(&[(2, Replayed), (1, Replayed)]), 2);
        assert_eq!(after(&[(1, PublisherChanged), (1, IssuerDisabled), (1, TooLate)]), 0);
    }

    #[test]
    fn an_id_token_that_has_ended_says_nothing_of_another_of_its_name() {
        let seen = SeenUses::default();
        seen.note(one_use(2), Verdict::Recorded);
        assert_eq!(seen.count(&key(1), UnixTime::from_seconds(301)), 0);
        seen.note(Use { at: 400, forget_at: 700, ..one_use(2) }, Verdict::Recorded);
        assert_eq!(seen.count(&key(1), UnixTime::from_seconds(400)), 1);
    }

    #[tokio::test]
    async fn all_who_ask_are_told_that_the_database_is_not_there() {
        let text =
            "public_url = 'https://trust.example.com'\ndatabase = 'postgres://somebody@127.0.0.1:1/none'";
        let config = Config::parse(text, Path::new("countersign.toml")).unwrap();
        let Settings::Postgres(settings) = &config.database else { panic!() };
        let counts = UseCounts::start(Arc::new(Database::new(settings).unwrap()));
        let (one, other) = tokio::join!(counts.of(key(1)), counts.of(key(2)));
        for answer in [one, other] {
            assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        }
    }
}
