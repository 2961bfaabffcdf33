//! Programs from PyPI, in virtual environments of their own.

use std::path::PathBuf;
use std::process::Command;

use super::{clear, debian, is_current, mark_current};
use crate::step::{Result, capture, run, step};
use crate::workspace::Workspace;

/// An environment.
struct Environment {
    /// Its folder in target/tools.
    folder: &'static str,
    /// What is in it, for people.
    content: &'static str,
    /// The file below `xtask` that pins what is in it, and its text.
    file: &'static str,
    requirements: &'static str,
}

/// The Hub's own client and generic OAuth clients.
const CLIENTS: Environment = Environment {
    folder: "venv",
    content: "the Python clients",
    file: "tools/requirements.txt",
    requirements: include_str!("../../tools/requirements.txt"),
};

/// A server that is measured beside ours. Apart from the clients: no test needs its 75 MB.
const OPENBAO: Environment = Environment {
    folder: "openbao",
    content: "OpenBao",
    file: "tools/openbao.txt",
    requirements: include_str!("../../tools/openbao.txt"),
};

/// Makes the environment of the clients, unless it is there with the pinned versions.
pub(crate) fn install(workspace: &Workspace) -> Result {
    CLIENTS.install(workspace)
}

/// The environment of the clients.
pub(crate) fn folder(workspace: &Workspace) -> PathBuf {
    CLIENTS.folder(workspace)
}

/// Installs `OpenBao`, unless it is there in the pinned version; the path of its program.
pub(crate) fn install_openbao(workspace: &Workspace) -> Result<PathBuf> {
    OPENBAO.install(workspace)?;
    Ok(OPENBAO.folder(workspace).join("bin/bao"))
}

impl Environment {
    fn folder(&self, workspace: &Workspace) -> PathBuf {
        workspace.tools().join(self.folder)
    }

    fn install(&self, workspace: &Workspace) -> Result {
        let folder = self.folder(workspace);
        // Its programs name the folder that they were installed in: where that was moved, they are installed again.
        let installed = format!("{}\n{}", folder.display(), self.requirements);
        if is_current(&folder, &installed) {
            return Ok(());
        }
        step(&format!("install {} into target/tools/{}", self.content, self.folder), || {
            clear(&folder)?;
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv"]).arg(&folder);
            if !capture(&mut venv).is_ok_and(|output| output.status.success()) {
                debian::install(&["python3", "python3-venv"], "for programs from PyPI")?;
                clear(&folder)?;
                run(&mut venv)?;
            }
            let mut pip = Command::new(folder.join("bin/python"));
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
            run(pip.arg(workspace.root.join("xtask").join(self.file)))?;
            mark_current(&folder, &installed)
        })
    }
}
