//! The embedded store: one SQLite file in WAL mode, one thread that writes, connections that read.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use countersign_core::publisher::{PublisherId, PublisherState};
use countersign_core::{IssuerUrl, Publisher, Resource, UnixTime};
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, oneshot};

mod admin_tokens;
mod exchanges;
mod keys;
mod publishers;
mod schema;
mod writer;

use super::{Exchange, ExchangeId, ListedPublisher, RecordedExchange, SealedKey, Store, StoreError, Verdict};
use crate::admin::AdminToken;
use writer::{Job, Writer};

/// SQLite behind [`Store`]. Durable when it answers: `synchronous = FULL`.
pub struct SqliteStore {
    path: PathBuf,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
    reading: Arc<Semaphore>,
}

/// Queries at once: more would only open more connections to the same disk.
const READERS: usize = 4;
/// How long an exchange waits to be recorded.
const PATIENCE: Duration = Duration::from_secs(10);

impl SqliteStore {
    /// Opens a file that is there already.
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        if path.exists() {
            Self::open(path)
        } else {
            Err(StoreError::Missing { path: path.display().to_string() })
        }
    }

    /// Opens the file, makes it if there is none (readable by its owner only), and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: path.display().to_string(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            create_private_folder(folder).map_err(failed)?;
        }
        create_private_file(path).map_err(failed)?;
        // Of processes that start at once, one sets the file up and the others wait.
        let lock = create_private_file(&path.with_extension("lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut connection = Connection::open(path)?;
        schema::prepare(&mut connection)?;
        drop(lock);
        Ok(Self {
            path: path.to_owned(),
            writer: Writer::start(connection)?,
            readers: Mutex::default(),
            reading: Arc::new(Semaphore::new(READERS)),
        })
    }

    /// Runs a query on a connection of its own, away from the async threads.
    async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(&self.reading).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let idle = self.readers.lock().map_err(|_| StoreError::Closed)?.pop();
        let path = self.path.clone();
        let work = move || {
            let connection = idle.map_or_else(|| open_reader(&path), Ok)?;
            let answer = query(&connection);
            // Held until here, also if whoever asked has gone meanwhile.
            drop(permit);
            Ok::<_, StoreError>((connection, answer))
        };
        let (connection, answer) =
            tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)??;
        self.readers.lock().map_err(|_| StoreError::Closed)?.push(connection);
        answer
    }

    /// Runs a change in a transaction of its own on the writing thread.
    async fn write<T: Send + 'static>(
        &self,
        change: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::change(move |transaction| {
            let result = transaction.and_then(|transaction| {
                let value = change(&transaction)?;
                transaction.commit()?;
                Ok(value)
            });
            // Whoever asked may have gone; the change stands all the same.
            drop(reply.send(result));
        });
        self.writer.submit(job)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(schema::BUSY_TIMEOUT)?;
    Ok(connection)
}

fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// SQLite gives its side files the mode of the database, so this decides for all of them.
fn create_private_file(path: &Path) -> std::io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[async_trait]
impl Store for SqliteStore {
    async fn publishers_of(
        &self,
        resource: &Resource,
        issuer: &IssuerUrl,
    ) -> Result<Vec<Publisher>, StoreError> {
        let (resource, issuer) = (resource.to_string(), issuer.to_string());
        self.read(move |connection| publishers::of(connection, &resource, &issuer)).await
    }

    async fn list_publishers(&self, resource: Option<&Resource>) -> Result<Vec<ListedPublisher>, StoreError> {
        let resource = resource.map(ToString::to_string);
        self.read(move |connection| publishers::list(connection, resource.as_deref())).await
    }

    async fn add_publisher(&self, publisher: Publisher, at: UnixTime) -> Result<(), StoreError> {
        self.write(move |transaction| publishers::add(transaction, &publisher, at)).await
    }

    async fn set_publisher_state(
        &self,
        id: &PublisherId,
        state: PublisherState,
        at: UnixTime,
    ) -> Result<Option<Publisher>, StoreError> {
        let id = id.clone();
        self.write(move |transaction| publishers::set_state(transaction, &id, state, at)).await
    }

    async fn remove_publisher(&self, id: &PublisherId, at: UnixTime) -> Result<Option<String>, StoreError> {
        let id = id.clone();
        self.write(move |transaction| publishers::remove(transaction, &id, at)).await
    }

    async fn record(&self, exchange: Exchange) -> Result<Verdict, StoreError> {
        let (reply, verdict) = oneshot::channel();
        self.writer.submit(Job::record(exchange, reply))?;
        // When the wait is over, `verdict` is dropped, and the writer passes the exchange over.
        tokio::time::timeout(PATIENCE, verdict)
            .await
            .map_err(|_| StoreError::Overloaded)?
            .map_err(|_| StoreError::Closed)?
    }

    async fn is_live(&self, token: &ExchangeId) -> Result<bool, StoreError> {
        let id = token.0.clone();
        self.read(move |connection| exchanges::is_live(connection, &id)).await
    }

    async fn revoke_token(&self, token: &ExchangeId, at: UnixTime) -> Result<bool, StoreError> {
        let id = token.0.clone();
        self.write(move |transaction| exchanges::revoke(transaction, &id, at)).await
    }

    async fn add_admin_token(&self, token: AdminToken) -> Result<(), StoreError> {
        self.write(move |transaction| admin_tokens::add(transaction, &token)).await
    }

    async fn admin_tokens(&self) -> Result<Vec<AdminToken>, StoreError> {
        self.read(admin_tokens::list).await
    }

    async fn use_admin_token(
        &self,
        hash: &[u8; 32],
        now: UnixTime,
    ) -> Result<Option<AdminToken>, StoreError> {
        let hash = *hash;
        let Some(token) = self.read(move |connection| admin_tokens::find(connection, &hash, now)).await?
        else {
            return Ok(None);
        };
        if admin_tokens::is_news(&token, now) {
            let id = token.id.clone();
            self.write(move |transaction| admin_tokens::note_use(transaction, &id, now)).await?;
        }
        Ok(Some(token))
    }

    async fn remove_admin_token(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.write(move |transaction| admin_tokens::remove(transaction, &id)).await
    }

    async fn latest_exchanges(&self, limit: u32) -> Result<Vec<RecordedExchange>, StoreError> {
        self.read(move |connection| exchanges::latest(connection, limit)).await
    }

    async fn signing_keys(&self) -> Result<Vec<SealedKey>, StoreError> {
        self.read(keys::all).await
    }

    async fn add_signing_key(&self, key: SealedKey, last: Option<&str>) -> Result<bool, StoreError> {
        let last = last.map(str::to_owned);
        self.write(move |transaction| keys::add(transaction, &key, last.as_deref())).await
    }

    async fn revoke_signing_key(&self, kid: &str, at: UnixTime) -> Result<bool, StoreError> {
        let kid = kid.to_owned();
        self.write(move |transaction| keys::revoke(transaction, &kid, at)).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.write(|transaction| Ok(transaction.execute("UPDATE health SET checks = checks + 1", [])?))
            .await
            .map(drop)
    }
}
