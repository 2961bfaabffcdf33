//! What is remembered, by whom, and for how long.

use countersign_core::ReplayKey;
use countersign_core::publisher::Revision;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::*;
use crate::store::sqlite::schema;

/// Id tokens that are good for this many seconds, one of them a second.
const LIFE: i64 = 1_000;
/// Uses that are looked at for each that comes.
const LOOK: usize = 4;

fn key(number: i64) -> IdTokenKey {
    IdTokenKey::of(&"https://ci.example.com".parse().unwrap(), &ReplayKey::from_jti(&number.to_string()))
}

fn use_of(number: i64, max_exchanges: u32, forget_at: i64) -> Issuance {
    Issuance {
        publisher: "01890000-0000-7000-8000-000000000000".parse().unwrap(),
        revision: Revision(1),
        learned: None,
        issuer: "https://ci.example.com".parse().unwrap(),
        id_token: key(number),
        max_exchanges,
        forget_at: UnixTime::from_seconds(forget_at),
        expires_at: UnixTime::from_seconds(forget_at),
        status: None,
    }
}

struct File(tempfile::TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self) -> Connection {
        let mut connection = Connection::open(self.0.path().join("store.db")).unwrap();
        schema::prepare(&mut connection).unwrap();
        connection
    }
}

fn begin(connection: &mut Connection) -> Transaction<'_> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap()
}

/// Uses an id token in a transaction of its own.
fn add(memory: &ReplayMemory, connection: &mut Connection, issuance: &Issuance) -> Attempt {
    let transaction = begin(connection);
    let mut uses = memory.begin(&transaction).unwrap();
    let attempt = uses.add(issuance).unwrap();
    let added = uses.added();
    transaction.commit().unwrap();
    memory.committed(added);
    attempt
}

#[test]
fn of_two_processes_each_knows_what_the_other_used() {
    let file = File::new();
    let (mut one, mut other) = (file.open(), file.open());
    let (of_one, of_other) = (ReplayMemory::default(), ReplayMemory::default());
    for number in 0..100 {
        let issuance = use_of(number, 2, 1_000);
        assert_eq!(add(&of_one, &mut one, &issuance), Attempt::Counted);
        assert_eq!(of_other.uses_of(&other, &issuance.id_token).unwrap(), 1);
        assert_eq!(add(&of_other, &mut other, &issuance), Attempt::Counted);
        assert_eq!(add(&of_one, &mut one, &issuance), Attempt::NoneLeft);
        assert_eq!(add(&of_other, &mut other, &issuance), Attempt::NoneLeft);
        assert_eq!(of_one.uses_of(&one, &issuance.id_token).unwrap(), 2);
    }
}

#[test]
fn whoever_only_asks_is_answered_from_memory_while_that_is_fresh() {
    let file = File::new();
    let (mut one, mut other) = (file.open(), file.open());
    let (of_one, of_other) = (ReplayMemory::default(), ReplayMemory::default());
    assert_eq!(of_one.known_uses_of(&key(1)), None, "nothing was read");
    assert_eq!(add(&of_one, &mut one, &use_of(1, 2, 1_000)), Attempt::Counted);
    // However long that took.
    let just_now = || of_one.lock().read_at = Some(Instant::now());
    just_now();
    assert_eq!(of_one.known_uses_of(&key(1)), Some(1), "its own it knows at once");
    just_now();
    assert_eq!(of_one.known_uses_of(&key(2)), Some(0));
    assert_eq!(add(&of_other, &mut other, &use_of(1, 2, 1_000)), Attempt::Counted);
    assert_eq!(of_one.uses_of(&one, &key(1)).unwrap(), 2);
    just_now();
    assert_eq!(of_one.known_uses_of(&key(1)), Some(2));
    of_one.lock().read_at = Instant::now().checked_sub(FRESH);
    assert_eq!(of_one.known_uses_of(&key(1)), None, "it is too long ago");
}

#[test]
fn a_process_that_starts_knows_what_was_used_before() {
    let file = File::new();
    let mut connection = file.open();
    let before = ReplayMemory::default();
    for number in 0..100 {
        assert_eq!(add(&before, &mut connection, &use_of(number, 1, 1_000)), Attempt::Counted);
    }
    let after = ReplayMemory::default();
    for number in 0..100 {
        assert_eq!(add(&after, &mut connection, &use_of(number, 1, 1_000)), Attempt::NoneLeft);
    }
}

#[test]
fn within_a_transaction_uses_count_and_one_that_is_undone_never_happened() {
    let file = File::new();
    let mut connection = file.open();
    let memory = ReplayMemory::default();
    let issuance = use_of(1, 1, 1_000);
    for _ in 0..3 {
        let transaction = begin(&mut connection);
        let mut uses = memory.begin(&transaction).unwrap();
        assert_eq!(uses.add(&issuance).unwrap(), Attempt::Counted);
        assert_eq!(uses.add(&issuance).unwrap(), Attempt::NoneLeft);
        drop(uses);
        transaction.rollback().unwrap();
        assert_eq!(memory.uses_of(&connection, &issuance.id_token).unwrap(), 0);
    }
    assert_eq!(add(&memory, &mut connection, &issuance), Attempt::Counted);
}

#[test]
fn who_has_missed_a_use_can_add_none() {
    let file = File::new();
    let mut connection = file.open();
    let memory = ReplayMemory::default();
    let transaction = begin(&mut connection);
    let mut uses = memory.begin(&transaction).unwrap();
    // What cannot happen under the lock, for whatever reason it does.
    let missed = ReplayMemory::default();
    assert_eq!(missed.begin(&transaction).unwrap().add(&use_of(1, 1, 1_000)).unwrap(), Attempt::Counted);
    let error = uses.add(&use_of(1, 1, 1_000)).unwrap_err();
    assert!(error.to_string().contains("UNIQUE"), "{error}");
}

#[test]
fn one_that_is_allowed_several_uses_is_remembered_until_the_last_is_over() {
    let file = File::new();
    let mut connection = file.open();
    let memory = ReplayMemory::default();
    assert_eq!(add(&memory, &mut connection, &use_of(1, 3, 2_000)), Attempt::Counted);
    assert_eq!(add(&memory, &mut connection, &use_of(1, 3, 1_000)), Attempt::Counted);
    // Something else is last.
    assert_eq!(add(&memory, &mut connection, &use_of(2, 1, 9_000)), Attempt::Counted);
    let transaction = begin(&mut connection);
    let mut sweep = Sweep::default();
    let last = LastUse { at: UnixTime::from_seconds(1_500), number: 3 };
    for _ in 0..3 {
        sweep.advance(&transaction, &last, 1).unwrap();
    }
    transaction.commit().unwrap();
    let anew = ReplayMemory::default();
    assert_eq!(anew.uses_of(&connection, &key(1)).unwrap(), 2);
    assert_eq!(add(&anew, &mut connection, &use_of(1, 3, 2_000)), Attempt::Counted);
    assert_eq!(add(&memory, &mut connection, &use_of(1, 3, 2_000)), Attempt::NoneLeft);
}

#[test]
fn numbers_go_on_after_everything_was_forgotten() {
    let file = File::new();
    let mut connection = file.open();
    let (memory, idle) = (ReplayMemory::default(), ReplayMemory::default());
    for number in 0..10 {
        assert_eq!(add(&memory, &mut connection, &use_of(number, 1, 1_000)), Attempt::Counted);
    }
    assert_eq!(idle.uses_of(&connection, &key(0)).unwrap(), 1, "it has read them");
    let transaction = begin(&mut connection);
    let last = LastUse { at: UnixTime::from_seconds(5_000), number: 10 };
    Sweep::default().advance(&transaction, &last, 1_000).unwrap();
    transaction.commit().unwrap();
    let left: Vec<i64> = connection
        .prepare("SELECT number FROM used_id_tokens")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(left, [10]);
    let anew = ReplayMemory::default();
    assert_eq!(add(&anew, &mut connection, &use_of(11, 1, 9_000)), Attempt::Counted);
    assert_eq!(idle.uses_of(&connection, &key(11)).unwrap(), 1, "it has not been overlooked");
    assert_eq!(add(&idle, &mut connection, &use_of(11, 1, 9_000)), Attempt::NoneLeft);
    assert_eq!(add(&anew, &mut connection, &use_of(1, 1, 1_000)), Attempt::Forgotten);
}

#[test]
fn the_memory_holds_what_is_good_and_little_more() {
    let mut connection = Connection::open_in_memory().unwrap();
    schema::prepare(&mut connection).unwrap();
    let transaction = connection.transaction().unwrap();
    let memory = ReplayMemory::default();
    let mut sweep = Sweep::default();
    let remembered = |since: i64| -> i64 {
        let count = "SELECT count(*) FROM used_id_tokens WHERE forget_at >= ?1";
        transaction.query_row(count, [since], |row| row.get(0)).unwrap()
    };
    for now in 0..5 * LIFE {
        let mut uses = memory.begin(&transaction).unwrap();
        assert_eq!(uses.add(&use_of(now, 1, now + LIFE)).unwrap(), Attempt::Counted);
        let last = LastUse { at: UnixTime::from_seconds(now), number: uses.last() };
        sweep.advance(&transaction, &last, LOOK).unwrap();
        let good = remembered(now);
        assert_eq!(good, LIFE.min(now) + 1, "at {now}");
        let more = remembered(0) - good;
        assert!(more <= LIFE * 35 / 100, "at {now}, {more} are remembered for nothing");
        let horizon = memory.begin(&transaction).unwrap().horizon;
        assert!(horizon <= now, "at {now}");
        assert!(now < LIFE + LIFE / 2 || horizon >= now - LIFE / 2, "at {now}, the horizon was {horizon}");
    }
}

#[test]
fn a_list_that_went_back_is_read_anew() {
    let file = File::new();
    let (mut one, mut other) = (file.open(), file.open());
    let (of_one, of_other) = (ReplayMemory::default(), ReplayMemory::default());
    for number in 0..10 {
        assert_eq!(add(&of_one, &mut one, &use_of(number, 1, 1_000)), Attempt::Counted);
    }
    // As an older copy would be.
    other.execute("DELETE FROM used_id_tokens WHERE number > 5", []).unwrap();
    assert_eq!(add(&of_other, &mut other, &use_of(100, 1, 1_000)), Attempt::Counted);
    for number in [100, 0, 4] {
        assert_eq!(add(&of_one, &mut one, &use_of(number, 1, 1_000)), Attempt::NoneLeft);
    }
    assert_eq!(
        add(&of_one, &mut one, &use_of(9, 1, 1_000)),
        Attempt::Counted,
        "the copy knows nothing of it"
    );
    other.execute("DELETE FROM used_id_tokens", []).unwrap();
    assert_eq!(of_one.uses_of(&one, &key(0)).unwrap(), 0);
    assert_eq!(add(&of_one, &mut one, &use_of(0, 1, 1_000)), Attempt::Counted);
    assert_eq!(add(&of_other, &mut other, &use_of(0, 1, 1_000)), Attempt::NoneLeft);
}

#[test]
fn more_than_is_read_at_once_is_read_all_the_same() {
    let file = File::new();
    let mut connection = file.open();
    let memory = ReplayMemory::default();
    let count = i64::from(SOME) * 2;
    let transaction = begin(&mut connection);
    let mut uses = memory.begin(&transaction).unwrap();
    for number in 0..count {
        assert_eq!(uses.add(&use_of(number, 1, 1_000)).unwrap(), Attempt::Counted);
    }
    drop(uses);
    transaction.commit().unwrap();
    for memory in [memory, ReplayMemory::default()] {
        for number in [count - 1, 0, count / 2 - 1, count / 2] {
            assert_eq!(memory.uses_of(&connection, &key(number)).unwrap(), 1);
        }
    }
    // One whose last has left the list.
    let behind = ReplayMemory::default();
    assert_eq!(behind.lock().read_some(&connection).unwrap(), SOME + 1);
    connection.execute("DELETE FROM used_id_tokens WHERE number <= ?1", [SOME + 1]).unwrap();
    for number in count..count + i64::from(SOME) {
        let statement = "INSERT INTO used_id_tokens VALUES (?1, ?2, 1, 1000)";
        connection
            .prepare_cached(statement)
            .unwrap()
            .execute(params![number + 1, key(number).as_bytes()])
            .unwrap();
    }
    assert_eq!(behind.uses_of(&connection, &key(count + i64::from(SOME) - 1)).unwrap(), 1);
}

/// Numbers that look like chance, the same in each run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: i64) -> i64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        i64::try_from(self.0 >> 1).unwrap() % limit
    }
}

#[test]
fn invariant_2_whatever_three_processes_do_no_id_token_buys_more_than_it_may() {
    const TOKENS: i64 = 60;
    let file = File::new();
    let mut processes: Vec<(Connection, ReplayMemory, Sweep)> =
        (0..3).map(|_| (file.open(), ReplayMemory::default(), Sweep::default())).collect();
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    let mut counted = HashMap::<i64, u32>::new();
    let (mut refused, mut forgotten) = (0, 0);
    for step in 0..6_000 {
        let now = 1_000 + step / 10;
        let (connection, memory, sweep) = &mut processes[usize::try_from(chance.below(3)).unwrap()];
        if chance.below(50) == 0 {
            *memory = ReplayMemory::default();
        }
        let transaction = begin(connection);
        let mut uses = memory.begin(&transaction).unwrap();
        let mut here = Vec::new();
        for _ in 0..=chance.below(4) {
            // Some are new, many come again, also after they have ended; their clocks differ.
            let token = chance.below(TOKENS) + now - TOKENS * 3 / 4;
            let allowed = u32::try_from(1 + token % 3).unwrap();
            let forget_at = token + token % 2 * 10;
            match uses.add(&use_of(token, allowed, forget_at)).unwrap() {
                Attempt::Counted => here.push((token, allowed)),
                Attempt::NoneLeft => {
                    let before = here.iter().filter(|(other, _)| *other == token).count();
                    let uses = counted.get(&token).copied().unwrap_or(0) + u32::try_from(before).unwrap();
                    assert_eq!(uses, allowed, "{token} in step {step}");
                    refused += 1;
                }
                Attempt::Forgotten => {
                    assert!(forget_at < now, "{token} in step {step}");
                    forgotten += 1;
                }
            }
        }
        if !here.is_empty() {
            let at = UnixTime::from_seconds(now - chance.below(5));
            sweep.advance(&transaction, &LastUse { at, number: uses.last() }, 8).unwrap();
        }
        let added = uses.added();
        if chance.below(10) == 0 {
            transaction.rollback().unwrap();
            continue;
        }
        transaction.commit().unwrap();
        match chance.below(3) {
            // Somebody who asks may have read it before it is put down; and whoever panics puts nothing down.
            0 => {
                memory.catch_up(connection).unwrap();
                memory.committed(added);
            }
            1 => drop(added),
            _ => memory.committed(added),
        }
        for (token, allowed) in here {
            let uses = counted.entry(token).or_default();
            *uses += 1;
            assert!(*uses <= allowed, "{token} in step {step}");
        }
    }
    let used = counted.len();
    assert!(used > 300 && refused > 1_000 && forgotten > 1_000, "{used}, {refused}, {forgotten}");
}
