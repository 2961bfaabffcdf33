//! What every store must do: each function here is run on each engine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use countersign_core::publisher::{PublisherId, PublisherState, RawRules, Revision};
use countersign_core::{Permission, Provider, Publisher, ReplayKey, Rules, Scalar, UnixTime};
use countersign_server::admin::{AdminToken, ResourcePattern, Role};
use countersign_server::clock::{SystemRandomness, fresh_id_at};
use countersign_server::store::{
    Actor, Author, Change, ChangeFilter, Conflict, Exchange, ExchangeFilter, ExchangeId, IdTokenKey,
    IdempotencyKey, Issuance, MOST_OF_A_RESOURCE, Outcome, Page, PublisherChange, PublisherFilter, SealedKey,
    SqliteStore, StatusEntry, Store, StoredIssuer, Switch, Verdict,
};
use serde_json::json;

pub(crate) const ISSUER: &str = "https://token.actions.githubusercontent.com";
pub(crate) const RESOURCE: &str = "acme/model";

macro_rules! on_every_engine {
    ($($test:ident)*) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let folder = tempfile::tempdir().unwrap();
                super::$test(&super::SqliteStore::open(&folder.path().join("store.db")).unwrap()).await;
            })*
        }

        #[cfg(unix)]
        mod postgres {
            use crate::postgres::{database, store};

            $(#[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                super::$test(&*store(&database().await).await).await;
            })*
        }
    };
}

on_every_engine! {
    changes_are_all_made_or_none
    a_change_is_made_on_the_revision_that_was_seen
    invariant_8_what_was_trusted_before_a_change_ends
    k7_a_pending_publisher_waits_for_its_first_run_and_no_longer
    k6_a_name_belongs_to_whoever_publishes_first
    a_creation_that_is_sent_twice_happens_once
    a_resource_has_so_many_publishers_and_no_more
    a_clock_that_was_ahead_lets_nothing_in_again_and_shuts_nobody_out
    a_clock_that_is_far_ahead_forgets_nothing
    an_issuer_that_is_switched_off_buys_nothing
    an_issuer_that_is_removed_buys_nothing_any_more
    k2_every_change_is_in_the_audit_log
    the_audit_log_is_one_chain
    old_rows_leave_and_the_chain_holds
    exchanges_are_found_by_what_is_known_of_them
    lists_come_in_parts
    uses_of_an_id_token_are_remembered
    live_tokens_are_counted
    who_watches_sees_every_batch
    what_json_can_say_is_kept_as_it_is
    a_row_that_cannot_be_written_fails_alone
}

/// Times that are over by the clock of any database.
pub(crate) fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(1_700_000_000 + seconds)
}

pub(crate) fn id_at(seconds: i64) -> String {
    fresh_id_at(at(seconds), &SystemRandomness)
}

pub(crate) fn author(actor: Actor, seconds: i64) -> Author {
    Author { actor, at: at(seconds), request: ExchangeId(id_at(seconds)) }
}

pub(crate) fn command(seconds: i64) -> Author {
    author(Actor::Command, seconds)
}

pub(crate) fn rules(branch: &str) -> Rules {
    let condition = |name: &str, value: &str| (name.to_owned(), vec![Scalar::Text(value.to_owned())]);
    Rules::try_from(RawRules {
        issuer: ISSUER.parse().unwrap(),
        provider: Provider::Github,
        conditions: [condition("repository", "acme/train"), condition("branch", branch)].into(),
        pins: [].into(),
        allowed_events: [].into(),
    })
    .unwrap()
}

pub(crate) fn publisher(resource: &str) -> Publisher {
    Publisher {
        id: id_at(0).parse().unwrap(),
        resource: resource.parse().unwrap(),
        rules: rules("main"),
        permission: Permission::Write,
        state: PublisherState::Enabled,
        revision: Revision(1),
    }
}

pub(crate) fn adding(publisher: &Publisher) -> PublisherChange {
    PublisherChange::Add { publisher: Box::new(publisher.clone()), pending_until: None }
}

pub(crate) fn waiting(publisher: &Publisher, until: i64) -> PublisherChange {
    PublisherChange::Add { publisher: Box::new(publisher.clone()), pending_until: Some(at(until)) }
}

pub(crate) async fn make(store: &dyn Store, changes: Vec<PublisherChange>, author: &Author) {
    store.change_publishers(changes, author, None).await.unwrap().unwrap();
}

/// An exchange through a publisher of the given revision, with an id token of its own.
pub(crate) fn issuance(publisher: &Publisher, revision: i64, seconds: i64) -> Exchange {
    let id = ExchangeId(id_at(seconds));
    Exchange {
        at: at(seconds),
        resource: Some(publisher.resource.clone()),
        issuer: Some(ISSUER.to_owned()),
        subject: Some("repo:acme/train".to_owned()),
        outcome: Outcome::Issued(Box::new(Issuance {
            publisher: publisher.id.clone(),
            revision: Revision(revision),
            learned: None,
            issuer: ISSUER.parse().unwrap(),
            id_token: IdTokenKey::of(&ISSUER.parse().unwrap(), &ReplayKey::from_jti(&id.0)),
            max_exchanges: 1,
            forget_at: at(seconds + 360),
            expires_at: at(seconds + 3600),
            status: Some(StatusEntry { list: "list".to_owned(), index: u32::try_from(seconds).unwrap() }),
        })),
        detail: json!({ "claims": { "run_id": seconds.to_string() } }).to_string(),
        id,
    }
}

/// An hour ahead, a node forgets what others have used.
async fn a_clock_that_was_ahead_lets_nothing_in_again_and_shuts_nobody_out(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let used = issuance(&publisher, 1, 0);
    assert_eq!(store.record(used.clone()).await.unwrap(), Verdict::Recorded);
    for ahead in 0..3 {
        issue(store, &publisher, 1, 3_600 + ahead).await;
    }
    let again = Exchange { id: ExchangeId(id_at(1)), at: at(1), ..used };
    assert_eq!(store.record(again).await.unwrap(), Verdict::TooLate);
    issue(store, &publisher, 1, 1).await;
}

/// Two hours ahead, a node finds all id tokens expired and puts that on record, and forgets none of them.
async fn a_clock_that_is_far_ahead_forgets_nothing(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let mut long = issuance(&publisher, 1, 0);
    let Outcome::Issued(issuance_of_long) = &mut long.outcome else { panic!() };
    issuance_of_long.forget_at = at(3_660);
    assert_eq!(store.record(long).await.unwrap(), Verdict::Recorded);
    for ahead in 0..3 {
        let id = ExchangeId(id_at(7_200 + ahead));
        let refused =
            Exchange { outcome: Outcome::Refused("expired"), id, ..issuance(&publisher, 1, 7_200 + ahead) };
        assert_eq!(store.record(refused).await.unwrap(), Verdict::Recorded);
    }
    issue(store, &publisher, 1, 1).await;
}

async fn issue(store: &dyn Store, publisher: &Publisher, revision: i64, seconds: i64) -> ExchangeId {
    let exchange = issuance(publisher, revision, seconds);
    let id = exchange.id.clone();
    assert_eq!(store.record(exchange).await.unwrap(), Verdict::Recorded);
    id
}

pub(crate) async fn in_force(store: &dyn Store, resource: &str, seconds: i64) -> Vec<PublisherId> {
    let found = store.publishers_of(&resource.parse().unwrap(), &ISSUER.parse().unwrap(), at(seconds)).await;
    found.unwrap().into_iter().map(|publisher| publisher.id).collect()
}

/// The whole log, oldest first.
pub(crate) async fn log(store: &dyn Store) -> Vec<Change> {
    let mut changes = store.changes(&ChangeFilter::default(), &Page::first(1_000)).await.unwrap().entries;
    changes.reverse();
    changes
}

async fn changes_are_all_made_or_none(store: &dyn Store) {
    let (first, second) = (publisher(RESOURCE), publisher("acme/other"));
    let missing = PublisherChange::Remove { id: second.id.clone(), expected: None };
    let conflict = store.change_publishers(vec![adding(&first), missing], &command(0), None).await.unwrap();
    assert_eq!(conflict.unwrap_err(), Conflict::Missing(second.id.clone()));
    assert_eq!(in_force(store, RESOURCE, 0).await, []);
    assert!(log(store).await.is_empty(), "what was not done is not in the log");

    let twice = store.change_publishers(vec![adding(&first), adding(&first)], &command(0), None).await;
    assert_eq!(twice.unwrap().unwrap_err(), Conflict::Exists(first.id.clone()));
    make(store, vec![adding(&first), adding(&second)], &command(0)).await;
    assert_eq!(in_force(store, RESOURCE, 0).await, [first.id]);
    assert_eq!(in_force(store, "acme/other", 0).await, [second.id]);
}

async fn a_change_is_made_on_the_revision_that_was_seen(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let change = |revision, branch: &str| PublisherChange::Replace {
        id: publisher.id.clone(),
        expected: Some(Revision(revision)),
        rules: Box::new(rules(branch)),
        permission: Permission::Read,
    };
    make(store, vec![change(1, "release")], &command(1)).await;
    let late = store.change_publishers(vec![change(1, "dev")], &command(2), None).await.unwrap();
    assert_eq!(late.unwrap_err(), Conflict::Changed(publisher.id.clone()));
    let listed = store.publisher(&publisher.id).await.unwrap().unwrap();
    let changed = listed.publisher.unwrap();
    assert_eq!((changed.revision, changed.permission), (Revision(2), Permission::Read));
    assert_eq!((changed.rules, listed.changed_at), (rules("release"), at(1)));
}

async fn invariant_8_what_was_trusted_before_a_change_ends(store: &dyn Store) {
    let other = publisher(RESOURCE);
    make(store, vec![adding(&other)], &command(0)).await;
    let kept = issue(store, &other, 1, 1).await;
    let changes: [fn(PublisherId) -> PublisherChange; 3] = [
        |id| PublisherChange::SetState { id, expected: None, state: PublisherState::Disabled },
        |id| PublisherChange::Remove { id, expected: None },
        |id| PublisherChange::Replace {
            id,
            expected: None,
            rules: Box::new(rules("release")),
            permission: Permission::Write,
        },
    ];
    for (number, change) in (10..).step_by(10).zip(changes) {
        let publisher = publisher(RESOURCE);
        make(store, vec![adding(&publisher)], &command(number)).await;
        let token = issue(store, &publisher, 1, number + 1).await;
        assert!(store.is_live(&token).await.unwrap());
        make(store, vec![change(publisher.id.clone())], &command(number + 2)).await;
        assert!(!store.is_live(&token).await.unwrap());
        let late = store.record(issuance(&publisher, 1, number + 3)).await.unwrap();
        assert_eq!(late, Verdict::PublisherChanged, "what was decided before the change");
    }
    assert!(store.is_live(&kept).await.unwrap(), "another publisher of the resource");
    assert_eq!(store.revoked_in("list").await.unwrap(), [11, 21, 31]);
    assert_eq!(store.revoked_in("another list").await.unwrap(), [0_u32; 0]);
}

async fn k7_a_pending_publisher_waits_for_its_first_run_and_no_longer(store: &dyn Store) {
    let (used, unused) = (publisher(RESOURCE), publisher("acme/other"));
    make(store, vec![waiting(&used, 100), waiting(&unused, 100)], &command(0)).await;
    assert_eq!(in_force(store, RESOURCE, 99).await, std::slice::from_ref(&used.id));
    issue(store, &used, 1, 99).await;
    assert_eq!(in_force(store, "acme/other", 100).await, []);
    assert_eq!(store.record(issuance(&unused, 1, 100)).await.unwrap(), Verdict::PublisherChanged);
    assert_eq!(
        in_force(store, RESOURCE, 100_000).await,
        std::slice::from_ref(&used.id),
        "its resource exists by now"
    );

    assert!(!store.tidy(&author(Actor::Server, 99), None).await.unwrap());
    assert!(store.publisher(&unused.id).await.unwrap().is_some());
    assert!(!store.tidy(&author(Actor::Server, 100), None).await.unwrap());
    assert!(store.publisher(&unused.id).await.unwrap().is_none());
    assert!(store.publisher(&used.id).await.unwrap().unwrap().pending_until.is_none());
    let actions: Vec<_> = log(store).await.into_iter().map(|c| (c.actor, c.action)).collect();
    let expected = [
        ("command", "publisher.added"),
        ("command", "publisher.added"),
        ("exchange", "publisher.confirmed"),
        ("server", "publisher.removed"),
    ];
    assert_eq!(actions, expected.map(|(actor, action)| (actor.to_owned(), action.to_owned())));
}

async fn k6_a_name_belongs_to_whoever_publishes_first(store: &dyn Store) {
    let squatter = author(Actor::AdminToken("squatter".to_owned()), 0);
    let owner = author(Actor::AdminToken("owner".to_owned()), 1);
    let (squatting, published, second) = (publisher(RESOURCE), publisher(RESOURCE), publisher(RESOURCE));
    make(store, vec![waiting(&squatting, 1_000)], &squatter).await;
    make(store, vec![waiting(&published, 1_000), waiting(&second, 1_000)], &owner).await;
    issue(store, &published, 1, 10).await;
    assert!(store.publisher(&squatting.id).await.unwrap().is_none());
    assert!(store.publisher(&second.id).await.unwrap().is_some(), "the owner's own goes on waiting");

    let elsewhere = publisher("acme/other");
    make(store, vec![waiting(&elsewhere, 1_000)], &author(squatter.actor, 11)).await;
    make(store, vec![adding(&publisher("acme/other"))], &author(owner.actor, 12)).await;
    assert!(store.publisher(&elsewhere.id).await.unwrap().is_none(), "its resource exists already");
}

async fn a_creation_that_is_sent_twice_happens_once(store: &dyn Store) {
    let owner = |seconds| author(Actor::AdminToken("1".to_owned()), seconds);
    let key = |request: u8| Some(IdempotencyKey { key: "k".to_owned(), request: [request; 32] });
    let (first, retry) = (publisher(RESOURCE), publisher(RESOURCE));
    let created = store.change_publishers(vec![adding(&first)], &owner(0), key(1)).await.unwrap().unwrap();
    let again = store.change_publishers(vec![adding(&retry)], &owner(1), key(1)).await.unwrap().unwrap();
    assert_eq!((created[0].id(), again[0].id()), (&first.id, &first.id));
    assert_eq!(in_force(store, RESOURCE, 1).await, std::slice::from_ref(&first.id));
    let other = store.change_publishers(vec![adding(&retry)], &owner(2), key(2)).await.unwrap();
    assert_eq!(other.unwrap_err(), Conflict::KeyReused);
    let asked = async |request: u8, of: Author| store.repeated(&of, &key(request).unwrap()).await.unwrap();
    assert_eq!(asked(1, owner(2)).await.unwrap().unwrap()[0].id(), &first.id);
    assert_eq!(asked(2, owner(2)).await.unwrap().unwrap_err(), Conflict::KeyReused);
    assert!(asked(1, command(2)).await.is_none() && asked(1, owner(86_400)).await.is_none());
    // A retry that comes after a removal brings nothing back.
    make(store, vec![PublisherChange::Remove { id: first.id, expected: None }], &owner(3)).await;
    let late = store.change_publishers(vec![adding(&retry)], &owner(4), key(1)).await.unwrap().unwrap();
    assert!(late.is_empty());
    assert_eq!(in_force(store, RESOURCE, 4).await, []);
    // Somebody else's keys are their own.
    let stranger = author(Actor::AdminToken("2".to_owned()), 5);
    let created = store.change_publishers(vec![adding(&retry)], &stranger, key(2)).await.unwrap().unwrap();
    assert_eq!(created[0].id(), &retry.id);
}

async fn a_resource_has_so_many_publishers_and_no_more(store: &dyn Store) {
    let most = usize::try_from(MOST_OF_A_RESOURCE).unwrap();
    let all: Vec<_> = (0..most).map(|_| publisher(RESOURCE)).collect();
    let too_many = Conflict::TooMany(RESOURCE.to_owned());
    let (one_more, elsewhere) = (publisher(RESOURCE), publisher("acme/other"));
    let changes = all.iter().chain([&one_more]).map(adding).collect();
    let refused = store.change_publishers(changes, &command(0), None).await.unwrap();
    assert_eq!(refused.unwrap_err(), too_many);
    make(store, all.iter().map(adding).collect(), &command(1)).await;
    let changes = vec![adding(&elsewhere), waiting(&one_more, 99)];
    let refused = store.change_publishers(changes, &command(2), None).await.unwrap();
    assert_eq!(refused.unwrap_err(), too_many);
    assert!(store.publisher(&elsewhere.id).await.unwrap().is_none(), "all or none");
    let remove = PublisherChange::Remove { id: all[0].id.clone(), expected: None };
    make(store, vec![adding(&one_more), remove, adding(&elsewhere)], &command(3)).await;
    assert_eq!(in_force(store, RESOURCE, 4).await.len(), most);
}

async fn an_issuer_that_is_switched_off_buys_nothing(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let token = issue(store, &publisher, 1, 1).await;
    let url = ISSUER.parse().unwrap();
    assert!(store.switch_issuer(&url, Switch::Off, &command(2)).await.unwrap());
    assert!(!store.switch_issuer(&url, Switch::Off, &command(3)).await.unwrap(), "it is off");
    assert!(!store.is_live(&token).await.unwrap());
    let refused = issuance(&publisher, 1, 4);
    assert_eq!(store.record(refused.clone()).await.unwrap(), Verdict::IssuerDisabled);
    assert_eq!(store.issuers().await.unwrap()[0].disabled_at, Some(at(2)));
    assert!(store.switch_issuer(&url, Switch::On, &command(5)).await.unwrap());
    assert!(!store.switch_issuer(&url, Switch::On, &command(6)).await.unwrap());
    assert_eq!(store.record(refused).await.unwrap(), Verdict::Recorded, "the refusal used nothing up");
    assert!(!store.is_live(&token).await.unwrap(), "what ended stays ended");
    assert!(!store.remove_issuer(&url, &command(7)).await.unwrap(), "it is configured, not added");
    assert_eq!(store.issuers().await.unwrap(), [], "nothing is left to be said of it");
    let added = StoredIssuer { url, preset: Some(Provider::Github), created_at: at(8), disabled_at: None };
    assert!(store.add_issuer(added.clone(), &command(8)).await.unwrap());
    assert_eq!(store.issuers().await.unwrap(), [added]);
}

async fn an_issuer_that_is_removed_buys_nothing_any_more(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let url: countersign_core::IssuerUrl = ISSUER.parse().unwrap();
    let added = |seconds| StoredIssuer {
        url: ISSUER.parse().unwrap(),
        preset: Some(Provider::Github),
        created_at: at(seconds),
        disabled_at: None,
    };
    assert!(store.add_issuer(added(1), &command(1)).await.unwrap());
    let token = issue(store, &publisher, 1, 2).await;
    assert!(store.remove_issuer(&url, &command(3)).await.unwrap());
    assert!(!store.remove_issuer(&url, &command(4)).await.unwrap());
    assert_eq!(store.issuers().await.unwrap()[0].disabled_at, Some(at(3)), "for whoever configures it since");
    assert!(!store.is_live(&token).await.unwrap());
    let late = issuance(&publisher, 1, 5);
    assert_eq!(store.record(late.clone()).await.unwrap(), Verdict::IssuerDisabled, "it was found before");
    assert!(store.add_issuer(added(6), &command(6)).await.unwrap());
    assert_eq!(store.record(late).await.unwrap(), Verdict::Recorded);

    // Switched off before it was removed, it stays off when it is added again: who adds need not be who may switch.
    store.switch_issuer(&url, Switch::Off, &command(7)).await.unwrap();
    assert!(store.remove_issuer(&url, &command(8)).await.unwrap());
    assert!(store.add_issuer(added(9), &command(9)).await.unwrap());
    let refused = issuance(&publisher, 1, 10);
    assert_eq!(store.record(refused.clone()).await.unwrap(), Verdict::IssuerDisabled);
    assert!(store.switch_issuer(&url, Switch::On, &command(11)).await.unwrap());
    assert_eq!(store.record(refused).await.unwrap(), Verdict::Recorded);
}

async fn k2_every_change_is_in_the_audit_log(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    let id = publisher.id.clone();
    make(store, vec![adding(&publisher)], &command(0)).await;
    let mut taught = issuance(&publisher, 1, 1);
    let Outcome::Issued(issuance) = &mut taught.outcome else { panic!() };
    issuance.learned = Some(rules("main").with_learned([("repository_id", "7".to_owned())]));
    let token = taught.id.clone();
    assert_eq!(store.record(taught).await.unwrap(), Verdict::Recorded);
    assert!(store.revoke_token(&token, &author(Actor::Holder, 2)).await.unwrap());
    assert!(!store.revoke_token(&token, &author(Actor::Holder, 3)).await.unwrap());
    let state = PublisherState::Disabled;
    make(store, vec![PublisherChange::SetState { id: id.clone(), expected: None, state }], &command(4)).await;
    let state = PublisherState::Enabled;
    make(store, vec![PublisherChange::SetState { id: id.clone(), expected: None, state }], &command(5)).await;
    make(store, vec![PublisherChange::Remove { id, expected: None }], &command(6)).await;
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
    store.add_admin_token(admin, &command(7)).await.unwrap();
    assert!(store.remove_admin_token("1", &command(8)).await.unwrap());
    assert!(!store.remove_admin_token("1", &command(9)).await.unwrap());
    let key = SealedKey {
        kid: "k1".to_owned(),
        sealed: b"sealed".to_vec(),
        created_at: at(10),
        active_from: at(10),
        revoked_at: None,
    };
    assert!(store.add_signing_key(key, None, &author(Actor::Server, 10)).await.unwrap());
    assert!(store.revoke_signing_key("k1", &command(11)).await.unwrap());
    let url = "https://gitlab.example.com";
    let added = StoredIssuer {
        url: url.parse().unwrap(),
        preset: Some(Provider::Gitlab),
        created_at: at(12),
        disabled_at: None,
    };
    assert!(store.add_issuer(added.clone(), &command(12)).await.unwrap());
    assert!(!store.add_issuer(added, &command(13)).await.unwrap());
    assert!(store.switch_issuer(&url.parse().unwrap(), Switch::Off, &command(14)).await.unwrap());
    assert!(store.remove_issuer(&url.parse().unwrap(), &command(15)).await.unwrap());

    let log = log(store).await;
    let lines: Vec<String> = log
        .iter()
        .map(|change| {
            let kind = change.target.split(':').next().unwrap();
            let since = change.at.as_seconds() - at(0).as_seconds();
            format!("{since} {} {} {kind}", change.actor, change.action)
        })
        .collect();
    // The same on every engine.
    insta::allow_duplicates! {
    insta::assert_snapshot!(lines.join("\n"), @"
    0 command publisher.added publisher
    1 exchange publisher.pinned publisher
    2 holder token.revoked token
    4 command publisher.disabled publisher
    5 command publisher.enabled publisher
    6 command publisher.removed publisher
    7 command admin_token.added admin_token
    8 command admin_token.removed admin_token
    10 server signing_key.added signing_key
    11 command signing_key.revoked signing_key
    12 command issuer.added issuer
    14 command issuer.disabled issuer
    15 command issuer.removed issuer
    ");
    }
    assert_eq!(log[1].after, Some(json!({ "pins": { "repository_id": "7", "repository_owner_id": null } })));
    assert_eq!(log[3].before.as_ref().unwrap()["state"], "enabled");
    assert_eq!(log[3].after, Some(json!({ "state": "disabled" })));
    assert_eq!(log[6].after.as_ref().unwrap()["resources"], json!(["acme/*"]));
    let text = format!("{log:?}");
    assert!(!text.contains("sealed") && !text.contains("hash"), "{text}");
    let of_resource = ChangeFilter { resource: Some(RESOURCE.to_owned()), ..ChangeFilter::default() };
    assert_eq!(store.changes(&of_resource, &Page::first(100)).await.unwrap().entries.len(), 6);
}

async fn the_audit_log_is_one_chain(store: &dyn Store) {
    let empty = store.verify_audit_log(Vec::new()).await.unwrap().unwrap();
    assert_eq!((empty.batches, empty.rows), (0, 0));
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    for seconds in 1..=20 {
        issue(store, &publisher, 1, seconds).await;
    }
    let verified = store.verify_audit_log(Vec::new()).await.unwrap().unwrap();
    assert_eq!((verified.batches, verified.rows), (21, 21));
    let heads = verified.heads;
    let token = issue(store, &publisher, 1, 30).await;
    store.revoke_token(&token, &command(31)).await.unwrap();
    let verified = store.verify_audit_log(heads.clone()).await.unwrap().unwrap();
    assert_eq!(verified.rows, 23, "a revocation is a row of its own and changes none");
    let mut forged = heads[0].clone();
    forged.hash[0] ^= 1;
    store.verify_audit_log(vec![forged]).await.unwrap().unwrap_err();
    let mut beyond = heads[0].clone();
    beyond.number = 1_000;
    store.verify_audit_log(vec![beyond]).await.unwrap().unwrap_err();
}

async fn old_rows_leave_and_the_chain_holds(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    for seconds in 1..=20 {
        issue(store, &publisher, 1, seconds).await;
    }
    let before = store.verify_audit_log(Vec::new()).await.unwrap().unwrap();
    assert!(!store.tidy(&author(Actor::Server, 30), Some(at(15))).await.unwrap());
    let left = store.exchanges(&ExchangeFilter::default(), &Page::first(100)).await.unwrap().entries;
    assert_eq!(left.last().unwrap().at, at(15));
    assert_eq!(log(store).await.len(), 1, "pruning is a change too");
    let after = store.verify_audit_log(before.heads.clone()).await.unwrap().unwrap();
    assert_eq!((after.rows, after.pruned), (7, Vec::new()));
    let mut old = before.heads[0].clone();
    old.number = 2;
    let after = store.verify_audit_log(vec![old.clone()]).await.unwrap().unwrap();
    assert_eq!(after.pruned, [old], "what is gone cannot be compared");
    assert!(!store.tidy(&author(Actor::Server, 31), Some(at(100))).await.unwrap());
    issue(store, &publisher, 1, 40).await;
    assert_eq!(store.verify_audit_log(Vec::new()).await.unwrap().unwrap().rows, 2);
    assert_eq!(in_force(store, RESOURCE, 40).await, [publisher.id], "what is in force is no history");
}

async fn exchanges_are_found_by_what_is_known_of_them(store: &dyn Store) {
    let (first, second) = (publisher(RESOURCE), publisher("acme/other"));
    make(store, vec![adding(&first), adding(&second)], &command(0)).await;
    let old = issue(store, &first, 1, 1).await;
    let revoked = issue(store, &first, 1, 5_000).await;
    let other = issue(store, &second, 1, 5_001).await;
    let live = issue(store, &first, 1, 5_002).await;
    store.revoke_token(&revoked, &command(5_003)).await.unwrap();
    let check = async |filter: ExchangeFilter, expected: &[&ExchangeId]| {
        let found = store.exchanges(&filter, &Page::first(10)).await.unwrap();
        let ids: Vec<&ExchangeId> = found.entries.iter().map(|exchange| &exchange.id).collect();
        assert_eq!((ids.as_slice(), found.next), (expected, None), "{filter:?}");
    };
    let any = ExchangeFilter::default;
    check(any(), &[&live, &other, &revoked, &old]).await;
    check(ExchangeFilter { resource: Some(RESOURCE.to_owned()), ..any() }, &[&live, &revoked, &old]).await;
    check(ExchangeFilter { publisher: Some(second.id), ..any() }, &[&other]).await;
    check(ExchangeFilter { issuer: Some("https://else".to_owned()), ..any() }, &[]).await;
    check(
        ExchangeFilter { subject: Some("repo:acme/train".to_owned()), since: Some(at(5_002)), ..any() },
        &[&live],
    )
    .await;
    check(ExchangeFilter { outcome: Some("replayed".to_owned()), ..any() }, &[]).await;
    check(ExchangeFilter { until: Some(at(5_000)), ..any() }, &[&old]).await;
    check(ExchangeFilter { live_at: Some(at(5_010)), ..any() }, &[&live, &other]).await;
    let claim = Some(("run_id".to_owned(), "5001".to_owned()));
    check(ExchangeFilter { claim, ..any() }, &[&other]).await;
    assert_eq!(store.exchange(&revoked).await.unwrap().unwrap().revoked_at, Some(at(5_003)));
    assert!(store.exchange(&ExchangeId("x".to_owned())).await.unwrap().is_none());
}

async fn lists_come_in_parts(store: &dyn Store) {
    let publishers: Vec<Publisher> = (0..5).map(|number| publisher(&format!("acme/m{number}"))).collect();
    make(store, publishers.iter().map(adding).collect(), &command(0)).await;
    for (seconds, publisher) in (10..).zip(&publishers[..3]) {
        issue(store, publisher, 1, seconds).await;
    }
    let (mut page, mut seen, mut parts) = (Page::first(2), 0, 0);
    loop {
        let part = store.publishers(&PublisherFilter::default(), &page).await.unwrap();
        seen += part.entries.len();
        parts += 1;
        page.after = part.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!((seen, parts), (5, 3));
    let first = store.changes(&ChangeFilter::default(), &Page::first(3)).await.unwrap();
    let rest = store.changes(&ChangeFilter::default(), &Page { after: first.next, limit: 3 }).await.unwrap();
    assert_eq!((first.entries.len(), rest.entries.len(), rest.next), (3, 2, None));
    let mut ordinals: Vec<u32> =
        first.entries.iter().chain(&rest.entries).map(|change| change.ordinal).collect();
    ordinals.reverse();
    assert_eq!(ordinals, [0, 1, 2, 3, 4]);
    let first = store.exchanges(&ExchangeFilter::default(), &Page::first(2)).await.unwrap();
    let rest =
        store.exchanges(&ExchangeFilter::default(), &Page { after: first.next, limit: 2 }).await.unwrap();
    assert_eq!((first.entries.len(), rest.entries.len(), rest.next), (2, 1, None));
    let unused =
        PublisherFilter { unused_since: Some(at(0) + Duration::from_secs(5)), ..PublisherFilter::default() };
    assert_eq!(store.publishers(&unused, &Page::first(10)).await.unwrap().entries.len(), 2);
    let disabled = PublisherFilter { state: Some(PublisherState::Disabled), ..PublisherFilter::default() };
    assert!(store.publishers(&disabled, &Page::first(10)).await.unwrap().entries.is_empty());
}

async fn uses_of_an_id_token_are_remembered(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let key = |issuer: &str| IdTokenKey::of(&issuer.parse().unwrap(), &ReplayKey::from_jti("shared"));
    for (uses, expected) in [(0, Verdict::Recorded), (1, Verdict::Recorded), (2, Verdict::Replayed)] {
        assert!(store.known_uses_of(&key(ISSUER), at(1)) <= uses);
        assert_eq!(store.uses_of(&key(ISSUER)).await.unwrap(), uses);
        let mut exchange = issuance(&publisher, 1, 1);
        let Outcome::Issued(issuance) = &mut exchange.outcome else { panic!() };
        (issuance.id_token, issuance.max_exchanges) = (key(ISSUER), 2);
        assert_eq!(store.record(exchange).await.unwrap(), expected);
    }
    assert_eq!(store.known_uses_of(&key("https://other.example"), at(1)), 0);
    // However many ask at once, each has the answer to its own question.
    let issuers = (0..600).map(|number| if number % 3 == 0 { ISSUER } else { "https://other.example" });
    let asked = join_all(issuers.clone().map(async |issuer| store.uses_of(&key(issuer)).await)).await;
    for (issuer, uses) in issuers.zip(asked) {
        assert_eq!(uses.unwrap(), if issuer == ISSUER { 2 } else { 0 });
    }
}

async fn live_tokens_are_counted(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let mut issued = Vec::new();
    for second in 1..=5 {
        issued.push(issue(store, &publisher, 1, second).await);
    }
    let refused = Exchange { outcome: Outcome::Refused("not_matched"), ..issuance(&publisher, 1, 3) };
    store.record(refused).await.unwrap();
    let count = async |from: i64, seconds: i64| {
        let part = store.count_live(&ExchangeId::earliest_at(at(from)), at(seconds)).await.unwrap();
        assert_eq!(part.next, None);
        part.count
    };
    assert_eq!(count(0, 5).await, 5);
    assert_eq!(count(0, 3).await, 3, "not those that came later");
    assert_eq!(count(3, 5).await, 3, "from there on");
    assert_eq!(count(0, 3602).await, 3, "not those that have ended");
    assert!(store.revoke_token(&issued[4], &command(6)).await.unwrap());
    assert_eq!(count(0, 6).await, 4);
}

async fn who_watches_sees_every_batch(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&sizes);
    store.watch_batches(Box::new(move |exchanges| noted.lock().unwrap().push(exchanges)));
    let verdicts = join_all((1..=300).map(|second| store.record(issuance(&publisher, 1, second)))).await;
    assert!(verdicts.into_iter().all(|verdict| verdict.unwrap() == Verdict::Recorded));
    let sizes = sizes.lock().unwrap();
    assert_eq!(sizes.iter().sum::<usize>(), 300);
    assert!(sizes.iter().all(|size| (1..=256).contains(size)), "{sizes:?}");
}

/// A claim may hold any text, a NUL too, for which PostgreSQL's texts have no place: JSON writes it with other letters.
async fn what_json_can_say_is_kept_as_it_is(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let detail =
        json!({ "claims": { "ref": "refs/heads/\0\u{1}\u{fffd}\u{10ffff}\"\\", "n": 1e300, "empty": "" } });
    let exchange = Exchange { detail: detail.to_string(), ..issuance(&publisher, 1, 1) };
    let id = exchange.id.clone();
    assert_eq!(store.record(exchange).await.unwrap(), Verdict::Recorded);
    assert_eq!(store.exchange(&id).await.unwrap().unwrap().detail, detail);
    store.verify_audit_log(Vec::new()).await.unwrap().unwrap();
}

/// Two rows of one id: which of them is on record is not said, but that everything else is.
async fn a_row_that_cannot_be_written_fails_alone(store: &dyn Store) {
    let publisher = publisher(RESOURCE);
    make(store, vec![adding(&publisher)], &command(0)).await;
    let taken = issue(store, &publisher, 1, 1).await;
    let exchanges = (2..52).map(|seconds| {
        let exchange = issuance(&publisher, 1, seconds);
        let id = if seconds == 20 { taken.clone() } else { exchange.id };
        store.record(Exchange { id, ..exchange })
    });
    let verdicts = join_all(exchanges).await;
    assert_eq!(verdicts.iter().filter(|verdict| verdict.is_err()).count(), 1);
    assert_eq!(verdicts.iter().filter(|verdict| matches!(verdict, Ok(Verdict::Recorded))).count(), 49);
    let verified = store.verify_audit_log(Vec::new()).await.unwrap().unwrap();
    assert_eq!(verified.rows, 51);
}

/// Waits for all at once, on one task.
async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = running.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in running.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}
