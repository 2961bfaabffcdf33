//! Moving what was written from SQLite's log into the file of the database, beside the writing.
//!
//! By itself SQLite does that within the commit that makes the log too long, and everybody waits: for thousands of pages, and
//! for the flush of a file that was changed all over. Here a thread of its own moves them while others write, and flushes
//! the file; the writer moves only the few that were added meanwhile, and begins the log anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::file::OpenFile;
use crate::store::StoreError;

/// Pages in the log at which moving begins. With more, a page that is often written goes to the file fewer times; with less, those who
/// share a core with the moving wait for less of it, and recovery is faster.
const LONG: u32 = 1_000;
/// Commits between two looks at the log.
const LOOK_EVERY: u32 = 8;

/// The thread that moves pages. It ends when this is dropped.
pub(super) struct Checkpoints {
    begin: Option<SyncSender<()>>,
    /// Whether the thread has been asked and is not done.
    is_moving: Arc<AtomicBool>,
    /// Whether it was asked since the log was begun.
    was_asked: bool,
    commits: u32,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    /// For the database in that file.
    pub(super) fn start(file: OpenFile) -> Result<Self, StoreError> {
        let connection = file.writer()?;
        let (begin, asked) = sync_channel(1);
        let is_moving = Arc::new(AtomicBool::new(false));
        let moving = Arc::clone(&is_moving);
        let thread = std::thread::Builder::new()
            .name("checkpoint".to_owned())
            .spawn(move || run(&connection, &file, &asked, &moving))
            .map_err(|source| StoreError::Open { path: "the checkpoint's thread".to_owned(), source })?;
        Ok(Self { begin: Some(begin), is_moving, was_asked: false, commits: 0, thread: Some(thread) })
    }

    /// Looks after the log; the writer calls it after its commits.
    pub(super) fn committed(&mut self, connection: &Connection) {
        self.commits += 1;
        if self.is_moving.load(Ordering::Acquire) {
            return;
        }
        if self.was_asked {
            self.was_asked = false;
            if let Err(error) = checkpoint(connection, "PASSIVE") {
                warn(&error);
            }
        } else if self.commits >= LOOK_EVERY {
            self.commits = 0;
            match checkpoint(connection, "NOOP") {
                Ok(pages) if pages >= LONG => self.ask(),
                Ok(_) => {}
                Err(error) => warn(&error),
            }
        }
    }

    fn ask(&mut self) {
        self.was_asked = true;
        self.is_moving.store(true, Ordering::Release);
        if let Some(begin) = &self.begin {
            // The thread lives as long as this does, and has nothing to do.
            let _ = begin.try_send(());
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.begin = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn run(connection: &Connection, file: &OpenFile, asked: &Receiver<()>, is_moving: &AtomicBool) {
    while asked.recv().is_ok() {
        if let Err(error) = move_beside(connection, file) {
            warn(&error);
        }
        is_moving.store(false, Ordering::Release);
    }
}

/// Moves what is in the log, then what came meanwhile, so that little is left to the writer: to move and to flush.
fn move_beside(connection: &Connection, file: &OpenFile) -> Result<(), StoreError> {
    checkpoint(connection, "PASSIVE")?;
    checkpoint(connection, "PASSIVE")?;
    // SQLite flushes the file when all that is in the log was moved. While others write, it hardly ever is; so the writer would do it.
    file.flush()?;
    checkpoint(connection, "PASSIVE")?;
    Ok(())
}

/// How many pages the log has after a checkpoint of that mode (<https://sqlite.org/pragma.html#pragma_wal_checkpoint>): `NOOP` moves
/// nothing, `PASSIVE` what it can without waiting for anybody.
fn checkpoint(connection: &Connection, mode: &str) -> Result<u32, StoreError> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    let pages: i64 = statement.query_row([], |row| row.get(1))?;
    // Without a log it is -1.
    Ok(u32::try_from(pages).unwrap_or(0))
}

/// The log grows meanwhile; where it grows far, SQLite moves it by itself.
fn warn(error: &StoreError) {
    tracing::warn!(%error, "the database's log was not moved into its file; this is tried again");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Checkpoints, LONG, checkpoint};
    use crate::store::sqlite::file;

    /// What SQLite does by itself begins far beyond this.
    const TOO_LONG: u32 = 20_000;

    #[test]
    fn the_log_is_begun_anew_beside_the_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let (connection, file) = file::open(&path).unwrap();
        let mut checkpoints = Checkpoints::start(file).unwrap();
        connection.execute_batch("CREATE TABLE page (number INTEGER PRIMARY KEY, bytes BLOB)").unwrap();
        let (mut anew, mut before) = (0, 0);
        while anew < 2 {
            // A hundred pages.
            let write = "INSERT INTO page (bytes) SELECT zeroblob(4000) FROM
                (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) SELECT i FROM n)";
            connection.execute(write, []).unwrap();
            checkpoints.committed(&connection);
            let pages = checkpoint(&connection, "NOOP").unwrap();
            assert!(pages < TOO_LONG, "{pages}");
            anew += u32::from(pages < before);
            before = pages;
        }
        assert!(file_pages(&path) >= u64::from(LONG));
    }

    fn file_pages(path: &Path) -> u64 {
        std::fs::metadata(path).unwrap().len() / 4096
    }
}
