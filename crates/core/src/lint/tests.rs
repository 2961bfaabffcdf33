use super::*;
use crate::claims::Scalar;
use crate::provider::Provider;
use crate::publisher::RawRules;

/// Rules in the making.
#[derive(Clone)]
struct Case(RawRules);

impl Case {
    fn new(provider: Provider, issuer: &str) -> Self {
        Self(RawRules {
            issuer: issuer.parse().unwrap(),
            provider,
            conditions: [].into(),
            pins: [].into(),
            allowed_events: [].into(),
        })
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.0.conditions.entry(name.to_owned()).or_default().push(Scalar::Text(value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        assert!(self.0.conditions.remove(name).is_some(), "{name} was set");
        self
    }

    fn pin(mut self, claim: &str, id: &str) -> Self {
        self.0.pins.insert(claim.to_owned(), Some(id.to_owned()));
        self
    }

    fn allow(mut self, event: &str) -> Self {
        self.0.allowed_events.insert(event.to_owned());
        self
    }

    fn lint(self) -> Vec<Warning> {
        let max_exchanges = self.0.provider.preset().defaults.max_exchanges;
        lint(&self.0.try_into().unwrap(), max_exchanges)
    }

    /// Checks which weaknesses are found.
    #[track_caller]
    fn warns(self, expected: &[Code]) {
        let found: Vec<Code> = self.lint().iter().map(|warning| warning.code).collect();
        assert_eq!(found, expected);
    }
}

/// A publisher of which nothing is to be said; tests weaken it.
fn strong() -> Case {
    Case::new(Provider::Github, "https://token.actions.githubusercontent.com")
        .set("repository", "acme/train")
        .set("branch", "main")
        .set("/runner_environment", "github-hosted")
        .pin("repository_id", "74")
        .pin("repository_owner_id", "65")
}

#[test]
fn a_strong_publisher_has_no_weakness() {
    strong().warns(&[]);
}

#[test]
fn f5_patterns_are_told_of() {
    for value in ["ml*", "a|b", "^ml", "ml$", "main?", "**", ".*"] {
        strong().set("/x", value).warns(&[Code::LooksLikePattern]);
        strong().set("environment", value).warns(&[Code::LooksLikePattern]);
    }
    for value in ["ml", "a.b", "feature/x", "a b", "1+1"] {
        strong().set("/x", value).warns(&[]);
    }
}

#[test]
fn g10_allowed_events_are_told_of() {
    strong()
        .allow("workflow_run")
        .allow("pull_request_target")
        .warns(&[Code::AllowedEvent, Code::AllowedEvent]);
}

#[test]
fn a_whole_organization_is_too_much() {
    let owner = || {
        let mut case = strong().without("repository");
        case.0.pins.remove("repository_id");
        case
    };
    owner().warns(&[Code::AnyRepository]);
    owner().pin("repository_id", "74").warns(&[]);
    owner()
        .set("/job_workflow_ref", "acme/shared/.github/workflows/publish.yml@refs/heads/main")
        .warns(&[Code::AnyRepository, Code::AnyCaller]);
    strong().set("/job_workflow_ref", "acme/shared/.github/workflows/publish.yml@refs/heads/main").warns(&[]);
}

#[test]
fn any_branch_is_too_much() {
    let anywhere = || strong().without("branch");
    anywhere().warns(&[Code::AnyBranch]);
    anywhere().set("workflow", "publish.yml").warns(&[Code::AnyBranch]);
    anywhere().set("tag", "v1").warns(&[]);
    anywhere().set("environment", "production").warns(&[]);
    anywhere().set("/ref", "refs/heads/main").warns(&[]);
    anywhere().set("/ref_protected", "true").warns(&[]);
}

#[test]
fn names_are_not_identities() {
    let mut case = strong();
    case.0.pins.clear();
    case.clone().warns(&[Code::NotPinnedYet, Code::SharedIssuer]);
    case.clone().pin("repository_id", "74").warns(&[Code::NotPinnedYet]);
    // An issuer of one's own has no strangers.
    case.0.issuer = "https://ghes.example.com/_services/token".parse().unwrap();
    case.warns(&[Code::NotPinnedYet]);
    Case::new(Provider::Generic, "https://ci.example.com").set("/team", "ml").warns(&[Code::NamesOnly]);
    let organization = "a64b1c5e-0000-4000-8000-000000000000";
    Case::new(Provider::Circleci, "https://oidc.circleci.com").set("organization", organization).warns(&[
        Code::AnyRepository,
        Code::AnyBranch,
        Code::SharedIssuer,
        Code::ReusableToken,
    ]);
    Case::new(Provider::Aws, "https://abc-0.tokens.sts.global.api.aws")
        .set("account", "123456789012")
        .warns(&[]);
}

#[test]
fn facts_of_providers() {
    let project = "a64b1c5e-0000-4000-8000-000000000000";
    Case::new(Provider::Semaphore, "https://acme.semaphoreci.com")
        .set("project", project)
        .set("branch", "main")
        .pin("prj_id", project)
        .pin("org_id", project)
        .warns(&[Code::FixedAudience, Code::ReusableToken]);
    Case::new(Provider::Buildkite, "https://agent.buildkite.com")
        .set("organization", "acme")
        .set("pipeline", "train")
        .set("tag", "v1")
        .pin("pipeline_id", project)
        .pin("organization_id", project)
        .warns(&[Code::SelfHostedRunners]);
    strong().without("/runner_environment").warns(&[Code::SelfHostedRunners]);
    strong().set("branch", "release").set("/x", "a").warns(&[Code::SeveralValues]);
}

#[test]
fn the_servers_setting_decides_how_often_a_token_is_good() {
    let rules: Rules = strong().0.try_into().unwrap();
    assert!(lint(&rules, 1).is_empty());
    assert_eq!(lint(&rules, 2)[0].code, Code::ReusableToken);
}

#[test]
fn each_warning_says_what_could_happen() {
    let mut weak = strong()
        .without("branch")
        .without("repository")
        .without("/runner_environment")
        .set("/job_workflow_ref", "acme/x*")
        .set("/job_workflow_ref", "acme/y")
        .allow("workflow_run");
    weak.0.pins.remove("repository_id");
    let mut said: Vec<String> = weak.lint().iter().map(ToString::to_string).collect();
    let unpinned =
        Case::new(Provider::Gitlab, "https://gitlab.com").set("project", "acme/train").set("ref", "main");
    said.extend(unpinned.lint().iter().map(ToString::to_string));
    let names = Case::new(Provider::Spacelift, "https://acme.app.spacelift.io").set("stack", "train");
    said.extend(names.lint().iter().map(ToString::to_string));
    insta::assert_snapshot!(said.join("\n"), @r#"
    looks_like_pattern: /job_workflow_ref is compared with "acme/x*" as it stands, letter by letter; unless the claim really contains these characters, no run will ever match; write the exact values, several of them if need be
    allowed_event: runs of event_name workflow_run are let in; anybody who can open a pull request can start such a run, and it has the repository's identity; take workflow_run out of the allowed events, and publish from another one
    any_repository: no condition says which repository is meant, only whose it is; whoever can run a job anywhere in that organization, in a new or a forgotten place too, gets a token; set repository, or pin repository_id
    any_caller: the reusable workflow in /job_workflow_ref is trusted, and nothing says who may call it; another repository calls the workflow with inputs of its own, and gets a token for this resource; set repository to the repository that calls it
    any_branch: there is no condition on branch or tag or environment; whoever may start a run there gets a token, also one of code that nobody has reviewed: a workflow's file is changed on a branch as easily as anything else; set branch or tag or environment, and protect it in the settings of GitHub Actions
    self_hosted_runners: runs on self-hosted runners are let in; whatever an earlier job or a neighbour left behind on such a machine can take the token; unless the job needs one, set /runner_environment to github-hosted
    several_values: /job_workflow_ref may have any of 2 values; one that is no longer needed is easily left in, and none can be disabled without the others; make a publisher for each
    not_pinned_yet: namespace_id and project_id will be learned from the first run that meets all conditions; if the names change hands before that, it is their new holder who is pinned; give namespace_id and project_id now, or let the first run come soon
    shared_issuer: every customer of GitLab CI has tokens of https://gitlab.com; the conditions alone keep all the others out; pin project_id or namespace_id
    self_hosted_runners: runs on self-hosted runners are let in; whatever an earlier job or a neighbour left behind on such a machine can take the token; unless the job needs one, set /runner_environment to gitlab-hosted
    reusable_token: one id token buys up to 10 access tokens; whoever reads it beside the job, in a variable or a log, can exchange it too until it expires; keep it out of logs and of steps that do not need it; lower the issuer's max_exchanges if the job exchanges it less often
    names_only: nothing holds this publisher to an immutable id; if what these names stand for is deleted or renamed, whoever takes the names next gets tokens; add a condition on a claim that is never given twice, where the issuer has one
    fixed_audience: every token of Spacelift has the same audience; any other service that the job shows its token to can show it here, and gets a token in the job's name; show the tokens of this job to nobody else
    reusable_token: one id token buys up to 10 access tokens; whoever reads it beside the job, in a variable or a log, can exchange it too until it expires; keep it out of logs and of steps that do not need it; lower the issuer's max_exchanges if the job exchanges it less often
    "#);
    assert!(Code::ALL.iter().all(|code| said.iter().any(|line| line.starts_with(code.as_str()))));
}

#[test]
fn codes_are_written_alike_everywhere() {
    assert!(Code::ALL.is_sorted());
    for code in Code::ALL {
        assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        assert_eq!(code.as_str().parse(), Ok(code));
    }
    assert!("any-branch".parse::<Code>().is_err());
}

#[test]
fn every_code_is_in_the_manual() {
    let manual = include_str!("../../../../docs/publishers.md");
    for code in Code::ALL {
        let kind = if code.severity() == Severity::Warning { "warning" } else { "note" };
        assert!(manual.contains(&format!("| `{}` | {kind} |", code.as_str())), "{}", code.as_str());
    }
}
