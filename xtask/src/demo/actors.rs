//! Programs that run beside the demonstration, and the surroundings of those that run in a job.

use std::path::Path;
use std::process::{Child, Command};

use super::simulator::Variables;
use crate::step::{Result, cannot_start};
use crate::workspace::Workspace;

/// A program that ends with this value, however the demonstration ends.
pub(crate) struct Actor(Child);

impl Actor {
    /// Starts it.
    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        command.spawn().map(Self).map_err(|error| cannot_start(command, &error))
    }

    /// The process, for its pipes and to see whether it has ended.
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.0
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        // Fails if it has ended by itself, which is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Gives a program nothing of this machine but where programs are: no proxy, no token, no setting of its user.
pub(crate) fn alone<'a>(command: &'a mut Command, workspace: &Workspace) -> &'a mut Command {
    command.env_clear().env("PATH", &workspace.path)
}

/// Gives a program what a step of the job has, and nothing else.
pub(crate) fn in_job(command: &mut Command, workspace: &Workspace, job: &Variables, home: &Path) {
    alone(command, workspace).env("HOME", home).current_dir(home).envs(job.pairs());
}
