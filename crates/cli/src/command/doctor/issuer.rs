//! The issuer of the id token: whether its discovery document can be had.

use countersign_client::Endpoint;
use countersign_client::http::Request;
use serde_json::Value;

use crate::command::doctor::examination::Examination;
use crate::command::doctor::report::Step;
use crate::failure::chain;

/// Never wrong, at most strange: it is the registry that must reach the issuer, and it may have its keys otherwise.
pub(super) fn step(examination: &Examination<'_>) -> Step {
    const NAME: &str = "issuer";
    let claims = examination.identity.as_ref().ok().and_then(|identity| identity.claims().ok());
    let issuer = claims.as_ref().and_then(|claims| claims.claims().value("iss")?.as_str());
    let Some(issuer) = issuer else { return Step::skipped(NAME, "no id token names one") };
    // The claim is anybody's text: only what can be an issuer is asked, https or this very machine.
    if let Err(error) = issuer.parse::<Endpoint>() {
        return Step::remark(NAME, format!("{issuer:?} is no issuer's URL: {error}"));
    }
    let url = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let answer = match examination.client.surroundings().http.send(Request::get(url)) {
        Ok(answer) => answer,
        Err(error) => {
            let error = chain(&error);
            return Step::remark(
                NAME,
                format!("not reachable from here ({error}); the registry has to reach it"),
            );
        }
    };
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200);
    match body.as_ref().and_then(|body| body["issuer"].as_str()) {
        Some(named) if named == issuer => {
            Step::good(NAME, format!("{issuer} publishes its discovery document"))
        }
        Some(named) => {
            Step::remark(NAME, format!("the discovery document of {issuer} names {named:?} instead"))
        }
        None => {
            Step::remark(NAME, format!("{issuer} gives no discovery document (status {})", answer.status))
        }
    }
}
