//! Moving up from SQLite to PostgreSQL, and the versions of PostgreSQL's schema.

use std::path::Path;
use std::process::Command;

use countersign_core::publisher::Revision;
use countersign_core::{Provider, ReplayKey};
use countersign_server::admin::{AdminToken, ResourcePattern, Role};
use countersign_server::store::{
    Actor, ChangeFilter, Exchange, ExchangeFilter, IdTokenKey, IdempotencyKey, Issuance, Outcome, Page,
    PublisherFilter, SealedKey, SqliteStore, Store, StoredIssuer, Switch, Verdict,
};
use serde_json::json;

use crate::postgres::{connect, database, store};
use crate::store::{adding, at, author, command, issuance, make, publisher, rules, waiting};

/// An issuer that was added and removed.
const GONE: &str = "https://gitlab.acme.example";

/// Runs the program: whether it succeeded, and all that it said.
fn run(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign-server"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

fn with_token(mut exchange: Exchange, name: &str, change: impl FnOnce(&mut Issuance)) -> Exchange {
    let Outcome::Issued(issuance) = &mut exchange.outcome else { panic!("a refusal") };
    issuance.id_token = IdTokenKey::of(&issuance.issuer, &ReplayKey::from_jti(name));
    change(issuance);
    exchange
}

/// Something of everything.
async fn fill(store: &dyn Store) {
    let (used, pending, removed) = (publisher("acme/m"), publisher("acme/new"), publisher("acme/old"));
    make(store, vec![adding(&used), waiting(&pending, 9_000)], &command(0)).await;
    let once = IdempotencyKey { key: "k".to_owned(), request: [3; 32] };
    let creator = author(Actor::AdminToken("1".to_owned()), 1);
    store.change_publishers(vec![adding(&removed)], &creator, Some(once)).await.unwrap().unwrap();
    let teach = |issuance: &mut Issuance| {
        issuance.learned = Some(rules("main").with_learned([("repository_id", "7".to_owned())]));
    };
    let recorded = |verdict| assert_eq!(verdict, Verdict::Recorded);
    recorded(store.record(with_token(issuance(&used, 1, 2), "spent", teach)).await.unwrap());
    let twice = |issuance: &mut Issuance| issuance.max_exchanges = 3;
    for seconds in [3, 4] {
        recorded(store.record(with_token(issuance(&used, 2, seconds), "thrice", twice)).await.unwrap());
    }
    let ended = issuance(&removed, 1, 5);
    let revoked = issuance(&used, 2, 6);
    let token = revoked.id.clone();
    recorded(store.record(ended).await.unwrap());
    recorded(store.record(revoked).await.unwrap());
    store.revoke_token(&token, &author(Actor::Holder, 7)).await.unwrap();
    let refused = Exchange { outcome: Outcome::Refused("not_matched"), ..issuance(&used, 2, 8) };
    recorded(store.record(refused).await.unwrap());
    make(
        store,
        vec![countersign_server::store::PublisherChange::Remove { id: removed.id, expected: None }],
        &command(9),
    )
    .await;
    let admin = AdminToken {
        id: "1".to_owned(),
        name: "upload".to_owned(),
        role: Role::Maintainer,
        resources: vec!["acme/*".parse::<ResourcePattern>().unwrap()],
        hash: [7; 32],
        created_at: at(7),
        expires_at: at(1_000),
        last_used_at: None,
    };
    store.add_admin_token(admin, &command(10)).await.unwrap();
    store.use_admin_token(&[7; 32], at(11)).await.unwrap();
    for (kid, last) in [("b", None), ("a", Some("b"))] {
        let (created_at, active_from) = (at(12), at(if kid == "a" { 100 } else { 12 }));
        let key = SealedKey {
            kid: kid.to_owned(),
            sealed: vec![0, 255],
            created_at,
            active_from,
            revoked_at: None,
        };
        assert!(store.add_signing_key(key, last, &command(12)).await.unwrap());
    }
    store.switch_issuer(&"https://gitlab.com".parse().unwrap(), Switch::Off, &command(13)).await.unwrap();
    let gone = StoredIssuer {
        url: GONE.parse().unwrap(),
        preset: Some(Provider::Gitlab),
        created_at: at(14),
        disabled_at: None,
    };
    assert!(store.add_issuer(gone, &command(14)).await.unwrap());
    assert!(store.remove_issuer(&GONE.parse().unwrap(), &command(15)).await.unwrap());
}

/// All that a store says of itself, as text.
async fn told(store: &dyn Store) -> Vec<String> {
    let page = Page::first(1_000);
    let publishers = store.publishers(&PublisherFilter::default(), &page).await.unwrap().entries;
    let exchanges = store.exchanges(&ExchangeFilter::default(), &page).await.unwrap().entries;
    let changes = store.changes(&ChangeFilter::default(), &page).await.unwrap().entries;
    let keys = store.signing_keys().await.unwrap();
    let keys: Vec<_> =
        keys.iter().map(|key| (&key.kid, &key.sealed, key.active_from, key.revoked_at)).collect();
    let verified = store.verify_audit_log(Vec::new()).await.unwrap().unwrap();
    let mut live = Vec::new();
    for exchange in &exchanges {
        live.push(store.is_live(&exchange.id).await.unwrap());
    }
    vec![
        json!(publishers).to_string(),
        json!(exchanges).to_string(),
        json!(changes).to_string(),
        json!(store.issuers().await.unwrap()).to_string(),
        format!("{:?}", store.admin_tokens().await.unwrap()),
        format!("{keys:?} {live:?} {:?} {}", verified.heads, verified.rows),
        format!("{:?}", store.revoked_in("list").await.unwrap()),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_moves_from_sqlite_to_postgresql() {
    let folder = tempfile::tempdir().unwrap();
    let old = SqliteStore::open(&folder.path().join("store.db")).unwrap();
    fill(&old).await;
    let address = database().await;
    let arguments = ["copy", "--from", "sqlite:store.db", "--to", &address];
    let (copied, said) = run(folder.path(), &arguments);
    assert!(copied, "{said}");
    assert!(said.contains("  changes"), "{said}");
    assert!(said.contains("its audit log is in order"), "{said}");

    let new = store(&address).await;
    assert_eq!(told(&*new).await, told(&old).await);
    let of_resource =
        PublisherFilter { resource: Some("acme/m".parse().unwrap()), ..PublisherFilter::default() };
    let used = old.publishers(&of_resource, &Page::first(1)).await.unwrap().entries.remove(0);
    let used = used.publisher.unwrap();
    assert_eq!(used.revision, Revision(2));
    // What was used stays used, and what was left stays left.
    for store in [&*new, &old as &dyn Store] {
        let spent = with_token(issuance(&used, 2, 20), "spent", |_| {});
        assert_eq!(store.record(spent).await.unwrap(), Verdict::Replayed);
        for expected in [Verdict::Recorded, Verdict::Replayed] {
            let last = with_token(issuance(&used, 2, 21), "thrice", |issuance| issuance.max_exchanges = 3);
            assert_eq!(store.record(last).await.unwrap(), expected);
        }
        let late =
            with_token(issuance(&used, 2, 23), "late", |issuance| issuance.issuer = GONE.parse().unwrap());
        assert_eq!(
            store.record(late).await.unwrap(),
            Verdict::IssuerDisabled,
            "what is removed stays removed"
        );
    }
    let once = IdempotencyKey { key: "k".to_owned(), request: [3; 32] };
    let creator = author(Actor::AdminToken("1".to_owned()), 22);
    let retried = new.change_publishers(vec![adding(&publisher("acme/x"))], &creator, Some(once)).await;
    assert!(retried.unwrap().unwrap().is_empty(), "it was created before, and removed since");
    assert_eq!(
        new.verify_audit_log(Vec::new()).await.unwrap().unwrap().heads.len(),
        2,
        "an old chain and a new one"
    );

    let (copied, said) = run(folder.path(), &arguments);
    assert!(!copied && said.contains("expected an empty database, found rows in publishers"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tampered_with_is_not_copied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    fill(&SqliteStore::open(&path).unwrap()).await;
    rusqlite::Connection::open(&path).unwrap().execute("UPDATE exchanges SET subject = 'x'", []).unwrap();
    let address = database().await;
    let (copied, said) = run(folder.path(), &["copy", "--from", "sqlite:store.db", "--to", &address]);
    assert!(!copied && said.contains("the audit log is not what was written"), "{said}");
    let store = store(&address).await;
    assert!(store.publishers(&PublisherFilter::default(), &Page::first(1)).await.unwrap().entries.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_uses_a_schema_that_it_knows() {
    let folder = tempfile::tempdir().unwrap();
    let address = database().await;
    std::fs::write(folder.path().join("countersign.toml"), format!("database = {address:?}\n")).unwrap();
    let run = |arguments: &[&str]| {
        let (succeeded, said) = run(folder.path(), arguments);
        (succeeded, said.replace(&folder.path().display().to_string(), "FOLDER"))
    };
    for arguments in [["serve", "--config"], ["exchanges", "--config"]] {
        let (started, said) = run(&[&arguments[..], &["countersign.toml"]].concat());
        assert!(!started, "{said}");
        assert!(said.contains("found an empty database; run `countersign-server migrate`"), "{said}");
    }
    let (migrated, said) = run(&["migrate"]);
    assert!(migrated && said.contains("was empty and has version 1 now"), "{said}");
    assert!(run(&["migrate"]).1.contains("is up to date: version 1"));
    assert_eq!(run(&["exchanges"]), (true, "no exchanges on record\n".to_owned()));

    // A newer version that only added to it, and then one that took something away.
    let client = connect(&address).await;
    client.execute("INSERT INTO schema_versions VALUES (2, 1)", &[]).await.unwrap();
    assert!(run(&["exchanges"]).0, "two versions run side by side");
    client.execute("INSERT INTO schema_versions VALUES (3, 2)", &[]).await.unwrap();
    let (started, said) = run(&["exchanges"]);
    assert!(
        !started && said.contains("found version 3, which programs from before version 2 cannot use"),
        "{said}"
    );
    assert!(!run(&["migrate"]).0 || run(&["migrate"]).1.contains("version 3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_processes_that_make_the_schema_at_once_one_does() {
    let address = database().await;
    let opening = (0..8).map(|_| {
        let address = address.clone();
        async move { store(&address).await }
    });
    let stores = opening.collect::<tokio::task::JoinSet<_>>().join_all().await;
    for store in stores {
        store.check().await.unwrap();
    }
}
