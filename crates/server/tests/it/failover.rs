//! A database of which another host may be the primary any moment.

use std::net::TcpListener;

use countersign_cluster::Cluster;
use countersign_server::store::{StoreError, Verdict};

use crate::postgres::{connect, database, database_on, store};
use crate::store::{RESOURCE, adding, command, issuance, make, publisher};

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_nothing_keeps_nobody_from_the_next() {
    // It takes connections, and never answers on them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = database().await;
    let (user, host) = address.split_once('@').unwrap();
    let both = format!("{user}@{},{host}", silent.local_addr().unwrap());
    store(&both).await.check().await.unwrap();
}

/// A commit that waits for its standby and is cancelled succeeds, with a warning.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_commit_that_its_standby_does_not_have_is_not_answered() {
    let cluster = Cluster::start("").unwrap();
    let address = database_on(&cluster).await;
    let store = store(&address).await;
    let publisher = publisher(RESOURCE);
    make(&*store, vec![adding(&publisher)], &command(0)).await;
    cluster.sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'").unwrap();
    cluster.sql("SELECT pg_reload_conf()").unwrap();
    let operator = connect(&address).await;
    let cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    for second in 1.. {
        let exchange = issuance(&publisher, 1, second);
        let recording = {
            let store = std::sync::Arc::clone(&store);
            tokio::spawn(async move { store.record(exchange).await })
        };
        let mut cancelled = false;
        while !recording.is_finished() {
            cancelled |= !operator.query(cancel, &[]).await.unwrap().is_empty();
        }
        match recording.await.unwrap() {
            // The setting is not in force yet.
            Ok(verdict) => assert!(!cancelled && verdict == Verdict::Recorded, "{verdict:?}"),
            Err(error) => {
                assert!(cancelled && matches!(error, StoreError::Unavailable(_)), "{error}");
                return;
            }
        }
    }
}
