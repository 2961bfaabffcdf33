//! The Hub's own client and generic OAuth clients from PyPI, in a virtual environment of their own.

use std::path::PathBuf;
use std::process::Command;

use super::{clear, debian, is_current, mark_current};
use crate::step::{Result, capture, run, step};
use crate::workspace::Workspace;

const REQUIREMENTS: &str = include_str!("../../tools/requirements.txt");

/// Makes the environment, unless it is there with the pinned versions.
pub(crate) fn install(workspace: &Workspace) -> Result {
    let folder = folder(workspace);
    if is_current(&folder, REQUIREMENTS) {
        return Ok(());
    }
    step("install the Python clients into target/tools/venv", || {
        clear(&folder)?;
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv"]).arg(&folder);
        if !capture(&mut venv).is_ok_and(|output| output.status.success()) {
            debian::install(&["python3", "python3-venv"], "to run the real hf command")?;
            clear(&folder)?;
            run(&mut venv)?;
        }
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        run(pip.arg(workspace.root.join("xtask/tools/requirements.txt")))?;
        mark_current(&folder, REQUIREMENTS)
    })
}

/// The environment.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    workspace.tools().join("venv")
}
