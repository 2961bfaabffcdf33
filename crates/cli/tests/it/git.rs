//! The real git, which clones and pushes through `countersign git-credential`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Permission;
use countersign_simulator::Overrides;
use tempfile::TempDir;

use crate::front::{self, Answer, Asked};
use crate::job::Job;
use crate::registry::{RESOURCE, Registry};

/// A machine with git on it, and a git server that takes access tokens as passwords.
struct Stage {
    job: Job,
    url: String,
    folder: TempDir,
}

impl Stage {
    async fn new(overrides: &Overrides) -> Self {
        let registry = Arc::new(Registry::new().await);
        let folder = tempfile::tempdir().unwrap();
        let served = folder.path().join("served");
        let repository = served.join(RESOURCE).with_extension("git");
        fs::create_dir_all(&repository).unwrap();
        let job = registry.github(overrides);
        let url =
            front::start(Arc::clone(&registry), move |registry, asked| answer(registry, asked, &served));
        let stage = Self { job, url, folder };
        stage.git(&["init", "--quiet", "--bare", repository.to_str().unwrap()]);
        stage.git(&["-C", repository.to_str().unwrap(), "config", "http.receivepack", "true"]);
        let helper = format!(
            "!{} git-credential --endpoint {} --audience {}",
            env!("CARGO_BIN_EXE_countersign"),
            stage.url,
            registry.url
        );
        stage.git(&["config", "--global", "credential.helper", &helper]);
        stage.git(&["config", "--global", "credential.useHttpPath", "true"]);
        stage.git(&["config", "--global", "user.name", "octocat"]);
        stage.git(&["config", "--global", "user.email", "octocat@example.com"]);
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether git succeeded, and what it said on standard error.
    fn try_git(&self, arguments: &[&str]) -> (bool, String) {
        let mut git = Command::new("git");
        git.args(arguments).envs(self.job.variables()).current_dir(self.folder.path());
        git.env("HOME", self.folder.path()).env("XDG_CONFIG_HOME", self.folder.path());
        git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0").env_remove("GIT_ASKPASS");
        let output = git.stdin(Stdio::null()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }

    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
        let (success, said) = self.try_git(arguments);
        assert!(success, "git {arguments:?}: {said}");
        said
    }
}

/// Reading needs permission to read, pushing to write; the rest is git's own program for web servers.
fn answer(registry: &Registry, asked: &Asked, served: &Path) -> Answer {
    let permission =
        if asked.target.contains("git-receive-pack") { Permission::Write } else { Permission::Read };
    let credential =
        asked.header("authorization").strip_prefix("Basic ").and_then(|text| STANDARD.decode(text).ok());
    let credential = String::from_utf8(credential.unwrap_or_default()).unwrap();
    let resource = asked.target.trim_start_matches('/').split_once(".git/").unwrap().0;
    match credential.split_once(':') {
        Some(("x-access-token", token)) if registry.permits(token, resource, permission) => {
            backend(asked, served)
        }
        _ => ("401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"registry\"".to_owned(), Vec::new()),
    }
}

/// `git http-backend`, a CGI program (RFC 3875).
fn backend(asked: &Asked, served: &Path) -> Answer {
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    let mut backend = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", served)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &asked.method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", asked.header("content-type"))
        .env("CONTENT_LENGTH", asked.body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", asked.header("content-encoding"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    backend.stdin.take().unwrap().write_all(&asked.body).unwrap();
    let output = backend.wait_with_output().unwrap().stdout;
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(output[..end].to_vec()).unwrap();
    (format!("200 OK\r\n{head}"), output[end + 4..].to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn clones_and_pushes() {
    let stage = Stage::new(&Overrides::new()).await;
    let remote = format!("{}/{RESOURCE}.git", stage.url);
    let said = stage.git(&["clone", "--quiet", &remote, "work"]);
    assert!(said.contains("::add-mask::hf_jwt_"), "{said}");
    fs::write(stage.path("work/README.md"), "model\n").unwrap();
    stage.git(&["-C", "work", "add", "README.md"]);
    stage.git(&["-C", "work", "commit", "--quiet", "--message", "add"]);
    stage.git(&["-C", "work", "push", "--quiet", "origin", "HEAD:refs/heads/main"]);
    stage.git(&["clone", "--quiet", "--branch", "main", &remote, "again"]);
    assert_eq!(fs::read_to_string(stage.path("again/README.md")).unwrap(), "model\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_job_is_told_why_and_asked_for_no_password() {
    let stage = Stage::new(&Overrides::new().set("ref", "refs/heads/dev")).await;
    let (success, said) =
        stage.try_git(&["clone", "--quiet", &format!("{}/{RESOURCE}.git", stage.url), "work"]);
    assert!(!success && said.contains("error: the server refused the exchange"), "{said}");
    assert!(said.contains("told us to quit") && !said.contains("could not read Username"), "{said}");
}

/// What the helper prints for that operation and that input.
fn helper(job: &Job, arguments: &[&str], operation: &str, input: &str) -> String {
    let arguments = [&["git-credential"], arguments, &[operation]].concat();
    let mut child = job
        .command(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that remembers nothing does not read either.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    format!("exit {}\n{stdout}{stderr}", output.status.code().unwrap())
}

#[test]
fn the_token_is_for_the_endpoints_host_only() {
    let job = Job::github();
    let host = job.url.trim_start_matches("http://").to_owned();
    let own = format!("protocol=http\nhost={host}\npath=acme/model.git\n\n");
    let shown = helper(&job, &["--username", "octocat"], "get", &own);
    assert!(
        shown.starts_with("exit 0\nusername=octocat\npassword=hf_jwt_the-access-token\npassword_expiry_utc=")
    );
    assert!(job.requests()[1].contains(r#""resource":"acme/model""#));
    helper(&job, &["--resource", "acme/other"], "get", &own);
    assert!(job.requests()[3].contains(r#""resource":"acme/other""#));

    let job = Job::github();
    for other in [
        format!("protocol=https\nhost={host}\npath=acme/model\n"),
        "protocol=http\nhost=evil.example\npath=acme/model\n".to_owned(),
        format!("protocol=http\nhost={host}@evil.example\n"),
        String::new(),
    ] {
        assert_eq!(helper(&job, &["--resource", "acme/model"], "get", &other), "exit 0\n", "{other}");
    }
    for operation in ["store", "erase"] {
        assert_eq!(helper(&job, &[], operation, &own), "exit 0\n");
    }
    assert!(job.requests().is_empty());
    let own = format!("protocol=http\nhost={}\n\n", job.url.trim_start_matches("http://"));
    insta::assert_snapshot!(helper(&job, &[], "get", &own), @r"
    exit 2
    quit=1
    error: expected --resource, or a path from git; for that, set credential.useHttpPath to true
    ");
}
