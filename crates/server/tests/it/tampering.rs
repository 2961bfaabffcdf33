//! Whoever has the database file can write to it; the audit log's chain shows that they did.

use std::path::Path;

use countersign_server::store::audit::{ChainBreak, ChainHead};
use countersign_server::store::{Outcome, SqliteStore, Store as _, Verdict};

use crate::stage::Stage;

const RESOURCE: &str = "acme/awesome-model";

/// Ways to make the record say something else.
const TAMPERING: [&str; 13] = [
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
    "UPDATE batches SET hash = (SELECT hash FROM batches WHERE number = 2) WHERE number = 1",
    "INSERT INTO changes SELECT 'x', 0, at, actor, action, target, resource, before, after, chain, 99 FROM changes LIMIT 1",
    "INSERT INTO exchanges SELECT 'ffffffff', at, outcome, resource, issuer, subject, publisher, expires_at, status_list,
        status_index, detail, chain, batch, revoked_at FROM exchanges LIMIT 1",
];

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
    for statement in TAMPERING {
        let source = rusqlite::Connection::open(&original).unwrap();
        source.execute("VACUUM INTO ?1", [tampered.to_str().unwrap()]).unwrap();
        assert_eq!(verify(&tampered, Vec::new()).await, Ok(whole));
        let changed = rusqlite::Connection::open(&tampered).unwrap().execute(statement, []).unwrap();
        assert!(changed > 0, "{statement}");
        assert!(verify(&tampered, Vec::new()).await.is_err(), "not found: {statement}");
        std::fs::remove_file(&tampered).unwrap();
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn every_row_that_is_altered_removed_or_added_is_found_on_postgres() {
    use crate::postgres::{connect, copy_of, database, store};
    use crate::store::{RESOURCE, adding, command, issuance, make, publisher, rules};

    let original = database().await;
    let filled = store(&original).await;
    let publisher = publisher(RESOURCE);
    make(&*filled, vec![adding(&publisher)], &command(0)).await;
    let mut teaching = issuance(&publisher, 1, 1);
    if let Outcome::Issued(issuance) = &mut teaching.outcome {
        issuance.learned = Some(rules("main").with_learned([("repository_id", "74".to_owned())]));
    }
    for mut exchange in [teaching, issuance(&publisher, 2, 2)] {
        exchange.detail = r#"{"claims":{"repository":"acme/train"}}"#.to_owned();
        assert_eq!(filled.record(exchange).await.unwrap(), Verdict::Recorded);
    }
    let whole = filled.verify_audit_log(Vec::new()).await.unwrap().unwrap().rows;
    drop(filled);
    for (number, statement) in TAMPERING.into_iter().enumerate() {
        let tampered = copy_of(&original, &format!("tampered{number}")).await;
        let copy = store(&tampered).await;
        assert_eq!(copy.verify_audit_log(Vec::new()).await.unwrap().map(|verified| verified.rows), Ok(whole));
        let changed = connect(&tampered).await.execute(statement, &[]).await.unwrap();
        assert!(changed > 0, "{statement}");
        assert!(copy.verify_audit_log(Vec::new()).await.unwrap().is_err(), "not found: {statement}");
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
