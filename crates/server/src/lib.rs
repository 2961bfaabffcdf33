//! The exchange service: HTTP, storage, configuration.
//!
//! [`exchange::TokenExchange`] is the way of an id token through the server; [`http::router`] puts it on the wire;
//! [`store::Store`] keeps what must outlive the process. The library exists for the tests; the program is
//! `countersign-server`.

pub mod admin;
pub mod clock;
pub mod config;
pub mod connections;
pub mod exchange;
pub mod http;
pub mod idleness;
pub mod issuers;
pub mod limits;
pub mod metrics;
mod pace;
pub mod publishers;
pub mod serve;
pub mod signing;
pub mod status;
pub mod store;
pub mod traces;
