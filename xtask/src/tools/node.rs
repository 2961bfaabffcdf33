//! A generic OAuth client from npm, where there is a Node.js that runs it.

use std::fs;
use std::process::Command;

use super::{clear, debian, is_current, mark_current};
use crate::step::{Failure, Result, printed, run, step};
use crate::workspace::Workspace;

const PACKAGE: &str = include_str!("../../tools/package.json");
const LOCK: &str = include_str!("../../tools/package-lock.json");
const OLDEST: u32 = 20;

/// Installs it into target/tools/npm, unless it is there in the pinned version.
pub(crate) fn install(workspace: &Workspace) -> Result {
    let folder = workspace.tools().join("npm");
    let pinned = format!("{PACKAGE}{LOCK}");
    if is_current(&folder, &pinned) {
        return Ok(());
    }
    step("install openid-client into target/tools/npm", || {
        if !has_node() {
            if debian::candidate("nodejs").and_then(|version| major(&version)) < Some(OLDEST) {
                println!(
                    "    left out: neither here nor at Debian's is Node.js {OLDEST} or newer; its tests say so too"
                );
                return Ok(());
            }
            debian::install(&["nodejs", "npm"], "to run the OAuth client of the JavaScript world")?;
        }
        clear(&folder)?;
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join("package.json"), PACKAGE))
            .and_then(|()| fs::write(folder.join("package-lock.json"), LOCK))
            .map_err(|error| Failure::new(format!("cannot write into {}: {error}", folder.display())))?;
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        run(npm.current_dir(&folder))?;
        mark_current(&folder, &pinned)
    })
}

fn has_node() -> bool {
    let node = printed(Command::new("node").arg("--version"));
    let is_new = node.and_then(|version| major(version.trim().trim_start_matches('v'))) >= Some(OLDEST);
    is_new && printed(Command::new("npm").arg("--version")).is_some()
}

fn major(version: &str) -> Option<u32> {
    // Debian writes an epoch in front where numbering once changed.
    let version = version.split_once(':').map_or(version, |(_, version)| version);
    version.split('.').next()?.parse().ok()
}
