//! Providers whose tokens a service or a command gives.

use countersign_client::{Client, Settings, Source};
use serde_json::{Value, json};

use crate::fake::{HUB, Job, chain, no_connection, token_for};

/// Minted by these variables and answers; then one variable is taken away, which the message names.
fn check(variables: &[(&str, &str)], answers: &[&Value], missing: &str, name: &str) -> String {
    let job = variables.iter().fold(Job::default(), |job, (name, value)| job.with(name, value));
    let without = Job::default();
    let without = variables
        .iter()
        .filter(|(name, _)| *name != missing)
        .fold(without, |job, (name, value)| job.with(name, value));
    let job = answers.iter().fold(job, |job, answer| {
        let body = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        job.answers(200, &body)
    });
    let identity = job.client().identify().unwrap();
    assert_eq!(identity.provider().unwrap().name(), name);
    assert!(identity.source().mints_again());
    if !missing.is_empty() {
        let settings = Settings { provider: Some(name.to_owned()), ..Settings::default() };
        let client = Client::new(without.surroundings(), settings).unwrap();
        let failure = chain(&client.identify().unwrap_err());
        assert!(
            failure.contains(&format!("gives this job no id token: {missing} is not set; ")),
            "{failure}"
        );
    }
    job.sent().join("\n--\n")
}

#[test]
fn azure_devops() {
    let variables = [
        ("SYSTEM_OIDCREQUESTURI", "https://dev.example.com/oidc?x=1"),
        ("SYSTEM_ACCESSTOKEN", "mint-secret"),
    ];
    let answer = json!({ "oidcToken": token_for(HUB) });
    insta::assert_snapshot!(check(&variables, &[&answer], "SYSTEM_ACCESSTOKEN", "azure-devops"), @r"
    POST https://dev.example.com/oidc?x=1&api-version=7.1
    accept: application/json
    content-type: application/json
    authorization: Bearer mint-secret
    ");
}

#[test]
fn azures_own_audience_is_sent_only_to_who_is_said_to_accept_it() {
    let job = || {
        let answer = json!({ "oidcToken": token_for("api://AzureADTokenExchange") });
        let job = Job::default().with("SYSTEM_OIDCREQUESTURI", "https://dev.example.com/oidc");
        job.with("SYSTEM_ACCESSTOKEN", "mint-secret").answers(200, &answer.to_string())
    };
    insta::assert_snapshot!(chain(&job().client().identify().unwrap_err()), @r#"Azure DevOps gave an id token for "api://AzureADTokenExchange", expected one for "https://huggingface.co"; nothing was sent; its tokens are always for api://AzureADTokenExchange: if the registry accepts them, give --audience api://AzureADTokenExchange"#);
    let audience = Some("api://AzureADTokenExchange".parse().unwrap());
    let settings = Settings { audience, ..Settings::default() };
    Client::new(job().surroundings(), settings).unwrap().identify().unwrap();
}

#[test]
fn codefresh() {
    let variables =
        [("CF_OIDC_REQUEST_URL", "https://oidc.example.com/token"), ("CF_OIDC_REQUEST_TOKEN", "mint-secret")];
    let answer = json!({ "id_token": token_for(HUB) });
    insta::assert_snapshot!(check(&variables, &[&answer], "CF_OIDC_REQUEST_TOKEN", "codefresh"), @r"
    GET https://oidc.example.com/token?audience=https%3A%2F%2Fhuggingface.co
    accept: application/json
    authorization: mint-secret
    ");
}

#[test]
fn bitrise() {
    let variables = [
        ("BITRISE_BUILD_URL", "https://app.example.com/build/7"),
        ("BITRISE_BUILD_API_TOKEN", "mint-secret"),
    ];
    let answer = json!({ "id_token": token_for(HUB), "token_type": "Bearer", "expires_in": 600 });
    insta::assert_snapshot!(check(&variables, &[&answer], "BITRISE_BUILD_API_TOKEN", "bitrise"), @r#"
    POST https://app.example.com/build/7/id_token.json
    accept: application/json
    content-type: application/json
    build_api_token: mint-secret
    authorization: mint-secret
    {"aud":"https://huggingface.co"}
    "#);
}

#[test]
fn fly() {
    let variables = [("FLY_APP_NAME", "train"), ("FLY_MACHINE_ID", "7")];
    insta::assert_snapshot!(check(&variables, &[&json!(token_for(HUB))], "", "fly"), @r#"
    POST http://localhost/v1/tokens/oidc
    accept: application/json
    content-type: application/json
    {"aud":"https://huggingface.co"}
    "#);
    let quoted = json!(json!(token_for(HUB)).to_string());
    check(&variables, &[&quoted], "", "fly");
    let machine = variables.iter().fold(Job::default(), |job, (name, value)| job.with(name, value));
    let barred = (0..3).fold(machine, |job, _| job.fails(no_connection()));
    insta::assert_snapshot!(chain(&barred.client().identify().unwrap_err()), @"Fly.io gives this job no id token: the socket /.fly/api cannot be used: connection refused; run this as root in the machine, or let its user read and write the socket /.fly/api");
}

#[test]
fn azure() {
    let variables =
        [("IDENTITY_ENDPOINT", "http://127.0.0.1:42/msi/token"), ("IDENTITY_HEADER", "mint-secret")];
    let answer = json!({ "access_token": token_for(HUB) });
    insta::assert_snapshot!(check(&variables, &[&answer], "", "azure"), @r"
    GET http://127.0.0.1:42/msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fhuggingface.co
    accept: application/json
    x-identity-header: mint-secret
    ");
    // A virtual machine has no sign; it has to be named.
    let machine = Job::default().answers(200, &answer.to_string());
    let settings = Settings { provider: Some("azure".to_owned()), ..Settings::default() };
    Client::new(machine.surroundings(), settings).unwrap().identify().unwrap();
    insta::assert_snapshot!(machine.sent().join("\n"), @r"
    GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fhuggingface.co
    accept: application/json
    metadata: true
    ");
}

#[test]
fn google() {
    let machine = [("GCE_METADATA_HOST", "127.0.0.1:42")];
    insta::assert_snapshot!(check(&machine, &[&json!(token_for(HUB))], "", "google"), @r"
    GET http://127.0.0.1:42/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience=https%3A%2F%2Fhuggingface.co
    accept: application/json
    metadata-flavor: Google
    ");
    let other = [("GOOGLE_SERVICE_ACCOUNT_NAME", "ci@acme.iam.gserviceaccount.com")];
    let answers = [&json!({ "access_token": "mint-secret" }), &json!({ "token": token_for(HUB) })];
    insta::assert_snapshot!(check(&other, &answers, "", "google"), @r#"
    GET http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token
    accept: application/json
    metadata-flavor: Google
    --
    POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/ci@acme.iam.gserviceaccount.com:generateIdToken
    accept: application/json
    content-type: application/json
    authorization: Bearer mint-secret
    {"audience":"https://huggingface.co","includeEmail":true}
    "#);
}

#[test]
fn aws() {
    let answer = |token: &str| {
        json!(format!("<R><WebIdentityToken>{token}</WebIdentityToken><Expiration>x</Expiration></R>"))
    };
    let function = [
        ("AWS_EXECUTION_ENV", "AWS_Lambda_rust"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "mint-secret"),
        ("AWS_SESSION_TOKEN", "session"),
        ("AWS_REGION", "eu-west-1"),
    ];
    insta::assert_snapshot!(check(&function, &[&answer(&token_for(HUB))], "AWS_REGION", "aws"), @r"
    POST https://sts.eu-west-1.amazonaws.com/
    content-type: application/x-www-form-urlencoded
    x-amz-date: 20270115T080000Z
    authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270115/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=a1ef2a74b61d72b93281ca9f7ffd3b7a64c344594a65f3c77ea729cbfd6c5621
    x-amz-security-token: session
    Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=https%3A%2F%2Fhuggingface.co&DurationSeconds=300&SigningAlgorithm=RS256
    ");
    let pod = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "mint-secret"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    let keys = json!({ "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "mint-secret", "Token": "session" });
    let asked = check(&pod, &[&keys, &answer(&token_for(HUB))], "", "aws");
    insta::assert_snapshot!(asked.split_once("\n--\n").unwrap().0, @r"
    GET http://169.254.170.23/v1/credentials
    accept: application/json
    authorization: mint-secret
    ");
    assert!(!asked.contains("SecretAccessKey"));
    let unallowed =
        Job::default().with("AWS_LAMBDA_FUNCTION_NAME", "publish").with("AWS_REGION", "eu-west-1");
    insta::assert_snapshot!(chain(&unallowed.client().identify().unwrap_err()), @"AWS gives this job no id token: AWS_ACCESS_KEY_ID is not set; enable outbound identity federation for the account, allow the role `sts:GetWebIdentityToken`, and set AWS_REGION: the global endpoint does not mint");
}

#[test]
fn spiffe() {
    let job = || Job::default().with("SPIFFE_ENDPOINT_SOCKET", "unix:///run/spire/agent.sock");
    let answer = json!([{ "svids": [{ "spiffe_id": "spiffe://acme.example.com/ci", "svid": token_for(HUB) }] }, { "bundles": {} }]);
    let job_with_agent = job().prints(&answer.to_string());
    let identity = job_with_agent.client().identify().unwrap();
    assert_eq!(identity.source(), &Source::Command("spire-agent".to_owned()));
    insta::assert_snapshot!(job_with_agent.ran().join("\n"), @"spire-agent api fetch jwt -audience https://huggingface.co -output json -socketPath /run/spire/agent.sock");
    let failure = |job: Job| chain(&job.client().identify().unwrap_err());
    insta::assert_snapshot!(failure(job()), @r#"the command that gives id tokens in jobs of SPIFFE gave none; register the workload with the trust domain's server, and put spire-agent into PATH: the program "spire-agent" was not found; install it, or add its folder to PATH"#);
    insta::assert_snapshot!(failure(job().prints("token(spiffe://acme.example.com/ci):")), @"the token service of SPIFFE answered without an id token: expected a JSON array in which an object has `svids`, as spire-agent prints it");
}

#[test]
fn what_a_service_refuses_comes_with_the_remedy() {
    for (name, value, more) in [
        ("SYSTEM_OIDCREQUESTURI", "https://dev.example.com", "SYSTEM_ACCESSTOKEN"),
        ("CF_OIDC_REQUEST_URL", "https://oidc.example.com", "CF_OIDC_REQUEST_TOKEN"),
        ("BITRISE_BUILD_URL", "https://app.example.com", "BITRISE_BUILD_API_TOKEN"),
        ("GCE_METADATA_HOST", "127.0.0.1", "X"),
    ] {
        let job = Job::default()
            .with(name, value)
            .with(more, "mint-secret")
            .answers(503, "")
            .answers(403, "mint-secret");
        let failure = chain(&job.client().identify().unwrap_err());
        assert!(failure.contains("answered with status 403 instead of an id token; "), "{failure}");
        assert_eq!((job.sent().len(), job.slept().len()), (2, 1), "{name}");
    }
}
