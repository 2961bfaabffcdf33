//! The real binary against a pretend mint endpoint and token endpoint.

#[cfg(test)]
mod job;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod token;
#[cfg(test)]
mod usage;
#[cfg(test)]
mod whoami;
