//! A pretend job: variables, a clock that only moves when told, files from a map, and scripts of HTTP answers and of what
//! commands print.

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_client::ambient::ALL;
use countersign_client::http::{Http, HttpError, Method, Request, Response};
use countersign_client::{
    Client, Clock, Command, CommandError, Commands, Files, Settings, Surroundings, Variables,
};
use countersign_core::UnixTime;
use serde_json::{Value, json};

pub(crate) const NOW: i64 = 1_800_000_000;
pub(crate) const HUB: &str = "https://huggingface.co";
pub(crate) const MINT_URL: &str = "https://mint.example.com/token?api-version=2.0";

/// The job and everything that it did.
#[derive(Clone, Default)]
pub(crate) struct Job {
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    variables: BTreeMap<String, String>,
    files: BTreeMap<PathBuf, Result<String, io::ErrorKind>>,
    answers: VecDeque<Result<Response, HttpError>>,
    printed: VecDeque<Result<String, CommandError>>,
    sent: Vec<String>,
    ran: Vec<String>,
    slept: Vec<Duration>,
    monotonic: Duration,
}

impl Job {
    pub(crate) fn github() -> Self {
        Self::default()
            .with("GITHUB_ACTIONS", "true")
            .with("ACTIONS_ID_TOKEN_REQUEST_URL", MINT_URL)
            .with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "mint-secret")
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        self.world.lock().unwrap().variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn without(self, name: &str) -> Self {
        self.world.lock().unwrap().variables.remove(name);
        self
    }

    pub(crate) fn file(self, path: &str, content: Result<&str, io::ErrorKind>) -> Self {
        self.world.lock().unwrap().files.insert(path.into(), content.map(str::to_owned));
        self
    }

    pub(crate) fn answers(self, status: u16, body: &str) -> Self {
        self.answers_with(status, &[], body)
    }

    pub(crate) fn answers_with(self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = Response { status, headers, body: body.as_bytes().to_vec() };
        self.world.lock().unwrap().answers.push_back(Ok(answer));
        self
    }

    pub(crate) fn fails(self, error: HttpError) -> Self {
        self.world.lock().unwrap().answers.push_back(Err(error));
        self
    }

    /// The next command prints this. Without one left, a command is not found.
    pub(crate) fn prints(self, output: &str) -> Self {
        self.world.lock().unwrap().printed.push_back(Ok(output.to_owned()));
        self
    }

    /// The next command fails.
    pub(crate) fn command_fails(self, message: &str) -> Self {
        let (status, message) = ("exit status: 1".to_owned(), message.to_owned());
        let error = CommandError::Failed { program: "program".to_owned(), status, message };
        self.world.lock().unwrap().printed.push_back(Err(error));
        self
    }

    /// The next answer is a minted token with good claims.
    pub(crate) fn mints(self) -> Self {
        let token = id_token(&claims());
        self.answers(200, &json!({ "count": token.len(), "value": token }).to_string())
    }

    /// The next answer is an access token.
    pub(crate) fn issues(self, token: &str, expires_in: impl Into<Value>) -> Self {
        self.answers(200, &json!({ "access_token": token, "expires_in": expires_in.into() }).to_string())
    }

    pub(crate) fn pass(&self, duration: Duration) {
        self.world.lock().unwrap().monotonic += duration;
    }

    /// Method, URL, header fields and body of every request.
    pub(crate) fn sent(&self) -> Vec<String> {
        self.world.lock().unwrap().sent.clone()
    }

    /// Every command, its words separated by spaces.
    pub(crate) fn ran(&self) -> Vec<String> {
        self.world.lock().unwrap().ran.clone()
    }

    pub(crate) fn slept(&self) -> Vec<Duration> {
        self.world.lock().unwrap().slept.clone()
    }

    pub(crate) fn surroundings(&self) -> Surroundings {
        let variables: Variables = self.world.lock().unwrap().variables.clone().into_iter().collect();
        let world = || Arc::new(self.clone());
        Surroundings { variables, http: world(), clock: world(), files: world(), commands: world() }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.surroundings(), Settings::default()).unwrap()
    }
}

impl Http for Job {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let method = if request.method == Method::Get { "GET" } else { "POST" };
        let headers: Vec<String> =
            request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let shown = [&format!("{method} {}", request.url), &headers.join("\n"), &request.body]
            .map(String::as_str)
            .join("\n");
        let mut world = self.world.lock().unwrap();
        world.sent.push(shown.trim_end().to_owned());
        world.answers.pop_front().expect("no answer left for this request")
    }
}

impl Clock for Job {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(NOW)
    }

    fn monotonic(&self) -> Duration {
        self.world.lock().unwrap().monotonic
    }

    fn sleep(&self, duration: Duration) {
        self.world.lock().unwrap().slept.push(duration);
    }
}

impl Files for Job {
    fn read(&self, path: &Path) -> io::Result<String> {
        match self.world.lock().unwrap().files.get(path) {
            Some(Ok(content)) => Ok(content.clone()),
            Some(Err(kind)) => Err((*kind).into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl Commands for Job {
    fn run(&self, command: &Command) -> Result<String, CommandError> {
        let mut world = self.world.lock().unwrap();
        world.ran.push(format!("{} {}", command.program, command.arguments.join(" ")));
        let not_found = || Err(CommandError::NotFound { program: command.program.clone() });
        world.printed.pop_front().unwrap_or_else(not_found)
    }
}

/// Claims with which nothing is wrong; each test changes one.
pub(crate) fn claims() -> Value {
    json!({ "iss": "https://issuer.example.com", "sub": "job", "aud": HUB, "exp": NOW + 300 })
}

pub(crate) fn id_token(claims: &Value) -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// A token with which nothing is wrong but the audience.
pub(crate) fn token_for(audience: &str) -> String {
    let mut claims = claims();
    claims["aud"] = json!(audience);
    id_token(&claims)
}

pub(crate) fn no_connection() -> HttpError {
    HttpError::NoConnection { host: "hub".to_owned(), reason: "connection refused".to_owned() }
}

pub(crate) fn no_answer() -> HttpError {
    HttpError::NoAnswer { host: "hub".to_owned(), reason: "timed out".to_owned() }
}

/// An error with its causes, as the command line shows it. Secrets of this file must not be in it.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let debug = format!("{error:?}");
    let providers: Vec<&str> = ALL.iter().map(|provider| provider.name()).collect();
    text = text.replace(&providers.join(", "), "(providers)");
    for secret in ["mint-secret", "c2lnbmF0dXJl", "hf_jwt_secret"] {
        assert!(!text.contains(secret) && !debug.contains(secret), "{secret} in {text} / {debug}");
    }
    text
}
