//! Running commands one after the other, each under a headline and with the time it took.

use std::fmt;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// What a command of this program comes to.
pub(crate) type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a command of this program ends early: what was expected, what came, what to do.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// A failure with this message.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Does something under a headline, and says how long it took.
pub(crate) fn step<T>(headline: &str, action: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n==> {headline}");
    let start = now();
    let outcome = action()?;
    println!("    done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(outcome)
}

/// Runs a command in sight of the user, without standard input.
pub(crate) fn run(command: &mut Command) -> Result {
    let status = command.stdin(Stdio::null()).status().map_err(|error| cannot_start(command, &error))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{} failed: {status}", shown(command)))) }
}

/// Runs a command out of sight of which only the failure is of interest.
pub(crate) fn quietly(command: &mut Command) -> Result {
    let output = capture(command)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::new(format!("{} failed: {}\n{said}", shown(command), output.status)))
}

/// Runs a command out of sight, without standard input; whatever it comes to is an outcome.
pub(crate) fn capture(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| cannot_start(command, &error))
}

/// What a command prints, if it can be run and succeeds.
pub(crate) fn printed(command: &mut Command) -> Option<String> {
    let output = capture(command).ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()
}

/// The time, for what people read.
pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the edge: nothing depends on it but a number shown")]
    Instant::now()
}

/// The failure of a command that did not even start.
pub(crate) fn cannot_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure::new(format!("cannot start {}: {error}", shown(command)))
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
