//! The threat table, as far as it concerns tokens and keys. Test functions are named after its rows.

// `cfg(test)` is always true here. It tells clippy that the helpers are tests too, and may unwrap.
#[cfg(test)]
mod access_token;
#[cfg(test)]
#[cfg(feature = "fetch")]
mod cache;
#[cfg(test)]
#[cfg(feature = "fetch")]
mod discovery;
#[cfg(test)]
mod envelope;
#[cfg(test)]
#[cfg(feature = "fetch")]
mod fake_issuer;
#[cfg(test)]
mod id_token;
#[cfg(test)]
mod key_set;
#[cfg(test)]
#[cfg(feature = "fetch")]
mod network;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod signer;
#[cfg(test)]
#[cfg(feature = "fetch")]
mod status;
#[cfg(test)]
mod token;
