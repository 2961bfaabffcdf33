//! Whoever has the database file can write to it; the audit log's chain shows that they did.

use std::path::Path;

use countersign_server::store::audit::{ChainBreak, ChainHead};
use countersign_server::store::{SqliteStore, Store as _};

use crate::stage::Stage;

const RESOURCE: &str = "acme/awesome-model";

/// Three batches: a publisher, an exchange that teaches it ids, and another exchange.
async fn written() -> Stage {
    let stage = Stage::new().await;
    stage.trust(RESOURCE).await;
    for _ in 0..2 {
        assert_eq!(stage.exchange(&stage.token(), RESOURCE).await.status, 200);
    }
    stage
}

async fn verify(path: &Path, noted: Vec<ChainHead>) -> Result<u64, ChainBreak> {
    let store = SqliteStore::open_existing(path).unwrap();
    store.verify_audit_log(noted).await.unwrap().map(|verified| verified.rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_that_is_altered_removed_or_added_is_found() {
    let stage = written().await;
    let original = stage.folder.path().join("countersign-data/countersign.db");
    let whole = verify(&original, Vec::new()).await.unwrap();
    let tampered = stage.folder.path().join("tampered.db");
    for statement in [
        "UPDATE exchanges SET subject = 'somebody else' WHERE id = (SELECT max(id) FROM exchanges)",
        "UPDATE exchanges SET detail = replace(detail, 'acme', 'evil')",
        "UPDATE exchanges SET expires_at = expires_at + 1",
        "UPDATE exchanges SET batch = batch - 1 WHERE id = (SELECT max(id) FROM exchanges)",
        "DELETE FROM exchanges WHERE id = (SELECT max(id) FROM exchanges)",
        "DELETE FROM changes WHERE action = 'publisher.added'",
        "UPDATE changes SET actor = 'nobody'",
        "UPDATE changes SET before = '{}' WHERE action = 'publisher.pinned'",
        "DELETE FROM batches WHERE number = 2",
        "DELETE FROM batches WHERE number = (SELECT max(number) FROM batches)",
        "UPDATE batches SET hash = zeroblob(32) WHERE number = 1",
        "INSERT INTO changes SELECT 'x', 0, at, actor, action, target, resource, before, after, chain, 99 FROM changes LIMIT 1",
        "INSERT INTO exchanges SELECT 'ffffffff', at, outcome, resource, issuer, subject, publisher, expires_at, status_list,
            status_index, detail, chain, batch, revoked_at FROM exchanges LIMIT 1",
    ] {
        let source = rusqlite::Connection::open(&original).unwrap();
        source.execute("VACUUM INTO ?1", [tampered.to_str().unwrap()]).unwrap();
        assert_eq!(verify(&tampered, Vec::new()).await, Ok(whole));
        let changed = rusqlite::Connection::open(&tampered).unwrap().execute(statement, []).unwrap();
        assert!(changed > 0, "{statement}");
        assert!(verify(&tampered, Vec::new()).await.is_err(), "not found: {statement}");
        std::fs::remove_file(&tampered).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_is_cut_off_is_found_by_whoever_noted_the_head() {
    let stage = written().await;
    let path = stage.folder.path().join("countersign-data/countersign.db");
    let store = SqliteStore::open_existing(&path).unwrap();
    let noted = store.verify_audit_log(Vec::new()).await.unwrap().unwrap().heads;
    let connection = rusqlite::Connection::open(&path).unwrap();
    let last: i64 = connection.query_row("SELECT max(number) FROM batches", [], |row| row.get(0)).unwrap();
    for table in ["exchanges", "changes"] {
        connection.execute(&format!("DELETE FROM {table} WHERE batch = ?1"), [last]).unwrap();
    }
    connection.execute("DELETE FROM batches WHERE number = ?1", [last]).unwrap();
    assert!(verify(&path, Vec::new()).await.is_ok(), "what is left is a chain");
    assert_eq!(verify(&path, noted.clone()).await, Err(ChainBreak::Unknown(noted[0].clone())));
}
