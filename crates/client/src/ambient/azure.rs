//! Azure managed identities: App Service, Functions and Container Apps by variables; virtual machines by name only,
//! because nothing but a request would tell them.
//!
//! Source: Microsoft, "How to use managed identities for App Service" and "… on a virtual machine".

use countersign_core::{Audience, Provider};

use super::token_service::{Answer, ask, with_parameter};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted};
use crate::http::Request;
use crate::surroundings::Surroundings;

/// Azure managed identities.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Azure,
    sign: "IDENTITY_ENDPOINT and IDENTITY_HEADER",
    audience: AudienceChoice::Asked,
    job: JobMark::Nothing,
    remark: Some(
        "the token lives for about a day, and the audience has to be an application that the tenant knows",
    ),
    remedy: |audience| {
        format!(
            "assign a managed identity, and register {audience} as an application in the tenant: Azure mints for no other"
        )
    },
    snippet: SNIPPET,
    detect: |surroundings| {
        let variables = &surroundings.variables;
        variables.has_any(&[ENDPOINT]) && variables.has_any(&[HEADER])
    },
    mint,
};

const SNIPPET: &str = "\
az vm identity assign --resource-group GROUP --name MACHINE
az ad app create --display-name countersign --identifier-uris {audience}";

const ENDPOINT: &str = "IDENTITY_ENDPOINT";
const HEADER: &str = "IDENTITY_HEADER";
const MACHINE: &str = "http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01";

fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let variables = &surroundings.variables;
    let (url, header, value) = match (variables.text(ENDPOINT), variables.text(HEADER)) {
        (Some(endpoint), Some(secret)) => {
            (with_parameter(endpoint, "api-version", "2019-08-01"), "x-identity-header", secret)
        }
        _ => (MACHINE.to_owned(), "metadata", "true"),
    };
    let url = with_parameter(&url, "resource", audience.as_str());
    let request = || Request::get(url.clone()).header(header, value.to_owned());
    ask(surroundings, request, Answer::Member("access_token"))
}
