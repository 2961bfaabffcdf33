//! The real binary against a pretend mint endpoint and token endpoint, which `job` plays, and against the real server and
//! the simulated providers, which `registry` starts.

#[cfg(test)]
mod administration;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod cargo;
#[cfg(test)]
mod ci_pages;
#[cfg(test)]
mod doctor;
#[cfg(test)]
mod exec;
#[cfg(test)]
mod forms;
#[cfg(test)]
mod front;
#[cfg(test)]
mod git;
#[cfg(test)]
mod google;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod job;
#[cfg(test)]
mod library;
#[cfg(test)]
mod manual;
#[cfg(test)]
mod outside;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod publishers;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod remedies;
#[cfg(test)]
mod server;
#[cfg(test)]
mod simulate;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod tmux;
#[cfg(test)]
mod token;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod whoami;
