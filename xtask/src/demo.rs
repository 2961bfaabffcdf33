//! `cargo xtask demo`: the whole system in one minute, on real programs.

pub(crate) mod actors;
pub(crate) mod folder;
mod outcome;
pub(crate) mod server;
pub(crate) mod simulator;

use std::path::Path;
use std::process::Command;

use folder::Folder;
use outcome::{Outcome, shorten};
use server::Server;
use simulator::{Simulator, Variables};

use crate::step::{Failure, Result, now};
use crate::workspace::Workspace;
use crate::{test, tools};

const RESOURCE: &str = "acme/awesome-model";

/// Builds what it needs, then plays all parts.
pub(crate) fn run(workspace: &Workspace) -> Result {
    tools::python::install(workspace)?;
    test::build(workspace)?;
    let start = now();
    play(workspace)?;
    println!("\nThat was all, in {:.1} s. Nothing is left behind.", start.elapsed().as_secs_f64());
    Ok(())
}

/// The plot. Whatever does not come out as told here is a failure of the demonstration.
fn play(workspace: &Workspace) -> Result {
    // The order of these matters at the end: the children stop before their folder goes.
    let folder = Folder::make(workspace)?;

    scene(
        "A CI provider. GitHub Actions is played by a simulator here: its issuer, its keys, one running job.",
    );
    let (mut simulator, job) = Simulator::start(workspace)?;
    tell(&format!("the job is one of {} on {}", job.value("GITHUB_REPOSITORY")?, job.value("GITHUB_REF")?));

    scene(
        "A registry's exchange. The server starts on an embedded database, and holds no secret of any CI job.",
    );
    let server = Server::start(workspace, folder.path(), simulator.issuer())?;
    tell(&format!("it answers at {}", server.url()));

    scene("Trust. The owner of the model says which job may publish to it: repository, branch and workflow.");
    server.add_publisher(RESOURCE, simulator.issuer())?.expect_success()?.show();

    scene("The Hub's own client, unmodified. It finds the GitHub job, mints an id token and exchanges it.");
    hf(workspace, &server, &job, folder.path())?.expect_success()?.show();

    scene("Our client does the same, for any provider and any registry.");
    let token = countersign(workspace, &server, &job, folder.path())?.expect_success()?;
    token.show();

    scene(
        "The registry checks the access token by itself: signature, audience, expiry, resource. It asks nobody.",
    );
    registry(workspace, &server, RESOURCE, token.printed())?.expect_success()?.show();

    scene("For another model, the same token is worth nothing.");
    registry(workspace, &server, "acme/other-model", token.printed())?.expect_failure()?.show();

    scene("A job of another repository, signed by the same provider. It is refused, and is told why.");
    let stranger = simulator.job("github repository=mallory/train")?;
    hf(workspace, &server, &stranger, folder.path())?.expect_failure()?.show_end();

    scene("The owner sees every exchange in the ledger, with the full reason of each refusal.");
    server.exchanges()?.expect_success()?.show();
    Ok(())
}

/// `hf auth token`, with the job's variables and the two that opt in.
fn hf(workspace: &Workspace, server: &Server, job: &Variables, home: &Path) -> Result<Outcome> {
    let mut hf = Command::new(tools::python::folder(workspace).join("bin/hf"));
    actors::in_job(&mut hf, workspace, job, home);
    hf.args(["auth", "token"]).env("HF_ENDPOINT", server.url()).env("HF_OIDC_RESOURCE", RESOURCE);
    Outcome::of(&mut hf, &["HF_ENDPOINT", "HF_OIDC_RESOURCE"])
}

/// `countersign token`.
fn countersign(workspace: &Workspace, server: &Server, job: &Variables, home: &Path) -> Result<Outcome> {
    let mut countersign = Command::new(workspace.program("countersign"));
    actors::in_job(&mut countersign, workspace, job, home);
    countersign.args(["token", RESOURCE]).env("HF_ENDPOINT", server.url());
    Outcome::of(&mut countersign, &["HF_ENDPOINT"])
}

/// The verification library's example of a registry, which reads the token from its standard input.
fn registry(workspace: &Workspace, server: &Server, resource: &str, token: &str) -> Result<Outcome> {
    let mut registry = Command::new(workspace.program("examples/registry"));
    actors::alone(&mut registry, workspace).args([server.url(), resource]);
    Outcome::with_input(&mut registry, token)
}

fn scene(text: &str) {
    println!("\n● {text}");
}

fn tell(text: &str) {
    println!("  {}", shorten(text));
}

/// Something that the demonstration cannot go on without.
fn missing(what: &str) -> Failure {
    Failure::new(format!(
        "expected {what}, and it did not come; `cargo xtask test` tells which part is broken"
    ))
}
