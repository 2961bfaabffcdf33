//! An exchange that remembers nothing: what is left to win for a server that writes everything down.
//!
//! Not a product, and no mode of one: without a ledger an id token buys any number of tokens, and nobody knows which (invariants
//! 1 and 2). It has the released server's HTTP library, runtime, parser, verification, decision and claims, on one publisher that
//! is in memory, and neither limits, metrics nor log.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use countersign_core::publisher::{PublisherState, RawRules, Revision};
use countersign_core::token_exchange::{Parameters, TokenRequest, TokenResponse};
use countersign_core::{AccessToken, Permission, Provider, PublicUrl, Publisher, Rules, Scalar, decide};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::limit::Cryptography;
use crate::tell;
use crate::workload::{AUDIENCE, PINS, RESOURCE, RULES};

/// Serves `POST /oauth/token` until it is killed or asked to end, and prints its address first.
pub(crate) fn serve(folder: &Path) -> anyhow::Result<()> {
    let exchange = Arc::new(Exchange::load(folder)?);
    // As the server's.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        tell(&listener.local_addr()?.to_string());
        let router = Router::new().route("/oauth/token", post(answer)).with_state(exchange);
        let mut end = signal(SignalKind::terminate())?;
        tokio::select! {
            served = axum::serve(listener, router) => Ok(served?),
            _ = end.recv() => Ok(()),
        }
    })
}

struct Exchange {
    cryptography: Cryptography,
    publishers: Vec<Publisher>,
    own: PublicUrl,
}

impl Exchange {
    fn load(folder: &Path) -> anyhow::Result<Self> {
        let cryptography = Cryptography::load(folder)?;
        let text = |value: &str| Scalar::Text(value.to_owned());
        let rules = Rules::try_from(RawRules {
            issuer: cryptography.issuer().clone(),
            provider: Provider::Github,
            conditions: RULES.iter().map(|(field, value)| ((*field).to_owned(), vec![text(value)])).collect(),
            pins: PINS.iter().map(|(claim, id)| ((*claim).to_owned(), Some((*id).to_owned()))).collect(),
            allowed_events: BTreeSet::new(),
        })?;
        let publisher = Publisher {
            id: "01890000-0000-7000-8000-000000000001".parse()?,
            resource: RESOURCE.parse()?,
            rules,
            permission: Permission::Write,
            state: PublisherState::Enabled,
            revision: Revision(1),
        };
        Ok(Self { cryptography, publishers: vec![publisher], own: AUDIENCE.parse()? })
    }

    fn exchange(&self, body: &[u8]) -> anyhow::Result<String> {
        let request = TokenRequest::from_parameters(&Parameters::from_json(body)?, &self.own)?;
        let token = self.cryptography.verify(&request.subject_token)?;
        let grant = decide(&request.resource, &self.publishers, &token)
            .map_err(|refusal| anyhow::anyhow!("expected a grant, found {refusal:?}"))?;
        let signed = self.cryptography.sign(&token, grant.resource(), grant.permission())?;
        let token = AccessToken::from(format!("hf_jwt_{signed}"));
        Ok(TokenResponse::bearer(token, 3_600, None).to_json()?)
    }
}

async fn answer(State(exchange): State<Arc<Exchange>>, body: Bytes) -> Response {
    match exchange.exchange(&body) {
        Ok(issued) => ([(header::CONTENT_TYPE, "application/json")], issued).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    }
}
