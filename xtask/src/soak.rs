//! `cargo xtask soak`.

use crate::step::{Result, run as execute, step};
use crate::test;
use crate::workspace::Workspace;

/// Builds the programs as the tests do, and keeps the server busy while everything around it changes.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    test::build(workspace)?;
    step("soak", || {
        let mut soak = std::process::Command::new(workspace.program("countersign-bench"));
        execute(soak.current_dir(&workspace.root).arg("soak").args(arguments))
    })
}

/// Long enough for every change to happen once, short enough for each time that something is merged.
pub(crate) fn run_short(workspace: &Workspace) -> Result {
    run(workspace, &["--seconds".to_owned(), "20".to_owned()])
}
