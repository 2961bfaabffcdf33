//! Arguments, help and exit codes.

use crate::job::Job;

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let rows: [&[&str]; 9] = [
        &[],
        &["token"],
        &["nonsense"],
        &["token", ""],
        &["token", "acme /model"],
        &["token", "a/b", "--audience", ""],
        &["token", "a/b", "--endpoint", "nonsense"],
        &["token", "a/b", "--provider", "jenkins"],
        &["token", "a/b", "--id-token-env", ""],
    ];
    for arguments in rows {
        let job = Job::github();
        let shown = job.fail(arguments);
        assert!(shown.starts_with("exit 2\n--- stdout\n--- stderr\n"), "{arguments:?}: {shown}");
        assert!(job.requests().is_empty());
    }
    insta::assert_snapshot!(Job::github().fail(&["token", "a/b", "--provider", "jenkins"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: the CI provider "jenkins" is not supported; expected one of github (GitHub Actions), gitlab (GitLab CI)
    "#);
    insta::assert_snapshot!(Job::github().with("HF_ENDPOINT", "http://hub.example.com").fail(&["whoami"]), @r#"
    exit 2
    --- stdout
    --- stderr
    error: the variable HF_ENDPOINT is no address of a registry
      caused by: http:// is accepted for loopback addresses only; use https:// for "hub.example.com"
    "#);
}

#[test]
fn secrets_in_the_wrong_place_are_not_repeated() {
    insta::assert_snapshot!(Job::github().fail(&["token", "a/b", "--id-token-env", "a.b.dGhlLXNpZ25hdHVyZQ"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: --id-token-env expects the name of a variable, such as MY_ID_TOKEN, and not the token itself
    ");
    let password = "https://user:dGhlLXNpZ25hdHVyZQ@hub.example.com";
    insta::assert_snapshot!(Job::github().fail(&["token", "a/b", "--endpoint", password]), @r"
    exit 2
    --- stdout
    --- stderr
    error: --endpoint is no address of a registry
      caused by: expected a URL without user name and password
    ");
}

#[test]
fn help_teaches_by_example_and_lists_the_exit_codes() {
    insta::assert_snapshot!(Job::github().run(&["--help"]), @"");
    insta::assert_snapshot!(Job::github().run(&["token", "--help"]), @"");
    let shown = Job::github().run(&["whoami", "--help"]);
    assert!(shown.starts_with("exit 0") && shown.contains("countersign whoami --json"), "{shown}");
}
