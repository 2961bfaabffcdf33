//! A job that runs the binary, and the server that it talks to.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_client::ambient::ALL;

const ACCESS_TOKEN: &str = "hf_jwt_the-access-token";
const SIGNATURE: &str = "dGhlLXNpZ25hdHVyZQ";

/// What the server answers: a status line with header lines, and a body.
type Answer = (String, String);

/// A job in GitHub Actions with a good id token and a registry that takes it; each test changes one thing.
pub(crate) struct Job {
    pub(crate) url: String,
    pub(crate) answers: Arc<Mutex<Answers>>,
    variables: BTreeMap<String, String>,
}

/// What the server answers, and what it was asked.
#[derive(Default)]
pub(crate) struct Answers {
    mint: Answer,
    token: Answer,
    requests: Vec<String>,
}

impl Job {
    pub(crate) fn github() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = Answers {
            mint: ("200 OK".to_owned(), format!(r#"{{"value":"{}"}}"#, id_token(&claims(&url)))),
            token: (
                "200 OK".to_owned(),
                format!(r#"{{"access_token":"{ACCESS_TOKEN}","token_type":"bearer","expires_in":3600}}"#),
            ),
            requests: Vec::new(),
        };
        let answers = Arc::new(Mutex::new(answers));
        let served = Arc::clone(&answers);
        thread::spawn(move || listener.incoming().for_each(|stream| serve(stream.unwrap(), &served)));
        let mint = format!("{url}/mint?api-version=2.0");
        Self { url: url.clone(), answers, variables: BTreeMap::new() }
            .with("HF_ENDPOINT", &url)
            .with("GITHUB_ACTIONS", "true")
            .with("ACTIONS_ID_TOKEN_REQUEST_URL", &mint)
            .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the-mint-credential")
    }

    /// A job with these variables whose registry is no pretended one.
    pub(crate) fn at(url: &str, variables: Vec<(String, String)>) -> Self {
        let variables = variables.into_iter().collect();
        Self { url: url.to_owned(), answers: Arc::default(), variables }.with("HF_ENDPOINT", url)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    pub(crate) fn minting(self, head: &str, body: &str) -> Self {
        self.answers.lock().unwrap().mint = (head.to_owned(), body.to_owned());
        self
    }

    /// Answers otherwise from now on, whatever runs.
    pub(crate) fn now_answers(&self, head: &str, body: &str) {
        self.answers.lock().unwrap().token = (head.to_owned(), body.to_owned());
    }

    pub(crate) fn answering(self, head: &str, body: &str) -> Self {
        self.answers.lock().unwrap().token = (head.to_owned(), body.to_owned());
        self
    }

    /// First lines and bodies of the requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.answers.lock().unwrap().requests.clone()
    }

    /// What other programs find in this job's environment.
    pub(crate) const fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The binary in this job.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).env_clear().envs(&self.variables);
        command
    }

    /// Runs the binary and shows exit code, standard output and standard error, with the server's address as `SERVER`
    /// and the list of all providers as `(providers)`.
    ///
    /// Neither an id token's signature nor the mint credential is ever shown.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let shown = format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap()
        );
        for secret in [SIGNATURE, "the-mint-credential"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
        let address = self.url.trim_start_matches("http://");
        let providers: Vec<&str> = ALL.iter().map(|provider| provider.name()).collect();
        shown
            .replace(&self.url, "SERVER")
            .replace(address, "SERVER")
            .replace(&providers.join(", "), "(providers)")
    }

    /// The same for a run that fails: it shows no access token either.
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let shown = self.run(arguments);
        assert!(!shown.contains(ACCESS_TOKEN) && !shown.starts_with("exit 0"), "{shown}");
        shown
    }
}

/// The claims of a good token, as JSON.
pub(crate) fn claims(audience: &str) -> String {
    format!(
        r#"{{"iss":"https://token.actions.githubusercontent.com","sub":"repo:acme/train","aud":"{audience}","exp":4102444800,"repository":"acme/train","ref":"refs/heads/main"}}"#
    )
}

pub(crate) fn id_token(claims: &str) -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.{SIGNATURE}", URL_SAFE_NO_PAD.encode(claims))
}

/// Answers one request; none if the client goes away before it has sent one.
pub(crate) fn serve(stream: impl Read + Write, answers: &Mutex<Answers>) {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    if reader.read_line(&mut first).is_err() {
        return;
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut answers = answers.lock().unwrap();
    answers.requests.push(format!("{} {}", first.trim(), String::from_utf8(body).unwrap()).trim().to_owned());
    let (head, body) = if first.starts_with("GET /mint") { &answers.mint } else { &answers.token };
    let answer =
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    reader.get_mut().flush().unwrap();
}
