//! The simulator as its users meet it: over HTTP, and as a program.

#![expect(clippy::unwrap_used, reason = "a test's own functions fail like tests")]

mod claims;
mod decisions;
mod issuer;
mod jwt;
mod mint;
mod program;
mod wire;
