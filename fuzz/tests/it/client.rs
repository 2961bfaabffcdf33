//! What mint and token endpoints answer, and what an id token says of itself.

use std::collections::VecDeque;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_client::http::{Http, HttpError, Request, Response};
use countersign_client::{Client, Clock, LoginError, Settings, UnverifiedClaims, Variables, system};
use countersign_core::token_exchange::TokenResponse;
use countersign_core::{IdToken, UnixTime};
use serde_json::{Value, json};

use crate::BRIEFLY;
use crate::edit::{Edits, edited};
use crate::signer::encode;

const CLAIMS: &str = r#"{"iss":"https://ci.example.com","aud":["https://huggingface.co"],"exp":1800000300}"#;
const SECRET: &str = "the-credential-of-the-job";

fn jwt(claims: &str) -> String {
    format!("{}.{}.c2lnbmF0dXJl", encode("{}"), encode(claims))
}

#[test]
fn claims_of_a_token_that_nobody_has_verified() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<(Edits, Edits)>().for_each(|(inside, outside)| {
        let text = edited(&[&jwt(&edited(&[CLAIMS], inside))], outside);
        let Ok(claims) = UnverifiedClaims::read(&IdToken::from(text)) else { return };
        let members = claims.claims().as_map();
        assert!(
            claims
                .audiences()
                .iter()
                .all(|audience| json!(members["aud"]).to_string().contains(&json!(audience).to_string()))
        );
        assert_eq!(claims.expires_at().map(UnixTime::as_seconds), members.get("exp").and_then(Value::as_i64));
        assert!(!claims.claims().names().any(|name| name == "c2lnbmF0dXJl"));
    });
}

/// Answers from a script; a job that asks more often gets no connection.
struct Script(Mutex<VecDeque<Response>>);

impl Http for Script {
    fn send(&self, request: Request) -> Result<Response, HttpError> {
        let answer = self.0.lock().unwrap().pop_front();
        answer.ok_or_else(|| HttpError::NoConnection {
            host: request.host().to_owned(),
            reason: "the end".to_owned(),
        })
    }
}

struct Frozen;

impl Clock for Frozen {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(1_800_000_000)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {}
}

fn login(answers: [(u16, String); 2]) -> Result<TokenResponse, LoginError> {
    let variables = Variables::from_iter([
        ("GITHUB_ACTIONS", "true"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://mint.example.com/token?api-version=2.0"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", SECRET),
    ]);
    let answer =
        |(status, body): (u16, String)| Response { status, headers: Vec::new(), body: body.into_bytes() };
    let mut surroundings = system::surroundings(variables);
    surroundings.http = Arc::new(Script(Mutex::new(answers.into_iter().map(answer).collect())));
    surroundings.clock = Arc::new(Frozen);
    Client::new(surroundings, Settings::default()).unwrap().login(&"acme/model".parse().unwrap())
}

/// The error with all its causes, as a person reads it.
fn shown(error: &dyn Error) -> String {
    let cause = error.source().map(shown).unwrap_or_default();
    format!("{error} {cause}")
}

#[test]
fn a_login_gives_a_printable_token_or_an_error_without_secrets() {
    const STATUSES: [u16; 8] = [200, 200, 200, 400, 401, 404, 429, 302];
    let id_token = jwt(CLAIMS);
    let minted = json!({ "count": 1, "value": id_token }).to_string();
    let issued = r#"{"access_token":"hf_jwt_x","expires_in":3600}"#;
    let refused = format!(r#"{{"error":"invalid_grant","error_description":"token {id_token} is bad"}}"#);
    let whole = login([(200, minted.clone()), (200, issued.to_owned())]).unwrap();
    assert_eq!(whole.access_token.expose(), "hf_jwt_x");

    bolero::check!().with_test_time(BRIEFLY).with_type::<(u8, Edits, u8, Edits)>().for_each(
        move |(mint_status, mint, status, exchange)| {
            let status_of = |index: &u8| STATUSES[usize::from(*index) % STATUSES.len()];
            let mint_status = if mint_status % 4 == 0 { status_of(mint_status) } else { 200 };
            let (mint, answer) = (edited(&[&minted], mint), edited(&[issued, &refused], exchange));
            let is_own = mint == minted;
            let answers = [(mint_status, mint), (status_of(status), answer)];
            match login(answers) {
                Ok(response) => {
                    let token = response.access_token.expose();
                    assert!(
                        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
                        "{token:?}"
                    );
                }
                Err(error) => {
                    let text = shown(&error);
                    assert!(!text.contains(SECRET), "{text}");
                    // Only its own token can a client recognise in what a server says.
                    assert!(!is_own || !text.contains(&id_token), "{text}");
                    assert!(!text.contains('\u{1b}') && !text.contains('\0'), "{text:?}");
                }
            }
        },
    );
}
