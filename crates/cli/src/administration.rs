//! Asking a server's administration API.

mod failure;
mod listed;

use std::path::PathBuf;

use clap::Args;
use countersign_client::http::{HttpError, Request, Response};
use countersign_client::{Endpoint, Surroundings};
use countersign_core::UnixTime;
use countersign_core::secret::AdminSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use failure::AdministrationError;
pub(crate) use listed::{Listed, Warned};

use crate::variable_name::VariableName;
use failure::Problem;

/// Where the server is.
const SERVER: &str = "COUNTERSIGN_SERVER";
/// Where the admin token is, unless somebody says otherwise.
const ADMIN_TOKEN: &str = "COUNTERSIGN_ADMIN_TOKEN";
/// The most bytes of an answer: a thousand publishers with everything that is weak in them.
const LARGEST: usize = 16 * 1024 * 1024;

/// Which server is administered, and as whom.
#[derive(Debug, Args)]
pub(crate) struct ServerArguments {
    // Parsed later: clap would repeat a password that was put here by mistake.
    /// The server [default: the one in `COUNTERSIGN_SERVER`]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// Who asks.
    #[command(flatten)]
    admin: AdminArguments,
}

/// The admin token. It is never an argument: whoever may list processes reads those.
#[derive(Debug, Args)]
pub(crate) struct AdminArguments {
    /// The name of the variable that holds an admin token [default: `COUNTERSIGN_ADMIN_TOKEN`]
    #[arg(long, value_name = "NAME")]
    admin_token_env: Option<String>,
    /// The file that holds an admin token
    #[arg(long, value_name = "FILE", conflicts_with = "admin_token_env")]
    admin_token_file: Option<PathBuf>,
}

/// A server, as whoever holds an admin token sees it.
pub(crate) struct Administration {
    surroundings: Surroundings,
    server: Endpoint,
    secret: Option<AdminSecret>,
}

impl ServerArguments {
    /// The server, with an admin token.
    pub(crate) fn connect(self, surroundings: &Surroundings) -> Result<Administration, AdministrationError> {
        let text = self.server.as_deref().or_else(|| surroundings.variables.text(SERVER));
        let text = text.ok_or(AdministrationError::NoServer)?;
        let server = text.trim().parse().map_err(AdministrationError::Server)?;
        let secret = self.admin.secret(surroundings)?.ok_or(AdministrationError::NoAdminToken)?;
        Ok(Administration { surroundings: surroundings.clone(), server, secret: Some(secret) })
    }
}

impl AdminArguments {
    /// The admin token, if there is one. What was named has to be there.
    pub(crate) fn secret(
        self,
        surroundings: &Surroundings,
    ) -> Result<Option<AdminSecret>, AdministrationError> {
        let text = if let Some(path) = self.admin_token_file {
            let text = surroundings.files.read(&path);
            Some(text.map_err(|source| AdministrationError::File { path, source })?)
        } else if let Some(name) = self.admin_token_env {
            let name = VariableName::read("--admin-token-env", name);
            let name = name.map_err(|_| AdministrationError::VariableName)?;
            let text = surroundings.variables.text(name.as_str());
            Some(text.ok_or(AdministrationError::Unset)?.to_owned())
        } else {
            surroundings.variables.text(ADMIN_TOKEN).map(str::to_owned)
        };
        let is_token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        match text.map(|text| text.trim().to_owned()) {
            Some(text) if is_token(&text) => Ok(Some(AdminSecret::from(text))),
            Some(_) => Err(AdministrationError::NotAToken),
            None => Ok(None),
        }
    }
}

impl Administration {
    /// A server that is asked as whoever has this admin token, or as nobody in particular.
    pub(crate) fn new(surroundings: &Surroundings, server: Endpoint, secret: Option<AdminSecret>) -> Self {
        Self { surroundings: surroundings.clone(), server, secret }
    }

    /// All publishers that the caller may see, or those of a resource, or that let nobody in since; oldest first.
    pub(crate) fn publishers<T: DeserializeOwned>(
        &self,
        resource: Option<&str>,
        unused_since: Option<UnixTime>,
    ) -> Result<Vec<T>, AdministrationError> {
        let mut publishers = Vec::new();
        let unused_since = unused_since.map(|since| since.as_seconds().to_string());
        let mut after: Option<String> = None;
        loop {
            let parameters = [
                ("resource", resource),
                ("unused_since", unused_since.as_deref()),
                ("after", after.as_deref()),
            ];
            let part: Part<T> = self.get(&format!("/publishers?limit=1000{}", query(&parameters)))?;
            publishers.extend(part.publishers);
            match part.next {
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(publishers),
            }
        }
    }

    /// Reads something.
    pub(crate) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, AdministrationError> {
        let response = self.send(|| Request::get(self.url(path)));
        read(&response?)
    }

    /// Asks for something that changes nothing.
    pub(crate) fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, AdministrationError> {
        let response = self.send(|| Request::post_json(self.url(path), body.to_string()));
        read(&response?)
    }

    /// Changes something, once: with a key that nobody else uses, what was sent may be sent again if no answer came.
    pub(crate) fn change<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
        random: fn() -> u64,
    ) -> Result<T, AdministrationError> {
        let key = format!("{:016x}{:016x}", random(), random());
        let send = || {
            self.send(|| {
                Request::post_json(self.url(path), body.to_string()).header("idempotency-key", key.clone())
            })
        };
        let response = match send() {
            Err(AdministrationError::Http(HttpError::NoAnswer { .. })) => send(),
            outcome => outcome,
        };
        read(&response?)
    }

    fn send(&self, request: impl Fn() -> Request) -> Result<Response, AdministrationError> {
        let mut request = request().up_to(LARGEST);
        if let Some(secret) = &self.secret {
            request = request.header("authorization", format!("Bearer {}", secret.expose()));
        }
        Ok(self.surroundings.http.send(request)?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1{path}", self.server.as_str())
    }
}

/// A part of a list.
#[derive(Deserialize)]
struct Part<T> {
    publishers: Vec<T>,
    next: Option<String>,
}

/// Parameters that are there, each with `&` before it.
fn query(parameters: &[(&str, Option<&str>)]) -> String {
    let there = parameters.iter().filter_map(|(name, value)| {
        let value = value.as_ref()?;
        let escaped = value.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        });
        Some(format!("&{name}={}", escaped.collect::<String>()))
    });
    there.collect()
}

fn read<T: DeserializeOwned>(response: &Response) -> Result<T, AdministrationError> {
    if (200..300).contains(&response.status) {
        return serde_json::from_slice(&response.body).map_err(AdministrationError::Answer);
    }
    let status = response.status;
    let request_id = response.header("x-request-id").unwrap_or("none").to_owned();
    match serde_json::from_slice(&response.body) {
        Ok(Problem { code, detail }) => {
            Err(AdministrationError::Problem { code, detail, status, request_id })
        }
        Err(_) => Err(AdministrationError::NoServerThere { status }),
    }
}
