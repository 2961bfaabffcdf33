//! What a person at a terminal sees: the tool in a real terminal emulator, which `cargo xtask test` installs.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use tempfile::TempDir;

use crate::job::Job;

/// A terminal of its own, so wide that no line of it is broken, and the job in it.
struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Runs the script in the job; it ends by waiting for the terminal to go away.
    fn run(job: &Job, script: &str) -> Self {
        let terminal = Self { folder: tempfile::tempdir().unwrap() };
        let job = job.variables().iter();
        let variables: Vec<String> = job.map(|(name, value)| format!("export {name}='{value}'\n")).collect();
        let own =
            format!("tool='{}'\nsocket='{}'\n", env!("CARGO_BIN_EXE_countersign"), terminal.path("socket"));
        let end = "tmux -S $socket wait-for -S done; cat\n";
        fs::write(terminal.path("script"), [&own, &*variables.concat(), script, "\n", end].concat()).unwrap();
        assert!(Command::new("mkfifo").arg(terminal.path("output")).status().unwrap().success());
        let start = format!("sh '{}'", terminal.path("script"));
        // The pane waits for its first line, so that nothing of its output is missed.
        let held = format!("read line; {start}");
        terminal.tmux(&["new-session", "-d", "-x", "400", "-y", "30", &held]);
        terminal
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> String {
        let output =
            self.try_tmux(arguments).expect("tmux is missing: run `cargo xtask test`, which installs it");
        assert!(output.status.success(), "tmux {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn try_tmux(&self, arguments: &[&str]) -> io::Result<Output> {
        let mut tmux = Command::new("tmux");
        tmux.args(["-f", "/dev/null", "-S", &self.path("socket")]).args(arguments);
        // Where the tests run may be a tmux itself.
        tmux.env_remove("TMUX").env("LC_ALL", "C.UTF-8").stdin(Stdio::null()).output()
    }

    /// Lets the script begin.
    fn begin(&self) {
        self.tmux(&["send-keys", "Enter"]);
    }

    /// What is written to the terminal from the beginning on, until this text has come, or an error in its place.
    fn written_until(&self, text: &str) -> String {
        let output = self.path("output");
        self.tmux(&["pipe-pane", "-O", &format!("cat > '{output}'")]);
        let mut written = Vec::new();
        let mut output = File::open(output).unwrap();
        self.begin();
        let has_come = |written: &[u8]| {
            let written = String::from_utf8_lossy(written);
            written.contains(text) || written.contains("error:")
        };
        while !has_come(&written) {
            let mut byte = [0];
            output.read_exact(&mut byte).unwrap();
            written.extend(byte);
        }
        String::from_utf8(written).unwrap()
    }

    fn wait(&self, channel: &str) {
        self.tmux(&["wait-for", channel]);
    }

    /// The screen when the script is done, with its colours as escape sequences, written `^[`.
    fn screen(&self) -> String {
        self.wait("done");
        let screen = self.tmux(&["capture-pane", "-p", "-e"]).replace('\u{1b}', "^[");
        screen.trim().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // With it go the session and all that runs in it. It fails if they have gone already, which a test notices otherwise.
        let _ = self.try_tmux(&["kill-server"]);
    }
}

/// A registry that answers when it is told to.
fn held() -> (String, mpsc::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (release, released) = mpsc::channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        released.recv().unwrap();
        let body = r#"{"access_token":"hf_jwt_late","token_type":"bearer","expires_in":3600}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).unwrap();
    });
    (url, release)
}

#[test]
fn verdicts_have_colours() {
    let job = Job::github().without("ACTIONS_ID_TOKEN_REQUEST_URL");
    let terminal =
        Terminal::run(&job, "$tool doctor --quiet; NO_COLOR=1 $tool token a/b; $tool token a/b | cat");
    terminal.begin();
    insta::assert_snapshot!(terminal.screen().replace(&job.url, "SERVER"), @r"
    ^[[1m^[[31mWRONG  ^[[0m^[[39m^[[49m  variables     GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_URL is not set
    ^[[33mremark ^[[39m  registry      the metadata of SERVER names no token endpoint

    ^[[1m^[[31mto do:^[[0m^[[39m^[[49m add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments

        jobs:
          publish:
            permissions:
              id-token: write
              contents: read
    error: GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_URL is not set; add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments
    ^[[1m^[[31merror:^[[0m^[[39m^[[49m GitHub Actions gives this job no id token: ACTIONS_ID_TOKEN_REQUEST_URL is not set; add `permissions: id-token: write` to the job (a pull request from a fork never gets one); see https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments
    ");
}

#[test]
fn what_is_waited_for_is_shown_until_it_has_come() {
    let (url, release) = held();
    let job = Job::github().with("HF_OIDC_ID_TOKEN", "a.b.c").without("GITHUB_ACTIONS");
    let terminal = Terminal::run(&job, &format!("$tool token acme/model --endpoint {url}"));
    let host = url.trim_start_matches("http://");
    let written = terminal.written_until(" …");
    assert!(written.ends_with(&format!("\r\u{1b}[Kcountersign: waiting for {host} …")), "{written:?}");
    release.send(()).unwrap();
    assert_eq!(terminal.screen(), "hf_jwt_late", "nothing of it stays");
}

#[test]
fn an_interrupt_reaches_the_command_once() {
    // The shell outlives the interrupt too, which the terminal sends to all that run in it.
    let script = "trap : INT; $tool exec acme/model -- sh -c '[ -t 0 ] && [ -t 1 ] && echo has the terminal
        n=0; trap \"n=\\$((n+1))\" INT; tmux -S '$socket' wait-for -S ready
        until read line; do :; done; echo $line after $n interrupts'";
    let terminal = Terminal::run(&Job::github().with("NO_COLOR", "1"), script);
    terminal.begin();
    terminal.wait("ready");
    terminal.tmux(&["send-keys", "C-c"]);
    terminal.tmux(&["send-keys", "read", "Enter"]);
    insta::assert_snapshot!(terminal.screen(), @r"
    ::add-mask::hf_jwt_the-access-token
    has the terminal
    ^Cread
    read after 1 interrupts
    ");
}
