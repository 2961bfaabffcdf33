//! Every provider's way from the job to the token: played by the simulator, taken by the client library, judged by the real
//! server; then the same with one claim changed, and with what matters taken away from the job.

use std::collections::BTreeMap;

use countersign_client::{AmbientProvider, AudienceChoice, Client, LoginError, Settings};
use countersign_core::provider::Marks;
use countersign_core::{Claims, Permission, Provider, Statement, UnixTime};
use countersign_simulator::{Overrides, Pretended, Simulator};

use crate::outside::{Means, Outside};
use crate::registry::{RESOURCE, Registry};

/// What the server calls itself.
const OWN: &str = "https://trust.example.com";

/// What one provider's publisher asks for, and what goes wrong there.
struct Row {
    provider: Provider,
    /// How the job gets its token.
    means: Means,
    /// What the job has set beside what the simulator sets.
    set: &'static [(&'static str, &'static str)],
    /// The conditions of its publisher: fields, and pointers to claims, with the values of the usual run.
    conditions: &'static [&'static str],
    /// The claim that is changed, and what the owner then reads.
    wrong: (&'static str, &'static str),
    /// What is taken from the job or changed in it, and what the job then says before the provider's own remedy.
    broken: (&'static [(&'static str, &'static str)], &'static str),
}

/// A job of which the simulator plays everything.
const fn row(
    provider: Provider,
    conditions: &'static [&'static str],
    wrong: (&'static str, &'static str),
    broken: (&'static [(&'static str, &'static str)], &'static str),
) -> Row {
    Row { provider, means: Means::Simulated, set: &[], conditions, wrong, broken }
}

impl Row {
    const fn by(self, means: Means, set: &'static [(&'static str, &'static str)]) -> Self {
        Self { means, set, ..self }
    }
}

const UNPERMITTED: (&[(&str, &str)], &str) = (
    &[("ACTIONS_ID_TOKEN_REQUEST_URL", ""), ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")],
    "ACTIONS_ID_TOKEN_REQUEST_URL is not set",
);

/// All but `generic`, which is nobody.
const ROWS: &[Row] = &[
    row(
        Provider::Github,
        &["repository", "branch", "workflow", "/runner_environment"],
        ("ref=refs/heads/dev", "branch: expected main, came dev"),
        UNPERMITTED,
    ),
    row(
        Provider::Gitlab,
        &["project", "ref", "workflow", "/ref_protected"],
        ("ref_path=refs/heads/dev", "ref: expected refs/heads/main, came refs/heads/dev"),
        (&[("HF_ID_TOKEN", "")], "no variable ending in _ID_TOKEN is set"),
    ),
    row(
        Provider::Circleci,
        &["organization", "project", "origin", "ref"],
        (
            "oidc.circleci.com/vcs-ref=refs/heads/dev",
            "ref: expected refs/heads/main, came refs/heads/dev",
        ),
        (&[], "the command that gives id tokens in jobs of CircleCI gave none"),
    )
    .by(Means::Program("circleci", r#"run oidc get --claims {"aud":"https://trust.example.com"}"#, "TOKEN\n"), &[("CIRCLE_OIDC_TOKEN_V2", "")]),
    row(
        Provider::Buildkite,
        &["organization", "pipeline", "branch", "step"],
        ("build_branch=dev", "branch: expected main, came dev"),
        (&[("BUILDKITE_AGENT_ACCESS_TOKEN", "")], "BUILDKITE_AGENT_ACCESS_TOKEN is not set"),
    ),
    row(
        Provider::Bitbucket,
        &["workspace", "repository", "branch"],
        ("branchName=dev", "branch: expected main, came dev"),
        (&[("BITBUCKET_STEP_OIDC_TOKEN", "")], "BITBUCKET_STEP_OIDC_TOKEN is not set"),
    ),
    row(
        Provider::Forgejo,
        &["repository", "branch", "workflow"],
        ("workflow=other.yml", "workflow: expected publish.yml, came other.yml"),
        UNPERMITTED,
    ),
    row(
        Provider::Gitea,
        &["repository", "branch", "workflow"],
        ("ref=refs/heads/dev", "branch: expected main, came dev"),
        UNPERMITTED,
    ),
    row(
        Provider::Depot,
        &["organization", "repository", "branch"],
        ("ref=refs/heads/dev", "branch: expected main, came dev"),
        UNPERMITTED,
    ),
    row(
        Provider::AzureDevops,
        &["project", "pipeline", "repository", "branch"],
        ("rpo_ref=refs/heads/dev", "branch: expected main, came dev"),
        (&[("SYSTEM_ACCESSTOKEN", "")], "SYSTEM_ACCESSTOKEN is not set"),
    ),
    row(
        Provider::Semaphore,
        &["project", "repository", "branch"],
        ("job_type=debug_job", "event: expected any job_type but debug_job, project_debug_job, came debug_job"),
        (&[("SEMAPHORE_OIDC_TOKEN", "")], "SEMAPHORE_OIDC_TOKEN is not set"),
    ),
    row(
        Provider::Codefresh,
        &["account", "pipeline", "ref"],
        ("scm_ref=dev", "ref: expected main, came dev"),
        (&[("CF_OIDC_REQUEST_TOKEN", "")], "CF_OIDC_REQUEST_TOKEN is not set"),
    ),
    row(
        Provider::Spacelift,
        &["space", "stack", "scope"],
        ("runType=PROPOSED", "event: expected any runType but PROPOSED, came PROPOSED"),
        (&[("SPACELIFT_OIDC_TOKEN", "")], "SPACELIFT_OIDC_TOKEN is not set"),
    ),
    row(
        Provider::HcpTerraform,
        &["organization", "project", "workspace", "phase"],
        ("terraform_run_phase=plan", "phase: expected apply, came plan"),
        (&[("TFC_WORKLOAD_IDENTITY_TOKEN", "")], "TFC_WORKLOAD_IDENTITY_TOKEN is not set"),
    ),
    row(
        Provider::Env0,
        &["organization", "project", "environment"],
        ("environmentName=test", "environment: expected prod, came test"),
        (&[("ENV0_OIDC_TOKEN", "")], "ENV0_OIDC_TOKEN is not set"),
    ),
    row(
        Provider::Bitrise,
        &["/app_slug", "/repository_owner"],
        ("app_slug=other", "/app_slug: expected train, came other"),
        (&[("BITRISE_BUILD_API_TOKEN", "")], "BITRISE_BUILD_API_TOKEN is not set"),
    ),
    row(
        Provider::Fly,
        &["app", "organization", "/image"],
        (
            "image=registry.example.com/other",
            "/image: expected registry.example.com/train:1, came registry.example.com/other",
        ),
        (&[], "the socket /.fly/api cannot be used"),
    )
    .by(Means::Socket("/.fly/api", r#"{"aud":"https://trust.example.com"}"#), &[]),
    row(
        Provider::Vercel,
        &["owner", "project", "environment"],
        ("environment=preview", "environment: expected production, came preview"),
        (&[("VERCEL_OIDC_TOKEN", "")], "VERCEL_OIDC_TOKEN is not set"),
    ),
    row(
        Provider::Modal,
        &["workspace", "environment", "app", "function"],
        ("function_id=fu-other", "function: expected fu-publish, came fu-other"),
        (&[("MODAL_IDENTITY_TOKEN", "")], "MODAL_IDENTITY_TOKEN is not set"),
    ),
    row(
        Provider::Kubernetes,
        &["namespace", "service-account"],
        ("serviceaccount=other", "service-account: expected publisher, came other"),
        (&[("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere")], "the file /nowhere cannot be read"),
    )
    .by(Means::File("/var/run/secrets/token"), &[("AWS_WEB_IDENTITY_TOKEN_FILE", "/var/run/secrets/token")]),
    row(
        Provider::Aws,
        &["account", "/sub"],
        (
            "sub=arn:aws:iam::123456789012:role/other",
            "/sub: expected arn:aws:iam::123456789012:role/publisher, came arn:aws:iam::123456789012:role/other",
        ),
        (&[("AWS_REGION", "")], "AWS_REGION is not set"),
    )
    .by(Means::Host("https://sts.eu-west-1.amazonaws.com/", "Action=GetWebIdentityToken&", "<R><WebIdentityToken>TOKEN</WebIdentityToken></R>"), &[("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE"), ("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "secret")]),
    row(
        Provider::Azure,
        &["identity", "/azp"],
        ("azp=other", "/azp: expected "),
        (&[("IDENTITY_HEADER", "another's")], "answered with status 401"),
    ),
    row(
        Provider::Google,
        &["service-account"],
        ("email_verified:=false", "service-account: expected publisher@acme.iam.gserviceaccount.com, came nothing"),
        (&[("GCE_METADATA_HOST", "HOST/jobs/another")], "answered with status 404"),
    ),
    row(
        Provider::Spiffe,
        &["id"],
        (
            "sub=spiffe://acme.example.com/other",
            "id: expected spiffe://acme.example.com/publisher, came spiffe://acme.example.com/other",
        ),
        (&[], "the command that gives id tokens in jobs of SPIFFE gave none"),
    )
    .by(Means::Program("spire-agent", "api fetch jwt -audience https://trust.example.com -output json -socketPath /run/spire.sock", r#"[{"svids":[{"svid":"TOKEN"}]}]"#), &[("SPIFFE_ENDPOINT_SOCKET", "unix:///run/spire.sock")]),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_provider_gets_a_token_a_refusal_and_a_remedy() {
    let registry = Registry::serving(configuration).await;
    let mut unseen: Vec<Provider> =
        Provider::ALL.into_iter().filter(|provider| *provider != Provider::Generic).collect();
    for row in ROWS {
        unseen.retain(|provider| *provider != row.provider);
        let played = registry.simulator.provider(row.provider).unwrap();
        trust(&registry, row, played).await;
        lets_the_usual_run_in(&registry, row, played);
        says_what_is_wrong(&registry, row, played).await;
        says_what_is_missing(&registry, row, played);
    }
    assert!(unseen.is_empty(), "no row for {unseen:?}");
}

/// The publisher of the usual run, which learns its ids.
async fn trust(registry: &Registry, row: &Row, played: &dyn Pretended) {
    let claims = played.claims_of(&Overrides::new(), UnixTime::from_seconds(0));
    let usual = Statement::new(played.issuer().clone(), Claims::new(claims));
    let value = |condition: &str| match row.provider.preset().field(condition) {
        Some(field) => field.value_in(&usual).unwrap().into_owned(),
        None => usual.claims().text(&condition[1..]).unwrap().to_owned(),
    };
    let values: Vec<String> = row.conditions.iter().map(|condition| value(condition)).collect();
    let conditions: Vec<(&str, &str)> =
        row.conditions.iter().copied().zip(values.iter().map(String::as_str)).collect();
    registry.trust(RESOURCE, row.provider, played.issuer(), &conditions, &[]).await;
}

fn lets_the_usual_run_in(registry: &Registry, row: &Row, played: &dyn Pretended) {
    let client = Job::of(row, played, "").client(settings(registry, played));
    let identity = client.identify().unwrap_or_else(|error| panic!("{}: {error}", row.provider));
    // Depot is told from GitHub by an issuer that only the real one has.
    let recognised = if row.provider == Provider::Depot { Provider::Github } else { row.provider };
    assert_eq!(identity.provider().map(AmbientProvider::name), Some(recognised.preset().name));
    let response = client.login(&RESOURCE.parse().unwrap());
    let response = response.unwrap_or_else(|error| panic!("{}: {error}", row.provider));
    registry.verified(response.access_token.expose(), RESOURCE, Permission::Write);
}

/// The owner reads what was expected and what came; so does the job, if its ids prove that it is the publisher's own.
async fn says_what_is_wrong(registry: &Registry, row: &Row, played: &dyn Pretended) {
    let (claim, told) = row.wrong;
    let client = Job::of(row, played, claim).client(settings(registry, played));
    let error = client.login(&RESOURCE.parse().unwrap()).unwrap_err();
    let LoginError::Exchange(error) = error else { panic!("{}: {error}", row.provider) };
    let error = error.to_string();
    // Another service account has another id.
    let has_place = row.provider.preset().pins.iter().any(|pin| pin.marks == Marks::Place);
    let is_proven = has_place && row.provider != Provider::Kubernetes;
    let expected = if is_proven {
        format!("the trusted publisher of {RESOURCE} does not match: {told}")
    } else {
        format!("no trusted publisher of {RESOURCE} matches this id token of {} (", played.issuer())
    };
    assert!(error.contains(&expected), "{}: {expected} is not in {error}", row.provider);
    let recorded = registry.exchanges().await.remove(0);
    let explanation = recorded.detail["explanation"].as_str().unwrap();
    assert!(explanation.contains(told), "{}: {told} is not in {explanation}", row.provider);
    assert!(error.contains(&recorded.id.to_string()), "{}: {error}", row.provider);
}

fn says_what_is_missing(registry: &Registry, row: &Row, played: &dyn Pretended) {
    let (changes, said) = row.broken;
    let mut job = Job::of(row, played, "");
    job.set(changes, played);
    if changes.is_empty() {
        job.outside.token = None;
    }
    // Named, because without what is missing some are not recognised.
    let provider = Some(row.provider.preset().name.to_owned());
    let client = job.client(Settings { provider, ..settings(registry, played) });
    let error = client.identify().unwrap_err().to_string();
    let remedy = AmbientProvider::named(row.provider.preset().name).unwrap().remedy(client.audience());
    assert!(error.contains(said), "{}: {said} is not in {error}", row.provider);
    assert!(error.ends_with(&remedy), "{}: {remedy} is not in {error}", row.provider);
}

/// A job that was not started yet.
struct Job {
    variables: BTreeMap<String, String>,
    outside: Outside,
}

impl Job {
    /// One whose run has another claim.
    fn of(row: &Row, played: &dyn Pretended, claim: &str) -> Self {
        let overrides: Overrides = claim.parse().unwrap();
        let audience = audience(played);
        let variables = played.job(&overrides, &audience).into_iter().collect();
        let outside = Outside { means: row.means, token: Some(played.mint(&overrides, &audience)) };
        let mut job = Self { variables, outside };
        // The simulator hands over what nobody there can be asked for.
        job.variables.remove("HF_OIDC_ID_TOKEN");
        job.set(row.set, played);
        job
    }

    /// Sets variables, where `HOST` is the address of the provider; empty ones are none.
    fn set(&mut self, variables: &[(&str, &str)], played: &dyn Pretended) {
        let host = played.issuer().as_str().trim_start_matches("http://");
        for (name, value) in variables {
            self.variables.remove(*name);
            if !value.is_empty() {
                self.variables.insert((*name).to_owned(), value.replace("HOST", host));
            }
        }
    }

    fn client(self, settings: Settings) -> Client {
        Client::new(self.outside.around(self.variables.into_iter().collect()), settings).unwrap()
    }
}

fn settings(registry: &Registry, played: &dyn Pretended) -> Settings {
    Settings {
        endpoint: Some(format!("http://{}", registry.address).parse().unwrap()),
        audience: Some(audience(played).parse().unwrap()),
        ..Settings::default()
    }
}

/// The issuers of all, each with what its tokens are for.
fn configuration(simulator: &Simulator) -> String {
    let issuers = simulator.providers().map(|played| {
        let (issuer, name) = (played.issuer(), played.preset().preset().name);
        let workspace = "ari:cloud:bitbucket::workspace/45fd71af-0000-4000-8000-0000aef9ae13";
        let more =
            if played.preset() == Provider::Bitbucket { format!(", {workspace:?}") } else { String::new() };
        format!(
            "[[issuers]]\nurl = \"{issuer}\"\npreset = \"{name}\"\naudiences = [{:?}{more}]\n",
            audience(played)
        )
    });
    format!("public_url = {OWN:?}\n{}", issuers.collect::<String>())
}

/// What the tokens of a provider are for: us, unless it never is.
fn audience(played: &dyn Pretended) -> String {
    let ambient = AmbientProvider::named(played.preset().preset().name).unwrap();
    match (played.preset(), ambient.audience_choice()) {
        (Provider::Semaphore, _) => played.issuer().to_string(),
        (Provider::Spacelift, _) => played.issuer().authority().to_owned(),
        (_, AudienceChoice::Fixed(always)) => always.to_owned(),
        (_, AudienceChoice::Asked | AudienceChoice::Declared) => OWN.to_owned(),
    }
}
