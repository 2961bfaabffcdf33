//! tmux, a terminal that a program can look at.

use std::process::Command;

use super::debian;
use crate::step::{Result, printed, step};

/// Installs it, unless it is there.
pub(crate) fn install() -> Result {
    if printed(Command::new("tmux").arg("-V")).is_some() {
        return Ok(());
    }
    step("install tmux", || debian::install(&["tmux"], "to see the tool as a person at a terminal does"))
}
