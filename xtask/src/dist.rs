//! `cargo xtask dist`: the command line tool as it is given to CI jobs, one file that needs nothing of the machine; and the server as
//! it is given to operators.

mod elf;
mod figures;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::release;
use crate::step::{Failure, Result, printed, run as execute, step};
use crate::workspace::Workspace;

/// The most bytes that a job should have to fetch.
const MOST_BYTES: u64 = 8_000_000;

/// Builds the static tool, checks that it is one and small, and with `--figures` measures it; or the server.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => tool(workspace, false),
        ["--figures"] => tool(workspace, true),
        ["server"] => server(workspace),
        _ => Err(Failure::new(format!("expected nothing, --figures or server; found {arguments:?}"))),
    }
}

fn tool(workspace: &Workspace, with_figures: bool) -> Result {
    let target = target()?;
    let built = build(workspace, &target)?;
    let size = check(&built)?;
    let place = put(workspace, &built, &format!("countersign-{target}"))?;
    if with_figures {
        figures::measure(workspace, &place)?;
    }
    println!("\n{}: {:.2} MB, static", place.display(), megabytes(size));
    Ok(())
}

fn server(workspace: &Workspace) -> Result {
    let target = target()?;
    let built = release::build(workspace, &target)?.server;
    let place = put(workspace, &built, &format!("countersign-server-{target}"))?;
    println!("\n{}: {:.2} MB", place.display(), megabytes(read(&place)?.len() as u64));
    Ok(())
}

/// Puts a program where they are handed out from.
fn put(workspace: &Workspace, built: &Path, name: &str) -> Result<PathBuf> {
    let folder = workspace.root.join("target/dist");
    let place = folder.join(name);
    let copied = fs::create_dir_all(&folder).and_then(|()| fs::copy(built, &place));
    copied.map_err(|error| Failure::new(format!("cannot write {}: {error}", place.display())))?;
    Ok(place)
}

fn read(program: &Path) -> Result<Vec<u8>> {
    fs::read(program).map_err(|error| Failure::new(format!("cannot read {}: {error}", program.display())))
}

/// This machine's kind, with a C library that can be linked in.
pub(crate) fn target() -> Result<String> {
    let version = printed(Command::new("rustc").arg("-vV")).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    match host {
        Some(host) if host.contains("-linux-") => Ok(host.to_owned()),
        _ => Err(Failure::new(format!("expected Linux, where programs can be static; found {host:?}"))),
    }
}

fn build(workspace: &Workspace, target: &str) -> Result<PathBuf> {
    step("build the static tool (some minutes at first)", || {
        let mut build =
            workspace.cargo(["build", "--profile", "tool", "--package", "countersign", "--locked"]);
        // With a target named, the flag is for the program alone and not for what runs while it is built.
        build.args(["--target", target]).env("RUSTFLAGS", "-C target-feature=+crt-static");
        execute(build.env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_TARGET_DIR"))
    })?;
    Ok(workspace.root.join("target").join(target).join("tool/countersign"))
}

/// Whether it needs nothing and is small; its size.
fn check(program: &Path) -> Result<u64> {
    let bytes = read(program)?;
    elf::is_static(&bytes).map_err(|found| {
        Failure::new(format!(
            "expected a program that needs no other file, found that {} {found}",
            program.display()
        ))
    })?;
    let size = bytes.len() as u64;
    if size > MOST_BYTES {
        return Err(Failure::new(format!(
            "expected at most {MOST_BYTES} bytes, found {size}; `cargo bloat` tells what is in it"
        )));
    }
    Ok(size)
}

#[expect(clippy::cast_precision_loss, reason = "two digits of it are shown")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
