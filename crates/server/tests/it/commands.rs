//! The commands on the local store, as a person sees them.

use std::path::Path;
use std::process::Command;

/// Runs the program; ids and times, which change, are replaced.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = format!(
        "{}{}{}",
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        if output.status.success() { "" } else { "(failed)" }
    );
    let mut shown = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let (text, end) = word.split_at(word.trim_end().trim_end_matches(';').len());
        shown.push_str(match text {
            id if id.len() == 36 && id.matches('-').count() == 4 => "ID",
            time if time.ends_with('Z') && time.contains('T') => "TIME",
            other => other,
        });
        shown.push_str(end);
    }
    shown
}

const ADD: [&str; 9] = [
    "publisher",
    "add",
    "acme/awesome-model",
    "--provider",
    "github",
    "--set",
    "repository=acme/train",
    "--set",
    "branch=main",
];

#[test]
fn publishers_are_added_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    insta::assert_snapshot!(run(&["publisher", "list"]), @"
    countersign-server: there is no database countersign-data/countersign.db; run this in the server's folder or with its --config, or start the server, which makes it
    (failed)
    ");
    insta::assert_snapshot!(
        run(&[&ADD[..], &["--set", "workflow=.github/workflows/publish.yml", "--pin", "repository_id=74", "--allow-event", "workflow_run"]].concat()),
        @"
    trusted publisher ID of acme/awesome-model
      provider     GitHub Actions, https://token.actions.githubusercontent.com
      branch       main
      repository   acme/train
      workflow     publish.yml
      pinned       repository_id = 74
      will pin     repository_owner_id, at the first exchange
      refuses      event_name pull_request_target
      accepts      event_name workflow_run (anybody who can open a pull request can start such a run, and it has the repository's identity)
      may          write
      database     countersign-data/countersign.db
    "
    );
    let listed = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(["publisher", "list", "acme/awesome-model", "--json"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed[0]["rules"]["conditions"]["branch"][0], "main");
    let id = listed[0]["id"].as_str().unwrap();
    insta::assert_snapshot!(run(&["publisher", "remove", id]), @"removed the trusted publisher ID of acme/awesome-model");
    insta::assert_snapshot!(run(&["publisher", "remove", id]), @"
    countersign-server: there is no publisher ID; `publisher list` shows those there are
    (failed)
    ");
    insta::assert_snapshot!(run(&["exchanges"]), @"no exchanges on record");
}

#[test]
fn what_cannot_be_a_publisher_is_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    let add = |resource: &str, rest: &[&str]| {
        run(&[&["publisher", "add", resource, "--provider", "github"], rest].concat())
    };
    insta::assert_snapshot!(add("acme/model", &[]), @"
    countersign-server: a publisher needs at least one condition; without one every run of https://token.actions.githubusercontent.com would match
    (failed)
    ");
    insta::assert_snapshot!(add("acme/model", &["--set", "branch=main"]), @"
    countersign-server: these conditions do not say whose runs are meant on https://token.actions.githubusercontent.com; set repository=OWNER/NAME, or pin repository_id or repository_owner_id
    (failed)
    ");
    insta::assert_snapshot!(add("acme/model", &["--set", "repository=acme/*"]), @r#"
    countersign-server: expected OWNER/NAME with the exact names, without wildcards as repository, found "acme/*"
    (failed)
    "#);
    insta::assert_snapshot!(add("acme/model", &["--set", "repository"]), @r#"
    error: invalid value 'repository' for '--set <FIELD=VALUE>': expected FIELD=VALUE, found "repository"

    For more information, try '--help'.
    (failed)
    "#);
    insta::assert_snapshot!(add("acme/model", &["--set", "repository=a/b", "--issuer", "https://ghes.example.com/_services/token"]), @r#"
    countersign-server: the server exchanges no github tokens of https://ghes.example.com/_services/token; whoever runs it adds it to [[issuers]] with preset = "github" (there now: https://token.actions.githubusercontent.com)
    (failed)
    "#);
    assert!(add("a/b/c/d", &["--set", "repository=a/b"]).contains("expected a resource"));
    assert!(!folder.path().join("countersign-data").exists(), "nothing was made for what was refused");
}

#[test]
fn the_presets_page_is_what_the_command_prints() {
    let folder = tempfile::tempdir().unwrap();
    let shown = run(folder.path(), &["presets"]);
    assert_eq!(
        shown,
        include_str!("../../../../docs/presets.md"),
        "write docs/presets.md anew: countersign-server presets"
    );
}

#[test]
fn a_damaged_configuration_stops_every_command() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("countersign.toml"), "listen = \"nowhere\"\n").unwrap();
    insta::assert_snapshot!(run(folder.path(), &["serve"]), @r#"
    countersign-server: the configuration countersign.toml is not valid, line 1: expected an address such as 127.0.0.1:8080, found "nowhere"
    (failed)
    "#);
    insta::assert_snapshot!(run(folder.path(), &["serve", "--config", "missing.toml"]), @"
    countersign-server: cannot read the configuration missing.toml: No such file or directory (os error 2)
    (failed)
    ");
}

#[test]
fn admin_tokens_are_made_once_and_shown_once() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    let shown = run(&["admin-token", "add", "ops", "--role", "owner"]);
    let (secret, rest) = shown.split_once('\n').unwrap();
    assert!(secret.starts_with("countersign_admin_") && secret.len() > 50, "{secret}");
    insta::assert_snapshot!(rest, @r#"countersign-server: made the admin token ID for "ops"; it is shown this once"#);
    let refused = run(&["admin-token", "add", "ci", "--role", "maintainer"]);
    insta::assert_snapshot!(refused, @"
    countersign-server: a maintainer needs the resources that it may manage, such as acme/*
    (failed)
    ");
    let file = folder.path().join("secret");
    std::fs::write(&file, "too-short\n").unwrap();
    let registered = || {
        let path = file.to_str().unwrap();
        let arguments = [
            "admin-token",
            "add",
            "ci",
            "--role",
            "maintainer",
            "--resource",
            "acme/*",
            "--secret-file",
            path,
        ];
        run(&arguments).replace(path, "FILE")
    };
    assert!(registered().contains("expected a secret of 40 to 512"));
    std::fs::write(&file, "0123456789abcdef0123456789abcdef0123456789abcdef\n").unwrap();
    insta::assert_snapshot!(registered(), @r#"countersign-server: made the admin token ID for "ci" of the secret in FILE"#);
    insta::assert_snapshot!(registered(), @"countersign-server: this secret is an admin token already; nothing was done");
    let listed = run(&["admin-token", "list"]);
    let mut lines: Vec<&str> = listed.lines().collect();
    lines.sort_unstable();
    let expected =
        ["ID  maintainer  ci  acme/*  until TIME  never used", "ID  owner  ops  **  until TIME  never used"];
    assert_eq!(lines, expected);
    let database = std::fs::read(folder.path().join("countersign-data/countersign.db")).unwrap();
    let wal = std::fs::read(folder.path().join("countersign-data/countersign.db-wal")).unwrap_or_default();
    let kept = String::from_utf8_lossy(&database) + String::from_utf8_lossy(&wal);
    assert!(!kept.contains(secret) && !kept.contains("0123456789abcdef0123"), "j7: only hashes are kept");
}

#[test]
fn the_audit_log_is_verified_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| run(folder.path(), arguments);
    run(&ADD);
    let verified = run(&["audit", "verify"]);
    let head = verified.trim().rsplit(' ').next().unwrap().to_owned();
    assert!(verified.starts_with("in order: 1 rows in 1 batches\nhead 1:1:"), "{verified}");
    run(&["admin-token", "add", "ops", "--role", "owner"]);
    assert!(run(&["audit", "verify", "--head", &head]).starts_with("in order: 2 rows"));
    let exported = run(&["audit", "export"]);
    assert_eq!(exported.lines().filter(|line| line.starts_with("{\"change\":{")).count(), 2, "{exported}");
    let path = folder.path().join("countersign-data/countersign.db");
    rusqlite::Connection::open(path).unwrap().execute("UPDATE changes SET actor = 'nobody'", []).unwrap();
    insta::assert_snapshot!(run(&["audit", "verify"]), @"
    countersign-server: the audit log is not what was written: chain 1: batch 1 is not what was written: its hash or that of a batch before it is another
    (failed)
    ");
}

#[test]
fn the_encryption_key_may_come_from_a_command() {
    let folder = tempfile::tempdir().unwrap();
    let configuration = |command: &str| {
        let text = format!("listen = \"127.0.0.1:0\"\nencryption_key_command = {command}\n");
        std::fs::write(folder.path().join("countersign.toml"), text).unwrap();
    };
    configuration("[\"printf\", \"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\"]");
    run(folder.path(), &["publisher", "list"]);
    let mut program = crate::program::Program::start(folder.path());
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    assert!(!folder.path().join("countersign-data/encryption.key").exists(), "no file is made");
    let rotate = || run(folder.path(), &["keys", "rotate"]);
    assert!(rotate().contains("signs from"));
    configuration("[\"printf\", \"short\"]");
    assert!(rotate().contains("expected an encryption key of 64 hexadecimal digits"));
    configuration("[\"false\"]");
    assert!(rotate().contains("expected false to succeed"));
    configuration("[]");
    assert!(rotate().contains("expected a program and its arguments"));
}
