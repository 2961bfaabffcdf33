//! The database dies under the nodes, and comes back.

use countersign_cluster::Cluster;
use tokio::time::{Instant, sleep};

use super::outcome::Outcome;
use super::stage::Stage;
use super::{Place, blocking};
use crate::trial::verdict::Weather;

/// Like a power cut: nothing is said to anybody.
pub(super) async fn play(place: &Place) -> anyhow::Result<Outcome> {
    let mut cluster = blocking(|| Cluster::start(""))?;
    let stage = Stage::over(place, &cluster.address("postgres")).await?;
    stage.set_weather(Weather::Foul);
    blocking(|| cluster.tell("immediate"))?;
    sleep(place.phase).await;
    blocking(|| cluster.tell("start"))?;
    let back = stage.recovered(Instant::now()).await?;
    sleep(place.phase).await;
    stage.finish("PostgreSQL stopped at once, and started again", Some(back)).await
}
