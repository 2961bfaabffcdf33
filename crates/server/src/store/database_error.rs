//! What a database says when it does not do what it was asked, whichever engine it is.

use std::fmt;

/// Why a database did not do it: the engine's message with its cause. Values of rows and secrets are no part of it.
#[derive(Clone, Debug)]
pub struct DatabaseError {
    message: String,
    fault: Fault,
}

/// Whose fault it was: decides what is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A value that a row cannot have: one exchange of a batch may be to blame.
    Row,
    /// Another transaction was in the way; the same again may succeed.
    Race,
    /// The connection, or the server behind it: another connection may do. What was asked may have been done.
    Connection,
    /// The server, which said that it does nothing more here: what it said that of was not done, and another connection may do.
    Gone,
    /// Anything else: a full disk, a lock that is held, a table that is missing.
    Other,
}

impl DatabaseError {
    pub(super) fn new(message: impl Into<String>, fault: Fault) -> Self {
        Self { message: message.into(), fault }
    }

    /// Whether another transaction was in the way.
    pub(super) fn is_race(&self) -> bool {
        self.fault == Fault::Race
    }

    /// Whether the same may succeed if it is tried again at once, on another connection.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self.fault, Fault::Race | Fault::Connection | Fault::Gone)
    }

    /// Whose fault it was.
    pub(super) fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
