//! The file of the database.

use std::fs::File;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::schema::{self, BUSY_TIMEOUT};
use crate::store::StoreError;
use crate::store::database_error::{DatabaseError, Fault};

/// Opens the file, makes it if there is none (readable by its owner only), and brings its schema up to date.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
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
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
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
