//! google-auth, which takes any token endpoint for "workload identity federation". It sends a form, a subject token of type
//! `jwt`, a scope of Google's, and what the token is for as `audience`.

use std::collections::HashMap;

use countersign_core::Permission;
use countersign_simulator::Overrides;
use serde_json::{Value, json};

use super::live::{Live, Ran};
use super::tool;
use crate::program::RESOURCE;

fn run(live: &Live, credential_source: &Value) -> Ran {
    let configuration = json!({
        "type": "external_account",
        "audience": RESOURCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/oauth/token", live.url),
        "credential_source": credential_source,
    });
    let file = live.folder.path().join("google.json");
    std::fs::write(&file, configuration.to_string()).unwrap();
    let mut command = live.command(&tool("venv/bin/python"));
    Ran::of(command.args(["-c", include_str!("google_auth.py")]).arg(file))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_from_a_file() {
    for live in [Live::new().await, Live::with_tls().await] {
        live.trust(RESOURCE);
        let file = live.folder.path().join("id_token");
        std::fs::write(&file, live.id_token()).unwrap();
        let source = json!({ "file": file });
        live.verify(run(&live, &source).token(), RESOURCE, Permission::Write).await;
        let again = run(&live, &source);
        assert!(!again.succeeded && again.stderr.contains("this id token was exchanged before"), "{again:?}");
    }
}

/// As Google's own action for GitHub writes it: the library mints by itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_token_from_the_jobs_mint_endpoint() {
    let live = Live::new().await;
    live.trust(RESOURCE);
    let job: HashMap<_, _> = live.simulator.github().job(&Overrides::new()).into_iter().collect();
    let source = json!({
        "url": format!("{}&audience={}", job["ACTIONS_ID_TOKEN_REQUEST_URL"], live.url),
        "headers": { "Authorization": format!("Bearer {}", job["ACTIONS_ID_TOKEN_REQUEST_TOKEN"]) },
        "format": { "type": "json", "subject_token_field_name": "value" },
    });
    for _ in 0..2 {
        live.verify(run(&live, &source).token(), RESOURCE, Permission::Write).await;
    }
}
