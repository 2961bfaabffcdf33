//! Where `countersign token` puts tokens.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::thread;

use crate::job::Job;

/// The lines of a file that the runner reads, with its delimiter as `DELIMITER`.
fn lines(text: &str) -> String {
    let delimiter = text.lines().next().unwrap().split_once("<<").unwrap().1.to_owned();
    assert_eq!(delimiter.len(), "countersign_".len() + 32);
    text.replace(&delimiter, "DELIMITER")
}

#[test]
fn several_resources_are_lines_in_order_or_an_object() {
    let job = Job::github();
    insta::assert_snapshot!(job.run(&["token", "acme/model", "datasets/acme/x"]), @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    hf_jwt_the-access-token
    --- stderr
    ::add-mask::hf_jwt_the-access-token
    ::add-mask::hf_jwt_the-access-token
    ");
    assert!(job.requests()[1].contains(r#""resource":"acme/model""#));
    assert!(job.requests()[3].contains(r#""resource":"datasets/acme/x""#));
    insta::assert_snapshot!(job.run(&["token", "acme/model", "acme", "--json"]), @r#"
    exit 0
    --- stdout
    {"acme":{"access_token":"hf_jwt_the-access-token","expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"bearer"},"acme/model":{"access_token":"hf_jwt_the-access-token","expires_in":3600,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"bearer"}}
    --- stderr
    ::add-mask::hf_jwt_the-access-token
    ::add-mask::hf_jwt_the-access-token
    "#);
}

#[test]
fn the_runners_files_are_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    for (option, variable) in [("--github-env", "GITHUB_ENV"), ("--github-output", "GITHUB_OUTPUT")] {
        let file = folder.path().join(variable);
        fs::write(&file, "A<<x\n1\nx\n").unwrap();
        let job = Job::github().with(variable, file.to_str().unwrap());
        let shown = job.run(&["token", "acme/model", "acme", option, "MODEL", option, "USER"]);
        assert!(shown.starts_with("exit 0\n--- stdout\n--- stderr\n::add-mask::hf_jwt_"), "{shown}");
        let text = fs::read_to_string(&file).unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(lines(text.strip_prefix("A<<x\n1\nx\n").unwrap()), @r"
            MODEL<<DELIMITER
            hf_jwt_the-access-token
            DELIMITER
            USER<<DELIMITER
            hf_jwt_the-access-token
            DELIMITER
            ");
        }
        job.run(&["token", "acme/model", option, "MODEL"]);
        let again = fs::read_to_string(&file).unwrap();
        let first = |text: &str| text.lines().last().unwrap().to_owned();
        assert_ne!(first(&text), first(&again), "each time another delimiter");
    }
}

#[test]
fn a_dotenv_file_is_the_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token.env");
    let path = file.to_str().unwrap();
    fs::write(&file, "A=1\n").unwrap();
    let job = Job::github();
    let shown =
        job.run(&["token", "acme/model", "acme", "--dotenv", path, "MODEL", "--dotenv", path, "USER"]);
    assert!(shown.starts_with("exit 0\n--- stdout\n--- stderr\n::add-mask::hf_jwt_"), "{shown}");
    insta::assert_snapshot!(fs::read_to_string(&file).unwrap(), @r"
    A=1
    MODEL=hf_jwt_the-access-token
    USER=hf_jwt_the-access-token
    ");
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn azure_masks_in_its_own_way() {
    let job = Job::github().without("GITHUB_ACTIONS").with("TF_BUILD", "True");
    let shown = job.with("HF_OIDC_ID_TOKEN", "a.b.c").run(&["token", "acme/model"]);
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    --- stderr
    ##vso[task.setsecret]hf_jwt_the-access-token
    ");
}

#[test]
fn buildkites_agent_is_told_by_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("job-api");
    let listener = UnixListener::bind(&socket).unwrap();
    let agent = thread::spawn(move || {
        let mut stream = BufReader::new(listener.accept().unwrap().0);
        let lines: Vec<String> =
            stream.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let length = lines.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
        stream.get_mut().write_all(b"HTTP/1.0 201 Created\r\n\r\n").unwrap();
        (lines, String::from_utf8(body).unwrap())
    });
    let job =
        Job::github().without("GITHUB_ACTIONS").with("HF_OIDC_ID_TOKEN", "a.b.c").with("BUILDKITE", "true");
    let job = job
        .with("BUILDKITE_AGENT_JOB_API_TOKEN", "the-jobs-own")
        .with("BUILDKITE_AGENT_JOB_API_SOCKET", socket.to_str().unwrap());
    insta::assert_snapshot!(job.run(&["token", "acme/model"]), @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    --- stderr
    ");
    let (lines, body) = agent.join().unwrap();
    assert_eq!(lines[0], "POST /api/current-job/v0/redactions HTTP/1.0");
    assert!(lines.iter().any(|line| line == "authorization: Bearer the-jobs-own"), "{lines:?}");
    assert_eq!(body, r#"{"redact":"hf_jwt_the-access-token"}"#);

    let shown = job.run(&["token", "acme/model"]).replace(socket.to_str().unwrap(), "SOCKET");
    insta::assert_snapshot!(shown, @r"
    exit 0
    --- stdout
    hf_jwt_the-access-token
    --- stderr
    countersign: the agent could not be told to hide the token in the log (no connection to SOCKET: Connection refused (os error 111); check the address, the network and the proxy settings); let no command print it
    ");
}

#[test]
fn a_token_that_would_add_lines_goes_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env");
    let job = Job::github().with("GITHUB_ENV", file.to_str().unwrap());
    let job = job.answering("200 OK", r#"{"access_token":"x\nLD_PRELOAD<<y\nz\ny","expires_in":60}"#);
    let shown = job.fail(&["token", "acme/model", "--github-env", "A"]);
    assert!(shown.starts_with("exit 5\n--- stdout\n--- stderr\nerror: "), "{shown}");
    assert!(!file.exists());
}

#[test]
fn a_token_without_a_place_is_not_exchanged() {
    let job = Job::github().with("GITHUB_ENV", "/nowhere/env");
    insta::assert_snapshot!(job.fail(&["token", "a/b", "--github-output", "A"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: --github-output writes to the file in GITHUB_OUTPUT, which is not set; it is in a step of GitHub Actions only
    ");
    insta::assert_snapshot!(job.fail(&["token", "a/b", "a/c", "--github-env", "A"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: --github-env expects one name for each resource; found 1 for 2
    ");
    insta::assert_snapshot!(job.fail(&["token", "a/b", "--github-env", "A<<B"]), @r"
    exit 2
    --- stdout
    --- stderr
    error: --github-env expects the name of a variable, such as MY_TOKEN, and not a token or a value
    ");
    for arguments in [
        &["token", "a/b", "--github-env", "A", "--json"][..],
        &["token", "a/b", "--github-env", "A", "--dotenv", "f", "A"],
        &["token", "a/b", "--dotenv", "f"],
        &["token", "a/b", "--dotenv", "f", "1A"],
    ] {
        assert!(job.fail(arguments).starts_with("exit 2\n"), "{arguments:?}");
    }
    assert!(job.requests().is_empty());
    let shown = job.run(&["token", "a/b", "--github-env", "A"]);
    assert!(shown.starts_with("exit 1\n--- stdout\n--- stderr\n::add-mask::"), "{shown}");
    assert!(shown.contains("error: /nowhere/env could not be written"), "{shown}");
}
