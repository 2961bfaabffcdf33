//! Connections to the server, and what its errors mean.

use std::time::Duration;

use deadpool_postgres::{
    Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use deadpool_postgres::{TimeoutType, Timeouts};
use tokio::time::error::Elapsed;
use tokio_postgres::error::SqlState;
use tokio_postgres::{NoTls, Row};

use super::hosts::{Hosts, Warnings};
use super::tls::Tls;
use crate::config::{DatabaseTls, PostgresSettings};
use crate::store::StoreError;
use crate::store::database_error::{DatabaseError, Fault};

/// How long to wait for a connection, one that is free or a new one.
const WAIT: Duration = Duration::from_secs(5);

/// Makes the pool, and counts the warnings on its connections. Connects to nothing yet.
pub(super) fn pool(settings: &PostgresSettings, warnings: &Warnings) -> Result<Pool, StoreError> {
    let how = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let server = settings.server.clone();
    let manager = match &settings.tls {
        DatabaseTls::Off => {
            let hosts = Hosts::of(&server, NoTls, WAIT, warnings.clone());
            Manager::from_connect(server, hosts, how)
        }
        DatabaseTls::Verified(file) => {
            let hosts = Hosts::of(&server, Tls::trusting(file.as_deref())?, WAIT, warnings.clone());
            Manager::from_connect(server, hosts, how)
        }
    };
    // A commit is on disk before it is answered (invariant 1), whatever the database's own default is. A transaction that
    // its node left open ends soon, since others wait for what it locked.
    let preparation = format!(
        "SET synchronous_commit = on; SET statement_timeout = {}; SET idle_in_transaction_session_timeout = {}",
        settings.statement_timeout.as_millis(),
        2 * settings.statement_timeout.as_millis(),
    );
    let prepare = Hook::async_fn(move |client, _| {
        let preparation = preparation.clone();
        // The pool's own limit ends before this: a proxy can let us in, and what is behind it hang.
        Box::pin(async move {
            let prepared = tokio::time::timeout(WAIT, client.batch_execute(&preparation)).await;
            prepared
                .map_err(|_| HookError::message("a new connection says nothing"))?
                .map_err(HookError::Backend)
        })
    });
    Pool::builder(manager)
        .max_size(settings.connections)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts { wait: Some(WAIT), create: Some(WAIT), recycle: Some(WAIT) })
        .post_create(prepare)
        .build()
        .map_err(|error| StoreError::Settings(error.to_string()))
}

/// A connection that is free.
pub(super) async fn connection(pool: &Pool) -> Result<Object, StoreError> {
    pool.get().await.map_err(|error| match error {
        PoolError::Timeout(TimeoutType::Wait) => StoreError::Overloaded,
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => error.into(),
        PoolError::Closed => StoreError::Closed,
        other => StoreError::Database(DatabaseError::new(other.to_string(), Fault::Connection)),
    })
}

/// What came of a question to the database. A connection on which nothing came in time is not used again: the server may
/// hang, and nothing that it would have to do by itself, like ending the statement, can be relied on.
pub(super) fn settled<T>(
    client: Object,
    answer: Result<Result<T, tokio_postgres::Error>, Elapsed>,
) -> Result<T, StoreError> {
    match answer {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(given_up(client)),
    }
}

/// The server said nothing in time on this connection, which goes.
pub(super) fn given_up(client: Object) -> StoreError {
    let error = silent(&client);
    drop(Object::take(client));
    error
}

/// The server said nothing in time on this connection. None of those that are free is any better.
pub(super) fn silent(client: &Object) -> StoreError {
    if let Some(pool) = Object::pool(client) {
        drop(pool.retain(|_, _| false));
    }
    StoreError::Database(DatabaseError::new("the database server does not answer", Fault::Connection))
}

/// A value of a row.
pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    index: usize,
) -> Result<T, StoreError> {
    row.try_get(index).map_err(StoreError::unreadable)
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(answer) = error.as_db_error() else {
            // No answer of the server: the connection broke, or could not be made.
            let cause =
                std::error::Error::source(&error).map_or_else(String::new, |cause| format!(": {cause}"));
            return Self::Database(DatabaseError::new(format!("{error}{cause}"), Fault::Connection));
        };
        // The message alone: details quote the values of rows.
        let message = format!("{} ({})", answer.message(), answer.code().code());
        Self::Database(DatabaseError::new(message, fault(answer.code())))
    }
}

/// What an error means for whoever asked.
///
/// `statement_completion_unknown` is of the class of races and is none: nobody knows what was done, as when a connection
/// breaks. Before the commit nothing was, so it is tried again elsewhere; what it means once the commit was sent, see
/// [`Session::send_commit`](super::session::Session::send_commit).
///
/// `in_failed_sql_transaction` is never the cause: another statement of the transaction failed, and its answer may be looked at
/// later where they are sent together. Nothing was done; made again, the transaction goes through or says what it was.
fn fault(state: &SqlState) -> Fault {
    let is_over = [&SqlState::ADMIN_SHUTDOWN, &SqlState::CRASH_SHUTDOWN, &SqlState::CANNOT_CONNECT_NOW]
        .contains(&state);
    match state.code().get(..2) {
        _ if state == &SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN => Fault::Connection,
        Some("22" | "23") => Fault::Row,
        Some("40") => Fault::Race,
        _ if state == &SqlState::IN_FAILED_SQL_TRANSACTION => Fault::Race,
        Some("08") => Fault::Connection,
        // Not a full disk, which is none the less full on another connection.
        _ if state == &SqlState::TOO_MANY_CONNECTIONS => Fault::Connection,
        // Read only: the server was demoted under the connection, and another can be written to by now.
        _ if is_over || state == &SqlState::READ_ONLY_SQL_TRANSACTION => Fault::Gone,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_whose_fault_it_was() {
        for (code, expected) in [
            ("40001", Fault::Race),
            ("40P01", Fault::Race),
            ("25P02", Fault::Race),
            ("40003", Fault::Connection),
            ("23505", Fault::Row),
            ("22003", Fault::Row),
            ("08006", Fault::Connection),
            ("53300", Fault::Connection),
            ("57P01", Fault::Gone),
            ("25006", Fault::Gone),
            ("57014", Fault::Other),
            ("42P01", Fault::Other),
        ] {
            assert_eq!(fault(&SqlState::from_code(code)), expected, "{code}");
        }
    }
}
