//! `cargo xtask test`.

use crate::step::{Result, run as execute, step};
use crate::tools;
use crate::workspace::Workspace;

/// Runs all tests, end-to-end ones with real clients included.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    tools::python::install(workspace)?;
    tools::node::install(workspace)?;
    tools::tmux::install()?;
    tools::postgresql::install()?;
    build(workspace)?;
    step("cargo test", || execute(workspace.cargo(["test", "--workspace", "--all-features"]).args(arguments)))
}

/// Builds all programs: the tests of one package run those of others, which cargo would not build for them.
pub(crate) fn build(workspace: &Workspace) -> Result {
    step("build the programs and examples", || {
        execute(&mut workspace.cargo(["build", "--workspace", "--all-features", "--bins", "--examples"]))
    })
}
