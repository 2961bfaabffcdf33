//! How often id tokens were used: what this node has seen, and what the database says. For those who are refused; whoever uses an id
//! token asks [the ledger](super::batch).

use std::sync::Arc;

use quick_cache::sync::Cache;
use tokio::sync::{mpsc, oneshot};

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

/// Knows some, and asks for others.
pub(super) struct Uses {
    seen: Cache<IdTokenKey, u32>,
    questions: mpsc::Sender<Question>,
}

struct Question {
    id_token: IdTokenKey,
    reply: oneshot::Sender<Result<u32, StoreError>>,
}

/// An id token that an exchange is about to use, and how often that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    id_token: IdTokenKey,
    max_exchanges: u32,
}

impl Use {
    /// What the exchange uses, if it issues something.
    pub(super) fn of(exchange: &Exchange) -> Option<Self> {
        match &exchange.outcome {
            Outcome::Issued(issuance) => {
                Some(Self { id_token: issuance.id_token, max_exchanges: issuance.max_exchanges })
            }
            Outcome::Refused(_) => None,
        }
    }
}

impl Uses {
    /// Has seen nothing yet.
    pub(super) fn start(database: Arc<Database>) -> Self {
        let (questions, queue) = mpsc::channel(QUEUE);
        tokio::spawn(run(database, queue));
        Self { seen: Cache::new(REMEMBERED), questions }
    }

    /// What the ledger said of a use.
    pub(super) fn note(&self, Use { id_token, max_exchanges }: Use, verdict: Verdict) {
        // Two at once may count as one here: it is never too many.
        match verdict {
            Verdict::Recorded => self.seen.insert(id_token, self.seen(&id_token) + 1),
            Verdict::Replayed => self.seen.insert(id_token, self.seen(&id_token).max(max_exchanges)),
            Verdict::PublisherChanged | Verdict::IssuerDisabled | Verdict::TooLate => {}
        }
    }

    /// How often it was used at least.
    pub(super) fn seen(&self, id_token: &IdTokenKey) -> u32 {
        self.seen.get(id_token).unwrap_or_default()
    }

    /// How often it was used, as the database has it now.
    pub(super) async fn ask(&self, id_token: IdTokenKey) -> Result<u32, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.questions.try_send(Question { id_token, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

/// One read for all who wait. The database is given up on in time, so none waits for ever.
async fn run(database: Arc<Database>, mut queue: mpsc::Receiver<Question>) {
    let (mut questions, mut pace) = (Vec::new(), Pace::default());
    while let Some(first) = queue.recv().await {
        pace.step().await;
        questions.push(first);
        while questions.len() < AT_ONCE
            && let Ok(next) = queue.try_recv()
        {
            questions.push(next);
        }
        let answers = read(&database, &questions).await;
        for Question { id_token, reply } in questions.drain(..) {
            let answer = match &answers {
                Ok(uses) => Ok(uses.iter().find(|(of, _)| *of == id_token).map_or(0, |(_, uses)| *uses)),
                Err(error) => Err(StoreError::Unavailable(error.to_string())),
            };
            // Whoever asked may have gone.
            drop(reply.send(answer));
        }
    }
}

async fn read(database: &Database, questions: &[Question]) -> Result<Vec<(IdTokenKey, u32)>, StoreError> {
    let mut wanted: Vec<&[u8]> = questions.iter().map(|asked| asked.id_token.as_bytes().as_slice()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let rows = database.query(USES_OF, &[&wanted]).await?;
    let uses = rows.iter().map(|row| {
        let id_token = <[u8; 16]>::try_from(column::<&[u8]>(row, 0)?).map_err(StoreError::unreadable)?;
        let exchanges = u32::try_from(column::<i64>(row, 1)?).map_err(StoreError::unreadable)?;
        Ok((IdTokenKey::from_bytes(id_token), exchanges))
    });
    uses.collect()
}
