//! What this process has around it.

use std::io::{BufRead, Write};
use std::path::Path;

use countersign_client::{Surroundings, Variables};

use crate::paint::Paint;
use crate::progress::Progress;

/// Every effect that a command has or feels, made once, in `main`.
pub(crate) struct Process {
    /// Environment, network, clock and files.
    pub surroundings: Surroundings,
    /// Standard input.
    pub stdin: Box<dyn BufRead>,
    /// Standard output: results, and nothing else.
    pub stdout: Box<dyn Write>,
    /// Standard error: what a person should know, and masks. A renewal writes to it from its own thread.
    pub stderr: Box<dyn Write + Send>,
    /// How results look.
    pub paint: Paint,
    /// Whether a person wants to read what is wrong and nothing else.
    pub quiet: bool,
    /// Whether a person is told what is waited for.
    pub progress: Progress,
    /// A number that nobody can guess, from the system.
    pub random: fn() -> u64,
}

/// Where temporary files go: a GitHub runner empties its own folder after the job, whatever happened.
pub(crate) fn temporary_folder(variables: &Variables) -> &Path {
    Path::new(variables.text("RUNNER_TEMP").or_else(|| variables.text("TMPDIR")).unwrap_or("/tmp"))
}
