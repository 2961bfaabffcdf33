//! libfaketime, with which one process has a time of its own.

use std::path::Path;

use super::debian;
use crate::step::{Result, step};

/// Where Debian keeps what belongs to each kind of machine.
const LIBRARIES: &str = "/usr/lib";

/// Installs it, unless it is there.
pub(crate) fn install() -> Result {
    let kinds = std::fs::read_dir(Path::new(LIBRARIES)).into_iter().flatten().flatten();
    if kinds.into_iter().any(|kind| kind.path().join("faketime/libfaketime.so.1").exists()) {
        return Ok(());
    }
    step("install libfaketime", || debian::install(&["libfaketime"], "to have the clock of a server jump"))
}
