//! The arrows between crates, as design.md §2 has them: who may depend on whom, tests left out.

use crate::step::{Failure, Result, capture};
use crate::workspace::Workspace;

/// A crate, and all crates of this workspace that may be below it.
const ALLOWED: [(&str, &[&str]); 10] = [
    ("countersign-core", &[]),
    ("countersign-cluster", &[]),
    ("countersign-verify", &["countersign-core"]),
    ("countersign-client", &["countersign-core"]),
    ("countersign-simulator", &["countersign-core"]),
    ("countersign-server", &["countersign-core", "countersign-verify"]),
    ("countersign", &["countersign-client", "countersign-core", "countersign-simulator"]),
    (
        "countersign-bench",
        &["countersign-cluster", "countersign-core", "countersign-simulator", "countersign-verify"],
    ),
    ("countersign-fuzz", &[]),
    ("xtask", &[]),
];

/// What only some crates may bring, and nobody else may have below it.
const EFFECTS: [(&str, &[&str]); 7] = [
    ("rusqlite", &["countersign-server"]),
    ("tokio-postgres", &["countersign-server"]),
    ("axum", &["countersign-server", "countersign-simulator", "countersign", "countersign-bench"]),
    ("reqwest", &["countersign-verify", "countersign-server", "countersign-bench"]),
    ("ureq", &["countersign-client", "countersign"]),
    (
        "tokio",
        &[
            "countersign-verify",
            "countersign-server",
            "countersign-simulator",
            "countersign",
            "countersign-bench",
        ],
    ),
    (
        "aws-lc-rs",
        &[
            "countersign-verify",
            "countersign-server",
            "countersign-simulator",
            "countersign-client",
            "countersign",
            "countersign-bench",
        ],
    ),
];

/// Compares what cargo resolves with the table.
pub(crate) fn check(workspace: &Workspace) -> Result {
    let members: Vec<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    let mut wrong = unknown_members(workspace, &members)?;
    for (name, allowed) in ALLOWED {
        let below = dependencies(workspace, name)?;
        let strays = below.iter().filter(|below| {
            let is_foreign_arrow = members.contains(&below.as_str()) && !allowed.contains(&below.as_str());
            let is_foreign_effect =
                EFFECTS.iter().any(|(effect, owners)| effect == below && !owners.contains(&name));
            *below != name && (is_foreign_arrow || is_foreign_effect)
        });
        wrong.extend(
            strays.map(|stray| format!("{name} must not depend on {stray}, not even through others")),
        );
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{}\nThe arrows are a decision of the design: remove the dependency, or change xtask/src/ci/arrows.rs in a commit \
         that says why",
        wrong.join("\n")
    )))
}

fn unknown_members(workspace: &Workspace, known: &[&str]) -> Result<Vec<String>> {
    let found = tree(workspace, &["--workspace", "--depth", "0"])?;
    let unknown = found.into_iter().filter(|name| !known.contains(&name.as_str()));
    Ok(unknown.map(|name| format!("{name} is new: say in the table what it may depend on")).collect())
}

/// Everything below a crate, itself included.
fn dependencies(workspace: &Workspace, name: &str) -> Result<Vec<String>> {
    tree(workspace, &["--package", name])
}

fn tree(workspace: &Workspace, selection: &[&str]) -> Result<Vec<String>> {
    let mut tree = workspace.cargo(["tree", "--all-features", "--locked", "--target", "all"]);
    tree.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]).args(selection);
    let output = capture(&mut tree)?;
    if !output.status.success() {
        return Err(Failure::new(format!("cargo tree: {}", String::from_utf8_lossy(&output.stderr).trim())));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut names: Vec<String> =
        text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    Ok(names)
}
