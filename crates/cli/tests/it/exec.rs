//! `countersign exec`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use countersign_core::Permission;
use countersign_server::clock::{Clock as _, SystemClock};
use countersign_simulator::Overrides;
use tempfile::TempDir;

use crate::job::Job;
use crate::registry::{RESOURCE, Registry};

/// A job whose temporary files are in a folder of its own.
fn job() -> (Job, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (Job::github().with("TMPDIR", folder.path().to_str().unwrap()), folder)
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

fn start(mut command: Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// A token answer with a lifetime of two seconds.
const SHORT: &str = r#"{"access_token":"hf_jwt_short","token_type":"bearer","expires_in":2}"#;

/// A note without what depends on how busy the machine is.
fn timeless(note: &str) -> String {
    let (before, rest) = note.split_once('(').unwrap();
    let (left, after) = rest.split_once(';').unwrap();
    assert!(["it has ended", "it is good for another 1 s"].contains(&left), "{note}");
    format!("{before}(LEFT;{after}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_outlives_three_tokens_always_finds_a_valid_one() {
    let registry = Registry::configured("[tokens]\nlifetime = \"4s\"\n").await;
    let folder = tempfile::tempdir().unwrap();
    let go_on = folder.path().join("go-on");
    fs::write(&go_on, "").unwrap();
    let job = registry.github(&Overrides::new()).with("TMPDIR", folder.path().to_str().unwrap());
    let script = format!("while [ -e {} ]; do cat $HF_TOKEN_PATH; echo; sleep 0.1; done", go_on.display());
    let mut child = start(job.command(&["exec", RESOURCE, "--file-only", "--", "sh", "-c", &script]));
    let mut ends = BTreeSet::new();
    for token in BufReader::new(child.stdout.take().unwrap()).lines() {
        let ends_at = registry.verified(&token.unwrap(), RESOURCE, Permission::Write).expires_at();
        let now = SystemClock.now();
        assert!(now < ends_at, "a token that ended at {ends_at} was in the file at {now}");
        ends.insert(ends_at);
        if ends.iter().filter(|end| **end <= now).count() == 3 && go_on.exists() {
            fs::remove_file(&go_on).unwrap();
        }
    }
    assert!(child.wait().unwrap().success());
    assert!(ends.len() > 3, "{ends:?}");
    // Each was bought with an id token of its own; the last may have come after the last look at the file.
    assert!(registry.exchanges().await.len() >= ends.len());
    assert!(is_empty(folder.path()), "the token file is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_ends_with_the_command() {
    let registry = Registry::new().await;
    let job = registry.github(&Overrides::new());
    let shown = job.run(&["exec", RESOURCE, "--", "true"]);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert!(!registry.is_latest_token_live().await);
    job.run(&["token", RESOURCE]);
    assert!(registry.is_latest_token_live().await, "that of another command is another matter");
}

#[test]
fn the_token_is_where_the_tool_expects_it_and_nowhere_else() {
    let (job, folder) = job();
    let job = job.with("HF_OIDC_RESOURCE", "acme/other").with("HUGGING_FACE_HUB_TOKEN", "hf_other");
    let script = "echo $HF_TOKEN; cat $HF_TOKEN_PATH; echo; stat -c %a $HF_TOKEN_PATH $(dirname $HF_TOKEN_PATH); \
                  env | grep -c -e OIDC -e hf_other; tr '\\0' '\\n' < /proc/$PPID/cmdline | grep -c 'hf_jwt[_]' || :";
    insta::assert_snapshot!(job.run(&["exec", "acme/model", "--", "sh", "-c", script]), @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    hf_jwt_the-access-token
    600
    700
    0
    0
    --- stderr
    ::add-mask::hf_jwt_the-access-token
    ");
    assert!(is_empty(folder.path()), "the token file is still there");

    let script = "echo [$HF_TOKEN] $A $B; cat $P; echo; cat $Q; [ -z $HF_TOKEN_PATH ]";
    let names =
        ["exec", "acme/model", "--env", "A", "--env=B", "--token-file-env", "P", "--token-file-env", "Q"];
    let shown = job.run(&[&names[..], &["--", "sh", "-c", script]].concat());
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    [] hf_jwt_the-access-token hf_jwt_the-access-token
    hf_jwt_the-access-token
    hf_jwt_the-access-token--- stderr
    ::add-mask::hf_jwt_the-access-token
    ");
    let job = job.with("HF_TOKEN", "hf_other");
    let shown = job.run(&["exec", "acme/model", "--file-only", "--", "sh", "-c", "env | grep ^HF_TOKEN="]);
    insta::assert_snapshot!(shown, @r"
    exit 1
    --- stdout
    --- stderr
    ::add-mask::hf_jwt_the-access-token
    ");
}

#[test]
fn the_exit_code_is_the_commands() {
    let (job, folder) = job();
    let not_executable = folder.path().to_str().unwrap();
    let rows: [(&[&str], &str); 6] = [
        (&["true"], "exit 0\n"),
        (&["sh", "-c", "exit 7"], "exit 7\n"),
        (&["sh", "-c", "kill -9 $$"], "exit 137\n"),
        (&["sh", "-c", "kill -TERM $$"], "exit 143\n"),
        (&["no-such-command"], "exit 127\n"),
        (&[not_executable], "exit 126\n"),
    ];
    for (command, expected) in rows {
        let shown = job.run(&[&["exec", "acme/model", "--"], command].concat());
        assert!(shown.starts_with(expected), "{command:?}: {shown}");
    }
    insta::assert_snapshot!(job.run(&["exec", "acme/model", "--", "no-such-command"]), @r#"
    exit 127
    --- stdout
    --- stderr
    ::add-mask::hf_jwt_the-access-token
    error: the command "no-such-command" could not be started; check its name and PATH
      caused by: No such file or directory (os error 2)
    "#);
    assert!(is_empty(folder.path()), "a token file is still there");
}

#[test]
fn signals_are_passed_on() {
    for signal in ["HUP", "INT", "TERM"] {
        let (job, folder) = job();
        let script =
            format!("trap 'echo {signal}; exit 3' {signal}; echo ready; while :; do sleep 0.05; done");
        let mut child = start(job.command(&["exec", "acme/model", "--", "sh", "-c", &script]));
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        line.clear();
        output.read_to_string(&mut line).unwrap();
        assert_eq!((line.trim(), child.wait().unwrap().code()), (signal, Some(3)));
        assert!(is_empty(folder.path()), "the token file is still there");
    }
}

#[test]
fn a_failed_renewal_is_said_and_tried_again_and_ends_nothing() {
    let (job, folder) = job();
    let job = job.answering("200 OK", SHORT);
    let stop = folder.path().join("stop");
    let script =
        format!("echo ready; until [ -e {} ]; do sleep 0.05; done; cat $HF_TOKEN_PATH", stop.display());
    let mut child = start(job.command(&["exec", "acme/model", "--", "sh", "-c", &script]));
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    job.now_answers("400 Bad Request", r#"{"error":"invalid_grant","error_description":"no more"}"#);
    let mut notes = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let note = notes.find(|line| line.starts_with("countersign:")).unwrap();
    insta::assert_snapshot!(timeless(&note), @"countersign: the token was not renewed (LEFT; next attempt in 1 s): the server refused the exchange: invalid_grant: no more (status 400)");
    job.now_answers("200 OK", &SHORT.replace("short", "renewed"));
    notes.find(|line| line == "::add-mask::hf_jwt_renewed").unwrap();
    // The mask comes first; the file has the token when its next renewal is masked.
    notes.find(|line| line == "::add-mask::hf_jwt_renewed").unwrap();
    fs::write(&stop, "").unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("hf_jwt_renewed", Some(0)));
}

#[test]
fn an_id_token_that_is_used_up_is_said_once() {
    let (job, folder) = job();
    let job = job.without("GITHUB_ACTIONS").with("HF_OIDC_ID_TOKEN", "a.b.c").answering("200 OK", SHORT);
    let stop = folder.path().join("stop");
    let script = format!("echo ready; until [ -e {} ]; do sleep 0.05; done", stop.display());
    let mut child = start(job.command(&["exec", "acme/model", "--", "sh", "-c", &script]));
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    job.now_answers("400 Bad Request", r#"{"error":"invalid_grant","error_description":"used"}"#);
    let mut notes = BufReader::new(child.stderr.take().unwrap());
    let mut note = String::new();
    notes.read_line(&mut note).unwrap();
    insta::assert_snapshot!(timeless(&note), @"countersign: the token was not renewed (LEFT; the job's id token is used up, so there will be no other): the server refused the exchange: invalid_grant: used (status 400)");
    let exchanges =
        || job.requests().iter().filter(|request| request.starts_with("POST /oauth/token")).count();
    let made = exchanges();
    fs::write(&stop, "").unwrap();
    assert!(child.wait().unwrap().success());
    notes.read_to_string(&mut String::new()).unwrap();
    assert_eq!(exchanges(), made, "nothing is asked after that");
}

#[test]
fn without_a_token_the_command_does_not_run() {
    let (job, folder) = job();
    let job = job.answering("400 Bad Request", r#"{"error":"invalid_grant","error_description":"no"}"#);
    let shown = job.fail(&["exec", "acme/model", "--", "echo", "ran"]);
    assert!(shown.starts_with("exit 4\n--- stdout\n--- stderr\n"), "{shown}");
    for arguments in [
        &["exec", "acme/model"][..],
        &["exec", "acme/model", "echo", "ran"],
        &["exec", "acme/model", "--env", "HF_TOKEN=x", "--", "echo", "ran"],
        &["exec", "acme/model", "--env", "A", "--file-only", "--", "echo", "ran"],
    ] {
        let shown = job.fail(arguments);
        assert!(shown.starts_with("exit 2\n--- stdout\n--- stderr\n"), "{arguments:?}: {shown}");
    }
    let nowhere = Job::github().with("TMPDIR", "/nowhere");
    let shown = nowhere.run(&["exec", "acme/model", "--", "echo", "ran"]);
    assert!(shown.starts_with("exit 1\n--- stdout\n--- stderr\n"), "{shown}");
    assert!(shown.contains("set RUNNER_TEMP or TMPDIR to a folder"), "{shown}");
    assert!(is_empty(folder.path()));
}
