//! Fly.io machines: a token service behind a Unix socket.
//!
//! Source: Fly.io documentation, "OpenID Connect" of Machines.

use countersign_core::{Audience, Provider};
use serde_json::json;

use super::token_service::{Answer, ask};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted, Obstacle};
use crate::http::{HttpError, Request};
use crate::surroundings::Surroundings;

/// Fly.io.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Fly,
    sign: "FLY_APP_NAME and FLY_MACHINE_ID",
    audience: AudienceChoice::Asked,
    job: JobMark::Nothing,
    remark: None,
    remedy: |_| {
        "run this as root in the machine, or let its user read and write the socket /.fly/api".to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| {
        let variables = &surroundings.variables;
        variables.has_any(&["FLY_APP_NAME"]) && variables.has_any(&["FLY_MACHINE_ID"])
    },
    mint,
};

const SNIPPET: &str = "\
# Dockerfile
USER root
CMD [\"countersign\", \"doctor\"]";
const SOCKET: &str = "/.fly/api";

fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let body = json!({ "aud": audience }).to_string();
    let request =
        || Request::post_json("http://localhost/v1/tokens/oidc".to_owned(), body.clone()).through(SOCKET);
    ask(surroundings, request, Answer::Body).map_err(|obstacle| match obstacle {
        // The machine's own socket is never down, only out of reach for this user.
        Obstacle::Unreachable(HttpError::NoConnection { reason, .. }) => {
            Obstacle::NotSetUp(format!("the socket {SOCKET} cannot be used: {reason}"))
        }
        other => other,
    })
}
