//! SPIFFE: the agent's command, instead of its gRPC interface.
//!
//! Source: SPIRE documentation, `spire-agent api fetch jwt`.

use countersign_core::{Audience, IdToken, Provider};
use serde_json::Value;

use super::{AmbientProvider, AudienceChoice, JobMark, Minted, Obstacle, printed};
use crate::command::Command;
use crate::identity::Source;
use crate::surroundings::Surroundings;

/// SPIFFE.
pub(super) const PROVIDER: AmbientProvider = AmbientProvider {
    provider: Provider::Spiffe,
    sign: "SPIFFE_ENDPOINT_SOCKET",
    audience: AudienceChoice::Asked,
    job: JobMark::Nothing,
    remark: Some("a registry can only take it if the trust domain's tokens carry `iss`"),
    remedy: |_| {
        "register the workload with the trust domain's server, and put spire-agent into PATH".to_owned()
    },
    snippet: SNIPPET,
    detect: |surroundings| surroundings.variables.has_any(&[SOCKET]),
    mint,
};

const SNIPPET: &str = "spire-server entry create -parentID spiffe://TRUST_DOMAIN/AGENT -spiffeID spiffe://TRUST_DOMAIN/publish -selector unix:uid:1000";

const SOCKET: &str = "SPIFFE_ENDPOINT_SOCKET";

fn mint(surroundings: &Surroundings, audience: &Audience) -> Minted {
    let mut arguments = vec!["api", "fetch", "jwt", "-audience", audience.as_str(), "-output", "json"];
    if let Some(socket) = surroundings.variables.text(SOCKET) {
        arguments.extend(["-socketPath", socket.strip_prefix("unix://").unwrap_or(socket)]);
    }
    let command = Command::new("spire-agent", arguments);
    let answer = printed::text(surroundings, &command)?;
    let token = first_svid(&answer).ok_or_else(|| {
        Obstacle::NoToken("a JSON array in which an object has `svids`, as spire-agent prints it".to_owned())
    })?;
    Ok((token, Source::Command(command.program)))
}

fn first_svid(answer: &str) -> Option<IdToken> {
    let answer: Value = serde_json::from_str(answer).ok()?;
    let svids = answer.as_array()?.iter().find_map(|part| part.get("svids")?.as_array())?;
    Some(svids.first()?.get("svid")?.as_str()?.to_owned().into())
}
