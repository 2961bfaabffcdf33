//! Providers whose tokens lie in a variable or a file of the job.

use countersign_client::{AudienceChoice, Client, Settings, Source};

use crate::fake::{HUB, Job, chain, token_for};

/// A sign of the provider, the variable with its token, and how the provider chooses the audience.
type Row = (&'static str, (&'static str, &'static str), &'static str, AudienceChoice);

const ROWS: [Row; 6] = [
    (
        "semaphore",
        ("SEMAPHORE", "true"),
        "SEMAPHORE_OIDC_TOKEN",
        AudienceChoice::Fixed("the URL of the Semaphore organization"),
    ),
    (
        "spacelift",
        ("TF_VAR_spacelift_run_id", "7"),
        "SPACELIFT_OIDC_TOKEN",
        AudienceChoice::Fixed("the host of the Spacelift account"),
    ),
    ("hcp-terraform", ("TFC_RUN_ID", "run-7"), "TFC_WORKLOAD_IDENTITY_TOKEN", AudienceChoice::Declared),
    (
        "env0",
        ("ENV0_DEPLOYMENT_LOG_ID", "7"),
        "ENV0_OIDC_TOKEN",
        AudienceChoice::Fixed("https://prod.env0.com"),
    ),
    ("vercel", ("VERCEL", "1"), "VERCEL_OIDC_TOKEN", AudienceChoice::Declared),
    ("modal", ("MODAL_TASK_ID", "ta-7"), "MODAL_IDENTITY_TOKEN", AudienceChoice::Fixed("oidc.modal.com")),
];

fn failure(job: &Job) -> String {
    chain(&job.client().identify().unwrap_err())
}

#[test]
fn right_missing_and_for_somebody_else() {
    let mut messages = Vec::new();
    for (name, (sign, value), variable, choice) in ROWS {
        let job = || Job::default().with(sign, value);
        let identity = job().with(variable, &token_for(HUB)).client().identify().unwrap();
        let provider = identity.provider().unwrap();
        assert_eq!((provider.name(), provider.audience_choice()), (name, choice));
        assert_eq!(identity.source(), &Source::Variable(variable.to_owned()));
        assert!(provider.remark().is_some_and(|remark| !remark.is_empty()), "{name}");
        messages.push(failure(&job()));
        let other = job().with(variable, &token_for("https://other.example.com"));
        messages.push(failure(&other));
        let audience = Some("https://other.example.com".parse().unwrap());
        let settings = Settings { audience, ..Settings::default() };
        Client::new(other.surroundings(), settings).unwrap().identify().unwrap();
    }
    insta::assert_snapshot!(messages.join("\n"), @r#"
    Semaphore gives this job no id token: SEMAPHORE_OIDC_TOKEN is not set; check that the organization's plan has OpenID Connect, and that the job is not a debug job
    Semaphore gave an id token for "https://other.example.com", expected one for "https://huggingface.co"; nothing was sent; its tokens are always for the URL of the Semaphore organization: if the registry accepts them, give --audience https://other.example.com
    Spacelift gives this job no id token: SPACELIFT_OIDC_TOKEN is not set; check that the account's plan has OpenID Connect, and that nothing removed the variable
    Spacelift gave an id token for "https://other.example.com", expected one for "https://huggingface.co"; nothing was sent; its tokens are always for the host of the Spacelift account: if the registry accepts them, give --audience https://other.example.com
    HCP Terraform gives this job no id token: TFC_WORKLOAD_IDENTITY_TOKEN is not set; set the environment variable `TFC_WORKLOAD_IDENTITY_AUDIENCE` of the workspace to https://huggingface.co
    HCP Terraform gave an id token for "https://other.example.com", expected one for "https://huggingface.co"; nothing was sent; set the environment variable `TFC_WORKLOAD_IDENTITY_AUDIENCE` of the workspace to https://huggingface.co
    env0 gives this job no id token: ENV0_OIDC_TOKEN is not set; let an administrator of the organization turn on "Enable OIDC during deployments" among its policies
    env0 gave an id token for "https://other.example.com", expected one for "https://huggingface.co"; nothing was sent; its tokens are always for https://prod.env0.com: if the registry accepts them, give --audience https://other.example.com
    Vercel gives this job no id token: VERCEL_OIDC_TOKEN is not set; enable OIDC federation in the project's settings; the token is usually for https://vercel.com/TEAM, so give that with --audience and have the registry accept it
    Vercel gave an id token for "https://other.example.com", expected one for "https://huggingface.co"; nothing was sent; enable OIDC federation in the project's settings; the token is usually for https://vercel.com/TEAM, so give that with --audience and have the registry accept it
    Modal gives this job no id token: MODAL_IDENTITY_TOKEN is not set; create the sandbox with `include_oidc_identity_token=True`, and check that the App's name follows Modal's naming rule
    Modal gave an id token for "https://other.example.com", expected one for "https://huggingface.co"; nothing was sent; its tokens are always for oidc.modal.com: if the registry accepts them, give --audience https://other.example.com
    "#);
}

#[test]
fn terraforms_tags_are_told_apart_by_their_audience() {
    let job = Job::default()
        .with("TFC_WORKLOAD_IDENTITY_TOKEN", &token_for("https://other.example.com"))
        .with("TFC_WORKLOAD_IDENTITY_TOKEN_HUB", &token_for(HUB));
    let identity = job.client().identify().unwrap();
    assert_eq!(identity.source(), &Source::Variable("TFC_WORKLOAD_IDENTITY_TOKEN_HUB".to_owned()));
}

#[test]
fn spacelift_has_a_file_too() {
    let job = Job::default()
        .with("TF_VAR_spacelift_run_id", "7")
        .file("/mnt/workspace/spacelift.oidc", Ok(&token_for(HUB)));
    let identity = job.client().identify().unwrap();
    assert_eq!(identity.source(), &Source::File("/mnt/workspace/spacelift.oidc".into()));
}

#[test]
fn a_pod_has_its_token_in_a_file() {
    let pod = || {
        Job::default()
            .with("KUBERNETES_SERVICE_HOST", "10.0.0.1")
            .with("AWS_WEB_IDENTITY_TOKEN_FILE", "/aws/token")
    };
    let identity = pod().file("/aws/token", Ok(&token_for(HUB))).client().identify().unwrap();
    assert_eq!(identity.source(), &Source::File("/aws/token".into()));
    assert!(!identity.source().mints_again());
    insta::assert_snapshot!(failure(&pod()), @r#"Kubernetes gives this job no id token: the file /aws/token cannot be read: entity not found; add a volume to the pod with `projected: { sources: [{ serviceAccountToken: { audience: "https://huggingface.co", path: token } }] }` and set HF_OIDC_ID_TOKEN_FILE to the path of its file"#);
    insta::assert_snapshot!(failure(&pod().file("/aws/token", Ok(&token_for("sts.amazonaws.com")))), @r#"Kubernetes gave an id token for "sts.amazonaws.com", expected one for "https://huggingface.co"; nothing was sent; add a volume to the pod with `projected: { sources: [{ serviceAccountToken: { audience: "https://huggingface.co", path: token } }] }` and set HF_OIDC_ID_TOKEN_FILE to the path of its file"#);
    assert!(failure(&pod().file("/aws/token", Ok(" "))).contains("it is blank"));
}
