//! What a person at a terminal is shown while nothing happens.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use countersign_client::http::{Http, HttpError, Request, Response};
use countersign_client::{Surroundings, Variables};

use crate::printable::printable;

/// How long nobody wonders.
const PATIENCE: Duration = Duration::from_millis(700);

/// Whether a person is told what is waited for.
#[derive(Clone, Debug)]
pub(crate) struct Progress(Arc<AtomicBool>);

impl Progress {
    /// Decides for standard error: a line that goes away again is for terminals that can take it back, and for nobody else.
    pub(crate) fn on(is_terminal: bool, is_quiet: bool, variables: &Variables) -> Self {
        let can_take_back = is_terminal && !variables.is_exactly("TERM", "dumb");
        Self(Arc::new(AtomicBool::new(can_take_back && !is_quiet)))
    }

    /// Ends it: from now on the terminal is another program's.
    pub(crate) fn end(&self) {
        self.0.store(false, Ordering::Relaxed);
    }

    /// The same surroundings, in which requests that take long are seen to.
    pub(crate) fn around(&self, surroundings: Surroundings) -> Surroundings {
        let http = Arc::new(Watched { http: Arc::clone(&surroundings.http), progress: self.clone() });
        Surroundings { http, ..surroundings }
    }
}

/// HTTP with somebody who watches.
struct Watched {
    http: Arc<dyn Http>,
    progress: Progress,
}

impl Http for Watched {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        if !self.progress.0.load(Ordering::Relaxed) {
            return self.http.send(request);
        }
        let note = format!("countersign: waiting for {} …", printable(request.host()));
        let (answered, waiting) = mpsc::channel::<()>();
        let watcher = thread::spawn(move || {
            if waiting.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
                show(&note);
                // Until the other end is dropped.
                let _ = waiting.recv();
                show("");
            }
        });
        let outcome = self.http.send(request);
        drop(answered);
        // The line is gone before anything else is written.
        let _ = watcher.join();
        outcome
    }
}

/// Puts the text in the place of the terminal's last line. It is no result and no error, so no failure matters.
fn show(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "\r\u{1b}[K{text}").and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use countersign_client::Variables;

    use super::Progress;

    #[test]
    fn only_a_person_at_a_terminal_is_told() {
        let rows = [
            (true, false, "xterm", true),
            (false, false, "xterm", false),
            (true, true, "xterm", false),
            (true, false, "dumb", false),
        ];
        for (is_terminal, is_quiet, term, expected) in rows {
            let progress = Progress::on(is_terminal, is_quiet, &Variables::from_iter([("TERM", term)]));
            assert_eq!(progress.0.load(Ordering::Relaxed), expected, "{is_terminal} {is_quiet} {term}");
            progress.end();
            assert!(!progress.0.load(Ordering::Relaxed));
        }
    }
}
