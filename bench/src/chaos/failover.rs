//! The primary is lost under the nodes, its synchronous standby takes over, and the old one comes back.

use anyhow::ensure;
use countersign_cluster::{Cluster, Setup};
use tokio::time::{Instant, sleep};

use super::outcome::Outcome;
use super::stage::Stage;
use super::{Place, blocking};
use crate::trial::verdict::Weather;

/// How the primary ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Its first process is killed.
    Killed,
    /// It says nothing any more, but its connections stay.
    Frozen,
}

/// The standby has all that was answered, since nothing is before it has it.
pub(super) async fn play(place: &Place, end: End) -> anyhow::Result<Outcome> {
    let (mut primary, mut standby) = blocking(pair)?;
    let hosts = format!("postgres://postgres@{},{}/postgres", primary.socket(), standby.socket());
    let stage = Stage::over(place, &hosts).await?;
    stage.set_weather(Weather::Foul);
    blocking(|| primary.tell(if end == End::Killed { "kill" } else { "freeze" }))?;
    blocking(|| standby.tell("promote"))?;
    let back = stage.recovered(Instant::now()).await?;
    sleep(place.phase).await;
    // Nobody told the old one that it is not the primary any more. It takes connections, but can commit nothing without its
    // standby; and the nodes stay where they are.
    blocking(|| primary.tell(if end == End::Killed { "start" } else { "thaw" }))?;
    sleep(place.phase).await;
    blocking(|| primary.tell("immediate"))?;
    sleep(place.phase).await;
    let what = match end {
        End::Killed => "PostgreSQL killed, its standby promoted, the old one back",
        End::Frozen => "PostgreSQL hangs, its standby promoted, the old one back",
    };
    stage.finish(what, Some(back)).await
}

/// A primary that commits nothing before its standby has it on disk, and the standby.
fn pair() -> anyhow::Result<(Cluster, Cluster)> {
    let primary = Cluster::start("")?;
    let standby = Cluster::start_with(Setup { follows: Some(&primary), ..Setup::default() })?;
    primary.sql("ALTER SYSTEM SET synchronous_standby_names = 'standby'")?;
    primary.sql("SELECT pg_reload_conf()")?;
    // The setting is in force once the server says that the standby is a synchronous one.
    for _ in 0..100 {
        if primary.sql("SELECT sync_state FROM pg_stat_replication")? == "sync" {
            return Ok((primary, standby));
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let state = primary.sql("SELECT application_name, state, sync_state FROM pg_stat_replication")?;
    ensure!(state.contains("|sync"), "expected a synchronous standby, found {state:?}");
    Ok((primary, standby))
}
