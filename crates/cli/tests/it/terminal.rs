//! What a person sees: colours on a terminal, and silence when asked for.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::job::Job;

/// What the command writes to a terminal, with escape sequences as `^[`.
fn on_a_terminal(mut command: Command) -> String {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let slave = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    command.stdin(Stdio::null()).stdout(slave.try_clone().unwrap()).stderr(slave);
    command.spawn().unwrap().wait().unwrap();
    // The last copy of the terminal's other side; without it, reading ends, with an error on Linux.
    drop(command);
    let (mut bytes, mut file) = (Vec::new(), std::fs::File::from(master));
    let _ = file.read_to_end(&mut bytes);
    String::from_utf8(bytes).unwrap().replace('\u{1b}', "^[").replace("\r\n", "\n")
}

fn broken() -> Job {
    Job::github().without("ACTIONS_ID_TOKEN_REQUEST_URL")
}

#[test]
fn errors_and_verdicts_have_colours_on_a_terminal() {
    let shown = on_a_terminal(broken().command(&["token", "a/b"]));
    assert!(shown.starts_with("^[[1;31merror:^[[0m GitHub Actions gives this job no id token"), "{shown}");
    let shown = on_a_terminal(broken().command(&["doctor"]));
    for line in [
        "^[[32mgood   ^[[0m  provider  ",
        "^[[1;31mWRONG  ^[[0m  variables  ",
        "^[[2mskipped^[[0m  token  ",
        "^[[1;31mto do:^[[0m add ",
    ] {
        assert!(shown.lines().any(|found| found.starts_with(line)), "{line:?} is not in {shown}");
    }
}

#[test]
fn who_wants_no_colours_gets_none() {
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let shown = on_a_terminal(broken().with(name, value).command(&["doctor"]));
        assert!(!shown.contains("^["), "{shown}");
    }
    assert!(!broken().run(&["doctor"]).contains('\u{1b}'), "a pipe is no terminal");
}

#[test]
fn quiet_says_what_is_wrong_and_nothing_else() {
    insta::assert_snapshot!(broken().fail(&["doctor", "--quiet"]), @r"
    exit 3
    --- stdout
    WRONG    variables     GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_URL is not set
    remark   registry      the metadata of SERVER names no token endpoint

    to do: add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments

        jobs:
          publish:
            permissions:
              id-token: write
              contents: read
    --- stderr
    ");
    assert_eq!(
        Job::github().run(&["simulate", "github", "-q", "--", "true"]),
        "exit 0\n--- stdout\n--- stderr\n"
    );
    let shown = Job::github().run(&["--quiet", "token", "acme/model"]);
    assert!(shown.contains("::add-mask::"), "a mask is no remark: {shown}");
}
