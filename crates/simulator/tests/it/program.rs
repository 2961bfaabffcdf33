//! The program that scripts run.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{ChildStdout, Command, Stdio};

use crate::{jwt, wire};

fn read(output: &mut Lines<BufReader<ChildStdout>>) -> HashMap<String, String> {
    let lines = output.map(Result::unwrap).take_while(|line| !line.is_empty());
    lines
        .map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn serves_jobs_until_its_input_closes() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_countersign-simulator"))
        .args(["github", "--claim", "repository=acme/train", "event_name=workflow_dispatch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = program.stdin.take().unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap()).lines();

    let first = read(&mut output);
    assert_eq!(first["GITHUB_EVENT_NAME"], "workflow_dispatch");
    assert!(first["ACTIONS_ID_TOKEN_REQUEST_URL"].starts_with(&first["ISSUER"]));
    let bearer = format!("Bearer {}", first["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]);
    assert_eq!(wire::get(&first["ACTIONS_ID_TOKEN_REQUEST_URL"], Some(&bearer)).await.0, 200);

    writeln!(input, "github repository=acme/other ref=refs/tags/v1").unwrap();
    let second = read(&mut output);
    assert_eq!(second["ISSUER"], first["ISSUER"]);
    assert_eq!(second["GITHUB_REPOSITORY"], "acme/other");

    writeln!(input, "github --mint https://trust.example.com --immutable-subject").unwrap();
    let minted = read(&mut output);
    assert_eq!(jwt::claims(&minted["ID_TOKEN"])["aud"], "https://trust.example.com");
    assert!(jwt::claims(&minted["ID_TOKEN"])["sub"].as_str().unwrap().starts_with("repo:acme@65/train@74:"));

    writeln!(input, "gitlab --audience https://hub.example.com --variable HF_ID_TOKEN").unwrap();
    assert_eq!(jwt::claims(&read(&mut output)["HF_ID_TOKEN"])["aud"], "https://hub.example.com");

    writeln!(input, "bitbucket branchName=dev --audience https://hub.example.com").unwrap();
    let bitbucket = jwt::claims(&read(&mut output)["BITBUCKET_STEP_OIDC_TOKEN"]);
    assert_eq!(
        (bitbucket["branchName"].as_str(), &bitbucket["aud"][1]),
        (Some("dev"), &"https://hub.example.com".into())
    );

    for (line, remedy) in [
        ("", "expected github or gitlab"),
        ("jenkins", "expected a provider: github"),
        ("generic", "nobody plays generic; expected one of github, gitlab, circleci"),
        ("github nonsense", "expected NAME=TEXT"),
        ("gitlab", "--audience <URL>"),
    ] {
        writeln!(input, "{line}").unwrap();
        let answer = read(&mut output);
        assert!(answer["ERROR"].contains(remedy), "{line}: {answer:?}");
    }

    drop(input);
    assert!(program.wait().unwrap().success());
}
