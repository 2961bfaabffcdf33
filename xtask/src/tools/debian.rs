//! Packages of Debian and its relatives.

use std::process::Command;

use crate::step::{Failure, Result, printed, run};

/// Installs packages, as root or through `sudo` where that asks for no password. `purpose` ends "needed …".
pub(crate) fn install(packages: &[&str], purpose: &str) -> Result {
    let wanted = packages.join(" ");
    println!("    apt-get install {wanted} (needed {purpose})");
    let attempt = apt_get(&["update", "--quiet=2"]).and_then(|()| {
        let options = ["install", "--quiet=2", "--yes", "--no-install-recommends"];
        apt_get(&[&options[..], packages].concat())
    });
    attempt.map_err(|failure| {
        Failure::new(format!(
            "{failure}\n{wanted} is needed {purpose}: install it in your system's way, then try again"
        ))
    })
}

/// The version that could be installed.
pub(crate) fn candidate(package: &str) -> Option<String> {
    let policy = printed(Command::new("apt-cache").args(["policy", package]))?;
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?;
    Some(version.to_owned())
}

fn apt_get(arguments: &[&str]) -> Result {
    let is_root = printed(Command::new("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let mut command = if is_root { Command::new("apt-get") } else { Command::new("sudo") };
    if !is_root {
        command.args(["-n", "apt-get"]);
    }
    run(command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
}
