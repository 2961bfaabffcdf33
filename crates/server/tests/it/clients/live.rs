//! The server's own program on real time, with a pretend GitHub and GitLab beside it, and the jobs that clients run in.

use std::path::Path;
use std::process::{Command, Output};

use countersign_core::{AccessToken, Permission};
use countersign_server::clock::{Clock as _, SystemClock};
use countersign_simulator::{Overrides, Simulator};
use countersign_verify::AccessTokenVerifier;
use serde_json::Value;
use tempfile::TempDir;

use super::authority::Authority;
use crate::program::Program;

pub(crate) struct Live {
    pub(crate) url: String,
    pub(crate) simulator: Simulator,
    pub(crate) folder: TempDir,
    authority: Option<Authority>,
    program: Program,
}

impl Drop for Live {
    fn drop(&mut self) {
        // Fails if it has ended by itself, which a test notices otherwise.
        let _ = self.program.child.kill();
        let _ = self.program.child.wait();
    }
}

/// What a client did.
pub(crate) struct Ran {
    pub(crate) succeeded: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Live {
    pub(crate) async fn new() -> Self {
        Self::start(tempfile::tempdir().unwrap(), None).await
    }

    /// Speaks HTTPS with a certificate of a private authority.
    pub(crate) async fn with_tls() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::certify(folder.path());
        Self::start(folder, Some(authority)).await
    }

    async fn start(folder: TempDir, authority: Option<Authority>) -> Self {
        let simulator = Simulator::start().await.unwrap();
        let tls =
            if authority.is_some() { "[tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n" } else { "" };
        let (github, gitlab) = (simulator.github().issuer(), simulator.gitlab().issuer());
        let configuration = format!(
            "listen = \"127.0.0.1:0\"\n{tls}[[issuers]]\nurl = \"{github}\"\npreset = \"github\"\n\
             [[issuers]]\nurl = \"{gitlab}\"\npreset = \"gitlab\"\n"
        );
        std::fs::write(folder.path().join("countersign.toml"), configuration).unwrap();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        let program = Program::start(folder.path());
        let url = match authority {
            Some(_) => program.url.replace("http://", "https://"),
            None => program.url.clone(),
        };
        Self { url, simulator, folder, authority, program }
    }

    /// Trusts the good run on GitHub, by its ids too; the publisher's id.
    pub(crate) fn trust(&self, resource: &str) -> String {
        let rules = "--set repository=acme/train --set branch=main --set workflow=publish.yml";
        let pins = "--pin repository_id=74 --pin repository_owner_id=65";
        self.trust_with(&format!("{resource} --provider github {rules} {pins}"))
    }

    pub(crate) fn trust_with(&self, arguments: &str) -> String {
        let publisher = self.operate(&format!("publisher add {arguments}"));
        publisher["id"].as_str().unwrap().to_owned()
    }

    /// The latest exchange on record.
    pub(crate) fn recorded(&self) -> Value {
        self.operate("exchanges --limit 1")[0].take()
    }

    fn operate(&self, arguments: &str) -> Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-server"));
        command.args(arguments.split(' ')).arg("--json").current_dir(self.folder.path());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// An id token of the good run.
    pub(crate) fn id_token(&self) -> String {
        self.simulator.github().mint(&Overrides::new(), &self.url)
    }

    /// A program in a job: it sees nothing of this machine but where programs are, and the private authority.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let home = self.folder.path().join("home");
        command.env_clear().env("PATH", search_path()).env("HOME", &home).current_dir(home);
        if let Some(authority) = &self.authority {
            for variable in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"] {
                command.env(variable, &authority.file);
            }
        }
        command
    }

    /// Verifies a token as a registry would, which fetches the keys once and then needs nobody.
    pub(crate) async fn verify(&self, token: &str, resource: &str, permission: Permission) {
        let mut http = reqwest::Client::builder().no_proxy();
        if let Some(authority) = &self.authority {
            let certificate = reqwest::Certificate::from_pem(authority.pem.as_bytes()).unwrap();
            http = http.tls_certs_only([certificate]);
        }
        let keys = http.build().unwrap().get(format!("{}/.well-known/jwks.json", self.url));
        let keys = keys.send().await.unwrap().bytes().await.unwrap();
        let keys = AccessTokenVerifier::keys(&keys).unwrap();
        let own = &self.url;
        let verifier = AccessTokenVerifier::offline(own.parse().unwrap(), own.parse().unwrap(), keys);
        let token = AccessToken::from(token.to_owned());
        let access =
            verifier.verify(&token, &resource.parse().unwrap(), permission, SystemClock.now()).unwrap();
        assert_eq!(access.token_id(), self.recorded()["id"], "the token leads to its exchange");
    }

    /// Checks that a client shows the id of the request that was refused, and returns what it wrote without what changes
    /// from run to run.
    pub(crate) fn refusal(&self, ran: &Ran) -> String {
        assert!(!ran.succeeded && ran.stdout.is_empty(), "{ran:?}");
        let recorded = self.recorded();
        let id = recorded["id"].as_str().unwrap();
        assert!(ran.stderr.contains(id), "{id} is not in {}", ran.stderr);
        self.plain(&ran.stderr).replace(id, "REQUEST")
    }

    /// The text without addresses and times.
    pub(crate) fn plain(&self, text: &str) -> String {
        let is_time = |word: &str| word.len() == 10 && word.parse::<u64>().is_ok();
        let words = text.split(' ').map(|word| if is_time(word) { "TIME" } else { word });
        let text = words.collect::<Vec<_>>().join(" ");
        let (github, gitlab) = (self.simulator.github().issuer(), self.simulator.gitlab().issuer());
        text.replace(&self.url, "SERVER")
            .replace(github.as_str(), "GITHUB")
            .replace(gitlab.as_str(), "GITLAB")
    }
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { succeeded: status.success(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// The one line that it printed.
    #[track_caller]
    pub(crate) fn token(&self) -> &str {
        assert!(self.succeeded, "{self:?}");
        self.stdout.trim_end()
    }
}

impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { succeeded, stdout, stderr } = self;
        write!(f, "succeeded: {succeeded}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }
}

#[expect(clippy::disallowed_methods, reason = "where the machine that runs the tests keeps its programs")]
fn search_path() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}
