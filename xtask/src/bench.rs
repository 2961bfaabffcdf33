//! `cargo xtask bench`.

use crate::step::{Result, run as execute, step};
use crate::workspace::Workspace;

/// Builds the server as it is released, and measures it.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    step("build the server as it is released", || {
        execute(&mut workspace.cargo(["build", "--release", "--package", "countersign-server"]))
    })?;
    step("measure", || {
        let mut bench = workspace.cargo(["run", "--release", "--package", "countersign-bench", "--"]);
        execute(bench.args(arguments))
    })
}
