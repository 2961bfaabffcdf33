//! What tests and checks need beyond the Rust toolchain. Each is installed once, into target/tools, and again only when
//! the pinned versions change.

pub(crate) mod cargo_deny;
pub(crate) mod debian;
pub(crate) mod faketime;
pub(crate) mod llvm;
pub(crate) mod node;
pub(crate) mod postgresql;
pub(crate) mod python;
pub(crate) mod tmux;

use std::fs;
use std::path::Path;

use crate::step::{Failure, Result};

const STAMP: &str = ".installed";

/// Whether a folder holds what was pinned by these words.
fn is_current(folder: &Path, pinned: &str) -> bool {
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|stamp| stamp == pinned)
}

/// Writes down that a folder holds it. Last of all, so that a broken installation is never taken for a whole one.
fn mark_current(folder: &Path, pinned: &str) -> Result {
    write(&folder.join(STAMP), pinned)
}

/// Writes a file, and its folder if that is missing.
pub(crate) fn write(path: &Path, text: &str) -> Result {
    let folder = path.parent().unwrap_or(path);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, text));
    written.map_err(|error| Failure::new(format!("cannot write {}: {error}", path.display())))
}

/// Removes a folder if it is there.
pub(crate) fn clear(folder: &Path) -> Result {
    if !folder.exists() {
        return Ok(());
    }
    let removed = fs::remove_dir_all(folder);
    removed.map_err(|error| Failure::new(format!("cannot remove {}: {error}", folder.display())))
}
