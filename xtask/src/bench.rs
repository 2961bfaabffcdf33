//! `cargo xtask bench`.

use std::path::PathBuf;
use std::process::Command;

use crate::step::{Result, run as execute, step};
use crate::workspace::Workspace;
use crate::{dist, release, tools};

/// What is no table, and needs no other program than those that are built here.
const PARTS: [&str; 5] = ["registry", "publishers", "mix", "endurance", "compare"];

/// What is not about the server: a registry compiles the verifier by itself, and saved figures are only read.
const WITHOUT_SERVER: [&str; 3] = ["registry", "compare", "--help"];
/// The rows that need PostgreSQL.
const ON_POSTGRES: [&str; 3] = ["postgres", "postgres-away", "two-nodes"];
/// Has the server measured as `cargo build --release` makes it, which is made sooner.
const PLAIN: &str = "--plain";

/// Builds the server as it is released, and measures it.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result {
    let (plain, arguments): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|word| word == PLAIN);
    let is_plain = !plain.is_empty() || arguments.iter().any(|word| WITHOUT_SERVER.contains(&word.as_str()));
    let arguments = arguments.as_slice();
    let mut more = Vec::new();
    if !arguments.iter().any(|argument| PARTS.contains(&argument.as_str()) || argument == "--help") {
        if is_measured(arguments, &ON_POSTGRES) {
            tools::postgresql::install()?;
        }
        if is_measured(arguments, &["openbao-stored", "openbao-batch"]) {
            let program = tools::python::install_openbao(workspace)?;
            more = vec!["--openbao".to_owned(), program.display().to_string()];
        }
    }
    let program =
        if is_plain { build(workspace)? } else { release::build(workspace, &dist::target()?)?.bench };
    step("measure", || {
        execute(Command::new(program).current_dir(&workspace.root).args(arguments).args(&more))
    })
}

/// The benchmark beside a server, both as `cargo build --release` makes them.
fn build(workspace: &Workspace) -> Result<PathBuf> {
    step("build the server", || {
        let mut build = workspace.cargo(["build", "--release", "--package", "countersign-server"]);
        execute(build.args(["--package", "countersign-bench"]))
    })?;
    // Not by `cargo run`, which would build it once more: alone, it has other features of what both depend on.
    Ok(workspace.programs.with_file_name("release").join("countersign-bench"))
}

/// Whether the table will have one of these rows: it has all if none is named.
fn is_measured(arguments: &[String], rows: &[&str]) -> bool {
    let is_choice = |argument: &String| argument.starts_with("--only");
    let names = |argument: &String| argument.split([',', '=']).any(|word| rows.contains(&word));
    !arguments.iter().any(is_choice) || arguments.iter().any(names)
}

#[cfg(test)]
mod tests {
    use super::{ON_POSTGRES, is_measured};

    #[test]
    fn what_is_not_measured_is_not_installed() {
        let check = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            is_measured(&arguments, &ON_POSTGRES)
        };
        for line in [
            "",
            "--rounds 1",
            "--only postgres",
            "--only=postgres",
            "--only=sqlite,two-nodes",
            "--only sqlite --only postgres",
        ] {
            assert!(check(line), "{line}");
        }
        for line in ["--only sqlite", "--only=stateless,openbao-batch"] {
            assert!(!check(line), "{line}");
        }
    }
}
