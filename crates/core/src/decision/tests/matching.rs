//! Threats F: how claims are compared.

use super::*;

#[test]
fn the_cases_are_let_in() {
    for case in [
        github(),
        gitlab(),
        generic(),
        circleci::case(),
        buildkite::case(),
        bitbucket::case(),
        forgejo::case(),
        depot::case(),
    ] {
        let grant = case.granted();
        assert_eq!(
            (grant.publisher().as_str(), grant.resource(), grant.permission()),
            (ID, &resource(), Permission::Write)
        );
    }
}

#[test]
fn f1_matching_is_exact() {
    for value in [
        "acme/trai",
        "acme/train2",
        " acme/train",
        "acme/train ",
        "acme/train\0",
        "acme/train\n",
        "acme//train",
        "",
    ] {
        github().claim("repository", value).refused("repository: expected acme/train");
    }
    for value in ["mll", "m", "ml ", "\u{feff}ml", "ml\0", "ML"] {
        generic().claim("team", value).refused("/team: expected ml");
    }
}

#[test]
fn f2_f3_f4_there_are_no_patterns() {
    for pattern in ["ml|other", ".*", "m.", "*", "m*", "**", "(ml)", "^ml$", "(a+)+$"] {
        generic().set("/team", pattern).refused("/team: expected");
    }
    generic().set("/team", "*").claim("team", "*").granted();
}

#[test]
fn f5_wildcards_in_preset_fields_are_refused_at_save() {
    github().set("repository", "acme/*").not_saved("expected OWNER/NAME with the exact names");
    github().set("repository", "acme/train*").not_saved("expected OWNER/NAME with the exact names");
    github().set("branch", "release/*").not_saved("without wildcards");
    github().set("workflow", "*.yml").not_saved("expected the name of a file in .github/workflows/");
    gitlab().set("project", "acme/*").not_saved("without wildcards");
    gitlab().set("ref", "v*").not_saved("without wildcards");
}

#[test]
fn f6_f13_empty_values_are_refused_at_save_and_never_match() {
    generic().set("/team", "").not_saved("expected a value as /team, found an empty text");
    github().set("environment", "").not_saved("environment's name");
    for empty in [json!(""), Value::Null] {
        github().claim("repository", empty.clone()).refused("repository: expected acme/train, came nothing");
        github()
            .set("environment", "prod")
            .claim("environment", empty.clone())
            .refused("environment: expected prod, came nothing");
        generic().claim("team", empty).refused("/team: expected ml, came");
    }
    generic().without("team").refused("/team: expected ml, came nothing");
    generic().set("/team", "null").claim("team", Value::Null).refused("came nothing");
}

#[test]
fn f7_only_ascii_letters_fold_and_only_where_the_provider_folds() {
    github().claim("repository", "ACME/Train").granted();
    github().set("environment", "Prod").claim("environment", "pROD").granted();
    github().claim("ref", "refs/heads/Main").refused("branch: expected main, came Main");
    gitlab().set("environment", "prod").claim("environment", "Prod").refused("environment");
    // Kelvin sign, long s, dotted capital I: Unicode folds them to k, s and i.
    github().set("environment", "k").claim("environment", "\u{212A}").refused("environment");
    github().set("environment", "s").claim("environment", "\u{17F}").refused("environment");
    github().set("environment", "i").claim("environment", "\u{130}").refused("environment");
    // NFC and NFD.
    generic().set("/team", "\u{e9}").claim("team", "e\u{301}").refused("/team");
}

#[test]
fn f8_types_never_convert() {
    generic().set("/number", "12").refused("/number: expected 12, came integer 12");
    generic().set("/flag", "true").refused("/flag: expected true, came boolean true");
    for value in [json!(["acme/train"]), json!({ "x": 1 }), json!(74), json!(true)] {
        github()
            .claim("repository", value)
            .refused("repository: expected acme/train, came nothing (the claim repository is");
    }
    github().pin("repository_id", "74").claim("repository_id", 74).refused("pin repository_id: expected 74");
    let mut case = generic();
    case.rules.conditions.insert("/number".to_owned(), vec![Scalar::Integer(12)]);
    case.rules.conditions.insert("/flag".to_owned(), vec![Scalar::Boolean(true)]);
    case.granted();
    case.clone().claim("number", "12").refused("/number: expected integer 12, came 12");
    case.claim("flag", "true").refused("/flag: expected boolean true, came true");
}

#[test]
fn f9_numbers_are_not_rounded() {
    let mut case = generic();
    case.rules.conditions.insert("/number".to_owned(), vec![Scalar::Integer(12)]);
    for value in [json!(12.9), json!(12.0), json!(1.2e1), json!(u64::MAX)] {
        case.clone().claim("number", value).refused("/number: expected integer 12");
    }
    case.rules.conditions.insert("/number".to_owned(), vec![Scalar::Integer(1 << 53)]);
    case.claim("number", (1_i64 << 53) + 1).refused("/number");
}

#[test]
fn f10_an_absent_event_is_not_a_harmless_one() {
    github()
        .without("event_name")
        .refused("event: expected any event_name but pull_request_target, workflow_run, came nothing");
    github().claim("event_name", json!(["push"])).refused("event");
    gitlab().without("pipeline_source").refused("event");
}

#[test]
fn f11_a_publisher_without_conditions_cannot_be_saved() {
    generic().unset("/team").not_saved("at least one condition");
    github().unset("repository").unset("branch").unset("workflow").not_saved("at least one condition");
    let mut case = generic();
    case.rules.conditions.insert("/team".to_owned(), Vec::new());
    case.not_saved("expected at least one value");
    for pointer in ["/iss", "/aud", "/exp", "/nbf", "/iat", "/jti"] {
        generic().unset("/team").set(pointer, "x").not_saved("says nothing about the run");
    }
}

#[test]
fn f12_a_shared_issuer_needs_its_tenant() {
    github().unset("repository").not_saved("do not say whose runs are meant");
    // A name by pointer is no tenant either: nothing would hold it to an id.
    github()
        .unset("repository")
        .set("/repository", "acme/train")
        .not_saved("do not say whose runs are meant");
    gitlab().unset("project").not_saved("do not say whose runs are meant");
    github().unset("repository").pin("repository_owner_id", "65").granted();
    let mut case = github();
    case.rules.provider = Provider::Generic;
    case.not_saved("use --provider github");
    case.rules.issuer = "https://oidc.circleci.com/org/octo".parse().unwrap();
    case.not_saved("use --provider circleci");
}

#[test]
fn f14_f15_environments() {
    github().set("environment", "prod").refused("environment: expected prod, came nothing");
    let grant = github().claim("environment", "prod").granted();
    assert!(grant.notices().contains(&Notice::EnvironmentNotRequired { environment: "prod".to_owned() }));
    let grant = github().set("environment", "prod").claim("environment", "prod").granted();
    assert!(!format!("{:?}", grant.notices()).contains("Environment"));
}

#[test]
fn f16_pointers_are_literal() {
    generic().set("/nested/a.b/c~1d", "x").granted();
    generic().set("/nested/a/b/c/d", "x").refused("came nothing");
    generic().set("/nested.a.b", "x").refused("came nothing");
    generic()
        .set("nested", "x")
        .not_saved("expected nothing or a JSON Pointer such as /claim, found the field \"nested\"");
    github()
        .set("brunch", "x")
        .not_saved("expected repository, branch, tag, workflow, environment or a JSON Pointer");
}

#[test]
fn f17_of_several_publishers_the_strictest_is_recorded() {
    let loose = github().unset("workflow");
    let strict = github().set("/runner_environment", "github-hosted");
    let other = github().set("branch", "release");
    let id = |last: u8| format!("01890000-0000-7000-8000-00000000000{last}");
    let publishers = [
        publisher(&id(1), loose.rules().unwrap(), PublisherState::Enabled),
        publisher(&id(2), strict.rules().unwrap(), PublisherState::Enabled),
        publisher(&id(3), strict.rules().unwrap(), PublisherState::Enabled),
        publisher(&id(4), other.rules().unwrap(), PublisherState::Enabled),
    ];
    let grant = decide(&resource(), &publishers, &github().token()).unwrap();
    assert_eq!(grant.publisher().as_str(), id(2));
}

#[test]
fn publishers_of_other_resources_and_issuers_are_passed_over() {
    let elsewhere = Publisher { resource: "acme/other".parse().unwrap(), ..github().publisher() };
    assert!(decide(&resource(), &[elsewhere], &github().token()).unwrap_err().publishers().is_empty());
    let token = token("https://ghes.example.com/_services/token", github().claims);
    let refusal = decide(&resource(), &[github().publisher()], &token).unwrap_err();
    assert!(
        refusal.publishers().is_empty(),
        "g16: the same names under another issuer are other repositories"
    );
}

#[test]
fn i16_a_disabled_publisher_refuses() {
    let mut case = github();
    case.state = PublisherState::Disabled;
    case.refused("publisher: expected enabled, came disabled");
}

#[test]
fn several_values_and_narrowing() {
    let mut case = github();
    case.rules.conditions.insert("branch".to_owned(), vec![text("main"), text("release")]);
    case.granted();
    case.clone().claim("ref", "refs/heads/release").granted();
    case.claim("ref", "refs/heads/dev").refused("branch: expected main or release, came dev");
    assert_eq!(github().granted().narrowed_to(Permission::Read).permission(), Permission::Read);
    let reader = Publisher { permission: Permission::Read, ..github().publisher() };
    let grant = decide(&resource(), &[reader], &github().token()).unwrap().narrowed_to(Permission::Write);
    assert_eq!(grant.permission(), Permission::Read, "asking for more widens nothing");
    let user = Publisher { resource: "julien".parse().unwrap(), ..github().publisher() };
    let grant = decide(&user.resource, std::slice::from_ref(&user), &github().token()).unwrap();
    assert_eq!(grant.permission(), Permission::Read, "a user's tokens only read");
}

#[test]
fn rules_survive_storage() {
    for case in
        [github().pin("repository_id", "74").allow("workflow_run"), gitlab(), generic().set("/a~1b", "x")]
    {
        let rules = case.rules().unwrap();
        let stored = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<Rules>(&stored).unwrap(), rules);
    }
    let empty = r#"{"issuer":"https://ci.example.com","provider":"generic","conditions":{}}"#;
    assert!(serde_json::from_str::<Rules>(empty).is_err(), "f11: not from storage either");
}

#[test]
fn a_publisher_has_a_size() {
    let conditions = |number: usize| {
        (0..number).fold(generic().unset("/team"), |case, index| case.set(&format!("/c{index}"), "x"))
    };
    conditions(50).rules().unwrap();
    conditions(51).not_saved("expected at most 50 conditions, found 51");
    let values = |number: usize| {
        let mut case = generic();
        let values = (0..number).map(|index| text(&index.to_string())).collect();
        case.rules.conditions.insert("/team".to_owned(), values);
        case
    };
    values(100).rules().unwrap();
    values(101).not_saved("at most 100 values");
    let value = |bytes: usize| generic().set("/team", &"x".repeat(bytes));
    value(1_000).rules().unwrap();
    value(1_001).not_saved("at most 1000 bytes");
    generic().set(&format!("/{}", "x".repeat(1_000)), "x").not_saved("at most 1000 bytes");
}

#[test]
fn an_explanation_that_is_kept_has_a_size() {
    let case = generic().set("/team", &"é".repeat(450));
    let publishers: Vec<Publisher> = (1..=100)
        .map(|number| {
            publisher(&format!("01890000-0000-7000-8000-{number:012}"), case.rules().unwrap(), case.state)
        })
        .collect();
    let refusal = decide(&resource(), &publishers, &generic().claim("team", "x").token()).unwrap_err();
    let text = refusal.for_owner();
    assert!((16_000..16_400).contains(&text.len()) && text.ends_with('…'), "{}", text.len());
    assert!(refusal.publishers().len() == 100, "the API explains in full");
}
