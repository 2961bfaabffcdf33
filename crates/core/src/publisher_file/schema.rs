//! The format of the file for editors and other programs.

use serde_json::{Map, Value, json};

use crate::provider::{Preset, Provider};

/// The JSON Schema (draft 2020-12) of a [`PublisherFile`](super::PublisherFile), made of the presets.
///
/// It says no more than what holds for every reader: which keys there are, which fields, ids and events each provider has,
/// and of what type values are. A file that passes it can still be refused, for what only the presets' parsers know.
pub fn schema() -> Value {
    let presets = Provider::ALL.map(Provider::preset);
    let mut definitions = Map::new();
    definitions.insert("publisher".to_owned(), publisher(&presets));
    definitions
        .insert("value".to_owned(), json!({ "type": ["string", "integer", "boolean"], "minLength": 1 }));
    definitions.insert("values".to_owned(), either("#/$defs/value", None));
    definitions.insert("text".to_owned(), json!({ "type": "string", "minLength": 1 }));
    definitions.insert("texts".to_owned(), either("#/$defs/text", None));
    definitions.insert("single".to_owned(), either("#/$defs/text", Some(1)));
    definitions.extend(presets.iter().map(|preset| (preset.name.to_owned(), of_provider(preset))));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Trusted publishers",
        "description": "The publishers that resources are to have, for `countersign publishers plan` and `apply`.",
        "type": "object",
        "required": ["publishers"],
        "additionalProperties": false,
        "properties": {
            "manages": {
                "description": "The resources that have no other publishers than those of this file, such as acme/*; \
                                without it those that the file names.",
                "type": "array",
                "items": { "type": "string", "minLength": 1, "maxLength": 300 },
            },
            "publishers": { "type": "array", "items": { "$ref": "#/$defs/publisher" } },
        },
        "$defs": definitions,
    })
}

fn publisher(presets: &[&Preset]) -> Value {
    let names: Vec<&str> = presets.iter().map(|preset| preset.name).collect();
    let of_each = presets.iter().map(|preset| {
        json!({
            "if": { "properties": { "provider": { "const": preset.name } } },
            "then": { "$ref": format!("#/$defs/{}", preset.name) },
        })
    });
    json!({
        "type": "object",
        "required": ["resource", "provider"],
        "additionalProperties": false,
        "properties": {
            "resource": {
                "description": "What tokens are for: namespace/name, datasets/namespace/name, a user name, pkg:pypi/name …",
                "type": "string",
            },
            "provider": { "description": "Whose runs are trusted.", "enum": names },
            "issuer": {
                "description": "The issuer, exactly as in `iss`; by default the provider's one public issuer.",
                "type": "string",
            },
            "conditions": {
                "description": "What a run must have, by field of the provider or by JSON Pointer to a claim: one value, or a \
                                list of which it must have one.",
                "type": "object",
            },
            "pins": {
                "description": "Immutable ids that runs must have. What is left out and can be learned is learned from the \
                                first run, and stays.",
                "type": "object",
                "additionalProperties": { "type": ["string", "null"] },
            },
            "allowed_events": {
                "description": "Events accepted although they are refused otherwise.",
                "type": "array",
                "items": { "type": "string" },
            },
            "permission": { "description": "What tokens may do; by default as much as the resource's kind allows.", "enum": ["read", "write"] },
            "state": { "enum": ["enabled", "disabled"] },
        },
        "allOf": of_each.collect::<Vec<_>>(),
    })
}

/// What holds for the publishers of one provider.
fn of_provider(preset: &Preset) -> Value {
    let fields = preset.fields.iter().map(|field| {
        let values = if field.single { "#/$defs/single" } else { "#/$defs/texts" };
        (
            field.name.to_owned(),
            json!({ "description": format!("The claim {}.", field.claim), "$ref": values }),
        )
    });
    let pins = preset.pins.iter().map(|pin| {
        (pin.claim.to_owned(), json!({ "description": format!("{}.", pin.form), "type": ["string", "null"] }))
    });
    let refused = preset.event.as_ref().map_or(&[][..], |event| event.refused);
    let required: &[&str] = if preset.issuers.len() == 1 { &[] } else { &["issuer"] };
    json!({
        "title": preset.title,
        "required": required,
        "properties": {
            "conditions": {
                "properties": fields.collect::<Map<_, _>>(),
                "patternProperties": { "^/": { "$ref": "#/$defs/values" } },
                "additionalProperties": false,
            },
            "pins": { "properties": pins.collect::<Map<_, _>>(), "additionalProperties": false },
            "allowed_events": if refused.is_empty() {
                json!({ "maxItems": 0 })
            } else {
                json!({ "items": { "enum": refused } })
            },
        },
    })
}

/// One value or a list.
fn either(value: &str, at_most: Option<u32>) -> Value {
    let mut list = json!({ "type": "array", "items": { "$ref": value }, "minItems": 1 });
    if let Some(at_most) = at_most {
        list["maxItems"] = at_most.into();
    }
    json!({ "anyOf": [{ "$ref": value }, list] })
}
