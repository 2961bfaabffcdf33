//! What the transactions of PostgreSQL's group commit promise, looked at from behind the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use countersign_cluster::Cluster;
use countersign_core::Publisher;
use countersign_server::store::{Exchange, Outcome, Store, Verdict};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::postgres::{connect, database, database_on, store};
use crate::scaling::statement;
use crate::store::{RESOURCE, adding, command, issuance, make, publisher, waiting};

/// What a server's socket is called in its folder, where it has the usual port.
const SOCKET: &str = ".s.PGSQL.5432";

/// A store, and a publisher that it has.
async fn trusted(address: &str) -> (Arc<dyn Store>, Publisher) {
    let (store, publisher) = (store(address).await, publisher(RESOURCE));
    make(&*store, vec![adding(&publisher)], &command(0)).await;
    (store, publisher)
}

/// The number that a query answers with.
async fn count(client: &Client, query: &str) -> i64 {
    client.query_one(query, &[]).await.unwrap().get(0)
}

/// The commit is sent with what it commits. On a new connection statements have to be prepared first: it must not overtake them.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn invariant_2_a_use_its_record_and_the_link_are_of_one_transaction() {
    let address = database().await;
    let (_, publisher) = trusted(&address).await;
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
    assert_eq!(count(&connect(&address).await, rows).await, 500);
}

/// Another process has gone on with the chain, and of its links none is there any more that could be in the way.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_place_in_its_chain_is_not_committed() {
    let address = database().await;
    let (store, publisher) = trusted(&address).await;
    let client = connect(&address).await;
    for _ in 0..3 {
        client.batch_execute("UPDATE chains SET number = number + 100").await.unwrap();
        let heads = async || count(&client, "SELECT sum(number)::bigint FROM chains").await;
        let before = heads().await;
        assert_eq!(store.record(issuance(&publisher, 1, 1)).await.unwrap(), Verdict::Recorded);
        assert_eq!(heads().await, before + 1, "the head of another chain, and of no other");
    }
    assert_eq!(count(&client, "SELECT count(*) FROM exchanges").await, 3);
}

/// Where `BEGIN` fails and the connection lives, what was sent with it is done, each by itself.
#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_a_batch_is_written_in_a_transaction_or_not_at_all() {
    let address = database().await;
    let (_, publisher) = trusted(&address).await;
    let mut client = connect(&address).await;
    let (chain, number, hash): (i64, i64, Vec<u8>) = {
        let head = client.query_one("SELECT id, number, hash FROM chains", &[]).await.unwrap();
        (head.get(0), head.get(1), head.get(2))
    };
    let (next, new_hash) = (number + 1, vec![7_u8; 32]);
    let (id_tokens, numbers) = (vec![&b"0123456789abcdef"[..]], vec![9_i64]);
    let (texts, none, nothing) = (vec!["x"], vec![None::<&str>], vec![None::<i64>]);
    let publishers = vec![publisher.id.as_str()];
    let statements: [(&str, &[&(dyn ToSql + Sync)]); 3] = [
        ("USE_ID_TOKENS", &[&id_tokens, &numbers, &numbers]),
        ("COUNT_USES", &[&publishers, &numbers, &numbers, &chain]),
        (
            "INSERT_EXCHANGES",
            &[
                &texts, &numbers, &texts, &none, &none, &none, &none, &nothing, &none, &nothing, &texts,
                &chain, &next,
            ],
        ),
    ];
    for (name, values) in statements {
        let statement = client.prepare(&statement(name)).await.unwrap();
        assert_eq!(client.execute(&statement, values).await.unwrap(), 0, "{name}");
        let transaction = client.transaction().await.unwrap();
        transaction.batch_execute("SET LOCAL countersign.transaction = 'open'").await.unwrap();
        assert_eq!(transaction.execute(&statement, values).await.unwrap(), 1, "{name}");
        transaction.rollback().await.unwrap();
        assert_eq!(client.execute(&statement, values).await.unwrap(), 0, "{name} after a transaction");
    }
    let (no_term, unknown) = (None::<&str>, i64::MAX);
    let (nobody, no_revision) = (Vec::<&str>::new(), Vec::<i64>::new());
    let link: &[&(dyn ToSql + Sync)] = &[
        &chain,
        &next,
        &9_i64,
        &1_i64,
        &"x",
        &"x",
        &new_hash,
        &hash,
        &unknown,
        &no_term,
        &nobody,
        &no_revision,
        &nobody,
    ];
    let statement = client.prepare(&statement("INSERT_BATCH")).await.unwrap();
    assert!(client.execute(&statement, link).await.is_err(), "a link by itself");
    let transaction = client.transaction().await.unwrap();
    transaction.batch_execute("SET LOCAL countersign.transaction = 'open'").await.unwrap();
    assert_eq!(transaction.execute(&statement, link).await.unwrap(), 1, "a link");
    transaction.rollback().await.unwrap();
    assert!(client.execute(&statement, link).await.is_err(), "a link after a transaction");
}

/// How often a batch goes to the database and back.
#[tokio::test]
async fn what_is_as_expected_takes_one_round_trip() {
    let cluster = Cluster::start("").unwrap();
    let direct = database_on(&cluster).await;
    let relay = Relay::before(&cluster);
    let (store, publisher) = trusted(&relay.address(&direct)).await;
    let record = async |exchange: &Exchange| {
        let before = relay.round_trips();
        let verdict = store.record(exchange.clone()).await.unwrap();
        (verdict, relay.round_trips() - before)
    };
    // On each of its connections.
    for _ in 0..12 {
        assert_eq!(record(&issuance(&publisher, 1, 1)).await.0, Verdict::Recorded);
    }
    let good = issuance(&publisher, 1, 1);
    assert_eq!(record(&good).await, (Verdict::Recorded, 1));
    assert_eq!(record(&refused(&publisher)).await, (Verdict::Recorded, 1));
    let second = Exchange { id: issuance(&publisher, 1, 2).id, ..good };
    assert_eq!(record(&second).await, (Verdict::Replayed, 1));
    // Another is likely after that, and then the first round trip says so before anything is written.
    assert_eq!(record(&issuance(&publisher, 1, 2)).await, (Verdict::Recorded, 2));
    assert_eq!(record(&issuance(&publisher, 1, 2)).await, (Verdict::Recorded, 1));
}

/// Each of the link's terms, right after a batch in which all was as expected: so this one is written as if it were, too.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_expected_leaves_nothing() {
    let address = database().await;
    let (store, publisher) = trusted(&address).await;
    let client = connect(&address).await;
    let on_record = async |table: &str| count(&client, &format!("SELECT count(*) FROM {table}")).await;
    let used = issuance(&publisher, 1, 1);
    assert_eq!(store.record(used.clone()).await.unwrap(), Verdict::Recorded);
    let replay = Exchange { id: issuance(&publisher, 1, 1).id, ..used };
    let stale = issuance(&publisher, 2, 1);
    let good = || issuance(&publisher, 1, 1);
    let cases = [
        ("", "", replay, Verdict::Replayed),
        ("", "", stale, Verdict::PublisherChanged),
        (
            "UPDATE publishers SET pending_until = 1",
            "UPDATE publishers SET pending_until = NULL",
            good(),
            Verdict::PublisherChanged,
        ),
        (
            "UPDATE issuers SET disabled_at = 1",
            "UPDATE issuers SET disabled_at = NULL",
            good(),
            Verdict::IssuerDisabled,
        ),
        (
            "UPDATE issuers SET removed_at = 1",
            "UPDATE issuers SET removed_at = NULL",
            good(),
            Verdict::IssuerDisabled,
        ),
        (
            "UPDATE replay_horizon SET forgotten_until = 9999999999",
            "UPDATE replay_horizon SET forgotten_until = 0",
            good(),
            Verdict::TooLate,
        ),
    ];
    for (before, after, exchange, verdict) in cases {
        // Two: after one that was turned back, the next is written in two steps.
        for _ in 0..2 {
            assert_eq!(store.record(good()).await.unwrap(), Verdict::Recorded);
        }
        let (exchanges, id_tokens) = (on_record("exchanges").await, on_record("used_id_tokens").await);
        client.batch_execute(before).await.unwrap();
        assert_eq!(store.record(exchange).await.unwrap(), verdict, "{before}");
        client.batch_execute(after).await.unwrap();
        assert_eq!(on_record("exchanges").await, exchanges, "{before}");
        assert_eq!(on_record("used_id_tokens").await, id_tokens, "{before}");
    }
    // No connection was given up for that, and no chain with it.
    assert!(on_record("chains").await <= 2);
}

/// Exchanges that come together are in one batch, which is written as if all were as expected.
#[tokio::test]
async fn those_who_are_turned_back_take_nobody_along() {
    let address = database().await;
    let (store, good) = (store(&address).await, publisher(RESOURCE));
    let (changed, pending) = (publisher("acme/other"), publisher("acme/third"));
    make(&*store, vec![adding(&good), adding(&changed), waiting(&pending, 9_999)], &command(0)).await;
    let issue = |publisher: &Publisher, revision| issuance(publisher, revision, 1);
    // The same id token for another resource, of which something is not as it was.
    let same = |first: &Exchange, other: Exchange| {
        let (Outcome::Issued(first), Outcome::Issued(mut issuance)) = (&first.outcome, other.outcome) else {
            panic!("both are issued")
        };
        issuance.id_token = first.id_token;
        Exchange { outcome: Outcome::Issued(issuance), ..other }
    };
    let calm = async || {
        for _ in 0..3 {
            assert_eq!(store.record(issue(&good, 1)).await.unwrap(), Verdict::Recorded);
        }
    };
    let used = issue(&good, 1);
    calm().await;
    assert_eq!(store.record(used.clone()).await.unwrap(), Verdict::Recorded);

    let replay = Exchange { id: issue(&good, 1).id, ..used };
    let (first, second, third) =
        tokio::join!(store.record(issue(&good, 1)), store.record(replay), store.record(issue(&good, 1)));
    let verdicts = [first.unwrap(), second.unwrap(), third.unwrap()];
    assert_eq!(verdicts, [Verdict::Recorded, Verdict::Replayed, Verdict::Recorded]);

    for (other, expected) in [
        (issue(&changed, 2), Verdict::PublisherChanged),
        (issue(&pending, 1), Verdict::Replayed),
        (issue(&changed, 1), Verdict::Replayed),
    ] {
        calm().await;
        let one = issue(&good, 1);
        let again = same(&one, other);
        let (first, second, third) =
            tokio::join!(store.record(one), store.record(again), store.record(issue(&good, 1)));
        let verdicts = [first.unwrap(), second.unwrap(), third.unwrap()];
        assert_eq!(verdicts, [Verdict::Recorded, expected, Verdict::Recorded]);
    }
    calm().await;
    let (first, second) = tokio::join!(store.record(issue(&good, 1)), store.record(issue(&pending, 1)));
    assert_eq!([first.unwrap(), second.unwrap()], [Verdict::Recorded, Verdict::Recorded]);
}

/// Connections break and chains are taken over, so that all is sent at once on connections that have to prepare it first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_on_record_without_its_link() {
    let address = database().await;
    let (store, publisher) = trusted(&address).await;
    let client = connect(&address).await;
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut recorded = 0;
    for round in 0..30 {
        client.query(end, &[]).await.unwrap();
        if round % 3 > 0 {
            client.batch_execute("UPDATE chains SET number = number + 100").await.unwrap();
        }
        let exchanges = (0..4).map(|_| {
            let (store, exchange) = (Arc::clone(&store), issuance(&publisher, 1, 1));
            // Where the connection broke too late, nobody knows.
            async move { store.record(exchange).await.is_ok_and(|verdict| verdict == Verdict::Recorded) }
        });
        let done = exchanges.collect::<JoinSet<bool>>().join_all().await;
        recorded += done.into_iter().filter(|is_recorded| *is_recorded).count();
    }
    let stray = "SELECT count(*) FROM exchanges WHERE NOT EXISTS (SELECT 1 FROM batches
             WHERE batches.chain = exchanges.chain AND number = batch AND batches.xmin = exchanges.xmin)";
    assert_eq!(count(&client, stray).await, 0);
    let exchanges = count(&client, "SELECT count(*) FROM exchanges").await;
    assert_eq!(count(&client, "SELECT count(*) FROM used_id_tokens").await, exchanges);
    assert!(recorded >= 60 && exchanges >= i64::try_from(recorded).unwrap(), "{recorded} of {exchanges}");
}

/// Some engine may not have it that a transaction reads what it was told. Then what is foreseen never comes true.
#[tokio::test(flavor = "multi_thread")]
async fn where_a_transaction_cannot_be_told_anything_it_asks_first() {
    let address = database().await;
    let client = connect(&address).await;
    client
        .batch_execute(
            "CREATE FUNCTION set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT $2';
             DO $$ BEGIN
                 EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database());
             END $$",
        )
        .await
        .unwrap();
    let (store, publisher) = trusted(&address).await;
    for _ in 0..5 {
        assert_eq!(store.record(issuance(&publisher, 1, 1)).await.unwrap(), Verdict::Recorded);
    }
}

fn refused(publisher: &Publisher) -> Exchange {
    Exchange { outcome: Outcome::Refused("expired"), ..issuance(publisher, 1, 1) }
}

/// Carries what a store and its database say to each other, and counts how often the database has the word.
struct Relay {
    folder: TempDir,
    round_trips: Arc<AtomicUsize>,
}

impl Relay {
    fn before(cluster: &Cluster) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = PathBuf::from(cluster.socket().replace("%2F", "/")).join(SOCKET);
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let round_trips = Arc::new(AtomicUsize::new(0));
        let relay = Self { folder, round_trips: Arc::clone(&round_trips) };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&round_trips)));
            }
        });
        relay
    }

    /// The address to use instead.
    fn address(&self, address: &str) -> String {
        let (_, database) = address.rsplit_once('/').unwrap();
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}/{database}")
    }

    fn round_trips(&self) -> usize {
        self.round_trips.load(Ordering::SeqCst)
    }
}

async fn carry(mut client: UnixStream, mut server: UnixStream, round_trips: Arc<AtomicUsize>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut is_asked = false;
    loop {
        tokio::select! {
            biased;
            // A question has all come before its answer: the store is on this thread.
            Ok(length @ 1..) = client.read(&mut asked) => {
                is_asked = true;
                server.write_all(&asked[..length]).await.unwrap();
            }
            Ok(length @ 1..) = server.read(&mut answered) => {
                if std::mem::take(&mut is_asked) {
                    round_trips.fetch_add(1, Ordering::SeqCst);
                }
                client.write_all(&answered[..length]).await.unwrap();
            }
            else => return,
        }
    }
}

/// However often one comes that has to be turned back, the others wait for few transactions.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_turned_back_many_times_is_at_once() {
    // Nobody else counts transactions here.
    let cluster = Cluster::start("").unwrap();
    let address = database_on(&cluster).await;
    let (store, publisher) = trusted(&address).await;
    let client = connect(&address).await;
    let transactions = async || count(&client, "SELECT pg_current_xact_id()::text::bigint").await;
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
