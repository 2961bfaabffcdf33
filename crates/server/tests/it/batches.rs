//! What the transactions of PostgreSQL's group commit promise, looked at from behind the store.

use std::sync::Arc;

use countersign_cluster::Cluster;
use countersign_server::store::{Exchange, Verdict};
use tokio::task::JoinSet;

use crate::postgres::{connect, database, database_on, store};
use crate::scaling::statement;
use crate::store::{RESOURCE, adding, command, issuance, make, publisher};

/// The commit is sent with what it commits. On a new connection statements have to be prepared first: it must not overtake them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn invariant_2_a_use_its_record_and_the_link_are_of_one_transaction() {
    let address = database().await;
    let publisher = publisher(RESOURCE);
    make(&*store(&address).await, vec![adding(&publisher)], &command(0)).await;
    for _ in 0..5 {
        // Each with connections that have prepared nothing yet.
        let store = store(&address).await;
        let exchanges = (0..100).map(|_| {
            let (store, exchange) = (Arc::clone(&store), issuance(&publisher, 1, 1));
            async move { assert_eq!(store.record(exchange).await.unwrap(), Verdict::Recorded) }
        });
        exchanges.collect::<JoinSet<()>>().join_all().await;
    }
    let rows = "SELECT count(*) FROM exchanges JOIN batches USING (chain) WHERE number = batch AND exchanges.xmin = batches.xmin
         AND (SELECT count(*) FROM used_id_tokens WHERE used_id_tokens.xmin = batches.xmin) = row_count";
    let together: i64 = connect(&address).await.query_one(rows, &[]).await.unwrap().get(0);
    assert_eq!(together, 500);
}

/// Another process has gone on with the chain, and of its links none is there any more that could be in the way.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_place_in_its_chain_is_not_committed() {
    let address = database().await;
    let (store, publisher) = (store(&address).await, publisher(RESOURCE));
    make(&*store, vec![adding(&publisher)], &command(0)).await;
    let client = connect(&address).await;
    for _ in 0..3 {
        client.batch_execute("UPDATE chains SET number = number + 100").await.unwrap();
        assert_eq!(store.record(issuance(&publisher, 1, 1)).await.unwrap(), Verdict::Recorded);
    }
    let on_record: i64 = client.query_one("SELECT count(*) FROM exchanges", &[]).await.unwrap().get(0);
    assert_eq!(on_record, 3);
}

/// Where `BEGIN` fails and the connection lives, what was sent with it is done, each by itself.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_an_id_token_is_used_in_a_transaction_or_not_at_all() {
    let address = database().await;
    store(&address).await.check().await.unwrap();
    let mut client = connect(&address).await;
    let statement = client.prepare(&statement("USE_ID_TOKENS")).await.unwrap();
    let (id_tokens, allowed, ends) = (vec![&b"0123456789abcdef"[..]], vec![9_i64], vec![9_i64]);
    for times in 1..3 {
        let used = client.query(&statement, &[&id_tokens, &allowed, &ends]).await.unwrap();
        assert_eq!(used.len(), 0);
        let transaction = client.transaction().await.unwrap();
        transaction.batch_execute("SET LOCAL countersign.transaction = 'open'").await.unwrap();
        let used = transaction.query(&statement, &[&id_tokens, &allowed, &ends]).await.unwrap();
        assert_eq!(used.len(), 1);
        transaction.commit().await.unwrap();
        let counted = client.query_one("SELECT exchanges FROM used_id_tokens", &[]).await.unwrap();
        assert_eq!(counted.get::<_, i64>(0), times);
    }
}

/// However often one comes that has to be turned back, the others wait for few transactions.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_turned_back_many_times_is_at_once() {
    // Nobody else counts transactions here.
    let cluster = Cluster::start("").unwrap();
    let address = database_on(&cluster).await;
    let (store, publisher) = (store(&address).await, publisher(RESOURCE));
    make(&*store, vec![adding(&publisher)], &command(0)).await;
    let client = connect(&address).await;
    let transactions = async || -> i64 {
        let now = client.query_one("SELECT pg_current_xact_id()::text::bigint", &[]).await.unwrap();
        now.get(0)
    };
    let before = transactions().await;
    let stale = issuance(&publisher, 2, 1);
    let exchanges = (0..250).map(|number| {
        let is_stale = number % 5 > 0;
        let exchange = issuance(&publisher, 1, 1);
        let exchange =
            if is_stale { Exchange { outcome: stale.outcome.clone(), ..exchange } } else { exchange };
        let expected = if is_stale { Verdict::PublisherChanged } else { Verdict::Recorded };
        let store = Arc::clone(&store);
        async move { assert_eq!(store.record(exchange).await.unwrap(), expected) }
    });
    exchanges.collect::<JoinSet<()>>().join_all().await;
    let made = transactions().await - before;
    assert!(made < 100, "{made} transactions");
}
