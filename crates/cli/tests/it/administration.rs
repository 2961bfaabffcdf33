//! Publishers on the real server: by hand, and from a file.

use std::path::Path;

use countersign_server::admin::Role;
use countersign_simulator::Overrides;
use serde_json::Value;

use crate::job::Job;
use crate::registry::{RESOURCE, Registry};

/// Somebody's shell, with the server and an admin token in its variables.
struct Shell {
    job: Job,
    secret: String,
    issuer: String,
}

impl Shell {
    async fn new(registry: &Registry, role: Role, resources: &[&str]) -> Self {
        let secret = registry.admin(role, resources).await;
        let variables = [("COUNTERSIGN_SERVER", registry.url.as_str()), ("COUNTERSIGN_ADMIN_TOKEN", &secret)];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let issuer = registry.simulator.github().issuer().to_string();
        Self { job: Job::at(&registry.url, variables.to_vec()), secret, issuer }
    }

    /// What the command shows, with `ISSUER` for GitHub's and `ID1`, `ID2` … for ids in the order in which they come.
    fn run(&self, arguments: &[&str]) -> String {
        let shown = self.job.run(arguments).replace(&self.issuer, "ISSUER");
        assert!(!shown.contains(&self.secret), "{shown}");
        without_ids(shown)
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let shown = self.job.run(&[arguments, &["--json"]].concat());
        let output = shown.strip_prefix("exit 0\n--- stdout\n").unwrap_or_else(|| panic!("{shown}"));
        serde_json::from_str(output.split("--- stderr").next().unwrap()).unwrap()
    }
}

fn without_ids(mut shown: String) -> String {
    for count in 1.. {
        let mut words = shown.split(|character: char| !character.is_ascii_hexdigit() && character != '-');
        let Some(id) = words.find(|word| is_id(word)).map(str::to_owned) else { break };
        shown = shown.replace(&id, &format!("ID{count}"));
    }
    shown
}

fn is_id(word: &str) -> bool {
    word.len() == 36 && word.matches('-').count() == 4
}

fn written(folder: &Path, content: &str) -> String {
    let path = folder.join("publishers.yaml");
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_is_added_used_stopped_and_removed() {
    let registry = Registry::new().await;
    let shell = Shell::new(&registry, Role::Maintainer, &["acme/*"]).await;
    insta::assert_snapshot!(shell.run(&["publishers", "list", "acme/new"]), @r#"
    exit 0
    --- stdout
    no trusted publishers
    --- stderr
    "#);
    let issuer = shell.issuer.clone();
    let add = |more: &[&str]| {
        let wanted = ["publishers", "add", "acme/new", "--provider", "github", "--issuer", &issuer];
        shell.run(&[&wanted, more].concat())
    };
    insta::assert_snapshot!(add(&["--set", "repository=acme/train", "--set", "branch=main"]), @r#"
    exit 0
    --- stdout
    added to acme/new as ID1
      provider: GitHub Actions
      issuer: ISSUER
      branch: main
      repository: acme/train
      pin repository_id: learned from the first run
      pin repository_owner_id: learned from the first run
      permission: write
      state: enabled
      note[not_pinned_yet]: repository_id and repository_owner_id will be learned from the first run that meets all conditions
        what could happen: if the names change hands before that, it is their new holder who is pinned
        what to do: give repository_id and repository_owner_id now, or let the first run come soon
      note[self_hosted_runners]: runs on self-hosted runners are let in
        what could happen: whatever an earlier job or a neighbour left behind on such a machine can take the token
        what to do: unless the job needs one, set /runner_environment to github-hosted
    --- stderr
    "#);
    let job = registry.github(&Overrides::new());
    assert!(job.run(&["token", "acme/new"]).starts_with("exit 0"));
    let listed = shell.run(&["publishers", "list", "acme/new"]);
    assert!(
        listed.contains("  used: 1 times, last ") && listed.contains("  pin repository_id: 74\n"),
        "{listed}"
    );
    let unused = shell.run(&["publishers", "list", "acme/new", "--unused-for", "1"]);
    assert!(unused.contains("no trusted publishers"), "{unused}");
    let id = shell.json(&["publishers", "list", "acme/new"])[0]["id"].as_str().unwrap().to_owned();
    insta::assert_snapshot!(shell.run(&["publishers", "disable", &id]), @r#"
    exit 0
    --- stdout
    disabled ID1
    --- stderr
    "#);
    assert!(job.run(&["token", "acme/new"]).contains("came disabled"));
    assert_eq!(shell.json(&["publishers", "enable", &id])["change"], "enabled");
    assert!(job.run(&["token", "acme/new"]).starts_with("exit 0"));
    insta::assert_snapshot!(shell.run(&["publishers", "remove", &id]), @r#"
    exit 0
    --- stdout
    removed ID1
    --- stderr
    "#);
    insta::assert_snapshot!(shell.run(&["publishers", "remove", &id]), @r#"
    exit 4
    --- stdout
    --- stderr
    error: the server did not do it: not_found: change 0: there is no publisher of that name (status 404, request id ID1)
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_pasted_is_shown_before_it_is_saved() {
    let registry = Registry::new().await;
    let shell = Shell::new(&registry, Role::Owner, &[]).await;
    let issuer = shell.issuer.clone();
    let add = |more: &[&str]| {
        let wanted = ["publishers", "add", "acme/new", "--provider", "github", "--issuer", &issuer];
        shell.run(&[&wanted[..], &["--set", "repository=https://github.com/acme/train"], more].concat())
    };
    insta::assert_snapshot!(add(&["--set", "branch=refs/heads/main"]), @r#"
    exit 2
    --- stdout
    this would be added to acme/new
      provider: GitHub Actions
      issuer: ISSUER
      branch: main
      repository: acme/train
      pin repository_id: learned from the first run
      pin repository_owner_id: learned from the first run
      permission: write
      state: enabled
      note[not_pinned_yet]: repository_id and repository_owner_id will be learned from the first run that meets all conditions
        what could happen: if the names change hands before that, it is their new holder who is pinned
        what to do: give repository_id and repository_owner_id now, or let the first run come soon
      note[self_hosted_runners]: runs on self-hosted runners are let in
        what could happen: whatever an earlier job or a neighbour left behind on such a machine can take the token
        what to do: unless the job needs one, set /runner_environment to github-hosted
    --- stderr
    branch: refs/heads/main is taken for main
    repository: https://github.com/acme/train is taken for acme/train
    error: nothing was added: what was written is taken for something else, as shown above; if it is meant, add --yes
    "#);
    assert!(shell.run(&["publishers", "list", "acme/new"]).contains("no trusted publishers"));
    assert!(add(&["--dry-run"]).starts_with("exit 0\n--- stdout\nthis would be added to acme/new\n"));
    assert!(shell.run(&["publishers", "list", "acme/new"]).contains("no trusted publishers"));
    assert!(add(&["--yes"]).starts_with("exit 0\n--- stdout\nadded to acme/new as ID1\n"));
    let refused = shell.run(&[
        "publishers",
        "add",
        "acme/new",
        "--provider",
        "github",
        "--issuer",
        &issuer,
        "--set",
        "repository=acme/*",
    ]);
    insta::assert_snapshot!(refused, @r#"
    exit 4
    --- stdout
    --- stderr
    error: the server did not do it: invalid: expected OWNER/NAME with the exact names, without wildcards as repository, found "acme/*" (status 422, request id ID1)
    "#);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_publishers_become_those_of_a_file() {
    let registry = Registry::new().await;
    let shell = Shell::new(&registry, Role::Maintainer, &["acme/*"]).await;
    let folder = tempfile::tempdir().unwrap();
    let entry = |branch: &str, more: &str| {
        format!(
            "manages: [acme/new, acme/old]\npublishers:\n  - resource: acme/new\n    provider: github\n    issuer: {}\n    conditions: \
             {{ repository: acme/train, branch: {branch} }}\n{more}",
            shell.issuer
        )
    };
    let file = written(folder.path(), &entry("main", "    state: disabled\n"));
    insta::assert_snapshot!(shell.run(&["publishers", "plan", &file, "--check"]), @r#"
    exit 7
    --- stdout
    acme/new
      + GitHub Actions
          issuer: ISSUER
          branch: main
          repository: acme/train
          pin repository_id: learned from the first run
          pin repository_owner_id: learned from the first run
          permission: write
          state: disabled
    1 to add, 0 to change, 0 to remove, 0 as they are
    --- stderr
    "#);
    insta::assert_snapshot!(shell.run(&["publishers", "apply", &file]), @r#"
    exit 0
    --- stdout
    acme/new
      + GitHub Actions
          issuer: ISSUER
          branch: main
          repository: acme/train
          pin repository_id: learned from the first run
          pin repository_owner_id: learned from the first run
          permission: write
          state: disabled
    1 to add, 0 to change, 0 to remove, 0 as they are
    done
    --- stderr
    "#);
    insta::assert_snapshot!(shell.run(&["publishers", "apply", &file]), @r#"
    exit 0
    --- stdout
    0 to add, 0 to change, 0 to remove, 1 as they are
    --- stderr
    "#);
    let job = registry.github(&Overrides::new());
    assert!(job.run(&["token", "acme/new"]).starts_with("exit 4"));
    written(folder.path(), &entry("main", ""));
    insta::assert_snapshot!(shell.run(&["publishers", "apply", &file]), @r#"
    exit 0
    --- stdout
    acme/new
      ~ ID1
          state: disabled → enabled
    0 to add, 1 to change, 0 to remove, 0 as they are
    done
    --- stderr
    "#);
    // What the first run teaches is no difference, and stays when the branch changes.
    assert!(job.run(&["token", "acme/new"]).starts_with("exit 0"));
    assert!(shell.run(&["publishers", "plan", &file, "--check"]).starts_with("exit 0"));
    written(folder.path(), &entry("release", "    permission: read\n    state: disabled\n"));
    insta::assert_snapshot!(shell.run(&["publishers", "apply", &file]), @r#"
    exit 0
    --- stdout
    acme/new
      ~ ID1
          branch: main → release
          permission: write → read
          state: enabled → disabled
    0 to add, 1 to change, 0 to remove, 0 as they are
    done
    --- stderr
    "#);
    let listed = shell.json(&["publishers", "list", "acme/new"]);
    assert_eq!(
        (&listed[0]["rules"]["pins"]["repository_id"], &listed[0]["state"]),
        (&"74".into(), &"disabled".into())
    );
    written(folder.path(), "manages: [acme/new]\npublishers: []\n");
    assert_eq!(shell.json(&["publishers", "plan", &file])["steps"][0]["action"], "remove");
    assert!(shell.run(&["publishers", "apply", &file]).contains("0 to add, 0 to change, 1 to remove"));
    // Nothing of it if anything of it cannot be.
    let other = format!(
        "publishers:\n  - resource: acme/new\n    provider: github\n    issuer: {0}\n    conditions: {{ repository: acme/train }}\n  - \
         resource: octo/model\n    provider: github\n    issuer: {0}\n    conditions: {{ repository: acme/train }}\n",
        shell.issuer
    );
    written(folder.path(), &other);
    let shown = shell.run(&["publishers", "apply", &file]);
    assert!(
        shown.starts_with("exit 4\n")
            && shown.contains("change 1: this admin token is for acme/*, not for octo/model"),
        "{shown}"
    );
    assert!(shell.run(&["publishers", "list", "acme/new"]).contains("no trusted publishers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_explained_and_turned_into_a_proposal() {
    let registry = Registry::new().await;
    let shell = Shell::new(&registry, Role::Owner, &[]).await;
    let tag = registry.github(&Overrides::new().set("ref", "refs/tags/v1"));
    let (issuer, elsewhere) = (shell.issuer.clone(), registry.simulator.gitlab().issuer().to_string());
    let explained = |job: Job, arguments: &[&str]| {
        let shown = job.run(&[&["explain", RESOURCE], arguments].concat());
        without_ids(shown.replace(&issuer, "ISSUER").replace(&elsewhere, "GITLAB"))
    };
    insta::assert_snapshot!(explained(registry.github(&Overrides::new()), &[]), @r#"
    exit 0
    --- stdout
    granted: a trusted publisher of acme/model lets this run have a token to write
    --- stderr
    "#);
    insta::assert_snapshot!(explained(registry.github(&Overrides::new().set("ref", "refs/tags/v1")), &[]), @r#"
    exit 4
    --- stdout
    refused (not_matched): the trusted publisher of acme/model does not match: branch: expected main, came nothing (the claim ref is refs/tags/v1)
    publisher ID1, whose ids the run has
      ok    event: expected any event_name but pull_request_target, workflow_run, came push
      wrong branch: expected main, came nothing (the claim ref is refs/tags/v1)
      ok    repository: expected acme/train, came acme/train
      ok    workflow: expected publish.yml, came publish.yml
      ok    pin repository_id: expected 74, came 74
      ok    pin repository_owner_id: expected 65, came 65
    --- stderr
    "#);
    let stranger = registry.github(&Overrides::new().set("repository", "octo/other"));
    let stranger = stranger.with("MINE", &shell.secret);
    insta::assert_snapshot!(explained(stranger, &["--admin-token-env", "MINE"]), @r#"
    exit 4
    --- stdout
    refused (not_matched): no trusted publisher of acme/model matches this id token of ISSUER (repository octo/other, branch main, workflow publish.yml); whoever manages acme/model finds what was expected under the request id
    publisher ID1
      ok    event: expected any event_name but pull_request_target, workflow_run, came push
      ok    branch: expected main, came main
      wrong repository: expected acme/train, came octo/other
      ok    workflow: expected publish.yml, came publish.yml
      wrong pin repository_id: expected 74, came 855377075
      wrong pin repository_owner_id: expected 65, came 424407250
    publisher ID2: passed over, it is about runs of GITLAB
    --- stderr
    "#);
    let refused = tag.run(&["token", RESOURCE]);
    let id = refused.split("request id ").nth(1).unwrap().split(')').next().unwrap();
    insta::assert_snapshot!(shell.run(&["publishers", "propose", id]), @r#"
    exit 0
    --- stdout
      - resource: "acme/model"
        conditions:
          "/runner_environment": ["github-hosted"]
          "repository": ["acme/train"]
          "tag": ["v1"]
          "workflow": ["publish.yml"]
        issuer: "ISSUER"
        pins:
          "repository_id": "74"
          "repository_owner_id": "65"
        provider: "github"
    --- stderr
    "#);
    // It is an entry of a file, and lets the same run in.
    let entry = shell.job.run(&["publishers", "propose", id]);
    let entry = entry.strip_prefix("exit 0\n--- stdout\n").unwrap().split("--- stderr").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), &format!("publishers:\n{}", entry.replace(RESOURCE, "acme/proposed")));
    assert!(shell.run(&["publishers", "apply", &file]).contains("1 to add"));
    assert!(tag.run(&["token", "acme/proposed"]).starts_with("exit 0"));
    assert!(registry.github(&Overrides::new()).run(&["token", "acme/proposed"]).starts_with("exit 4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn k1_an_admin_token_is_never_an_argument_and_never_shown() {
    let registry = Registry::new().await;
    let shell = Shell::new(&registry, Role::Auditor, &["acme/*"]).await;
    let list = ["publishers", "list", RESOURCE];
    assert!(shell.run(&list).starts_with("exit 0"));
    insta::assert_snapshot!(shell.run(&["publishers", "remove", "01890000-0000-7000-8000-000000000001"]), @r#"
    exit 4
    --- stdout
    --- stderr
    error: the server did not do it: forbidden: the role auditor reads and changes nothing (status 403, request id ID1)
    "#);
    let nobody = || Job::at(&registry.url, vec![("COUNTERSIGN_SERVER".to_owned(), registry.url.clone())]);
    insta::assert_snapshot!(nobody().fail(&list), @r#"
    exit 2
    --- stdout
    --- stderr
    error: expected an admin token in COUNTERSIGN_ADMIN_TOKEN, --admin-token-env or --admin-token-file; `countersign-server admin-token add` makes one
    "#);
    insta::assert_snapshot!(nobody().without("COUNTERSIGN_SERVER").fail(&list), @r#"
    exit 2
    --- stdout
    --- stderr
    error: expected --server, or the server's URL in COUNTERSIGN_SERVER
    "#);
    // It could be a variable's name.
    let secret = "countersign_admin_PbxxXrEBK97KaR4y2UC1nVsX786dpq_dX3F6obiaRiw";
    insta::assert_snapshot!(nobody().fail(&[&list[..], &["--admin-token-env", secret]].concat()), @r#"
    exit 2
    --- stdout
    --- stderr
    error: the variable that --admin-token-env names is not set; it should hold an admin token, and not be one
    "#);
    let stranger = nobody().with("COUNTERSIGN_ADMIN_TOKEN", "not-a-known-token").fail(&list);
    assert!(stranger.starts_with("exit 4\n") && !stranger.contains("not-a-known-token"), "{stranger}");
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), &format!("{}\n", shell.secret));
    assert!(nobody().run(&[&list[..], &["--admin-token-file", &file]].concat()).starts_with("exit 0"));
    let file = written(folder.path(), "two words");
    let shown = nobody().fail(&[&list[..], &["--admin-token-file", &file]].concat());
    assert!(
        shown.contains("what should be an admin token is none") && !shown.contains("two words"),
        "{shown}"
    );
    let nowhere =
        nobody().with("COUNTERSIGN_SERVER", "http://127.0.0.1:1").with("COUNTERSIGN_ADMIN_TOKEN", "x");
    assert!(nowhere.fail(&list).starts_with("exit 5\n"));
}
