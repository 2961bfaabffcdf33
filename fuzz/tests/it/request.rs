//! The request: what two encodings of one content say.

use std::collections::BTreeMap;

use countersign_core::PublicUrl;
use countersign_core::token_exchange::{GRANT_TYPE, Parameters, TokenRequest, token_type};
use serde_json::{Value, json};

use crate::BRIEFLY;
use crate::edit::{Edits, edited};

const NAMES: &[&str] = &[
    "grant_type",
    "subject_token",
    "subject_token_type",
    "resource",
    "audience",
    "scope",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "client_id",
    "",
];
const VALUES: &[&str] = &[
    "",
    GRANT_TYPE,
    token_type::ID_TOKEN,
    token_type::JWT,
    token_type::ACCESS_TOKEN,
    "eyJ.e30.c2ln",
    "acme/model",
    "https://hub.example.com",
    "https://hub.example.com/datasets/acme/x",
    "pkg:pypi/a",
    "read",
    "write",
    "a+b %41&c=d",
];

/// Parameters that are added to (or, the first four, missing from) a good request.
type Content = (u8, Vec<(u8, u8, Edits)>);

fn parameters((missing, added): &Content) -> Vec<(&'static str, String)> {
    let good = [
        ("grant_type", GRANT_TYPE),
        ("subject_token_type", token_type::ID_TOKEN),
        ("subject_token", "eyJ.e30.c2ln"),
        ("resource", "acme/model"),
    ];
    let kept = good.iter().enumerate().filter(|(index, _)| missing >> index & 1 == 0);
    let mut parameters: Vec<_> = kept.map(|(_, (name, value))| (*name, (*value).to_owned())).collect();
    for (name, value, edits) in added.iter().take(3) {
        let value = VALUES[usize::from(*value) % VALUES.len()];
        parameters.push((NAMES[usize::from(*name) % NAMES.len()], edited(&[value], edits)));
    }
    parameters
}

/// The verdict in full: what was understood, or the whole text of what is wrong.
fn verdict(parameters: &Parameters) -> Result<(String, String, String), String> {
    let own: PublicUrl = "https://hub.example.com".parse().unwrap();
    let request = TokenRequest::from_parameters(parameters, &own).map_err(|problem| problem.to_string())?;
    let scope = format!("{:?}", request.scope);
    Ok((request.subject_token.expose().to_owned(), request.resource.to_string(), scope))
}

#[test]
fn a_form_and_json_with_one_content_get_one_verdict() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<Content>().for_each(|content| {
        let parameters = parameters(content);
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish();
        let mut members: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
        for (name, value) in &parameters {
            members.entry(name).or_default().push(Value::from(value.as_str()));
        }
        let listed = json!(members).to_string();
        let from_form = verdict(&Parameters::from_form(form.as_bytes()));
        assert_eq!(from_form, verdict(&Parameters::from_json(listed.as_bytes()).unwrap()), "{listed}");
        if members.values().all(|values| values.len() == 1) {
            let single: BTreeMap<_, _> = parameters.iter().cloned().collect();
            let single = json!(single).to_string();
            assert_eq!(from_form, verdict(&Parameters::from_json(single.as_bytes()).unwrap()), "{single}");
        }
        if let Ok((token, _, _)) = from_form {
            assert!(!token.is_empty());
            let named =
                |name: &str| parameters.iter().any(|(found, value)| *found == name && !value.is_empty());
            assert!(!named("actor_token") && !named("actor_token_type"), "{form}");
        }
    });
}

#[test]
fn bodies_of_random_bytes() {
    bolero::check!().with_test_time(BRIEFLY).for_each(|bytes: &[u8]| {
        assert!(verdict(&Parameters::from_form(bytes)).is_err());
        let Ok(parameters) = Parameters::from_json(bytes) else { return };
        assert!(verdict(&parameters).is_err());
    });
}
