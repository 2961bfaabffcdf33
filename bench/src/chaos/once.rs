//! One id token, many times at once, on two nodes.

use std::sync::Arc;

use anyhow::ensure;
use countersign_cluster::Cluster;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::outcome::Outcome;
use super::stage::Stage;
use super::{Place, blocking};

/// How often each of them is used at once.
const TIMES: usize = 100;
/// How many id tokens, one after the other.
const ROUNDS: usize = 10;

/// Each buys one token, beside the load.
pub(super) async fn play(place: &Place) -> anyhow::Result<Outcome> {
    let cluster = blocking(|| Cluster::start(""))?;
    let mut stage = Stage::over(place, &cluster.address("postgres")).await?;
    for _ in 0..ROUNDS {
        let mut senders = Vec::new();
        for number in 0..TIMES {
            let traffic = &stage.node(number % 2).traffic;
            senders.push(traffic.sender(0).await?);
        }
        let token: Arc<str> = senders[0].good_token().into();
        let uses = senders.into_iter().map(|mut sender| {
            let token = Arc::clone(&token);
            async move { sender.use_once_of_many(&token).await }
        });
        let mut issued = 0;
        for outcome in uses.collect::<JoinSet<_>>().join_all().await {
            issued += usize::from(outcome? == Some(200));
        }
        ensure!(issued == 1, "one id token, used {TIMES} times at once, bought {issued} tokens");
    }
    sleep(place.phase).await;
    stage.finish("one id token 100 times at once on two nodes, ten times", None).await
}
