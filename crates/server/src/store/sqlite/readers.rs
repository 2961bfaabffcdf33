//! Connections that read.

use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::file::OpenFile;
use crate::store::StoreError;

/// Queries at once: more would only open more connections to the same disk.
pub(super) const READERS: usize = 4;
/// Of lists and searches, which can take long: exchanges do not wait for them.
pub(super) const SEARCHERS: usize = 2;

/// Opens connections as they are needed, and keeps them.
pub(super) struct Readers {
    file: OpenFile,
    idle: Mutex<Vec<Connection>>,
    pub(super) reading: Arc<Semaphore>,
    pub(super) searching: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn new(file: OpenFile) -> Self {
        Self {
            file,
            idle: Mutex::default(),
            reading: Arc::new(Semaphore::new(READERS)),
            searching: Arc::new(Semaphore::new(SEARCHERS)),
        }
    }

    /// Runs a query on a connection of its own, away from the async threads.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read_among(&self.reading, query).await
    }

    /// The same for what can take long: only so many at once, and nobody else waits for them.
    pub(super) async fn search<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.read_among(&self.searching, query).await
    }

    async fn read_among<T: Send + 'static>(
        &self,
        places: &Arc<Semaphore>,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = Arc::clone(places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let idle = self.idle.lock().map_err(|_| StoreError::Closed)?.pop();
        let file = self.file.clone();
        let work = move || {
            let connection = idle.map_or_else(|| file.reader(), Ok)?;
            file.check()?;
            let answer = query(&connection);
            // Held until here, also if whoever asked has gone meanwhile.
            drop(permit);
            Ok::<_, StoreError>((connection, answer))
        };
        let (connection, answer) =
            tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)??;
        self.idle.lock().map_err(|_| StoreError::Closed)?.push(connection);
        answer
    }
}
