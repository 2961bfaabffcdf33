//! The folder that a demonstration leaves nothing outside of.

use std::fs;
use std::path::{Path, PathBuf};

use crate::step::{Failure, Result};
use crate::tools;
use crate::workspace::Workspace;

/// A folder below the target folder that goes with this value, however the demonstration ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// Makes it, so that `hf` takes it for a home in which it has looked for updates today: the demonstration asks nobody
    /// on the internet.
    pub(crate) fn make(workspace: &Workspace) -> Result<Self> {
        let target = workspace.programs.parent().unwrap_or(&workspace.programs);
        let path = target.join(format!("demo-{}", std::process::id()));
        fs::create_dir_all(&path)
            .map_err(|error| Failure::new(format!("cannot make {}: {error}", path.display())))?;
        let folder = Self(path);
        for marker in [".check_for_update_done", ".check_for_skill_update_done"] {
            tools::write(&folder.path().join(".cache/huggingface").join(marker), "")?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("cannot remove {}: {error}", self.0.display());
        }
    }
}
