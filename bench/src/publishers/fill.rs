//! A million trusted publishers, made as people make many: by sets of changes over the API.

use std::net::SocketAddr;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::connection::{Connection, post};
use crate::workload::{PINS, RULES};

/// Changes in a set: the most that the API takes.
const SET: u32 = 1_000;

/// Adds a publisher for each of so many resources, each of which trusts the workload's job and knows its ids already: what an
/// exchange does for the first time is not what is measured.
pub(super) fn add_publishers(address: SocketAddr, secret: &str, count: u32) -> anyhow::Result<()> {
    let rules = rules();
    let authorization = format!("authorization: Bearer {secret}\r\n");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        for set in 0..count.div_ceil(SET) {
            let changes: Vec<Value> = (set * SET..(set + 1) * SET)
                .map(|number| {
                    let publisher = json!({ "resource": resource(number), "rules": rules });
                    json!({ "change": "add", "publisher": publisher })
                })
                .collect();
            let body = json!({ "changes": changes });
            let answer = connection.send(&post("/api/v1/publishers/changes", &authorization, &body)).await?;
            let said = String::from_utf8_lossy(&answer.body);
            ensure!(answer.status == 200, "expected {SET} publishers more, got {}: {said}", answer.status);
        }
        Ok(())
    })
}

fn rules() -> Value {
    let conditions: serde_json::Map<String, Value> =
        RULES.iter().map(|(field, value)| ((*field).to_owned(), json!([value]))).collect();
    let pins: serde_json::Map<String, Value> =
        PINS.iter().map(|(claim, id)| ((*claim).to_owned(), json!(id))).collect();
    json!({ "provider": "github", "conditions": conditions, "pins": pins })
}

/// The name of a resource.
pub(super) fn resource(number: u32) -> String {
    format!("acme/model-{number}")
}

/// A number below `count` that looks like chance, and that is met once before any is met again, where `count` has no factor in
/// common with the step.
pub(super) fn scattered(number: u32, count: u32) -> u32 {
    // A prime, so that only multiples of it have one.
    const STEP: u64 = 2_654_435_761;
    let scattered = u64::from(number) * STEP % u64::from(count);
    u32::try_from(scattered).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::scattered;

    #[test]
    fn every_resource_has_its_turn() {
        let met: BTreeSet<u32> = (0..1_000).map(|number| scattered(number, 1_000)).collect();
        assert_eq!(met.len(), 1_000);
        assert_eq!(met.last(), Some(&999));
    }
}
