//! Attempts, and the waits between them.

use std::time::Duration;

use crate::http::{HttpError, Request, Response};
use crate::surroundings::Surroundings;

/// How often a request is sent at most.
const ATTEMPTS: u32 = 3;
/// The wait before the second attempt; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest that a server's `Retry-After` is waited for; beyond it the person at the job decides.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Sends what `request` makes until `again` says that the outcome is final, at most three times.
///
/// A `Retry-After` (in seconds) replaces the next wait; one beyond ten seconds ends the attempts.
pub(crate) fn send(
    surroundings: &Surroundings,
    request: impl Fn() -> Request,
    again: fn(&Result<Response, HttpError>) -> bool,
) -> Result<Response, HttpError> {
    let mut wait = FIRST_WAIT;
    for _ in 1..ATTEMPTS {
        let outcome = surroundings.http.send(request());
        let asked = outcome.as_ref().ok().and_then(retry_after);
        if !again(&outcome) || asked.is_some_and(|asked| asked > LONGEST_WAIT) {
            return outcome;
        }
        surroundings.clock.sleep(asked.unwrap_or(wait));
        wait *= 2;
    }
    surroundings.http.send(request())
}

/// The `Retry-After` of an answer, if it is a count of seconds (the other form, a date, is rare and not read).
pub(crate) fn retry_after(response: &Response) -> Option<Duration> {
    response.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}
