//! A command that runs in this one's place: started, told the signals that come, and waited for.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use thiserror::Error;

/// What asks a command to stop: by a person, by a closed terminal, or by a runner that cancels the job.
const PASSED_ON: [i32; 3] = [SIGHUP, SIGINT, SIGTERM];

/// Why the command did not run to its end.
#[derive(Debug, Error)]
pub(crate) enum ChildError {
    /// It could not be started.
    #[error("the command {:?} could not be started; check its name and PATH", .program.display().to_string())]
    Start {
        /// Its name.
        program: OsString,
        /// Why.
        source: io::Error,
    },
    /// It could not be waited for, or signals could not be received.
    #[error("the command cannot be watched")]
    Watch(#[source] io::Error),
}

impl ChildError {
    /// The exit code that shells and `env` give: 127 when there is no such command, 126 when it cannot be run.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Start { source, .. } if source.kind() == io::ErrorKind::NotFound => 127,
            Self::Start { .. } => 126,
            Self::Watch(_) => 1,
        }
    }
}

/// Runs the command to its end and gives its exit code: 128 and the signal's number if a signal ended it, as shells have it.
pub(crate) fn run(command: &mut Command) -> Result<ExitCode, ChildError> {
    // Before the start: a signal that comes in between is kept, and passed on then.
    let mut signals = SignalsInfo::<WithOrigin>::new(PASSED_ON).map_err(ChildError::Watch)?;
    let program = command.get_program().to_owned();
    let mut child = command.spawn().map_err(|source| ChildError::Start { program, source })?;
    let pid = Pid::from_child(&child);
    let handle = signals.handle();
    let listener = thread::spawn(move || {
        for origin in signals.forever().filter(|origin| !has_reached_the_child(origin)) {
            if let Some(signal) = Signal::from_named_raw(origin.signal) {
                // Fails only when it has just ended.
                let _ = kill_process(pid, signal);
            }
        }
    });
    // It stays unreaped until nobody sends signals to its number any more: the number could be another process' by then.
    let ended = wait_until_ended(pid);
    handle.close();
    let _ = listener.join();
    ended.and_then(|()| child.wait()).map(code).map_err(ChildError::Watch)
}

/// The keys of a terminal signal its whole foreground group, of which the command is one: passed on, Ctrl-C would count
/// twice, and many programs take a second one for impatience.
fn has_reached_the_child(origin: &Origin) -> bool {
    matches!(origin.cause, Cause::Kernel)
}

fn wait_until_ended(pid: Pid) -> io::Result<()> {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(Some(_)) => return Ok(()),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
