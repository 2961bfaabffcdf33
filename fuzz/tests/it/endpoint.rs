//! The registry's address.

use countersign_client::Endpoint;

use crate::BRIEFLY;
use crate::edit::{Edits, edited};
use crate::issuer::is_loopback;

const EXAMPLES: &[&str] = &[
    "https://huggingface.co",
    "https://hub.example.com:8443/prefix/",
    "http://127.0.0.1:8080",
    "http://[::1]:80",
    "http://localhost/x",
];

#[test]
fn an_endpoint_keeps_id_tokens_off_the_open_network() {
    bolero::check!().with_test_time(BRIEFLY).with_type::<Edits>().for_each(|edits| {
        let text = edited(EXAMPLES, edits);
        let Ok(endpoint) = text.parse::<Endpoint>() else { return };
        assert_eq!(endpoint.as_str(), text.trim_end_matches('/'));
        assert_eq!(endpoint.to_string().parse::<Endpoint>().as_ref(), Ok(&endpoint));
        assert_eq!(endpoint.token_url(), format!("{endpoint}/oauth/token"));
        assert!(!endpoint.as_str().contains(['@', '?', '#', '\\']), "{text}");
        assert!(
            !endpoint.as_str().contains(char::is_whitespace) && !endpoint.as_str().contains(char::is_control)
        );
        let (scheme, rest) = endpoint.as_str().split_once("://").unwrap();
        let authority = rest.split('/').next().unwrap();
        assert!(scheme == "https" || (scheme == "http" && is_loopback(authority)), "{text}");
    });
}
