//! Google Cloud: the machine's own service account, or another that it may act for.
//!
//! Looked for after everything that runs on machines: a self-hosted runner of any CI may stand on Google's.
//!
//! Source: Google Cloud documentation, "Verifying the identity of instances" and `generateIdToken`.

use countersign_core::{Audience, Provider};
use serde_json::json;

use super::token_service::{Answer, ask, with_audience};
use super::{AmbientProvider, AudienceChoice, JobMark, Minted};
use crate::http::Request;
use crate::surroundings::Surroundings;

/// Google Cloud.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Google,
    sign: "GOOGLE_SERVICE_ACCOUNT_NAME, GCE_METADATA_HOST or a machine of Google's",
    audience: AudienceChoice::Asked,
    job: JobMark::Nothing,
    remark: Some("everything that runs on this machine has the same identity"),
    remedy: |_| {
        "give the machine a service account, and for GOOGLE_SERVICE_ACCOUNT_NAME the role Service Account OpenID Connect \
         Identity Token Creator"
            .to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| {
        surroundings.variables.has_any(&[ACT_AS, HOST]) || is_machine_of_google(surroundings)
    },
    mint,
};

const SNIPPET: &str = "\
gcloud iam service-accounts add-iam-policy-binding ACCOUNT \\
    --member serviceAccount:MACHINES_ACCOUNT --role roles/iam.serviceAccountOpenIdTokenCreator";

const ACT_AS: &str = "GOOGLE_SERVICE_ACCOUNT_NAME";
/// What Google's own libraries read, to talk to an emulator.
const HOST: &str = "GCE_METADATA_HOST";

fn is_machine_of_google(surroundings: &Surroundings) -> bool {
    let product = surroundings.files.read("/sys/class/dmi/id/product_name".as_ref());
    product.is_ok_and(|product| matches!(product.trim(), "Google" | "Google Compute Engine"))
}

fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    if let Some(account) = surroundings.variables.text(ACT_AS) {
        return act_as(surroundings, account, audience);
    }
    let url = metadata(surroundings, "identity?format=full");
    from_metadata(surroundings, &with_audience(&url, audience), Answer::Body)
}

fn act_as(surroundings: &Surroundings, account: &str, audience: &Audience) -> Minted {
    let (credential, _) =
        from_metadata(surroundings, &metadata(surroundings, "token"), Answer::Member("access_token"))?;
    let url = format!(
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateIdToken"
    );
    let body = json!({ "audience": audience, "includeEmail": true }).to_string();
    let request = || {
        Request::post_json(url.clone(), body.clone())
            .header("authorization", format!("Bearer {}", credential.expose()))
    };
    ask(surroundings, request, Answer::Member("token"))
}

fn metadata(surroundings: &Surroundings, path: &str) -> String {
    let host = surroundings.variables.text(HOST).unwrap_or("metadata.google.internal");
    format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/{path}")
}

fn from_metadata(surroundings: &Surroundings, url: &str, answer: Answer) -> Minted {
    let request = || Request::get(url.to_owned()).header("metadata-flavor", "Google".to_owned());
    ask(surroundings, request, answer)
}
