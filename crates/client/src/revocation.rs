//! The end of a token before its time (RFC 7009).

use countersign_core::AccessToken;
use serde_json::Value;

use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::http::{HttpError, Request};

impl Client {
    /// Ends a token that is needed no more, where the registry offers that; whether it says that the token has ended.
    ///
    /// The registry's metadata (RFC 8414) says where. A token goes nowhere but to the registry that issued it: another
    /// server's address in there counts as none.
    pub fn revoke(&self, token: &AccessToken) -> Result<bool, HttpError> {
        let http = &self.surroundings().http;
        let metadata = format!("{}/.well-known/oauth-authorization-server", self.endpoint());
        let answer = http.send(Request::get(metadata))?;
        let Some(url) = revocation_url(&answer.body, self.endpoint()) else { return Ok(false) };
        let token: String = form_urlencoded::byte_serialize(token.expose().as_bytes()).collect();
        let answer = http.send(Request::post_form(url, format!("token={token}")))?;
        Ok(answer.status == 200)
    }
}

fn revocation_url(metadata: &[u8], endpoint: &Endpoint) -> Option<String> {
    let metadata: Value = serde_json::from_slice(metadata).ok()?;
    let url = metadata.get("revocation_endpoint")?.as_str()?;
    let path = url.strip_prefix(endpoint.as_str())?;
    path.starts_with('/').then(|| url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::revocation_url;

    #[test]
    fn a_token_goes_to_its_own_registry_only() {
        let endpoint = "https://hub.example.com".parse().unwrap();
        let check = |url: &str| {
            let metadata = serde_json::json!({ "revocation_endpoint": url }).to_string();
            revocation_url(metadata.as_bytes(), &endpoint)
        };
        assert!(check("https://hub.example.com/oauth/revoke").is_some());
        for url in [
            "https://hub.example.com.evil.example/revoke",
            "https://hub.example.com@evil.example/revoke",
            "https://hub.example.com",
            "http://hub.example.com/oauth/revoke",
            "https://evil.example/revoke",
        ] {
            assert_eq!(check(url), None, "{url}");
        }
        assert_eq!(revocation_url(b"<html>", &endpoint), None);
    }
}
