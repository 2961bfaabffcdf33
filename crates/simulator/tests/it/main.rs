//! The simulator as its users meet it: over HTTP, and as a program.

mod claims;
mod issuer;
mod jwt;
mod mint;
mod program;
mod wire;
