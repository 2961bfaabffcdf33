//! The real `hf upload`, unmodified, to a hub that checks our access tokens. `cargo xtask test` installs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign_core::Permission;
use countersign_simulator::Overrides;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::front::{Answer, Asked, Front};
use crate::job::Job;
use crate::registry::{RESOURCE, Registry};

/// A job with files to upload, and the hub that they go to.
struct Stage {
    registry: Arc<Registry>,
    /// Paths and contents of what was committed.
    committed: Arc<Mutex<Vec<(String, String)>>>,
    folder: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let front = Front::bind();
        let registry = Arc::new(Registry::behind(&front.url).await);
        let committed = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&committed);
        front.serve(Arc::clone(&registry), move |registry, asked| answer(registry, asked, &seen));
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("README.md", "# Model\n"), ("data/weights.txt", "1 2 3\n")] {
            let file = folder.path().join("model").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Self { registry, committed, folder }
    }

    fn job(&self, overrides: &Overrides) -> Job {
        let home = self.folder.path().to_str().unwrap();
        let path = format!("{}:/usr/bin:/bin", tool("venv/bin").display());
        // It would look for newer versions of itself on the internet, and colours its words even for a pipe.
        self.registry
            .github(overrides)
            .with("HOME", home)
            .with("RUNNER_TEMP", home)
            .with("PATH", &path)
            .with("HF_HUB_DISABLE_UPDATE_CHECK", "1")
            .with("NO_COLOR", "1")
    }

    fn arguments(&self) -> [String; 4] {
        let model = self.folder.path().join("model").to_str().unwrap().to_owned();
        ["upload".to_owned(), RESOURCE.to_owned(), model, ".".to_owned()]
    }

    /// `hf upload` by itself: it finds the job's identity and makes the exchange.
    fn upload(&self, overrides: &Overrides, resource: &str) -> Output {
        let mut hf = Command::new(tool("venv/bin/hf"));
        hf.args(self.arguments()).env_clear().envs(self.job(overrides).variables());
        hf.env("HF_OIDC_RESOURCE", resource).stdin(Stdio::null()).output().unwrap()
    }
}

/// What an upload of small files asks a hub; all of it needs permission to write to the one repository.
fn answer(registry: &Registry, asked: &Asked, committed: &Mutex<Vec<(String, String)>>) -> Answer {
    let own = format!("/api/models/{RESOURCE}/");
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let is_for_ours = match asked.target.as_str() {
        "/api/repos/create" => format!("{}/{}", text(&body["organization"]), text(&body["name"])) == RESOURCE,
        "/api/validate-yaml" => true,
        target => target.starts_with(&own),
    };
    let token = asked.header("authorization").strip_prefix("Bearer ").unwrap_or_default();
    if !is_for_ours || !registry.permits(token, RESOURCE, Permission::Write) {
        return ("401 Unauthorized".to_owned(), r#"{"error":"no token for this repository"}"#.into());
    }
    let url = format!("{}/{RESOURCE}", registry.url);
    let answer = match asked.target.trim_start_matches(&own) {
        "preupload/main" => {
            let files = body["files"].as_array().unwrap().iter();
            let modes = files
                .map(|file| json!({ "path": file["path"], "uploadMode": "regular", "shouldIgnore": false }));
            json!({ "files": modes.collect::<Vec<_>>() })
        }
        "commit/main" => {
            let lines = asked.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
            let lines = lines.map(|line| serde_json::from_slice::<Value>(line).unwrap());
            let files = lines.filter(|line| line["key"] == "file").map(|line| {
                let content = STANDARD.decode(text(&line["value"]["content"])).unwrap();
                (text(&line["value"]["path"]).to_owned(), String::from_utf8(content).unwrap())
            });
            committed.lock().unwrap().extend(files);
            json!({ "success": true, "commitOid": "a".repeat(40), "commitUrl": format!("{url}/commit/{}", "a".repeat(40)) })
        }
        _ => json!({ "url": url, "name": RESOURCE }),
    };
    ("200 OK\r\nContent-Type: application/json".to_owned(), answer.to_string().into())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(name);
    assert!(path.exists(), "target/tools/{name} is missing: run `cargo xtask test`, which installs it");
    path.canonicalize().unwrap()
}

/// What the files of the job are, as a hub shows them.
fn expected() -> Vec<(String, String)> {
    let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    vec![file("README.md", "# Model\n"), file("data/weights.txt", "1 2 3\n")]
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_with_the_jobs_identity_alone() {
    let stage = Stage::new().await;
    let output = stage.upload(&Overrides::new(), RESOURCE);
    assert!(output.status.success(), "{output:?}");
    let mut committed = stage.committed.lock().unwrap().clone();
    committed.sort();
    assert_eq!(committed, expected());
    assert_eq!(stage.registry.exchanges().await.len(), 1, "one token serves the whole upload");
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_with_the_token_that_exec_keeps() {
    let stage = Stage::new().await;
    let arguments = stage.arguments();
    let mut exec = vec!["exec", RESOURCE, "--file-only", "--", "hf"];
    exec.extend(arguments.iter().map(String::as_str));
    let shown = stage.job(&Overrides::new()).run(&exec);
    assert!(shown.starts_with("exit 0\n"), "{shown}");
    assert_eq!(stage.committed.lock().unwrap().len(), 2);
    assert_eq!(stage.registry.exchanges().await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_not_trusted_or_for_another_resource_uploads_nothing() {
    let stage = Stage::new().await;
    let refused = stage.upload(&Overrides::new().set("ref", "refs/heads/dev"), RESOURCE);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("branch: expected main, came dev"), "{said}");
    let elsewhere = stage.upload(&Overrides::new(), "pkg:pypi/acme-lib");
    assert!(!elsewhere.status.success(), "{elsewhere:?}");
    let exchanges = stage.registry.exchanges().await;
    assert_eq!(exchanges.len(), 2, "the second had a token, and it was of no use");
    assert!(stage.committed.lock().unwrap().is_empty());
}
