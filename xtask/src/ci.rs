//! `cargo xtask ci`: all that must hold before a change is merged.

use std::process::Command;

mod arrows;
mod conventions;

use crate::step::{Result, now, run as execute, step};
use crate::workspace::Workspace;
use crate::{chaos, soak, test, tools};

/// Runs every check and stops at the first that fails.
pub(crate) fn run(workspace: &Workspace) -> Result {
    let start = now();
    step("cargo fmt --check", || execute(&mut workspace.cargo(["fmt", "--all", "--check"])))?;
    step("conventions", || conventions::check(workspace))?;
    step("arrows between crates", || arrows::check(workspace))?;
    step("cargo clippy", || {
        let clippy =
            ["clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--", "-D", "warnings"];
        execute(&mut workspace.cargo(clippy))
    })?;
    let cargo_deny = tools::cargo_deny::install(workspace)?;
    step("cargo deny: bans, licences, sources", || {
        // Not advisories: their database is out of reach where this runs.
        let mut deny = Command::new(cargo_deny);
        deny.current_dir(&workspace.root).args([
            "--log-level",
            "error",
            "--all-features",
            "--locked",
            "check",
        ]);
        execute(deny.args(["bans", "licenses", "sources"]))
    })?;
    step("cargo doc", || {
        let mut doc =
            workspace.cargo(["doc", "--workspace", "--all-features", "--no-deps", "--locked", "--quiet"]);
        execute(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    test::run(workspace, &[])?;
    soak::run_short(workspace)?;
    chaos::run_short(workspace)?;
    println!(
        "\nci passed in {:.0} s: format, conventions, arrows, clippy, bans, licences, sources, documentation, tests, soak, chaos",
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
