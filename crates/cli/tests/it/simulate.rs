//! `countersign simulate`.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use countersign_simulator::{Overrides, Simulator};
use serde_json::Value;

use crate::job::Job;
use crate::registry::{RESOURCE, Registry};

const BINARY: &str = env!("CARGO_BIN_EXE_countersign");

/// A laptop: no job, and one variable that is nobody's.
fn laptop() -> Job {
    Job::at("http://127.0.0.1:1", vec![("MINE".to_owned(), "kept".to_owned())])
}

/// Standard output of a run that worked.
#[track_caller]
fn printed(job: &Job, arguments: &[&str]) -> String {
    let output = job.command(arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {said}");
    assert!(said.starts_with("countersign: a pretended job of "), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_provider_is_recognised_even_in_a_job_of_all_others() {
    let simulator = Simulator::start().await.unwrap();
    let everything: Vec<_> =
        simulator.providers().flat_map(|provider| provider.job(&Overrides::new(), "x")).collect();
    let job = Job::at("http://127.0.0.1:1", everything);
    for provider in simulator.providers() {
        let name = provider.preset().preset().name;
        // Some cannot give a token for this audience: the doctor says who was asked all the same.
        let output = job.command(&["simulate", name, "--", BINARY, "doctor", "--json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        // Or that its issuer was, where a provider's jobs look like those of another.
        let found = report["steps"].to_string();
        let is_found =
            found.contains(&format!(" ({name}), ")) || found.contains(&format!("/{name}, subject"));
        assert!(is_found, "in a job of {name}, see simulate/environment.rs: {report}");
    }
}

#[test]
fn claims_differ_as_told() {
    let arguments =
        ["simulate", "github", "--claim", "repository=octo/x", "--claim", "n:=7", "--", BINARY, "whoami"];
    let shown = printed(&laptop(), &arguments);
    for line in
        ["  repository             octo/x", "  repository_owner       octo", "  n                      7"]
    {
        assert!(shown.lines().any(|found| found == line), "{line:?} is not in {shown}");
    }
    let shown = printed(&laptop(), &["simulate", "gitlab", "--", "sh", "-c", "echo $MINE $CI_PROJECT_PATH"]);
    assert_eq!(shown, "kept acme/train\n");
}

#[test]
fn the_exit_code_is_the_commands() {
    let run = |command: &[&str]| laptop().run(&[&["simulate", "github", "--"], command].concat());
    assert!(run(&["sh", "-c", "exit 7"]).starts_with("exit 7\n"));
    assert!(run(&["no-such-command"]).starts_with("exit 127\n"));
    for arguments in [
        &["simulate", "github"][..],
        &["simulate", "github", "--serve", "--", "true"],
        &["simulate", "jenkins", "--", "true"],
        &["simulate", "github", "--claim", "nonsense", "--", "true"],
        &["simulate", "generic", "--", "true"],
    ] {
        assert!(
            laptop().fail(arguments).starts_with("exit 2\n--- stdout\n--- stderr\nerror: "),
            "{arguments:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_can_be_rehearsed_against_a_server_that_knows_the_issuer() {
    let mut serving = laptop()
        .command(&["simulate", "github", "--serve"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serving.stdout.take().unwrap()).lines().map(Result::unwrap);
    let note = lines.next().unwrap();
    let issuer = note.strip_prefix("# a pretended job of GitHub Actions; its issuer is ").unwrap();
    let exports: Vec<String> =
        lines.by_ref().take_while(|line| !line.contains("RUNNER_ENVIRONMENT")).collect();

    let known = format!("[[issuers]]\nurl = \"{issuer}\"\npreset = \"github\"\n");
    let registry = Registry::configured(&known).await;
    registry.trust_github(RESOURCE, issuer).await;
    // Another shell sources what was printed.
    let script = format!("{}\nexec {BINARY} token {RESOURCE}", exports.join("\n"));
    let output =
        Command::new("sh").args(["-c", &script]).env_clear().env("HF_ENDPOINT", &registry.url).output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    let token = String::from_utf8(output.stdout).unwrap();
    registry.verify(token.trim(), RESOURCE, countersign_core::Permission::Write).await;

    let mut input = serving.stdin.take().unwrap();
    input.write_all(b"\n").unwrap();
    drop(input);
    assert!(serving.wait().unwrap().success());
}

#[test]
fn values_are_quoted_for_the_shell() {
    let claim = "ref=refs/heads/it's $(here)";
    let mut serving = laptop()
        .command(&["simulate", "github", "--claim", claim, "--serve"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let exports: String =
        BufReader::new(serving.stdout.take().unwrap()).lines().map(|line| line.unwrap() + "\n").collect();
    let output = Command::new("sh").args(["-c", &format!("{exports}\nenv")]).env_clear().output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let found: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(found["GITHUB_REF"], "refs/heads/it's $(here)");
    assert!(serving.wait().unwrap().success());
}
