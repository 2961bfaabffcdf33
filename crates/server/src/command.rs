//! The commands that work on the local store.

use countersign_server::clock::{Clock as _, SystemClock, SystemRandomness, fresh_id};
use countersign_server::store::{Actor, Author, ExchangeId};

pub(crate) mod admin_token;
pub(crate) mod audit;
pub(crate) mod copy;
pub(crate) mod exchanges;
pub(crate) mod keys;
pub(crate) mod migrate;
pub(crate) mod presets;
pub(crate) mod publisher;

/// Whoever runs a command, now.
pub(crate) fn author() -> Author {
    let request = ExchangeId(fresh_id(&SystemClock, &SystemRandomness));
    Author { actor: Actor::Command, at: SystemClock.now(), request }
}

/// Prints to standard output.
#[expect(clippy::print_stdout, reason = "a command's result")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}

/// Prints to standard error.
#[expect(clippy::print_stderr, reason = "a command's failure")]
pub(crate) fn complain(text: &str) {
    eprintln!("countersign-server: {text}");
}

/// A time for people: RFC 3339, in UTC.
pub(crate) fn written(time: countersign_core::UnixTime) -> String {
    jiff::Timestamp::from_second(time.as_seconds()).map_or_else(|_| time.to_string(), |time| time.to_string())
}
