//! PostgreSQL for the tests: a server that they share, and a database for each.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use countersign_cluster::Cluster;
use countersign_server::config::Config;
use countersign_server::store::{IfMissing, Store, Verdict, open};
use tokio::task::JoinSet;
use tokio_postgres::NoTls;

use crate::store::{RESOURCE, adding, command, issuance, make, publisher};

/// The address of an empty database on the server that the tests share.
pub(crate) async fn database() -> String {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    database_on(SHARED.get_or_init(|| Cluster::start("-c max_connections=400").unwrap())).await
}

/// The address of a database of its own, which is empty.
pub(crate) async fn database_on(cluster: &Cluster) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("test{}", NUMBER.fetch_add(1, Ordering::SeqCst));
    let client = connect(&cluster.address("postgres")).await;
    // Its order of texts is not that of their bytes: nothing may rest on that.
    let create = format!(
        "CREATE DATABASE {name} TEMPLATE template0 ENCODING UTF8 LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"
    );
    client.batch_execute(&create).await.unwrap();
    cluster.address(&name)
}

/// A copy of a database that nobody is connected to any more, or will not be in a moment.
pub(crate) async fn copy_of(address: &str, copy: &str) -> String {
    let (server, name) = address.rsplit_once('/').unwrap();
    let client = connect(&format!("{server}/postgres")).await;
    client.batch_execute(&format!("CREATE DATABASE {copy} TEMPLATE {name}")).await.unwrap();
    format!("{server}/{copy}")
}

/// The configuration for that database, in which the schema is made if it is not there.
pub(crate) fn settings(address: &str) -> String {
    format!("database = {address:?}\n[postgres]\nmigrate = true\nconnections = 6\n")
}

/// A store over that database.
pub(crate) async fn store(address: &str) -> Arc<dyn Store> {
    let config = Config::parse(&settings(address), Path::new("countersign.toml")).unwrap();
    open(&config.database, IfMissing::Refuse).await.unwrap()
}

/// A connection to look behind the store.
pub(crate) async fn connect(address: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(address, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

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
