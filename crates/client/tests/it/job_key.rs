//! What the processes of one job share answers under.

use countersign_client::ambient::ALL;
use countersign_client::{Client, Command, Endpoint, JobKey, JobMark, Settings, Supplied};
use countersign_core::token_exchange::TokenResponse;
use countersign_core::{AccessToken, UnixTime};

use crate::fake::{HUB, Job, NOW, token_for};

fn key_of(job: &Job, settings: Settings, resource: &str) -> Option<JobKey> {
    let client = Client::new(job.surroundings(), settings).unwrap();
    client.job_key(&resource.parse().unwrap()).unwrap()
}

fn key(job: &Job) -> JobKey {
    key_of(job, Settings::default(), "acme/model").unwrap()
}

fn answer(expires_in: Option<u64>) -> TokenResponse {
    let token = AccessToken::from("hf_jwt_secret".to_owned());
    TokenResponse { expires_in, ..TokenResponse::bearer(token, 0, None) }
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(NOW + seconds)
}

fn gitlab() -> Job {
    Job::default().with("GITLAB_CI", "true").with("HF_ID_TOKEN", &token_for(HUB))
}

#[test]
fn the_processes_of_one_job_have_one_key_and_nobody_else_has_it() {
    let sealed = key(&Job::github()).seal(&answer(Some(3600)), at(0)).unwrap();
    assert_eq!(sealed.ends_at, at(3600));
    let opened = key(&Job::github().with("OTHER", "x")).open(&sealed.bytes, at(60)).unwrap();
    assert_eq!((opened.access_token.expose(), opened.expires_in), ("hf_jwt_secret", Some(3540)));
    let endpoint = |url: &str| Some(url.parse::<Endpoint>().unwrap());
    let other = Settings { endpoint: endpoint("https://hub.example.com"), ..Settings::default() };
    let other_registry = Settings { audience: Some(HUB.parse().unwrap()), ..other.clone() };
    let other_audience =
        Settings { audience: Some("https://hub.example.com".parse().unwrap()), ..Settings::default() };
    let supplied =
        Settings { supplied: Some(Supplied::Token("mint-secret".to_owned().into())), ..Settings::default() };
    let others = [
        Some(key(&Job::github().with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another-jobs"))),
        Some(key(&Job::github().with("FORGEJO_ACTIONS", "true"))),
        Some(key(&gitlab())),
        key_of(&Job::github(), Settings::default(), "acme/other"),
        key_of(&Job::github(), other, "acme/model"),
        key_of(&Job::github(), other_registry, "acme/model"),
        key_of(&Job::github(), other_audience, "acme/model"),
        key_of(&Job::github(), supplied, "acme/model"),
    ];
    let own = key(&Job::github());
    for other in others.map(Option::unwrap) {
        assert_ne!(own.name(), other.name());
        assert!(other.open(&sealed.bytes, at(60)).is_none(), "{other:?}");
    }
    assert!(Job::github().sent().is_empty(), "nothing is minted for a key");
}

#[test]
fn an_answer_ends_before_its_token_does() {
    for (job, lifetime, until) in [
        (Job::github(), 3600, 3300),
        (Job::github(), 600, 300),
        (Job::github(), 60, 30),
        (gitlab(), 3600, 3600),
    ] {
        let key = key(&job);
        let sealed = key.seal(&answer(Some(lifetime)), at(0)).unwrap().bytes;
        let opens = |seconds| key.open(&sealed, at(seconds)).is_some();
        assert!(opens(0) && opens(until - 1) && !opens(until) && !opens(1_000_000), "{lifetime}");
        assert!(!opens(-1), "a clock that was set back");
    }
    assert!(key(&Job::github()).seal(&answer(None), at(0)).is_none(), "nobody knows when it ends");
    let unending = key(&Job::github()).seal(&answer(Some(u64::MAX)), at(0)).unwrap();
    assert!(key(&Job::github()).open(&unending.bytes, at(0)).is_some());
}

#[test]
fn what_was_altered_is_no_answer_and_nothing_shows_the_token() {
    let key = key(&Job::github());
    let sealed = key.seal(&answer(Some(3600)), at(0)).unwrap();
    for index in 0..sealed.bytes.len() {
        let mut altered = sealed.bytes.clone();
        altered[index] ^= 1;
        assert!(key.open(&altered, at(0)).is_none(), "byte {index}");
        assert!(key.open(&sealed.bytes[..index], at(0)).is_none(), "the first {index} bytes");
    }
    assert_ne!(key.seal(&answer(Some(3600)), at(0)).unwrap().bytes, sealed.bytes, "a nonce is for one time");
    let shown = format!("{key:?} {}", String::from_utf8_lossy(&sealed.bytes));
    assert!(!shown.contains("hf_jwt") && !shown.contains("mint-secret"), "{shown}");
}

#[test]
fn without_a_job_there_is_no_key() {
    let google = Job::default().with("GCE_METADATA_HOST", "127.0.0.1");
    assert!(key_of(&google, Settings::default(), "acme/model").is_none());
    let no_secret = Job::github().without("ACTIONS_ID_TOKEN_REQUEST_TOKEN");
    assert!(key_of(&no_secret, Settings::default(), "acme/model").is_none());
    let by_command =
        Settings { supplied: Some(Supplied::Command(Command::new("print", []))), ..Settings::default() };
    assert!(key_of(&Job::github(), by_command, "acme/model").is_none());
    assert!(Job::default().client().job_key(&"acme/model".parse().unwrap()).is_err());
}

/// A token service mints for whoever has its credential, so there the credential is what a job alone has.
#[test]
fn what_tells_jobs_apart_is_said_for_each_provider() {
    let lines = ALL.iter().map(|provider| match provider.job_mark() {
        JobMark::IdToken => format!("{}: its id token", provider.name()),
        JobMark::Secret(variable) => format!("{}: {variable}", provider.name()),
        JobMark::Nothing => format!("{}: -", provider.name()),
    });
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    forgejo: ACTIONS_ID_TOKEN_REQUEST_TOKEN
    gitea: ACTIONS_ID_TOKEN_REQUEST_TOKEN
    github: ACTIONS_ID_TOKEN_REQUEST_TOKEN
    depot: ACTIONS_ID_TOKEN_REQUEST_TOKEN
    gitlab: its id token
    circleci: CIRCLE_OIDC_TOKEN
    buildkite: BUILDKITE_AGENT_JOB_API_TOKEN
    bitbucket: its id token
    azure-devops: SYSTEM_ACCESSTOKEN
    semaphore: its id token
    codefresh: CF_OIDC_REQUEST_TOKEN
    spacelift: its id token
    hcp-terraform: its id token
    env0: its id token
    bitrise: BITRISE_BUILD_API_TOKEN
    fly: -
    vercel: its id token
    modal: its id token
    kubernetes: its id token
    aws: -
    azure: -
    spiffe: -
    google: -
    ");
}
