//! The file of the database.

use std::fs::{File, Metadata};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::schema::{self, BUSY_TIMEOUT};
use crate::store::StoreError;
use crate::store::database_error::{DatabaseError, Fault};

/// The file that was opened, wherever it is by now.
#[derive(Clone)]
pub(super) struct OpenFile {
    path: PathBuf,
    identity: Identity,
    /// Never closed: that would give back every lock that this process has on the file, SQLite's too
    /// (<https://sqlite.org/howtocorrupt.html>, 2.2).
    file: &'static File,
}

impl OpenFile {
    /// Whether it is still the one at its path. What is written to a file that was moved away is lost for whoever starts on
    /// the one that took its place: id tokens that were used could be used again. One whose content is overwritten stays the same
    /// file, and SQLite writes on: docs/operating.md says how to restore a copy.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let there = std::fs::metadata(&self.path);
        if there.is_ok_and(|metadata| identity(&metadata) == self.identity) {
            return Ok(());
        }
        Err(StoreError::Moved { path: self.path.display().to_string() })
    }

    /// Waits until what SQLite has written to it is on the disk.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        let failed = |error| StoreError::Unavailable(format!("the database's file was not flushed: {error}"));
        self.file.sync_data().map_err(failed)
    }

    /// A connection that only reads.
    pub(super) fn reader(&self) -> Result<Connection, StoreError> {
        self.connect(OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    }

    /// A connection that may write.
    pub(super) fn writer(&self) -> Result<Connection, StoreError> {
        self.connect(OpenFlags::default())
    }

    fn connect(&self, flags: OpenFlags) -> Result<Connection, StoreError> {
        self.check()?;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        Ok(connection)
    }
}

/// What a file is known by: its device, and its number on it.
#[cfg(unix)]
type Identity = (u64, u64);

/// Where files that are open cannot be moved, there is nothing to tell apart.
#[cfg(not(unix))]
type Identity = ();

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt as _;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(_: &Metadata) -> Identity {}

/// Opens the file, makes it if there is none (readable by its owner only), and brings its schema up to date.
pub(super) fn open(path: &Path) -> Result<(Connection, OpenFile), StoreError> {
    let failed = |source| StoreError::Open { path: path.display().to_string(), source };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_folder(folder).map_err(failed)?;
    }
    let file: &'static File = Box::leak(Box::new(create_private_file(path).map_err(failed)?));
    let identity = identity(&file.metadata().map_err(failed)?);
    let file = OpenFile { path: path.to_owned(), identity, file };
    // Of processes that start at once, one sets the file up and the others wait.
    let lock = create_private_file(&path.with_extension("lock")).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let mut connection = Connection::open(path)?;
    schema::prepare(&mut connection)?;
    drop(lock);
    Ok((connection, file))
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

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
        let fault = match error.sqlite_error_code() {
            Some(ConstraintViolation | TooBig | TypeMismatch) => Fault::Row,
            _ => Fault::Other,
        };
        Self::Database(DatabaseError::new(error.to_string(), fault))
    }
}
