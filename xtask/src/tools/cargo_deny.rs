//! cargo-deny, built from source once.

use std::path::PathBuf;
use std::process::Command;

use crate::step::{Result, printed, run, step};
use crate::workspace::Workspace;

const VERSION: &str = "0.20.2";

/// Installs it into target/tools/cargo, unless it is there in the pinned version; the path of the program.
pub(crate) fn install(workspace: &Workspace) -> Result<PathBuf> {
    let root = workspace.tools().join("cargo");
    let program = root.join("bin/cargo-deny");
    let found = printed(Command::new(&program).arg("--version"));
    if found.is_some_and(|version| version.trim().ends_with(VERSION)) {
        return Ok(program);
    }
    step("install cargo-deny into target/tools/cargo (about a minute)", || {
        // Not optimised: it builds in a third of the time and still runs in seconds.
        let mut install = workspace.cargo(["install", "cargo-deny", "--locked", "--debug", "--quiet"]);
        install.args(["--version", VERSION, "--root"]).arg(&root);
        // In a target folder of its own, which cargo removes afterwards.
        run(install.env_remove("CARGO_TARGET_DIR"))
    })?;
    Ok(program)
}
