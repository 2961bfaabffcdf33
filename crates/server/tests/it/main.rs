//! The server against real clients, real issuers and a real disk. `stage` sets it up in this process, `program` as a
//! process of its own; each other module is one part of the threat table or one promise of the README.

#[cfg(test)]
mod access_log;
#[cfg(test)]
mod api;
#[cfg(unix)]
#[cfg(test)]
mod batches;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod configuration;
#[cfg(test)]
mod crash;
#[cfg(unix)]
#[cfg(test)]
mod database_tls;
#[cfg(unix)]
#[cfg(test)]
mod failover;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod limits;
#[cfg(unix)]
#[cfg(test)]
mod moving;
#[cfg(test)]
mod nodes;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod overload;
#[cfg(unix)]
#[cfg(test)]
mod postgres;
#[cfg(unix)]
#[cfg(test)]
mod processes;
#[cfg(test)]
mod program;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod scaling;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod status;
#[cfg(unix)]
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod store;
#[cfg(test)]
mod tampering;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod withdrawal;
