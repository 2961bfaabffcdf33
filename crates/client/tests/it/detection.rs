//! Which provider a job runs on, from its variables alone.

use countersign_client::AmbientProvider;
use countersign_client::ambient::ALL;

use crate::fake::Job;

/// What jobs of each provider have set.
const SIGNS: &[(&str, &[(&str, &str)])] = &[
    ("forgejo", &[("GITHUB_ACTIONS", "true"), ("FORGEJO_ACTIONS", "true")]),
    ("gitea", &[("GITHUB_ACTIONS", "true"), ("GITEA_ACTIONS", "true")]),
    ("github", &[("GITHUB_ACTIONS", "true")]),
    ("gitlab", &[("GITLAB_CI", "true")]),
    ("circleci", &[("CIRCLECI", "true")]),
    ("buildkite", &[("BUILDKITE", "true")]),
    ("bitbucket", &[("BITBUCKET_BUILD_NUMBER", "7")]),
    ("bitbucket", &[("BITBUCKET_STEP_OIDC_TOKEN", "a.b.c")]),
];

fn detected(variables: &[&[(&str, &str)]]) -> Option<&'static str> {
    let job = variables.concat().into_iter().fold(Job::default(), |job, (name, value)| job.with(name, value));
    AmbientProvider::detected(&job.surroundings()).map(AmbientProvider::name)
}

#[test]
fn each_is_recognised_by_its_own_sign() {
    for (name, variables) in SIGNS {
        assert_eq!(detected(&[variables]), Some(*name), "{variables:?}");
    }
    let recognised: Vec<&str> = SIGNS.iter().map(|(name, _)| *name).collect();
    for provider in ALL {
        // A job on Depot cannot be told from one on GitHub until it has a token.
        assert!(recognised.contains(&provider.name()) || provider.name() == "depot", "{}", provider.name());
        assert!(!provider.sign().is_empty() && !provider.title().is_empty());
    }
    assert_eq!(detected(&[]), None);
    assert_eq!(detected(&[&[("CI", "true")]]), None);
}

#[test]
fn only_the_exact_value_counts() {
    for name in ["GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "BUILDKITE"] {
        for value in ["True", "1", "", " true", "false"] {
            assert_eq!(detected(&[&[(name, value)]]), None, "{name}={value:?}");
        }
    }
    assert_eq!(detected(&[&[("BITBUCKET_BUILD_NUMBER", " ")]]), None);
}

/// The order of [`SIGNS`] is the order of detection: whatever else is set, the earlier one has the job.
#[test]
fn the_earlier_one_has_a_mixed_job() {
    for (index, (name, variables)) in SIGNS.iter().enumerate() {
        for (_, later) in &SIGNS[index..] {
            assert_eq!(detected(&[later, variables]), Some(*name), "{variables:?} with {later:?}");
        }
    }
}
