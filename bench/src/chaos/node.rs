//! A node dies, and another is started in its place.

use countersign_cluster::Cluster;
use tokio::time::{Instant, sleep};

use super::outcome::Outcome;
use super::stage::Stage;
use super::{Place, blocking};
use crate::trial::verdict::Weather;

/// The other node notices nothing: its verdicts are exact all the time.
pub(super) async fn play(place: &Place) -> anyhow::Result<Outcome> {
    let cluster = blocking(|| Cluster::start(""))?;
    let mut stage = Stage::over(place, &cluster.address("postgres")).await?;
    stage.node(0).traffic.set_weather(Weather::Foul);
    stage.node(0).kill()?;
    sleep(place.phase).await;
    let repaired = Instant::now();
    stage.restart(0)?;
    let back = stage.recovered(repaired).await?;
    sleep(place.phase).await;
    stage.finish("kill -9 of one of two nodes, then a new one", Some(back)).await
}
