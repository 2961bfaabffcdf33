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
    ("azure-devops", &[("TF_BUILD", "True")]),
    ("azure-devops", &[("SYSTEM_OIDCREQUESTURI", "https://dev.example.com")]),
    ("semaphore", &[("SEMAPHORE", "true")]),
    ("semaphore", &[("SEMAPHORE_OIDC_TOKEN", "a.b.c")]),
    ("codefresh", &[("CF_BUILD_ID", "7")]),
    ("codefresh", &[("CF_OIDC_REQUEST_URL", "https://oidc.example.com")]),
    ("spacelift", &[("TF_VAR_spacelift_run_id", "7")]),
    ("spacelift", &[("SPACELIFT_OIDC_TOKEN", "a.b.c")]),
    ("hcp-terraform", &[("TFC_RUN_ID", "run-7")]),
    ("hcp-terraform", &[("TFC_WORKLOAD_IDENTITY_TOKEN", "a.b.c")]),
    ("env0", &[("ENV0_DEPLOYMENT_LOG_ID", "7")]),
    ("env0", &[("ENV0_OIDC_TOKEN", "a.b.c")]),
    ("bitrise", &[("BITRISE_BUILD_URL", "https://app.example.com")]),
    ("fly", &[("FLY_APP_NAME", "train"), ("FLY_MACHINE_ID", "7")]),
    ("vercel", &[("VERCEL", "1")]),
    ("vercel", &[("VERCEL_OIDC_TOKEN", "a.b.c")]),
    ("modal", &[("MODAL_TASK_ID", "ta-7")]),
    ("modal", &[("MODAL_IDENTITY_TOKEN", "a.b.c")]),
    ("kubernetes", &[("KUBERNETES_SERVICE_HOST", "10.0.0.1"), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")]),
    ("aws", &[("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE")]),
    ("aws", &[("AWS_LAMBDA_FUNCTION_NAME", "publish")]),
    ("aws", &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")]),
    ("aws", &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/v1/credentials")]),
    ("azure", &[("IDENTITY_ENDPOINT", "http://127.0.0.1/msi"), ("IDENTITY_HEADER", "secret")]),
    ("spiffe", &[("SPIFFE_ENDPOINT_SOCKET", "unix:///run/spire.sock")]),
    ("google", &[("GOOGLE_SERVICE_ACCOUNT_NAME", "ci@acme.iam.gserviceaccount.com")]),
    ("google", &[("GCE_METADATA_HOST", "127.0.0.1")]),
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

#[test]
fn half_a_sign_is_none() {
    for (name, value) in [
        ("FLY_APP_NAME", "train"),
        ("KUBERNETES_SERVICE_HOST", "10.0.0.1"),
        // Recipes of many providers set it.
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("IDENTITY_ENDPOINT", "http://127.0.0.1/msi"),
        // Keys lie on many a developer's machine.
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
    ] {
        assert_eq!(detected(&[&[(name, value)]]), None, "{name}");
    }
}

#[test]
fn a_job_is_not_the_machine_that_it_runs_on() {
    let on_google = |product: &str| Job::default().file("/sys/class/dmi/id/product_name", Ok(product));
    let detected = |job: Job| AmbientProvider::detected(&job.surroundings()).map(AmbientProvider::name);
    assert_eq!(detected(on_google("Google Compute Engine\n")), Some("google"));
    assert_eq!(detected(on_google("Google")), Some("google"));
    assert_eq!(detected(on_google("Googleplex")), None);
    for (name, variables) in SIGNS {
        let job = variables.iter().fold(on_google("Google"), |job, (name, value)| job.with(name, value));
        assert_eq!(detected(job), Some(*name));
    }
}
