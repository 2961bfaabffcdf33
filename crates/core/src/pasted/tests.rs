use super::*;
use crate::provider::Provider;

fn rules(provider: Provider, issuer: &str, conditions: &[(&str, &str)]) -> RawRules {
    let text = |text: &str| vec![Scalar::Text(text.to_owned())];
    RawRules {
        issuer: issuer.parse().unwrap(),
        provider,
        conditions: conditions.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect(),
        pins: [].into(),
        allowed_events: [].into(),
    }
}

/// What a field's text is taken for, and whether that is told.
#[track_caller]
fn taken(provider: Provider, issuer: &str, field: &str, written: &str) -> Result<String, String> {
    let pasted =
        read_pasted(rules(provider, issuer, &[(field, written)])).map_err(|error| error.to_string())?;
    let [Scalar::Text(taken)] = &pasted.rules.conditions[field][..] else { panic!("{:?}", pasted.rules) };
    let told = Change { field: field.to_owned(), written: written.to_owned(), taken: taken.clone() };
    assert_eq!(pasted.changes, if taken == written { vec![] } else { vec![told] });
    Ok(taken.clone())
}

const GITHUB: &str = "https://token.actions.githubusercontent.com";

#[track_caller]
fn github(field: &str, written: &str, expected: &str) {
    assert_eq!(taken(Provider::Github, GITHUB, field, written).as_deref(), Ok(expected), "{written}");
}

#[track_caller]
fn refused(provider: Provider, issuer: &str, field: &str, written: &str, reason: &str) {
    let error = taken(provider, issuer, field, written).unwrap_err();
    assert!(error.contains(reason), "{written}: {error}");
}

#[test]
fn repositories_of_github() {
    for written in [
        "acme/train",
        "https://github.com/acme/train",
        "https://github.com/acme/train/",
        "https://github.com/acme/train.git",
        "http://github.com/acme/train",
        "git@github.com:acme/train.git",
        "ssh://git@github.com/acme/train.git",
        "github.com/acme/train",
        "https://GitHub.com/acme/train",
        "https://github.com/acme/train/tree/main",
        "https://github.com/acme/train/blob/main/.github/workflows/publish.yml",
        "https://github.com/acme/train?tab=readme-ov-file",
        "https://github.com/acme/train#readme",
        "https://github.com/acme/train/settings/environments/1/edit",
    ] {
        github("repository", written, "acme/train");
    }
    // Names are kept as they were written: they compare without case.
    github("repository", "https://github.com/Acme/Train", "Acme/Train");
}

#[test]
fn branches_tags_and_workflows_of_github() {
    github("branch", "main", "main");
    github("branch", "refs/heads/main", "main");
    github("branch", "refs/heads/feature/x", "feature/x");
    github("branch", "https://github.com/acme/train/tree/main", "main");
    github("tag", "refs/tags/v1", "v1");
    github("tag", "https://github.com/acme/train/releases/tag/v1", "v1");
    for written in [
        "publish.yml",
        ".github/workflows/publish.yml",
        "https://github.com/acme/train/blob/main/.github/workflows/publish.yml",
        "https://github.com/acme/train/blob/feature/x/.github/workflows/publish.yml",
        "https://github.com/acme/train/actions/workflows/publish.yml",
    ] {
        github("workflow", written, "publish.yml");
    }
    github("environment", "production", "production");
}

#[track_caller]
fn check(provider: Provider, issuer: &str, field: &str, rows: &[(&str, &str)]) {
    for (written, expected) in rows {
        assert_eq!(taken(provider, issuer, field, written).as_deref(), Ok(*expected), "{written}");
    }
}

#[test]
fn addresses_of_gitlab() {
    let gitlab =
        |field: &str, rows: &[(&str, &str)]| check(Provider::Gitlab, "https://gitlab.com", field, rows);
    gitlab(
        "project",
        &[
            ("https://gitlab.com/acme/ml/train", "acme/ml/train"),
            ("gitlab.com/acme/train", "acme/train"),
            ("git@gitlab.com:acme/ml/train.git", "acme/ml/train"),
            ("https://gitlab.com/acme/ml/train/-/tree/main/src", "acme/ml/train"),
        ],
    );
    gitlab(
        "ref",
        &[
            ("main", "refs/heads/main"),
            ("refs/tags/v1", "refs/tags/v1"),
            ("https://gitlab.com/acme/train/-/tree/main", "refs/heads/main"),
            ("https://gitlab.com/acme/train/-/tags/v1", "refs/tags/v1"),
        ],
    );
    gitlab("workflow", &[("https://gitlab.com/acme/train/-/blob/main/ci/publish.yml", "ci/publish.yml")]);
    let own = ("https://example.com:8443/gitlab/acme/train", "acme/train");
    check(Provider::Gitlab, "https://example.com:8443/gitlab", "project", &[own]);
}

#[test]
fn addresses_of_those_who_follow_github() {
    let forgejo =
        |field: &str, row| check(Provider::Forgejo, "https://forge.example.com/api/actions", field, &[row]);
    forgejo("repository", ("https://forge.example.com/acme/train", "acme/train"));
    forgejo("branch", ("https://forge.example.com/acme/train/src/branch/main", "main"));
    let file = "https://forge.example.com/acme/train/src/branch/main/.forgejo/workflows/publish.yml";
    forgejo("workflow", (file, "publish.yml"));
    let github = |issuer: &str, written: &str| {
        check(Provider::Github, issuer, "repository", &[(written, "acme/train")]);
    };
    github("https://ghes.example.com/_services/token", "https://ghes.example.com/acme/train");
    github("https://token.actions.octo.ghe.com", "https://octo.ghe.com/acme/train");
    let depot = ("https://github.com/acme/train", "acme/train");
    check(Provider::Depot, "https://identity.depot.dev", "repository", &[depot]);
}

#[test]
fn what_other_providers_pages_show() {
    let id = "a64b1c5e-0000-4000-8000-000000000000";
    let buildkite = "https://agent.buildkite.com";
    check(
        Provider::Buildkite,
        buildkite,
        "organization",
        &[("https://buildkite.com/acme/train/builds/7", "acme")],
    );
    check(Provider::Buildkite, buildkite, "pipeline", &[("https://buildkite.com/acme/train", "train")]);
    let circleci = format!("https://oidc.circleci.com/org/{id}");
    let origin = ("https://github.com/acme/train.git", "github.com/acme/train");
    check(Provider::Circleci, &circleci, "origin", &[origin]);
    check(Provider::Circleci, &circleci, "ref", &[("main", "refs/heads/main")]);
    let bitbucket = "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc";
    check(Provider::Bitbucket, bitbucket, "repository", &[(id, &format!("{{{id}}}"))]);
    let aws = "https://abc-0.tokens.sts.global.api.aws";
    check(Provider::Aws, aws, "account", &[("1234-5678-9012", "123456789012")]);
    let workspace = ("https://app.terraform.io/app/acme/workspaces/train", "train");
    check(Provider::HcpTerraform, "https://app.terraform.io", "workspace", &[workspace]);
    check(Provider::Semaphore, "https://acme.semaphoreci.com", "branch", &[("refs/heads/main", "main")]);
    let spiffe = ("spiffe://example.com/train", "spiffe://example.com/train");
    check(Provider::Spiffe, "https://spire.example.com", "id", &[spiffe]);
}

#[test]
fn f1_f7_look_alikes_and_white_space_stay_refused() {
    for written in [
        " acme/train",
        "acme/train ",
        "acme/train\n",
        "https://github.com/acme/train ",
        " https://github.com/acme/train",
        "https://github.com/acme/tr\u{430}in",
        "https://github.com/acme/train\u{200b}",
        "acme/\u{ff54}rain",
    ] {
        refused(Provider::Github, GITHUB, "repository", written, "expected OWNER/NAME with the exact names");
    }
    for written in [
        "https://gith\u{443}b.com/acme/train",
        "https://github.com/acme%2Ftrain",
        "https://github.com/acme/../evil/train",
        "https://github.com//acme/train",
        "https://github.com/acme/train\\..\\x",
        "https://",
    ] {
        refused(Provider::Github, GITHUB, "repository", written, "expected a plain address");
    }
}

#[test]
fn addresses_of_other_sites_are_refused() {
    for written in [
        "https://github.com.evil.example.com/acme/train",
        "https://gitlab.com/acme/train",
        "git@evil.example.com:acme/train.git",
        "https://github.com:444/acme/train",
        "https://raw.githubusercontent.com/acme/train/main/README.md",
    ] {
        refused(
            Provider::Github,
            GITHUB,
            "repository",
            written,
            "expected an address of github.com, found one of ",
        );
    }
    let gitlab = "https://example.com/gitlab";
    refused(
        Provider::Gitlab,
        gitlab,
        "project",
        "https://example.com/acme/train",
        "expected an address of example.com/gitlab",
    );
}

#[test]
fn invariant_9_a_pasted_password_is_not_repeated() {
    for written in [
        "https://octocat:ghp_secret@github.com/acme/train",
        "https://ghp_secret@github.com/acme/train.git",
        "https://git:ghp_secret@github.com/acme/train",
    ] {
        let error = taken(Provider::Github, GITHUB, "repository", written).unwrap_err();
        assert!(
            error.contains("has a user name or a password in it") && !error.contains("secret"),
            "{error}"
        );
    }
}

#[test]
fn what_an_address_does_not_say_is_refused_with_the_right_form() {
    let all =
        |field: &str, written: &str, reason: &str| refused(Provider::Github, GITHUB, field, written, reason);
    all("repository", "https://github.com/acme", "expected OWNER/NAME");
    all("repository", "https://github.com/acme/*", "expected OWNER/NAME");
    // Where the branch ends and a folder begins, nobody can say.
    all("branch", "https://github.com/acme/train/tree/feature/x", "expected a branch or tag name");
    all("branch", "refs/heads/github.com/x", "expected a branch or tag name");
    all("branch", "refs/tags/v1", "expected a branch or tag name");
    all(
        "workflow",
        "https://github.com/acme/train/blob/main/README.md",
        "expected the name of a file in .github/workflows/",
    );
    all(
        "environment",
        "https://github.com/acme/train/settings/environments/1/edit",
        "expected an environment's name",
    );
    let bitbucket = "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc";
    refused(
        Provider::Bitbucket,
        bitbucket,
        "repository",
        "https://bitbucket.org/acme/train",
        "expected a UUID with its braces",
    );
}

#[test]
fn g8_a_file_of_another_repository_is_not_this_ones() {
    let workflow = "https://github.com/evil/actions/blob/main/.github/workflows/publish.yml";
    let both = |repository: &str| {
        read_pasted(rules(Provider::Github, GITHUB, &[("repository", repository), ("workflow", workflow)]))
    };
    let error = both("acme/train").unwrap_err().to_string();
    assert_eq!(error, "expected workflow of acme/train, found an address of evil/actions");
    assert!(both("https://github.com/acme/train").is_err());
    assert!(both("Evil/Actions").is_ok());
}

#[test]
fn what_is_no_friendly_field_stays_as_it_is() {
    let mut written =
        rules(Provider::Github, GITHUB, &[("/x", "https://github.com/acme/train"), ("brunch", " x")]);
    written.conditions.insert("/y".to_owned(), vec![Scalar::Integer(7)]);
    let pasted = read_pasted(written.clone()).unwrap();
    assert_eq!(pasted, Pasted { rules: written, changes: vec![] });
    let change = Change { field: "a".to_owned(), written: "b".to_owned(), taken: "c".to_owned() };
    assert_eq!(change.to_string(), "a: c, from b");
}

/// The messages ask the parsers for the form.
#[test]
fn every_field_refuses_nothing_at_all() {
    for provider in Provider::ALL {
        for field in provider.preset().fields {
            assert!((field.parse)("").is_err(), "{provider}: {}", field.name);
        }
    }
}
