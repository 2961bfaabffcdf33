//! Fuzz targets, one file per group of parsers.

#[cfg(test)]
mod edit;
#[cfg(test)]
mod signer;

#[cfg(test)]
mod issuer;
#[cfg(test)]
mod json;
#[cfg(test)]
mod name_server;
#[cfg(test)]
mod names;
#[cfg(test)]
mod pasted;
#[cfg(test)]
mod resource;
#[cfg(test)]
mod rules;

#[cfg(test)]
mod answer;
#[cfg(test)]
mod request;

#[cfg(test)]
mod access_token;
#[cfg(test)]
mod key_set;
#[cfg(test)]
mod token;

#[cfg(test)]
mod github;
#[cfg(test)]
mod gitlab;
#[cfg(test)]
mod run;

#[cfg(test)]
mod config;

#[cfg(test)]
mod client;
#[cfg(test)]
mod endpoint;

/// How long each target runs under `cargo test`; `BOLERO_RANDOM_TEST_TIME_MS` has its way over it.
#[cfg(test)]
const BRIEFLY: std::time::Duration = std::time::Duration::from_millis(800);
