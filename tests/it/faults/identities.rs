//! Numbers that run out: epochs of a producer id, and sequences that begin anew at 2^31. Every record still arrives once, in order.

use std::time::Duration;

use kafka_migrate::engine::ledger::{
    self,
    record::{Checkpoint, Entry, Record as LedgerRecord, Run},
    state::State,
};
use kafka_migrate::model::direction::Direction;

use crate::support::{
    codecs::{self, Batch, Envelope, Record},
    kafka::Kafka,
    load::Load,
    read::{self, View},
    shared_pair,
    tool::Migration,
    unique, wait,
};

use super::{cold::forgetful, event, held, wait_until_copying};

/// The last epoch that a producer id is given (`TransactionMetadata.isEpochExhausted`).
const LAST_EPOCH: i16 = 32_766;
/// As the clusters of the tests are set.
const COORDINATED: u32 = 4;

/// The partition of `__transaction_state` that holds a transactional id: by its hash as Java computes it.
fn coordinated_in(id: &str) -> i32 {
    let hash = id.bytes().fold(0i32, |hash, byte| {
        hash.wrapping_mul(31).wrapping_add(i32::from(byte))
    });
    (hash.unsigned_abs() % COORDINATED).cast_signed()
}

/// Says in the coordinator's own log that a transactional id has come to this epoch, as tens of thousands of starts would; it reads
/// that when it starts. The id gets a producer id first.
fn wear_out(kafka: &Kafka, id: &str, epoch: i16) -> i64 {
    let limit = Duration::from_secs(60);
    let (producer_id, _) = wait::until_some("a coordinator answers", limit, || {
        let address = kafka.wire().coordinator(id).ok()?.ok()?;
        let mut wire = crate::support::raw::Wire::connect(&address).ok()?;
        wire.init_producer(id).ok()?.ok()
    });
    // `TransactionLogKey` and `TransactionLogValue`, version 0: empty, without partitions.
    let mut key = vec![0, 0];
    key.extend(i16::try_from(id.len()).expect("short").to_be_bytes());
    key.extend(id.as_bytes());
    let mut value = vec![0, 0];
    value.extend(producer_id.to_be_bytes());
    value.extend(epoch.to_be_bytes());
    value.extend(60_000i32.to_be_bytes());
    value.push(0);
    value.extend((-1i32).to_be_bytes());
    let now = now();
    value.extend(now.to_be_bytes());
    value.extend((-1i64).to_be_bytes());
    let record = Record {
        offset: 0,
        timestamp: now,
        key: Some(key),
        value: Some(value),
        headers: Vec::new(),
    };
    let (topic, partition) = ("__transaction_state", coordinated_in(id));
    let mut wire = kafka
        .wire_to_leader(topic, partition)
        .expect("it has a leader")
        .for_admin();
    let batch = codecs::encode(Envelope::PLAIN, &[record]);
    let written = wire.produce(topic, partition, &batch);
    written.expect("the broker answers").expect("it is taken");
    producer_id
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.expect("it is later than 1970").as_millis()).expect("times fit")
}

/// The state of shard 0 of a migration's ledger.
fn ledger_of(target: &Kafka, migration: &str) -> (State, LedgerRecord) {
    let topic = ledger::topic(migration, Direction::Forward);
    let mut state = State::default();
    let mut last = None;
    for record in read::partition(target, &topic, 0, View::Uncommitted) {
        let value = record.value.expect("records of a ledger have values");
        let record = LedgerRecord::decode(&value).expect("it is ours");
        if state.apply(record.clone(), 0) {
            last = Some(record);
        }
    }
    (state, last.expect("a ledger begins with a record"))
}

fn batches(target: &Kafka, topic: &str) -> Vec<Batch> {
    read::batches(target, topic, 0, View::Uncommitted).0
}

/// A migration with one shard, so that there is one of each id.
fn one_shard(source: &Kafka, target: &Kafka, topic: &str) -> Migration {
    let migration = Migration::of_topic(source, target, topic);
    migration.edit("shards = 2", "shards = 1");
    // A predecessor whose id is given another producer id is waited out so long, beside its lease.
    migration.edit("[target]\n", "[target]\nrequest_timeout = \"2s\"\n");
    migration
}

#[test]
fn a_producer_id_without_another_epoch_is_followed_by_a_fresh_one() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("worn-target").start();
    let topic = unique("worn");
    source.create_topic(&topic, 1, &[]);
    let (ledger_id, first_id) = (
        ledger::ledger_id(&topic, Direction::Forward, 0),
        ledger::data_id(&topic, Direction::Forward, 0, 0),
    );
    // The first start takes the last epoch of both; whoever bumps after it is given other producer ids.
    let ledger_producer = wear_out(&target, &ledger_id, LAST_EPOCH - 1);
    let first_producer = wear_out(&target, &first_id, LAST_EPOCH - 1);
    target.stop(0);
    target.start_again(0);
    let loader = Load::to(&[(&topic, 1)]).keep_writing(source, 300);
    let migration = one_shard(source, &target, &topic);
    let mut tool = migration.command(&["--json", "replicate"]).start();
    wait_until_copying(&mut tool, &target, &topic);
    let ended = tool.kill();
    assert!(ended.stdout.contains("\"identity\":\"fresh\""), "{ended}");
    let (state, _) = ledger_of(&target, &topic);
    let first = state.identities[&0];
    assert_eq!(
        (first.producer_id, first.epoch),
        (first_producer, LAST_EPOCH),
        "the test did not bring it to its last epoch"
    );
    let of_ledger = batches(&target, &ledger::topic(&topic, Direction::Forward));
    let last = of_ledger.last().expect("a ledger has records");
    assert_eq!(
        (last.producer_id, last.producer_epoch),
        (ledger_producer, LAST_EPOCH)
    );

    // No marker can shut the first run out: it is waited out. The ledger goes on under another producer id.
    let mut tool = migration.command(&["--json", "replicate"]).start();
    tool.wait_for(&event("shard-claimed"), Duration::from_secs(60));
    let before = held(&target, &topic);
    wait::until("the second run copies", Duration::from_secs(60), || {
        held(&target, &topic) > before
    });
    loader.stop();
    tool.kill();
    let of_ledger = batches(&target, &ledger::topic(&topic, Direction::Forward));
    assert_ne!(
        of_ledger.last().map(|batch| batch.producer_id),
        Some(ledger_producer)
    );
    migration.catch_up();
    read::assert_same(source, &target, &topic);
    let (state, _) = ledger_of(&target, &topic);
    let ids: std::collections::BTreeSet<i64> = state
        .identities
        .values()
        .map(|identity| identity.producer_id)
        .collect();
    assert_eq!(ids.len(), state.identities.len(), "each had its own");
    migration.verify();
}

/// Two thousand million records are not copied in a test; but a ledger that says they were is believed where the broker has forgotten
/// the producer, and the next ones are given the sequences that follow.
#[test]
fn sequences_begin_anew_behind_the_last_also_where_the_run_is_killed_there() {
    let ((source, _), target) = (shared_pair(), forgetful());
    let topic = unique("wrap");
    source.create_topic(&topic, 1, &[]);
    let load = Load::to(&[(&topic, 1)]);
    load.fill(source, 30);
    let migration = one_shard(source, target, &topic);
    migration.catch_up();
    let (state, last) = ledger_of(target, &topic);
    let (&at, partition) = state.partitions.iter().next().expect("one partition");
    let stands = partition.checkpoint.expect("it has copied something");
    let identity = state.identities[&stands.identity];
    // As if so many had gone before: in the middle of a batch of the next the sequence is 2^31.
    let sequence = (1u64 << 31) - 25;
    let said = LedgerRecord {
        entries: vec![
            Entry::Run {
                at,
                run: Run {
                    identity: stands.identity,
                    sequence,
                    offset: stands.source,
                },
            },
            Entry::Checkpoint {
                at,
                checkpoint: Checkpoint {
                    next_sequence: sequence,
                    ..stands
                },
            },
            Entry::Sealed {
                number: stands.identity,
            },
        ],
        ..last
    };
    let record = Record {
        offset: 0,
        timestamp: 1_700_000_000_000,
        key: None,
        value: Some(said.encode()),
        headers: Vec::new(),
    };
    super::holes::write(
        target,
        &ledger::topic(&topic, Direction::Forward),
        0,
        0,
        &[record],
    );
    // The seal is forgotten too.
    wait::elapse(super::cold::EXPIRY + Duration::from_secs(2));

    let loader = load.keep_writing(source, 300);
    let written = move || {
        let ours = batches(target, &topic).into_iter();
        ours.filter(move |batch| !batch.is_control && batch.producer_id == identity.producer_id)
    };
    let wraps = |batch: &Batch| {
        let last = batch
            .base_sequence
            .checked_add(i32::try_from(batch.records.len()).expect("few") - 1);
        last.is_none()
    };
    let tool = migration.command(&["--json", "replicate"]).start();
    wait::until(
        &format!("the sequence begins anew\n{}", tool.said()),
        Duration::from_secs(30),
        || written().any(|batch| batch.base_sequence > 100 && batch.base_sequence < 1000),
    );
    let said = tool.said();
    assert!(said.contains("\"identity\":\"continued\""), "{said}");
    assert!(!said.contains(&event("shard-restarted")), "{said}");
    tool.kill();
    println!(
        "inside a batch: {}; first and last sequences: {:?}",
        written().any(|batch| wraps(&batch)),
        written()
            .map(|batch| (batch.base_sequence, batch.records.len()))
            .collect::<Vec<_>>()
    );
    loader.stop();
    migration.catch_up();
    read::assert_same(source, target, &migration.name);
    migration.verify();
}

/// Producer ids are small numbers, and two clusters hand out the same ones.
#[test]
fn a_producer_id_that_records_in_scope_carry_already_is_not_used() {
    let (source, _) = shared_pair();
    let target = Kafka::spec("colliding-target").start();
    let topic = unique("colliding");
    source.create_topic(&topic, 1, &[]);
    let limit = Duration::from_secs(60);
    let next = || {
        wait::until_some("a coordinator answers", limit, || {
            let id = unique("asks");
            let address = target.wire().coordinator(&id).ok()?.ok()?;
            let mut wire = crate::support::raw::Wire::connect(&address).ok()?;
            wire.init_producer(&id).ok()?.ok()
        })
        .0 + 1
    };
    let taken = |from: i64, count: i64| {
        let mut wire = source.wire_to_leader(&topic, 0).expect("it has a leader");
        for producer_id in from..from + count {
            let envelope = Envelope {
                producer_id,
                producer_epoch: 0,
                base_sequence: 0,
            };
            let record = Record {
                // Producers of old records are forgotten.
                timestamp: now(),
                ..super::holes::record(producer_id, None, super::holes::NAMES, 20)
            };
            let written = wire.produce(&topic, 0, &codecs::encode(envelope, &[record]));
            written.expect("the broker answers").expect("it is taken");
        }
    };
    let first = next();
    taken(first, 10);
    let migration = one_shard(source, &target, &topic);
    migration.catch_up();
    let used: std::collections::BTreeSet<i64> = batches(&target, &topic)
        .iter()
        .map(|batch| batch.producer_id)
        .collect();
    assert_eq!(used.len(), 1, "{used:?}");
    assert!(
        used.iter().all(|id| *id >= first + 10),
        "{used:?} from {first} on"
    );
    read::assert_same(source, &target, &topic);

    // The next ones are all taken: a run that has to fence finds none.
    taken(next(), 60);
    let crashed = migration
        .command(&["replicate"])
        .env("KAFKA_MIGRATE_CRASH_AT", "run-recorded:1")
        .finish();
    assert_eq!(crashed.code(), None, "{crashed}");
    let held = batches(&target, &topic).len();
    let refused = migration.run(&["replicate", "--until", "caught-up"]);
    refused.assert_exit(5);
    refused.assert_says("K518");
    assert_eq!(batches(&target, &topic).len(), held);
}
