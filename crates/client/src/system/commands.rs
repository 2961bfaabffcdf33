//! The system's programs.

use std::io::{self, Read};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::command::{Command, CommandError, MAX_OUTPUT};
use crate::surroundings::Commands;

/// Like an HTTP answer's: whoever waits for a token waits no longer for a program than for a server.
const END_WITHIN: Duration = Duration::from_secs(30);

/// Runs programs with this process' environment, without standard input.
#[derive(Clone, Copy, Debug)]
pub struct SystemCommands;

impl Commands for SystemCommands {
    fn run(&self, command: &Command) -> Result<String, CommandError> {
        run_within(command, END_WITHIN)
    }
}

fn run_within(command: &Command, limit: Duration) -> Result<String, CommandError> {
    let program = &command.program;
    let not_run = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => CommandError::NotFound { program: program.clone() },
        _ => CommandError::NotRun { program: program.clone(), reason: error.to_string() },
    };
    let mut child = std::process::Command::new(program)
        .args(&command.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| not_run(&error))?;
    // Both pipes are read while the program runs, or a full one would stop it. Whether it ended is seen by their end.
    let (sender, receiver) = mpsc::channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    thread::spawn(move || {
        let errors = thread::spawn(move || read(stderr));
        let output = read(stdout);
        // Whoever asked may have given up waiting.
        let _ = sender.send((output, errors.join().unwrap_or_default()));
    });
    let (output, errors) = match receiver.recv_timeout(limit) {
        Ok(read) => read,
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            end(&mut child);
            return Err(CommandError::TooSlow { program: program.clone(), seconds: limit.as_secs() });
        }
    };
    if output.len() > MAX_OUTPUT {
        end(&mut child);
        return Err(CommandError::Output { program: program.clone() });
    }
    let Some(status) = exit_status(&mut child).map_err(|error| not_run(&error))? else {
        end(&mut child);
        return Err(CommandError::TooSlow { program: program.clone(), seconds: limit.as_secs() });
    };
    if !status.success() {
        let (status, message) = (status.to_string(), last_line(&errors));
        return Err(CommandError::Failed { program: program.clone(), status, message });
    }
    String::from_utf8(output).map_err(|_| CommandError::Output { program: program.clone() })
}

/// Reads to the end, or one byte beyond the limit. What was read before an error is all there is.
fn read(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        let _ = pipe.take(MAX_OUTPUT as u64 + 1).read_to_end(&mut bytes);
    }
    bytes
}

/// How it ended. A program that closes its output ends soon after, or has forgotten to and is not waited for long.
fn exit_status(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    for _ in 0..100 {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(None)
}

/// Ends it; that it may have ended by itself meanwhile is no error.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The last line with something on it, as one line of printable ASCII, without what looks like a JWT: a program that fails
/// may show what it was busy with.
fn last_line(errors: &[u8]) -> String {
    let errors = String::from_utf8_lossy(errors);
    let line = errors.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed no message");
    let words = line.split_whitespace().map(|word| if word.contains(JWT) { "(token)" } else { word });
    let line = words.collect::<Vec<_>>().join(" ");
    let printable =
        |character: char| if character.is_ascii_graphic() || character == ' ' { character } else { '?' };
    line.chars().take(300).map(printable).collect()
}

/// How every JWT begins: `{"` in base64url.
const JWT: &str = "eyJ";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{last_line, run_within};
    use crate::command::{Command, CommandError};

    #[test]
    fn a_program_that_does_not_end_is_ended() {
        let forever = Command::new("sleep", ["1000000"]);
        let outcome = run_within(&forever, Duration::ZERO);
        assert!(matches!(outcome, Err(CommandError::TooSlow { seconds: 0, .. })), "{outcome:?}");
    }

    #[test]
    fn a_token_in_an_error_is_not_shown() {
        for (errors, expected) in [
            ("first\nfailed for eyJhbGciOiJub25lIn0.e30.c2ln, sorry\n\n", "failed for (token) sorry"),
            ("token='eyJhbGci.e30.c2ln'", "(token)"),
            ("", "it printed no message"),
        ] {
            assert_eq!(last_line(errors.as_bytes()), expected);
        }
    }
}
