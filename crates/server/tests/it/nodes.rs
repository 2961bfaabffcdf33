//! What must hold where several servers work on one database: each function here is run on two nodes of each engine.

use std::sync::Arc;

use countersign_core::ReplayKey;
use countersign_core::publisher::PublisherState;
use countersign_server::store::{
    Actor, Conflict, Exchange, IdTokenKey, IdempotencyKey, Issuance, Outcome, PublisherChange, SealedKey,
    SqliteStore, Store, StoreError, Switch, Verdict,
};
use tokio::task::JoinSet;

use crate::store::{
    ISSUER, RESOURCE, adding, at, author, command, in_force, issuance, make, publisher, rules, waiting,
};

type Nodes = [Arc<dyn Store>; 2];

macro_rules! on_two_nodes {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                let open = || std::sync::Arc::new(super::SqliteStore::open(&folder.path().join("store.db")).unwrap());
                super::$test([open(), open()]).await;
            })*
        }

        #[cfg(unix)]
        mod postgres {
            use crate::postgres::{database, store};

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $test() {
                let address = database().await;
                super::$test([store(&address).await, store(&address).await]).await;
            })*
        }
    };
}

on_two_nodes! {
    e2_e8_invariant_2_an_id_token_buys_what_it_may_and_no_more
    e1_what_a_node_knows_of_uses_is_never_too_much
    e9_invariant_3_what_is_turned_back_uses_nothing_up
    invariant_2_what_is_forgotten_while_it_comes_again_is_not_let_in
    invariant_8_no_token_outlives_its_publisher
    invariant_8_no_token_outlives_the_switch_of_its_issuer
    h5_of_many_first_uses_one_teaches_the_publisher
    k6_of_two_that_wait_for_a_name_one_gets_it
    k6_who_has_published_keeps_the_name_that_somebody_else_takes
    of_nodes_that_add_a_key_one_does
    a_creation_that_reaches_both_nodes_happens_once
    changes_of_one_revision_are_made_once
    a_node_goes_on_after_another_took_its_chain
    a_resource_has_so_many_publishers_and_no_more
}

/// Does it many times, on the nodes in turn and all at once.
async fn all_at_once<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    nodes: &Nodes,
    times: u32,
    work: impl Fn(Arc<dyn Store>, u32) -> F,
) -> Vec<T> {
    let tasks = (0..times).map(|number| work(Arc::clone(&nodes[number as usize % 2]), number));
    tasks.collect::<JoinSet<T>>().join_all().await
}

fn with(mut exchange: Exchange, change: impl FnOnce(&mut Issuance)) -> Exchange {
    let Outcome::Issued(issuance) = &mut exchange.outcome else { panic!("a refusal") };
    change(issuance);
    exchange
}

/// An exchange with the id token of that name.
fn with_token(exchange: Exchange, name: &str, max_exchanges: u32) -> Exchange {
    with(exchange, |issuance| {
        issuance.id_token = IdTokenKey::of(&issuance.issuer, &ReplayKey::from_jti(name));
        issuance.max_exchanges = max_exchanges;
    })
}

fn count(verdicts: &[Result<Verdict, StoreError>], expected: Verdict) -> usize {
    let found: Vec<Verdict> = verdicts.iter().map(|verdict| *verdict.as_ref().unwrap()).collect();
    found.into_iter().filter(|found| *found == expected).count()
}

async fn verify(store: &dyn Store) {
    store.verify_audit_log(Vec::new()).await.unwrap().unwrap();
}

async fn e2_e8_invariant_2_an_id_token_buys_what_it_may_and_no_more(nodes: Nodes) {
    let publisher = publisher(RESOURCE);
    make(&*nodes[0], vec![adding(&publisher)], &command(0)).await;
    for (name, allowed) in [("one", 1), ("ten", 10), ("other", 1)] {
        let verdicts = all_at_once(&nodes, 100, |store, _| {
            let exchange = with_token(issuance(&publisher, 1, 1), name, allowed);
            async move { store.record(exchange).await }
        })
        .await;
        assert_eq!(count(&verdicts, Verdict::Recorded), allowed as usize, "{name}");
        assert_eq!(count(&verdicts, Verdict::Replayed), 100 - allowed as usize, "{name}");
    }
    let listed = nodes[1].publisher(&publisher.id).await.unwrap().unwrap();
    assert_eq!((listed.exchanges, listed.last_used_at), (12, Some(at(1))));
    verify(&*nodes[0]).await;
}

async fn e1_what_a_node_knows_of_uses_is_never_too_much(nodes: Nodes) {
    let publisher = publisher(RESOURCE);
    make(&*nodes[0], vec![adding(&publisher)], &command(0)).await;
    let key = |name: &str| IdTokenKey::of(&ISSUER.parse().unwrap(), &ReplayKey::from_jti(name));
    let mut uses = 0;
    for (node, allowed, expected) in [
        (0, 2, Verdict::Recorded),
        (1, 2, Verdict::Recorded),
        (1, 2, Verdict::Replayed),
        (0, 2, Verdict::Replayed),
        // Its issuer allows more now.
        (0, 3, Verdict::Recorded),
        (0, 3, Verdict::Replayed),
        (1, 3, Verdict::Replayed),
    ] {
        let exchange = with_token(issuance(&publisher, 1, uses), "shared", allowed);
        assert_eq!(nodes[node].record(exchange).await.unwrap(), expected);
        uses += i64::from(expected == Verdict::Recorded);
        for node in &nodes {
            assert!(i64::from(node.known_uses_of(&key("shared"), at(uses))) <= uses);
        }
    }
    let changed = with_token(issuance(&publisher, 2, 9), "turned back", 1);
    assert_eq!(nodes[0].record(changed).await.unwrap(), Verdict::PublisherChanged);
    assert_eq!(nodes[0].known_uses_of(&key("turned back"), at(9)), 0);
}

async fn e9_invariant_3_what_is_turned_back_uses_nothing_up(nodes: Nodes) {
    let publisher = publisher(RESOURCE);
    make(&*nodes[0], vec![adding(&publisher)], &command(0)).await;
    // Half of them were decided on a revision that is gone: they come with the same id tokens.
    let verdicts = all_at_once(&nodes, 200, |store, number| {
        let exchange = issuance(&publisher, 1 + i64::from(number % 4 < 2), 1);
        let exchange = with_token(exchange, &format!("{}", number / 4 * 2 + number % 2), 1);
        async move { store.record(exchange).await }
    })
    .await;
    assert_eq!(count(&verdicts, Verdict::Recorded), 100);
    assert_eq!(count(&verdicts, Verdict::PublisherChanged), 100);
    verify(&*nodes[1]).await;
}

async fn invariant_2_what_is_forgotten_while_it_comes_again_is_not_let_in(nodes: Nodes) {
    let publisher = publisher(RESOURCE);
    make(&*nodes[0], vec![adding(&publisher)], &command(0)).await;
    for round in 0..10 {
        let name = |number: u32| format!("{round}/{number}");
        let first = all_at_once(&nodes, 20, |store, number| {
            let exchange = with_token(issuance(&publisher, 1, round), &name(number), 1);
            async move { store.record(exchange).await }
        })
        .await;
        // Those of the rounds before may be from before the horizon by now; in the first round nothing is.
        assert!(round > 0 || count(&first, Verdict::Recorded) == 20);
        // On one node time has gone on and forgets them; on the other it stands still, and they come again.
        let verdicts = all_at_once(&nodes, 80, |store, number| {
            let exchange = if number % 2 == 0 {
                issuance(&publisher, 1, round + 361)
            } else {
                with_token(issuance(&publisher, 1, round), &name(number / 4), 1)
            };
            async move { (number % 2, store.record(exchange).await.unwrap()) }
        })
        .await;
        let again: Vec<Verdict> =
            verdicts.into_iter().filter(|(side, _)| *side == 1).map(|(_, verdict)| verdict).collect();
        assert_eq!(again.len(), 40);
        let recorded = again.iter().filter(|verdict| **verdict == Verdict::Recorded).count();
        assert_eq!(recorded, 0, "{again:?}");
    }
    verify(&*nodes[0]).await;
}

async fn invariant_8_no_token_outlives_its_publisher(nodes: Nodes) {
    for round in 0..10 {
        let publisher = publisher(RESOURCE);
        make(&*nodes[0], vec![adding(&publisher)], &command(round)).await;
        let ending = {
            let (store, id) = (Arc::clone(&nodes[1]), publisher.id.clone());
            tokio::spawn(async move {
                let change = match round % 3 {
                    0 => PublisherChange::Remove { id, expected: None },
                    1 => PublisherChange::SetState { id, expected: None, state: PublisherState::Disabled },
                    _ => PublisherChange::Replace {
                        id,
                        expected: None,
                        rules: Box::new(rules("release")),
                        permission: countersign_core::Permission::Read,
                    },
                };
                make(&*store, vec![change], &command(round)).await;
            })
        };
        let recorded = all_at_once(&nodes, 60, |store, _| {
            let exchange = issuance(&publisher, 1, round);
            let id = exchange.id.clone();
            async move { (id, store.record(exchange).await.unwrap()) }
        })
        .await;
        ending.await.unwrap();
        for (id, verdict) in recorded {
            assert!(matches!(verdict, Verdict::Recorded | Verdict::PublisherChanged), "{verdict:?}");
            assert!(!nodes[0].is_live(&id).await.unwrap(), "a token is live whose publisher is not in force");
        }
    }
    verify(&*nodes[1]).await;
}

async fn invariant_8_no_token_outlives_the_switch_of_its_issuer(nodes: Nodes) {
    let publisher = publisher(RESOURCE);
    make(&*nodes[0], vec![adding(&publisher)], &command(0)).await;
    for round in 0..10 {
        // In the first round the store has never heard of the issuer.
        let ending = {
            let store = Arc::clone(&nodes[1]);
            tokio::spawn(async move {
                let url = ISSUER.parse().unwrap();
                assert!(store.switch_issuer(&url, Switch::Off, &command(round)).await.unwrap());
            })
        };
        let recorded = all_at_once(&nodes, 60, |store, _| {
            let exchange = issuance(&publisher, 1, round);
            let id = exchange.id.clone();
            async move { (id, store.record(exchange).await.unwrap()) }
        })
        .await;
        ending.await.unwrap();
        for (id, verdict) in recorded {
            assert!(matches!(verdict, Verdict::Recorded | Verdict::IssuerDisabled), "{verdict:?}");
            assert!(!nodes[0].is_live(&id).await.unwrap(), "a token is live whose issuer is switched off");
        }
        let url = ISSUER.parse().unwrap();
        assert!(nodes[0].switch_issuer(&url, Switch::On, &command(round)).await.unwrap());
    }
    verify(&*nodes[0]).await;
}

async fn h5_of_many_first_uses_one_teaches_the_publisher(nodes: Nodes) {
    for round in 0..5 {
        let publisher = publisher(&format!("acme/m{round}"));
        make(&*nodes[0], vec![adding(&publisher)], &command(0)).await;
        let verdicts = all_at_once(&nodes, 40, |store, number| {
            let exchange = with(issuance(&publisher, 1, 1), |issuance| {
                let id = ("repository_id", number.to_string());
                issuance.learned = Some(rules("main").with_learned([id]));
            });
            async move { store.record(exchange).await }
        })
        .await;
        assert_eq!(count(&verdicts, Verdict::Recorded), 1);
        assert_eq!(count(&verdicts, Verdict::PublisherChanged), 39);
    }
    verify(&*nodes[0]).await;
}

async fn k6_of_two_that_wait_for_a_name_one_gets_it(nodes: Nodes) {
    for round in 0..10 {
        let resource = format!("acme/m{round}");
        let candidates = [publisher(&resource), publisher(&resource)];
        for (number, candidate) in candidates.iter().enumerate() {
            let who = author(Actor::AdminToken(number.to_string()), 0);
            make(&*nodes[0], vec![waiting(candidate, 1_000)], &who).await;
        }
        let verdicts = all_at_once(&nodes, 2, |store, number| {
            let exchange = issuance(&candidates[number as usize], 1, 1);
            async move { store.record(exchange).await }
        })
        .await;
        assert_eq!(count(&verdicts, Verdict::Recorded), 1, "round {round}");
        assert_eq!(count(&verdicts, Verdict::PublisherChanged), 1, "round {round}");
        assert_eq!(in_force(&*nodes[0], &resource, 5_000).await.len(), 1);
    }
    verify(&*nodes[1]).await;
}

/// The first run of a pending publisher, and somebody else's publisher that is not pending, at once.
async fn k6_who_has_published_keeps_the_name_that_somebody_else_takes(nodes: Nodes) {
    for round in 0..60 {
        let resource = format!("acme/m{round}");
        let (candidate, other) = (publisher(&resource), publisher(&resource));
        let who = |number: &str| author(Actor::AdminToken(number.to_owned()), 0);
        make(&*nodes[0], vec![waiting(&candidate, 1_000)], &who("1")).await;
        let taking = {
            let (store, who) = (Arc::clone(&nodes[1]), who("2"));
            tokio::spawn(async move { make(&*store, vec![adding(&other)], &who).await })
        };
        let verdict = nodes[0].record(issuance(&candidate, 1, 1)).await.unwrap();
        taking.await.unwrap();
        let stays = nodes[0].publisher(&candidate.id).await.unwrap().is_some();
        assert_eq!(stays, verdict == Verdict::Recorded, "round {round}: {verdict:?}");
    }
    verify(&*nodes[1]).await;
}

async fn of_nodes_that_add_a_key_one_does(nodes: Nodes) {
    let mut last: Option<String> = None;
    for round in 0..5 {
        let added = all_at_once(&nodes, 10, |store, number| {
            let key = SealedKey {
                kid: format!("{round}-{number}"),
                sealed: vec![1],
                created_at: at(round),
                active_from: at(round),
                revoked_at: None,
            };
            let last = last.clone();
            async move { store.add_signing_key(key, last.as_deref(), &command(round)).await.unwrap() }
        })
        .await;
        assert_eq!(added.into_iter().filter(|added| *added).count(), 1);
        last = nodes[1].signing_keys().await.unwrap().pop().map(|key| key.kid);
    }
    assert_eq!(nodes[0].signing_keys().await.unwrap().len(), 5);
}

async fn a_creation_that_reaches_both_nodes_happens_once(nodes: Nodes) {
    for round in 0..5 {
        let resource = format!("acme/m{round}");
        let who = author(Actor::AdminToken("1".to_owned()), 0);
        let created = all_at_once(&nodes, 10, |store, _| {
            let (publisher, who) = (publisher(&resource), who.clone());
            let key = IdempotencyKey { key: format!("k{round}"), request: [7; 32] };
            async move {
                let made = store.change_publishers(vec![adding(&publisher)], &who, Some(key)).await;
                made.unwrap().unwrap()[0].id().clone()
            }
        })
        .await;
        assert!(created.iter().all(|id| *id == created[0]), "{created:?}");
        assert_eq!(in_force(&*nodes[0], &resource, 0).await.len(), 1);
    }
}

async fn changes_of_one_revision_are_made_once(nodes: Nodes) {
    let publisher = publisher(RESOURCE);
    make(&*nodes[0], vec![adding(&publisher)], &command(0)).await;
    let made = all_at_once(&nodes, 20, |store, number| {
        let change = PublisherChange::Replace {
            id: publisher.id.clone(),
            expected: Some(publisher.revision),
            rules: Box::new(rules(&format!("b{number}"))),
            permission: publisher.permission,
        };
        async move { store.change_publishers(vec![change], &command(1), None).await.unwrap() }
    })
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!((made.len(), refused.len()), (1, 19));
    assert!(
        refused.into_iter().all(|refused| refused.unwrap_err() == Conflict::Changed(publisher.id.clone()))
    );
    verify(&*nodes[0]).await;
}

/// One that had nothing to write for long finds its chain of the log gone on with by another that was started meanwhile.
async fn a_node_goes_on_after_another_took_its_chain(nodes: Nodes) {
    let publisher = publisher(RESOURCE);
    make(&*nodes[0], vec![adding(&publisher)], &command(0)).await;
    for (node, second) in [(1, 100), (0, 101), (1, 102), (0, 103)] {
        let verdict = nodes[node].record(issuance(&publisher, 1, second)).await.unwrap();
        assert_eq!(verdict, Verdict::Recorded, "node {node}");
        make(&*nodes[node], vec![adding(&crate::store::publisher("acme/other"))], &command(second)).await;
    }
    verify(&*nodes[0]).await;
}

async fn a_resource_has_so_many_publishers_and_no_more(nodes: Nodes) {
    // Nobody has anything to share a lock on before.
    let sets = all_at_once(&nodes, 6, |node, second| async move {
        let changes = (0..30).map(|_| adding(&publisher(RESOURCE))).collect();
        node.change_publishers(changes, &command(second.into()), None).await.unwrap().is_ok()
    })
    .await;
    assert_eq!(sets.into_iter().filter(|made| *made).count(), 3, "of six sets of 30");
    assert_eq!(in_force(&*nodes[0], RESOURCE, 9).await.len(), 90);
}
