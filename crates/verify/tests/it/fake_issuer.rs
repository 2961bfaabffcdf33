//! A pretend issuer behind the [`Fetch`] boundary, which can be told to hang, fail and lie.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_verify::{Fetch, FetchError, FetchFuture};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::signer::jwk_set;

const PANIC: &str = "panic";

#[derive(Debug)]
pub(crate) struct FakeIssuer {
    issuer: String,
    keys: Mutex<Result<Vec<u8>, FetchError>>,
    requests: AtomicUsize,
    status_lists: Mutex<HashMap<String, Result<String, FetchError>>>,
    status_requests: AtomicUsize,
    /// A permit for every answer; plenty unless the issuer hangs.
    gate: Semaphore,
}

impl FakeIssuer {
    pub(crate) fn new(issuer: &str, keys: &[Value]) -> Self {
        let keys = Mutex::new(Ok(jwk_set(keys)));
        Self {
            issuer: issuer.to_owned(),
            keys,
            requests: AtomicUsize::new(0),
            status_lists: Mutex::default(),
            status_requests: AtomicUsize::new(0),
            gate: Semaphore::new(1_000_000),
        }
    }

    /// Publishes other keys.
    pub(crate) fn publish(&self, keys: &[Value]) {
        *self.keys.lock().unwrap() = Ok(jwk_set(keys));
    }

    /// Answers with something else where the keys should be.
    pub(crate) fn answer(&self, answer: Result<&str, FetchError>) {
        *self.keys.lock().unwrap() = answer.map(|text| text.as_bytes().to_vec());
    }

    /// Dies at the next question for the keys, in place of an answer.
    pub(crate) fn panic(&self) {
        *self.keys.lock().unwrap() = Err(FetchError::Transport(PANIC.to_owned()));
    }

    /// Answers nothing more until [`FakeIssuer::resume`].
    pub(crate) fn hang(&self) {
        self.gate.forget_permits(usize::MAX);
    }

    pub(crate) fn resume(&self) {
        self.gate.add_permits(1_000_000);
    }

    /// Answers with that where a status list should be.
    pub(crate) fn publish_status(&self, url: &str, answer: Result<String, FetchError>) {
        self.status_lists.lock().unwrap().insert(url.to_owned(), answer);
    }

    /// How often status lists were asked for.
    pub(crate) fn status_requests(&self) -> usize {
        self.status_requests.load(Ordering::SeqCst)
    }

    /// How often discovery was asked for: once in each fetch.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Fetch for FakeIssuer {
    fn get<'a>(&'a self, url: &'a str) -> FetchFuture<'a> {
        Box::pin(async move {
            let is_discovery = url == format!("{}/.well-known/openid-configuration", self.issuer);
            if is_discovery {
                self.requests.fetch_add(1, Ordering::SeqCst);
            }
            let status = self.status_lists.lock().unwrap().get(url).cloned();
            if status.is_some() {
                self.status_requests.fetch_add(1, Ordering::SeqCst);
            }
            self.gate.acquire().await.unwrap().forget();
            if let Some(answer) = status {
                return answer.map(String::into_bytes);
            }
            if is_discovery {
                let keys = format!("{}/keys", self.issuer);
                return Ok(json!({"issuer": self.issuer, "jwks_uri": keys}).to_string().into_bytes());
            }
            let answer = self.keys.lock().unwrap().clone();
            assert_ne!(answer, Err(FetchError::Transport(PANIC.to_owned())));
            answer
        })
    }
}
