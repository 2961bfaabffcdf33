//! Lines of the log on their way to standard error.
//!
//! A write to a pipe wakes whoever reads it, which costs as much as all else about a line. So the threads that serve requests
//! keep their lines until they have nothing to do, which on an idle server is at once, or until there are many. A process that
//! is killed, or does not end in time, loses what is kept; what must not be lost is in the ledger.

use std::cell::RefCell;
use std::io::{self, Write};

mod json;

pub(crate) use json::JsonLines;

/// Bytes of lines that one thread keeps at most: some tens of them.
const KEPT: usize = 8 * 1024;

thread_local! {
    /// `None` on threads that do not say when they are done: their lines are written at once.
    static LINES: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Standard error for the log.
#[derive(Debug)]
pub(crate) struct Lines;

impl Write for Lines {
    /// Takes everything.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_kept = LINES.try_with(|lines| match &mut *lines.borrow_mut() {
            Some(lines) => {
                lines.extend_from_slice(line);
                if lines.len() >= KEPT { write_out(lines) } else { Ok(()) }
            }
            None => io::stderr().write_all(line),
        });
        // The thread is about to end.
        is_kept.unwrap_or_else(|_| io::stderr().write_all(line)).map(|()| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes what a thread has kept. Called whenever a thread of the runtime has nothing to do, and when it ends: it keeps lines from
/// then on.
pub(crate) fn write_kept() {
    // A log that cannot be written cannot say so.
    let _ = LINES.try_with(|lines| write_out(lines.borrow_mut().get_or_insert_default()));
}

fn write_out(lines: &mut Vec<u8>) -> io::Result<()> {
    let written = if lines.is_empty() { Ok(()) } else { io::stderr().write_all(lines) };
    lines.clear();
    written
}
