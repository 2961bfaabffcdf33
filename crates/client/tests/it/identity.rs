//! Which id token is taken.

use countersign_client::{Client, Command, Identity, IdentityError, Settings, Source, Supplied};

use crate::fake::{Job, chain};

fn find(job: &Job, supplied: Option<Supplied>, provider: Option<&str>) -> Result<Identity, IdentityError> {
    let settings = Settings { supplied, provider: provider.map(str::to_owned), ..Settings::default() };
    Client::new(job.surroundings(), settings).unwrap().identify()
}

#[test]
fn a_supplied_token_is_taken_as_it_is_and_the_provider_is_ignored() {
    let job = Job::github().with("HF_OIDC_ID_TOKEN", " from-variable ").with("MINE", "from-mine");
    for provider in [None, Some("github"), Some("no such provider")] {
        let given = Supplied::Token("given".to_owned().into());
        let rows = [
            (Some(given), "given", Source::Argument),
            (Some(Supplied::Variable("MINE".to_owned())), "from-mine", Source::Variable("MINE".to_owned())),
            (None, "from-variable", Source::Variable("HF_OIDC_ID_TOKEN".to_owned())),
        ];
        for (supplied, token, source) in rows {
            let identity = find(&job, supplied, provider).unwrap();
            assert_eq!((identity.token().expose(), identity.source()), (token, &source));
            assert!(identity.provider().is_none() && !source.mints_again());
        }
    }
    assert!(job.sent().is_empty());
}

#[test]
fn without_provider_both_ways_are_named() {
    insta::assert_snapshot!(chain(&find(&Job::default(), None, None).unwrap_err()), @"no supported CI OIDC provider detected, and HF_OIDC_ID_TOKEN is not set; run this in a job of one of (providers), or set HF_OIDC_ID_TOKEN to an id token");
}

#[test]
fn an_unknown_provider_is_not_supported() {
    for name in ["jenkins", "", "GitHub", "generic"] {
        let error = find(&Job::github(), None, Some(name)).unwrap_err();
        assert!(matches!(error, IdentityError::Unsupported { .. }), "{name}");
    }
    insta::assert_snapshot!(chain(&find(&Job::github(), None, Some("jenkins")).unwrap_err()), @r#"the CI provider "jenkins" is not supported; expected one of (providers)"#);
}

#[test]
fn a_named_provider_is_asked_without_being_detected() {
    let job = Job::github().without("GITHUB_ACTIONS").mints();
    assert_eq!(find(&job, None, Some("github")).unwrap().provider().unwrap().title(), "GitHub Actions");
    let gitlab = find(&Job::github(), None, Some("gitlab")).unwrap_err();
    assert!(gitlab.to_string().starts_with("GitLab CI gives this job no id token"));
}

#[test]
fn a_variable_that_is_named_and_not_set_is_an_error() {
    let missing = Some(Supplied::Variable("MINE".to_owned()));
    insta::assert_snapshot!(chain(&find(&Job::github(), missing, None).unwrap_err()), @"expected an id token in the variable MINE, which is not set or blank");
}

#[test]
fn the_endpoint_is_the_hub_unless_the_variable_says_otherwise() {
    let endpoint = |job: Job| {
        Client::new(job.surroundings(), Settings::default()).map(|client| client.endpoint().to_string())
    };
    assert_eq!(endpoint(Job::default()).unwrap(), "https://huggingface.co");
    assert_eq!(endpoint(Job::default().with("HF_ENDPOINT", " ")).unwrap(), "https://huggingface.co");
    assert_eq!(
        endpoint(Job::default().with("HF_ENDPOINT", " https://hub.example.com/ ")).unwrap(),
        "https://hub.example.com"
    );
    let error = endpoint(Job::default().with("HF_ENDPOINT", "http://hub.example.com")).unwrap_err();
    insta::assert_snapshot!(chain(&error), @r#"the variable HF_ENDPOINT is no address of a registry: http:// is accepted for loopback addresses only; use https:// for "hub.example.com""#);
}

#[test]
fn a_token_can_come_from_a_file_or_a_command() {
    let job = Job::github().file("/token", Ok("from-file\n")).file("/blank", Ok(" \n"));
    let identity = find(&job, Some(Supplied::File("/token".into())), None).unwrap();
    assert_eq!((identity.token().expose(), identity.source()), ("from-file", &Source::File("/token".into())));
    assert!(!identity.source().mints_again());

    let by_variable = Job::github().file("/token", Ok("from-file")).with("HF_OIDC_ID_TOKEN_FILE", "/token");
    assert_eq!(find(&by_variable, None, None).unwrap().source(), &Source::File("/token".into()));
    let both = by_variable.with("HF_OIDC_ID_TOKEN", "from-variable");
    assert_eq!(find(&both, None, None).unwrap().token().expose(), "from-variable");

    let command = || Some(Supplied::Command(Command::new("print-token", ["secret"])));
    let job = job.prints(" from-command\n");
    let identity = find(&job, command(), None).unwrap();
    assert_eq!(
        (identity.token().expose(), identity.source()),
        ("from-command", &Source::Command("print-token".to_owned()))
    );
    assert!(identity.source().mints_again() && job.sent().is_empty());

    let failure = |supplied| chain(&find(&job, supplied, None).unwrap_err());
    insta::assert_snapshot!(failure(Some(Supplied::File("/none".into()))), @"expected an id token in the file /none: entity not found");
    insta::assert_snapshot!(failure(Some(Supplied::File("/blank".into()))), @"expected an id token in the file /blank: the file is blank");
    insta::assert_snapshot!(failure(command()), @r#"the id token command gave none: the program "print-token" was not found; install it, or add its folder to PATH"#);
    for beside in ["\n", "Welcome!\nhf_jwt_secret\n", "id token: hf_jwt_secret", "hf_jwt_secret\u{1b}[0m"] {
        let error = find(&job.clone().prints(beside), command(), None).unwrap_err();
        insta::allow_duplicates!(
            insta::assert_snapshot!(chain(&error), @r#"the id token command gave none: the program "print-token" printed something else than expected: an id token alone, without white space in it, in at most 1048576 bytes"#)
        );
    }
}
