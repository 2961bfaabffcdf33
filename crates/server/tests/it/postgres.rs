//! PostgreSQL for the tests: a server that they share, and a database for each.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use countersign_cluster::Cluster;
use countersign_server::config::Config;
use countersign_server::store::{IfMissing, Store, open};
use tokio_postgres::NoTls;

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
