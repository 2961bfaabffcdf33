//! The store for several nodes: a PostgreSQL database, and servers that keep nothing to themselves.

use std::sync::Arc;

use async_trait::async_trait;
use countersign_core::publisher::PublisherId;
use countersign_core::{IssuerUrl, Publisher, Resource, UnixTime};
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

mod admin_tokens;
mod audit;
mod batch;
mod chains;
mod changes;
mod conditions;
mod connections;
pub(super) mod copying;
mod exchanges;
mod hosts;
mod idempotency;
mod issuers;
mod journal;
mod keys;
mod publishers;
mod recorder;
mod schema;
mod search;
mod session;
mod tls;
mod uses;

use super::audit::{ChainBreak, ChainHead, Verified};
use super::batches::BatchObserver;
use super::database_error::{DatabaseError, Fault};
use super::{
    Author, Change, ChangeFilter, Conflict, Exchange, ExchangeFilter, ExchangeId, IdTokenKey, IdempotencyKey,
    ListedPublisher, LiveTokens, Page, Part, PublisherChange, PublisherFilter, RecordedExchange, SealedKey,
    Store, StoreError, StoredIssuer, Switch, Verdict,
};
use crate::admin::AdminToken;
use crate::config::PostgresSettings;
use connections::settled;
use recorder::Recorder;
use session::{Database, Session};
use uses::{SeenUses, Use, UseCounts};

/// PostgreSQL behind [`Store`]. Durable when it answers: `synchronous_commit = on`.
pub struct PostgresStore {
    database: Arc<Database>,
    recorder: Recorder,
    seen: SeenUses,
    counts: UseCounts,
}

/// What one call of `tidy` removes of each kind at most.
const TIDY: u32 = 100;
/// How often a change is made again that another transaction got in the way of.
const ATTEMPTS: usize = 10;
/// How often it is made again because the connection was of no use: the server was started anew, or is not there.
const CONNECTIONS: usize = 3;
/// Shows that the database can be written to.
const CHECK: &str = "UPDATE health SET checks = checks + 1";

/// Why a transaction is rolled back.
enum Stop {
    Conflict(Conflict),
    Store(StoreError),
}

impl<E: Into<StoreError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Store(error.into())
    }
}

/// Another transaction was in the way.
fn race(what: &str) -> StoreError {
    StoreError::Database(DatabaseError::new(what, Fault::Race))
}

impl PostgresStore {
    /// Connects, and makes sure that this version can use the schema; brings it up to date first if the settings say so.
    pub async fn open(settings: &PostgresSettings) -> Result<Self, StoreError> {
        let database = Arc::new(Database::new(settings)?);
        if settings.migrate {
            schema::migrate(&database).await?;
        }
        schema::check(&database).await?;
        Ok(Self {
            recorder: Recorder::start(Arc::clone(&database)),
            seen: SeenUses::default(),
            counts: UseCounts::start(Arc::clone(&database)),
            database,
        })
    }

    /// Brings the schema up to date, which makes it in an empty database. Returns the versions before and after.
    pub async fn migrate(settings: &PostgresSettings) -> Result<(i64, i64), StoreError> {
        schema::migrate(&Arc::new(Database::new(settings)?)).await
    }

    /// Makes a change in a transaction of its own, and puts it on record. An error of `work` leaves neither. Made again from
    /// the beginning where another transaction was in the way.
    async fn change<T, Working>(
        &self,
        author: &Author,
        work: impl Fn(Session) -> Working,
    ) -> Result<Result<T, Conflict>, StoreError>
    where
        Working: Future<Output = (Result<T, Stop>, Session)>,
    {
        for attempt in 1.. {
            // The session is handed over and back: a closure that borrows it could not be sent between threads.
            let ended = match Session::begin(&self.database, author.at).await {
                Ok(session) => {
                    let (made, session) = work(session).await;
                    session.finish(made).await
                }
                Err(error) => Err(error),
            };
            match ended {
                Ok(made) => return Ok(made),
                Err(StoreError::Database(error)) if error.is_race() && attempt < ATTEMPTS => {}
                Err(StoreError::Database(error)) if error.is_passing() && attempt < CONNECTIONS => {}
                Err(error) => return Err(error),
            }
        }
        Err(StoreError::Overloaded)
    }

    /// The same for a change that conflicts with nothing.
    async fn simply<T, Working>(
        &self,
        author: &Author,
        work: impl Fn(Session) -> Working,
    ) -> Result<T, StoreError>
    where
        Working: Future<Output = (Result<T, StoreError>, Session)>,
    {
        let work = |session| {
            let working = work(session);
            async move {
                let (made, session) = working.await;
                (made.map_err(Stop::Store), session)
            }
        };
        let made = self.change(author, work).await?;
        made.map_err(|conflict| StoreError::unreadable(format!("{conflict:?}")))
    }
}

impl Database {
    /// The rows of a query outside transactions.
    async fn query(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let client = connections::connection(&self.pool).await?;
        let answer = timeout(self.patience, async {
            let statement = client.prepare_cached(statement).await?;
            client.query(&statement, values).await
        });
        let answer = answer.await;
        settled(client, answer)
    }

    /// The same for a statement that is put together, and may never come again.
    async fn query_once(
        &self,
        statement: &str,
        values: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        let client = connections::connection(&self.pool).await?;
        let answer = timeout(self.patience, client.query(statement, values)).await;
        settled(client, answer)
    }

    /// How many rows a statement outside transactions changed.
    async fn execute(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<u64, StoreError> {
        let client = connections::connection(&self.pool).await?;
        let answer = timeout(self.patience, async {
            let statement = client.prepare_cached(statement).await?;
            client.execute(&statement, values).await
        });
        let answer = answer.await;
        settled(client, answer)
    }
}

#[async_trait]
impl Store for PostgresStore {
    async fn publishers_of(
        &self,
        resource: &Resource,
        issuer: &IssuerUrl,
        now: UnixTime,
    ) -> Result<Vec<Publisher>, StoreError> {
        publishers::of(&self.database, &resource.to_string(), issuer.as_str(), now).await
    }

    async fn publisher(&self, id: &PublisherId) -> Result<Option<ListedPublisher>, StoreError> {
        publishers::one(&self.database, id).await
    }

    async fn publishers(
        &self,
        filter: &PublisherFilter,
        page: &Page,
    ) -> Result<Part<ListedPublisher>, StoreError> {
        publishers::list(&self.database, filter, page).await
    }

    async fn change_publishers(
        &self,
        changes: Vec<PublisherChange>,
        author: &Author,
        once: Option<IdempotencyKey>,
    ) -> Result<Result<Vec<ListedPublisher>, Conflict>, StoreError> {
        let (changes, once) = (changes.as_slice(), once.as_ref());
        self.change(author, |mut session| async move {
            (changes::make(&mut session, author, changes, once).await, session)
        })
        .await
    }

    async fn repeated(
        &self,
        author: &Author,
        once: &IdempotencyKey,
    ) -> Result<Option<Result<Vec<ListedPublisher>, Conflict>>, StoreError> {
        idempotency::repeated(&self.database, author, once).await
    }

    async fn record(&self, exchange: Exchange) -> Result<Verdict, StoreError> {
        let asked = Use::of(&exchange);
        let verdict = self.recorder.record(exchange).await?;
        if let Some(asked) = asked {
            self.seen.note(asked, verdict);
        }
        Ok(verdict)
    }

    fn known_uses_of(&self, id_token: &IdTokenKey, now: UnixTime) -> u32 {
        self.seen.count(id_token, now)
    }

    async fn uses_of(&self, id_token: &IdTokenKey) -> Result<u32, StoreError> {
        self.counts.of(*id_token).await
    }

    async fn exchange(&self, id: &ExchangeId) -> Result<Option<RecordedExchange>, StoreError> {
        search::one(&self.database, &id.0).await
    }

    async fn exchanges(
        &self,
        filter: &ExchangeFilter,
        page: &Page,
    ) -> Result<Part<RecordedExchange>, StoreError> {
        search::all(&self.database, filter, page).await
    }

    async fn is_live(&self, token: &ExchangeId) -> Result<bool, StoreError> {
        exchanges::is_live(&self.database, &token.0).await
    }

    async fn revoke_token(&self, token: &ExchangeId, author: &Author) -> Result<bool, StoreError> {
        self.simply(author, |mut session| async move {
            (exchanges::revoke(&mut session, author, token).await, session)
        })
        .await
    }

    async fn count_live(&self, from: &ExchangeId, at: UnixTime) -> Result<LiveTokens, StoreError> {
        exchanges::count_live(&self.database, &from.0, at).await
    }

    async fn revoked_in(&self, status_list: &str) -> Result<Vec<u32>, StoreError> {
        exchanges::revoked_in(&self.database, status_list).await
    }

    async fn add_admin_token(&self, token: AdminToken, author: &Author) -> Result<(), StoreError> {
        let token = &token;
        self.simply(author, |mut session| async move {
            (admin_tokens::add(&mut session, author, token).await, session)
        })
        .await
    }

    async fn admin_tokens(&self) -> Result<Vec<AdminToken>, StoreError> {
        admin_tokens::list(&self.database).await
    }

    async fn use_admin_token(
        &self,
        hash: &[u8; 32],
        now: UnixTime,
    ) -> Result<Option<AdminToken>, StoreError> {
        let found = admin_tokens::find(&self.database, hash, now).await?;
        if let Some(token) = found.as_ref().filter(|token| token.use_is_news(now)) {
            admin_tokens::note_use(&self.database, &token.id, now).await?;
        }
        Ok(found)
    }

    async fn remove_admin_token(&self, id: &str, author: &Author) -> Result<bool, StoreError> {
        self.simply(author, |mut session| async move {
            (admin_tokens::remove(&mut session, author, id).await, session)
        })
        .await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        keys::all(&self.database).await
    }

    async fn add_signing_key(
        &self,
        key: SealedKey,
        last: Option<&str>,
        author: &Author,
    ) -> Result<bool, StoreError> {
        let key = &key;
        self.simply(author, |mut session| async move {
            (keys::add(&mut session, author, key, last).await, session)
        })
        .await
    }

    async fn revoke_signing_key(&self, kid: &str, author: &Author) -> Result<bool, StoreError> {
        self.simply(
            author,
            |mut session| async move { (keys::revoke(&mut session, author, kid).await, session) },
        )
        .await
    }

    async fn issuers(&self) -> Result<Vec<StoredIssuer>, StoreError> {
        issuers::all(&self.database).await
    }

    async fn add_issuer(&self, issuer: StoredIssuer, author: &Author) -> Result<bool, StoreError> {
        let issuer = &issuer;
        self.simply(author, |mut session| async move {
            (issuers::add(&mut session, author, issuer).await, session)
        })
        .await
    }

    async fn remove_issuer(&self, url: &IssuerUrl, author: &Author) -> Result<bool, StoreError> {
        self.simply(author, |mut session| async move {
            (issuers::remove(&mut session, author, url).await, session)
        })
        .await
    }

    async fn switch_issuer(
        &self,
        url: &IssuerUrl,
        switch: Switch,
        author: &Author,
    ) -> Result<bool, StoreError> {
        self.simply(author, |mut session| async move {
            (issuers::switch(&mut session, author, url, switch).await, session)
        })
        .await
    }

    async fn changes(&self, filter: &ChangeFilter, page: &Page) -> Result<Part<Change>, StoreError> {
        audit::changes(&self.database, filter, page).await
    }

    async fn verify_audit_log(
        &self,
        noted: Vec<ChainHead>,
    ) -> Result<Result<Verified, ChainBreak>, StoreError> {
        audit::verify(&self.database, noted).await
    }

    async fn tidy(&self, author: &Author, keep_since: Option<UnixTime>) -> Result<bool, StoreError> {
        let remove = |mut session| async move {
            let removed = async {
                let forgotten = idempotency::forget(&session, author, TIDY).await?;
                let expired = changes::remove_expired(&mut session, author, TIDY).await?;
                Ok(forgotten == u64::from(TIDY) || expired == TIDY)
            };
            (removed.await, session)
        };
        let there_is_more = self.simply(author, remove).await?;
        let pruned = match keep_since {
            Some(since) => audit::prune(&self.database, author, since).await?,
            None => false,
        };
        Ok(there_is_more || pruned)
    }

    fn watch_batches(&self, observer: BatchObserver) {
        self.database.batches.watch(observer);
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.database.execute(CHECK, &[]).await.map(drop)
    }
}
