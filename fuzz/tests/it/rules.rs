//! Publishers' rules.

use countersign_core::publisher::RawRules;
use countersign_core::{Rules, decide};
use serde_json::Map;

use crate::BRIEFLY;
use crate::edit::{Edits, edited};
use crate::run::{publisher, resource, token};

const EXAMPLES: &[&str] = &[
    r#"{"issuer":"https://token.actions.githubusercontent.com","provider":"github","conditions":{"repository":["acme/train"],"branch":["main"],"workflow":["publish.yml"]},"pins":{"repository_id":"74"}}"#,
    r#"{"issuer":"https://gitlab.com","provider":"gitlab","conditions":{"project":["acme/train"],"ref":["main"]},"allowed_events":["merge_request_event"]}"#,
    r#"{"issuer":"https://ci.example.com","provider":"generic","conditions":{"/team":["ml"],"/flag":[true],"/n/0":[12]}}"#,
];

#[test]
fn rules_read_back_as_themselves_and_never_match_an_empty_token() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let Ok(raw) = serde_json::from_str::<RawRules>(&edited(EXAMPLES, edits)) else { return };
        let Ok(rules) = Rules::try_from(raw) else { return };
        let json = serde_json::to_string(&rules).unwrap();
        assert_eq!(serde_json::from_str::<Rules>(&json).unwrap(), rules);

        // Invariant 5: whatever the rules are, they demand something.
        let demands = !rules.conditions().is_empty() || rules.pins().any(|(_, id)| id.is_some());
        assert!(demands, "{json}");
        let token = token(rules.issuer(), Map::new());
        assert!(decide(&resource(), &[publisher(rules)], &token).is_err(), "{json}");
    });
}
