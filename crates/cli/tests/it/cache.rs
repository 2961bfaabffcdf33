//! Tokens that the processes of one job share: `--cache`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use countersign_simulator::Overrides;
use tempfile::TempDir;

use crate::job::Job;
use crate::registry::{RESOURCE, Registry};

/// The job with a folder for temporary files.
fn with_folder(job: Job) -> (Job, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (job.with("RUNNER_TEMP", folder.path().to_str().unwrap()), folder)
}

/// The one folder that was made below.
fn made_in(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}

const SHARED: [&str; 3] = ["token", RESOURCE, "--cache"];

#[tokio::test(flavor = "multi_thread")]
async fn one_exchange_serves_all_processes_of_a_job() {
    let registry = Registry::new().await;
    let (job, folder) = with_folder(registry.github(&Overrides::new()));
    let start = || job.command(&SHARED).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let running: Vec<_> = (0..6).map(|_| start()).collect();
    let outputs = running.into_iter().map(|child| child.wait_with_output().unwrap());
    let mut tokens: Vec<_> = outputs
        .map(|output| {
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        })
        .collect();
    tokens.dedup();
    assert_eq!((tokens.len(), registry.exchanges().await.len()), (1, 1));

    // Also the other forms, with what is left of the lifetime, and masked like any other.
    let shown = job.run(&["token", RESOURCE, "--cache", "--json"]);
    assert!(shown.contains(tokens[0].trim()) && !shown.contains("\"expires_in\":null"), "{shown}");
    let shown = job.with("COUNTERSIGN_CACHE", "1").run(&["cargo-credential", RESOURCE]);
    assert!(shown.contains(&format!("::add-mask::{}", tokens[0])), "{shown}");
    assert_eq!(registry.exchanges().await.len(), 1);

    for file in fs::read_dir(made_in(folder.path())).unwrap() {
        let content = String::from_utf8_lossy(&fs::read(file.unwrap().path()).unwrap()).into_owned();
        assert!(!content.contains("hf_jwt") && !content.contains("eyJ"), "{content}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_shared_with_another_question_or_another_job() {
    let registry = Registry::new().await;
    let (job, folder) = with_folder(registry.github(&Overrides::new()));
    job.run(&SHARED);
    let mut exchanges = 1;
    let mut expect_another = async |job: &Job, arguments: &[&str]| {
        let shown = job.run(arguments);
        exchanges += 1;
        assert!(shown.starts_with("exit 0\n"), "{shown}");
        assert_eq!(registry.exchanges().await.len(), exchanges, "{arguments:?}");
    };
    expect_another(&job, &["token", RESOURCE]).await;
    expect_another(&job, &["token", "acme", "--cache"]).await;
    let slash = format!("{}/", registry.url.replace("127.0.0.1", "localhost"));
    expect_another(&job, &["token", RESOURCE, "--cache", "--endpoint", &slash, "--audience", &registry.url])
        .await;
    let again = registry.github(&Overrides::new()).with("RUNNER_TEMP", folder.path().to_str().unwrap());
    expect_another(&again, &SHARED).await;
    let supplied = again.with("HF_OIDC_ID_TOKEN", &registry.id_token(&Overrides::new()));
    expect_another(&supplied, &SHARED).await;
    expect_another(&job.with("COUNTERSIGN_CACHE", "0"), &["token", RESOURCE]).await;
}

#[test]
fn where_it_cannot_be_shared_the_token_is_obtained_and_the_reason_said() {
    let (job, folder) = with_folder(Job::github());
    job.run(&SHARED);
    let own = made_in(folder.path());
    fs::remove_dir_all(&own).unwrap();
    fs::write(&own, "").unwrap();
    let shown = job.run(&SHARED).replace(own.to_str().unwrap(), "FOLDER");
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    --- stderr
    countersign: the token is not shared with other processes of this job: expected the folder FOLDER to be this user's alone (mode 0700), found a link or a file; remove it, or set RUNNER_TEMP or TMPDIR to a folder of your own
    ::add-mask::hf_jwt_the-access-token
    ");
    let shown = job.with("RUNNER_TEMP", "/nowhere").run(&SHARED);
    assert!(shown.contains("cannot be used; set RUNNER_TEMP or TMPDIR to one"), "{shown}");
    let (job, _folder) = with_folder(Job::github());
    let job = job.with("PATH", "/usr/bin:/bin");
    let shown = job.run(&["token", RESOURCE, "--cache", "--id-token-command", "echo a.b.c"]);
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    --- stderr
    countersign: the token is not shared with other processes of this job: nothing tells this job from others: expected the secret of a CI job or an id token, and found a machine's identity or a command's
    ::add-mask::hf_jwt_the-access-token
    ");
    insta::assert_snapshot!(job.with("COUNTERSIGN_CACHE", "yes").fail(&["token", RESOURCE]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: the variable COUNTERSIGN_CACHE expects 1 or 0; found "yes"
    "#);
}

#[test]
fn what_is_no_answer_of_this_job_is_replaced() {
    let (job, folder) = with_folder(Job::github());
    job.run(&SHARED);
    let own = made_in(folder.path());
    let files = fs::read_dir(&own).unwrap().map(|file| file.unwrap().path());
    let file = files.into_iter().find(|path| path.extension().is_none()).unwrap();
    fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(b"x").unwrap();
    job.run(&SHARED);
    assert_eq!(exchanges(&job), 2);
    job.run(&SHARED);
    assert_eq!(exchanges(&job), 2);
    fs::remove_file(file).unwrap();
    job.run(&SHARED);
    assert_eq!(exchanges(&job), 3);
}

#[test]
fn what_fails_is_not_shared() {
    let refusal = r#"{"error":"invalid_grant","error_description":"no"}"#;
    let (job, _folder) = with_folder(Job::github().answering("400 Bad Request", refusal));
    assert!(job.fail(&SHARED).starts_with("exit 4\n"));
    job.now_answers("200 OK", r#"{"access_token":"hf_jwt_short","token_type":"bearer","expires_in":0}"#);
    job.run(&SHARED);
    job.run(&SHARED);
    assert_eq!(exchanges(&job), 3, "what has ended is not shared either");
}

#[test]
fn git_says_when_a_token_is_taken_no_more() {
    let (job, _folder) = with_folder(Job::github());
    let host = job.url.trim_start_matches("http://").to_owned();
    let helper = |operation: &str, host: &str| {
        let mut child = job
            .command(&["git-credential", "--resource", RESOURCE, "--cache", operation])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // One that has nothing to forget does not read.
        let _ = child.stdin.take().unwrap().write_all(format!("protocol=http\nhost={host}\n\n").as_bytes());
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(helper("get", &host).contains("password=hf_jwt_the-access-token"));
    helper("store", &host);
    helper("erase", "another.example.com");
    helper("get", &host);
    assert_eq!(exchanges(&job), 1);
    helper("erase", &host);
    helper("get", &host);
    assert_eq!(exchanges(&job), 2);
}

fn exchanges(job: &Job) -> usize {
    job.requests().iter().filter(|request| request.starts_with("POST /oauth/token")).count()
}
