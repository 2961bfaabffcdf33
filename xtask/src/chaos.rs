//! `cargo xtask chaos`.

use crate::step::{Result, run as execute, step};
use crate::workspace::Workspace;
use crate::{test, tools};

/// Builds the programs as the tests do, and lets one thing after the other fail that servers need.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    tools::postgresql::install()?;
    tools::faketime::install()?;
    test::build(workspace)?;
    step("chaos", || {
        let mut chaos = std::process::Command::new(workspace.program("countersign-bench"));
        execute(chaos.current_dir(&workspace.root).arg("chaos").args(arguments))
    })
}

/// Everything that needs no minute of waiting, each for as short as it shows.
pub(crate) fn run_short(workspace: &Workspace) -> Result {
    let arguments = ["--short", "--seconds", "1"];
    run(workspace, &arguments.map(str::to_owned))
}
