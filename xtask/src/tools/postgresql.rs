//! PostgreSQL, of which the tests start servers of their own.

use std::path::Path;
use std::process::Command;

use super::debian;
use crate::step::{Result, printed, step};

/// Where Debian keeps the programs, outside the path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Installs it, unless it is there.
pub(crate) fn install() -> Result {
    let is_there = Path::new(DEBIAN).exists() || printed(Command::new("pg_config").arg("--bindir")).is_some();
    if is_there {
        return Ok(());
    }
    step("install PostgreSQL", || debian::install(&["postgresql"], "to test the store of several nodes"))
}
