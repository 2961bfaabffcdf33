//! Generic OAuth clients, which know nothing of us but the standards.

use std::process::Command;

use countersign_core::Permission;

use super::live::{Live, Ran};
use super::{tool, tools};
use crate::program::RESOURCE;

/// Runs a client over HTTP and over HTTPS: it gets a good token, and shows our words when its id token was used before.
async fn check(command: impl Fn(&Live) -> Command) {
    for live in [Live::new().await, Live::with_tls().await] {
        live.trust(RESOURCE);
        let id_token = live.id_token();
        let run = || {
            let mut command = command(&live);
            let variables = [("SERVER", &*live.url), ("RESOURCE", RESOURCE), ("ID_TOKEN", &id_token)];
            Ran::of(command.envs(variables))
        };
        live.verify(run().token(), RESOURCE, Permission::Write).await;
        let again = run();
        assert!(
            !again.succeeded && again.stderr.contains("this id token was exchanged before"),
            "{}: {again:?}",
            live.url
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn authlib() {
    check(|live| {
        let mut command = live.command(&tool("venv/bin/python"));
        command.args(["-c", include_str!("authlib.py")]);
        command
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openid_client() {
    if !tools().join("npm").exists() && !has_node() {
        eprintln!("left out: Node.js 20 or newer is not here, so openid-client was not run");
        return;
    }
    for algorithm in ["oidc", "oauth2"] {
        check(|live| {
            let mut command = live.command("node".as_ref());
            // Node finds packages from the folder that such a script runs in.
            command.current_dir(tool("npm")).env("ALGORITHM", algorithm);
            command.args(["--input-type=module", "--eval", include_str!("openid_client.mjs")]);
            command
        })
        .await;
    }
}

/// Whether Node.js is as new as openid-client needs it.
fn has_node() -> bool {
    let version = Command::new("node").arg("--version").output().map(|output| output.stdout);
    let version = version.map(|text| String::from_utf8(text).unwrap()).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().unwrap_or_default();
    major.parse::<u32>().is_ok_and(|major| major >= 20)
}
