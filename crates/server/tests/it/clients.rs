//! Other people's clients, unmodified, against the server as it is deployed. `cargo xtask test` installs them.

use std::path::{Path, PathBuf};

mod authority;
mod google_auth;
mod hf;
mod live;
mod oauth;
mod prometheus;
mod schemathesis;

/// What `cargo xtask test` puts into `target/tools`.
fn tool(name: &str) -> PathBuf {
    let path = tools().join(name);
    assert!(path.exists(), "target/tools/{name} is missing: run `cargo xtask test`, which installs it");
    path
}

fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools")
}
