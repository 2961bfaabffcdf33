//! Where things are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::step::{Failure, Result};

/// The checkout, and the folder that cargo builds programs into.
pub(crate) struct Workspace {
    /// The folder of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The folder of this program, and of all others that a plain `cargo build` makes.
    pub(crate) programs: PathBuf,
    /// Where the operating system finds programs.
    pub(crate) path: OsString,
}

impl Workspace {
    /// Asks cargo (at build time) and the operating system.
    pub(crate) fn find() -> Result<Self> {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.parent().unwrap_or(package).to_owned();
        let own =
            std::env::current_exe().map_err(|error| Failure::new(format!("cannot find myself: {error}")))?;
        let programs = own.parent().unwrap_or(&own).to_owned();
        #[expect(clippy::disallowed_methods, reason = "the edge: read once, here")]
        let path = std::env::var_os("PATH").unwrap_or_default();
        Ok(Self { root, programs, path })
    }

    /// What was fetched for tests and checks.
    pub(crate) fn tools(&self) -> PathBuf {
        self.root.join("target/tools")
    }

    /// A cargo command at the root.
    pub(crate) fn cargo<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(&self.root).args(arguments);
        command
    }

    /// A program of this workspace, built by `test::build`.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }
}
