//! The clock of a node jumps.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use countersign_cluster::Cluster;
use tokio::time::{Instant, sleep};

use super::outcome::Outcome;
use super::stage::{Environment, Stage};
use super::{Place, blocking};
use crate::lifeline::Folder;
use crate::trial::verdict::Weather;

const HOUR: i64 = 3_600;
/// The file that says how far the clock is off, by the name that the library looks for at home.
const OFFSET: &str = ".faketimerc";

/// One of two nodes is an hour ahead for a while, then right, an hour behind, and right again. Its jobs go with it, else it
/// would refuse them all. The other node notices nothing: its verdicts are exact all the time.
pub(super) async fn play(place: &Place) -> anyhow::Result<Outcome> {
    let what = "the clock of one of two nodes jumps by an hour, both ways";
    let Some(library) = library() else {
        let why = "libfaketime is not installed; `cargo xtask chaos` installs it".to_owned();
        return Ok(Outcome::LeftOut { what, why });
    };
    let folder = Folder::make_in(&place.folder)?;
    let offset = folder.path().join(OFFSET);
    // At once: whoever looks at the clock meanwhile finds the file, and all of it.
    let next = folder.path().join("next");
    let set = |seconds: i64| {
        fs::write(&next, format!("{seconds:+}\n"))?;
        fs::rename(&next, &offset)
    };
    set(0)?;
    let cluster = blocking(|| Cluster::start(""))?;
    let settings = format!("database = {:?}\n[postgres]\nmigrate = true\n", cluster.address("postgres"));
    let environments = [environment(&library, &folder), Environment::new()];
    let mut stage = Stage::begin(place, &settings, &environments, |_| Ok(())).await?;
    let mut back = Duration::ZERO;
    for seconds in [HOUR, 0, -HOUR, 0] {
        if seconds < 0 {
            // What its jobs bring is older than what the other node forgets, so it may turn all of it away.
            stage.node(0).traffic.set_weather(Weather::Jumping);
        }
        stage.node(0).traffic.jump(seconds, || set(seconds)).await?;
        let jumped = Instant::now();
        if seconds >= 0 {
            back = back.max(stage.recovered(jumped).await?);
        }
        sleep(place.phase).await;
    }
    stage.finish(what, Some(back)).await
}

/// Only what tells the time of day jumps: timers run on.
///
/// The library reads the offset at each look at the clock, and keeps the file's name in memory that all threads write anew: one finds
/// no name now and then. Then it asks at home, and if there is nothing, takes the real time. So the file is what is at home. That
/// name is written anew in the same way, so a thread would have to find both of them empty, one after the other.
fn environment(library: &Path, folder: &Folder) -> Environment {
    let home = folder.path();
    vec![
        ("LD_PRELOAD", library.display().to_string()),
        ("HOME", home.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", home.join(OFFSET).display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ]
}

/// Where Debian has it.
fn library() -> Option<PathBuf> {
    let kinds = fs::read_dir("/usr/lib").ok()?.flatten();
    kinds.map(|kind| kind.path().join("faketime/libfaketime.so.1")).find(|path| path.exists())
}
