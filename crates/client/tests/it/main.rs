//! The client's rows of the contract, with everything around it pretended.

#[cfg(test)]
mod bitbucket;
#[cfg(test)]
mod buildkite;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod circleci;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod detection;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod family;
#[cfg(test)]
mod github;
#[cfg(test)]
mod gitlab;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod job_key;
#[cfg(test)]
mod names;
#[cfg(test)]
mod network;
#[cfg(test)]
mod resolution;
#[cfg(test)]
mod services;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod variables;
