//! Who waits for whom.

use super::readers::{READERS, SEARCHERS};
use super::writer::WAIT;
use super::*;
use crate::store::Actor;
use crate::store::exchange::refused;

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

    let searching = store.readers.searching.acquire_many(number(SEARCHERS)).await.unwrap();
    let exchange = async {
        store.publishers_of(&resource, &issuer, now).await.unwrap();
        store.is_live(&ExchangeId("x".to_owned())).await.unwrap();
        store.issuers().await.unwrap();
    };
    tokio::time::timeout(LONG, exchange).await.unwrap();
    drop(searching);

    let reading = store.readers.reading.acquire_many(number(READERS)).await.unwrap();
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

#[tokio::test(start_paused = true)]
async fn one_that_waits_too_long_says_that_the_database_is_slow_and_not_busy() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    // The one thread that writes hangs, as with a disk that does.
    let (disk, hangs) = std::sync::mpsc::channel::<()>();
    store.writer.submit(Job::change(move |_| assert!(hangs.recv().is_err()))).unwrap();
    let error = store.record(refused("slow")).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    // Whoever has given up is passed over.
    tokio::time::resume();
    drop(disk);
    assert_eq!(store.record(refused("next")).await.unwrap(), Verdict::Recorded);
    let id = |id: &str| ExchangeId(id.to_owned());
    assert!(store.exchange(&id("slow")).await.unwrap().is_none());
    assert!(store.exchange(&id("next")).await.unwrap().is_some());
}

#[tokio::test]
async fn several_exchanges_wait_for_more_as_long_as_every_thread_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    store.heed(Idleness::default());
    // While the thread that writes is kept busy, they queue.
    let (writing, waits) = std::sync::mpsc::channel::<()>();
    store.writer.submit(Job::change(move |_| assert!(waits.recv().is_err()))).unwrap();
    let record = |number: u32| {
        let (reply, answer) = oneshot::channel();
        store.writer.submit(Job::record(refused(&number.to_string()), reply)).unwrap();
        answer
    };
    let answers: Vec<_> = (0..8).map(record).collect();
    let begun = tokio::time::Instant::now();
    drop(writing);
    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap(), Verdict::Recorded);
    }
    assert!(begun.elapsed() >= WAIT);
}

#[tokio::test]
async fn invariant_1_a_file_that_is_not_in_its_place_takes_nothing_and_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (folder.path().join("store.db"), folder.path().join("elsewhere.db"));
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.record(refused("before")).await.unwrap(), Verdict::Recorded);
    let says_so =
        |error: StoreError| assert!(error.to_string().contains("moved, removed or replaced"), "{error}");
    let (actor, at) = (Actor::Server, UnixTime::from_seconds(1_800_000_000));
    let author = Author { actor, at, request: ExchangeId("request".to_owned()) };
    for replaced in [false, true] {
        std::fs::rename(&path, &elsewhere).unwrap();
        if replaced {
            // As who restores a copy under a running server does.
            std::fs::copy(&elsewhere, &path).unwrap();
        }
        says_so(store.record(refused("meanwhile")).await.unwrap_err());
        says_so(store.exchange(&ExchangeId("before".to_owned())).await.unwrap_err());
        says_so(store.revoke_token(&ExchangeId("before".to_owned()), &author).await.unwrap_err());
        std::fs::rename(&elsewhere, &path).unwrap();
    }
    // Also if it is moved while somebody else has the lock, for which the ledger waits.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let waiting = store.record(refused("meanwhile"));
    let moving = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        std::fs::rename(&path, &elsewhere).unwrap();
        std::fs::copy(&elsewhere, &path).unwrap();
        other.execute_batch("ROLLBACK").unwrap();
    };
    let (recorded, ()) = tokio::join!(waiting, moving);
    says_so(recorded.unwrap_err());
    std::fs::rename(&elsewhere, &path).unwrap();
    // Put back, it goes on.
    assert_eq!(store.record(refused("after")).await.unwrap(), Verdict::Recorded);
    assert!(store.exchange(&ExchangeId("meanwhile".to_owned())).await.unwrap().is_none());
    assert!(store.exchange(&ExchangeId("before".to_owned())).await.unwrap().is_some());
}
