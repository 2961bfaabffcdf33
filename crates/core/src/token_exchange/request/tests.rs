use serde_json::{Value, json};

use super::*;

const FORM_NAMES: [&str; 4] = ["grant_type", "subject_token_type", "subject_token", "resource"];

fn valid() -> Vec<(&'static str, &'static str)> {
    FORM_NAMES.into_iter().zip([GRANT_TYPE, token_type::ID_TOKEN, "x.y.z", "acme/model"]).collect()
}

/// Reads the same parameters as a form and, where no name repeats, as JSON; both must give the same verdict.
fn read(parameters: &[(&str, &str)]) -> Result<TokenRequest, TokenRequestError> {
    let own = "https://hub.example.com".parse().unwrap();
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let from_form = TokenRequest::from_parameters(&Parameters::from_form(form.as_bytes()), &own);
    let mut object = serde_json::Map::new();
    for (name, value) in parameters {
        match object.get_mut(*name) {
            None => drop(object.insert((*name).to_owned(), json!(value))),
            Some(Value::Array(values)) => values.push(json!(value)),
            Some(first) => *first = json!([first.clone(), value]),
        }
    }
    let json = serde_json::to_vec(&object).unwrap();
    let from_json = TokenRequest::from_parameters(&Parameters::from_json(&json).unwrap(), &own);
    assert_eq!(verdict(&from_form), verdict(&from_json), "i2: form and JSON give the same verdict");
    from_form
}

fn verdict(result: &Result<TokenRequest, TokenRequestError>) -> String {
    match result {
        Ok(request) => format!("{} {:?}", request.resource, request.scope),
        Err(error) => format!("{}: {error}", error.code(ErrorCode::InvalidTarget).as_str()),
    }
}

fn check(change: &[(&str, Option<&str>)], expected: &str) {
    let mut parameters = valid();
    for (name, value) in change {
        match value {
            Some(value) if parameters.iter().any(|(known, _)| known == name) => {
                parameters.iter_mut().filter(|(known, _)| known == name).for_each(|pair| pair.1 = value);
            }
            Some(value) => parameters.push((name, value)),
            None => parameters.retain(|(known, _)| known != name),
        }
    }
    let found = verdict(&read(&parameters));
    assert!(found.starts_with(expected), "{found:?} for {change:?}");
}

#[test]
fn valid_requests() {
    check(&[], "acme/model None");
    check(&[("subject_token_type", Some(token_type::JWT))], "acme/model None");
    check(&[("requested_token_type", Some(token_type::ACCESS_TOKEN))], "acme/model None");
    check(&[("scope", Some("read"))], "acme/model Some(Read)");
    check(&[("scope", Some("openid read"))], "acme/model Some(Read)");
    check(&[("scope", Some("read write"))], "acme/model Some(Everything)");
    check(&[("scope", Some("reader"))], "acme/model Some(Everything)");
    check(&[("audience", Some("https://hub.example.com/"))], "acme/model None");
    check(
        &[("scope", Some("https://www.googleapis.com/auth/cloud-platform"))],
        "acme/model Some(Everything)",
    );
    check(&[("resource", Some("https://hub.example.com/datasets/acme/x"))], "datasets/acme/x None");
    check(&[("resource", None), ("audience", Some("acme/model"))], "acme/model None");
    check(&[("audience", Some("https://hub.example.com"))], "acme/model None");
    check(&[("audience", Some("acme/model"))], "acme/model None");
}

#[test]
fn i4_unknown_parameters_are_ignored() {
    check(&[("client_id", Some("x")), ("options", Some("{}"))], "acme/model None");
}

#[test]
fn i5_wrong_grant_type() {
    check(&[("grant_type", Some("client_credentials"))], "unsupported_grant_type");
    check(&[("grant_type", None)], "invalid_request: the parameter grant_type is missing");
}

#[test]
fn i6_unsupported_subject_token_types() {
    for kind in [token_type::ACCESS_TOKEN, "urn:ietf:params:oauth:token-type:saml2", "id_token"] {
        check(&[("subject_token_type", Some(kind))], "invalid_request: expected subject_token_type");
    }
    check(
        &[("requested_token_type", Some("urn:ietf:params:oauth:token-type:refresh_token"))],
        "invalid_request: this server",
    );
}

#[test]
fn i7_actor_token_is_never_ignored() {
    check(&[("actor_token", Some("x"))], "invalid_request: actor_token");
    check(&[("actor_token_type", Some(token_type::JWT))], "invalid_request: actor_token");
}

#[test]
fn i8_subject_token_empty_or_absent() {
    check(&[("subject_token", Some(""))], "invalid_request: the parameter subject_token is missing");
    check(&[("subject_token", None)], "invalid_request: the parameter subject_token is missing");
    check(
        &[("resource", None), ("audience", Some("https://hub.example.com"))],
        "invalid_request: the parameter resource",
    );
    check(&[("resource", Some(""))], "invalid_request: the parameter resource is missing");
}

#[test]
fn i3_repeated_parameters() {
    for name in ["grant_type", "subject_token_type", "subject_token", "scope"] {
        let mut parameters = valid();
        parameters.extend([(name, "x"), (name, "x")]);
        assert!(verdict(&read(&parameters)).starts_with("invalid_request: the parameter"), "{name}");
    }
    let twice = br#"{"subject_token":"a","subject_token":"b"}"#;
    assert!(matches!(Parameters::from_json(twice), Err(ParametersError::Json(_))));
}

#[test]
fn i10_several_resources() {
    let mut parameters = valid();
    parameters.push(("resource", "acme/other"));
    assert!(verdict(&read(&parameters)).starts_with("invalid_target"));
    check(&[("audience", Some("acme/other"))], "invalid_target");
}

#[test]
fn malformed_targets() {
    check(&[("resource", Some("a/b/c/d"))], "invalid_target: expected a resource");
    check(&[("resource", Some("https://elsewhere.example.com/a/b"))], "invalid_target: this server issues");
}

#[test]
fn texts_must_be_texts() {
    let own = "https://hub.example.com".parse().unwrap();
    for (name, value) in
        [("subject_token", json!(7)), ("resource", json!({"a": "b"})), ("grant_type", json!(true))]
    {
        let mut object: serde_json::Map<String, Value> =
            valid().into_iter().map(|(k, v)| (k.to_owned(), json!(v))).collect();
        object.insert(name.to_owned(), value);
        let parameters = Parameters::from_json(&serde_json::to_vec(&object).unwrap()).unwrap();
        let error = TokenRequest::from_parameters(&parameters, &own).unwrap_err();
        assert_eq!(error.to_string(), format!("the parameter {name} must be a text"));
    }
}
