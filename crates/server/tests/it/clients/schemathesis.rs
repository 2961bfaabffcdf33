//! Schemathesis, which makes thousands of requests of the API's own description and looks for what it does not keep.

use std::process::Command;

use super::live::Live;
use super::tool;

#[tokio::test(flavor = "multi_thread")]
async fn the_api_keeps_what_its_description_promises() {
    let live = Live::new().await;
    live.trust("acme/awesome-model");
    let operate = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-server"));
        let output = command.args(arguments).current_dir(live.folder.path()).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let secret = operate(&["admin-token", "add", "schemathesis", "--role", "owner"]);
    let mut schemathesis = live.command(&tool("venv/bin/schemathesis"));
    schemathesis.args(["run", &format!("{}/api/v1/openapi.json", live.url)]);
    schemathesis.arg("--header").arg(format!("Authorization: Bearer {}", secret.trim()));
    // What fits the description can still be no publisher: a branch without a repository, a provider nobody configured.
    schemathesis.args(["--exclude-checks", "positive_data_acceptance"]);
    schemathesis.args(["--max-examples", "10", "--seed", "1", "--generation-database", "none"]);
    let output = schemathesis.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{report}");
    assert!(report.contains("26 selected / 26 total"), "{report}");
    assert!(!report.contains("Unresolvable"), "{report}");
    let verified = operate(&["audit", "verify"]);
    assert!(verified.starts_with("in order: "), "whatever was asked for is on record: {verified}");
}
