//! The real cargo, which publishes through `countersign cargo-credential`.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use countersign_core::Permission;
use countersign_simulator::Overrides;
use serde_json::{Value, json};

use crate::front::{self, Answer, Asked};
use crate::job::Job;
use crate::registry::Registry;

const RESOURCE: &str = "pkg:cargo/acme-lib";

/// A sparse registry (Cargo reference, "Registry Web API" and "Registry Index"), with what was published.
fn answer(registry: &Registry, asked: &Asked, index: &Mutex<Vec<Value>>) -> Answer {
    let own = format!("http://{}", asked.header("host"));
    let mut index = index.lock().unwrap();
    match (asked.method.as_str(), asked.target.as_str()) {
        ("GET", "/index/config.json") => {
            ("200 OK".to_owned(), json!({ "dl": format!("{own}/dl"), "api": own }).to_string().into())
        }
        ("GET", "/index/ac/me/acme-lib") if !index.is_empty() => {
            let lines: Vec<String> = index.iter().map(Value::to_string).collect();
            ("200 OK".to_owned(), lines.join("\n").into())
        }
        // Unlike others, cargo sends the token bare.
        ("PUT", "/api/v1/crates/new")
            if registry.permits(asked.header("authorization"), RESOURCE, Permission::Write) =>
        {
            let length = u32::from_le_bytes(asked.body[..4].try_into().unwrap());
            let published: Value = serde_json::from_slice(&asked.body[4..4 + length as usize]).unwrap();
            let line = json!({ "name": published["name"], "vers": published["vers"], "deps": [], "features": {},
                               "cksum": "0".repeat(64), "yanked": false });
            index.push(line);
            ("200 OK".to_owned(), "{}".into())
        }
        ("PUT", _) => ("403 Forbidden".to_owned(), r#"{"errors":[{"detail":"no token"}]}"#.into()),
        _ => ("404 Not Found".to_owned(), Vec::new()),
    }
}

/// A crate without dependencies, and cargo's configuration.
fn write_crate(folder: &Path, url: &str, audience: &str) {
    let file = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    fs::create_dir_all(folder.join("src")).unwrap();
    file("src/lib.rs", "");
    file(
        "Cargo.toml",
        "[package]\nname = \"acme-lib\"\nversion = \"1.0.0\"\nedition = \"2024\"\nlicense = \"MIT\"\ndescription = \"x\"\n\n[workspace]\n",
    );
    let provider = json!([
        "cargo:token-from-stdout",
        env!("CARGO_BIN_EXE_countersign"),
        "cargo-credential",
        RESOURCE,
        "--endpoint",
        url,
        "--audience",
        audience
    ]);
    let registry = format!("index = \"sparse+{url}/index/\"\ncredential-provider = {provider}\n");
    file("config.toml", &format!("[registries.acme]\n{registry}"));
}

/// Whether the publication succeeded, and what cargo said.
fn publish(folder: &Path, job: &Job) -> (bool, String) {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["publish", "--registry", "acme", "--no-verify", "--allow-dirty", "--quiet"]);
    cargo.current_dir(folder).envs(job.variables()).env("CARGO_HOME", folder).env_remove("CARGO_TARGET_DIR");
    let output = cargo.stdin(Stdio::null()).output().unwrap();
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_to_a_sparse_registry() {
    let registry = Arc::new(Registry::new().await);
    let index = Arc::new(Mutex::new(Vec::new()));
    let published = Arc::clone(&index);
    let url = front::start(Arc::clone(&registry), move |registry, asked| answer(registry, asked, &index));
    let folder = tempfile::tempdir().unwrap();
    write_crate(folder.path(), &url, &registry.url);

    let (success, said) =
        publish(folder.path(), &registry.github(&Overrides::new().set("ref", "refs/heads/dev")));
    assert!(!success && said.contains("the server refused the exchange"), "{said}");
    assert!(published.lock().unwrap().is_empty());

    let (success, said) = publish(folder.path(), &registry.github(&Overrides::new()));
    assert!(success && said.contains("::add-mask::hf_jwt_"), "{said}");
    assert_eq!(published.lock().unwrap()[0]["name"], "acme-lib");
}

#[test]
fn the_token_is_for_the_endpoints_host_only() {
    let own = || Job::github();
    let arguments = ["cargo-credential", RESOURCE];
    let elsewhere = "sparse+https://index.example.com/";
    let job = own();
    let job = job.with("CARGO_REGISTRY_INDEX_URL", elsewhere);
    insta::assert_snapshot!(job.fail(&arguments), @r#"
    exit 2
    --- stdout
    --- stderr
    error: cargo asks for a token for the index "sparse+https://index.example.com/", and this one is for "SERVER"; if they belong together, add --index sparse+https://index.example.com/
    "#);
    assert!(job.requests().is_empty());
    let shown = job.run(&["cargo-credential", RESOURCE, "--index", elsewhere]);
    assert!(shown.starts_with("exit 0\n--- stdout\nhf_jwt_the-access-token\n--- stderr\n"), "{shown}");
    let job = own();
    let url = format!("sparse+{}/index/", job.url);
    assert!(job.with("CARGO_REGISTRY_INDEX_URL", &url).run(&arguments).starts_with("exit 0\n"));
}
