//! Who waits for whom.

use super::*;

fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap()
}

#[tokio::test]
async fn exchanges_and_lists_do_not_wait_for_each_other() {
    const LONG: Duration = Duration::from_secs(30);
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    let (now, page) = (UnixTime::from_seconds(1_800_000_000), Page::first(1));
    let (resource, issuer) = ("acme/model".parse().unwrap(), "https://ci.example.com".parse().unwrap());

    let searching = store.searching.acquire_many(number(SEARCHERS)).await.unwrap();
    let exchange = async {
        store.publishers_of(&resource, &issuer, now).await.unwrap();
        store.is_live(&ExchangeId("x".to_owned())).await.unwrap();
        store.issuers().await.unwrap();
    };
    tokio::time::timeout(LONG, exchange).await.unwrap();
    drop(searching);

    let reading = store.reading.acquire_many(number(READERS)).await.unwrap();
    let lists = async {
        store.publishers(&PublisherFilter::default(), &page).await.unwrap();
        store.exchanges(&ExchangeFilter::default(), &page).await.unwrap();
        store.changes(&ChangeFilter::default(), &page).await.unwrap();
        store.count_live(&ExchangeId(String::new()), now).await.unwrap();
        store.verify_audit_log(Vec::new()).await.unwrap().unwrap();
    };
    tokio::time::timeout(LONG, lists).await.unwrap();
    drop(reading);
}
